// SPDX-License-Identifier: Apache-2.0
// What groups tell while they are closed: of how many, in which colours, how many need somebody. Whether one is closed
// follows from how large its twins would be on the screen, and from nothing else.
import type { Tone } from "~/ui/basic";
import type { Group, Groups } from "./groups";
import { inSight, type View } from "./camera";

const BINS = 24; // colours told apart
const NONE = 255;
const APART = 26; // how far two colours have to be, of 442

/** Radius on the screen of what is in a group: from the first on it opens, from the second on it is open. */
const OPENS_TWINS = [1.6, 2.2] as const;
const OPENS_GROUPS = [12.5, 14] as const;

const smooth = (t: number) => (t <= 0 ? 0 : t >= 1 ? 1 : t * t * (3 - 2 * t));

/** 0: closed, 1: open. */
function openness(g: Group, scale: number): number {
  if (g.hull) return 1;
  const part = (r: number, [a, b]: readonly [number, number]) => (r * scale - a) / (b - a);
  const twins = part(g.slot, OPENS_TWINS);
  return smooth(g.kids.length ? Math.max(twins, part(g.step, OPENS_GROUPS)) : twins);
}

export interface Seen {
  group: number;
  open: number;
  alpha: number; // of what is drawn for it
}

/** Groups in sight whose parents are open at least a little, the outer before the inner. */
export function* seen(c: Clusters, v: View): Generator<Seen> {
  const { groups, shown } = c;
  const alpha = new Map<number, number>();
  for (let i = 0; i < groups.list.length; i++) {
    const g = groups.list[i]!;
    let a = 1;
    if (g.parent >= 0) {
      const p = alpha.get(g.parent);
      if (!p) continue;
      a = p;
    }
    if (!shown[i]) continue;
    if (!g.hull && !inSight(v, g.x, g.y, g.r)) continue;
    const open = c.openness(g, v.s);
    if (open > 0) alpha.set(i, a * open);
    yield { group: i, open, alpha: a };
  }
}

const rgb = (hex: string): [number, number, number] => {
  const n = parseInt(hex.slice(1, 7), 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
};

export class Clusters {
  readonly bins: string[] = []; // colours, the darkest first once they are all known
  private order: number[] = [];
  private readonly bin: Uint8Array; // of a twin
  private readonly counts: Uint32Array; // of a group and bin
  private known = new Map<string, number>();
  readonly shown: Uint32Array; // twins of a group that no condition hides
  readonly bad: Uint32Array; // of those
  readonly waiting: Uint32Array;
  private hidden: Uint8Array | null = null;
  few = false; // so few are shown that none of them needs to be covered
  private toned: (readonly [twin: number, tone: Tone])[] = [];

  constructor(
    readonly groups: Groups,
    n: number,
  ) {
    this.bin = new Uint8Array(n).fill(NONE);
    this.counts = new Uint32Array(groups.list.length * BINS);
    this.shown = Uint32Array.from(groups.list, (g) => g.count);
    this.bad = new Uint32Array(groups.list.length);
    this.waiting = new Uint32Array(groups.list.length);
  }

  private binOf(colour: string): number {
    const b = this.known.get(colour);
    if (b !== undefined) return b;
    const c = rgb(colour);
    let best = -1;
    let least = Infinity;
    this.bins.forEach((k, i) => {
      const o = rgb(k);
      const d = Math.hypot(c[0] - o[0], c[1] - o[1], c[2] - o[2]);
      if (d < least) [best, least] = [i, d];
    });
    if (this.bins.length < BINS && least > APART) {
      best = this.bins.push(colour) - 1;
      const light = (i: number) => rgb(this.bins[i]!).reduce((s, p, k) => s + p * [0.3, 0.59, 0.11][k]!, 0);
      this.order = this.bins.map((_, i) => i).sort((a, z) => light(a) - light(z));
    }
    if (this.known.size > 4096) this.known.clear();
    this.known.set(colour, best);
    return best;
  }

  /** Everybody is painted anew: what was known of colours is forgotten. */
  begin(): void {
    this.bins.length = 0;
    this.known.clear();
    this.bin.fill(NONE);
    this.counts.fill(0);
  }

  paint(twin: number, colour: string): void {
    const is = this.binOf(colour);
    const was = this.bin[twin]!;
    if (is === was) return;
    this.bin[twin] = is;
    if (!this.hidden?.[twin]) this.count(twin, was, is);
  }

  private count(twin: number, was: number, is: number): void {
    for (let g = this.groups.of[twin]!; g >= 0; g = this.groups.list[g]!.parent) {
      if (was !== NONE) this.counts[g * BINS + was]!--;
      if (is !== NONE) this.counts[g * BINS + is]!++;
    }
  }

  openness(g: Group, scale: number): number {
    return this.few ? 1 : openness(g, scale);
  }

  /** Only twins that are not hidden count from now on. */
  hide(hidden: Uint8Array | null): void {
    this.hidden = hidden;
    this.counts.fill(0);
    this.shown.fill(0);
    for (let i = 0; i < this.bin.length; i++) {
      if (hidden?.[i]) continue;
      this.count(i, NONE, this.bin[i]!);
      for (let g = this.groups.of[i]!; g >= 0; g = this.groups.list[g]!.parent) this.shown[g]!++;
    }
    this.attention(this.toned);
  }

  /** Its rim tells that somebody is needed: only where no open group inside says it better. */
  warns(group: number, scale: number): boolean {
    const { list } = this.groups;
    const inside = (k: number) => this.bad[k]! > 0 && this.openness(list[k]!, scale) > 0;
    return this.bad[group]! > 0 && !list[group]!.kids.some(inside);
  }

  /** Parts of a group by colour, in a fixed order. */
  parts(group: number): { colour: string; part: number }[] {
    const all = this.shown[group]!;
    const out: { colour: string; part: number }[] = [];
    for (const b of this.order) {
      const n = this.counts[group * BINS + b]!;
      if (n) out.push({ colour: this.bins[b]!, part: n / all });
    }
    return out;
  }

  attention(list: readonly (readonly [twin: number, tone: Tone])[]): void {
    this.toned = [...list];
    this.bad.fill(0);
    this.waiting.fill(0);
    for (const [twin, tone] of list) {
      const into = tone === "bad" ? this.bad : tone === "attention" ? this.waiting : null;
      if (!into || this.hidden?.[twin]) continue;
      for (let g = this.groups.of[twin]!; g >= 0; g = this.groups.list[g]!.parent) into[g]!++;
    }
  }
}
