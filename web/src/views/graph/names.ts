// SPDX-License-Identifier: Apache-2.0
// Names of twins that nothing else has named: of many those that fit below their dots, the largest dots first; of few
// all of them, at whichever side there is room. No name stands over another one, or over a dot.
import type { View } from "./camera";
import { marked, namedOf, spotsOf, type Named, type Pen } from "./detail";
import type { DotLook } from "./dots";
import { halfOf, write } from "./labels";
import { FEW, type Scene } from "./scene";

const NAMED = 5; // px radius from which on a dot among many may have its name
const TRIED = 1500; // names tried in a frame
const ROUNDS = 8; // ways tried to name all of few

interface Spot {
  x: number;
  y: number;
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** Twins in sight that are shown; null: too many to name. */
function inView(scene: Scene, v: View): number[] | null {
  const [x0, x1] = [-v.x / v.s, (v.width - v.x) / v.s];
  const [y0, y1] = [(v.y - v.height) / v.s, v.y / v.s];
  const out: number[] = [];
  for (const i of scene.grid.within(x0, y0, x1, y1)) {
    if (scene.hidden?.[i]) continue;
    if (out.push(i) > TRIED) return null;
  }
  return out.filter((i) => scene.uncovered(i, v));
}

/** Where a name may stand without covering a dot that is shown. */
function spots(scene: Scene, pen: Pen, dots: DotLook, n: Named, sides = 4): Spot[] {
  const { ctx, v } = pen;
  const [w, h] = halfOf(ctx, n.text, n.style);
  const reach = Math.min(dots.most, Math.max(dots.least, scene.places.slot * v.s)) / v.s;
  return spotsOf(ctx, n)
    .slice(0, sides)
    .map(([x, y]): Spot => ({ x, y, x0: x - w, y0: y - h + 1, x1: x + w, y1: y + h - 1 }))
    .filter((s) => {
      const [a, c] = [(s.x0 - v.x) / v.s - reach, (s.x1 - v.x) / v.s + reach];
      const [b, d] = [(v.y - s.y1) / v.s - reach, (v.y - s.y0) / v.s + reach];
      for (const i of scene.grid.within(a, b, c, d))
        if (!scene.hidden?.[i] && covers(s, v.x + scene.x[i]! * v.s, v.y - scene.y[i]! * v.s, scene.px(i, v, dots)))
          return false;
      return pen.room.free(s.x0, s.y0 - 1, s.x1, s.y1 + 1);
    });
}

/** A box and a disc meet. */
function covers(s: Spot, x: number, y: number, r: number): boolean {
  const dx = Math.max(s.x0 - x, 0, x - s.x1);
  const dy = Math.max(s.y0 - y, 0, y - s.y1);
  return dx * dx + dy * dy < r * r;
}

const meet = (a: Spot, b: Spot) => a.x0 < b.x1 && b.x0 < a.x1 && a.y0 - 1 < b.y1 + 1 && b.y0 - 1 < a.y1 + 1;

/** A spot for each, as far as they fit: who found none in a round is the first in the next one. */
function fitted(all: readonly (readonly Spot[])[]): (Spot | undefined)[] {
  let order = all.map((_, i) => i).sort((a, b) => all[a]!.length - all[b]!.length);
  let best: (Spot | undefined)[] = [];
  let most = -1;
  for (let round = 0; round < ROUNDS; round++) {
    const taken: (Spot | undefined)[] = all.map(() => undefined);
    const without: number[] = [];
    for (const i of order) {
      taken[i] = all[i]!.find((s) => !taken.some((t) => t && meet(s, t)));
      if (!taken[i]) without.push(i);
    }
    if (order.length - without.length > most) [best, most] = [taken, order.length - without.length];
    const last = without.filter((i) => all[i]!.length);
    if (!last.length) break;
    order = [...last, ...order.filter((i) => !last.includes(i))];
  }
  return best;
}

function named(scene: Scene, pen: Pen, dots: DotLook, list: readonly number[]): Named[] {
  return list.flatMap((i) => {
    if (pen.room.twins.has(i)) return [];
    const m = marked(pen.v, i, scene.x[i]!, scene.y[i]!, scene.px(i, pen.v, dots));
    if (!m) return [];
    const n = namedOf(pen, m, scene.list[i]!.label, false);
    const faint = i >= scene.own || (scene.lit && !scene.lit.has(i));
    return [faint ? { ...n, style: { ...n.style, colour: pen.ink.quiet } } : n];
  });
}

export function nameFew(scene: Scene, pen: Pen, dots: DotLook): void {
  const list = named(scene, pen, dots, inView(scene, pen.v) ?? []);
  fitted(list.map((n) => spots(scene, pen, dots, n))).forEach((s, k) => {
    const n = list[k]!;
    if (s) write(pen.ctx, pen.room, n.text, s.x, s.y, n.style, { twin: n.m.twin });
  });
}

export function nameMany(scene: Scene, pen: Pen, dots: DotLook): void {
  const { v, ctx, room } = pen;
  if (scene.places.slot * v.s < NAMED) return;
  const list = inView(scene, v);
  if (!list) return;
  if (list.length <= FEW) return nameFew(scene, pen, dots);
  list.sort((a, b) => scene.radius[b]! - scene.radius[a]! || a - b);
  for (const n of named(scene, pen, dots, list)) {
    if (n.m.r < NAMED) continue;
    const [below] = spots(scene, pen, dots, n, 1);
    if (below) write(ctx, room, n.text, below.x, below.y, n.style, { twin: n.m.twin });
  }
}
