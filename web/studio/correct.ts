// Correcting: the waveform, the editor of one segment, and the list of all.

import { conflict } from "./conflict";
import { h, later, place, problem, tell } from "./dom";
import { Editor } from "./editor";
import { action, help, type Action } from "./keys";
import type { Changed, Edit, Project, Recording, Segment } from "./kinds";
import type { Outbox } from "./outbox";
import { t, type Phrase } from "./phrases";
import * as server from "./server";
import { Wave } from "./wave";

const SLOW = 0.75;
const WORD_MARGIN_S = 0.15;
type Order = "time" | "teaching";

export class Correct {
  readonly node = h("div", { class: "correct" });
  private segments: Segment[] = [];
  private recordings = new Map<string, Recording>();
  private at = 0;
  private order: Order = (localStorage.getItem("earful.order") as Order) ?? "time";
  private readonly editor: Editor;
  private readonly wave = new Wave(
    (id) => void this.choose(this.segments.findIndex((each) => each.id === id)),
    (id, start_s, end_s) => this.edit(id, { start_s, end_s }),
  );
  private readonly list = h("ol", { class: "segments", "aria-label": t("segments") });
  private readonly clash = h("div");
  private readonly done = h("p", { class: "soft", role: "status" });
  private readonly rows = new Map<string, HTMLElement>();
  private readonly refresh = later(800, () => void this.fetch());

  constructor(
    private readonly project: Project,
    private readonly outbox: Outbox,
    private readonly only: string | null,
  ) {
    this.editor = new Editor(project, {
      typed: (text) => this.edit(this.here.id, { text, state: "corrected" }),
      moved: (start_s, end_s) => this.edit(this.here.id, { start_s, end_s }),
      act: (what) => void this.act(what),
      hear: (from, until) => this.wave.play(Math.max(0, from - WORD_MARGIN_S), until + WORD_MARGIN_S, 1),
    });
    outbox.saved = (segment) => this.saved(segment);
    document.addEventListener("keydown", this.key);
  }

  /** Fetch what there is, and show the first segment that is not done. */
  async open(): Promise<void> {
    await this.fetch();
  }

  private async begin(): Promise<void> {
    const first = this.segments.findIndex((each) => each.state !== "accepted" && each.state !== "skipped");
    await this.choose(Math.max(first, 0), false);
  }

  close(): void {
    document.removeEventListener("keydown", this.key);
    this.outbox.saved = () => {};
    this.refresh.cancel();
    this.wave.close();
  }

  /** Something changed on the server, perhaps by somebody else. */
  changed(what: Changed): void {
    if (what.kind === "segment" && this.rows.has(what.id)) void this.again(what.id);
    else if (what.kind === "segment" || what.kind === "recording") this.refresh();
  }

  /** A conflict came or went. */
  told(): void {
    const found = this.segments.length ? this.outbox.conflicts.get(this.here.id) : undefined;
    this.clash.replaceChildren(found ? conflict(found, (mine) => this.outbox.settle(found.segment, mine)) : "");
  }

  private get here(): Segment {
    return this.segments[this.at];
  }

  private async fetch(): Promise<void> {
    const before = this.segments[this.at]?.id;
    const [recordings, segments] = await Promise.all([
      server.recordings(this.project.id),
      server.segments(this.project.id, this.order),
    ]);
    this.recordings = new Map(recordings.map((each) => [each.id, each]));
    const kept = this.only ? segments.filter((each) => each.recording === this.only) : segments;
    this.segments = kept.map((each) => ({ ...each, ...this.outbox.waiting(each.id)?.edit })); // what was typed and not sent
    if (!this.segments.length) return this.empty();
    if (!this.list.isConnected) this.frame();
    this.listAll();
    this.at = Math.max(0, this.segments.findIndex((each) => each.id === before));
    if (before) this.show();
    else await this.begin();
  }

  /** One segment as it is now, unless one is changing it. */
  private async again(id: string): Promise<void> {
    const segment = await server.segment(id).catch(() => null);
    const before = this.segments.find((each) => each.id === id);
    if (segment && before && segment.version > before.version && !this.outbox.waiting(id)) this.update(segment);
  }

  private empty(): void {
    this.node.replaceChildren(h("p", { class: "card" }, t(this.recordings.size ? "no.segments" : "no.recordings")));
  }

  private frame(): void {
    const zoom = h("input", { type: "range", min: 10, max: 300, value: 80, "aria-label": t("zoom") });
    zoom.addEventListener("input", () => this.wave.zoom(Number(zoom.value)));
    const order = h("select", { id: "order" }, ...(["time", "teaching"] as const).map((each) => h("option", { value: each, selected: each === this.order }, t(`order.${each}`))));
    order.addEventListener("change", () => void this.reorder(order.value as Order));
    const keys = h("button", { type: "button", onclick: () => help() }, t("keys"));
    const cut = h("button", { type: "button", onclick: () => void this.cut() }, t("cut"));
    this.node.replaceChildren(
      h("div", { class: "row tools" }, h("label", { for: "order" }, t("order")), order, h("label", { class: "zoom" }, t("zoom"), zoom), cut, keys),
      this.wave.node,
      this.wave.sound,
      this.clash,
      this.editor.node,
      this.done,
      this.list,
    );
  }

  private async reorder(order: Order): Promise<void> {
    localStorage.setItem("earful.order", order);
    this.order = order;
    this.segments = [];
    await this.open();
  }

  private listAll(): void {
    this.rows.clear();
    for (const segment of this.segments) this.rows.set(segment.id, this.row(segment));
    this.list.replaceChildren(...this.rows.values());
    this.count();
  }

  private row(segment: Segment): HTMLElement {
    const label = h("span", { class: "badge", "data-state": segment.state }, t(`state.${segment.state}` as Phrase));
    const name = this.recordings.size > 1 && !this.only ? this.recordings.get(segment.recording)?.name : "";
    const text = segment.text || segment.draft || "…";
    const open = h(
      "button",
      { type: "button", onclick: () => void this.choose(this.segments.findIndex((each) => each.id === segment.id)) },
      h("span", { class: "time" }, place(segment.start_s)),
      h("bdi", { class: "said", lang: this.project.language }, text),
      label,
      name && h("span", { class: "soft name" }, name),
    );
    return h("li", { "data-id": segment.id }, open);
  }

  private count(): void {
    const settled = this.segments.filter((each) => each.state === "accepted").length;
    this.done.textContent = t("done.of", { done: settled, all: this.segments.length });
  }

  private async choose(at: number, focus = true): Promise<void> {
    if (at < 0 || at >= this.segments.length) return tell(t(at < 0 ? "first" : "last"));
    this.wave.pause();
    this.at = at;
    this.show();
    if (focus) this.editor.focus();
    const recording = this.recordings.get(this.here.recording);
    try {
      if (recording) await this.wave.load(recording.id, recording.duration_s, this.segments);
      this.wave.choose(this.here);
    } catch (error) {
      problem((error as Error).message);
    }
  }

  private show(): void {
    const segment = this.here;
    this.editor.show(segment, this.editor.focused && !!this.outbox.waiting(segment.id));
    for (const [id, row] of this.rows) {
      const chosen = id === segment.id;
      if (chosen) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
      if (chosen) this.reveal(row);
    }
    this.told();
  }

  /** Scroll the list, and not the page, to a row. */
  private reveal(row: HTMLElement): void {
    const [top, bottom] = [row.offsetTop - this.list.offsetTop, row.offsetTop - this.list.offsetTop + row.offsetHeight];
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    else if (bottom > this.list.scrollTop + this.list.clientHeight) this.list.scrollTop = bottom - this.list.clientHeight;
  }

  /** What one did: seen at once, kept at once, sent soon. */
  private edit(id: string, edit: Edit): void {
    const segment = this.segments.find((each) => each.id === id);
    if (!segment) return;
    this.outbox.put(segment, edit);
    this.update({ ...segment, ...edit });
  }

  private saved(segment: Segment): void {
    this.update({ ...segment, ...this.outbox.waiting(segment.id)?.edit });
  }

  private update(segment: Segment): void {
    const at = this.segments.findIndex((each) => each.id === segment.id);
    if (at < 0) return;
    this.segments[at] = segment;
    const row = this.row(segment);
    this.rows.get(segment.id)?.replaceWith(row);
    this.rows.set(segment.id, row);
    this.count();
    this.wave.mark(this.segments);
    if (at !== this.at) return;
    row.setAttribute("aria-current", "true");
    this.editor.show(segment, this.editor.focused);
  }

  private readonly key = (event: KeyboardEvent): void => {
    if (document.querySelector("dialog[open]") || !this.segments.length || !this.list.isConnected) return;
    const what = action(event);
    if (!what) return;
    event.preventDefault();
    void this.act(what);
  };

  private async act(what: Action): Promise<void> {
    problem("");
    const { start_s, end_s } = this.here;
    if (what === "help") help();
    else if (what === "next" || what === "previous") await this.choose(this.at + (what === "next" ? 1 : -1));
    else if (what === "play" || what === "slow") this.play(start_s, end_s, what === "slow" ? SLOW : 1);
    else if (what === "unsure") this.editor.nextUnsure();
    else if (what === "accept" || what === "skip") await this.settle(what);
    else await this.back(what);
  }

  private play(start_s: number, end_s: number, rate: number): void {
    if (this.wave.playing) this.wave.pause();
    else this.wave.play(start_s, end_s, rate);
  }

  /** Done with it: on to the next that is not, and play it. */
  private async settle(what: "accept" | "skip"): Promise<void> {
    const text = this.here.text || this.here.draft;
    if (what === "accept" && !text.trim()) return tell(t("nothing.to.accept"));
    this.edit(this.here.id, what === "accept" ? { text, state: "accepted" } : { state: "skipped" });
    tell(t(what === "accept" ? "accepted" : "skipped"));
    const open = (each: Segment) => each.state !== "accepted" && each.state !== "skipped";
    const next = this.segments.findIndex((each, n) => n > this.at && open(each));
    const any = next >= 0 ? next : this.segments.findIndex(open);
    if (any < 0) return tell(t("all.done"));
    await this.choose(any);
    this.play(this.here.start_s, this.here.end_s, 1);
  }

  /** Undo or redo, after all that was typed is there. */
  private async back(what: "undo" | "redo"): Promise<void> {
    const { id } = this.here;
    try {
      await this.outbox.flush(id);
      const segment = await server[what](id);
      this.update(segment);
      this.editor.show(segment, false);
      tell(t(what === "undo" ? "undone" : "redone"));
    } catch (error) {
      problem(this.outbox.away ? t("away.undo") : t(what === "undo" ? "nothing.to.undo" : "nothing.to.redo"));
    }
  }

  /** A new segment, from where the sound stands to the next one. */
  private async cut(): Promise<void> {
    const { recording } = this.here;
    const others = this.segments.filter((each) => each.recording === recording);
    const inside = others.find((each) => each.start_s <= this.wave.sound.currentTime && this.wave.sound.currentTime < each.end_s);
    const start = inside ? inside.end_s : this.wave.sound.currentTime;
    const limit = Math.min(this.wave.duration, ...others.filter((each) => each.start_s >= start).map((each) => each.start_s));
    const end = Math.min(start + 5, limit);
    if (end - start < 0.2) return problem(t("no.room"));
    try {
      const made = await server.cut(recording, start, end);
      await this.fetch();
      await this.choose(this.segments.findIndex((each) => each.id === made.id));
    } catch (error) {
      problem((error as Error).message);
    }
  }
}
