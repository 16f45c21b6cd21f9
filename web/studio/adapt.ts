// Adapting: begin, watch, cancel; what came of it; and the same recording before and after.

import { curve } from "./curve";
import { differ, shown } from "./differ";
import { clock, h, problem, tell } from "./dom";
import type { Changed, Job, Model, Project } from "./kinds";
import type { Outbox } from "./outbox";
import { known, number, t, type Phrase } from "./phrases";
import * as server from "./server";

const POLL_MS = 2000; // where an event was missed
const EFFORTS = ["quick", "usual", "best"] as const;

export class Adapt {
  readonly node = h("div");
  private job: Job | null = null;
  private timer = 0;
  private said = "";
  private readonly state = h("section", { class: "card", "aria-labelledby": "adapt-title" });
  private readonly rounds = h("section", { class: "card", "aria-labelledby": "rounds-title" });
  private readonly sides = h("section", { class: "card", "aria-labelledby": "compare-title" });

  constructor(
    private project: Project,
    private readonly outbox: Outbox,
  ) {}

  async open(): Promise<void> {
    this.node.replaceChildren(this.state, this.rounds, this.sides);
    this.project = await server.project(this.project.id); // how much is accepted by now
    const jobs = await server.jobs();
    const own = jobs.filter((each) => each.project === this.project.id);
    this.job = own.find((each) => running(each)) ?? null;
    this.show();
    await this.fetch();
  }

  close(): void {
    window.clearTimeout(this.timer);
  }

  changed(what: Changed): void {
    if (what.kind === "job" && what.id === this.job?.id) void this.look();
  }

  told(): void {}

  private show(): void {
    window.clearTimeout(this.timer);
    const title = h("h2", { id: "adapt-title" }, t("adapt"));
    if (!this.job) return this.state.replaceChildren(title, ...this.offer());
    if (!running(this.job)) return this.state.replaceChildren(title, ...this.outcome(this.job), ...this.offer());
    this.state.replaceChildren(title, ...this.progress(this.job));
    this.timer = window.setTimeout(() => void this.look(), POLL_MS);
  }

  private offer(): Node[] {
    const { accepted } = this.project.counts;
    const choices = EFFORTS.map((each) =>
      h("label", { class: "choice" }, h("input", { type: "radio", name: "effort", value: each, checked: each === "usual" }), h("span", {}, h("strong", {}, t(`effort.${each}`)), h("span", { class: "soft block" }, t(`effort.${each}.how`)))),
    );
    const begin = h("button", { type: "button", class: "primary", disabled: !accepted, onclick: () => void this.begin() }, t("adapt.begin"));
    return [
      h("p", {}, accepted ? t("adapt.with", { accepted }) : t("adapt.none")),
      h("fieldset", {}, h("legend", {}, t("effort")), ...choices),
      begin,
    ];
  }

  private progress(job: Job): Node[] {
    const bar = h("progress", { max: 1, "aria-label": t("progress") });
    if (job.share !== null && job.state === "running") bar.value = job.share;
    const stage = job.state === "queued" ? t("queued") : staged(job.stage);
    const left = job.left_s === null ? "" : t("left", { time: clock(job.left_s) });
    if (stage !== this.said) tell((this.said = stage)); // each stage is read out once
    const stop = h("button", { type: "button" }, t("cancel"));
    stop.onclick = () => {
      stop.disabled = true;
      server.cancel(job.id).then(() => this.look(), (error: Error) => problem(error.message));
    };
    return [h("p", {}, stage, " ", h("span", { class: "soft" }, left)), h("div", { class: "row" }, bar, stop), h("p", { class: "soft" }, t("adapt.meanwhile"))];
  }

  private outcome(job: Job): Node[] {
    if (job.state === "failed") return [h("p", { class: "warning", role: "alert" }, t("adapt.failed", { reason: job.error ?? "" }))];
    if (job.state === "cancelled") return [h("p", {}, t("adapt.cancelled"))];
    const result = job.result;
    if (!result) return [];
    const percent = (cer: number | null) => (cer === null ? "–" : `${number(100 * cer, 1)} %`);
    const text = result.kept_base ? t("adapt.kept") : result.cer_after === null ? t("adapt.unmeasured") : t("adapt.done", { before: percent(result.cer_before), after: percent(result.cer_after) });
    const sure = result.interval ? t("interval", { low: percent(result.interval[0]), high: percent(result.interval[1]) }) : "";
    return [h("p", { class: "result", role: "status" }, text, " ", h("span", { class: "soft" }, sure)), ...(result.warnings ?? []).map((each) => h("p", { class: "warning" }, each))];
  }

  private async begin(): Promise<void> {
    problem("");
    const effort = this.state.querySelector<HTMLInputElement>("input[name=effort]:checked")!.value;
    try {
      await this.outbox.flushAll();
      this.job = await server.adapt(this.project.id, effort);
      this.show();
    } catch (error) {
      problem((error as Error).message);
    }
  }

  private async look(): Promise<void> {
    if (!this.job) return;
    const before = this.job.state;
    this.job = await server.job(this.job.id).catch(() => this.job!); // away: ask again
    this.show();
    if (running(this.job) || before === this.job.state) return;
    this.project = await server.project(this.project.id);
    await this.fetch();
  }

  private async fetch(): Promise<void> {
    const [models, recordings] = await Promise.all([server.models(this.project.id), server.recordings(this.project.id)]);
    const drawn = curve(models);
    this.rounds.replaceChildren(h("h2", { id: "rounds-title" }, t("rounds")), drawn ?? h("p", { class: "soft" }, t("rounds.none")));
    this.sides.hidden = models.length === 0 || recordings.length === 0;
    if (!this.sides.hidden) this.choices(models, recordings.map((each) => [each.id, each.name]));
  }

  /** Which two models, on which recording. */
  private choices(models: Model[], recordings: [string, string][]): void {
    const names = [...new Set([models[0].base, ...models.map((each) => each.name)])]; // the first: what it began with
    const pick = (label: Phrase, options: [string, string][], at: number) => {
      const select = h("select", {}, ...options.map(([value, text], n) => h("option", { value, selected: n === at }, text)));
      return { select, label: h("label", {}, t(label), select) };
    };
    const named = names.map((each): [string, string] => [each, each]);
    const recording = pick("recording", recordings, 0);
    const before = pick("before", named, Math.max(0, named.length - 2));
    const after = pick("after", named, named.length - 1);
    const place = h("div", { "aria-live": "polite" });
    const button = h("button", { type: "button" }, t("compare"));
    button.onclick = async () => {
      button.disabled = true;
      place.replaceChildren(h("p", { class: "soft" }, t("listening")));
      try {
        const [one, two] = await server.compare(recording.select.value, [before.select.value, after.select.value]);
        const [left, right] = differ(one.text, two.text);
        place.replaceChildren(h("div", { class: "two" }, side("before", left, "del"), side("after", right, "ins")));
      } catch (error) {
        place.replaceChildren();
        problem((error as Error).message);
      } finally {
        button.disabled = false;
      }
    };
    this.sides.replaceChildren(h("h2", { id: "compare-title" }, t("compare.title")), h("div", { class: "row wrap" }, recording.label, before.label, after.label, button), place);
  }
}

const side = (title: "before" | "after", pieces: Parameters<typeof shown>[0], mark: "del" | "ins"): HTMLElement =>
  h("div", {}, h("h3", {}, t(title)), shown(pieces, mark));

const running = (job: Job): boolean => job.state === "queued" || job.state === "running";

/** What a job is at, in the reader's language where the first word of it is known. */
function staged(stage: string | null): string {
  const phrase = `stage.${(stage ?? "").split(" ")[0]}`;
  return known(phrase) ? t(phrase) : stage || t("running");
}
