// The keys of correcting, and the help that lists them.

import { h } from "./dom";
import { t, type Phrase } from "./phrases";

export type Action = "accept" | "next" | "previous" | "play" | "slow" | "skip" | "unsure" | "undo" | "redo" | "help";

// Option writes letters on Apple's keyboards, so there it is Control.
const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);
const CODES: Record<string, Action> = {
  ArrowDown: "next",
  ArrowUp: "previous",
  KeyP: "play",
  KeyL: "slow",
  KeyS: "skip",
  KeyU: "unsure",
  KeyZ: "undo",
  KeyY: "redo",
};
const LISTED: [Action, string][] = [
  ["accept", "Enter"],
  ["next", "↓"],
  ["previous", "↑"],
  ["play", "P"],
  ["slow", "L"],
  ["skip", "S"],
  ["unsure", "U"],
  ["undo", "Z"],
  ["redo", "Y"],
  ["help", "F1"],
];

/** What a key means, or null: then it is the field's. */
export function action(event: KeyboardEvent): Action | null {
  if (event.isComposing) return null; // an input method is at work
  const inField = event.target instanceof HTMLTextAreaElement;
  if (event.code === "F1") return "help";
  if (event.key === "Enter" && inField && !event.shiftKey) return "accept";
  const modified = APPLE ? event.ctrlKey && !event.altKey : event.altKey && !event.ctrlKey;
  if (!modified || event.metaKey || event.getModifierState("AltGraph")) return null; // AltGr writes letters
  return CODES[event.code] ?? null;
}

const spelt = (action: Action, key: string): string[] =>
  action === "accept" || action === "help" ? [key] : [APPLE ? "Ctrl" : "Alt", key];

/** A dialog that lists the keys. */
export function help(): HTMLDialogElement {
  const rows = LISTED.map(([action, key]) =>
    h("div", {}, h("dt", {}, ...spelt(action, key).flatMap((part, n) => [n ? " + " : "", h("kbd", {}, part)])), h("dd", {}, t(`key.${action}` as Phrase))),
  );
  const made = h("dialog", { class: "card", "aria-labelledby": "keys-title" });
  made.append(
    h("h2", { id: "keys-title" }, t("keys")),
    h("dl", { class: "keys" }, ...rows),
    h("button", { type: "button", onclick: () => made.close() }, t("close")),
  );
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  return made;
}
