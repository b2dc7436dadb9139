// SPDX-License-Identifier: Apache-2.0
// Colours of twins: by model, or by a property's values. The same quantity has the same colour in every view.
import type { Value } from "~/api/types";
import { mix, perTheme, token } from "./tokens";

/** Okabe and Ito's, in the order in which series take them. */
const series = perTheme((dark) => Array.from({ length: 8 }, (_, i) => token(`c${i}`, dark)));
export const categorical = (i: number, dark: boolean): string => series(dark)[i % 8]!;

const viridis = perTheme((dark) => Array.from({ length: 10 }, (_, i) => token(`v${i}`, dark)));

const isNumber = (v: Value | undefined): v is number => typeof v === "number" && Number.isFinite(v);
const isKnown = (v: Value | undefined): boolean => v !== undefined && v !== null && v !== "";

/** Least to most, as parts of 0 to 1; the same in both themes. */
export function sequential(part: number): string {
  const at = Math.min(1, Math.max(0, part)) * 9;
  const i = Math.min(8, Math.floor(at));
  return mix(viridis(false)[i]!, viridis(false)[i + 1]!, at - i);
}

export interface Scale {
  of(v: Value | undefined): string;
  /** Numbers: the ends. Categories: their colours. */
  low?: number;
  high?: number;
  categories?: { name: string; colour: string }[];
  unknown: string; // who has no value
}

const FEW = 4; // numbers from which on one may be far from the others

/** Ends of a scale: the least and the most; where what lies beyond the 2nd or the 98th of 100 would take half of it,
 *  that one. Of one value that all others share nothing is cut: who differs is to be seen. */
function endsOf(sorted: readonly number[]): { low: number; high: number } {
  const last = sorted.length - 1;
  const [least, most] = [sorted[0]!, sorted[last]!];
  if (sorted.length < FEW) return { low: least, high: most };
  const low = sorted[Math.ceil(last * 0.02)]!;
  const high = sorted[Math.floor(last * 0.98)]!;
  const span = high - low;
  if (span === 0) return { low: least, high: most };
  return { low: low - least > span ? low : least, high: most - high > span ? high : most };
}

/** A scale for values as they are: numbers between their ends, others as categories by how often. */
export function scaleOf(values: readonly (Value | undefined)[], dark: boolean): Scale {
  const unknown = token("n5", dark);
  const numbers = values.filter(isNumber).sort((a, b) => a - b);
  if (numbers.length) {
    const { low, high } = endsOf(numbers);
    const span = high - low || 1;
    return { low, high, unknown, of: (v) => (isNumber(v) ? sequential((v - low) / span) : unknown) };
  }
  const counts = new Map<string, number>();
  for (const v of values) if (isKnown(v)) counts.set(String(v), (counts.get(String(v)) ?? 0) + 1);
  const names = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([n]) => n);
  const colours = new Map(names.map((n, i) => [n, i < 7 ? categorical(i, dark) : categorical(7, dark)]));
  return {
    unknown,
    of: (v) => (isKnown(v) ? (colours.get(String(v)) ?? categorical(7, dark)) : unknown),
    categories: names.slice(0, 8).map((name) => ({ name, colour: colours.get(name)! })),
  };
}

/** What the values of a scale are in truth: their extremes, and how many lie beyond its ends or are not there. */
export interface Reach {
  least: number;
  most: number;
  below: number;
  above: number;
  none: number;
}

export function reachOf(values: Iterable<Value | undefined>, s: Scale): Reach {
  const r: Reach = { least: Infinity, most: -Infinity, below: 0, above: 0, none: 0 };
  const numeric = s.low !== undefined;
  for (const v of values) {
    if (numeric ? !isNumber(v) : !isKnown(v)) r.none++;
    if (!isNumber(v)) continue;
    r.least = Math.min(r.least, v);
    r.most = Math.max(r.most, v);
    if (numeric && v < s.low!) r.below++;
    if (numeric && v > s.high!) r.above++;
  }
  return r;
}

/** Less is blue, more is orange, nothing is the paper's own grey: parts of -1 to 1. */
export function diverging(part: number, dark: boolean): string {
  const zero = token("none", dark);
  const t = Math.min(1, Math.abs(part));
  // What differs at all is told from what does not.
  return part === 0 ? zero : mix(zero, token(part < 0 ? "less" : "more", dark), 0.3 + 0.7 * t);
}

/** Whether things differ at all. */
export const differenceLook = perTheme((dark) => ({
  changed: token("differs", dark),
  onlyA: token("c0", dark),
  onlyB: token("more", dark),
  same: token("n5", dark),
  unknown: token("n3", dark),
}));
