// The page: what is at which address, and what is seen everywhere.

import { Adapt } from "./adapt";
import { Correct } from "./correct";
import { element, h, problem, tell } from "./dom";
import { Files } from "./files";
import { help } from "./keys";
import type { Changed, Project } from "./kinds";
import { Live } from "./live";
import { Outbox } from "./outbox";
import { begin, language, LANGUAGES, t, use, type Phrase } from "./phrases";
import { Projects } from "./projects";
import { Recordings } from "./recordings";
import * as server from "./server";

interface View {
  node: HTMLElement;
  open(): Promise<void>;
  close(): void;
  changed(what: Changed): void;
  told(): void;
}

const TABS = ["recordings", "correct", "adapt", "files"] as const;
type Tab = (typeof TABS)[number];

const outbox = new Outbox(localStorage);
let view: View | null = null;
let turn = 0;

function header(): void {
  const lang = h("select", { id: "lang", "aria-label": t("interface") }, ...Object.entries(LANGUAGES).map(([tag, name]) => h("option", { value: tag, lang: tag, selected: tag === language() }, name)));
  lang.addEventListener("change", () => {
    localStorage.setItem("earful.lang", lang.value);
    use(lang.value);
    dress();
    void route();
  });
  const who = h("input", { id: "who", value: server.person(), placeholder: t("who"), "aria-label": t("who"), autocomplete: "name", maxlength: 60 });
  who.addEventListener("change", () => server.call(who.value));
  element("top").replaceChildren(
    h("a", { class: "brand", href: "#/" }, "earful"),
    h("nav", { "aria-label": t("nav") }, h("a", { href: "#/" }, t("projects")), h("a", { href: "#/live" }, t("live"))),
    h("div", { class: "row end" }, who, lang, h("button", { type: "button", "aria-label": t("keys"), title: t("keys"), onclick: () => help() }, "?")),
  );
}

/** All that is there whatever is open, in the language of now. */
function dress(): void {
  header();
  element("skip").textContent = t("skip.to");
  told();
}

/** How many edits wait here while the server is away. */
function told(): void {
  const away = element("away");
  away.hidden = !outbox.away || !outbox.count;
  const text = away.hidden ? "" : t("away", { count: outbox.count });
  if (away.textContent !== text) away.textContent = text;
  view?.told();
}

function tabs(project: Project, open: Tab): HTMLElement {
  const links = TABS.map((tab) =>
    h("a", { href: `#/p/${encodeURIComponent(project.id)}/${tab}`, "aria-current": tab === open ? "page" : null }, t(`tab.${tab}` as Phrase)),
  );
  return h("div", {}, h("h1", {}, h("bdi", {}, project.name)), h("nav", { class: "tabs", "aria-label": t("project") }, ...links));
}

function made(project: Project, tab: Tab, rest: string | null): View {
  if (tab === "correct") return new Correct(project, outbox, rest);
  if (tab === "adapt") return new Adapt(project, outbox);
  if (tab === "files") return new Files(project);
  return new Recordings(project);
}

/** Show what the address says: #/, #/live, #/p/PROJECT/TAB, #/p/PROJECT/correct/RECORDING. */
async function route(): Promise<void> {
  const mine = ++turn;
  view?.close();
  view = null;
  problem("");
  tell("");
  const [what, id, tab, rest] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const main = element("main");
  try {
    if (what === "p" && id) {
      const project = await server.project(id);
      if (mine !== turn) return; // one has gone on meanwhile
      const open = TABS.find((each) => each === tab) ?? "recordings";
      view = made(project, open, rest ?? null);
      main.replaceChildren(tabs(project, open), view.node);
      document.title = `${project.name} · earful`;
    } else {
      view = what === "live" ? new Live() : new Projects();
      main.replaceChildren(view.node);
      document.title = `${t(what === "live" ? "live" : "projects")} · earful`;
    }
    document.body.dataset.view = what === "p" ? tab : what || "projects";
    await view.open();
    if (mine === turn && document.activeElement === document.body) main.focus({ preventScroll: true });
  } catch (error) {
    problem(error instanceof server.Away ? t("no.server") : (error as Error).message);
  }
}

begin();
outbox.told = told;
dress();
window.addEventListener("hashchange", () => void route());
window.addEventListener("online", () => void outbox.flushAll());
element("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is the view's
  element("main").focus();
});
server.watch(
  (what) => view?.changed(what),
  () => {
    void outbox.flushAll();
    view?.changed({ kind: "recording", id: "" }); // what was missed meanwhile
  },
);
void outbox.flushAll();
void route();
