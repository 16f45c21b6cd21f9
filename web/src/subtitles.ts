// Words as subtitles (SubRip), cut as earful cuts them (`earful.writers.phrases`).

import type { Word } from "./words";

const PAUSE_S = 0.7;
const LONGEST_S = 6;
const SHORTEST_S = 0.5;
const LINE = 42;
const LINES = 2;
const HAN = "\\u3007\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3134f}";
const BETWEEN_CHARACTERS = new RegExp(`([${HAN}])\\s+(?=[${HAN}])`, "gu");

/** What is shown at a time. */
export type Cue = { start: number; end: number; lines: string[] };

export function cuesOf(words: Word[]): Cue[] {
  const groups: Word[][] = [];
  for (const word of words) {
    const last = groups[groups.length - 1];
    if (last && fits(last, word)) last.push(word);
    else groups.push([word]);
  }
  return groups.map((group, n) => {
    const [start, last] = [group[0].start, group[group.length - 1].end];
    const latest = groups[n + 1]?.[0].start ?? last + SHORTEST_S;
    const end = Math.max(last, Math.min(start + SHORTEST_S, latest));
    return { start, end, lines: linesOf(group) };
  });
}

export function srt(words: Word[]): string {
  return cuesOf(words)
    .map((cue, n) => `${n + 1}\n${clock(cue.start)} --> ${clock(cue.end)}\n${cue.lines.join("\n")}\n`)
    .join("\n");
}

function fits(group: Word[], word: Word): boolean {
  const near = word.start - group[group.length - 1].end < PAUSE_S && word.end - group[0].start <= LONGEST_S;
  return near && linesOf([...group, word]).length <= LINES;
}

function linesOf(words: Word[]): string[] {
  const lines: string[] = [];
  for (const { text } of words) {
    const longer = lines.length ? closedUp(`${lines[lines.length - 1]} ${text}`) : "";
    if (lines.length && [...longer].length <= LINE) lines[lines.length - 1] = longer;
    else lines.push(text);
  }
  return lines;
}

function closedUp(text: string): string {
  return text.replace(BETWEEN_CHARACTERS, "$1");
}

function clock(seconds: number): string {
  const whole = roundEven(seconds * 1000);
  const [s, thousandths] = [Math.floor(whole / 1000), whole % 1000];
  const two = (n: number) => String(n).padStart(2, "0");
  const parts = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60].map(two).join(":");
  return `${parts},${String(thousandths).padStart(3, "0")}`;
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
