// A pause ends a word, whether or not the model writes a space in it (`earful.ctc.pauses`).

import { likeliest } from "./tape";

export const NEVER = -30; // the log-probability of what cannot be said
const LONGEST_S = 0.7; // between two letters of a word there is no longer pause

/** Puts a space into each longer pause between two letters of `values` [frames, size], where somebody may speak. */
export function spaced(values: Float32Array, size: number, heard: Uint8Array, space: number, hop: number): void {
  const longest = Math.round(LONGEST_S / hop);
  let [before, symbol, silent] = [-1, 0, false];
  for (let frame = 0; frame < heard.length; frame++) {
    silent ||= !heard[frame];
    const best = likeliest(values, frame * size, size);
    if (!best) continue;
    const parted = symbol === space || best === space || silent;
    if (symbol && !parted && frame - before - 1 > longest) {
      const place = (frame - 1 - Math.floor(longest / 2)) * size;
      values.fill(NEVER, place, place + size);
      values[place + space] = 0;
    }
    [before, symbol, silent] = [frame, best, false];
  }
}
