// SPDX-License-Identifier: Apache-2.0
// Links as curves: inside a group a gentle arc; between groups drawn towards the way from one middle to the other, so
// that links of the same two groups run together and the picture stays calm.
import type { Links } from "~/api/catalogue";
import type { Groups } from "./groups";

const BOW = 0.14; // of an arc's length
const BUNDLED = 0.8; // how much of the common way a link takes

export type Curve = [number, number, number, number, number, number, number, number];

/** Groups from the outermost to the one of a twin. */
function chain(groups: Groups, twin: number): number[] {
  const out: number[] = [];
  for (let g = groups.of[twin]!; g >= 0; g = groups.list[g]!.parent) out.unshift(g);
  return out;
}

export function curveOf(groups: Groups, x: Float64Array, y: Float64Array, a: number, b: number): Curve {
  const [ax, ay, bx, by] = [x[a]!, y[a]!, x[b]!, y[b]!];
  const [p, q] = [chain(groups, a), chain(groups, b)];
  let k = 0;
  while (k < p.length && k < q.length && p[k] === q[k]) k++;
  const from = groups.list[p[k] ?? -1];
  const to = groups.list[q[k] ?? -1];
  if (!from && !to) {
    const [dx, dy] = [(bx - ax) * BOW, (by - ay) * BOW];
    return [ax, ay, ax + 2 * dx - dy, ay + 2 * dy + dx, bx - 2 * dx - dy, by - 2 * dy + dx, bx, by];
  }
  const [fx, fy] = from ? [from.x, from.y] : [ax, ay];
  const [tx, ty] = to ? [to.x, to.y] : [bx, by];
  const part = (t: number): [number, number] => [fx + (tx - fx) * t, fy + (ty - fy) * t];
  const mix = (u: number, w: number) => u + (w - u) * BUNDLED;
  const [c1x, c1y] = part(0.35);
  const [c2x, c2y] = part(0.65);
  return [ax, ay, mix(ax, c1x), mix(ay, c1y), mix(bx, c2x), mix(by, c2y), bx, by];
}

/** One of the two is the whole of which the other is a part. */
export function toldByDiscs(groups: Groups, a: number, b: number): boolean {
  const whole = (w: number, part: number) => {
    const g = groups.list[groups.of[part]!];
    return g !== undefined && (g.twin === w || (g.twin === part && groups.list[g.parent]?.twin === w));
  };
  return whole(a, b) || whole(b, a);
}

/** Links that are drawn when nobody is chosen: not those that the discs tell, and of several between two only one. */
export function calm(links: Links, groups: Groups): { inner: number[]; outer: number[] } {
  const inner: number[] = [];
  const outer: number[] = [];
  const drawn = new Set<number>();
  for (let i = 0; i < links.from.length; i++) {
    const [a, b] = [links.from[i]!, links.to[i]!];
    if (a === b || toldByDiscs(groups, a, b)) continue;
    const key = Math.min(a, b) * groups.of.length + Math.max(a, b);
    if (drawn.has(key)) continue;
    drawn.add(key);
    (groups.of[a] === groups.of[b] && groups.of[a]! >= 0 ? inner : outer).push(i);
  }
  return { inner, outer };
}
