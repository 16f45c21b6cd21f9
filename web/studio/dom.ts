// Elements, made in one expression each; and the places of the page where one is told something.

type Child = Node | string | null | undefined | false;
type Value = string | number | boolean | null | undefined | ((event: never) => unknown);

/** An element with attributes, listeners (`onclick`) and children; what is false, null or undefined is left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value as EventListener);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false));
  return made;
}

/** An element of SVG; its children are elements of SVG, or text. */
export function svg(tag: string, attributes: Record<string, string | number>, ...children: (Node | string)[]): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

export const element = (id: string): HTMLElement => document.getElementById(id)!;

/** Tell quietly: seen below, read out when the reader is idle. */
export function tell(text: string): void {
  element("told").textContent = text;
  window.clearTimeout(telling);
  telling = window.setTimeout(() => (element("told").textContent = ""), 6000);
}

let telling = 0;

/** Tell of a problem, until the next thing is done; an empty text takes it away. */
export function problem(text: string): void {
  const place = element("problem");
  place.hidden = !text;
  place.textContent = text;
}

/** 3725 → "1:02:05". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** 3.42 → "0:03.4": where within a recording. */
export function place(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  return `${clock(tenths / 10)}.${tenths % 10}`;
}

/** Do it `wait` ms after the last time that it was asked for. */
export function later(wait: number, work: () => void): { (): void; cancel(): void } {
  let timer = 0;
  const ask = () => {
    clearTimeout(timer);
    timer = window.setTimeout(work, wait);
  };
  ask.cancel = () => clearTimeout(timer);
  return ask;
}
