// SPDX-License-Identifier: Apache-2.0
// Values over time, as columns for charts: single ones when they are few, else mean, least and most of intervals.
import { patience, patienceOfSteps, withGaps } from "~/ui/chart/gaps";
import { api } from "./client";

export interface Series {
  property: string;
  unit: string;
  schema: string;
  time: number[]; // seconds since 1970, as uPlot wants them
  value: (number | string | boolean | null)[];
}

export interface Ask {
  world: string;
  twin: string;
  properties: readonly string[];
  from: number | string; // ms since 1970, or "-1h"
  to?: number | string;
  points?: number; // more than so many: means of intervals
  step?: number; // seconds: means of intervals of that length
  fn?: "avg" | "last"; // what an interval comes to
  limit?: number;
  signal?: AbortSignal;
}

interface Column {
  property: string;
  schema?: string;
  unit?: string;
  timeUnit: string;
  time: number[];
  value?: Series["value"];
  avg?: Series["value"]; // with a step
  last?: Series["value"];
}

const instant = (t: number | string) => (typeof t === "number" ? new Date(t).toISOString() : t);

export async function fetchHistory(a: Ask): Promise<Series[]> {
  const ms = typeof a.from === "number" && typeof a.to === "number" ? a.to - a.from : NaN;
  const step = a.step ? a.step : a.points && Number.isFinite(ms) ? Math.max(1, Math.ceil(ms / a.points / 1000)) : 0;
  const text = await api.text(`/digitaltwins/${encodeURIComponent(a.twin)}/history`, {
    world: a.world,
    query: {
      properties: a.properties.join(","),
      from: instant(a.from),
      to: a.to === undefined ? undefined : instant(a.to),
      fn: step ? (a.fn ?? "avg") : undefined,
      step: step ? `${step}s` : undefined,
      format: "columns",
      limit: a.limit ?? 100_000,
    },
    signal: a.signal,
  });
  return seriesOf(text);
}

/** NDJSON of columns; pages of one property are joined. */
export function seriesOf(text: string): Series[] {
  const out = new Map<string, Series>();
  for (const line of text.split("\n")) {
    if (!line) continue;
    const c = JSON.parse(line) as Column;
    const known = out.get(c.property) ?? {
      property: c.property,
      unit: c.unit ?? "",
      schema: c.schema ?? "",
      time: [],
      value: [],
    };
    // Nanoseconds pass 2^53: what is lost there is less than a microsecond.
    for (const t of c.time) known.time.push(t / 1e9);
    for (const v of c.value ?? c.avg ?? c.last ?? []) known.value.push(v);
    out.set(c.property, known);
  }
  return [...out.values()];
}

/** Who set a value last: a connection, a person's token, "local". */
export async function lastSource(world: string, twin: string, path: string, signal?: AbortSignal): Promise<string> {
  const r = await api.get<{ value: { source?: string }[] }>(`/digitaltwins/${encodeURIComponent(twin)}/history`, {
    world,
    query: { properties: path, order: "desc", limit: 1, with: "source" },
    signal,
  });
  return r.value[0]?.source ?? "";
}

/** A course with its gaps: null where the source was silent for longer than it usually is. */
export interface Course {
  property: string;
  unit: string;
  time: number[];
  value: (number | null)[];
  low?: (number | null)[]; // of what one point stands for
  high?: (number | null)[];
  step: number; // seconds an interval; 0: single values
  patience: number; // seconds of silence that are a gap; 0: none is
  begin?: Begin; // where it begins well inside of what was asked for
}

/** The first value of a stretch that is empty before it. */
export interface Begin {
  time: number; // seconds since 1970
  first: boolean; // there never was one before; else the source was silent
}

export interface CourseAsk {
  world: string;
  twin: string;
  property: string;
  from: number; // ms since 1970
  to: number;
  points: number; // about as many as there are pixels
  stands?: boolean; // a value stands until the next: silence is no gap, and what stood at the beginning is asked for
  signal?: AbortSignal;
}

interface Intervals extends Column {
  min?: (number | null)[];
  max?: (number | null)[];
  count?: number[];
}

const FEW = 2; // values a pixel that are told one by one
const EMPTY_PART = 0.05; // of a stretch: so much without a value at its beginning is told

const pathOf = (twin: string) => `/digitaltwins/${encodeURIComponent(twin)}/history`;
const lines = <T>(text: string): T[] =>
  text
    .split("\n")
    .filter((l) => l)
    .map((l) => JSON.parse(l) as T);

/** With where it begins, when that is not where it was asked for from. */
export async function fetchCourse(a: CourseAsk): Promise<Course> {
  const c = await readCourse(a);
  const known = c.value.findIndex((v) => v !== null);
  const empty = (c.time[known] ?? 0) * 1000 - a.from;
  if (known < 0 || empty < (a.to - a.from) * EMPTY_PART) return c;
  const [first, before] = await Promise.all([firstAfter(a), lastBefore(a.world, a.twin, a.property, a.from, a.signal)]);
  return first ? { ...c, begin: { time: Date.parse(first.time) / 1000, first: before === undefined } } : c;
}

async function readCourse(a: CourseAsk): Promise<Course> {
  const step = Math.ceil((a.to - a.from) / a.points / 1000);
  if (step > 1 && !a.stands) {
    const text = await api.text(pathOf(a.twin), {
      world: a.world,
      query: {
        properties: a.property,
        // On round intervals: a window that moves does not shake what is in it.
        from: instant(Math.floor(a.from / 1000 / step) * step * 1000),
        to: instant(a.to),
        fn: "avg,min,max,count",
        step: `${step}s`,
        format: "columns",
      },
      signal: a.signal,
    });
    const all = lines<Intervals>(text);
    const count = all.flatMap((c) => c.count ?? []);
    if (count.reduce((sum, n) => sum + n, 0) > a.points * FEW) return ofIntervals(a, all, count, step);
  }
  const [course, before] = await Promise.all([fetchHistory({ ...a, properties: [a.property] }), stoodBefore(a)]);
  return ofValues(a, course[0], before);
}

function ofIntervals(a: CourseAsk, all: readonly Intervals[], count: number[], step: number): Course {
  const { property } = a;
  // A mean is of the whole interval: it stands in its middle. Of the last one only a part has passed.
  const middle = (t: number) => (t + Math.max(t, Math.min(t + step, a.to / 1000))) / 2;
  const time = all.flatMap((c) => c.time.map((t) => middle(t / 1e9)));
  const pick = (of: "avg" | "min" | "max") => all.flatMap((c) => (c[of] ?? []) as (number | null)[]);
  const longest = patienceOfSteps(step, count, time);
  const g = withGaps(time, [pick("avg"), pick("min"), pick("max")], longest);
  const [value, low, high] = g.columns as [Course["value"], Course["value"], Course["value"]];
  return { property, unit: all[0]?.unit ?? "", time: g.time, value, low, high, step, patience: longest };
}

function ofValues(a: CourseAsk, s: Series | undefined, before: number | null): Course {
  const time = s?.time ?? [];
  const value = (s?.value ?? []).map((v) => (typeof v === "number" ? v : typeof v === "boolean" ? Number(v) : null));
  const longest = a.stands ? 0 : patience(time);
  const g = withGaps(time, [value], longest);
  const unit = s?.unit ?? "";
  const out = { property: a.property, unit, time: g.time, value: g.columns[0]!, step: 0, patience: longest };
  if (a.stands && before !== null) {
    out.time.unshift(a.from / 1000);
    out.value.unshift(before);
  }
  return out;
}

/** The number that stood at the beginning. */
async function stoodBefore(a: CourseAsk): Promise<number | null> {
  if (!a.stands) return null;
  const r = await lastBefore(a.world, a.twin, a.property, a.from, a.signal);
  return typeof r?.value === "number" ? r.value : typeof r?.value === "boolean" ? Number(r.value) : null;
}

interface Told {
  time: string;
  value: Series["value"][number];
}

async function firstAfter(a: CourseAsk): Promise<Told | undefined> {
  const query = { properties: a.property, from: instant(a.from), to: instant(a.to), limit: 1 };
  const r = await api.get<{ value: Told[] }>(pathOf(a.twin), { world: a.world, query, signal: a.signal });
  return r.value[0];
}

export async function lastBefore(
  world: string,
  twin: string,
  property: string,
  at: number,
  signal?: AbortSignal,
): Promise<Told | undefined> {
  const r = await api.get<{ value: Told[] }>(pathOf(twin), {
    world,
    query: { properties: property, to: instant(at), order: "desc", limit: 1 },
    signal,
  });
  return r.value[0];
}

export interface ToldValue {
  time: number; // seconds since 1970
  value: Told["value"];
}

/** What was read of the changes of a value: from an instant to another, ms since 1970. */
export interface ChangesRead {
  from: number;
  to: number;
  list: ToldValue[];
}

const CHANGES_MOST = 5000; // values: of more the last of each interval
const CHANGES_POINTS = 1000;
const LATE_MS = 60_000; // so late a value may come

/** Values one by one, or of very many what stood at the end of each interval. */
async function valuesIn(a: Omit<CourseAsk, "points">): Promise<ToldValue[]> {
  const ask = { ...a, properties: [a.property] };
  const plain = (s: Series | undefined): ToldValue[] =>
    (s?.time ?? []).map((time, i) => ({ time, value: s!.value[i]! }));
  const all = plain((await fetchHistory({ ...ask, limit: CHANGES_MOST }))[0]);
  if (all.length < CHANGES_MOST) return all;
  const step = Math.max(1, Math.ceil((a.to - a.from) / CHANGES_POINTS / 1000));
  return plain((await fetchHistory({ ...ask, step, fn: "last" }))[0]);
}

/**
 * Every change of a text, a state or a switch, with what stood at the beginning. What was read before of a stretch that
 * this one goes on from is not read again.
 */
export async function fetchChanges(a: Omit<CourseAsk, "points">, before?: ChangesRead): Promise<ChangesRead> {
  const goesOn = before && before.from <= a.from && before.to - LATE_MS > a.from && before.to <= a.to;
  const since = goesOn ? before.to - LATE_MS : a.from;
  const [values, stood] = await Promise.all([
    valuesIn({ ...a, from: since }),
    goesOn ? undefined : lastBefore(a.world, a.twin, a.property, a.from, a.signal),
  ]);
  const known = goesOn ? before.list.filter((x) => x.time < since / 1000) : [];
  if (stood) known.push({ time: a.from / 1000, value: stood.value });
  const list: ToldValue[] = [];
  for (const x of [...known, ...values]) if (list[list.length - 1]?.value !== x.value || !list.length) list.push(x);
  return { from: a.from, to: a.to, list: fromOn(list, a.from / 1000) };
}

/** Without what ended before; what stood then begins there. */
function fromOn(list: readonly ToldValue[], from: number): ToldValue[] {
  const first = list.findLastIndex((x) => x.time <= from);
  return first < 0 ? [...list] : [{ time: from, value: list[first]!.value }, ...list.slice(first + 1)];
}

/** Means of whole hours, `days` back from `to`. */
export async function fetchHours(
  world: string,
  twin: string,
  property: string,
  to: number,
  days: number,
  signal?: AbortSignal,
): Promise<{ time: number[]; value: (number | null)[] }> {
  const text = await api.text(pathOf(twin), {
    world,
    query: {
      properties: property,
      from: instant(to - days * 86_400_000),
      to: instant(to),
      fn: "avg",
      step: "1h",
      format: "columns",
    },
    signal,
  });
  const all = lines<Column>(text);
  return {
    time: all.flatMap((c) => c.time.map((t) => t / 1e9)),
    value: all.flatMap((c) => (c.avg ?? []) as (number | null)[]),
  };
}
