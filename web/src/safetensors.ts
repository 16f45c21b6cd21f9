// Reads safetensors: a length, a header of JSON, and the numbers of all arrays.

export type Numbers = Float32Array | Float64Array | Uint8Array | Uint16Array | Uint32Array | Int32Array;
export type Arrays = { about: any; get(name: string): Numbers };

const KINDS: Record<string, (bytes: ArrayBuffer) => Numbers> = {
  F32: (bytes) => new Float32Array(bytes),
  F64: (bytes) => new Float64Array(bytes),
  U8: (bytes) => new Uint8Array(bytes),
  U16: (bytes) => new Uint16Array(bytes),
  U32: (bytes) => new Uint32Array(bytes),
  I32: (bytes) => new Int32Array(bytes),
  U64: (bytes) => Float64Array.from(new BigUint64Array(bytes), Number),
  I64: (bytes) => Float64Array.from(new BigInt64Array(bytes), Number),
};

/** The arrays of a file that `earful.ctc.arrays` wrote, and what they are. */
export function readArrays(file: Uint8Array): Arrays {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const start = 8 + length;
  return {
    about: JSON.parse(header.__metadata__.about),
    get(name: string): Numbers {
      const { dtype, data_offsets } = header[name];
      const [begin, end] = data_offsets;
      return KINDS[dtype](file.slice(start + begin, start + end).buffer as ArrayBuffer);
    },
  };
}
