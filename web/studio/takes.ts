// Recordings on their way to the server: kept on this device, second by second, until they are there.

const RATE_HZ = 16000;
const PIECE = 2 * RATE_HZ; // what is lost at most if the browser dies: two seconds

export interface Take {
  id: string;
  project: string;
  name: string;
}

type Piece = Take & { n: number; samples: Int16Array };

let opened: Promise<IDBDatabase> | null = null;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((done, fail) => {
    const asked = indexedDB.open("earful", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("pieces", { keyPath: ["id", "n"] });
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
  });
  return opened;
}

async function within<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const store = (await database()).transaction("pieces", mode).objectStore("pieces");
  return new Promise((done, fail) => {
    const asked = work(store);
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => fail(asked.error);
  });
}

/** One take, while it is recorded. */
export class Taking {
  readonly parts: Int16Array[] = [];
  length = 0;
  private kept = 0; // parts that are on this device's disk
  private since = 0;
  private n = 0;

  constructor(readonly take: Take) {}

  get seconds(): number {
    return this.length / RATE_HZ;
  }

  push(block: Int16Array): void {
    this.parts.push(block);
    this.length += block.length;
    this.since += block.length;
    if (this.since >= PIECE) this.keep();
  }

  /** Put what is new on this device's disk. Where there is none (a private window), the page holds it alone. */
  keep(): void {
    if (!this.since) return;
    const piece: Piece = { ...this.take, n: this.n++, samples: join(this.parts.slice(this.kept)) };
    [this.kept, this.since] = [this.parts.length, 0];
    within("readwrite", (store) => store.put(piece)).catch(() => undefined);
  }
}

/** What was recorded and never sent: after the browser died, or while the server was away. */
export async function left(project: string): Promise<[Take, Int16Array[]][]> {
  const pieces = await within<Piece[]>("readonly", (store) => store.getAll()).catch(() => [] as Piece[]);
  const found = new Map<string, [Take, Int16Array[]]>();
  for (const { samples, n: _, ...take } of pieces) {
    if (take.project !== project) continue;
    const entry = found.get(take.id) ?? ([take, []] as [Take, Int16Array[]]);
    entry[1].push(samples);
    found.set(take.id, entry);
  }
  return [...found.values()];
}

/** Have a take for this tab alone, while it is recorded or offered, until what is answered is called; null where
 * another tab has it. The browser lets go of it, too, when the tab dies. */
export function hold(id: string): Promise<(() => void) | null> {
  if (!navigator.locks) return Promise.resolve(() => undefined);
  return new Promise((done, fail) => {
    const held = (lock: Lock | null): Promise<void> | undefined => {
      if (lock) return new Promise((release) => done(release));
      done(null);
      return undefined;
    };
    navigator.locks.request(`earful.take.${id}`, { ifAvailable: true }, held).catch(fail);
  });
}

export async function drop(id: string): Promise<void> {
  await within("readwrite", (store) => store.delete(IDBKeyRange.bound([id, 0], [id, Infinity]))).catch(() => undefined);
}

export { RATE_HZ };

function join(parts: Int16Array[]): Int16Array {
  const whole = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}
