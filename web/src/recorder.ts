// The microphone, while it is recorded from.

import type { Samples } from "./messages";
import { Resampler } from "./resample";
import { RATE } from "./windows";

export class NoMicrophone extends Error {}

const REASONS: Record<string, string> = {
  NotAllowedError: "The microphone may not be used: allow it in the browser's settings for this page.",
  NotFoundError: "No microphone was found: connect one, or choose a recording.",
  NotReadableError: "The microphone cannot be opened: another program may be using it.",
};

export class Recording {
  private readonly blocks: Float32Array[] = []; // of 16 kHz: a third of what microphones give
  private readonly resampler: Resampler;
  private readonly node: AudioWorkletNode;

  private constructor(
    private readonly context: AudioContext,
    private readonly stream: MediaStream,
    level: (peak: number, seconds: number) => void,
  ) {
    const options = { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" } as const;
    this.node = new AudioWorkletNode(context, "microphone", options);
    this.resampler = new Resampler(context.sampleRate, RATE);
    let heard = 0;
    this.node.port.onmessage = ({ data }: MessageEvent<Float32Array>) => {
      this.blocks.push(this.resampler.push(data));
      let peak = 0;
      for (const sample of data) peak = Math.max(peak, Math.abs(sample));
      level(peak, (heard += data.length) / context.sampleRate);
    };
    context.createMediaStreamSource(stream).connect(this.node);
  }

  /** Begin to record; `level` is told of each block's peak, and how long it has been. Throws NoMicrophone. */
  static async begin(level: (peak: number, seconds: number) => void): Promise<Recording> {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new NoMicrophone("Browsers give the microphone to pages of https:// and of this device (localhost) alone.");
    }
    try {
      // As it is: what cleans calls spoils speech for a recogniser.
      const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      const stream = await navigator.mediaDevices.getUserMedia({ audio });
      const context = new AudioContext();
      await context.audioWorklet.addModule("microphone.js");
      await context.resume();
      return new Recording(context, stream, level);
    } catch (error) {
      const name = (error as Error).name;
      throw new NoMicrophone(REASONS[name] ?? `The microphone cannot be used (${name}): choose a recording.`);
    }
  }

  /** All that was heard. */
  async end(): Promise<Samples> {
    this.stream.getTracks().forEach((track) => track.stop());
    await this.context.close();
    if (this.blocks.length) this.blocks.push(this.resampler.end());
    const whole = new Float32Array(this.blocks.reduce((sum, block) => sum + block.length, 0));
    let place = 0;
    for (const block of this.blocks) {
      whole.set(block, place);
      place += block.length;
    }
    return { channels: [whole], rate: RATE };
  }
}
