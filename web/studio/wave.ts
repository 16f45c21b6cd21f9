// The waveform of a recording, its segments on it, and their sound.

import WaveSurfer from "wavesurfer.js";
import Regions, { type Region } from "wavesurfer.js/plugins/regions";
import type { Segment } from "./kinds";
import { h } from "./dom";
import { audio, peaks } from "./server";

const PEAKS_A_SECOND = 50;
const MOST_PEAKS = 20_000; // of an hour: five a second
const NARROW_S = 12; // so much is seen on a narrow screen

type Plugin = ReturnType<typeof Regions.create>;

export class Wave {
  readonly node = h("div", { class: "wave", "aria-hidden": "true" }); // all that one does on it, one can do by keys beside it
  readonly sound = h("audio", { preload: "auto" });
  private surfer: WaveSurfer | null = null;
  private plugin: Plugin | null = null;
  private readonly regions = new Map<string, Region>();
  private until = Infinity;
  private chosen = "";
  private recording = "";
  private px = 0;
  duration = 0;

  /** `pick` is told which segment was clicked, `moved` where its edges were drawn to. */
  constructor(
    private readonly pick: (segment: string) => void,
    private readonly moved: (segment: string, start_s: number, end_s: number) => void,
  ) {
    this.sound.addEventListener("timeupdate", () => this.stopAtEnd());
    this.sound.addEventListener("play", () => this.follow());
  }

  /** Show a recording. */
  async load(recording: string, duration: number, segments: Segment[]): Promise<void> {
    if (recording !== this.recording) {
      this.close();
      [this.recording, this.duration] = [recording, duration];
      this.sound.src = audio(recording);
      const found = await peaks(recording, Math.min(MOST_PEAKS, Math.max(200, Math.ceil(PEAKS_A_SECOND * duration))));
      if (recording !== this.recording) return; // another was chosen meanwhile
      await this.draw([found.map(([, high]) => high), found.map(([low]) => low)]);
      if (recording !== this.recording) return;
    }
    this.mark(segments);
  }

  /** Show segments where they are now. */
  mark(segments: Segment[]): void {
    if (!this.plugin) return;
    const here = new Map(segments.filter((each) => each.recording === this.recording).map((each) => [each.id, each]));
    for (const [id, region] of this.regions) {
      if (here.has(id)) continue;
      region.remove();
      this.regions.delete(id);
    }
    for (const [id, segment] of here) {
      const [start, end] = [segment.start_s, segment.end_s];
      const region = this.regions.get(id) ?? this.plugin.addRegion({ id, start, end, color: "", drag: false, resize: id === this.chosen });
      this.regions.set(id, region);
      if (region.start !== start || region.end !== end) region.setOptions({ start, end });
      this.colour(region, segment.state);
    }
  }

  /** Make one segment the chosen one: in view, and its edges can be moved. */
  choose(segment: Segment): void {
    const before = this.regions.get(this.chosen);
    this.chosen = segment.id;
    before?.setOptions({ resize: false });
    this.regions.get(segment.id)?.setOptions({ resize: true });
    for (const each of [before, this.regions.get(segment.id)]) {
      each?.element?.classList.toggle("chosen", each.id === segment.id);
    }
    this.show(segment);
  }

  play(from: number, until: number, rate: number): void {
    this.sound.preservesPitch = true;
    this.sound.playbackRate = rate;
    this.sound.currentTime = from;
    this.until = until;
    void this.sound.play().catch(() => undefined); // it was stopped before it began
  }

  pause(): void {
    this.sound.pause();
  }

  get playing(): boolean {
    return !this.sound.paused;
  }

  /** So many pixels a second; 0: as it fits. */
  zoom(px: number): void {
    this.px = px;
    this.surfer?.zoom(px || this.fitting());
  }

  close(): void {
    this.sound.pause();
    this.surfer?.destroy();
    [this.surfer, this.plugin, this.recording] = [null, null, ""];
    this.regions.clear();
  }

  private fitting(): number {
    return Math.max(30, this.node.clientWidth / NARROW_S);
  }

  /** Resolves when it knows how long it is: regions that came before would be of no length. */
  private async draw(sides: number[][]): Promise<void> {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    this.plugin = Regions.create();
    this.surfer = WaveSurfer.create({
      container: this.node,
      media: this.sound,
      peaks: sides,
      duration: this.duration,
      height: 96,
      normalize: true,
      minPxPerSec: this.px || this.fitting(),
      waveColor: colour("--wave"),
      progressColor: colour("--wave"),
      cursorColor: colour("--live"),
      cursorWidth: 2,
      autoCenter: false,
      plugins: [this.plugin],
    });
    const ready = new Promise<void>((done) => this.surfer!.once("ready", () => done()));
    adopt(this.surfer.getWrapper().getRootNode() as ShadowRoot);
    this.plugin.on("region-clicked", (region, event) => {
      event.stopPropagation();
      this.pick(region.id);
    });
    this.plugin.on("region-updated", (region) => {
      if (region.id === this.chosen) this.moved(region.id, round(region.start), round(region.end));
    });
    await ready;
  }

  private colour(region: Region, state: string): void {
    if (!region.element) return;
    region.element.dataset.state = state;
    region.element.classList.toggle("chosen", region.id === this.chosen);
  }

  private readonly show = (segment: Segment): void => {
    this.until = segment.end_s;
    if (!this.surfer) return;
    if (!this.playing) this.surfer.setTime(segment.start_s);
    const seen = this.node.clientWidth / (this.px || this.fitting());
    const margin = Math.max(0.5, (seen - (segment.end_s - segment.start_s)) / 2);
    this.surfer.setScrollTime(Math.max(0, segment.start_s - margin));
  };

  /** While it plays: look more often than the browser tells, so that the next word is not heard. */
  private follow(): void {
    this.stopAtEnd();
    if (this.playing) requestAnimationFrame(() => this.follow());
  }

  private stopAtEnd(): void {
    if (this.playing && this.sound.currentTime >= this.until) {
      this.sound.pause();
      this.sound.currentTime = this.until;
    }
  }
}

const round = (seconds: number): number => Math.round(seconds * 1000) / 1000;

/** wavesurfer's style is within the page, which the page's policy forbids; and ours for its segments. */
function adopt(root: ShadowRoot): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`${root.querySelector("style")?.textContent ?? ""}
    [part~="region"] { background: var(--segment); border-inline: 1px solid var(--soft); }
    [part~="region"][data-state="accepted"] { background: var(--accepted); }
    [part~="region"][data-state="skipped"] { background: repeating-linear-gradient(45deg, transparent 0 6px, var(--segment) 6px 9px); }
    [part~="region"].chosen { outline: 3px solid var(--accent); outline-offset: -3px; }`);
  root.adoptedStyleSheets = [sheet];
}
