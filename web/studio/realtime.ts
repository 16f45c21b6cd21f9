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
  error?: { message?: string };
}

const RATE_HZ = 24000; // what OpenAI's realtime sessions hear
const LAST_MS = 20000; // so long the last words may take
const ITEM = "conversation.item.input_audio_transcription.";

export class Stream {
  readonly rate = RATE_HZ;
  private readonly items = new Map<string, string>(); // settled text of each, in their order
  private tail = "";
  private ended = false;
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
        const input = { format, transcription: { model }, turn_detection: null };
        socket.send(JSON.stringify({ type: "session.update", session: { type: "transcription", audio: { input } } }));
        done(new Stream(socket, told));
      };
    });
  }

  /** Send 16-bit samples. */
  send(block: Int16Array): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const bytes = new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
    let binary = "";
    for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
    this.socket.send(JSON.stringify({ type: "input_audio_buffer.append", audio: btoa(binary) }));
  }

  /** No more is said: wait for the last words. */
  async finish(): Promise<void> {
    if (this.socket.readyState !== WebSocket.OPEN) return;
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
    if (event.type === "error") return this.told.failed(event.error?.message ?? t("live.lost"));
    if (event.type === `${ITEM}delta`) {
      this.items.set(item, (this.items.get(item) ?? "") + (event.delta ?? ""));
      if (event.tail !== undefined) this.tail = event.tail;
    } else if (event.type === `${ITEM}completed`) {
      this.items.set(item, event.transcript ?? "");
      this.tail = "";
      this.completed();
    } else if (event.type === `${ITEM}failed`) {
      return this.told.failed(event.error?.message ?? t("live.lost"));
    } else if (event.tail !== undefined) {
      this.tail = event.tail;
    } else {
      return;
    }
    this.told.text([...this.items.values()].map((text) => text.trim()).filter(Boolean).join(" "), this.tail.trim());
  }
}
