// SPDX-License-Identifier: Apache-2.0
// Courses by how far they are from the first: what adds up over a run lies on top of each other otherwise.
import type { Line } from "~/ui/chart";

/** What a course says at an instant, between two of its points straight. */
function valueAt(l: Line, t: number): number | null {
  const i = l.time.findIndex((x) => x >= t);
  if (i < 0) return null;
  if (l.time[i] === t || i === 0) return l.time[i] === t ? (l.value[i] ?? null) : null;
  const [a, b] = [l.value[i - 1], l.value[i]];
  if (typeof a !== "number" || typeof b !== "number") return null;
  const [from, to] = [l.time[i - 1]!, l.time[i]!];
  return a + ((b - a) * (t - from)) / (to - from);
}

/** Each less the first; empty where there is nothing to compare. */
export function apartFrom(lines: readonly Line[]): Line[] {
  const first = lines[0];
  if (!first || lines.length < 2) return [];
  return lines.map((l) => ({
    label: l.label,
    unit: l.unit,
    time: l.time,
    value: l.time.map((t, i) => {
      const [v, was] = [l.value[i], valueAt(first, t)];
      return typeof v === "number" && was !== null ? v - was : null;
    }),
    colour: l.colour,
    dash: l.dash,
  }));
}

const CLOSE = 0.08; // of the height of the plot

const known = (l: Line) => l.value.filter((v) => typeof v === "number");

/** Whether one of them cannot be told from the first by eye, though it differs. */
export function near(lines: readonly Line[], apart: readonly Line[]): boolean {
  const all = lines.flatMap(known);
  const height = Math.max(...all) - Math.min(...all);
  return apart.some((l) => {
    const most = Math.max(0, ...known(l).map(Math.abs));
    return most > 0 && most < CLOSE * height;
  });
}
