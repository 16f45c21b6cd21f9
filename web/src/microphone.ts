// Runs where sound comes in: hands on what the microphone hears.

declare const registerProcessor: (name: string, processor: unknown) => void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

const BLOCK = 512; // what is lost when it is stopped: 10 ms at most

class Microphone extends AudioWorkletProcessor {
  private block = new Float32Array(BLOCK);
  private filled = 0;

  process(inputs: Float32Array[][]): boolean {
    const channel = inputs[0]?.[0];
    if (!channel) return true;
    for (const sample of channel) {
      this.block[this.filled++] = sample;
      if (this.filled < BLOCK) continue;
      this.port.postMessage(this.block, [this.block.buffer]);
      [this.block, this.filled] = [new Float32Array(BLOCK), 0];
    }
    return true;
  }
}

registerProcessor("microphone", Microphone);
