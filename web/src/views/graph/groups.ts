// SPDX-License-Identifier: Apache-2.0
// What stands together: wholes with their parts, or families with their models. Thousands that nothing divides are cut
// into runs, so that every disc opens into something one can look over.
import type { Entry, Links } from "~/api/catalogue";
import { modelName, type Models } from "~/api/models";
import { treeOf } from "~/api/tree";
import { words } from "~/words/en";
import { families } from "./families";

export interface Group {
  parent: number; // a group, always before this one; -1: none
  twin: number; // the whole itself, among its leaves; -1: no twin stands for it
  title: string;
  kids: number[]; // groups
  leaves: number[]; // twins that stand in it themselves
  count: number; // twins in it and below
  depth: number;
  x: number;
  y: number;
  r: number;
  step: number; // the usual radius of what is directly in it
  slot: number; // the room of a twin
  hull?: Float64Array; // its outline, where it is not a disc
}

export interface Groups {
  list: Group[];
  of: Int32Array; // the group in which a twin stands; -1: in none
  lone: number[]; // those
}

const RUN = 600; // leaves that may stand side by side
const PART = 256; // of a run that is cut
const LONE = 40; // twins without a whole that may stand alone

class Builder {
  readonly list: Group[] = [];
  constructor(private readonly entries: readonly Entry[]) {}

  add(parent: number, title: string, twin: number, leaves: readonly number[]): number {
    const at = this.list.length;
    const depth = parent < 0 ? 0 : this.list[parent]!.depth + 1;
    const g: Group = { parent, twin, title, kids: [], leaves: [], count: 0, depth, x: 0, y: 0, r: 0, step: 0, slot: 0 };
    this.list.push(g);
    if (parent >= 0) this.list[parent]!.kids.push(at);
    if (leaves.length <= RUN) g.leaves.push(...leaves);
    else this.cut(at, leaves);
    return at;
  }

  private cut(at: number, leaves: readonly number[]): void {
    const size = Math.max(PART, Math.ceil(leaves.length / RUN));
    for (let i = 0; i < leaves.length; i += size) {
      const part = leaves.slice(i, i + size);
      const name = (k: number) => this.entries[part[k]!]!.label;
      this.add(at, runOf(name(0), name(part.length - 1)), -1, part);
    }
  }

  done(): Groups {
    const of = new Int32Array(this.entries.length).fill(-1);
    for (let i = this.list.length - 1; i >= 0; i--) {
      const g = this.list[i]!;
      for (const l of g.leaves) of[l] = i;
      g.count += g.leaves.length;
      if (g.parent >= 0) this.list[g.parent]!.count += g.count;
    }
    const lone: number[] = [];
    of.forEach((g, i) => g < 0 && lone.push(i));
    return { list: this.list, of, lone };
  }
}

function byPart(entries: readonly Entry[], links: Links, b: Builder): void {
  const t = treeOf(entries, links);
  const whole = (root: number) => {
    const rest: [twin: number, parent: number][] = [[root, -1]];
    for (let k = 0; k < rest.length; k++) {
      const [i, parent] = rest[k]!;
      const c = t.children[i]!;
      const at = b.add(parent, entries[i]!.label, i, [i, ...c.filter((j) => !t.children[j]!.length)]);
      for (const j of c) if (t.children[j]!.length) rest.push([j, at]);
    }
  };
  for (const r of t.roots) if (t.children[r]!.length) whole(r);
  const lone = t.roots.filter((r) => !t.children[r]!.length);
  if (lone.length > LONE) byKind(lone, (i) => entries[i]!.model, modelName, -1, b);
}

function byKind(
  of: readonly number[],
  key: (i: number) => string,
  name: (key: string) => string,
  parent: number,
  b: Builder,
): Map<string, number> {
  const kinds = new Map<string, number[]>();
  for (const i of of) {
    const k = key(i);
    const list = kinds.get(k);
    if (list) list.push(i);
    else kinds.set(k, [i]);
  }
  const order = [...kinds].sort((p, q) => q[1].length - p[1].length || (p[0] < q[0] ? -1 : 1));
  return new Map(order.map(([k, list]) => [k, b.add(parent, name(k), -1, list)]));
}

function byModel(entries: readonly Entry[], models: Models, b: Builder): void {
  const counts = new Map<string, number>();
  for (const e of entries) counts.set(e.model, (counts.get(e.model) ?? 0) + 1);
  const f = families(counts, models);
  const members = f.list.map((): number[] => []);
  entries.forEach((e, i) => members[f.of(e.model)]!.push(i));
  members.forEach((list, k) => {
    const kinds = new Set(list.map((i) => entries[i]!.model));
    if (kinds.size === 1) b.add(-1, modelName([...kinds][0]!), -1, list);
    else byKind(list, (i) => entries[i]!.model, modelName, b.add(-1, f.list[k]!.name, -1, []), b);
  });
}

/** "Sensor 0 – 255" of "Sensor 0" and "Sensor 255". */
function runOf(first: string, last: string): string {
  const cut = first.lastIndexOf(" ") + 1;
  return words.graph.run(first, last.startsWith(first.slice(0, cut)) ? last.slice(cut) : last);
}

export function groupsOf(entries: readonly Entry[], links: Links, by: "part" | "model", models: Models): Groups {
  const b = new Builder(entries);
  if (by === "model") byModel(entries, models, b);
  else byPart(entries, links, b);
  return b.done();
}
