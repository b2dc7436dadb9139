// SPDX-License-Identifier: Apache-2.0
// To which side of what was foretold a course left its band: good news is no alarm.

export interface Course {
  low: readonly (number | null)[];
  high: readonly (number | null)[];
  seen: readonly (number | null | undefined)[];
}

/** By the newest value outside; "out": nobody said which side is the better one, or it never was outside. */
export function sideOf(x: Course, better: string | undefined): "better" | "worse" | "out" {
  for (let i = x.seen.length - 1; i >= 0; i--) {
    const [v, low, high] = [x.seen[i] ?? null, x.low[i] ?? null, x.high[i] ?? null];
    if (v === null || low === null || high === null || (v >= low && v <= high)) continue;
    if (better !== "more" && better !== "less") return "out";
    return v > high === (better === "more") ? "better" : "worse";
  }
  return "out";
}

export const ink = (side: ReturnType<typeof sideOf>): string => (side === "better" ? "var(--attention)" : "var(--bad)");
