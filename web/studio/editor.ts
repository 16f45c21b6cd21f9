// One segment: the draft with its unsure words, the field, and what one can do by hand.

import { h, place, tell } from "./dom";
import type { Change, Project, Segment, Word } from "./kinds";
import { bar } from "./letters";
import { language, number, t, type Phrase } from "./phrases";
import { history } from "./server";
import type { Action } from "./keys";

export const UNSURE = 0.6; // less confident words are marked

export interface Does {
  typed: (text: string) => void;
  moved: (start_s: number, end_s: number) => void;
  act: (action: Action) => void;
  hear: (from: number, until: number) => void;
}

export class Editor {
  readonly node = h("section", { class: "editor card", "aria-label": t("editor") });
  private readonly field = h("textarea", { id: "field", rows: 2, spellcheck: false, autocapitalize: "off", autocomplete: "off" });
  private readonly words = h("p", { class: "draft", dir: "auto" });
  private readonly state = h("span", { class: "badge" });
  private readonly when = h("span", { class: "time" });
  private readonly start = this.seconds("segment.start");
  private readonly end = this.seconds("segment.end");
  private readonly past = h("details", {}, h("summary", {}, t("history")), h("ol", { class: "history" }));
  private segment: Segment | null = null;

  constructor(
    private readonly project: Project,
    private readonly does: Does,
  ) {
    this.field.lang = project.language;
    this.words.lang = project.language;
    this.field.addEventListener("input", () => this.does.typed(this.field.value.replace(/\n/g, " ")));
    this.past.addEventListener("toggle", () => void this.remember());
    this.node.append(
      h("div", { class: "row" }, this.when, this.state),
      this.words,
      h("label", { for: "field", class: "hidden" }, t("field")),
      this.field,
      bar(project.letters, () => this.field) ?? "",
      this.buttons(),
      h("details", {}, h("summary", {}, t("times")), h("div", { class: "row" }, ...this.labelled())),
      this.past,
    );
  }

  /** Show a segment; text that is being typed in it is left alone. */
  show(segment: Segment, typing: boolean): void {
    const other = this.segment?.id !== segment.id;
    this.segment = segment;
    const text = segment.text || (segment.state === "draft" || segment.state === "empty" ? segment.draft : "");
    if (!typing && this.field.value !== text) this.field.value = text;
    // Of an empty field the browser cannot tell the direction: it is the language's.
    this.field.dir = text ? "auto" : this.project.direction;
    this.when.textContent = `${place(segment.start_s)} – ${place(segment.end_s)}`;
    this.state.textContent = t(`state.${segment.state}` as Phrase);
    this.state.dataset.state = segment.state;
    [this.start.value, this.end.value] = [segment.start_s.toFixed(2), segment.end_s.toFixed(2)];
    this.words.hidden = !segment.words.length;
    this.words.replaceChildren(...segment.words.flatMap((word, n) => [n ? " " : "", this.word(word)]));
    if (other) this.past.open = false;
  }

  focus(): void {
    this.field.focus({ preventScroll: matchMedia("(min-width: 50rem)").matches });
    this.field.setSelectionRange(this.field.value.length, this.field.value.length);
  }

  get focused(): boolean {
    return document.activeElement === this.field;
  }

  /** Select the next word of the field that the recogniser was unsure of, and play it. */
  nextUnsure(): void {
    const from = this.field.selectionEnd;
    const spans = this.unsureSpans();
    const found = spans.find(({ start }) => start >= from) ?? spans[0];
    if (!found) return tell(t("nothing.unsure"));
    this.field.focus();
    this.field.setSelectionRange(found.start, found.end);
    this.does.hear(found.word.start_s, found.word.end_s);
  }

  /** Where unsure words of the draft still stand in the field, in their order. */
  private unsureSpans(): { word: Word; start: number; end: number }[] {
    let at = 0;
    const found: { word: Word; start: number; end: number }[] = [];
    for (const word of this.segment?.words ?? []) {
      const start = this.field.value.indexOf(word.text, at);
      if (start < 0) continue;
      at = start + word.text.length;
      if (word.confidence < UNSURE) found.push({ word, start, end: at });
    }
    return found;
  }

  /** A word of the draft; pressing it plays it. */
  private word(word: Word): HTMLElement {
    const unsure = word.confidence < UNSURE;
    const sure = t("confidence", { percent: number(100 * word.confidence, 0) });
    const made = h("button", { type: "button", class: unsure ? "word unsure" : "word", title: sure }, word.text);
    if (unsure) made.append(h("span", { class: "hidden" }, ` (${t("unsure")}) `));
    made.addEventListener("click", () => this.does.hear(word.start_s, word.end_s));
    return made;
  }

  private buttons(): HTMLElement {
    const button = (action: Action, kind = "") =>
      h("button", { type: "button", class: kind, "data-action": action, onclick: () => this.does.act(action) }, t(`do.${action}` as Phrase));
    return h(
      "div",
      { class: "row actions", role: "group", "aria-label": t("actions") },
      button("accept", "primary"),
      button("play"),
      button("slow"),
      button("skip"),
      button("unsure"),
      button("undo"),
      button("redo"),
      button("previous"),
      button("next"),
    );
  }

  private seconds(label: Phrase): HTMLInputElement {
    const made = h("input", { type: "number", step: 0.05, min: 0, inputmode: "decimal", "aria-label": t(label) });
    made.addEventListener("change", () => {
      const [start, end] = [Number(this.start.value), Number(this.end.value)];
      if (end > start && start >= 0) this.does.moved(start, end);
      else if (this.segment) this.show(this.segment, true);
    });
    return made;
  }

  private labelled(): HTMLElement[] {
    return [
      h("label", {}, t("segment.start"), this.start),
      h("label", {}, t("segment.end"), this.end),
    ];
  }

  /** Who changed what, newest first, where one asks for it. */
  private async remember(): Promise<void> {
    if (!this.past.open || !this.segment) return;
    const changes = await history(this.segment.id).catch(() => []);
    const items = changes.map((each) => h("li", {}, h("span", { class: "soft" }, told(each)), h("bdi", {}, ` ${made(each)}`)));
    this.past.querySelector("ol")!.replaceChildren(...(items.length ? items.reverse() : [h("li", { class: "soft" }, t("history.none"))]));
  }
}

const told = (change: Change): string => [new Date(change.at).toLocaleString(language()), change.who].filter(Boolean).join(" · ");

/** What a change made of the segment. */
function made({ field, after }: Change): string {
  if (field === "state") return t(`state.${String(after)}` as Phrase);
  return field === "text" ? String(after ?? "") : `${t(field === "start_s" ? "segment.start" : "segment.end")}: ${String(after)}`;
}
