// What one takes away: transcripts, models, the whole project; and the end of a project.

import { h, problem } from "./dom";
import type { Project } from "./kinds";
import { t } from "./phrases";
import * as server from "./server";

const FORMATS = ["eaf", "TextGrid", "srt", "vtt", "txt"];

export class Files {
  readonly node = h("div");

  constructor(private readonly project: Project) {}

  async open(): Promise<void> {
    const [recordings, models] = await Promise.all([server.recordings(this.project.id), server.models(this.project.id)]);
    const link = (href: string, text: string, label: string) => h("a", { class: "button small", href, download: true, "aria-label": label }, text);
    const transcripts = recordings.map((each) =>
      h("tr", {}, h("th", { scope: "row" }, h("bdi", {}, each.name)), h("td", {}, h("div", { class: "row wrap" }, ...FORMATS.map((format) => link(server.transcript(each.id, format), format, `${each.name}: ${format}`))))),
    );
    const found = models.map((each) => h("li", { class: "row" }, h("bdi", { class: "grow" }, each.name), link(server.download(each.name), t("download"), `${t("download")}: ${each.name}`)));
    this.node.replaceChildren(
      section("files.transcripts", transcripts.length ? h("table", { class: "files" }, h("tbody", {}, ...transcripts)) : h("p", { class: "soft" }, t("recordings.none"))),
      section("files.models", found.length ? h("ul", { class: "plain" }, ...found) : h("p", { class: "soft" }, t("rounds.none"))),
      section("files.all", h("p", { class: "soft" }, t("files.all.how")), h("a", { class: "button", href: server.everything(this.project.id), download: true }, t("files.all.button"))),
      section("project.remove", h("p", { class: "soft" }, t("project.remove.how")), h("button", { type: "button", onclick: () => void this.remove() }, t("project.remove"))),
    );
  }

  close(): void {}
  changed(): void {}
  told(): void {}

  private async remove(): Promise<void> {
    if (!window.confirm(t("remove.sure", { name: this.project.name }))) return;
    try {
      await server.remove(this.project.id);
      location.hash = "#/";
    } catch (error) {
      problem((error as Error).message);
    }
  }
}

const section = (title: "files.transcripts" | "files.models" | "files.all" | "project.remove", ...children: Node[]): HTMLElement =>
  h("section", { class: "card" }, h("h2", {}, t(title)), ...children);
