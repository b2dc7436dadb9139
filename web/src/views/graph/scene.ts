// SPDX-License-Identifier: Apache-2.0
// What the stage shows, by number of twin: places, sizes, colours' groups, who is shown, lit, chosen.
import type { Entry, Links } from "~/api/catalogue";
import type { Attention } from "~/views/overview/attention";
import { Adjacency } from "./adjacency";
import { Clusters } from "./clusters";
import type { Groups } from "./groups";
import type { Places } from "./layout";
import { closedAt, Grid } from "./pick";
import type { View } from "./camera";
import type { DotLook } from "./dots";

export const FEW = 60; // twins shown up to which each is to have its name
export const LARGE = 5000; // twins from which on links are drawn only where one looks

const NO_LINKS: Links = { from: new Uint32Array(), to: new Uint32Array(), name: new Uint16Array(), names: [] };
const SIZED = { least: 0.22, most: 0.97 }; // of a twin's room, when sizes tell values

export class Scene {
  readonly index: Map<string, number>;
  readonly links: Adjacency;
  readonly groups: Groups;
  readonly clusters: Clusters;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly radius: Float64Array;
  readonly grid: Grid;
  readonly large: boolean;
  readonly open: Uint8Array; // of a group, in the last frame: its dots are to be seen
  readonly stale: Uint8Array; // of a twin: its colour is not in the picture yet
  hidden: Uint8Array | null = null;
  lit: Set<number> | null = null; // null: all alike
  chosen = -1;
  hover = -1;
  hoverGroup = -1;
  attention: ReadonlyMap<string, Attention> = new Map();
  bad: [twin: number, told: Attention][] = [];

  constructor(
    readonly list: readonly Entry[],
    links: Links = NO_LINKS,
    readonly places: Places,
    readonly own = list.length, // those behind are ghosts: only another world has them
  ) {
    this.index = new Map(list.map((e, i) => [e.id, i]));
    this.links = new Adjacency(list.length, links);
    this.groups = places.groups;
    this.clusters = new Clusters(places.groups, list.length);
    this.x = places.x;
    this.y = places.y;
    this.radius = places.radius.slice();
    this.grid = new Grid(this.x, this.y, this.radius, 2.2 * places.slot);
    this.large = list.length > LARGE;
    this.open = new Uint8Array(this.groups.list.length).fill(1);
    this.stale = new Uint8Array(list.length);
    this.hide(null);
  }

  /** Of a dot on the screen. */
  px(i: number, v: View, dots: DotLook): number {
    return Math.min(dots.most, Math.max(dots.least, this.radius[i]! * v.s));
  }

  hide(hidden: Uint8Array | null): void {
    this.hidden = hidden;
    const shown = hidden ? hidden.reduce((n, h) => n + 1 - h, 0) : this.list.length;
    this.clusters.few = shown > 0 && shown <= FEW;
    this.clusters.hide(this.own < this.list.length ? this.withGhosts(hidden) : hidden);
  }

  /** Ghosts do not count. */
  private withGhosts(hidden: Uint8Array | null): Uint8Array {
    return (hidden?.slice() ?? new Uint8Array(this.list.length)).fill(1, this.own);
  }

  /** The closed group that covers a twin, if ghosts are all that is in it; -1: none. */
  emptyGroup(i: number, v: View): number {
    let found = -1;
    for (let g = this.groups.of[i]!; g >= 0; g = this.groups.list[g]!.parent)
      if (this.clusters.openness(this.groups.list[g]!, v.s) < 0.5) found = g;
    return found >= 0 && !this.clusters.shown[found] ? found : -1;
  }

  /** The twin's dot is not covered by a closed cluster. */
  uncovered(i: number, v: View): boolean {
    for (let g = this.groups.of[i]!; g >= 0; g = this.groups.list[g]!.parent)
      if (this.clusters.openness(this.groups.list[g]!, v.s) < 0.5) return false;
    return true;
  }

  pick(v: View, dots: DotLook, x: number, y: number): number {
    if (closedAt(this.clusters, v, x, y) >= 0) return -1;
    return this.grid.pick(v, x, y, dots.least, dots.most, (i) => !this.hidden?.[i]);
  }

  /** Radii as parts of the largest that has room; null: by rank alone. */
  size(list: Iterable<readonly [id: string, part: number]> | null): number[] {
    if (!list) {
      this.radius.set(this.places.radius);
      return this.list.map((_, i) => i);
    }
    const room = this.places.slot * SIZED.most;
    const out: number[] = [];
    for (const [id, part] of list) {
      const i = this.index.get(id);
      if (i === undefined) continue;
      this.radius[i] = room * Math.max(SIZED.least, Math.min(1, part));
      out.push(i);
    }
    return out;
  }

  tell(map: ReadonlyMap<string, Attention>): void {
    this.attention = map;
    this.bad = [];
    for (const [id, a] of map) {
      const i = this.index.get(id);
      if (i !== undefined) this.bad.push([i, a]);
    }
    this.clusters.attention(this.bad.map(([i, a]) => [i, a.tone]));
  }
}
