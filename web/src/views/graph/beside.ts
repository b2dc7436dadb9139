// SPDX-License-Identifier: Apache-2.0
// Discs around a whole that has its own outline: each as near to the whole, and to what it is linked to, as there is
// room, the largest first.
import { outside, type Disc } from "./pack";

const ALONG = 120; // places tried along the outline
const SAMPLE = 50; // links that count
const ROUND = 16; // and around each disc that stands already

function* tries(hull: Float64Array, r: number, placed: readonly Disc[]): Generator<[number, number]> {
  const n = hull.length / 2;
  for (let k = 0; k < ALONG; k++) {
    const i = Math.floor((k * n) / ALONG) * 2;
    const j = (i + 2) % hull.length;
    const ex = hull[j]! - hull[i]!;
    const ey = hull[j + 1]! - hull[i + 1]!;
    const len = Math.hypot(ex, ey) || 1;
    const part = (k * n) / ALONG - Math.floor((k * n) / ALONG);
    yield [hull[i]! + part * ex + ((r + 0.01) * ey) / len, hull[i + 1]! + part * ey - ((r + 0.01) * ex) / len];
  }
  for (const p of placed) {
    for (let k = 0; k < ROUND; k++) {
      const t = (2 * Math.PI * k) / ROUND;
      yield [p.x + (p.r + r + 0.01) * Math.cos(t), p.y + (p.r + r + 0.01) * Math.sin(t)];
    }
  }
}

export function beside(
  hull: Float64Array,
  discs: readonly Disc[],
  wide: number,
  gap: number,
  wanted: readonly (readonly [number, number])[][],
): void {
  const placed: Disc[] = [];
  discs.forEach((d, k) => {
    const every = Math.ceil(wanted[k]!.length / SAMPLE);
    const links = wanted[k]!.filter((_, i) => i % every === 0);
    const r = d.r + gap;
    let least = Infinity;
    let [bx, by] = [0, 0];
    for (const [x, y] of tries(hull, r, placed)) {
      if (outside(hull, x, y) < r - 0.1) continue;
      if (placed.some((p) => (p.x - x) ** 2 + (p.y - y) ** 2 < (p.r + r) ** 2 - 1e-3)) continue;
      let cost = Math.hypot(x / wide, y) * (links.length ? 0.5 : 1);
      for (const [lx, ly] of links) cost += Math.hypot(lx - x, ly - y) / links.length;
      if (cost < least) [least, bx, by] = [cost, x, y];
    }
    [d.x, d.y] = [bx, by];
    placed.push({ x: bx, y: by, r });
  });
}
