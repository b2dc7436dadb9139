// SPDX-License-Identifier: Apache-2.0
// Round numbers and round times for axes.
import * as format from "~/format";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
const STEPS = [
  1,
  2,
  5,
  10,
  15,
  30,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
  14 * DAY,
  30 * DAY,
  90 * DAY,
  365 * DAY,
];

export function valueTicks(low: number, high: number, most: number): number[] {
  const rough = (high - low) / Math.max(1, most);
  if (!(rough > 0) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((k) => k * power).find((s) => s >= rough * 0.999)!;
  const out: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    out.push(Number((i * step).toPrecision(12)));
  }
  return out;
}

const FEWEST = 3; // ticks, so that an axis can be read

/** Instants that are round in the zone of whoever looks: 14:00, not 14:07. About `most` of them, and not one alone. */
export function timeTicks(from: number, to: number, most: number): number[] {
  const first = STEPS.findIndex((s) => (to - from) / s <= most);
  if (first < 0) return stepped(from, to, (to - from) / most);
  let best = stepped(from, to, STEPS[first]!);
  for (let i = first - 1; i >= 0 && best.length < FEWEST; i--) {
    const finer = stepped(from, to, STEPS[i]!);
    if (finer.length > Math.max(FEWEST + 2, most * 1.5)) break;
    best = finer;
  }
  return best;
}

function stepped(from: number, to: number, step: number): number[] {
  const zone = (t: number) => new Date(t * 1000).getTimezoneOffset() * MINUTE;
  const out: number[] = [];
  for (let t = Math.ceil((from - zone(from)) / step) * step; t + zone(from) <= to; t += step) {
    // Days of 23 and 25 hours keep their midnight.
    const at = t + (step >= DAY ? zone(t + zone(from)) : zone(from));
    if (at >= from && at <= to) out.push(at);
  }
  return out;
}

/** Texts for ticks: the clock, and the day where it changes. */
export function timeLabels(ticks: readonly number[], lineBreak = "\n"): string[] {
  const step = ticks.length > 1 ? ticks[1]! - ticks[0]! : HOUR;
  let day = "";
  return ticks.map((t) => {
    const d = new Date(t * 1000);
    const date = d.toLocaleDateString(undefined, { day: "numeric", month: "short" });
    const clock = d.toLocaleTimeString(undefined, {
      hour: "2-digit",
      minute: "2-digit",
      second: step < MINUTE ? "2-digit" : undefined,
      hour12: false,
    });
    const text = step >= DAY ? date : date === day ? clock : clock + lineBreak + date;
    day = date;
    return text;
  });
}

/** Numbers of one axis, all with as many digits as their step needs. */
export function valueLabels(ticks: readonly number[]): string[] {
  return ticks.map(format.compact);
}

export const zoneName = (t: number): string =>
  new Intl.DateTimeFormat(undefined, { timeZoneName: "short" })
    .formatToParts(new Date(t * 1000))
    .find((p) => p.type === "timeZoneName")?.value ?? "";
