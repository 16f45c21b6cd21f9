// The learning curve over rounds: how many letters are wrong, by how many clips were learned from.

import { h, svg } from "./dom";
import type { Model } from "./kinds";
import { number, t } from "./phrases";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [380, 210, 48, 38, 14, 16];

/** A picture, and the same as a table for those who do not see it. */
export function curve(models: Model[]): HTMLElement | null {
  const points = models.filter((each): each is Model & { cer_after: number } => typeof each.cer_after === "number");
  if (!points.length) return null;
  points.sort((a, b) => a.clips - b.clips || a.created.localeCompare(b.created));
  const [first] = points;
  if (typeof first.cer_before === "number") points.unshift({ ...first, name: first.base, clips: 0, cer_after: first.cer_before });
  const most = Math.max(...points.map((each) => each.clips), 1);
  const worst = Math.max(...points.map((each) => each.cer_after), 0.05);
  const x = (clips: number) => LEFT + ((WIDTH - LEFT - RIGHT) * clips) / most;
  const y = (cer: number) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * cer) / worst;
  const percent = (cer: number) => `${number(100 * cer, cer > 0 && cer < 0.1 ? 1 : 0)} %`;
  const rules = [0, worst / 2, worst].flatMap((cer) => [
    svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(cer), y2: y(cer), class: "rule" }),
    svg("text", { x: LEFT - 6, y: y(cer) + 4, "text-anchor": "end" }, percent(cer)),
  ]);
  const line = svg("polyline", { points: points.map((each) => `${x(each.clips)},${y(each.cer_after)}`).join(" "), class: "line" });
  const dots = points.map((each) => svg("circle", { cx: x(each.clips), cy: y(each.cer_after), r: 5, class: "dot" }));
  const counts = points.map((each) => svg("text", { x: x(each.clips), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, String(each.clips)));
  const title = svg("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, t("clips"));
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", "aria-hidden": "true" }, ...rules, line, ...dots, ...counts, title);
  const rows = points.map((each) => h("tr", {}, h("td", {}, h("bdi", {}, each.name)), h("td", {}, String(each.clips)), h("td", {}, percent(each.cer_after))));
  return h(
    "figure",
    {},
    picture,
    h("figcaption", { class: "soft" }, t("curve.how")),
    h("details", {}, h("summary", {}, t("as.table")), h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("model")), h("th", { scope: "col" }, t("clips")), h("th", { scope: "col" }, t("wrong.letters")))), h("tbody", {}, ...rows))),
  );
}
