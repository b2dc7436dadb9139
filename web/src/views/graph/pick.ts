// SPDX-License-Identifier: Apache-2.0
// Which twin is under the pointer: a grid over the places, looked up in microseconds however many there are. Reading it
// from the picture, as WebGL would, makes the page wait for the graphics card.
import type { Clusters } from "./clusters";
import type { View } from "./camera";

const NEAR = 4; // px that a pointer may miss a small dot by

export class Grid {
  private start = new Uint32Array(1);
  private of = new Uint32Array();
  private columns = 1;
  private rows = 1;
  private x0 = 0;
  private y0 = 0;
  private largest = 0;

  constructor(
    private readonly x: Float64Array,
    private readonly y: Float64Array,
    private readonly radius: Float64Array,
    private readonly cell: number,
  ) {
    this.build();
  }

  /** Anew, when somebody has moved. */
  build(): void {
    const { x, y, cell } = this;
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < x.length; i++) {
      x0 = Math.min(x0, x[i]!);
      x1 = Math.max(x1, x[i]!);
      y0 = Math.min(y0, y[i]!);
      y1 = Math.max(y1, y[i]!);
    }
    this.resized();
    if (!x.length) return;
    [this.x0, this.y0] = [x0, y0];
    this.columns = Math.min(2000, Math.floor((x1 - x0) / cell) + 1);
    this.rows = Math.min(2000, Math.floor((y1 - y0) / cell) + 1);
    const count = new Uint32Array(this.columns * this.rows + 1);
    for (let i = 0; i < x.length; i++) count[this.at(x[i]!, y[i]!) + 1]!++;
    for (let i = 1; i < count.length; i++) count[i]! += count[i - 1]!;
    this.start = count.slice();
    this.of = new Uint32Array(x.length);
    for (let i = 0; i < x.length; i++) this.of[count[this.at(x[i]!, y[i]!)]!++] = i;
  }

  resized(): void {
    this.largest = 0;
    for (const r of this.radius) if (r > this.largest) this.largest = r;
  }

  private column = (x: number) => Math.max(0, Math.min(this.columns - 1, Math.floor((x - this.x0) / this.cell)));
  private row = (y: number) => Math.max(0, Math.min(this.rows - 1, Math.floor((y - this.y0) / this.cell)));
  private at = (x: number, y: number) => this.row(y) * this.columns + this.column(x);

  /** Twins whose middle lies in a rectangle. */
  *within(x0: number, y0: number, x1: number, y1: number): Generator<number> {
    if (!this.of.length) return;
    for (let r = this.row(y0); r <= this.row(y1); r++) {
      const a = this.start[r * this.columns + this.column(x0)]!;
      const b = this.start[r * this.columns + this.column(x1) + 1]!;
      for (let k = a; k < b; k++) {
        const i = this.of[k]!;
        if (this.x[i]! >= x0 && this.x[i]! <= x1 && this.y[i]! >= y0 && this.y[i]! <= y1) yield i;
      }
    }
  }

  /** The nearest twin whose dot, or what is nearly its dot, holds a place on the screen; -1: none. */
  pick(v: View, sx: number, sy: number, least: number, most: number, shown: (i: number) => boolean): number {
    const x = (sx - v.x) / v.s;
    const y = (v.y - sy) / v.s;
    const reach = Math.min(most, Math.max(least, this.largest * v.s)) / v.s + NEAR / v.s;
    let best = -1;
    let nearest = Infinity;
    for (const i of this.within(x - reach, y - reach, x + reach, y + reach)) {
      const r = Math.min(most, Math.max(least, this.radius[i]! * v.s)) / v.s;
      const d = Math.hypot(this.x[i]! - x, this.y[i]! - y) - r;
      if (d <= NEAR / v.s && d < nearest && shown(i)) [best, nearest] = [i, d];
    }
    return best;
  }
}

/** The closed group at a place on the screen; -1: none. */
export function closedAt(c: Clusters, v: View, sx: number, sy: number): number {
  const { groups, shown } = c;
  const x = (sx - v.x) / v.s;
  const y = (v.y - sy) / v.s;
  const open = new Set<number>([-1]);
  for (let i = 0; i < groups.list.length; i++) {
    const g = groups.list[i]!;
    if (!open.has(g.parent) || !shown[i]) continue;
    if (!g.hull && (g.x - x) ** 2 + (g.y - y) ** 2 > g.r * g.r) continue;
    if (c.openness(g, v.s) < 0.5) return i;
    open.add(i);
  }
  return -1;
}
