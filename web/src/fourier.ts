// The discrete Fourier transform of any length, by its prime factors (Cooley and Tukey 1965).

/** Power of the first bins of real samples, all of one length. */
export class Fourier {
  private readonly cos: Float64Array;
  private readonly sin: Float64Array;
  private readonly radix: number[];
  private readonly real: Float64Array;
  private readonly imaginary: Float64Array;

  constructor(private readonly length: number) {
    this.cos = Float64Array.from({ length }, (_, n) => Math.cos((2 * Math.PI * n) / length));
    this.sin = Float64Array.from({ length }, (_, n) => -Math.sin((2 * Math.PI * n) / length));
    this.radix = factors(length);
    this.real = new Float64Array(length);
    this.imaginary = new Float64Array(length);
  }

  power(samples: Float64Array, bins: number): Float64Array {
    this.transform(samples, 0, 1, 0, 0);
    const power = new Float64Array(bins);
    for (let bin = 0; bin < bins; bin++) power[bin] = this.real[bin] ** 2 + this.imaginary[bin] ** 2;
    return power;
  }

  /** The transform of every `stride`-th sample from `from` on, to the places from `to` on. */
  private transform(x: Float64Array, from: number, stride: number, level: number, to: number): void {
    const length = this.length / stride;
    if (length === 1) {
      this.real[to] = x[from];
      this.imaginary[to] = 0;
      return;
    }
    const radix = this.radix[level];
    const part = length / radix;
    for (let r = 0; r < radix; r++) this.transform(x, from + r * stride, stride * radix, level + 1, to + r * part);
    if (radix === 2) this.butterflies(part, stride, to);
    else this.joined(radix, part, stride, to);
  }

  /** Two transforms side by side to one of twice the length. */
  private butterflies(part: number, stride: number, to: number): void {
    const { real, imaginary, cos, sin } = this;
    for (let k = 0; k < part; k++) {
      const [even, odd, turn] = [to + k, to + part + k, k * stride];
      const turnedReal = real[odd] * cos[turn] - imaginary[odd] * sin[turn];
      const turnedImaginary = real[odd] * sin[turn] + imaginary[odd] * cos[turn];
      real[odd] = real[even] - turnedReal;
      imaginary[odd] = imaginary[even] - turnedImaginary;
      real[even] += turnedReal;
      imaginary[even] += turnedImaginary;
    }
  }

  private joined(radix: number, part: number, stride: number, to: number): void {
    const real = this.real.slice(to, to + radix * part);
    const imaginary = this.imaginary.slice(to, to + radix * part);
    for (let k = 0; k < radix * part; k++) {
      let [sumReal, sumImaginary] = [0, 0];
      for (let r = 0; r < radix; r++) {
        const turn = (r * k * stride) % this.length;
        const place = r * part + (k % part);
        sumReal += real[place] * this.cos[turn] - imaginary[place] * this.sin[turn];
        sumImaginary += real[place] * this.sin[turn] + imaginary[place] * this.cos[turn];
      }
      this.real[to + k] = sumReal;
      this.imaginary[to + k] = sumImaginary;
    }
  }
}

/** The prime factors of a length, the least first: what is left to the end is transformed plainly. */
function factors(length: number): number[] {
  const found: number[] = [];
  for (let factor = 2; length > 1; factor++) {
    for (; length % factor === 0; length /= factor) found.push(factor);
  }
  return found;
}
