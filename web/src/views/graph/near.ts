// SPDX-License-Identifier: Apache-2.0
// Only the neighbourhood of a twin: "near=ID,2" in the address, and behind it those that were expanded, with theirs.
import { useMemo } from "preact/hooks";
import { entries, shape } from "~/api/catalogue";
import { go, route } from "~/app/route";
import { net } from "./adjacency";
import { listOf, textOf } from "./params";
import { within } from "./path";

export const MOST_STEPS = 3;

export type Centre = readonly [id: string, steps: number];

export function centresOf(text: string | undefined): Centre[] {
  const parts = listOf(text);
  const out: Centre[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const steps = Math.round(Number(parts[i + 1]));
    if (steps >= 0) out.push([parts[i]!, Math.min(MOST_STEPS, steps)]);
  }
  return out;
}

const put = (list: readonly Centre[]) =>
  go({ params: { near: textOf(list.flat()) || null, ...(list.length ? { cam: null } : {}) } });

/** The first of them is whose neighbourhood it is. */
export function setNear(id: string, steps: number): void {
  put([[id, Math.max(1, Math.min(MOST_STEPS, steps))]]);
}

export const leaveNear = () => put([]);

/** One step more around a twin; of the whole graph its neighbourhood alone. */
export function expand(id: string): void {
  const list = centresOf(route.peek().params.near);
  const known = list.find(([c]) => c === id);
  if (!known) put([...list, [id, 1]]);
  else if (known[1] < MOST_STEPS) put(list.map((c) => (c === known ? [id, known[1] + 1] : c)));
}

export interface Near {
  centres: readonly Centre[];
  ids: ReadonlySet<string> | null; // null: all of the graph
}

export function useNear(): Near {
  const text = route.value.params.near ?? "";
  return useMemo(() => {
    const centres = centresOf(text);
    const { adjacency, indexOf } = net();
    const known = centres.flatMap(([id, steps]) => {
      const i = indexOf.get(id);
      return i === undefined ? [] : [[i, steps] as const];
    });
    if (!known.length) return { centres, ids: centres.length && indexOf.size ? new Set<string>() : null };
    const list = entries.peek();
    return { centres, ids: new Set([...within(adjacency, known)].map((i) => list[i]!.id)) };
  }, [text, shape.value]);
}
