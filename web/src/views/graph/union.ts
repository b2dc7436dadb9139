// SPDX-License-Identifier: Apache-2.0
// The picture of two worlds in a pane: twins that only the other world has stand in it too, and all stand at the same
// places in both panes, since both are laid out from the same list: what A has, then what B has beyond it.
import type { Entry, Links, World } from "~/api/catalogue";
import type { Groups } from "./groups";
import { place, type Places } from "./layout";

export interface Union {
  list: readonly Entry[]; // those of the shown world first, as they are numbered there
  own: number; // so many are of the shown world
  places: Places;
}

const part = (of: Links, which: readonly number[]): Links => ({
  from: Uint32Array.from(which, (i) => of.from[i]!),
  to: Uint32Array.from(which, (i) => of.to[i]!),
  name: Uint16Array.from(which, (i) => of.name[i]!),
  names: of.names,
});

/** Links that only the other world has, between numbers of the list that is shown. */
function ghostsOf(mine: Structure, theirs: Structure, list: readonly Entry[]): Links {
  const number = new Map(list.map((e, i) => [e.id, i]));
  const renamed = Uint32Array.from(theirs.entries, (e) => number.get(e.id)!);
  const { from, to, name, names } = theirs.links;
  const there = { from: from.map((f) => renamed[f]!), to: to.map((t) => renamed[t]!), name, names };
  const nameOf = new Map([...new Set([...mine.links.names, ...names])].map((n, i) => [n, i]));
  const key = (l: Links, i: number) =>
    (l.from[i]! * 2 ** 24 + l.to[i]!) * 64 + (nameOf.get(l.names[l.name[i]!]!)! % 64);
  const known = new Set(Array.from(mine.links.from, (_, i) => key(mine.links, i)));
  return part(
    there,
    Array.from(from, (_, i) => i).filter((i) => !known.has(key(there, i))),
  );
}

/** Links of both, between numbers of one list; each once. */
function linksOf(a: Links, b: Links, toA: Int32Array): Links {
  const names = [...new Set([...a.names, ...b.names])];
  const number = new Map(names.map((n, i) => [n, i]));
  const key = (from: number, to: number, name: number) => (from * 2 ** 24 + to) * 64 + (name % 64);
  const known = new Set<number>();
  a.from.forEach((f, i) => known.add(key(f, a.to[i]!, a.name[i]!)));
  const more: [number, number, number][] = [];
  b.from.forEach((f, i) => {
    const l = [toA[f]!, toA[b.to[i]!]!, number.get(b.names[b.name[i]!]!)!] as [number, number, number];
    if (!known.has(key(...l))) more.push(l);
  });
  const all = (mine: ArrayLike<number>, k: 0 | 1 | 2) => [...Array.from(mine), ...more.map((l) => l[k])];
  return {
    from: Uint32Array.from(all(a.from, 0)),
    to: Uint32Array.from(all(a.to, 1)),
    name: Uint16Array.from(all(a.name, 2)),
    names,
  };
}

const takeOf = (from: Float64Array, order: Int32Array): Float64Array => Float64Array.from(order, (i) => from[i]!);

/** Places of one list for another order of it: `order[mine]` is the number there, `back` the other way. */
function reordered(p: Places, order: Int32Array, back: Int32Array): Places {
  const mine = (i: number) => (i < 0 ? i : back[i]!);
  const groups: Groups = {
    list: p.groups.list.map((g) => ({ ...g, twin: mine(g.twin), leaves: g.leaves.map(mine) })),
    of: Int32Array.from(order, (i) => p.groups.of[i]!),
    lone: p.groups.lone.map(mine),
  };
  return { ...p, x: takeOf(p.x, order), y: takeOf(p.y, order), radius: takeOf(p.radius, order), groups };
}

interface Structure {
  entries: readonly Entry[];
  links: Links;
}

/** `first`: what is shown is A. */
export function union(shown: Structure, there: World | null, first: boolean, by: "part" | "model"): Union {
  const own = shown.entries.length;
  if (!there?.entries || !there.links) {
    return { list: shown.entries, own, places: place(shown.entries, shown.links, by) };
  }
  const theirs: Structure = { entries: there.entries, links: there.links };
  const [a, b] = first ? [shown, theirs] : [theirs, shown];
  const inA = new Map(a.entries.map((e, i) => [e.id, i]));
  const toA = new Int32Array(b.entries.length);
  const both = [...a.entries];
  b.entries.forEach((e, i) => (toA[i] = inA.get(e.id) ?? both.push(e) - 1));
  const places = place(both, linksOf(a.links, b.links, toA), by);
  if (first) return withGhosts({ list: both, own, places }, shown, theirs);
  const order = new Int32Array(both.length);
  const seen = new Uint8Array(both.length);
  toA.forEach((k, i) => (seen[(order[i] = k)] = 1));
  const ghosts = a.entries.map((_, i) => i).filter((i) => !seen[i]);
  order.set(ghosts, own);
  const back = new Int32Array(both.length);
  order.forEach((k, i) => (back[k] = i));
  const list = Array.from(order, (k) => both[k]!);
  return withGhosts({ list, own, places: reordered(places, order, back) }, shown, theirs);
}

const withGhosts = (u: Union, mine: Structure, theirs: Structure): Union => ({
  ...u,
  places: { ...u.places, ghosts: ghostsOf(mine, theirs, u.list) },
});
