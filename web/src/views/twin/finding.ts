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
  step?: boolean; // stands until the next value
}

const known = (s: Shape, from: number, to: number): number[] =>
  s.time.flatMap((t, i) => (t >= from && t < to && typeof s.value[i] === "number" ? [s.value[i]] : []));

const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
const sum = (list: readonly Weighed[]): number => list.reduce((s, w) => s + w.weight, 0);

interface Weighed {
  value: number;
  weight: number; // seconds for which it stood
}

/**
 * Each value with the time it stood between two instants: half of the way to its neighbours, or, if it stands, up to
 * the next. A source that speaks more often at one time than at another says no more by it; gaps weigh nothing.
 */
export function weighed(s: Shape, from: number, to: number): Weighed[] {
  const out = s.value.map((v) => ({ value: v ?? 0, weight: 0 }));
  const add = (i: number, a: number, b: number) => {
    out[i]!.weight += Math.max(0, Math.min(b, to) - Math.max(a, from));
  };
  for (let i = 0; i + 1 < s.time.length; i++) {
    const [a, b] = [s.time[i]!, s.time[i + 1]!];
    if (typeof s.value[i] !== "number" || typeof s.value[i + 1] !== "number") continue;
    const cut = s.step ? b : (a + b) / 2;
    add(i, a, cut);
    add(i + 1, cut, b);
  }
  return out.filter((w) => w.weight > 0);
}

/** Below which a value lay for a part of the time. */
export function quantile(list: readonly Weighed[], part: number): number {
  const sorted = [...list].sort((a, b) => a.value - b.value);
  const whole = sum(sorted);
  let passed = 0;
  for (const w of sorted) if ((passed += w.weight) >= whole * part) return w.value;
  return sorted[sorted.length - 1]?.value ?? NaN;
}

/**
 * The newest value, as the legend shows it, against the median over the time of what is shown. Told when the three
 * newest lie beyond where the value was for nine tenths of the time before the newest tenth, by at least as much as it
 * went there and two hundredths of its size. Below 20 values before, or when the source is silent: nothing.
 */
export function standsOut(s: Shape, from: number, to: number): Finding | null {
  const cut = to - (to - from) / 10;
  const now = known(s, cut, Infinity).slice(-3);
  if (now.length < 3 || known(s, from, cut).length < 20) return null;
  const before = weighed(s, from, cut);
  const [low, mid, high] = [quantile(before, 0.05), quantile(before, 0.5), quantile(before, 0.95)];
  if (!now.every((v) => v > high) && !now.every((v) => v < low)) return null;
  const value = now[2]!;
  if (Math.abs(value - mid) < Math.max(high - low, Math.abs(mid) * 0.02)) return null;
  const usual = quantile(weighed(s, from, to), 0.5);
  return { by: value - usual, usual, days: 0 };
}

/**
 * The mean of this hour against the same hour of earlier days: beyond all of them, by at least their own spread. They
 * are means of hours, `at` the beginning of the newest. Less than three days are no usual.
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
