// Sound to /v1/realtime, text back: what is settled, and a tail that may still change.

import { t } from "./phrases";

export interface Told {
  text: (settled: string, tail: string) => void;
  failed: (message: string) => void;
}

interface Event {
  type: string;
  delta?: string;
  transcript?: string;
  tail?: string;
  item_id?: string;
  error?: { message?: string; code?: string };
}

const RATE_HZ = 24000; // what OpenAI's realtime sessions hear
const LAST_MS = 20000; // so long the last words may take
const PIECE = RATE_HZ / 10; // a tenth of a second a message
const TAIL = "earful.tail"; // asked for by name: OpenAI's servers have none
const EMPTY = "input_audio_buffer_commit_empty";
const ITEM = "conversation.item.input_audio_transcription.";

export class Stream {
  readonly rate = RATE_HZ;
  private readonly items = new Map<string, string>(); // settled text of each, in their order
  private tail = "";
  private ended = false;
  private waiting: Int16Array[] = [];
  private held = 0; // samples in them
  private completed: () => void = () => {};

  private constructor(
    private readonly socket: WebSocket,
    private readonly told: Told,
  ) {
    socket.onmessage = ({ data }: MessageEvent<string>) => this.hear(JSON.parse(data) as Event);
    socket.onclose = () => {
      this.completed();
      if (!this.ended) told.failed(t("live.lost"));
    };
  }

  /** Begin a session with a model. Rejects where the server has none. */
  static open(model: string, told: Told): Promise<Stream> {
    const address = new URL(`v1/realtime?intent=transcription&model=${encodeURIComponent(model)}`, location.origin);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    return new Promise((done, fail) => {
      socket.onerror = () => fail(new Error(t("live.unsupported")));
      socket.onopen = () => {
        socket.onerror = null;
        const format = { type: "audio/pcm", rate: RATE_HZ };
        // No turns: it ends where one presses Stop, and what is said then is what `earful transcribe` says.
        const input = { format, transcription: { model }, turn_detection: null };
        const session = { type: "transcription", audio: { input }, include: [TAIL] };
        socket.send(JSON.stringify({ type: "session.update", session }));
        done(new Stream(socket, told));
      };
    });
  }

  /** Send 16-bit samples, when there are enough of them for a message. */
  send(block: Int16Array): void {
    this.waiting.push(block);
    this.held += block.length;
    if (this.held >= PIECE) this.flush();
  }

  private flush(): void {
    let binary = "";
    for (const block of this.waiting) {
      const bytes = new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
      for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
    }
    [this.waiting, this.held] = [[], 0];
    if (!binary || this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify({ type: "input_audio_buffer.append", audio: btoa(binary) }));
  }

  /** No more is said: wait for the last words. */
  async finish(): Promise<void> {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.flush();
    const last = new Promise<void>((done) => (this.completed = done));
    this.socket.send(JSON.stringify({ type: "input_audio_buffer.commit" }));
    await Promise.race([last, new Promise((done) => window.setTimeout(done, LAST_MS))]);
  }

  close(): void {
    this.ended = true;
    this.socket.close();
  }

  private hear(event: Event): void {
    const item = event.item_id ?? "";
    if (event.type === "error" && event.error?.code === EMPTY) return this.completed();
    if (event.type === "error") return this.told.failed(event.error?.message ?? t("live.lost"));
    if (event.type === `${ITEM}failed`) return this.told.failed(event.error?.message ?? t("live.lost"));
    if (event.type === TAIL) {
      this.tail = event.tail ?? "";
    } else if (event.type === `${ITEM}delta`) {
      this.items.set(item, (this.items.get(item) ?? "") + (event.delta ?? ""));
    } else if (event.type === `${ITEM}completed`) {
      this.items.set(item, event.transcript ?? "");
      this.tail = "";
      this.completed();
    } else {
      return;
    }
    this.told.text([...this.items.values()].map((text) => text.trim()).filter(Boolean).join(" "), this.tail.trim());
  }
}
