// To 16 kHz, by a sinc of linear phase under a Kaiser window (Kaiser 1974): what folds over is 100 dB down.

const STOP_DB = 100;
const PASSED = 0.92; // of the lower of the two Nyquist frequencies
const MOST_PHASES = 4096;

/** Samples of one rate in, in pieces; samples of another out, in pieces, the first at the same time as the first. */
export class Resampler {
  private readonly up: number;
  private readonly down: number;
  private readonly half: number; // samples on either side that count
  private readonly phases: Float32Array[];
  private kept: Float32Array; // the last samples that came in
  private first: number; // and the place of the first of them
  private taken = 0;
  private given = 0;

  constructor(rate: number, wanted: number) {
    const shared = Math.min(gcd(rate, wanted), Math.max(rate, wanted));
    // A rate that has next to nothing in common with the other is taken for one near it.
    const most = Math.max(1, Math.ceil(wanted / shared / MOST_PHASES));
    this.up = Math.round(wanted / shared / most);
    this.down = most === 1 ? rate / shared : (rate * this.up) / wanted;
    const scale = Math.min(1, wanted / rate);
    const width = Math.PI * (1 - PASSED) * scale;
    this.half = Math.ceil((STOP_DB - 8) / (2.285 * width) / 2);
    const cutoff = ((1 + PASSED) / 2) * scale;
    this.phases = Array.from({ length: this.up }, (_, phase) => kernel(phase / this.up, this.half, cutoff));
    this.kept = new Float32Array(this.half);
    this.first = -this.half;
  }

  /** What can be said after this piece. */
  push(piece: Float32Array): Float32Array {
    this.taken += piece.length;
    return this.pull(piece, this.taken - this.half);
  }

  /** What is left in the end. */
  end(): Float32Array {
    return this.pull(new Float32Array(this.half + 1), this.taken);
  }

  /** The outputs whose places are before `limit`, in samples that came in. */
  private pull(piece: Float32Array, limit: number): Float32Array {
    const known = new Float32Array(this.kept.length + piece.length);
    known.set(this.kept);
    known.set(piece, this.kept.length);
    const count = Math.max(0, Math.ceil((limit * this.up) / this.down) - this.given);
    const out = new Float32Array(count);
    for (let n = 0; n < count; n++) {
      const place = ((this.given + n) * this.down) / this.up;
      const whole = Math.floor(place + 1e-9);
      const taps = this.phases[Math.round((place - whole) * this.up) % this.up];
      const from = whole - this.half + 1 - this.first;
      let sum = 0;
      for (let tap = 0; tap < taps.length; tap++) sum += taps[tap] * known[from + tap];
      out[n] = sum;
    }
    this.given += count;
    const next = Math.floor((this.given * this.down) / this.up) - this.half;
    const dropped = Math.min(Math.max(next - this.first, 0), known.length);
    this.kept = known.slice(dropped);
    this.first += dropped;
    return out;
  }
}

/** What the samples from `half - 1` before to `half` after count at a place so far (0 to 1) behind one. */
function kernel(phase: number, half: number, cutoff: number): Float32Array {
  const beta = 0.1102 * (STOP_DB - 8.7);
  const taps = Float64Array.from({ length: 2 * half }, (_, tap) => {
    const x = tap - (half - 1) - phase;
    const inside = Math.max(0, 1 - (x / half) ** 2);
    const sinc = x === 0 ? cutoff : Math.sin(Math.PI * cutoff * x) / (Math.PI * x);
    return (sinc * bessel(beta * Math.sqrt(inside))) / bessel(beta);
  });
  const sum = taps.reduce((a, b) => a + b);
  return Float32Array.from(taps, (tap) => tap / sum);
}

/** The modified Bessel function of the first kind, of order 0. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let n = 1; term > 1e-12 * sum; n++) {
    term *= (x / 2 / n) ** 2;
    sum += term;
  }
  return sum;
}

function gcd(a: number, b: number): number {
  return b ? gcd(b, a % b) : a;
}
