// What the server answers with: docs/server.md.

export interface Project {
  id: string;
  name: string;
  language: string;
  model: string | null;
  letters: string[];
  direction: "ltr" | "rtl";
  created: string;
  counts: { recordings: number; segments: number; accepted: number };
}

export interface Recording {
  id: string;
  project: string;
  name: string;
  duration_s: number;
  state: "waiting" | "segmented" | "drafted" | "failed";
  error: string | null;
  warnings: string[];
}

export interface Word {
  text: string;
  start_s: number;
  end_s: number;
  confidence: number;
}

export interface Segment {
  id: string;
  recording: string;
  start_s: number;
  end_s: number;
  draft: string;
  words: Word[];
  text: string;
  state: "empty" | "draft" | "corrected" | "accepted" | "skipped";
  version: number;
  rank: number | null;
}

/** What one may change of a segment. */
export type Edit = Partial<Pick<Segment, "text" | "state" | "start_s" | "end_s">>;

export interface Change {
  at: string;
  who: string;
  field: string;
  before: unknown;
  after: unknown;
}

export interface Job {
  id: string;
  model: string;
  project: string | null;
  state: "queued" | "running" | "done" | "failed" | "cancelled";
  stage: string | null;
  share: number | null;
  left_s: number | null;
  error: string | null;
  result: Outcome | null;
}

export interface Outcome {
  model: string;
  cer_before: number | null;
  cer_after: number | null;
  interval: [number, number] | null;
  kept_base: boolean;
  warnings: string[];
}

export interface Model {
  name: string;
  created: string;
  clips: number;
  cer_before: number | null;
  cer_after: number | null;
  base: string;
}

export interface Heard {
  model: string;
  text: string;
  words: Word[];
}

export interface Changed {
  kind: "recording" | "segment" | "job" | "project";
  id: string;
}
