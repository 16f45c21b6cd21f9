// Live: one speaks, and words appear; what is settled stays, the grey tail may still change.

import { h, problem, tell } from "./dom";
import { Microphone } from "./microphone";
import { t } from "./phrases";
import { Stream } from "./realtime";
import * as server from "./server";

export class Live {
  readonly node = h("div");
  private stream: Stream | null = null;
  private microphone: Microphone | null = null;
  private readonly settled = h("span");
  private readonly tail = h("span", { class: "tail" });
  private readonly meter = h("meter", { min: 0, max: 1, low: 0.03, high: 0.98, optimum: 0.5, value: 0, "aria-label": t("level") });
  private readonly button = h("button", { type: "button", class: "primary" }, t("live.start"));
  private readonly model = h("select", { id: "model" });

  async open(): Promise<void> {
    this.button.addEventListener("click", () => void this.press());
    // Only what is settled is read out: a tail that changes would be babble.
    const text = h("p", { class: "live card", dir: "auto" }, h("span", { "aria-live": "polite" }, this.settled), h("span", { "aria-hidden": "true" }, this.tail));
    const copy = h("button", { type: "button", onclick: () => void navigator.clipboard.writeText(this.settled.textContent ?? "").then(() => tell(t("copied"))) }, t("copy"));
    this.node.replaceChildren(
      h("h1", {}, t("live")),
      h("p", { class: "soft" }, t("live.how")),
      h("div", { class: "row wrap" }, h("label", { for: "model" }, t("model")), this.model, this.button, copy),
      h("div", { class: "meter" }, this.meter),
      text,
    );
    const names = await server.known();
    this.model.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
    this.button.disabled = !names.length;
  }

  close(): void {
    void this.microphone?.close();
    this.stream?.close();
    [this.microphone, this.stream] = [null, null];
  }

  changed(): void {}
  told(): void {}

  private async press(): Promise<void> {
    this.button.disabled = true;
    try {
      await (this.microphone ? this.end() : this.begin());
    } catch (error) {
      this.close();
      problem((error as Error).message);
    } finally {
      this.button.disabled = false;
      this.button.textContent = t(this.microphone ? "stop" : "live.start");
      this.model.disabled = this.microphone !== null;
    }
  }

  private async begin(): Promise<void> {
    problem("");
    this.settled.textContent = this.tail.textContent = "";
    const stream = await Stream.open(this.model.value, {
      text: (settled, tail) => {
        if (this.settled.textContent !== settled) this.settled.textContent = settled;
        this.tail.textContent = tail && settled ? ` ${tail}` : tail;
      },
      failed: (message) => {
        problem(message);
        this.close();
        this.button.textContent = t("live.start");
        this.model.disabled = false;
      },
    });
    this.stream = stream;
    this.microphone = await Microphone.open(stream.rate, {
      sound: (block) => stream.send(block),
      level: (peak) => (this.meter.value = Math.max(peak, 0.85 * this.meter.value)),
    });
    tell(t("live.speak"));
  }

  private async end(): Promise<void> {
    await this.microphone?.close();
    this.microphone = null;
    this.meter.value = 0;
    await this.stream?.finish();
    this.stream?.close();
    this.stream = null;
    tell(t("live.ended"));
  }
}
