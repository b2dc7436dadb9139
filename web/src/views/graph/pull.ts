// SPDX-License-Identifier: Apache-2.0
// Those who are linked come nearer without anybody leaving its group: groups turn about their middle, and equals of a
// group swap places. Each step only ever makes the links shorter, so it ends, and always in the same picture.
import type { Links } from "~/api/catalogue";
import type { Groups } from "./groups";

const ROUNDS = 4;
const SWAPS = 160; // leaves of a group up to which every pair is tried

export function pullNear(groups: Groups, x: Float64Array, y: Float64Array, links: Links): void {
  const n = x.length;
  const near: number[][] = Array.from({ length: n }, () => []);
  for (let i = 0; i < links.from.length; i++) {
    const [a, b] = [links.from[i]!, links.to[i]!];
    if (a === b) continue;
    near[a]!.push(b);
    near[b]!.push(a);
  }
  const members = membersOf(groups);
  for (let round = 0; round < ROUNDS; round++) {
    groups.list.forEach((g, i) => {
      if (!g.hull) turn(i, groups, members[i]!, near, x, y);
    });
    // The whole itself keeps its place in the middle.
    for (const g of groups.list)
      swap(
        g.leaves.filter((l) => l !== g.twin || g.kids.length > 0),
        near,
        x,
        y,
      );
  }
}

/** Twins of a group and of all below. */
function membersOf(groups: Groups): number[][] {
  const out = groups.list.map((g) => [...g.leaves]);
  for (let i = groups.list.length - 1; i >= 0; i--) {
    const p = groups.list[i]!.parent;
    if (p >= 0) for (const m of out[i]!) out[p]!.push(m);
  }
  return out;
}

/** The turn about a group's middle that makes its links to the rest shortest: there is one, and it can be computed. */
function turn(
  at: number,
  groups: Groups,
  members: readonly number[],
  near: readonly number[][],
  x: Float64Array,
  y: Float64Array,
): void {
  const g = groups.list[at]!;
  const own = new Set(members);
  let along = 0;
  let across = 0;
  for (const m of members) {
    const [dx, dy] = [x[m]! - g.x, y[m]! - g.y];
    for (const o of near[m]!) {
      if (own.has(o)) continue;
      const [ex, ey] = [x[o]! - g.x, y[o]! - g.y];
      const far = Math.hypot(ex, ey) || 1; // near ones do not count less than far ones
      along += (dx * ex + dy * ey) / far;
      across += (dx * ey - dy * ex) / far;
    }
  }
  if (!along && !across) return;
  const angle = Math.atan2(across, along);
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  for (const m of members) {
    const [dx, dy] = [x[m]! - g.x, y[m]! - g.y];
    x[m] = g.x + c * dx - s * dy;
    y[m] = g.y + s * dx + c * dy;
  }
  const below: number[] = [...g.kids];
  for (let k = 0; k < below.length; k++) {
    const b = groups.list[below[k]!]!;
    const [dx, dy] = [b.x - g.x, b.y - g.y];
    b.x = g.x + c * dx - s * dy;
    b.y = g.y + s * dx + c * dy;
    below.push(...b.kids);
  }
}

/** Length of a twin's links if it stood there; links to the one it would swap with stay as long. */
function lengthAt(
  i: number,
  not: number,
  px: number,
  py: number,
  near: readonly number[][],
  x: Float64Array,
  y: Float64Array,
) {
  let sum = 0;
  for (const o of near[i]!) if (o !== not && o !== i) sum += Math.hypot(x[o]! - px, y[o]! - py);
  return sum;
}

function swap(leaves: readonly number[], near: readonly number[][], x: Float64Array, y: Float64Array): void {
  if (leaves.length > SWAPS) return;
  for (let p = 0; p < leaves.length; p++) {
    for (let q = p + 1; q < leaves.length; q++) {
      const [a, b] = [leaves[p]!, leaves[q]!];
      const was = lengthAt(a, b, x[a]!, y[a]!, near, x, y) + lengthAt(b, a, x[b]!, y[b]!, near, x, y);
      const would = lengthAt(a, b, x[b]!, y[b]!, near, x, y) + lengthAt(b, a, x[a]!, y[a]!, near, x, y);
      if (would >= was - 1e-6) continue;
      [x[a], x[b]] = [x[b]!, x[a]!];
      [y[a], y[b]] = [y[b]!, y[a]!];
    }
  }
}
