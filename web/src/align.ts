// When each symbol of a text is said: the likeliest path of CTC that spells it (`earful.ctc.align`).

import { HALVES } from "./float16";

/** A symbol and the frames that say it. */
export type Emission = { symbol: number; start: number; end: number };

const LEAST = -1e9; // stands for minus infinity

/** Log-probabilities of `frames` × `size`, as half-precision bits. */
export type Lattice = { logp: Uint16Array; size: number };

export const framesOf = (lattice: Lattice): number => lattice.logp.length / lattice.size;

/** Align `ids` with the frames from `begin` to `end`. */
export function align({ logp, size }: Lattice, begin: number, end: number, ids: number[]): Emission[] {
  if (!ids.length) return [];
  const states = 2 * ids.length + 1;
  const symbolOf = (state: number) => (state % 2 ? ids[(state - 1) / 2] : 0);
  const symbols = Int32Array.from({ length: states }, (_, state) => symbolOf(state));
  const frames = end - begin;
  const moves = new Uint8Array(frames * states);
  const at = (frame: number, state: number) => Math.max(HALVES[logp[(begin + frame) * size + symbols[state]]], LEAST);
  let best = new Float64Array(states).fill(-Infinity);
  best[0] = at(0, 0);
  best[1] = at(0, 1);
  for (let frame = 1; frame < frames; frame++) {
    const now = new Float64Array(states);
    for (let state = 0; state < states; state++) {
      const stay = best[state];
      const step = state ? best[state - 1] : -Infinity;
      const maySkip = state % 2 === 1 && state > 1 && symbols[state] !== symbols[state - 2];
      const skip = maySkip ? best[state - 2] : -Infinity;
      let reached = Math.max(stay, step);
      let move = step > stay ? 1 : 0;
      if (skip > reached) [reached, move] = [skip, 2];
      moves[frame * states + state] = move;
      now[state] = reached + at(frame, state);
    }
    best = now;
  }
  const emissions: Emission[] = ids.map((symbol) => ({ symbol, start: -1, end: -1 }));
  let state = best[states - 1] > best[states - 2] ? states - 1 : states - 2;
  for (let frame = frames - 1; frame >= 0; frame--) {
    if (state % 2) {
      const emission = emissions[(state - 1) / 2];
      emission.start = begin + frame;
      if (emission.end < 0) emission.end = begin + frame + 1;
    }
    state -= moves[frame * states + state];
  }
  return emissions;
}

/** The least number of frames that can carry symbols: one each, and a blank between two equal neighbours. */
export function framesNeeded(ids: number[]): number {
  return ids.length + ids.filter((id, n) => n > 0 && ids[n - 1] === id).length;
}
