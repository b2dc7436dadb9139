// SPDX-License-Identifier: Apache-2.0
// What is part of what: the tree that relationships like partOf and contains make of the twins of the shown world.
import { computed } from "@preact/signals";
import { entries, links, type Entry, type Links } from "./catalogue";

/** Names of relationships that say what a thing is part of: from the part (up) or from the whole (down). */
const UP = ["partOf", "isPartOf", "locatedIn", "hasParent", "isIn", "inside", "of"];
const DOWN = ["contains", "hasPart", "has", "hosts", "includes"];

export interface Tree {
  parent: Int32Array; // -1: a root
  children: number[][];
  roots: number[];
  size: Uint32Array; // of the subtree, itself included
}

/** The parent of each, without loops. Of several the most telling name counts: the whole knows its parts best. */
export function parentsOf(count: number, l: Links): Int32Array {
  const parent = new Int32Array(count).fill(-1);
  const rank = new Uint8Array(count).fill(255);
  const up = l.names.map((n) => UP.indexOf(n));
  const down = l.names.map((n) => DOWN.indexOf(n));
  const set = (child: number, of: number, r: number) => {
    if (r >= rank[child]! || child === of) return;
    rank[child] = r;
    parent[child] = of;
  };
  for (let i = 0; i < l.name.length; i++) {
    const name = l.name[i]!;
    if (down[name]! >= 0) set(l.to[i]!, l.from[i]!, down[name]!);
    else if (up[name]! >= 0) set(l.from[i]!, l.to[i]!, 10 + up[name]!);
  }
  cutLoops(parent);
  return parent;
}

function cutLoops(parent: Int32Array): void {
  const state = new Uint8Array(parent.length); // 1: on the way, 2: known to end
  for (let i = 0; i < parent.length; i++) {
    const way: number[] = [];
    let at = i;
    while (at >= 0 && !state[at]) {
      state[at] = 1;
      way.push(at);
      at = parent[at]!;
    }
    if (at >= 0 && state[at] === 1) parent[way[way.length - 1]!] = -1;
    for (const w of way) state[w] = 2;
  }
}

export function treeOf(list: readonly Entry[], l: Links): Tree {
  const parent = parentsOf(list.length, l);
  const children: number[][] = list.map(() => []);
  const roots: number[] = [];
  parent.forEach((p, i) => (p >= 0 ? children[p]!.push(i) : roots.push(i)));
  const size = new Uint32Array(list.length).fill(1);
  const order: number[] = [...roots];
  for (let k = 0; k < order.length; k++) order.push(...children[order[k]!]!);
  for (let k = order.length - 1; k >= 0; k--) {
    const p = parent[order[k]!]!;
    if (p >= 0) size[p]! += size[order[k]!]!;
  }
  roots.sort((a, b) => size[b]! - size[a]!);
  return { parent, children, roots, size };
}

export const tree = computed(() => treeOf(entries.value, links.value));
