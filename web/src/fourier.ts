// The discrete Fourier transform of any length, by its prime factors (Cooley and Tukey 1965).

/** Power of the first `bins` bins of real samples, all of one length. */
export class Fourier {
  private readonly cos: Float64Array;
  private readonly sin: Float64Array;
  private readonly radix: number[];

  constructor(private readonly length: number) {
    this.cos = Float64Array.from({ length }, (_, n) => Math.cos((2 * Math.PI * n) / length));
    this.sin = Float64Array.from({ length }, (_, n) => -Math.sin((2 * Math.PI * n) / length));
    this.radix = factors(length);
  }

  power(samples: Float64Array, bins: number): Float64Array {
    const real = new Float64Array(this.length);
    const imaginary = new Float64Array(this.length);
    this.transform(samples, 0, 1, 0, real, imaginary, 0);
    return Float64Array.from({ length: bins }, (_, bin) => real[bin] ** 2 + imaginary[bin] ** 2);
  }

  /** The transform of every `stride`-th sample from `from` on, to the places from `to` on. */
  private transform(
    x: Float64Array, from: number, stride: number, level: number, real: Float64Array, imaginary: Float64Array, to: number,
  ): void {
    const length = this.length / stride;
    if (length === 1) {
      real[to] = x[from];
      imaginary[to] = 0;
      return;
    }
    const radix = this.radix[level];
    const part = length / radix;
    for (let r = 0; r < radix; r++) {
      this.transform(x, from + r * stride, stride * radix, level + 1, real, imaginary, to + r * part);
    }
    const outReal = new Float64Array(length);
    const outImaginary = new Float64Array(length);
    for (let k = 0; k < length; k++) {
      for (let r = 0; r < radix; r++) {
        const turn = (r * k * stride) % this.length;
        const place = to + r * part + (k % part);
        outReal[k] += real[place] * this.cos[turn] - imaginary[place] * this.sin[turn];
        outImaginary[k] += real[place] * this.sin[turn] + imaginary[place] * this.cos[turn];
      }
    }
    real.set(outReal, to);
    imaginary.set(outImaginary, to);
  }
}

function factors(length: number): number[] {
  const found: number[] = [];
  for (let factor = 2; length > 1; factor++) {
    for (; length % factor === 0; length /= factor) found.push(factor);
  }
  return found;
}
