// SPDX-License-Identifier: Apache-2.0
// Where twins stand when nobody has moved them: parts around their whole on a sunflower's spiral, large parts inside.
// So 100,000 twins take a fraction of a second and always the same places. Small graphs are then pulled by their links.
import type { Entry, Links } from "~/api/catalogue";
import { treeOf, type Tree } from "~/api/tree";

export interface Places {
  x: Float64Array;
  y: Float64Array;
  radius: Float64Array; // of the disc that a twin's parts fill
}

const GOLDEN = Math.PI * (3 - Math.sqrt(5));
const ROOM = 1.25; // of a disc, for what lies beside it

/** Discs of given radii in a disc: largest first, on a spiral by area. Returns its radius; places are relative. */
export function sunflower(
  radii: readonly number[],
  inner: number,
  put: (i: number, x: number, y: number) => void,
): number {
  const order = radii.map((_, i) => i).sort((a, b) => radii[b]! - radii[a]! || a - b);
  let area = inner * inner;
  let outer = inner;
  order.forEach((i, k) => {
    const r = radii[i]! * ROOM;
    const at = order.length === 1 && inner === 0 ? 0 : Math.sqrt(area + r * r);
    put(i, at * Math.cos(k * GOLDEN), at * Math.sin(k * GOLDEN));
    area += 1.6 * r * r;
    outer = Math.max(outer, at + r);
  });
  return outer;
}

/** As if each model were a whole of its twins. */
export function treeByModel(list: readonly Entry[]): { groups: Map<string, number[]> } {
  const groups = new Map<string, number[]>();
  list.forEach((e, i) => {
    const g = groups.get(e.model);
    if (g) g.push(i);
    else groups.set(e.model, [i]);
  });
  return { groups };
}

function placeTree(t: Tree, top: readonly number[][], n: number): Places {
  const x = new Float64Array(n);
  const y = new Float64Array(n);
  const radius = new Float64Array(n).fill(1);
  const order: number[] = [...t.roots];
  for (let k = 0; k < order.length; k++) for (const c of t.children[order[k]!]!) order.push(c);
  for (let k = order.length - 1; k >= 0; k--) {
    const i = order[k]!;
    const c = t.children[i]!;
    if (c.length)
      radius[i] = sunflower(
        c.map((j) => radius[j]!),
        1.2,
        (j, dx, dy) => ((x[c[j]!] = dx), (y[c[j]!] = dy)),
      );
  }
  // Groups of roots (all in one, or one a model) around the middle.
  const groupRadius = top.map((g) =>
    sunflower(
      g.map((i) => radius[i]!),
      0,
      (j, dx, dy) => ((x[g[j]!] = dx), (y[g[j]!] = dy)),
    ),
  );
  sunflower(groupRadius, 0, (j, dx, dy) => {
    for (const i of top[j]!) {
      x[i]! += dx;
      y[i]! += dy;
    }
  });
  for (const i of order) {
    for (const c of t.children[i]!) {
      x[c]! += x[i]!;
      y[c]! += y[i]!;
    }
  }
  return { x, y, radius };
}

export function place(list: readonly Entry[], links: Links, by: "part" | "model"): Places {
  if (by === "model") {
    const flat: Tree = {
      parent: new Int32Array(list.length).fill(-1),
      children: list.map(() => []),
      roots: list.map((_, i) => i),
      size: new Uint32Array(list.length).fill(1),
    };
    return placeTree(flat, [...treeByModel(list).groups.values()], list.length);
  }
  const t = treeOf(list, links);
  const lone = t.roots.filter((i) => !t.children[i]!.length);
  const whole = t.roots.filter((i) => t.children[i]!.length);
  return placeTree(t, [...whole.map((i) => [i]), ...(lone.length ? [lone] : [])], list.length);
}
