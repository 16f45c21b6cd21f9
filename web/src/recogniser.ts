// The recogniser: a recording of any length in, words with their times out (`earful.transcriber`, `earful.runner`).

import * as ort from "onnxruntime-web/wasm";
import type { Emission } from "./align";
import { fetched } from "./files";
import { toHalf } from "./float16";
import { bestPath, hear } from "./hear";
import { Letters } from "./letters";
import { Failed, type Said, type Settings } from "./messages";
import { NEVER, spaced } from "./pauses";
import { readArrays } from "./safetensors";
import type { Knowledge } from "./search";
import { GRID_S, spoken } from "./silence";
import { monoOf, type Sound } from "./sound";
import { likeliest, Recorder, stretchesOf, type Tape } from "./tape";
import { Vocabulary } from "./vocabulary";
import { RATE, type Window, windows } from "./windows";
import { type Word, wordsOf } from "./words";

const SHORTEST = 80; // samples, of less nothing is heard

export type Progress = (stage: "listening" | "writing", done: number, total: number, draft: string) => void;

/** Log-probabilities [frames, size]. */
type Logp = { values: Float32Array; frames: number };

export class Recogniser {
  stopped = false;

  private constructor(
    readonly settings: Settings,
    private readonly session: ort.InferenceSession,
    private readonly knowledge: Knowledge,
  ) {}

  /** Load the folder at `base`. Throws Failed. */
  static async load(base: string, tell: (share: number) => void): Promise<Recogniser> {
    const settings: Settings = JSON.parse(new TextDecoder().decode(await fetched(base, "recogniser.json")));
    const total = Object.values(settings.bytes).reduce((a, b) => a + b, 0);
    let done = 0;
    const file = (name: string) => fetched(base, name, (bytes) => tell(Math.min(1, (done += bytes) / total)));
    ort.env.wasm.numThreads = 1; // more of them want headers that plain servers do not send
    ort.env.wasm.wasmBinary = (await file("runtime.wasm.gz")) as any;
    const knowledge = await knowledgeOf(settings, file);
    const model = await file("model.onnx.gz");
    try {
      const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
      return new Recogniser(settings, session, knowledge);
    } catch (error) {
      throw new Failed("files", `model.onnx.gz: ${error}`);
    }
  }

  /** What a recording says. Throws Failed. */
  async hear(sound: Sound, greedy: boolean, keep: boolean, tell: Progress): Promise<Said> {
    const begun = performance.now();
    this.stopped = false;
    const tape = new Recorder();
    const searched = this.settings.searched && !greedy;
    let [duration, draft] = [0, ""];
    for await (const window of windows(monoOf(sound))) {
      const own = this.ownOf(window, await this.listen(window.content), searched || keep);
      tape.add(own);
      duration = window.end / RATE;
      draft += ` ${this.words(bestPath(own.best, 0, own.best.length), duration).map((word) => word.text).join(" ")}`;
      tell("listening", duration, Math.max(sound.duration, duration), draft.trim());
      await this.breath();
    }
    if (!duration) throw new Failed("empty");
    const whole = tape.whole();
    const said = await this.decode(whole, duration, greedy, (done) => tell("writing", done, duration, draft.trim()));
    return { ...said, tookMs: performance.now() - begun, ...(keep ? { tape: whole } : {}) };
  }

  /** The words of log-probabilities: each stretch between two silences by itself. */
  async decode(tape: Tape, duration: number, greedy: boolean, tell: (done: number) => void): Promise<Said> {
    const begun = performance.now();
    const lattice = { logp: tape.logp, size: this.knowledge.size };
    const searched = this.settings.searched && !greedy;
    const found: Said = { words: [], scores: [], duration, tookMs: 0 };
    for (const [begin, end] of stretchesOf(tape.heard)) {
      let letters: Emission[];
      if (searched) {
        const advance = (frame: number) => frame % 100 || tell((begin + frame) * this.settings.hop_s);
        const said = hear(this.knowledge, lattice, begin, end, advance);
        letters = said.letters;
        found.scores.push(said.score);
      } else letters = bestPath(tape.best, begin, end);
      found.words.push(...this.words(letters, duration));
      await this.breath();
    }
    return { ...found, tookMs: performance.now() - begun };
  }

  private words(letters: Emission[], duration: number): Word[] {
    return wordsOf(letters, this.settings.symbols, this.settings.hop_s, duration);
  }

  /** Lets messages in; throws Failed where one says to stop. */
  private async breath(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    if (this.stopped) throw new Failed("stopped");
  }

  /** Log-probabilities of a window, silences left out of it; and in which frames somebody may speak. */
  private async listen(content: Float32Array): Promise<{ logp: Logp; heard: Uint8Array }> {
    const found = await this.unspaced(content);
    const space = this.settings.symbols.indexOf(" ") + 1;
    if (space) spaced(found.logp.values, this.knowledge.size, found.heard, space, this.settings.hop_s);
    return found;
  }

  private async unspaced(content: Float32Array): Promise<{ logp: Logp; heard: Uint8Array }> {
    const grid = spoken(content);
    if (grid.every(Boolean)) {
      const logp = await this.logpOf(content);
      return { logp, heard: new Uint8Array(logp.frames).fill(1) };
    }
    const { size } = this.knowledge;
    const hop = this.settings.hop_s;
    const frames = Math.ceil(content.length / RATE / hop);
    const heard = repeated(grid, Math.round(GRID_S / hop)).subarray(0, frames);
    const logp = { values: new Float32Array(frames * size).fill(NEVER), frames };
    for (let frame = 0; frame < frames; frame++) logp.values[frame * size] = 0;
    if (!grid.some(Boolean)) return { logp, heard };
    const kept = repeated(grid, Math.round(GRID_S * RATE));
    const said = await this.logpOf(content.filter((_, n) => kept[n]));
    for (let frame = 0, row = 0; frame < frames && row < said.frames; frame++) {
      if (!heard[frame]) continue;
      logp.values.set(said.values.subarray(row * size, (row + 1) * size), frame * size);
      row++;
    }
    return { logp, heard };
  }

  private async logpOf(samples: Float32Array): Promise<Logp> {
    if (samples.length < SHORTEST) return { values: new Float32Array(0), frames: 0 };
    const fed = { samples: new ort.Tensor("float32", samples, [1, samples.length]) };
    const { log_probs } = await this.session.run(fed);
    const found = { values: (log_probs.data as Float32Array).slice(), frames: log_probs.dims[1] };
    log_probs.dispose();
    return found;
  }

  /** Of what was heard the window's own frames. */
  private ownOf(window: Window, { logp, heard }: { logp: Logp; heard: Uint8Array }, keep: boolean): Tape {
    const { size } = this.knowledge;
    const place = (samples: number) => Math.round(samples / RATE / this.settings.hop_s);
    const from = Math.min(place(window.begin) - place(window.first), logp.frames);
    const to = window.isLast ? logp.frames : Math.min(place(window.end) - place(window.first), logp.frames);
    const best = Uint16Array.from({ length: to - from }, (_, n) => likeliest(logp.values, (from + n) * size, size));
    const kept = keep ? Uint16Array.from(logp.values.subarray(from * size, to * size), toHalf) : new Uint16Array(0);
    return { best, heard: heard.subarray(from, to), logp: kept };
  }
}

/** What the search knows of the language. */
async function knowledgeOf(settings: Settings, file: (name: string) => Promise<Uint8Array>): Promise<Knowledge> {
  const size = settings.symbols.length + 1;
  const letters = settings.ngram ? new Letters(readArrays(await file("ngram.safetensors.gz")), size) : null;
  const words = settings.words ? readArrays(await file("words.safetensors.gz")) : null;
  const vocabulary = words && settings.symbols.includes(" ") ? new Vocabulary(words, settings.symbols) : null;
  return { size, letters, vocabulary, weight: settings.weight, bonus: settings.bonus, width: settings.width };
}

function repeated(grid: boolean[], times: number): Uint8Array {
  return Uint8Array.from({ length: grid.length * times }, (_, n) => Number(grid[Math.floor(n / times)]));
}
