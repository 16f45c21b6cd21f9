// From the log-probabilities of a stretch of speech to its letters and their times: by the best path, or by the search.

import { align, type Emission, framesNeeded, framesOf, type Lattice } from "./align";
import { HALVES } from "./float16";
import { type Found, type Frames, type Knowledge, search } from "./search";

const LEAST_LOGP = -7; // a symbol that is less likely is not tried
const BLOCK = 1024; // the alignment of a long recording may be cut once in so many frames

/** Letters, and what the search gave them: 0 for the best path. */
export type Said = { letters: Emission[]; score: number };

/** The likeliest symbol of each frame, repetitions merged and blanks dropped. */
export function bestPath(best: Uint16Array, begin: number, end: number): Emission[] {
  const emissions: Emission[] = [];
  for (let frame = begin; frame < end; frame++) {
    const last = emissions[emissions.length - 1];
    if (last && last.symbol === best[frame] && last.end === frame) last.end = frame + 1;
    else if (best[frame]) emissions.push({ symbol: best[frame], start: frame, end: frame + 1 });
  }
  return emissions;
}

/** The best text of the frames from `begin` to `end`. */
export function hear(knowledge: Knowledge, whole: Lattice, begin: number, end: number, advance = (_: number) => {}): Said {
  const { size } = whole;
  const lattice = { logp: whole.logp.subarray(begin * size, end * size), size };
  const frames = likely(lattice);
  const cuts = cutsOf(lattice, frames);
  const rows = new Set(cuts.map((cut) => cut.row));
  const found = search(knowledge, frames, rows, (n) => advance(frames.places[n]));
  const letters = aligned(lattice, found, cuts);
  return { letters: letters.map((each) => ({ ...each, start: each.start + begin, end: each.end + begin })), score: found.score };
}

/** The frames in which a symbol other than the blank reaches LEAST_LOGP, and which symbols do. */
function likely(lattice: Lattice): Frames {
  const { logp, size } = lattice;
  const found: Frames = { places: [], blank: [], symbols: [], p: [] };
  for (let frame = 0; frame < framesOf(lattice); frame++) {
    const symbols: number[] = [];
    const p: number[] = [];
    for (let symbol = 1; symbol < size; symbol++) {
      const value = HALVES[logp[frame * size + symbol]];
      if (value < LEAST_LOGP) continue;
      symbols.push(symbol);
      p.push(Math.exp(value));
    }
    if (!symbols.length) continue;
    found.places.push(frame);
    found.blank.push(Math.exp(HALVES[logp[frame * size]]));
    found.symbols.push(symbols);
    found.p.push(p);
  }
  return found;
}

type Cut = { place: number; row: number };

/** Where a long recording may be cut: the likeliest blank of each whole block, and the frame of the search before. */
function cutsOf(lattice: Lattice, frames: Frames): Cut[] {
  const { logp, size } = lattice;
  const cuts: Cut[] = [];
  for (let begin = 0; begin + BLOCK <= framesOf(lattice); begin += BLOCK) {
    let place = begin;
    for (let frame = begin; frame < begin + BLOCK; frame++) {
      if (HALVES[logp[frame * size]] > HALVES[logp[place * size]]) place = frame;
    }
    const later = frames.places.findIndex((each) => each >= place);
    const row = (later < 0 ? frames.places.length : later) - 1;
    if (row >= 0) cuts.push({ place, row });
  }
  return cuts;
}

/** The letters of the text, piece by piece, since a piece costs its frames times its letters. */
function aligned(lattice: Lattice, found: Found, places: Cut[]): Emission[] {
  const depths = new Map(found.path.map((node, depth) => [node, depth + 1]));
  depths.set(0, 0);
  const end = { frame: framesOf(lattice), said: found.ids.length };
  const fits = (from: typeof end, to: typeof end) =>
    from.said <= to.said && framesNeeded(found.ids.slice(from.said, to.said)) <= to.frame - from.frame;
  const cuts = [{ frame: 0, said: 0 }];
  for (const { place, row } of places) {
    const onPath = found.after.get(row)!.filter(({ node }) => depths.has(node));
    if (!onPath.length) continue;
    const deeper = (a: (typeof onPath)[0], b: (typeof onPath)[0]) =>
      b.score > a.score || (b.score === a.score && depths.get(b.node)! > depths.get(a.node)!) ? b : a;
    const cut = { frame: place, said: depths.get(onPath.reduce(deeper).node)! };
    if (fits(cuts[cuts.length - 1], cut)) cuts.push(cut);
  }
  while (cuts.length > 1 && !fits(cuts[cuts.length - 1], end)) cuts.pop();
  return [...cuts.slice(1), end].flatMap((to, n) =>
    align(lattice, cuts[n].frame, to.frame, found.ids.slice(cuts[n].said, to.said)),
  );
}
