// SPDX-License-Identifier: Apache-2.0
// What a course says, when it says something: only what can be computed from the values that were read, and only when
// it stands out of how the value usually varies.
export interface Finding {
  by: number; // above (or below, negative) what is usual
  usual: number;
  days: number; // of how many earlier days; 0: of the span that is shown
}

interface Shape {
  time: readonly number[];
  value: readonly (number | null)[];
}

const known = (s: Shape, from: number, to: number): number[] =>
  s.time.flatMap((t, i) => (t >= from && t < to && typeof s.value[i] === "number" ? [s.value[i]] : []));

const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
const rank = (sorted: readonly number[], part: number): number => sorted[Math.floor((sorted.length - 1) * part)]!;

/**
 * The newest tenth against the rest of what is shown: out of where it was nine times of ten. Below 20 values, or when
 * the rest moved hardly at all (its spread less than a thousandth of its size and the step as small): nothing.
 */
export function standsOut(s: Shape, from: number, to: number): Finding | null {
  const cut = to - (to - from) / 10;
  const before = known(s, from, cut);
  const now = known(s, cut, to);
  if (before.length < 20 || now.length < 3) return null;
  const sorted = [...before].sort((a, b) => a - b);
  const [low, mid, high] = [rank(sorted, 0.05), rank(sorted, 0.5), rank(sorted, 0.95)];
  const here = mean(now);
  if (here >= low && here <= high) return null;
  const by = here - mid;
  const spread = high - low;
  if (Math.abs(by) < Math.max(spread, Math.abs(mid) * 0.02)) return null;
  return { by, usual: mid, days: 0 };
}

/**
 * The last hour against the same hour of earlier days: beyond all of them, by at least their own spread. `hours` are
 * means of hours, `at` the beginning of the newest. Less than three days are no usual.
 */
export function againstDays(hours: Shape, at: number): Finding | null {
  const same: number[] = [];
  let now: number | null = null;
  hours.time.forEach((t, i) => {
    const v = hours.value[i];
    if (typeof v !== "number") return;
    const back = at - t;
    if (Math.abs(back) < 1800) now = v;
    else if (back > 0 && Math.abs(back / 86400 - Math.round(back / 86400)) < 0.021) same.push(v);
  });
  if (now === null || same.length < 3) return null;
  const usual = mean(same);
  const low = Math.min(...same);
  const high = Math.max(...same);
  if (now >= low && now <= high) return null;
  const by = now - usual;
  if (Math.abs(by) < Math.max(high - low, Math.abs(usual) * 0.02)) return null;
  return { by, usual, days: same.length };
}
