// Edits on their way to the server: kept on this device until they are there, however long it is away.

import type { Edit, Segment } from "./kinds";
import { Refused, change } from "./server";

/** An edit that waits: of which version, and what. */
export interface Waiting {
  version: number;
  edit: Edit;
}

/** Somebody else was faster, or the server will not have it: both texts, until a person chooses. */
export interface Conflict {
  segment: string;
  mine: Edit;
  theirs: Segment | null;
  reason: string;
}

/** The places in which edits are kept: those of a browser, or of a test. */
export type Shelf = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

const PREFIX = "earful.edit."; // one entry a segment, so that two tabs do not overwrite each other's
const DEBOUNCE_MS = 400;
const RETRY_MS = [1000, 2000, 4000, 8000];

export class Outbox {
  readonly conflicts = new Map<string, Conflict>();
  saved: (segment: Segment) => void = () => {};
  told: () => void = () => {};
  away = false;
  private readonly timers = new Map<string, number>();
  private readonly sending = new Map<string, Promise<void>>();
  private failures = 0;

  constructor(private readonly shelf: Shelf) {}

  /** What waits for a segment, if anything does. */
  waiting(segment: string): Waiting | null {
    const text = this.shelf.getItem(PREFIX + segment);
    return text === null ? null : (JSON.parse(text) as Waiting);
  }

  /** How many segments have edits that the server does not have. */
  get count(): number {
    return this.all().length;
  }

  /** Keep an edit now, and send it soon; a later one of the same segment joins it. */
  put(segment: Segment, edit: Edit): void {
    const before = this.waiting(segment.id);
    this.keep(segment.id, { version: before?.version ?? segment.version, edit: { ...before?.edit, ...edit } });
    if (!this.conflicts.has(segment.id)) this.soon(segment.id, DEBOUNCE_MS);
    this.told();
  }

  /** Send what waits for a segment, and wait until it is there. Throws Away, or Refused by a server that is ill (5xx). */
  async flush(segment: string): Promise<void> {
    window.clearTimeout(this.timers.get(segment));
    this.timers.delete(segment);
    while (this.waiting(segment) && !this.conflicts.has(segment)) {
      const underway = this.sending.get(segment) ?? this.send(segment);
      this.sending.set(segment, underway);
      try {
        await underway;
      } finally {
        if (this.sending.get(segment) === underway) this.sending.delete(segment); // else another has begun
      }
    }
  }

  /** Send all that waits: at the start of the page, and when the server is back. */
  async flushAll(): Promise<void> {
    for (const segment of this.all()) {
      try {
        await this.flush(segment);
      } catch {
        this.soon(segment, this.pause());
      }
    }
  }

  /** The end of a conflict: one's own edit on top of theirs, or theirs alone. */
  settle(segment: string, mine: boolean): void {
    const conflict = this.conflicts.get(segment);
    if (!conflict) return;
    this.conflicts.delete(segment);
    if (mine && conflict.theirs) {
      this.keep(segment, { version: conflict.theirs.version, edit: this.waiting(segment)?.edit ?? conflict.mine });
      this.soon(segment, 0);
    } else {
      this.shelf.removeItem(PREFIX + segment);
      if (conflict.theirs) this.saved(conflict.theirs);
    }
    this.told();
  }

  private all(): string[] {
    const names = Array.from({ length: this.shelf.length }, (_, n) => this.shelf.key(n) ?? "");
    return names.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length));
  }

  private keep(segment: string, waiting: Waiting): void {
    this.shelf.setItem(PREFIX + segment, JSON.stringify(waiting));
  }

  private soon(segment: string, wait: number): void {
    window.clearTimeout(this.timers.get(segment));
    this.timers.set(segment, window.setTimeout(() => void this.flush(segment).catch(() => this.retry(segment)), wait));
  }

  private retry(segment: string): void {
    if (this.waiting(segment)) this.soon(segment, this.pause());
  }

  private pause(): number {
    return RETRY_MS[Math.min(Math.max(this.failures - 1, 0), RETRY_MS.length - 1)];
  }

  private async send(segment: string): Promise<void> {
    const sent = this.waiting(segment)!;
    try {
      this.arrived(segment, sent, await change(segment, sent.version, sent.edit));
    } catch (error) {
      if (!(error instanceof Refused) || error.status >= 500 || error.status === 429) {
        this.failures++;
        this.away = true;
        this.told();
        throw error;
      }
      this.refused(segment, sent, error);
    }
    this.failures = 0;
    this.away = false;
    this.told();
  }

  /** The server has it. What was typed meanwhile is of the new version. */
  private arrived(segment: string, sent: Waiting, now: Segment): void {
    const since = this.waiting(segment);
    const rest = since && without(since.edit, sent.edit);
    if (rest && Object.keys(rest).length) this.keep(segment, { version: now.version, edit: rest });
    else this.shelf.removeItem(PREFIX + segment);
    this.saved(now);
  }

  private refused(segment: string, sent: Waiting, error: Refused): void {
    const theirs = error.status === 409 ? current(error.body) : null;
    if (theirs && !Object.keys(without(sent.edit, theirs)).length) return this.arrived(segment, sent, theirs); // it came twice
    this.conflicts.set(segment, { segment, mine: sent.edit, theirs, reason: error.message });
  }
}

/** What an edit says otherwise than a segment, or an earlier edit, does. */
function without(edit: Edit, than: Edit): Edit {
  const kept = Object.entries(edit).filter(([name, value]) => than[name as keyof Edit] !== value);
  return Object.fromEntries(kept) as Edit;
}

/** The segment within an answer of 409. */
function current(body: unknown): Segment | null {
  const found = body as (Segment & { current?: Segment; segment?: Segment; detail?: unknown }) | null;
  if (!found || typeof found !== "object") return null;
  if (typeof found.version === "number") return found;
  return current(found.current ?? found.segment ?? found.detail ?? null);
}
