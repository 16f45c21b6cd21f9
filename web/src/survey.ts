// Which channels of a recording are heard, and how loud (`earful.audio.channels`): it is listened to once before.

const BLOCK_S = 0.1;
const DEAD = 1e-6;
const STEADY_DB = 6;
const SPEECH_DB = 15;
const CANCELLED = 0.1;
const CANCELLED_SHARE = 0.1;
const INTEGERS_FROM = 64; // floats beyond this are integers, of as many bits as hold them
const BITS = [15, 23, 31];
const SOFT = 0.1;
const SILENT = 1e-3;
const LOUD = 0.5;

/** Sound as it is decoded: samples of each channel. */
export type Piece = Float32Array[];

/** By how much each channel is heard. */
export class Survey {
  private readonly powers: number[][] = []; // block by block, of each channel
  private readonly means: number[] = []; // of the mean of the channels
  private peak = 0;
  private block: Piece | null = null;
  private filled = 0;

  constructor(private readonly rate: number) {}

  add(piece: Piece): void {
    const size = Math.max(1, Math.round(BLOCK_S * this.rate));
    for (let from = 0; from < piece[0].length; ) {
      this.block ??= piece.map(() => new Float32Array(size));
      const part = Math.min(size - this.filled, piece[0].length - from);
      piece.forEach((channel, c) => this.block![c].set(channel.subarray(from, from + part), this.filled));
      this.filled += part;
      from += part;
      if (this.filled === size) this.measure(size);
    }
  }

  private measure(size: number): void {
    const block = this.block!.map((channel) => channel.subarray(0, size));
    for (const channel of block) for (const sample of channel) this.peak = Math.max(this.peak, Math.abs(sample));
    this.powers.push(block.map(variance));
    const count = block.length;
    this.means.push(variance(block[0].map((_, n) => block.reduce((sum, channel) => sum + channel[n], 0) / count)));
    this.filled = 0;
  }

  /** The weights of the channels; `count` of them where nothing was heard. */
  weights(count: number): number[] {
    if (this.filled && this.block) this.measure(this.filled);
    const gain = this.gain();
    const all = Array<number>(count).fill(gain / count);
    const totals = Array.from({ length: count }, (_, c) => this.powers.reduce((sum, block) => sum + block[c], 0));
    const loudest = Math.max(0, ...totals);
    if (count === 1 || !loudest) return all;
    const live = totals.map((total) => total > DEAD * loudest);
    const ranges = totals.map((_, c) => rangeDb(this.powers.map((block) => block[c])));
    let noisy = ranges.map((range, c) => live[c] && range < STEADY_DB);
    if (!ranges.some((range, c) => range > SPEECH_DB && live[c] && !noisy[c])) noisy = noisy.map(() => false);
    let kept = totals.map((_, c) => live[c] && !noisy[c]);
    if (kept.every(Boolean) && this.cancels()) kept = totals.map((_, c) => c === totals.indexOf(loudest));
    const heard = kept.filter(Boolean).length;
    return kept.map((each) => (each ? gain / heard : 0));
  }

  private gain(): number {
    const { peak } = this;
    if (peak <= INTEGERS_FROM) return SILENT < peak && peak < SOFT ? LOUD / peak : 1;
    return 2 ** -(BITS.find((bits) => peak <= 1.5 * 2 ** bits) ?? BITS[BITS.length - 1]);
  }

  /** Whether a good part of the sound is lost in the mean of the channels. */
  private cancels(): boolean {
    let [all, lost] = [0, 0];
    this.powers.forEach((block, n) => {
      const power = block.reduce((a, b) => a + b) / block.length;
      all += power;
      if (this.means[n] < CANCELLED * power) lost += power;
    });
    return lost > CANCELLED_SHARE * all;
  }
}

/** The channels by their weights, as one. */
export function mixed(piece: Piece, weights: number[]): Float32Array {
  const out = new Float32Array(piece[0].length);
  piece.forEach((channel, c) => {
    const weight = weights[c] ?? 0;
    if (weight) for (let n = 0; n < out.length; n++) out[n] += weight * channel[n];
  });
  return out;
}

function variance(samples: Float32Array): number {
  let [sum, squares] = [0, 0];
  for (const sample of samples) sum += sample;
  const mean = sum / samples.length;
  for (const sample of samples) squares += (sample - mean) ** 2;
  return squares / samples.length;
}

/** How far the louder blocks are above the softer ones. */
function rangeDb(powers: number[]): number {
  const sorted = Float64Array.from(powers).sort();
  const quantile = (share: number) => {
    const place = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
    return low + (high - low) * (place - Math.floor(place));
  };
  return 10 * Math.log10((quantile(0.95) + 1e-20) / (quantile(0.1) + 1e-20));
}
