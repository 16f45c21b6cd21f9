// What was heard, as the page shows it and as files.

import { cuesOf, srt } from "./subtitles";
import type { Word } from "./words";

const urls = new Map<HTMLAnchorElement, string>();

/** Show text, times and downloads. */
export function show(words: Word[], language: string, name: string): void {
  const text = element("text");
  text.className = "";
  text.ariaBusy = "false";
  text.lang = language;
  const paragraphs = cuesOf(words).map((cue) => row("p", timed(cue.start), spelt(cue.lines.join(" "))));
  text.replaceChildren(...(paragraphs.length ? paragraphs : [row("em", "Nobody speaks in it, as far as this can hear.")]));
  element("times").replaceChildren(
    ...words.map((word) => row("tr", cell(word.start.toFixed(2)), cell(word.end.toFixed(2)), cell(word.text))),
  );
  offer("srt", srt(words), `${name}.srt`, "application/x-subrip");
  offer("txt", `${words.map((word) => word.text).join(" ")}\n`, `${name}.txt`, "text/plain");
  element("downloads").hidden = !words.length;
  document.querySelector("details")!.hidden = !words.length;
  element("result").hidden = false;
}

/** Show what the best path says so far. */
export function draft(said: string, language: string): void {
  const text = element("text");
  text.className = "draft";
  text.ariaBusy = "true"; // nothing is read out before it stands
  text.lang = language;
  text.textContent = said;
  element("downloads").hidden = true;
  document.querySelector("details")!.hidden = true;
  element("result").hidden = !said;
}

export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export const element = (id: string): HTMLElement => document.getElementById(id)!;

function offer(id: string, content: string, name: string, type: string): void {
  const link = element(id) as HTMLAnchorElement;
  const before = urls.get(link);
  if (before) URL.revokeObjectURL(before);
  link.href = URL.createObjectURL(new Blob([content], { type: `${type};charset=utf-8` }));
  link.download = name;
  urls.set(link, link.href);
}

function row(tag: string, ...children: (Node | string)[]): HTMLElement {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}

function timed(seconds: number): HTMLElement {
  const time = document.createElement("time");
  time.dateTime = `PT${seconds.toFixed(2)}S`;
  time.textContent = clock(seconds);
  return time;
}

/** Each by its own direction. */
function spelt(text: string): HTMLElement {
  const span = row("span", text);
  span.dir = "auto";
  return span;
}

function cell(text: string): HTMLElement {
  const made = row("td", text);
  made.dir = "auto";
  return made;
}
