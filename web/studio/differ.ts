// Where two texts differ, word by word: the longest common subsequence of words (Wagner and Fischer 1974).

import { h } from "./dom";

export interface Piece {
  text: string;
  same: boolean;
}

const MOST = 4_000_000; // cells of the table: texts of 2000 words each; longer ones are shown as they are

/** The words of both texts, each said to be in the other or not, joined where neighbours are alike. */
export function differ(before: string, after: string): [Piece[], Piece[]] {
  const [a, b] = [words(before), words(after)];
  if (a.length * b.length > MOST) return [[{ text: before, same: true }], [{ text: after, same: true }]];
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const [down, right] = [longest[(i + 1) * width + j], longest[i * width + j + 1]];
      longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1] + 1 : Math.max(down, right);
    }
  }
  const [left, right]: [Piece[], Piece[]] = [[], []];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add(left, a[i++], true);
      add(right, b[j++], true);
    } else if (j === b.length || (i < a.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
      add(left, a[i++], false);
    } else {
      add(right, b[j++], false);
    }
  }
  return [left, right];
}

/** Pieces as a paragraph; what differs is marked, by `del` or `ins`, not by colour alone. */
export function shown(pieces: Piece[], mark: "del" | "ins"): HTMLElement {
  const parts = pieces.flatMap((piece, n) => [n ? " " : "", piece.same ? piece.text : h(mark, {}, piece.text)]);
  return h("p", { dir: "auto", class: "differing" }, ...parts);
}

const words = (text: string): string[] => text.normalize("NFC").split(/\s+/u).filter(Boolean);

function add(pieces: Piece[], text: string, same: boolean): void {
  const last = pieces[pieces.length - 1];
  if (last?.same === same) last.text += ` ${text}`;
  else pieces.push({ text, same });
}
