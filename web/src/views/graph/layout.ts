// SPDX-License-Identifier: Apache-2.0
// Where twins stand when nobody has moved them: each group is a disc around what is in it, the small ones in the large.
// Links do not push anybody about: they turn groups and swap equals until those who are linked are near.
import type { Entry, Links } from "~/api/catalogue";
import { models } from "~/api/models";
import { groupsOf, type Group, type Groups } from "./groups";
import { around, hullOf, packChain, packEqual, type Disc } from "./pack";
import { beside } from "./beside";
import { pullNear } from "./pull";

export interface Places {
  x: Float64Array;
  y: Float64Array;
  radius: Float64Array; // of a twin's dot
  slot: number; // room of a twin
  groups: Groups;
  box: { x: [number, number]; y: [number, number] };
  ghosts?: Links; // that only another world has
}

const PULLED = 3000; // twins up to which links pull
const WHOLE = 0.5; // the part of all twins from which on a whole is no disc but fills the screen
const BESIDE = 80; // discs that may stand around it

/** Twins of a small world have room for their names. */
const slotOf = (n: number) => (n <= 400 ? 1.9 : 1.45);
const margin = (r: number, slot: number) => 0.5 * slot + 0.035 * r;

interface Item extends Disc {
  group: number; // or -1
  twin: number;
}

class Layout {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly slot: number;

  constructor(
    readonly g: Groups,
    n: number,
    private readonly wide: number, // how many times as wide as high, roughly
  ) {
    this.x = new Float64Array(n);
    this.y = new Float64Array(n);
    this.slot = slotOf(n);
  }

  /** What is directly in a group. */
  items(kids: readonly number[], leaves: readonly number[]): Item[] {
    const gap = 0.6 * this.slot;
    const list: Item[] = kids.map((k) => ({ x: 0, y: 0, r: this.g.list[k]!.r + gap, group: k, twin: -1 }));
    for (const l of leaves) list.push({ x: 0, y: 0, r: this.slot, group: -1, twin: l });
    return list.sort((a, b) => b.r - a.r);
  }

  put(items: readonly Item[], cx: number, cy: number): void {
    for (const i of items) {
      if (i.group >= 0) {
        const g = this.g.list[i.group]!;
        [g.x, g.y] = [i.x - cx, i.y - cy];
      } else {
        this.x[i.twin] = i.x - cx;
        this.y[i.twin] = i.y - cy;
      }
    }
  }

  /** Places of what is in a group, from its middle; and its radius. */
  fill(g: Group): void {
    const slot = (g.slot = this.slot);
    if (!g.kids.length) {
      const r = packEqual(g.leaves.length, slot, (i, x, y) => {
        this.x[g.leaves[i]!] = x;
        this.y[g.leaves[i]!] = y;
      });
      g.r = r + margin(r, slot) * 0.6;
      g.step = slot;
      return;
    }
    const items = this.items(g.kids, g.leaves);
    packChain(items);
    const c = around(items);
    this.put(items, c.x, c.y);
    g.r = c.r + margin(c.r, slot);
    let sum = 0;
    for (const k of g.kids) sum += this.g.list[k]!.r * this.g.list[k]!.count;
    g.step = (sum + slot * g.leaves.length) / g.count;
  }

  /** From places in a group to places in the world. */
  spread(): void {
    for (const g of this.g.list) {
      if (g.parent >= 0) {
        g.x += this.g.list[g.parent]!.x;
        g.y += this.g.list[g.parent]!.y;
      }
      for (const l of g.leaves) {
        this.x[l]! += g.x;
        this.y[l]! += g.y;
      }
    }
  }

  /** The top: one whole that fills the screen with the others beside it, or all side by side. */
  top(links: Links): void {
    const roots = this.g.list.flatMap((g, i) => (g.parent < 0 ? [i] : []));
    const main = roots.find((i) => this.g.list[i]!.count > WHOLE * this.x.length && this.g.list[i]!.kids.length > 2);
    const others = roots.filter((i) => i !== main);
    if (main === undefined || others.length + this.g.lone.length > BESIDE) {
      const items = this.items(roots, this.g.lone);
      packChain(items, this.wide);
      lay(items, this.wide);
      this.put(items, 0, 0);
      return this.spread();
    }
    const g = this.g.list[main]!;
    const inside = this.items(g.kids, g.leaves);
    packChain(inside, this.wide);
    lay(inside, this.wide);
    this.put(inside, 0, 0);
    [g.x, g.y] = [0, 0];
    g.hull = hullOf(inside, this.slot * 0.6);
    const outer = this.items(others, this.g.lone);
    for (const o of outer) o.x = o.y = 0;
    this.put(outer, 0, 0);
    const before = { x: this.x.slice(), y: this.y.slice(), g: this.g.list.map((k) => [k.x, k.y] as const) };
    this.spread();
    beside(g.hull, outer, this.wide, this.slot, wanted(this, outer, links));
    this.x.set(before.x);
    this.y.set(before.y);
    this.g.list.forEach((k, i) => ([k.x, k.y] = before.g[i]!));
    this.put(outer, 0, 0);
    this.spread();
  }
}

/** Turns discs about until they fill a window so many times as wide as high, and puts their middle at 0, 0. */
function lay(items: readonly Disc[], wide: number): void {
  let best = { angle: 0, size: Infinity, x: 0, y: 0 };
  for (let k = 0; k < 36; k++) {
    const angle = (k * Math.PI) / 36;
    const [x0, x1, y0, y1] = edges(items.map((i) => turned(i, angle)));
    const size = Math.max((x1 - x0) / wide, y1 - y0);
    if (size < best.size - 1e-6) best = { angle, size, x: (x0 + x1) / 2, y: (y0 + y1) / 2 };
  }
  for (const i of items) {
    const t = turned(i, best.angle);
    [i.x, i.y] = [t.x - best.x, t.y - best.y];
  }
}

function turned({ x, y, r }: Disc, angle: number): Disc {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return { x: c * x - s * y, y: s * x + c * y, r };
}

function edges(items: readonly Disc[]): [number, number, number, number] {
  let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const i of items) {
    x0 = Math.min(x0, i.x - i.r);
    x1 = Math.max(x1, i.x + i.r);
    y0 = Math.min(y0, i.y - i.r);
    y1 = Math.max(y1, i.y + i.r);
  }
  return [x0, x1, y0, y1];
}

/** For each disc beside a whole: the places in the whole that it is linked to. */
function wanted(l: Layout, outer: readonly Item[], links: Links): [number, number][][] {
  const itemOf = new Int32Array(l.x.length).fill(-1);
  const top = (i: number) => {
    let at = l.g.of[i]!;
    while (at >= 0 && l.g.list[at]!.parent >= 0) at = l.g.list[at]!.parent;
    return at;
  };
  const byGroup = new Map(outer.flatMap((o, k) => (o.group >= 0 ? [[o.group, k] as const] : [])));
  outer.forEach((o, k) => o.twin >= 0 && (itemOf[o.twin] = k));
  for (let i = 0; i < itemOf.length; i++) if (itemOf[i]! < 0) itemOf[i] = byGroup.get(top(i)) ?? -1;
  const out = outer.map((): [number, number][] => []);
  for (let i = 0; i < links.from.length; i++) {
    const [a, b] = [links.from[i]!, links.to[i]!];
    const [p, q] = [itemOf[a]!, itemOf[b]!];
    if (p >= 0 && q < 0) out[p]!.push([l.x[b]!, l.y[b]!]);
    if (q >= 0 && p < 0) out[q]!.push([l.x[a]!, l.y[a]!]);
  }
  return out;
}

/** Wide windows take wide pictures. One of two shapes, so that places are the same for nearly everybody. */
const windowWide = () => (typeof innerWidth === "number" && innerWidth < innerHeight ? 0.7 : 1.55);

export function place(list: readonly Entry[], links: Links, by: "part" | "model", wide = windowWide()): Places {
  const groups = groupsOf(list, links, by, models.peek());
  const l = new Layout(groups, list.length, wide);
  for (let i = groups.list.length - 1; i >= 0; i--) l.fill(groups.list[i]!);
  l.top(links);
  if (list.length <= PULLED) pullNear(groups, l.x, l.y, links);
  const radius = new Float64Array(list.length).fill(1);
  for (const g of groups.list) if (g.twin >= 0) radius[g.twin] = 1.35;
  const all: Disc[] = groups.list.filter((g) => g.parent < 0 && !g.hull);
  const [x0, x1, y0, y1] = edges([
    ...all,
    ...groups.lone.map((i) => ({ x: l.x[i]!, y: l.y[i]!, r: l.slot })),
    ...groups.list.flatMap((g) => points(g.hull)),
  ]);
  return { x: l.x, y: l.y, radius, slot: l.slot, groups, box: { x: [x0, x1], y: [y0, y1] } };
}

function points(hull: Float64Array | undefined): Disc[] {
  const out: Disc[] = [];
  for (let i = 0; hull && i < hull.length; i += 2) out.push({ x: hull[i]!, y: hull[i + 1]!, r: 0 });
  return out;
}
