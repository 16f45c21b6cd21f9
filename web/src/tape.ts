// What is kept of a recording while it is heard, window after window.

import { HALVES } from "./float16";

/**
 * The likeliest symbol of each frame; whether somebody may speak in it; and, where it is searched, log-probabilities
 * [frames, symbols] as half-precision bits, as earful keeps them.
 */
export type Tape = { best: Uint16Array; heard: Uint8Array; logp: Uint16Array };

export class Recorder {
  private tape: Tape = { best: new Uint16Array(1 << 12), heard: new Uint8Array(1 << 12), logp: new Uint16Array(1 << 12) };
  private frames = 0;
  private numbers = 0;

  add({ best, heard, logp }: Tape): void {
    const { tape, frames, numbers } = this;
    this.frames += best.length;
    this.numbers += logp.length;
    tape.best = withRoom(tape.best, this.frames);
    tape.heard = withRoom(tape.heard, this.frames);
    tape.logp = withRoom(tape.logp, this.numbers);
    tape.best.set(best, frames);
    tape.heard.set(heard, frames);
    tape.logp.set(logp, numbers);
  }

  whole(): Tape {
    const { best, heard, logp } = this.tape;
    return {
      best: best.subarray(0, this.frames),
      heard: heard.subarray(0, this.frames),
      logp: logp.subarray(0, this.numbers),
    };
  }
}

/** Log-probabilities as a tape in which somebody always may speak. */
export function tapeOf(logp: Uint16Array, size: number): Tape {
  const frames = logp.length / size;
  const values = Float32Array.from(logp, (half) => HALVES[half]);
  const best = Uint16Array.from({ length: frames }, (_, frame) => likeliest(values, frame * size, size));
  return { best, heard: new Uint8Array(frames).fill(1), logp };
}

/** Where frames begin and end in which somebody may speak. */
export function stretchesOf(heard: Uint8Array): [number, number][] {
  const found: [number, number][] = [];
  for (let begin = 0; begin < heard.length; begin++) {
    if (!heard[begin]) continue;
    let end = begin;
    while (end < heard.length && heard[end]) end++;
    found.push([begin, end]);
    begin = end;
  }
  return found;
}

export function likeliest(values: Float32Array, from: number, size: number): number {
  let best = 0;
  for (let symbol = 1; symbol < size; symbol++) if (values[from + symbol] > values[from + best]) best = symbol;
  return best;
}

function withRoom<A extends Uint16Array | Uint8Array>(array: A, length: number): A {
  if (length <= array.length) return array;
  const larger = new (array.constructor as new (length: number) => A)(Math.max(length, 2 * array.length));
  larger.set(array);
  return larger;
}
