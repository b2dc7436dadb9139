// SPDX-License-Identifier: Apache-2.0
// By which KPI a comparison is told, everywhere the same: the one that is chosen (in the address; where a rule knows
// what decides, its objective), else that of money with the largest effect that is sure.
import { isTold, verdictOf } from "./verdict";
import type { ComparedKpi, ComparedValue, Comparison } from "./whatif";

/** Money of which it is said what is better, else whatever says that. */
export function moneyKpis(c: Comparison): ComparedKpi[] {
  const money = c.kpis.filter((k) => k.of === "money" && k.better);
  const known = money.length ? money : c.kpis.filter((k) => k.better);
  return [...known].sort((a, b) => Number(b.better === "more") - Number(a.better === "more"));
}

/** By how much better, as far as that is sure; 0 when it cannot be told. */
export function effectOf(k: ComparedKpi, v: ComparedValue | undefined): number {
  const sign = k.better === "less" ? -1 : 1;
  return isTold(verdictOf(k, v)) ? sign * v!.difference! : 0;
}

const largest = (k: ComparedKpi): number => Math.max(0, ...k.values.slice(1).map((v) => Math.abs(effectOf(k, v))));

export function countedBy(c: Comparison, asked?: string): ComparedKpi | undefined {
  const all = moneyKpis(c);
  const chosen = all.find((k) => k.name === asked);
  return chosen ?? [...all].sort((a, b) => largest(b) - largest(a))[0];
}

const SHARE = 0.01;

/** How long each ran, in days, when that is not the same; undefined when it is. */
export function unequalDays(c: Comparison): number[] | undefined {
  const days = c.worlds.map((w) => (Date.parse(w.now ?? w.until ?? "") - Date.parse(w.begin ?? "")) / 86_400_000);
  const known = days.filter((d) => d > 0);
  if (known.length < days.length || known.length < 2) return undefined;
  return Math.max(...known) - Math.min(...known) > SHARE * Math.max(...known) ? days : undefined;
}

/** What adds up over a run, a day; a share, a mean, the least and the most stay what they are. */
export function perDay(k: ComparedKpi, days: readonly number[]): ComparedKpi {
  const adds = (k.over === "last" || k.over === "integral") && !/percent|%|degree/i.test(k.unit);
  if (!adds) return { ...k, values: k.values.map(bare) };
  return {
    ...k,
    values: k.values.map((v, i) => ({ ...bare(v), value: v.value === null ? null : v.value / days[i]! })),
  };
}

/** Without what was said of the difference of runs that are not alike. */
function bare(v: ComparedValue): ComparedValue {
  const { difference: _d, differenceLow: _l, differenceHigh: _h, relative: _r, verdict: _v, ...rest } = v;
  return rest;
}
