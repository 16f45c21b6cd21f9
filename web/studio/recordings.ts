// The recordings of a project: one records, or drops files and folders.

import { clock, h, problem, tell } from "./dom";
import { dropped } from "./dropped";
import type { Changed, Project, Recording } from "./kinds";
import { t, type Phrase } from "./phrases";
import { Recorder } from "./recorder";
import * as server from "./server";

export class Recordings {
  readonly node = h("div");
  private readonly recorder: Recorder;
  private readonly list = h("ul", { class: "recordings", "aria-label": t("recordings") });
  private readonly sending = h("ul", { class: "sending", "aria-label": t("sending") });

  constructor(private readonly project: Project) {
    this.recorder = new Recorder(project.id, (file, name) => this.send(file, name));
  }

  async open(): Promise<void> {
    this.node.replaceChildren(
      h("div", { class: "sources" }, this.recorder.node, this.drop()),
      this.sending,
      h("section", { "aria-labelledby": "recordings-title" }, h("h2", { id: "recordings-title" }, t("recordings")), this.list),
    );
    document.addEventListener("dragover", this.over);
    document.addEventListener("drop", this.fall);
    window.addEventListener("beforeunload", this.leave);
    await this.fetch();
  }

  close(): void {
    document.removeEventListener("dragover", this.over);
    document.removeEventListener("drop", this.fall);
    window.removeEventListener("beforeunload", this.leave);
    this.recorder.close();
  }

  changed(what: Changed): void {
    if (what.kind === "recording" || what.kind === "project") void this.fetch().catch(() => undefined);
  }

  told(): void {}

  private async fetch(): Promise<void> {
    const found = await server.recordings(this.project.id);
    const rows = found.map((each) => this.row(each));
    this.list.replaceChildren(...(rows.length ? rows : [h("li", { class: "soft" }, t("recordings.none"))]));
  }

  private row(recording: Recording): HTMLElement {
    const base = `#/p/${encodeURIComponent(this.project.id)}/correct/${encodeURIComponent(recording.id)}`;
    const ready = recording.state === "segmented" || recording.state === "drafted";
    const name = h("bdi", {}, recording.name);
    const state = recording.state === "failed" ? (recording.error ?? t("recording.failed")) : t(`recording.${recording.state}` as Phrase);
    const remove = h("button", { type: "button", "aria-label": t("remove.named", { name: recording.name }), onclick: () => void this.remove(recording) }, t("remove"));
    return h(
      "li",
      { class: "card row" },
      h(
        "span",
        { class: "grow" },
        ready ? h("a", { href: base }, name) : name,
        h("span", { class: "soft block" }, `${clock(recording.duration_s)} · ${state}`),
        ...recording.warnings.map((each) => h("span", { class: "warning block" }, each)),
      ),
      ready && h("a", { class: "button", href: base }, t("correct")),
      remove,
    );
  }

  private async remove(recording: Recording): Promise<void> {
    if (!window.confirm(t("remove.sure", { name: recording.name }))) return;
    await server.forget(recording.id).catch((error: Error) => problem(error.message));
    await this.fetch();
  }

  private drop(): HTMLElement {
    const files = h("input", { type: "file", multiple: true, accept: "audio/*,video/*", id: "files" });
    const folder = h("input", { type: "file", webkitdirectory: true, id: "folder" });
    for (const input of [files, folder]) {
      input.addEventListener("change", () => {
        void this.sendAll([...(input.files ?? [])]);
        input.value = "";
      });
    }
    return h(
      "section",
      { class: "card drop", "aria-labelledby": "drop-title" },
      h("h2", { id: "drop-title" }, t("drop.title")),
      h("p", { class: "soft" }, t("drop.how")),
      h("div", { class: "row" }, h("label", { class: "button" }, t("choose.files"), files), h("label", { class: "button" }, t("choose.folder"), folder)),
    );
  }

  private readonly over = (event: DragEvent): void => event.preventDefault();

  private readonly fall = (event: DragEvent): void => {
    event.preventDefault(); // else the browser leaves the page for the file
    if (event.dataTransfer) void dropped(event.dataTransfer).then((files) => this.sendAll(files));
  };

  private readonly leave = (event: BeforeUnloadEvent): void => {
    if (this.recorder.busy || this.sending.childElementCount) event.preventDefault();
  };

  private async sendAll(files: File[]): Promise<void> {
    problem("");
    const sound = files.filter((file) => /^(audio|video)\//.test(file.type) || SOUND.test(file.name));
    const others = files.filter((file) => !sound.includes(file)).map((file) => file.name);
    if (others.length) problem(t("no.sound", { count: others.length, names: listed(others) }));
    for (const file of sound) await this.send(file, file.name);
  }

  /** Send one; whether it is there. */
  private async send(file: Blob, name: string): Promise<boolean> {
    const bar = h("progress", { max: 1, value: 0, "aria-label": t("sending.named", { name }) });
    const row = h("li", {}, h("bdi", {}, name), bar);
    this.sending.append(row);
    try {
      await server.send(this.project.id, file, name, (share) => (bar.value = share));
      tell(t("sent", { name }));
      await this.fetch();
      return true;
    } catch (error) {
      problem(error instanceof server.Away ? t("away.send", { name }) : `${name}: ${(error as Error).message}`);
      return false;
    } finally {
      row.remove();
    }
  }
}

// Systems that do not know a file's type give none.
const SOUND = /\.(wav|mp3|flac|ogg|oga|opus|m4a|aac|mp4|webm|3gp|amr|wma|aif|aiff|mov|mkv|avi)$/i;

const MOST_NAMES = 5;

/** The first few of many names. */
function listed(names: readonly string[]): string {
  return names.slice(0, MOST_NAMES).join(", ") + (names.length > MOST_NAMES ? ", …" : "");
}
