// The n-gram of letters: from the counts that earful stores to probabilities (`earful.ctc.kneser_ney`, `ctc.known`).

import { type Arrays, type Numbers } from "./safetensors";

const EDGE = 0; // the start and the end of a text, among the symbols
const ROOT = 0; // the state of the empty context
const MOST_ROWS = 2 ** 21; // numbers in the rows that are kept, for a search comes back to them

/** The states of one source of text, and what continues them, as `kneser_ney.Chances` has them. */
export type Chances = {
  starts: Int32Array;
  shorter: Int32Array;
  gammas: Float32Array;
  symbols: Uint16Array;
  p: Float32Array;
  next: Int32Array;
};

type Level = { symbols: Numbers; counts: Numbers; children: Numbers; pruned: Numbers };

export class Letters {
  readonly sources: Chances[] = [];
  readonly weights: number[];
  private rows = new Map<string, Float32Array>();

  constructor(
    arrays: Arrays,
    readonly size: number,
  ) {
    this.weights = arrays.about.weights;
    arrays.about.orders.forEach((order: number, source: number) => {
      const levels: Level[] = [];
      for (let length = 1; length <= order; length++) {
        const of = (name: string) => arrays.get(`${source}.${length}.${name}`);
        levels.push({
          symbols: of("symbols_N"),
          counts: of("counts_N"),
          children: of("children_P"),
          pruned: of("pruned_P"),
        });
      }
      this.sources.push(chancesOf(levels, arrays.get(`${source}.discounts`), size));
    });
  }

  /** The states at the beginning of a text. */
  begin(): number[] {
    return this.sources.map((source) => source.next[ROOT]);
  }

  /** log p of each next symbol; at 0, that the text ends. */
  row(states: ArrayLike<number>): Float32Array {
    const key = Array.prototype.join.call(states, ",");
    let row = this.rows.get(key);
    if (!row) {
      if (this.rows.size * this.size >= MOST_ROWS) this.rows.clear();
      row = this.filled(states);
      this.rows.set(key, row);
    }
    return row;
  }

  private filled(states: ArrayLike<number>): Float32Array {
    const { size, sources, weights } = this;
    const sums = new Float64Array(size);
    const p = new Float64Array(size);
    sources.forEach((source, s) => {
      const chain = [states[s]];
      while (chain[chain.length - 1]) chain.push(source.shorter[chain[chain.length - 1]]);
      p.fill(1 / size);
      for (const state of chain.reverse()) {
        const gamma = source.gammas[state];
        for (let v = 0; v < size; v++) p[v] *= gamma;
        for (let i = source.starts[state]; i < source.starts[state + 1]; i++) p[source.symbols[i]] = source.p[i];
      }
      for (let v = 0; v < size; v++) sums[v] += weights[s] * p[v];
    });
    return Float32Array.from(sums, Math.log);
  }

  /** The states after one more symbol. */
  follow(states: ArrayLike<number>, symbol: number): Int32Array {
    return Int32Array.from(this.sources, (source, s) => {
      for (let state = states[s]; ; state = source.shorter[state]) {
        const place = search(source.symbols, symbol, source.starts[state], source.starts[state + 1]);
        if (place >= 0) return source.next[place];
        if (!state) return ROOT;
      }
    });
  }
}

/** The place of a symbol among sorted ones; -1 where it is not. */
function search(symbols: Uint16Array, symbol: number, low: number, high: number): number {
  const end = high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (symbols[middle] < symbol) low = middle + 1;
    else high = middle;
  }
  return low < end && symbols[low] === symbol ? low : -1;
}

/** p(w | h) = (c(hw) - D) / c(h) + γ(h) p(w | h without its first), from the shortest to the longest h. */
function chancesOf(levels: Level[], discounts: Numbers, size: number): Chances {
  let keys: Float64Array = new Float64Array(1);
  let p = new Float64Array([1 / size]);
  let suffix: Float64Array = new Float64Array(1);
  let first = 0;
  const suffixes: Float64Array[] = [];
  const ps: Float64Array[] = [];
  const gammas: Float64Array[] = [];
  levels.forEach((level, order) => {
    const count = level.symbols.length;
    const parents = new Int32Array(count);
    for (let parent = 0, n = 0; parent < p.length; parent++) {
      for (let child = 0; child < level.children[parent]; child++) parents[n++] = parent;
    }
    const totals = Float64Array.from(level.pruned);
    const whole = new Float64Array(p.length);
    for (let n = 0; n < count; n++) whole[parents[n]] += level.counts[n];
    for (let parent = 0; parent < p.length; parent++) totals[parent] += whole[parent];
    const shares = new Float64Array(count);
    const shared = new Float64Array(p.length);
    for (let n = 0; n < count; n++) {
      const discount = discounts[3 * order + Math.min(level.counts[n], 3) - 1];
      shares[n] = (level.counts[n] - discount) / totals[parents[n]];
      shared[parents[n]] += shares[n];
    }
    const gamma = shared.map((share) => Math.max(1 - share, 0));
    const longer = new Float64Array(count);
    const suffixN = new Float64Array(count);
    const keysN = new Float64Array(count);
    for (let n = 0; n < count; n++) {
      const wanted = suffix[parents[n]] * size + level.symbols[n];
      suffixN[n] = order ? lowerBound(keys, wanted) : 0;
      longer[n] = shares[n] + gamma[parents[n]] * p[suffixN[n]];
      keysN[n] = parents[n] * size + level.symbols[n];
    }
    gammas.push(gamma);
    ps.push(longer);
    suffixes.push(suffixN.map((place) => first + place));
    first += p.length;
    [keys, p, suffix] = [keysN, longer, suffixN];
  });
  return linked(levels, joined(suffixes), joined(ps), joined(gammas));
}

function lowerBound(keys: Float64Array, key: number): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function joined(parts: Float64Array[]): Float64Array {
  const whole = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}

/** Join the n-grams: one that nothing continues gives way to its longest suffix that something does. */
function linked(levels: Level[], suffix: Float64Array, p: Float64Array, gammas: Float64Array): Chances {
  const children = joined(levels.map((level) => Float64Array.from(level.children)));
  const state = Int32Array.from(children, (_, place) => place);
  // Each suffix is of a level before, so one pass from the shortest on is enough.
  for (let place = 1; place < state.length; place++) {
    if (!children[place]) state[place] = state[suffix[place - 1]];
  }
  const starts = new Int32Array(children.length + 1);
  children.forEach((count, place) => (starts[place + 1] = starts[place] + count));
  const next = Int32Array.from(suffix, (place) => state[place]);
  next.set(state.subarray(1), 0);
  const shorter = new Int32Array(state.length);
  for (let place = 1; place < state.length; place++) shorter[place] = state[suffix[place - 1]];
  const symbols = new Uint16Array(p.length);
  let place = 0;
  for (const level of levels) {
    symbols.set(level.symbols as ArrayLike<number>, place);
    place += level.symbols.length;
  }
  return { starts, shorter, gammas: Float32Array.from(gammas), symbols, p: Float32Array.from(p), next };
}

export { EDGE };
