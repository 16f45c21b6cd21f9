// Prefix beam search for CTC with a language model of letters and words, as `earful.ctc.search` does it, frame by frame:
// the same scores, and of equal ones the same.

import type { Letters } from "./letters";
import { NONE, type Vocabulary } from "./vocabulary";

const BLANK = 0;
const EDGE = 0; // the end of a text, among the symbols of the language model
const ROOT = 0;

/** What the search knows, and how much that counts. */
export type Knowledge = {
  size: number;
  letters: Letters | null;
  vocabulary: Vocabulary | null;
  weight: number;
  bonus: number;
  width: number;
};

/** Frames in which something may be said: their places, p of the blank, and p of the likely symbols. */
export type Frames = {
  places: number[];
  blank: number[];
  symbols: number[][];
  p: number[][];
};

/** What the search ended with: the nodes of the best text, its symbols and score, and the beam after some frames. */
export type Found = {
  path: number[];
  ids: number[];
  score: number;
  after: Map<number, { node: number; score: number }[]>;
};

/** A text in the beam; probabilities are relative to that of the best. */
type Text = {
  node: number;
  last: number;
  pBlank: number; // of the paths that end in a blank, and
  pSymbol: number; // of those that end in the last symbol
  added: number; // what language model and length have added
  states: ArrayLike<number>;
  row: Float32Array; // log p of each next symbol
  word: number; // the letters of the word that is being written, in the tree of words
  logp: number; // of these letters, by the n-gram
  before: number; // the word before
  gain: number; // what knowing the word adds if a space comes now
};

/** A text that one frame more can spell. */
type Candidate = { score: number; pBlank: number; pSymbol: number; added: number; of: Text; symbol: number };

/** All texts that were met, as a tree of symbols. */
class Tree {
  parents = [ROOT];
  symbols = [BLANK];
  private first = [ROOT];
  private sibling = [ROOT];

  child(node: number, symbol: number): number {
    let child = this.first[node];
    while (child && this.symbols[child] !== symbol) child = this.sibling[child];
    return child;
  }

  grown(node: number, symbol: number): number {
    const known = this.child(node, symbol);
    if (known) return known;
    this.parents.push(node);
    this.symbols.push(symbol);
    this.first.push(ROOT);
    this.sibling.push(this.first[node]);
    return (this.first[node] = this.parents.length - 1);
  }

  /** The nodes from the first symbol to `node`. */
  path(node: number): number[] {
    const path: number[] = [];
    for (; node !== ROOT; node = this.parents[node]) path.push(node);
    return path.reverse();
  }
}

/** Search; the beam is remembered after the frames of `rows`. `advance` is told of every frame. */
export function search(knowledge: Knowledge, frames: Frames, rows: Set<number>, advance = (_: number) => {}): Found {
  const tree = new Tree();
  const after: Found["after"] = new Map();
  let beam = [begin(knowledge)];
  let done = 0;
  frames.places.forEach((place, n) => {
    if (place > done) {
      // The frames between are surely blank, however many.
      for (const text of beam) {
        text.pBlank += text.pSymbol;
        text.pSymbol = 0;
      }
    }
    const found = candidates(knowledge, beam, frames.blank[n], frames.symbols[n], frames.p[n], tree);
    const best = likeliest(found, knowledge.width);
    const scale = 1 / (best[0].pBlank + best[0].pSymbol); // lest they become too small
    beam = best.map((each) => extended(knowledge, each, scale, tree));
    done = place + 1;
    if (rows.has(n)) {
      const scoreOf = (text: Text) => Math.fround(Math.log(text.pBlank + text.pSymbol) + text.added);
      after.set(n, beam.map((text) => ({ node: text.node, score: scoreOf(text) })));
    }
    advance(n);
  });
  const ended = beam.map((text) => ({ text, score: scoreAtEnd(knowledge, text) }));
  const best = ended.reduce((a, b) => (b.score > a.score ? b : a));
  const path = tree.path(best.text.node);
  return { path, ids: path.map((node) => tree.symbols[node]), score: best.score, after };
}

function begin({ letters, size }: Knowledge): Text {
  const states = letters ? letters.begin() : [];
  const row = letters ? letters.row(states) : new Float32Array(size);
  const text = { node: ROOT, last: BLANK, pBlank: 1, pSymbol: 0, added: 0, states, row };
  return { ...text, word: NONE, logp: 0, before: 0, gain: 0 };
}

/** Each text that one frame more can spell; those of the beam come first, in its order. */
function candidates(
  { weight, bonus, vocabulary }: Knowledge,
  beam: Text[],
  pBlank: number,
  symbols: number[],
  pSaid: number[],
  tree: Tree,
): Candidate[] {
  const out: Candidate[] = [];
  const slots = new Map<number, Candidate>();
  const space = vocabulary ? vocabulary.space : -1;
  for (const of of beam) {
    const again = of.last !== BLANK ? symbols.indexOf(of.last) : -1;
    const kept = {
      score: 0,
      pBlank: (of.pBlank + of.pSymbol) * pBlank,
      pSymbol: again >= 0 ? of.pSymbol * pSaid[again] : 0,
      added: of.added,
      of,
      symbol: BLANK,
    };
    slots.set(of.node, kept);
    out.push(kept);
  }
  for (const of of beam) {
    const both = of.pBlank + of.pSymbol;
    symbols.forEach((symbol, i) => {
      // A blank must part equal neighbours.
      const p = (symbol === of.last ? of.pBlank : both) * pSaid[i];
      if (p === 0) return;
      const child = tree.child(of.node, symbol);
      const known = child ? slots.get(child) : undefined;
      if (known) {
        known.pSymbol += p;
        return;
      }
      const gain = symbol === space ? of.gain : 0;
      const added = of.added + weight * (of.row[symbol] + gain) + bonus;
      out.push({ score: 0, pBlank: 0, pSymbol: p, added, of, symbol });
    });
  }
  for (const each of out) {
    const total = each.pBlank + each.pSymbol;
    each.score = total > 0 ? Math.log(total) + each.added : -Infinity;
  }
  return out;
}

/** The greatest scores that are possible, the greatest first; of equals the earlier (sorting is stable). */
function likeliest(found: Candidate[], width: number): Candidate[] {
  return found
    .filter((each) => each.score > -Infinity)
    .sort((a, b) => b.score - a.score)
    .slice(0, width);
}

/** A candidate as a text of the next beam, with what it needs to go on. */
function extended({ letters, vocabulary }: Knowledge, candidate: Candidate, scale: number, tree: Tree): Text {
  const { of, symbol, added } = candidate;
  const text = { ...of, added, pBlank: candidate.pBlank * scale, pSymbol: candidate.pSymbol * scale };
  if (symbol === BLANK) return text;
  text.last = symbol;
  text.node = tree.grown(of.node, symbol);
  if (letters) {
    text.states = letters.follow(of.states, symbol);
    text.row = letters.row(text.states);
  }
  if (vocabulary) write(vocabulary, of, symbol, text);
  return text;
}

/** The word that is being written, one symbol further. */
function write(vocabulary: Vocabulary, of: Text, symbol: number, text: Text): void {
  const { space, pSpace } = vocabulary;
  if (symbol === space) {
    if (of.word !== NONE) text.before = vocabulary.wordOf(of.word);
    [text.word, text.logp, text.gain] = [NONE, 0, 0];
    return;
  }
  text.word = vocabulary.spelled(of.word, symbol);
  text.logp = of.logp + of.row[symbol];
  text.gain = vocabulary.gain(text.word, text.before, text.logp, text.row[space], pSpace);
}

/** The score of a text if it ends here. */
function scoreAtEnd({ letters, vocabulary, weight }: Knowledge, text: Text): number {
  let end = letters ? text.row[EDGE] : 0;
  if (vocabulary) end += vocabulary.gain(text.word, text.before, text.logp, text.row[EDGE], 1 - vocabulary.pSpace);
  return Math.log(text.pBlank + text.pSymbol) + text.added + weight * end;
}
