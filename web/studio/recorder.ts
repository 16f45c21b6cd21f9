// One records oneself: level, pause, listen to it, keep it or take it again.

import { clock, h, problem, tell } from "./dom";
import { Microphone, wav } from "./microphone";
import { t } from "./phrases";
import { drop, hold, left, RATE_HZ, Taking, type Take } from "./takes";

type Keep = (file: Blob, name: string) => Promise<boolean>;
const QUIET = 0.03; // of full scale: speech whose peaks stay below is too far from the microphone
const LOUD = 0.98;

export class Recorder {
  readonly node = h("section", { class: "card", "aria-labelledby": "record-title" });
  private microphone: Microphone | null = null;
  private taking: Taking | null = null;
  private release: () => void = () => undefined; // lets other tabs offer the take
  private closed = false;
  private paused = false;
  private loudest = 0;
  private url = "";
  private readonly meter = h("meter", { min: 0, max: 1, low: QUIET, high: LOUD, optimum: 0.5, value: 0, "aria-label": t("level") });
  private readonly time = h("output", { class: "time" }, "0:00");

  /** `keep` sends a take; its promise says whether it is there. */
  constructor(
    private readonly project: string,
    private readonly keep: Keep,
  ) {
    this.rest();
    void this.findLeft();
  }

  get busy(): boolean {
    return this.taking !== null;
  }

  close(): void {
    void this.microphone?.close();
    this.taking?.keep();
    this.closed = true;
    this.release();
    URL.revokeObjectURL(this.url);
  }

  private show(...children: (Node | string | false)[]): void {
    const shown = children.filter((child) => child !== false && child !== "") as (Node | string)[];
    this.node.replaceChildren(h("h2", { id: "record-title" }, t("record.title")), ...shown);
  }

  private rest(): void {
    const button = h("button", { type: "button", class: "record", onclick: () => void this.begin() }, t("record"));
    this.show(h("p", { class: "soft" }, t("record.how")), button);
  }

  private async begin(): Promise<void> {
    problem("");
    const id = `${Date.now()}.${Math.random()}`; // two tabs may begin at once
    const name = `${new Date().toLocaleString("sv").replace(/:/g, ".")}.wav`; // year first, so that names sort
    this.taking = new Taking({ id, project: this.project, name });
    [this.paused, this.loudest] = [false, 0];
    this.release = (await hold(id)) ?? this.release;
    try {
      this.microphone = await Microphone.open(RATE_HZ, {
        sound: (block) => this.taking?.push(block),
        level: (peak) => this.level(peak),
      });
    } catch (error) {
      this.taking = null;
      this.release();
      return problem((error as Error).message);
    }
    this.running();
    tell(t("recording"));
  }

  private level(peak: number): void {
    this.meter.value = Math.max(peak, 0.85 * this.meter.value); // falls slowly, so that one can see it
    this.loudest = Math.max(this.loudest, peak);
    this.time.textContent = clock(this.taking?.seconds ?? 0);
  }

  private running(): void {
    const pause = h("button", { type: "button" }, t("pause"));
    pause.onclick = () => {
      this.paused = !this.paused;
      this.microphone?.pause(this.paused);
      pause.textContent = t(this.paused ? "resume" : "pause");
      tell(t(this.paused ? "paused" : "recording"));
    };
    const stop = h("button", { type: "button", class: "primary", onclick: () => void this.end() }, t("stop"));
    this.show(h("div", { class: "meter" }, this.meter, this.time), h("div", { class: "row" }, stop, pause));
    stop.focus();
  }

  private async end(): Promise<void> {
    await this.microphone?.close();
    this.microphone = null;
    const taking = this.taking!;
    taking.keep();
    this.ask(taking.take, wav(taking.parts, RATE_HZ), taking.seconds, this.loudest);
  }

  /** Listen to a take, and say whether it is good. */
  private ask(take: Take, file: Blob, seconds: number, loudest: number): void {
    URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(file);
    const keep = h("button", { type: "button", class: "primary" }, t("keep"));
    const again = h("button", { type: "button" }, t("again"));
    keep.onclick = async () => {
      keep.disabled = again.disabled = true;
      if (await this.keep(file, take.name)) await this.done(take);
      else keep.disabled = again.disabled = false; // it stays here, and can be sent again
    };
    again.onclick = async () => {
      await this.done(take);
      await this.begin();
    };
    const warning = loudest >= LOUD ? t("too.loud") : loudest < QUIET ? t("too.quiet") : "";
    this.show(
      h("audio", { controls: true, src: this.url, "aria-label": t("your.take") }),
      h("p", { class: "soft" }, `${take.name} · ${clock(seconds)}`),
      warning && h("p", { class: "warning" }, warning),
      h("div", { class: "row" }, keep, again),
    );
    tell(warning);
    keep.focus();
  }

  private async done(take: Take): Promise<void> {
    await drop(take.id);
    this.release();
    this.taking = null;
    this.rest();
  }

  private async findLeft(): Promise<void> {
    for (const [take, parts] of await left(this.project)) {
      const release = await hold(take.id);
      if (!release) continue; // another tab records it, or offers it
      if (this.taking || this.closed) return release();
      this.release = release;
      const samples = parts.reduce((sum, part) => sum + part.length, 0);
      this.ask(take, wav(parts, RATE_HZ), samples / RATE_HZ, 0.5);
      this.node.append(h("p", { class: "warning" }, t("never.sent")));
      return;
    }
  }
}
