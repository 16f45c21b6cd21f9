// The worker: it listens, while the page stays quick.

import { type Answer, type Ask, Failed } from "./messages";
import { Recogniser } from "./recogniser";
import { soundOfFile, soundOfSamples } from "./sound";
import { tapeOf } from "./tape";

let recogniser: Promise<Recogniser> | null = null;
let opened: Recogniser | null = null;

const tell = (answer: Answer) => postMessage(answer);

async function open(base: string): Promise<void> {
  recogniser = Recogniser.load(base, (share) => tell({ kind: "loading", share }));
  opened = await recogniser;
  tell({ kind: "ready", settings: opened.settings });
}

async function answer(ask: Ask): Promise<void> {
  if (ask.kind === "open") return open(ask.base);
  if (ask.kind === "stop") {
    if (opened) opened.stopped = true;
    return;
  }
  const ready = await recogniser!;
  if (ask.kind === "decode") {
    const tape = tapeOf(ask.logp, ready.settings.symbols.length + 1);
    return tell({ kind: "said", said: await ready.decode(tape, ask.duration, ask.greedy, () => {}) });
  }
  const sound = ask.sound instanceof Blob ? await soundOfFile(ask.sound) : soundOfSamples(ask.sound);
  const said = await ready.hear(sound, ask.greedy, ask.keep, (stage, done, total, draft) =>
    tell({ kind: "hearing", stage, done, total, draft }),
  );
  tell({ kind: "said", said });
}

onmessage = (event: MessageEvent<Ask>) => {
  answer(event.data).catch((error: unknown) => {
    const what = error instanceof Failed ? error.what : "broken";
    tell({ kind: "failed", what, detail: error instanceof Error ? error.message : String(error) });
  });
};
