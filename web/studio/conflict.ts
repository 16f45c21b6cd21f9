// Two people changed the same segment: both texts, and a choice.

import { differ, shown } from "./differ";
import { h } from "./dom";
import type { Conflict } from "./outbox";
import { t } from "./phrases";

/** A panel that shows a conflict; `settle` is told whether one's own text is kept. */
export function conflict(found: Conflict, settle: (mine: boolean) => void): HTMLElement {
  const mine = found.mine.text ?? found.mine.state ?? "";
  if (!found.theirs) {
    return h(
      "section",
      { class: "conflict card", role: "alert" },
      h("h3", {}, t("refused", { reason: found.reason })),
      h("p", { dir: "auto" }, mine),
      h("div", { class: "row" }, h("button", { type: "button", onclick: () => settle(false) }, t("refused.drop"))),
    );
  }
  const [left, right] = differ(found.theirs.text || found.theirs.draft, found.mine.text ?? found.theirs.text);
  return h(
    "section",
    { class: "conflict card", role: "alert" },
    h("h3", {}, t("conflict")),
    h("div", { class: "two" }, h("div", {}, h("h4", {}, t("conflict.theirs")), shown(left, "del")), h("div", {}, h("h4", {}, t("conflict.mine")), shown(right, "ins"))),
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", class: "primary", onclick: () => settle(true) }, t("conflict.keep")),
      h("button", { type: "button", onclick: () => settle(false) }, t("conflict.take")),
    ),
  );
}
