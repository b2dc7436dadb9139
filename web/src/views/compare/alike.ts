// SPDX-License-Identifier: Apache-2.0
// Figures of runs that did not last equally long: what adds up is told an hour or a day, so that it can be compared.
import { perDay } from "~/api/counted";
import type { Figures } from "~/api/figures";
import type { ComparedKpi } from "~/api/whatif";
import { unitOf } from "~/views/kpi/reading";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.compare;
const DAY_MS = 86_400_000;
const SPAN = ["min", "max"]; // the longer one runs the more extreme they are: no rate, and no difference

const adds = (k: ComparedKpi, told: ComparedKpi): boolean => k.values.some((v, i) => v.value !== told.values[i]!.value);

/** Which of them is better nobody can say of spans that are not the same. */
function rate(k: ComparedKpi, spans: readonly number[], an: string): ComparedKpi {
  const told = perDay(k, spans);
  const [a, b] = told.values;
  const symbol = adds(k, told) ? w.per(unitOf(k), an) : k.symbol;
  if (!a || !b || typeof a.value !== "number" || typeof b.value !== "number" || SPAN.includes(k.over))
    return { ...told, symbol, better: undefined };
  const difference = b.value - a.value;
  const relative = a.value ? difference / Math.abs(a.value) : null;
  return { ...told, symbol, better: undefined, values: [a, { ...b, difference, relative }] };
}

export function alike(f: Figures): Figures {
  if (!f.days) return f;
  const hours = Math.min(...f.days) < 1;
  const spans = hours ? f.days.map((d) => 24 * d) : f.days;
  const [a, b] = f.days.map((d) => format.duration(d * DAY_MS));
  const told = w.unequal(a!, b!, hours ? w.hour : w.day);
  return { ...f, kpis: f.kpis.map((k) => rate(k, spans, hours ? "h" : "d")), sentence: told, notes: [told] };
}
