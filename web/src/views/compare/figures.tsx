// SPDX-License-Identifier: Apache-2.0
// All figures of two worlds: the table with intervals, and the courses over each other.
import { BarChart3 } from "lucide-preact";
import type { Differing } from "~/api/difference";
import type { FiguresState } from "~/api/figures";
import type { ComparedKpi } from "~/api/whatif";
import { Card, Empty, Skeleton, Wrong } from "~/ui/basic";
import { Chart, type Line } from "~/ui/chart";
import { KpiTable } from "~/views/kpi/table";
import { words } from "~/words/en";
import { BetterPair, sideNames } from "./kpis";
import { Most } from "./most";
import { kindOf, titleOf } from "./names";
import type { Sides } from "./sides";

const w = words.compare;
/** A dashed, so that the two are told apart without their colours. */
function Course({ k, s }: { k: ComparedKpi; s: Sides }) {
  const lines: Line[] = k.values
    .slice(0, 2)
    .map((v, i) => ({ v, side: i === 0 ? s.a : s.b, i }))
    .filter(({ v }) => v.times?.length)
    .map(({ v, side, i }) => ({
      label: `${i === 0 ? "A" : "B"} ${titleOf(side.ref)}`,
      unit: k.unit,
      time: v.times!.map((t) => Date.parse(t) / 1000),
      value: v.values!,
      low: v.lows,
      high: v.highs,
      colour: i === 0 ? "var(--n7)" : kindOf(side.ref) === "scenario" ? "var(--violet)" : "var(--teal)",
      dash: i === 0,
    }));
  if (!lines.length) return null;
  return (
    <figure class="course">
      <figcaption class="small strong">{k.title || k.name}</figcaption>
      <Chart lines={lines} height={150} label={w.course(k.title || k.name)} sync="compare" />
    </figure>
  );
}

interface Props {
  state: FiguresState;
  s: Sides;
  d: Differing;
  again: () => void;
}

export function AllFigures({ state, s, d, again }: Props) {
  const f = state.figures;
  const courses = f?.kpis.some((k) => k.values.some((v) => v.times?.length));
  return (
    <div class="page compare-figures">
      <div class="page-inner column">
        {!f && (state.error ? <Wrong error={state.error} retry={again} /> : <Skeleton lines={8} />)}
        {f && !f.kpis.length && (
          <Empty icon={BarChart3} title={w.noKpis} hint={w.noKpisHint}>
            <BetterPair s={s} />
          </Empty>
        )}
        {f && f.kpis.length > 0 && (
          <Card title={f.counted ? w.kpis : w.keyValues} bare>
            <KpiTable kpis={f.kpis} names={sideNames(s)} label={w.kpis} every plain={!f.counted} />
            {f.notes.map((n) => (
              <div key={n} class="menu-title">
                {n}
              </div>
            ))}
          </Card>
        )}
        {d.most.length > 0 && (
          <Card>
            <Most d={d} />
          </Card>
        )}
        {f && courses && (
          <Card title={words.whatif.courses}>
            <div class="courses">
              {f.kpis.map((k) => (
                <Course key={k.name} k={k} s={s} />
              ))}
            </div>
          </Card>
        )}
      </div>
    </div>
  );
}
