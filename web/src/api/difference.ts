// SPDX-License-Identifier: Apache-2.0
// How the shown world differs from another one: which twins at all (the worlds' diff), and by how much in one property
// (both worlds' columns, joined by id). "More" is always more in B, whichever of the two is shown.
import { useEffect, useMemo, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import { again, follow, teach, type Reading } from "./board";
import { api, wordsOf } from "./client";
import { listen } from "./feed";
import { models } from "./models";
import type { Change, Value } from "./types";
import { weigh, type Change as Weighable, type Weighed } from "./weight";
import type { Difference } from "./whatif";

const PAGE = 5000;
const CHANGES_MAX = 100_000;
const UNANSWERED_MS = 1500;
const REREAD_MS = 5000; // of worlds that move
const SAME = 1e-9; // of numbers: what arithmetic leaves is no difference

export type Kind = "changed" | "onlyB" | "onlyA";

export interface Counts {
  values: number;
  twinsMade: number;
  twinsDeleted: number;
  relationshipsMade: number;
  relationshipsDeleted: number;
}

export interface Differing {
  twins: ReadonlyMap<string, Kind>;
  clear: ReadonlySet<string>; // of those that are in both worlds: who differs clearly
  most: readonly Weighed[]; // in which value, the heaviest first
  counts?: Counts;
  error: string;
  more: boolean; // not all of them were read
}

interface Page {
  counts: Counts;
  changes: (Difference & { change?: "made" | "deleted" })[];
  nextLink: string | null;
}

const MOST = 10;
const NOBODY: Differing = { twins: new Map(), clear: new Set(), most: [], error: "", more: false };

/** The twins in which B differs from A. */
export async function readDiffering(a: string, b: string, signal?: AbortSignal): Promise<Differing> {
  const twins = new Map<string, Kind>();
  const linked = new Set<string>();
  const changes: Weighable[] = [];
  let counts: Counts | undefined;
  let seen = 0;
  const headers = { "max-items-per-page": String(PAGE) };
  let page = await api.get<Page>(`/worlds/${encodeURIComponent(b)}/diff`, {
    query: { against: a, relative: SAME },
    headers,
    signal,
  });
  for (;;) {
    counts ??= page.counts;
    for (const c of page.changes) {
      take(twins, c);
      if (c.what === "relationship") linked.add(c.twin);
      else if (c.what === "value") changes.push(weighable(c));
    }
    seen += page.changes.length;
    if (!page.nextLink || seen >= CHANGES_MAX) break;
    const next = new URL(page.nextLink, location.href);
    page = await api.get<Page>(next.pathname + next.search, { headers, signal });
  }
  const heavy = weigh(changes).filter((x) => twins.get(x.twin) === "changed");
  const clear = new Set(heavy.map((x) => x.twin));
  for (const id of linked) if (twins.get(id) === "changed") clear.add(id);
  return { twins, clear, most: heavy.slice(0, MOST), counts, error: "", more: Boolean(page.nextLink) };
}

/** Of the world that is compared with comes what was before. */
const weighable = (c: Difference): Weighable => ({
  twin: c.twin,
  model: c.model ?? "",
  property: c.property ?? "",
  a: c.before,
  b: c.after,
});

/** Of a relationship that came or went its source differs. */
function take(twins: Map<string, Kind>, c: Page["changes"][number]): void {
  if (!c.twin) return;
  if (c.what === "twin") twins.set(c.twin, c.change === "made" ? "onlyB" : "onlyA");
  else if (!twins.has(c.twin)) twins.set(c.twin, "changed");
}

const stands = (world: string): boolean => world.includes("@");

const alike = (x: Differing, y: Differing): boolean =>
  x.twins.size === y.twins.size &&
  x.error === y.error &&
  x.more === y.more &&
  x.clear.size === y.clear.size &&
  JSON.stringify([x.counts, x.most]) === JSON.stringify([y.counts, y.most]) &&
  [...x.clear].every((id) => y.clear.has(id)) &&
  [...x.twins].every(([id, k]) => y.twins.get(id) === k);

/** Read, and again while one of the worlds may move; told only when it has become otherwise. */
function differing(tell: (d: Differing) => void, a: string, b: string): Reading {
  const abort = new AbortController();
  let timer = 0;
  let known = NOBODY;
  const round = async () => {
    clearTimeout(timer);
    const begin = performance.now();
    const found = await readDiffering(a, b, abort.signal).catch((e: unknown) => wordsOf(e));
    if (abort.signal.aborted) return;
    const next = typeof found === "string" ? { ...known, error: found } : found;
    if (known === NOBODY || !alike(known, next)) tell((known = next));
    if (stands(a) && stands(b)) return;
    timer = window.setTimeout(() => void round(), Math.max(REREAD_MS, 10 * (performance.now() - begin)));
  };
  void round();
  return { stop: () => (abort.abort(), clearTimeout(timer)), again: () => void round() };
}
teach("differing", differing);

/** After it was refused. */
export const readAgain = (a: string, b: string): void => again("differing", [a, b]);

/** Kept up to date while one of the worlds moves. Without a name nothing is asked. */
export function useDiffering(a: string, b: string): Differing {
  const [state, set] = useState<Differing>(NOBODY);
  useEffect(() => {
    set(NOBODY);
    return a && b ? follow<Differing>("differing", [a, b], set) : undefined;
  }, [a, b]);
  return state;
}

/** "=power / speed": what the server computes; "" of a property. */
export const expressionOf = (key: string): string => (key.startsWith("=") ? key.slice(1).trim() : "");

type Column = ReadonlyMap<string, Value>;

async function readColumn(world: string, property: string, signal: AbortSignal): Promise<Map<string, Value>> {
  const of = expressionOf(property);
  const g = await api.get<{ twins: { id: string[] }; values: Record<string, Value[]> }>("/graph", {
    world,
    query: { ...(of ? { expression: [of] } : { values: property }), links: false },
    signal,
  });
  const out = new Map<string, Value>();
  g.values[of || property]?.forEach((v, i) => v !== null && out.set(g.twins.id[i]!, v));
  return out;
}

/** A property or an expression of all twins of a world. First be told, then read: nothing falls between. */
function column(tell: (c: Column) => void, world: string, property: string): Reading {
  const abort = new AbortController();
  let values = new Map<string, Value>();
  const again = () =>
    void readColumn(world, property, abort.signal).then(
      (read) => !abort.signal.aborted && tell((values = read)),
      () => {},
    );
  const stops = [() => abort.abort()];
  const told = !stands(world) && !expressionOf(property);
  if (!told) again();
  if (!stands(world) && !told) {
    const timer = setInterval(again, REREAD_MS);
    stops.push(() => clearInterval(timer));
  } else if (told) {
    // Without an answer it is read all the same.
    const timer = setTimeout(again, UNANSWERED_MS);
    stops.push(() => clearTimeout(timer));
    const changes = (list: readonly Change[]) => {
      for (const c of list) if (c.path === property) put(values, c);
      tell(values);
    };
    const interest = { world, properties: [property], interval: 1000 };
    const subscribed = () => (clearTimeout(timer), again());
    stops.push(listen(interest, { subscribed, gap: again, changes }));
  }
  return { stop: () => stops.forEach((f) => f()) };
}
teach("column", column);

function put(values: Map<string, Value>, c: Change): void {
  if (c.value === undefined || c.value === null) values.delete(c.twin);
  else values.set(c.twin, c.value);
}

/** What one property is in two worlds. */
export class Both {
  /** Counts up when something changed. */
  readonly version = signal(0);
  a: Column = new Map();
  b: Column = new Map();
  numeric = true;

  /** B minus A of numbers; 1 when others differ, 0 when they are the same; undefined: not known in both. */
  of(id: string): number | undefined {
    const x = this.a.get(id);
    const y = this.b.get(id);
    if (this.numeric) {
      if (typeof x !== "number" || typeof y !== "number") return undefined;
      return Math.abs(y - x) <= SAME * Math.max(Math.abs(x), Math.abs(y)) ? 0 : y - x;
    }
    if (x === undefined && y === undefined) return undefined;
    return x === y ? 0 : 1;
  }

  *ids(): Generator<string> {
    for (const id of this.a.keys()) if (this.b.has(id)) yield id;
  }

  /** How far the scale goes to both sides: of 98 of 100 twins that differ. */
  most(): number {
    const all: number[] = [];
    for (const id of this.ids()) {
      const d = this.of(id);
      if (d) all.push(Math.abs(d));
    }
    all.sort((x, y) => x - y);
    return all[Math.min(all.length - 1, Math.ceil(all.length * 0.98))] ?? 0;
  }
}

const isNumber = (path: string): boolean => {
  for (const m of models.peek().values())
    for (const p of m.properties) if (p.path === path) return p.type === "number" || p.type === "integer";
  return true;
};

export function useBoth(a: string, b: string, property: string): Both {
  const both = useMemo(() => new Both(), [a, b, property]);
  useEffect(() => {
    if (!a || !b || !property) return;
    both.numeric = isNumber(property);
    const take = (side: "a" | "b") => (c: Column) => {
      both[side] = c;
      both.version.value++;
    };
    const stops = [a, b].map((w, i) => follow<Column>("column", [w, property], take(i ? "b" : "a")));
    return () => stops.forEach((f) => f());
  }, [both, models.value.size]);
  return both;
}
