// Where in a recording certainly nobody speaks, for two seconds or more (`earful.audio.silence`): that is left out.

import { Fourier } from "./fourier";
import { RATE } from "./windows";

const HOP_S = 0.02;
export const GRID_S = 0.12; // at which sound is cut without moving frames
const SHORTEST_S = 2;
const MARGIN_S = 0.36;
const FRAME = 640;
const HOP = 320;
const EDGES_HZ = [120, 300, 450, 650, 900, 1200, 1600, 2100, 2800, 3700, 5000, 7000];
const SMOOTH = 5; // frames over which the power of a band is averaged
const FLOOR = 150; // frames, of which this share is below the floor:
const FLOOR_SHARE = 0.15;
const LOUDEST_BANDS = 3;
const RISE_DB = 4; // by how much those rise together where somebody speaks
const NOTHING_DBFS = -85;

const BANDS = EDGES_HZ.length - 1;
const EDGES = EDGES_HZ.map((hz) => Math.round((hz * FRAME) / RATE));
const fourier = new Fourier(FRAME);
const taper = Float64Array.from({ length: FRAME }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / (FRAME - 1)));

/** For each GRID_S of samples, whether somebody may speak in it. */
export function spoken(samples: Float32Array): boolean[] {
  const quiet = silences(samples);
  const step = Math.round(GRID_S / HOP_S);
  return Array.from({ length: Math.ceil(quiet.length / step) }, (_, g) =>
    quiet.slice(g * step, (g + 1) * step).some((each) => !each),
  );
}

/** For each HOP_S of samples, whether it is amid two seconds or more without speech. */
export function silences(samples: Float32Array): boolean[] {
  const count = Math.ceil(samples.length / HOP);
  if (!count) return [];
  return long(riseDb(bandPower(samples, count)).map((rise) => rise < RISE_DB));
}

/** Power of each band, band by band, in each frame, smoothed over time. */
function bandPower(samples: Float32Array, count: number): Float64Array[] {
  const bands = Array.from({ length: BANDS }, () => new Float64Array(count));
  const frame = new Float64Array(FRAME);
  for (let f = 0; f < count; f++) {
    for (let n = 0; n < FRAME; n++) frame[n] = (samples[f * HOP + n] ?? 0) * taper[n];
    const power = fourier.power(frame, EDGES[BANDS]);
    for (let b = 0; b < BANDS; b++) {
      let sum = 0;
      for (let bin = EDGES[b]; bin < EDGES[b + 1]; bin++) sum += power[bin];
      bands[b][f] = sum / ((FRAME * FRAME) / 4);
    }
  }
  return bands.map(smoothed);
}

function smoothed(power: Float64Array): Float64Array {
  const half = (SMOOTH - 1) / 2;
  return power.map((_, f) => {
    let sum = 0;
    for (let n = f - half; n <= f + half; n++) sum += power[Math.min(Math.max(n, 0), power.length - 1)];
    return sum / SMOOTH;
  });
}

/** How far the bands that rise most are over their floors, in dB. */
function riseDb(bands: Float64Array[]): number[] {
  const levels = bands.map((power) => power.map((each) => 10 * Math.log10(Math.max(each, 10 ** (NOTHING_DBFS / 10)))));
  const floors = levels.map(floorOf);
  return Array.from(levels[0], (_, f) => {
    const rises = levels.map((level, b) => level[f] - floors[b][Math.floor(f / (FLOOR / 10))]);
    rises.sort((a, b) => b - a);
    return rises.slice(0, LOUDEST_BANDS).reduce((a, b) => a + b) / LOUDEST_BANDS;
  });
}

/** The floor of a band at every fifteenth frame, of the frames around it. */
function floorOf(level: Float64Array): Float64Array {
  const count = level.length;
  const at = (place: number) => {
    if (count <= FLOOR) return level[Math.min(Math.max(place, 0), count - 1)];
    const inside = place < 0 ? -place : place;
    return level[inside >= count ? 2 * (count - 1) - inside : inside];
  };
  const rank = Math.floor(FLOOR_SHARE * FLOOR);
  return Float64Array.from({ length: Math.ceil(count / (FLOOR / 10)) }, (_, n) => {
    const around = Float64Array.from({ length: FLOOR }, (_, k) => at(n * (FLOOR / 10) + k - FLOOR / 2));
    return around.sort()[rank];
  });
}

/** Runs of at least SHORTEST_S, without their margins; at the ends of the recording there is none. */
function long(quiet: boolean[]): boolean[] {
  const found = quiet.map(() => false);
  const margin = Math.round(MARGIN_S / HOP_S);
  for (let begin = 0; begin < quiet.length; begin++) {
    if (!quiet[begin]) continue;
    let end = begin;
    while (end < quiet.length && quiet[end]) end++;
    if (end - begin >= SHORTEST_S / HOP_S) {
      found.fill(true, begin ? begin + margin : 0, end < quiet.length ? end - margin : end);
    }
    begin = end;
  }
  return found;
}
