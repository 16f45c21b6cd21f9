// The worker, as the page sees it: one recording at a time.

import { type Answer, type Ask, Failed, type Said, type Samples, type Settings } from "./messages";

export type Hearing = (stage: "listening" | "writing", done: number, total: number, draft: string) => void;
export type Options = { greedy?: boolean; keep?: boolean };

export class Client {
  readonly ready: Promise<Settings>;
  private worker: Promise<Worker>;
  private waiting: { resolve(said: Said): void; reject(error: Error): void; hearing: Hearing } | null = null;

  constructor(loading: (share: number) => void) {
    this.worker = started();
    this.ready = new Promise((resolve, reject) => {
      this.worker.then((worker) => {
        worker.onmessage = ({ data }: MessageEvent<Answer>) => {
          if (data.kind === "loading") loading(data.share);
          else if (data.kind === "ready") resolve(data.settings);
          else if (data.kind === "hearing") this.waiting?.hearing(data.stage, data.done, data.total, data.draft);
          else if (data.kind === "said") this.settle((waiting) => waiting.resolve(data.said));
          else {
            const error = new Failed(data.what, data.detail);
            reject(error);
            this.settle((waiting) => waiting.reject(error));
          }
        };
        worker.onerror = (event) => {
          const error = new Failed("broken", event.message);
          reject(error);
          this.settle((waiting) => waiting.reject(error));
        };
        this.ask({ kind: "open", base: document.baseURI });
      }, reject);
    });
    this.ready.catch(() => {}); // who hears something is told
  }

  /** What a recording says. Throws Failed. */
  async hear(sound: Blob | Samples, hearing: Hearing, { greedy = false, keep = false }: Options = {}): Promise<Said> {
    await this.ready;
    try {
      return await this.asked({ kind: "hear", sound, greedy, keep }, hearing);
    } catch (error) {
      if (!(error instanceof Failed && error.what === "undecodable" && sound instanceof Blob)) throw error;
      return await this.asked({ kind: "hear", sound: await decodedWhole(sound), greedy, keep }, hearing);
    }
  }

  /** What log-probabilities say, [frames, symbols] as half-precision bits. */
  async decode(logp: Uint16Array, duration: number, greedy = false): Promise<Said> {
    await this.ready;
    return this.asked({ kind: "decode", logp, duration, greedy }, () => {});
  }

  stop(): void {
    this.ask({ kind: "stop" });
  }

  private asked(ask: Ask, hearing: Hearing): Promise<Said> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject, hearing };
      this.ask(ask);
    });
  }

  private ask(ask: Ask): void {
    this.worker.then((worker) => worker.postMessage(ask));
  }

  private settle(how: (waiting: NonNullable<Client["waiting"]>) => void): void {
    const { waiting } = this;
    this.waiting = null;
    if (waiting) how(waiting);
  }
}

/** The worker, as a blob: so it obeys the policy of the page. */
async function started(): Promise<Worker> {
  const answer = await fetch("worker.js");
  if (!answer.ok) throw new Failed("files", `worker.js: ${answer.status}`);
  const script = new Blob([await answer.blob()], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(script), { type: "module" });
}

/** A file that can only be decoded as a whole: with older browsers, and where the page is not of https. Throws Failed. */
async function decodedWhole(file: Blob): Promise<Samples> {
  try {
    const rate = 16000;
    const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await file.arrayBuffer());
    const channels = Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));
    return { channels, rate };
  } catch (error) {
    throw new Failed("undecodable", String(error));
  }
}
