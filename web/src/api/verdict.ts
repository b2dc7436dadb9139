// SPDX-License-Identifier: Apache-2.0
// What may be said of how far one value is from the first: everywhere by this. An interval with zero in it tells no
// difference, whatever its middle is, and whatever else was said of it.
import type { ComparedKpi, ComparedValue } from "./whatif";

export type Verdict = NonNullable<ComparedValue["verdict"]>;

export const isNumber = (x: unknown): x is number => typeof x === "number" && Number.isFinite(x);

/** Both ends of the difference; null: it ran once, or nobody knows. */
export function endsOf(v: ComparedValue | undefined): [low: number, high: number] | null {
  return isNumber(v?.differenceLow) && isNumber(v.differenceHigh) ? [v.differenceLow, v.differenceHigh] : null;
}

/** Zero lies in it or is an end of it; one without any width is exact. */
export const spansZero = (low: number, high: number): boolean => high > low && low <= 0 && high >= 0;

const TINY = 1e-9; // of the first: what arithmetic leaves

/** Exactly as the first, and the interval too. */
export function isSame(k: ComparedKpi, v: ComparedValue | undefined): boolean {
  const near = TINY * Math.abs(k.values[0]?.value ?? 0);
  return [v?.difference, v?.differenceLow, v?.differenceHigh].every((x) => !x || Math.abs(x) <= near);
}

/** Undefined: there is no difference to speak of. */
export function verdictOf(k: ComparedKpi, v: ComparedValue | undefined): Verdict | undefined {
  if (!isNumber(v?.difference)) return undefined;
  if (isSame(k, v)) return "same";
  const ends = endsOf(v);
  if (ends && spansZero(...ends)) return "unclear";
  if (!ends && (v.verdict === "unclear" || v.verdict === "same")) return v.verdict;
  if (!k.better) return v.difference > 0 ? "more" : "less";
  return v.difference > 0 === (k.better === "more") ? "better" : "worse";
}

/** A difference may be spoken of. */
export const isTold = (said: Verdict | undefined): boolean => !!said && said !== "same" && said !== "unclear";
