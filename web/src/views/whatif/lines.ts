// SPDX-License-Identifier: Apache-2.0
// What a chart of a KPI draws of worlds that ran: a line each with its fan, and the finding as its title.
import { isTold, verdictOf } from "~/api/verdict";
import type { ComparedKpi, Comparison } from "~/api/whatif";
import type { Line } from "~/ui/chart/model";
import { words } from "~/words/en";
import * as format from "~/format";
import { unitOf } from "./finding";

const w = words.whatif;
export const FANS = 3; // worlds in one chart; more fans cover each other

/** A fan of what the replications did; of many worlds the one band in which 90 of 100 lie. */
function bandsOf(v: ComparedKpi["values"][number], worlds: number): Partial<Line> {
  if (!v.fan || worlds > FANS) return { low: v.lows, high: v.highs, level: 90 };
  return { bands: v.fan.map((f) => ({ level: Math.round(f.part * 100), low: f.lows, high: f.highs })) };
}

/** Runs that began at different times lie over each other by the time since they began. */
export function linesOf(c: Comparison, k: ComparedKpi): Line[] {
  const begin = Date.parse(c.worlds[0]?.begin ?? "");
  return k.values.flatMap((v, i) => {
    if (!v.times?.length) return [];
    const own = Date.parse(c.worlds[i]?.begin ?? "");
    const shift = Number.isNaN(begin) || Number.isNaN(own) || Math.abs(own - begin) < 1000 ? 0 : begin - own;
    const many = c.worlds.length > 1;
    return [
      {
        label: i === 0 && many ? w.nothing(v.world) : v.world,
        unit: k.unit,
        time: v.times.map((t) => (Date.parse(t) + shift) / 1000),
        value: v.values!,
        ...bandsOf(v, c.worlds.length),
        colour: i === 0 && many ? "var(--n6)" : `var(--c${(i - (many ? 1 : 0)) % 8})`,
        dash: i === 0 && many,
      },
    ];
  });
}

export function titleOf(k: ComparedKpi): string {
  const v = k.values[1];
  const title = k.title || k.name;
  if (k.values.length !== 2 || !v?.difference || !isTold(verdictOf(k, v))) return title;
  const amount = `${format.number(Math.abs(v.difference))} ${unitOf(k)}`.trim();
  return w.courseTitle(title, v.difference > 0, amount);
}
