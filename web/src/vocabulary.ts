// Known words in a tree of their letters, and how likely each is after each (`earful.ctc.words`, `ctc.known`).

import type { Arrays } from "./safetensors";
import { Table } from "./table";

export const NONE = 0; // the node of no letters
export const OFF = -1; // where no known word begins so
const START = 0; // the word before the first
const UNKNOWN = -1; // a word that is not in the list

type Source = { words: string[]; counts: ArrayLike<number>; total: number; pairs: [number, number, number][] };

export class Vocabulary {
  readonly space: number;
  readonly pSpace: number;
  private readonly pLetters: number;
  private readonly shares: number[];
  private readonly size: number;
  private readonly nodes = new Table(1 << 16);
  private readonly wordAt: number[] = [UNKNOWN];
  private readonly p: Float64Array[] = [];
  private readonly gammas: Float64Array[] = [];
  private readonly pairs = new Table(1 << 16);

  /** The words that the symbols can write; word 0 is the start of a text. */
  constructor(
    arrays: Arrays,
    private readonly symbols: string[],
  ) {
    this.space = symbols.indexOf(" ") + 1;
    this.pSpace = arrays.about.p_space;
    [this.pLetters, ...this.shares] = arrays.about.shares;
    const sources: Source[] = arrays.about.kinds.map((kinds: number, s: number) => sourceOf(arrays, s, kinds));
    const places = sources.map((source) => Int32Array.from(source.words, (word) => this.learned(word)));
    this.size = this.words;
    sources.forEach((source, s) => this.count(source, places[s], this.shares[s]));
  }

  private words = 1;

  /** The number of a word, which is put into the tree; 0 where the symbols do not write it. */
  private learned(word: string): number {
    const ids = Array.from(word, (letter) => (letter === " " ? 0 : this.symbols.indexOf(letter) + 1));
    if (!word || ids.includes(0)) return START;
    let node = NONE;
    for (const id of ids) {
      const key = node * (this.symbols.length + 1) + id;
      let child = this.nodes.get(key, OFF);
      if (child === OFF) {
        child = this.wordAt.length;
        this.wordAt.push(UNKNOWN);
        this.nodes.set(key, child);
      }
      node = child;
    }
    if (this.wordAt[node] === UNKNOWN) this.wordAt[node] = this.words++;
    return this.wordAt[node];
  }

  /** How likely each word of a source is by itself, and after another (Witten and Bell 1991, method C). */
  private count(source: Source, places: Int32Array, share: number): void {
    const { size } = this;
    const p = new Float64Array(size);
    places.forEach((place, w) => (p[place] = Math.fround(source.counts[w] / source.total)));
    p[START] = 0;
    const totals = new Float64Array(size);
    const kinds = new Float64Array(size);
    for (const [first, , times] of source.pairs) {
      totals[places[first]] += times;
      kinds[places[first]] += 1;
    }
    const gammas = totals.map((total, w) => (total > 0 && w !== START ? kinds[w] / Math.max(total + kinds[w], 1) : 1));
    for (const [first, second, times] of source.pairs) {
      const [before, word] = [places[first], places[second]];
      if (before === START || word === START) continue;
      const key = before * size + word;
      const added = (share * times) / Math.max(totals[before] + kinds[before], 1);
      this.pairs.set(key, this.pairs.get(key, 0) + added);
    }
    this.p.push(p);
    this.gammas.push(gammas);
  }

  /** The node of a word with one more letter. */
  spelled(node: number, symbol: number): number {
    return node === OFF ? OFF : this.nodes.get(node * (this.symbols.length + 1) + symbol, OFF);
  }

  wordOf(node: number): number {
    return node === OFF ? UNKNOWN : this.wordAt[node];
  }

  /** What knowing the word adds to the n-gram's log-probability of it and what ends it. */
  gain(node: number, before: number, logp: number, logpEnd: number, pEnd: number): number {
    if (node === NONE) return 0;
    const p = this.likely(before, this.wordOf(node)) * pEnd;
    const spelt = logp + logpEnd;
    const byLetters = Math.log(this.pLetters) + spelt;
    if (p <= 0) return byLetters - spelt;
    const byWords = Math.log(p);
    const most = Math.max(byLetters, byWords);
    return most + Math.log(Math.exp(byLetters - most) + Math.exp(byWords - most)) - spelt;
  }

  private likely(before: number, word: number): number {
    if (word < 0) return 0;
    let p = 0;
    for (let s = 0; s < this.shares.length; s++) {
      p += this.shares[s] * (before >= 0 ? this.gammas[s][before] : 1) * this.p[s][word];
    }
    return before >= 0 ? p + this.pairs.get(before * this.size + word, 0) : p;
  }
}

function sourceOf(arrays: Arrays, s: number, kinds: number): Source {
  const said = new TextDecoder().decode(arrays.get(`${s}.words`) as Uint8Array);
  const counts = arrays.get(`${s}.counts_W`) as ArrayLike<number>;
  const [first, second, times] = ["first_P", "second_P", "counts_P"].map((name) => arrays.get(`${s}.${name}`));
  const total = Math.fround(Math.max(Array.prototype.reduce.call(counts, (a: any, b: any) => a + b, 0) as number + kinds, 1e-9));
  const pairs = Array.from(first, (word, n): [number, number, number] => [word, second[n], times[n]]);
  return { words: said === "" ? [] : said.split(" "), counts, total, pairs };
}
