// SPDX-License-Identifier: Apache-2.0
// Colours and sizes of the drawn twins: of everything once, then of what the feed says changed.
import { useEffect, useRef, useState } from "preact/hooks";
import { byId, entries } from "~/api/catalogue";
import { models } from "~/api/models";
import type { Value } from "~/api/types";
import { categorical, reachOf, scaleOf, type Reach, type Scale } from "~/ui/colour";
import { families, type Families } from "./families";
import { havers, useMeasure, type Measured } from "./measure";
import type { Stage } from "./stage";

export type StageRef = { current: Stage | null };

/** Colours are of families of models: there are more models than colours. */
export function familiesNow(): Families {
  const counts = new Map<string, number>();
  for (const e of entries.peek()) counts.set(e.model, (counts.get(e.model) ?? 0) + 1);
  return families(counts, models.peek());
}

export interface Colouring extends Measured {
  key: string;
  scale: Scale | null; // null: by model
  reach: Reach | null;
  without: number; // twins whose models do not have the property
}

const empty = (s: Scale) => s.low === undefined && !s.categories?.length;
const COUNT_MS = 1000; // between two counts of what lies where on the scale

/** How many lie beyond the scale's ends or have no value: counted again some time after values moved. */
function useReach(key: string) {
  const values = useRef(new Map<string, Value>());
  const timer = useRef(0);
  const [state, set] = useState<{ of: string; reach: Reach | null; without: number }>({
    of: "",
    reach: null,
    without: 0,
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  const count = (s: Scale) => {
    timer.current = 0;
    const have = havers(key);
    let without = 0;
    const mine: Value[] = [];
    for (const [id, v] of values.current) {
      if (v === null && have && !have.has(byId.peek().get(id)?.model ?? "")) without++;
      else mine.push(v);
    }
    const next = { of: key, reach: reachOf(mine, s), without };
    set((o) => (JSON.stringify(o) === JSON.stringify(next) ? o : next));
  };
  return {
    all: (ids: readonly string[], list: readonly Value[], s: Scale) => {
      values.current = new Map(ids.map((id, i) => [id, list[i] ?? null]));
      clearTimeout(timer.current);
      count(s);
    },
    some: (list: readonly [id: string, value: Value][], s: Scale) => {
      for (const [id, v] of list) if (values.current.has(id)) values.current.set(id, v);
      timer.current ||= window.setTimeout(() => count(s), COUNT_MS);
    },
    of: (k: string) => (state.of === k ? state : { reach: null, without: 0 }),
  };
}

export function useColours(stage: StageRef, ready: number, key: string, dark: boolean): Colouring {
  const [scale, set] = useState<{ of: string; scale: Scale } | null>(null);
  const kept = useRef<{ of: string; scale: Scale } | null>(null);
  const told = useReach(key);
  const of = `${key} ${dark} ${ready}`;
  const measured = useMeasure(
    key,
    ready,
    {
      none: () => {
        const f = familiesNow();
        stage.current?.paint(entries.peek().map((e) => [e.id, categorical(f.of(e.model), dark)]));
        kept.current = null;
        set(null);
      },
      // A scale stays as it was first, so that a colour goes on meaning what it meant.
      all: (ids, values) => {
        if (kept.current?.of !== of || empty(kept.current.scale)) {
          kept.current = { of, scale: scaleOf(values, dark) };
          set(kept.current);
        }
        const s = kept.current.scale;
        stage.current?.paint(ids.map((id, i) => [id, s.of(values[i])]));
        told.all(ids, values, s);
      },
      some: (list) => {
        const s = kept.current?.scale;
        if (!s) return;
        stage.current?.paint(list.map(([id, v]) => [id, s.of(v)]));
        told.some(list, s);
      },
    },
    dark,
  );
  const { reach, without } = told.of(key);
  return { ...measured, key, scale: key ? (scale?.scale ?? null) : null, reach, without };
}

export interface Sizing extends Measured {
  key: string;
  low: number; // NaN: nothing to size by
  high: number;
}

/** How large a value is drawn, 0 to 1: by area from nothing on, when all are positive; else along the range. */
export function partOf(v: Value | undefined, low: number, high: number): number {
  if (typeof v !== "number" || !Number.isFinite(v) || !Number.isFinite(high)) return 0;
  if (low >= 0) return high > 0 ? Math.sqrt(Math.min(1, Math.max(0, v / high))) : 0;
  return high > low ? Math.min(1, Math.max(0, (v - low) / (high - low))) : 0.5;
}

function rangeOf(values: readonly Value[]): { low: number; high: number } {
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) {
    if (typeof v !== "number" || !Number.isFinite(v)) continue;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low <= high ? { low, high } : { low: NaN, high: NaN };
}

export function useSizes(stage: StageRef, ready: number, key: string): Sizing {
  const [range, set] = useState({ low: NaN, high: NaN, of: "" });
  const kept = useRef(range);
  const of = `${key} ${ready}`;
  const measured = useMeasure(key, ready, {
    none: () => {
      stage.current?.resize(null);
      kept.current = { low: NaN, high: NaN, of: "" };
    },
    all: (ids, values) => {
      const r = rangeOf(values);
      if (kept.current.of !== of || !(r.high <= kept.current.high * 1.2)) set((kept.current = { ...r, of }));
      const { low, high } = kept.current;
      stage.current?.resize(ids.map((id, i) => [id, partOf(values[i], low, high)]));
    },
    some: (list) => {
      const { low, high } = kept.current;
      stage.current?.resize(list.map(([id, v]) => [id, partOf(v, low, high)]));
    },
  });
  const mine = range.of === of;
  return { ...measured, key, low: mine ? range.low : NaN, high: mine ? range.high : NaN };
}
