// Letters to words with their times (`earful.transcriber`, `ctc.stretches`).

import type { Emission } from "./align";

/** A word and when it is said, in seconds. */
export type Word = { text: string; start: number; end: number };

const LONGEST_GAP_S = 1; // no letter lasts longer, and between those of a word there is less

/** The words of one stretch of speech. None reaches beyond the end of the recording. */
export function wordsOf(letters: Emission[], symbols: string[], hop: number, duration: number): Word[] {
  const longest = Math.round(LONGEST_GAP_S / hop);
  return spelt(letters, symbols).map((word) => {
    const [start, end] = saidIn(word, longest).map((frame) => Math.min(frame * hop, duration));
    return { text: word.map((each) => symbols[each.symbol - 1]).join(""), start, end };
  });
}

/** The letters between spaces. */
function spelt(letters: Emission[], symbols: string[]): Emission[][] {
  const words: Emission[][] = [[]];
  for (const letter of letters) {
    if (/^\s+$/u.test(symbols[letter.symbol - 1])) words.push([]);
    else words[words.length - 1].push(letter);
  }
  return words.filter((word) => word.length);
}

/** The frames in which a word is said: those of its letters that follow each other, most of them. */
function saidIn(letters: Emission[], longest: number): [number, number] {
  const groups: Emission[][] = [];
  for (const letter of letters) {
    const last = groups[groups.length - 1];
    if (last && letter.start - last[last.length - 1].end <= longest) last.push(letter);
    else groups.push([letter]);
  }
  const group = groups.reduce((a, b) => (b.length > a.length ? b : a));
  const last = group[group.length - 1];
  return [group[0].start, Math.min(last.end, last.start + longest)];
}
