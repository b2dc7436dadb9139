// SPDX-License-Identifier: Apache-2.0
// Ways over links: the shortest one between two twins, and what lies within a few steps of one.
import type { Adjacency } from "./adjacency";

export type Way = "along" | "either"; // links as they point, or both ways

export interface Path {
  twins: number[];
  links: number[]; // one less
}

/** Fewest steps; of several the one over older links. null: there is none. */
export function shortest(a: Adjacency, from: number, to: number, way: Way, count: number): Path | null {
  if (from === to) return { twins: [from], links: [] };
  const via = new Int32Array(count).fill(-1); // the link by which a twin was reached
  const before = new Int32Array(count).fill(-1);
  before[from] = from;
  let edge = [from];
  while (edge.length && before[to] === -1) {
    const next: number[] = [];
    for (const t of edge)
      a.around(t, (link, other, out) => {
        if ((way === "along" && !out) || before[other] !== -1) return;
        before[other] = t;
        via[other] = link;
        next.push(other);
      });
    edge = next;
  }
  if (before[to] === -1) return null;
  const path: Path = { twins: [to], links: [] };
  for (let t = to; t !== from; t = before[t]!) {
    path.links.unshift(via[t]!);
    path.twins.unshift(before[t]!);
  }
  return path;
}

/** The twins at most so many steps away from any of some, themselves included. */
export function within(a: Adjacency, centres: readonly (readonly [twin: number, steps: number])[]): Set<number> {
  const left = new Map<number, number>(); // steps that are left from there
  let edge = centres.map(([t, s]) => [t, s] as const);
  while (edge.length) {
    const next: (readonly [number, number])[] = [];
    for (const [t, s] of edge) {
      if ((left.get(t) ?? -1) >= s) continue;
      left.set(t, s);
      if (s > 0) a.around(t, (_, other) => (left.get(other) ?? -1) < s - 1 && next.push([other, s - 1]));
    }
    edge = next;
  }
  return new Set(left.keys());
}
