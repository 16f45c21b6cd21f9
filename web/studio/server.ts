// What the page asks of the server, and how it says that something went wrong.

import type { Changed, Change, Edit, Heard, Job, Model, Project, Recording, Segment } from "./kinds";

/** The server cannot be reached, or not now. */
export class Away extends Error {}

/** The server says no, and why. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly body: unknown,
  ) {
    super(message);
  }
}

let who = localStorage.getItem("earful.who") ?? "";

export const person = (): string => who;

export function call(name: string): void {
  who = name.trim();
  localStorage.setItem("earful.who", who);
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (who) headers["X-Earful-Who"] = encodeURIComponent(who); // headers hold no letters beyond Latin-1
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    throw new Away(String(error));
  }
  return read<T>(answer.status, await answer.text().catch(() => ""));
}

/** The value of an answer. Throws Away and Refused. */
function read<T>(status: number, text: string): T {
  let body: unknown = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = null;
  }
  if (status >= 200 && status < 300) return body as T;
  if (status === 0 || status === 502 || status === 503 || status === 504) throw new Away(`HTTP ${status}`);
  throw new Refused(status, reason(body) || `HTTP ${status}`, body);
}

function reason(body: unknown): string {
  const found = body as { error?: { message?: string } | string; detail?: unknown } | null;
  if (typeof found?.error === "string") return found.error;
  if (found?.error?.message) return found.error.message;
  return typeof found?.detail === "string" ? found.detail : "";
}

const at = (...parts: string[]): string => `/api/${parts.map(encodeURIComponent).join("/")}`;

export const projects = () => ask<Project[]>("GET", "/api/projects");
export const project = (id: string) => ask<Project>("GET", at("projects", id));
export const create = (name: string, language: string) => ask<Project>("POST", "/api/projects", { name, language });
export const remove = (id: string) => ask<null>("DELETE", at("projects", id));
export const recordings = (id: string) => ask<Recording[]>("GET", at("projects", id, "recordings"));
export const forget = (recording: string) => ask<null>("DELETE", at("recordings", recording));
export const redraft = (recording: string) => ask<unknown>("POST", at("recordings", recording, "drafts"));
export const segments = (id: string, order: "time" | "teaching") =>
  ask<Segment[]>("GET", `${at("projects", id, "segments")}?order=${order}`);
export const segment = (id: string) => ask<Segment>("GET", at("segments", id));
export const cut = (recording: string, start_s: number, end_s: number) =>
  ask<Segment>("POST", at("recordings", recording, "segments"), { start_s, end_s });
export const change = (segment: string, version: number, edit: Edit) =>
  ask<Segment>("PATCH", at("segments", segment), { version, ...edit });
export const undo = (segment: string) => ask<Segment>("POST", at("segments", segment, "undo"));
export const redo = (segment: string) => ask<Segment>("POST", at("segments", segment, "redo"));
export const history = (segment: string) => ask<Change[]>("GET", at("segments", segment, "history"));
export const peaks = (recording: string, count: number) =>
  ask<[number, number][]>("GET", `${at("recordings", recording, "peaks")}?count=${count}`);
export const audio = (recording: string) => at("recordings", recording, "audio");
export const adapt = (id: string, effort: string) => ask<Job>("POST", at("projects", id, "adaptations"), { effort });
export const models = (id: string) => ask<Model[]>("GET", at("projects", id, "models"));
export const compare = (recording: string, two: string[]) =>
  ask<Heard[]>("POST", at("recordings", recording, "compare"), { models: two });
export const transcript = (recording: string, format: string) =>
  `${at("recordings", recording, "transcript")}?format=${encodeURIComponent(format)}`;
export const everything = (id: string) => at("projects", id, "export");
export const download = (model: string) => at("models", model, "download");
export const job = (id: string) => ask<Job>("GET", `/v1/jobs/${encodeURIComponent(id)}`);
export const jobs = async () => (await ask<{ data: Job[] }>("GET", "/v1/jobs")).data;
export const cancel = (id: string) => ask<Job>("POST", `/v1/jobs/${encodeURIComponent(id)}/cancel`);
export const known = async () => (await ask<{ data: { id: string }[] }>("GET", "/v1/models")).data.map((each) => each.id);

/** Send a recording; `progress` is told which share is sent. Throws Away and Refused. */
export function send(id: string, file: Blob, name: string, progress: (share: number) => void): Promise<Recording> {
  const form = new FormData();
  form.append("file", file, name);
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much was sent
    request.open("POST", at("projects", id, "recordings"));
    if (who) request.setRequestHeader("X-Earful-Who", encodeURIComponent(who));
    request.upload.onprogress = (event) => progress(event.total ? event.loaded / event.total : 0);
    request.onloadend = () => {
      try {
        done(read<Recording>(request.status, request.responseText));
      } catch (error) {
        fail(error as Error);
      }
    };
    request.send(form);
  });
}

/** Be told of what changes on the server, and when it is back after it was away. */
export function watch(changed: (what: Changed) => void, back: () => void): void {
  const events = new EventSource("/api/events");
  let opened = false;
  const hear = (event: MessageEvent<string>) => {
    try {
      changed(JSON.parse(event.data) as Changed);
    } catch {
      // a comment that keeps the line open
    }
  };
  events.onmessage = hear;
  for (const kind of ["recording", "segment", "job", "project", "changed"]) events.addEventListener(kind, hear as EventListener);
  events.onopen = () => {
    if (opened) back();
    opened = true;
  };
  events.onerror = () => {
    // The browser asks again by itself, but for a server that answered with an error.
    if (events.readyState !== EventSource.CLOSED) return;
    window.setTimeout(() => watch(changed, back), 5000);
  };
}
