// Files to samples, piece by piece, so that a recording of hours needs no more memory than one of minutes.

import { ADTS, AudioSampleSink, BlobSource, FLAC, Input, MATROSKA, MP3, MP4, OGG, QTFF, WAVE, WEBM } from "mediabunny";
import { Failed, type Samples } from "./messages";
import { leadOf } from "./mp3";
import { Resampler } from "./resample";
import { mixed, type Piece, Survey } from "./survey";
import { RATE } from "./windows";

const FORMATS = [WAVE, MP3, OGG, FLAC, MP4, QTFF, MATROSKA, WEBM, ADTS];
const BLOCK = 1 << 16;

/** Sound that can be listened to more than once. */
export type Sound = { rate: number; channels: number; duration: number; pieces(): AsyncIterable<Piece> };

/** A file, as the browser decodes it. Throws Failed where it cannot. */
export async function soundOfFile(file: Blob): Promise<Sound> {
  if (!file.size) throw new Failed("empty");
  try {
    const input = new Input({ formats: FORMATS, source: new BlobSource(file) });
    const track = await input.getPrimaryAudioTrack();
    if (!track || !(await track.canDecode())) throw new Error("no sound in it that can be decoded here");
    const lead = await leadOf(file);
    const duration = (await track.getDurationFromMetadata()) ?? (await track.computeDuration());
    return {
      rate: await track.getSampleRate(),
      channels: await track.getNumberOfChannels(),
      duration,
      pieces: () => decoded(new AudioSampleSink(track), lead),
    };
  } catch (error) {
    throw new Failed("undecodable", String(error));
  }
}

/** What comes before the recording begins, `lead` samples or all before the time 0, is left out. */
async function* decoded(sink: AudioSampleSink, lead: number): AsyncGenerator<Piece> {
  try {
    for await (const sample of sink.samples()) {
      const piece = Array.from({ length: sample.numberOfChannels }, () => new Float32Array(sample.numberOfFrames));
      piece.forEach((channel, planeIndex) => sample.copyTo(channel, { planeIndex, format: "f32-planar" }));
      const before = Math.max(lead, Math.round(-sample.timestamp * sample.sampleRate), 0);
      sample.close();
      lead = Math.max(0, lead - piece[0].length);
      if (before < piece[0].length) yield piece.map((channel) => channel.subarray(before));
    }
  } catch (error) {
    throw new Failed("undecodable", String(error));
  }
}

/** Samples that are there already. */
export function soundOfSamples({ channels, rate }: Samples): Sound {
  const length = channels[0]?.length ?? 0;
  if (!length) throw new Failed("empty");
  async function* pieces(): AsyncGenerator<Piece> {
    for (let from = 0; from < length; from += BLOCK) yield channels.map((each) => each.subarray(from, from + BLOCK));
  }
  return { rate, channels: channels.length, duration: length / rate, pieces };
}

/** Mono sound of 16 kHz: the channels that hold speech, at the level of speech. */
export async function* monoOf(sound: Sound): AsyncGenerator<Float32Array> {
  const survey = new Survey(sound.rate);
  for await (const piece of sound.pieces()) survey.add(piece);
  const weights = survey.weights(sound.channels);
  const resampler = sound.rate === RATE ? null : new Resampler(sound.rate, RATE);
  for await (const piece of sound.pieces()) {
    const mono = mixed(piece, weights);
    yield resampler ? resampler.push(mono) : mono;
  }
  if (resampler) yield resampler.end();
}
