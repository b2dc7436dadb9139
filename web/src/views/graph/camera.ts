// SPDX-License-Identifier: Apache-2.0
// From lengths of the graph to pixels and back: what everything that is drawn beside WebGL needs, once a frame.
import type Sigma from "sigma";

export interface View {
  x: number; // px of the graph's origin
  y: number;
  s: number; // px of one unit; the graph's y goes up
  width: number;
  height: number;
}

export function viewOf(sigma: Sigma): View {
  const o = sigma.graphToViewport({ x: 0, y: 0 });
  const e = sigma.graphToViewport({ x: 1000, y: 0 });
  const { width, height } = sigma.getDimensions();
  return { x: o.x, y: o.y, s: (e.x - o.x) / 1000, width, height };
}

export const px = (v: View, x: number) => v.x + x * v.s;
export const py = (v: View, y: number) => v.y - y * v.s;

/** A disc of the graph is at least partly in sight. */
export const inSight = (v: View, x: number, y: number, r: number): boolean => {
  const [cx, cy, cr] = [px(v, x), py(v, y), r * v.s];
  return cx + cr >= 0 && cy + cr >= 0 && cx - cr <= v.width && cy - cr <= v.height;
};

export const sameView = (a: View, b: View): boolean =>
  a.x === b.x && a.y === b.y && a.s === b.s && a.width === b.width && a.height === b.height;
