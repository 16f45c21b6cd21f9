// What the page says, in the language of who reads it. A translation is a file of phrases and a line here.

import en from "./phrases/en.json";
import es from "./phrases/es.json";
import fr from "./phrases/fr.json";

export type Phrase = keyof typeof en;

/** Each language with its own name, as those who read it know it. */
export const LANGUAGES: Record<string, string> = { en: "English", es: "Español", fr: "Français" };
const TABLES: Record<string, Partial<Record<Phrase, string>>> = { en, es, fr };

let spoken = "en";

/** The language in use. */
export const language = (): string => spoken;

/** The one that was chosen by hand, else the first of the browser's that there is. */
export function begin(): void {
  const wanted = [localStorage.getItem("earful.lang") ?? "", ...navigator.languages];
  use(wanted.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => tag in TABLES) ?? "en");
}

export function use(tag: string): void {
  spoken = tag;
  document.documentElement.lang = tag;
}

/** Whether that is a phrase. */
export const known = (name: string): name is Phrase => name in en;

/** A phrase; {name} in it stands for a value. */
export function t(phrase: Phrase, values: Record<string, string | number> = {}): string {
  const text = TABLES[spoken][phrase] ?? en[phrase];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** A number as one writes it in that language. */
export function number(value: number, digits: number): string {
  return value.toLocaleString(spoken, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** What a language is called, where browsers know it. */
export function named(tag: string): string {
  try {
    return (tag && new Intl.DisplayNames([spoken], { type: "language" }).of(tag)) || tag;
  } catch {
    return tag;
  }
}
