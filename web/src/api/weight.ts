// SPDX-License-Identifier: Apache-2.0
// How much a difference between two worlds weighs. Two worlds that run differ in nearly every number by a little; what
// is clear is another state, another text, or a number that is off by much as such numbers go.
import type { Value } from "./types";

/** A number is clearly off by more than this part of the largest one among like twins. */
export const CLEAR = 0.1;

const TEXT = 1; // a state, a fault, a text: as much as a number that is off by its whole size
const ALONE = 1; // twins of which only one world knows a property, and it still may be news
const WHEN = /^(\d{4}-\d\d-\d\d(T|$)|-?P[\dT])/; // instants and spans go on by themselves

export interface Change {
  twin: string;
  model: string;
  property: string;
  a?: Value;
  b?: Value;
}

/** The heaviest difference of a twin, and how heavy all its clear ones are together. */
export interface Weighed extends Change {
  weight: number;
}

const like = (c: Change): string => `${c.model} ${c.property}`;
const isNone = (v: Value | undefined): boolean => v === undefined || v === null;

/** The largest number of each property among like twins, in either world. */
function largest(changes: readonly Change[]): Map<string, number> {
  const out = new Map<string, number>();
  for (const c of changes)
    for (const v of [c.a, c.b])
      if (typeof v === "number") out.set(like(c), Math.max(out.get(like(c)) ?? 0, Math.abs(v)));
  return out;
}

/** Properties that one of the worlds does not tell at all: of these a missing value is no news. */
function untold(changes: readonly Change[]): Set<string> {
  const missing = new Map<string, number>();
  const told = new Set<string>();
  for (const c of changes)
    if (isNone(c.a) || isNone(c.b)) missing.set(c.property, (missing.get(c.property) ?? 0) + 1);
    else told.add(c.property);
  return new Set([...missing].filter(([p, n]) => n > ALONE && !told.has(p)).map(([p]) => p));
}

function weightOf(c: Change, scale: number, told: boolean): number {
  if (typeof c.a === "number" && typeof c.b === "number") {
    const part = scale ? Math.abs(c.b - c.a) / scale : 0;
    return part > CLEAR ? Math.min(1, part) : 0;
  }
  if (isNone(c.a) || isNone(c.b)) return told ? TEXT : 0;
  return [c.a, c.b].some((v) => typeof v === "string" && WHEN.test(v)) ? 0 : TEXT;
}

/** Twins that differ clearly, the heaviest first; those of the same weight by their names. */
export function weigh(changes: readonly Change[]): Weighed[] {
  const scales = largest(changes);
  const without = untold(changes);
  const out = new Map<string, { top: Change; most: number; sum: number }>();
  for (const c of changes) {
    const weight = weightOf(c, scales.get(like(c)) ?? 0, !without.has(c.property));
    if (!weight) continue;
    const known = out.get(c.twin);
    if (!known) out.set(c.twin, { top: c, most: weight, sum: weight });
    else {
      known.sum += weight;
      if (weight > known.most) [known.top, known.most] = [c, weight];
    }
  }
  return [...out.values()]
    .map(({ top, sum }): Weighed => ({ ...top, weight: sum }))
    .sort((x, y) => y.weight - x.weight || (x.twin < y.twin ? -1 : 1));
}
