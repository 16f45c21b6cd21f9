// The files of the folder, which are packed; some servers unpack them on the way.

import { Failed } from "./messages";

/** A file of the folder, unpacked. `advance` is told how many bytes came. Throws Failed. */
export async function fetched(base: string, name: string, advance = (_: number) => {}): Promise<Uint8Array> {
  try {
    const answer = await fetch(new URL(name, base));
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    return await unpacked(await whole(answer, advance));
  } catch (error) {
    throw new Failed("files", `${name}: ${error}`);
  }
}

async function whole(answer: Response, advance: (bytes: number) => void): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const reader = answer.body!.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    advance(part.value.length);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function unpacked(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!isPacked) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
