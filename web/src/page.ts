// The page: what one can do, and what is told of it.

import { Client, type Options } from "./client";
import { Failed, type Failure, type Said, type Samples, type Settings } from "./messages";
import { NoMicrophone, Recording } from "./recorder";
import { clock, draft, element, show } from "./result";
import { srt } from "./subtitles";

type State = "loading" | "idle" | "asking" | "recording" | "hearing";

const PROBLEMS: Record<Failure, string> = {
  undecodable: "This browser cannot decode that file: choose a sound file, such as WAV, MP3, M4A or Ogg.",
  empty: "The recording is empty: record again, or choose another file.",
  files: "A file of this folder is missing or damaged: copy the folder again.",
  stopped: "",
  broken: "Something went wrong: load the page again.",
};
const FROM_A_FILE = "Open this page through a server: python3 -m http.server --bind 127.0.0.1 --directory FOLDER";

let recording: Recording | null = null;
let settings: Settings | null = null;
let loaded = 0;

const record = element("record") as HTMLButtonElement;
const file = element("file") as HTMLInputElement;
const progress = element("progress") as HTMLProgressElement;
const meter = element("meter") as HTMLMeterElement;

function enter(state: State): void {
  document.body.dataset.state = state;
  element("record-label").textContent = state === "recording" ? "Stop" : "Record";
  record.disabled = state === "hearing" || state === "asking";
  file.disabled = state === "hearing" || state === "recording" || state === "asking";
  element("level").hidden = state !== "recording";
  element("doing").hidden = state !== "hearing" && state !== "loading";
  element("stop").hidden = state !== "hearing";
}

function status(text: string): void {
  if (element("status").textContent !== text) element("status").textContent = text;
}

function problem(text: string, detail = ""): void {
  element("problem").textContent = text;
  element("problem").title = detail;
}

function failed(error: unknown): void {
  status("");
  if (error instanceof NoMicrophone) problem(error.message);
  else if (error instanceof Failed) problem(PROBLEMS[error.what], error.message);
  else problem(PROBLEMS.broken, String(error));
}

function loading(share: number): void {
  loaded = share;
  if (document.body.dataset.state === "recording") return;
  progress.value = share;
  status(`Loading the recogniser: ${Math.round(100 * share)} %`);
}

const client = location.protocol === "file:" ? null : new Client(loading);

/** Have a recording heard, and show what it says. */
async function hear(sound: Blob | Samples, name: string, options: Options = {}): Promise<Said | null> {
  const begun = performance.now();
  enter("hearing");
  problem("");
  element("result").hidden = true;
  if (!settings) loading(loaded);
  try {
    const said = await client!.hear(sound, hearing, options);
    show(said.words, settings!.language, name);
    const took = (performance.now() - begun) / 1000;
    status(`${said.duration.toFixed(1)} s of sound, heard in ${took.toFixed(1)} s`);
    return said;
  } catch (error) {
    element("result").hidden = true;
    failed(error);
    return null;
  } finally {
    enter("idle");
  }
}

function hearing(stage: "listening" | "writing", done: number, total: number, said: string): void {
  progress.value = total ? done / total : 0;
  status(`${stage === "listening" ? "Listening" : "Weighing words"}: ${clock(done)} of ${clock(total)}`);
  draft(said, settings!.language);
}

async function press(): Promise<void> {
  if (recording) {
    const ended = recording;
    recording = null;
    enter("asking");
    await hear(await ended.end(), "recording");
    return;
  }
  enter("asking");
  problem("");
  try {
    recording = await Recording.begin((peak, seconds) => {
      meter.value = peak;
      element("clock").textContent = clock(seconds);
    });
    enter("recording");
    status("Recording. Press Stop when you have said it.");
  } catch (error) {
    enter("idle");
    failed(error);
  }
}

function listen(): void {
  record.onclick = () => void press();
  element("stop").onclick = () => client!.stop();
  file.onchange = () => {
    const chosen = file.files?.[0];
    file.value = ""; // so that the same one can be chosen again
    if (chosen) void hear(chosen, chosen.name.replace(/\.[^.]*$/, ""));
  };
  const drop = element("drop");
  for (const kind of ["dragover", "dragleave", "drop"] as const) {
    document.addEventListener(kind, (event) => {
      event.preventDefault(); // else the browser leaves the page for the file
      drop.classList.toggle("over", kind === "dragover");
      const dropped = kind === "drop" ? event.dataTransfer?.files[0] : undefined;
      if (dropped && !file.disabled) void hear(dropped, dropped.name.replace(/\.[^.]*$/, ""));
    });
  }
}

function introduce(known: Settings): void {
  settings = known;
  document.title = `${known.name}: speech to text`;
  element("name").textContent = known.name;
  const language = languageName(known.language);
  const parts = [language && `Language: ${language}`, known.ngram ? "with a language model" : "without a language model", known.arithmetic];
  element("about").textContent = `${parts.filter(Boolean).join(" · ")} · made by earful · `;
  if (document.body.dataset.state !== "loading" && document.body.dataset.state !== "idle") return;
  status("Ready.");
  enter("idle");
}

function languageName(tag: string): string {
  try {
    return (tag && new Intl.DisplayNames(["en"], { type: "language" }).of(tag)) || tag;
  } catch {
    return tag; // one that browsers do not know
  }
}

if (client) {
  enter("loading");
  listen();
  loading(0);
  client.ready.then(introduce, (error) => {
    enter("idle");
    failed(error);
  });
  // For those who build on the page, and for its proof: hear(blob or samples, name), decode(logp, seconds), srt(words).
  Object.assign(globalThis, { earful: { hear, srt, decode: client.decode.bind(client), ready: client.ready } });
} else {
  record.disabled = file.disabled = true;
  problem(FROM_A_FILE);
}
