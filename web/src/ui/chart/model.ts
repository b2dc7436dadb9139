// SPDX-License-Identifier: Apache-2.0
// What a chart is made of, and how lines of several clocks and units come onto one time axis.

/** low to high around a course; `level` 95: of a hundred futures 95 are to lie inside. Without: least and most. */
export interface Band {
  level?: number;
  low: readonly (number | null)[];
  high: readonly (number | null)[];
}

export interface Line {
  label: string;
  unit: string;
  time: number[]; // seconds since 1970, ascending
  value: (number | null)[]; // null: a gap
  low?: (number | null)[]; // of a band
  high?: (number | null)[];
  level?: number; // what that band holds, percent; without it: what lay between two points
  bands?: readonly Band[]; // nested, of a forecast
  colour?: string; // CSS, "var(--c3)"
  dash?: boolean;
  step?: boolean; // stands until the next value
  bars?: boolean; // from zero
  every?: number; // seconds a point is the mean of; 0: values as they came; without: nothing is said of it
}

/** The states of a twin over the same time, below the plots. */
export interface Strip {
  name: string;
  said: string; // what part of the time each is
  pieces: StripPiece[];
}

export interface StripPiece {
  state: string;
  from: number; // seconds since 1970
  to: number;
  fill: string; // CSS, "var(--c3)"
  part: number; // how dense, over the card
  ink: string; // of words in it
}

/** A forecast: a dashed mean in nested bands. */
export interface Fan {
  label: string;
  unit: string;
  time: number[];
  mean: (number | null)[];
  bands: readonly Band[];
  colour?: string;
}

export interface Mark {
  time: number;
  label: string;
  colour?: string;
}

/** The stretch at the left in which there is nothing, and what is said of it. */
export interface Nothing {
  until: number; // seconds since 1970
  text: string;
}

/** A limit or a setpoint: one value over everything, or one that was changed (`time`, `values`: stands until next). */
export interface Limit {
  label: string;
  value: number; // the one that stands
  time?: readonly number[];
  values?: readonly (number | null)[];
  unit?: string; // whose axis; without it: the first
  colour?: string;
}

export const fanLine = (f: Fan): Line => ({
  label: f.label,
  unit: f.unit,
  time: f.time,
  value: f.mean,
  bands: f.bands,
  dash: true,
  colour: f.colour,
});

/** All bands of a line, the widest first: so they are painted over each other. */
export function bandsOf(l: Line): Band[] {
  const all = [...(l.bands ?? [])];
  if (l.low && l.high) all.push({ level: l.level, low: l.low, high: l.high });
  return all.sort((a, b) => (b.level ?? 0) - (a.level ?? 0));
}

export const scaleOf = (l: { unit?: string }): string => l.unit || "y";

/** Lines with the numbers they are painted by: two units a chart, what has a third goes below. */
export function panels<T extends { unit: string }>(lines: readonly T[]): T[][] {
  const units = [...new Set(lines.map(scaleOf))];
  const out: T[][] = [];
  for (let i = 0; i < units.length; i += 2) {
    const here = units.slice(i, i + 2);
    out.push(lines.filter((l) => here.includes(scaleOf(l))));
  }
  return out;
}

export type Column = (number | null | undefined)[];

/** One time axis for all: undefined where a line says nothing of that instant, null where it has a gap. */
export function join(lines: readonly Line[]): { time: number[]; columns: Column[][] } {
  const own = lines.map((l) => [l.value, ...bandsOf(l).flatMap((b) => [b.low, b.high])]);
  const first = lines[0]?.time ?? [];
  const same = lines.every((l) => l.time === first || (l.time.length === first.length && sameTimes(l.time, first)));
  if (same) return { time: first, columns: own.map((list) => list.map((c) => c as Column)) };
  const time = [...new Set(lines.flatMap((l) => l.time))].sort((a, b) => a - b);
  const at = new Map(time.map((t, i) => [t, i]));
  const columns = lines.map((l, k) =>
    own[k]!.map((c) => {
      const out: Column = new Array<number | null | undefined>(time.length).fill(undefined);
      l.time.forEach((t, i) => (out[at.get(t)!] = c[i] ?? null));
      return widened(out);
    }),
  );
  return { time, columns };
}

/** A gap goes from value to value, also over instants that only other lines have. */
function widened(c: Column): Column {
  let known = -1; // the last number
  let gap = false;
  for (let i = 0; i < c.length; i++) {
    if (c[i] === null) gap = true;
    if (typeof c[i] !== "number") continue;
    if (gap) for (let k = known + 1; k < i; k++) c[k] = null;
    known = i;
    gap = false;
  }
  return c;
}

function sameTimes(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Where a limit stood, as corners of a stepped line between two instants. */
export function limitCourse(l: Limit, from: number, to: number): { time: number; value: number | null }[] {
  if (!l.time?.length || !l.values) {
    return [
      { time: from, value: l.value },
      { time: to, value: l.value },
    ];
  }
  const out: { time: number; value: number | null }[] = [];
  let stood: number | null = null;
  l.time.forEach((t, i) => {
    const v = l.values![i] ?? null;
    if (t <= from) {
      stood = v;
      return;
    }
    if (t > to) return;
    if (!out.length) out.push({ time: from, value: stood });
    out.push({ time: t, value: stood }, { time: t, value: v });
    stood = v;
  });
  if (!out.length) out.push({ time: from, value: stood });
  out.push({ time: to, value: stood });
  return out;
}

/** Least and most of what is painted between two instants; null when nothing is. */
export function extent(lines: readonly Line[], from = -Infinity, to = Infinity): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (const l of lines) {
    const columns = [l.value, ...bandsOf(l).flatMap((b) => [b.low, b.high])];
    for (let i = 0; i < l.time.length; i++) {
      if (l.time[i]! < from || l.time[i]! > to) continue;
      for (const c of columns) {
        const v = c[i];
        if (v === null || v === undefined) continue;
        if (v < low) low = v;
        if (v > high) high = v;
      }
    }
    if (l.bars && high > -Infinity) {
      low = Math.min(0, low);
      high = Math.max(0, high);
    }
  }
  return low <= high ? [low, high] : null;
}

/** An axis that shows the values, and a limit as long as it does not press them flat. */
export function axisRange(of: [number, number] | null, limits: readonly number[], bars: boolean): [number, number] {
  if (!of) return limits.length ? axisRange([Math.min(...limits), Math.max(...limits)], [], bars) : [0, 1];
  let [low, high] = of;
  const room = Math.max(high - low, Math.abs(high) * 0.02) * 2;
  for (const v of limits) {
    if (v < low && low - v <= room) low = v;
    if (v > high && v - high <= room) high = v;
  }
  if (low === high) {
    const pad = Math.abs(low) * 0.05 || 1;
    return bars ? [Math.min(0, low - pad), Math.max(0, high + pad)] : [low - pad, high + pad];
  }
  const pad = (high - low) * 0.08;
  // A quantity that cannot be negative does not get an axis that says it could.
  const bottom = low >= 0 && low - pad < 0 ? 0 : low - pad;
  const top = high <= 0 && high + pad > 0 ? 0 : high + pad;
  return bars ? [Math.min(0, bottom), Math.max(0, top)] : [bottom, top];
}

/** The nearest instant at which a line says something; for stepped ones the value that stands. */
export function readingAt(time: readonly number[], column: Column, t: number, hint: number, step: boolean): number {
  let left = Math.min(hint, time.length - 1);
  while (left >= 0 && (time[left]! > t || column[left] === undefined)) left--;
  if (step) return left;
  let right = Math.max(0, left + 1);
  while (right < time.length && column[right] === undefined) right++;
  if (right >= time.length) return left;
  if (left < 0) return right;
  return t - time[left]! <= time[right]! - t ? left : right;
}
