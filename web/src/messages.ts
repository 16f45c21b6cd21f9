// What the page and its worker say to each other.

import type { Tape } from "./tape";
import type { Word } from "./words";

/** What is told of the model by `recogniser.json`. */
export type Settings = {
  name: string;
  language: string;
  symbols: string[]; // without the blank, which is 0
  hop_s: number;
  weight: number; // of the language model
  bonus: number;
  width: number;
  searched: boolean; // or only the best path is taken
  ngram: boolean;
  words: boolean;
  arithmetic: string;
  bytes: Record<string, number>; // of the files to load
};

/** Sound that the page itself has: samples of each channel. */
export type Samples = { channels: Float32Array[]; rate: number };

export type Ask =
  | { kind: "open"; base: string }
  | { kind: "hear"; sound: Blob | Samples; greedy: boolean; keep: boolean }
  | { kind: "decode"; logp: Uint16Array; duration: number; greedy: boolean }
  | { kind: "stop" };

/** What was heard: its words, the scores of its stretches, and, where asked for, what they were searched in. */
export type Said = { words: Word[]; scores: number[]; duration: number; tookMs: number; tape?: Tape };

export type Answer =
  | { kind: "loading"; share: number }
  | { kind: "ready"; settings: Settings }
  | { kind: "hearing"; stage: "listening" | "writing"; done: number; total: number; draft: string }
  | { kind: "said"; said: Said }
  | { kind: "failed"; what: Failure; detail: string };

/** Why nothing came of it. */
export type Failure = "undecodable" | "empty" | "files" | "stopped" | "broken";

export class Failed extends Error {
  constructor(
    readonly what: Failure,
    detail = "",
  ) {
    super(detail);
  }
}
