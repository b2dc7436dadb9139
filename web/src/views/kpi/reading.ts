// SPDX-License-Identifier: Apache-2.0
// KPIs of worlds beside each other, as they are said: figures, what lies between them, how sure that is, and the one
// scale of all bars.
import { endsOf, isNumber, isTold, verdictOf } from "~/api/verdict";
import type { ComparedKpi, ComparedValue } from "~/api/whatif";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.kpi;
const DIGITS = 4; // that a figure is told with
const DIGITS_PERCENT = 3; // as on the overview
const TINY = 1e-6; // what arithmetic leaves is no spread
const FAR = 1; // of the first value: what is farther ends at the edge
const NEAR = 0.01; // the scale goes so far at least: a hair's breadth is no full bar
const TIMES = 10; // of next to nothing it became something: a percentage says nothing

export const unitOf = (k: { symbol?: string; unit: string }): string => k.symbol || format.unitSymbol(k.unit);
const isPercent = (k: ComparedKpi): boolean => unitOf(k) === "%";

export const figure = (k: ComparedKpi, v: ComparedValue | undefined): string =>
  isNumber(v?.value) ? format.number(v.value, isPercent(k) ? DIGITS_PERCENT : DIGITS) : words.noValue;

/** "1 024 ± 12": a mean of runs with how sure it is. */
export function ownText(k: ComparedKpi, v: ComparedValue | undefined): string {
  const text = figure(k, v);
  if (!isNumber(v?.value) || !isNumber(v.low) || !isNumber(v.high)) return text;
  const half = (v.high - v.low) / 2;
  return half > TINY * Math.abs(v.value) ? w.plusMinus(text, format.number(half, 2)) : text;
}

/** Percent are told apart in points; a percentage of a percentage would only puzzle. */
export function differenceText(k: ComparedKpi, v: ComparedValue | undefined): string {
  if (!isNumber(v?.difference)) return "";
  const d = format.signed(v.difference);
  if (!isPercent(k)) return `${d} ${unitOf(k)}`.trim();
  return `${d} ${/^[+−]?1$/.test(d) ? w.onePoint : w.points}`;
}

export function relativeText(k: ComparedKpi, v: ComparedValue | undefined): string {
  const r = v?.relative;
  return isNumber(r) && r && !isPercent(k) && Math.abs(r) < TIMES ? `${format.signed(r * 100)}\u2009%` : "";
}

/** "95 %: −20 to +40"; "" without an interval, and of what is the same in every run. */
export function intervalText(v: ComparedValue | undefined): string {
  const ends = endsOf(v);
  if (!ends || (!ends[0] && !ends[1])) return "";
  return w.interval(format.signed(ends[0]), format.signed(ends[1]));
}

/** Nothing lies between it and the first that is told: within the interval, or within the digits of a figure. */
function isStill(k: ComparedKpi, v: ComparedValue): boolean {
  if (!isNumber(v.difference)) return !isNumber(v.value) && !isNumber(k.values[0]?.value);
  if (!isTold(verdictOf(k, v))) return true;
  return !endsOf(v) && figure(k, k.values[0]) === figure(k, v);
}

/** One of the worlds differs in it from the first, as far as that can be told. */
export const moved = (k: ComparedKpi): boolean => k.values.slice(1).some((v) => !isStill(k, v));

export interface Span {
  low: number;
  mid: number;
  high: number;
}

/** The ends of a difference as parts of the first value. */
export function spanOf(k: ComparedKpi, v: ComparedValue | undefined): Span | null {
  if (!isNumber(v?.difference)) return null;
  const of = Math.abs(k.values[0]?.value ?? 0) || Math.abs(v.difference) || 1;
  const [low, high] = endsOf(v) ?? [Math.min(0, v.difference), Math.max(0, v.difference)];
  return { low: low / of, mid: v.difference / of, high: high / of };
}

/** How far the bars of all go to both sides, on one scale. Of nothing there are no parts: that tells no reach. */
export function reachOf(kpis: readonly ComparedKpi[]): number {
  const all = kpis
    .filter((k) => k.values[0]?.value)
    .flatMap((k) => k.values.slice(1).map((v) => spanOf(k, v)))
    .filter((s) => s !== null)
    .map((s) => Math.max(Math.abs(s.low), Math.abs(s.high)));
  return Math.min(FAR, Math.max(...all, NEAR));
}

/** Where a part lies on a bar, in percent of its width. */
export const placeOf = (part: number, reach: number): number => 50 + 46 * Math.max(-1, Math.min(1, part / reach));

export const reachText = (reach: number): string => `${format.number(reach * 100, 2)}\u2009%`;
