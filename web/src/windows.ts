// A long recording in windows of 15 s, each with 1.8 s of what lies around it (`earful.features.windows`).

export const RATE = 16000;
export const WINDOW_S = 15;
export const CONTEXT_S = 1.8;
const SIZE = WINDOW_S * RATE;
const CONTEXT = CONTEXT_S * RATE;

/** A window: its own part is from `begin` to `end` of the recording, `content` starts at `first`. */
export type Window = { content: Float32Array; first: number; begin: number; end: number; isLast: boolean };

/** A window for each 15 s of samples, which may come in pieces of any length. */
export async function* windows(pieces: AsyncIterable<Float32Array>): AsyncGenerator<Window> {
  let [begin, before] = [0, new Float32Array(0)];
  let piece: Float32Array | null = null;
  for await (const after of ofSize(pieces)) {
    if (piece) {
      const known = joined(before, piece);
      yield { content: joined(known, after.subarray(0, CONTEXT)), ...places(begin, piece, known), isLast: false };
      [begin, before] = [begin + piece.length, known.slice(-CONTEXT)];
    }
    piece = after;
  }
  if (!piece) return;
  const content = joined(before, piece);
  yield { content, ...places(begin, piece, content), isLast: true };
}

function places(begin: number, piece: Float32Array, known: Float32Array) {
  const end = begin + piece.length;
  return { first: end - known.length, begin, end };
}

async function* ofSize(pieces: AsyncIterable<Float32Array>): AsyncGenerator<Float32Array> {
  let [window, filled] = [new Float32Array(SIZE), 0];
  for await (let piece of pieces) {
    while (piece.length) {
      const part = piece.subarray(0, SIZE - filled);
      window.set(part, filled);
      filled += part.length;
      piece = piece.subarray(part.length);
      if (filled === SIZE) {
        yield window;
        [window, filled] = [new Float32Array(SIZE), 0];
      }
    }
  }
  if (filled) yield window.slice(0, filled);
}

function joined(a: Float32Array, b: Float32Array): Float32Array {
  const whole = new Float32Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
