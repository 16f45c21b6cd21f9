// A bar of letters that the keyboard may lack, put in at the caret; and what a writing does at the caret.

import { h } from "./dom";
import { t } from "./phrases";

/** A bar whose buttons write into a field; the caret stays in the field. */
export function bar(letters: string[], field: () => HTMLTextAreaElement | null): HTMLElement | null {
  if (!letters.length) return null;
  const buttons = letters.map((letter, n) => {
    const made = h("button", { type: "button", class: "letter", tabindex: n ? -1 : 0, "aria-label": name(letter) }, seen(letter));
    made.addEventListener("pointerdown", (event) => event.preventDefault()); // else the field loses the caret
    made.addEventListener("click", () => {
      const into = field();
      if (into) insert(into, letter);
    });
    return made;
  });
  const made = h("div", { class: "letters", role: "toolbar", "aria-label": t("letters") }, ...buttons);
  made.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const place = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const next = buttons[(place + step + buttons.length) % buttons.length];
    buttons.forEach((button) => (button.tabIndex = button === next ? 0 : -1));
    next.focus();
    event.preventDefault();
  });
  return made;
}

/** Write at the caret, as if typed: the field's own undo knows of it. Never within a letter with its marks. */
export function insert(field: HTMLTextAreaElement, text: string): void {
  field.focus();
  const { selectionStart: from, selectionEnd: to } = field;
  if (from === to) field.setSelectionRange(whole(field.value, from), whole(field.value, from));
  if (document.execCommand("insertText", false, text)) return;
  field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

/** The next place at or after `at` that is not within a grapheme: a letter with all its marks. */
export function whole(text: string, at: number): number {
  if (at <= 0 || at >= text.length) return at;
  const within = new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text).containing(at);
  return !within || within.index === at ? at : within.index + within.segment.length;
}

/** A mark is shown on a circle, for alone it would sit on nothing. */
const seen = (letter: string): string => (/^\p{M}/u.test(letter) ? `\u25CC${letter}` : letter);

/** What a reader says of a letter: itself, and of a mark its number, for most say nothing of marks. */
function name(letter: string): string {
  if (!/^\p{M}/u.test(letter)) return letter;
  const codes = [...letter].map((mark) => `U+${mark.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`);
  return t("mark", { code: codes.join(" ") });
}
