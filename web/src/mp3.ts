// Where the sound of an MP3 begins: encoders put some silence before it, decoders some more, and say so in a header.

const DECODER = 529; // samples by which every decoder of MP3 is late
const MOST = 4096;

/** How many samples to leave out at the beginning; 0 where nothing says so, or the file is no MP3. */
export async function leadOf(file: Blob): Promise<number> {
  const bytes = async (from: number) => new Uint8Array(await file.slice(from, from + MOST).arrayBuffer());
  let head = await bytes(0);
  if (text(head, 0, 3) === "ID3") {
    const size = head.subarray(6, 10).reduce((sum, byte) => sum * 128 + byte, 0);
    head = await bytes(10 + size);
  }
  if (head[0] !== 0xff || (head[1] & 0xe6) !== 0xe2) return 0; // no frame of MPEG's layer III
  const mono = head[3] >> 6 === 3;
  const newest = (head[1] & 0x18) === 0x18; // MPEG-1
  const place = 4 + (newest ? (mono ? 17 : 32) : mono ? 9 : 17);
  if (!["Xing", "Info"].includes(text(head, place, 4))) return 0;
  const flags = head[place + 7];
  const encoder = place + 8 + (flags & 1 ? 4 : 0) + (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
  if (!["LAME", "Lavc", "Lavf"].includes(text(head, encoder, 4))) return 0;
  return ((head[encoder + 21] << 4) | (head[encoder + 22] >> 4)) + DECODER;
}

function text(bytes: Uint8Array, from: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(from, from + length));
}
