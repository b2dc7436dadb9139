// SPDX-License-Identifier: Apache-2.0
// Values as they stand, told as the overview tells them: 0.995 of a yield is 99.5 %, and what lies between two of them
// is points of percent.
import type { Figures } from "~/api/figures";
import type { ComparedKpi, ComparedValue } from "~/api/whatif";
import { said } from "~/views/overview/course";

const PERCENT = 100;
const times = (x: number | null | undefined) => (typeof x === "number" ? PERCENT * x : x);

const scaled = (v: ComparedValue): ComparedValue => ({
  ...v,
  value: times(v.value) ?? null,
  difference: times(v.difference),
});

function shareOf(k: ComparedKpi): ComparedKpi {
  const all = k.values.map((v) => v.value);
  const known = all.find((v) => v !== null);
  if (k.unit === "percent" || said(known, k.unit, k.title, all).unit !== "%") return k;
  return { ...k, unit: "percent", symbol: "%", values: k.values.map(scaled) };
}

export const shares = (f: Figures): Figures => (f.counted ? f : { ...f, kpis: f.kpis.map(shareOf) });
