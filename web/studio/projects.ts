// All projects, and a new one.

import { h, problem } from "./dom";
import type { Project } from "./kinds";
import { named, t } from "./phrases";
import * as server from "./server";

export class Projects {
  readonly node = h("div");
  private readonly list = h("ul", { class: "cards" });

  async open(): Promise<void> {
    this.node.replaceChildren(h("h1", {}, t("projects")), this.list, this.form());
    await this.fetch();
  }

  close(): void {}

  changed(): void {
    void this.fetch().catch(() => undefined);
  }

  told(): void {}

  private async fetch(): Promise<void> {
    const found = await server.projects();
    const cards = found.map((each) => h("li", {}, this.card(each)));
    this.list.replaceChildren(...(cards.length ? cards : [h("li", { class: "soft" }, t("projects.none"))]));
  }

  private card(project: Project): HTMLElement {
    const { recordings, segments, accepted } = project.counts;
    return h(
      "a",
      { class: "card", href: `#/p/${encodeURIComponent(project.id)}/recordings` },
      h("strong", {}, h("bdi", {}, project.name)),
      h("span", { class: "soft" }, named(project.language)),
      h("span", { class: "soft" }, t("counts", { recordings, segments, accepted })),
    );
  }

  private form(): HTMLElement {
    const name = h("input", { id: "name", required: true, maxlength: 200, autocomplete: "off" });
    const language = h("input", { id: "language", required: true, maxlength: 100, autocomplete: "off", "aria-describedby": "language-how" });
    const made = h(
      "form",
      { class: "card", "aria-labelledby": "new-title" },
      h("h2", { id: "new-title" }, t("new")),
      h("label", { for: "name" }, t("name")),
      name,
      h("label", { for: "language" }, t("language")),
      language,
      h("p", { id: "language-how", class: "soft" }, t("language.how")),
      h("button", { class: "primary" }, t("create")),
    );
    made.addEventListener("submit", (event) => {
      event.preventDefault();
      problem("");
      server.create(name.value.trim(), language.value.trim()).then(
        (project) => (location.hash = `#/p/${encodeURIComponent(project.id)}/recordings`),
        (error: Error) => problem(error.message),
      );
    });
    return made;
  }
}
