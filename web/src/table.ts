// A table from whole numbers to numbers, of open addresses: a Map of a million entries would take several times as much.

export class Table {
  private keys: Float64Array;
  private values: Float64Array;
  private mask: number;
  size = 0;

  constructor(expected: number) {
    const room = 2 ** Math.ceil(Math.log2(2 * Math.max(expected, 8)));
    this.keys = new Float64Array(room).fill(-1);
    this.values = new Float64Array(room);
    this.mask = room - 1;
  }

  get(key: number, missing: number): number {
    const place = this.place(key);
    return this.keys[place] === key ? this.values[place] : missing;
  }

  set(key: number, value: number): void {
    if (2 * this.size > this.mask) this.grow();
    const place = this.place(key);
    if (this.keys[place] !== key) this.size++;
    this.keys[place] = key;
    this.values[place] = value;
  }

  private place(key: number): number {
    const low = key % 4294967296 | 0;
    const high = (key / 4294967296) | 0;
    let place = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
    place = (place ^ (place >>> 15)) & this.mask;
    while (this.keys[place] !== -1 && this.keys[place] !== key) place = (place + 1) & this.mask;
    return place;
  }

  private grow(): void {
    const { keys, values } = this;
    this.keys = new Float64Array(2 * keys.length).fill(-1);
    this.values = new Float64Array(2 * keys.length);
    this.mask = this.keys.length - 1;
    this.size = 0;
    keys.forEach((key, place) => {
      if (key !== -1) this.set(key, values[place]);
    });
  }
}
