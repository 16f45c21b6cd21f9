// The microphone: blocks of sound at the rate that one wants, and how loud it is.

import { Resampler } from "../src/resample";
import { t, type Phrase } from "./phrases";

export class NoMicrophone extends Error {}

const REASONS: Record<string, Phrase> = {
  NotAllowedError: "microphone.denied",
  NotFoundError: "microphone.none",
  NotReadableError: "microphone.busy",
};

export interface Hearing {
  sound: (block: Int16Array) => void;
  level: (peak: number) => void;
}

export class Microphone {
  private paused = false;
  private readonly resampler: Resampler;

  private constructor(
    private readonly context: AudioContext,
    private readonly stream: MediaStream,
    private readonly hearing: Hearing,
    rate: number,
  ) {
    this.resampler = new Resampler(context.sampleRate, rate);
    const options = { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" } as const;
    const node = new AudioWorkletNode(context, "microphone", options);
    node.port.onmessage = ({ data }: MessageEvent<Float32Array>) => this.hear(data);
    context.createMediaStreamSource(stream).connect(node);
  }

  /** Open it; sound comes as 16-bit samples of `rate` Hz. Throws NoMicrophone, with the remedy. */
  static async open(rate: number, hearing: Hearing): Promise<Microphone> {
    if (!navigator.mediaDevices?.getUserMedia) throw new NoMicrophone(t("microphone.insecure"));
    let stream: MediaStream | null = null;
    try {
      // As it is: what cleans calls spoils speech for a recogniser.
      const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      stream = await navigator.mediaDevices.getUserMedia({ audio });
      const context = new AudioContext();
      await context.audioWorklet.addModule("microphone.js");
      await context.resume();
      return new Microphone(context, stream, hearing, rate);
    } catch (error) {
      stream?.getTracks().forEach((track) => track.stop());
      const name = (error as Error).name;
      const reason = REASONS[name];
      throw new NoMicrophone(reason ? t(reason) : t("microphone.other", { name }));
    }
  }

  pause(paused: boolean): void {
    this.paused = paused;
  }

  async close(): Promise<void> {
    this.stream.getTracks().forEach((track) => track.stop());
    await this.context.close();
    if (!this.paused) this.hearing.sound(whole(this.resampler.end()));
  }

  private hear(data: Float32Array): void {
    let peak = 0;
    for (const sample of data) peak = Math.max(peak, Math.abs(sample));
    this.hearing.level(peak); // in a pause, too: one sees that the microphone hears
    if (!this.paused) this.hearing.sound(whole(this.resampler.push(data)));
  }
}

const whole = (samples: Float32Array): Int16Array =>
  Int16Array.from(samples, (sample) => Math.round(32767 * Math.min(1, Math.max(-1, sample))));

/** Samples as a WAV file of one channel. */
export function wav(parts: Int16Array[], rate: number): Blob {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const header = new DataView(new ArrayBuffer(44));
  const ascii = (at: number, text: string) => [...text].forEach((letter, n) => header.setUint8(at + n, letter.charCodeAt(0)));
  ascii(0, "RIFF");
  header.setUint32(4, 36 + bytes, true);
  ascii(8, "WAVEfmt ");
  header.setUint32(16, 16, true); // of PCM
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, rate, true);
  header.setUint32(28, 2 * rate, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  ascii(36, "data");
  header.setUint32(40, bytes, true);
  return new Blob([header, ...(parts as Int16Array<ArrayBuffer>[])], { type: "audio/wav" });
}
