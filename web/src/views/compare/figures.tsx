// SPDX-License-Identifier: Apache-2.0
// All figures of two worlds: the table with intervals, and the courses over each other.
import type { Differing } from "~/api/difference";
import type { FiguresState } from "~/api/figures";
import type { ComparedKpi } from "~/api/whatif";
import { Card, Chip, Skeleton, Wrong } from "~/ui/basic";
import { Chart, type Line } from "~/ui/chart";
import { unitOf } from "~/views/whatif/finding";
import { words } from "~/words/en";
import * as format from "~/format";
import { differenceUnit, isNumber, reachOf, relativeOf, Whisker } from "./kpis";
import { Most } from "./most";
import { kindOf, titleOf } from "./names";
import type { Sides } from "./sides";

const w = words.compare;
const TINY = 1e-6; // what arithmetic leaves is no spread

/** Of percent in points; else the unit has a column of its own. */
const told = (k: ComparedKpi, d: number): string =>
  format.signed(d) + (unitOf(k) === "%" && d ? ` ${differenceUnit(k)}` : "");

function Row({ k, reach }: { k: ComparedKpi; reach: number }) {
  const [a, b] = k.values;
  const own = (v: typeof a) => {
    if (!isNumber(v?.value)) return "–";
    const half = isNumber(v.high) && isNumber(v.low) ? (v.high - v.low) / 2 : 0;
    return format.number(v.value, 4) + (half > TINY * Math.abs(v.value) ? ` ± ${format.number(half, 2)}` : "");
  };
  return (
    <tr>
      <td title={`${k.name} · ${k.over}`}>{k.title || k.name}</td>
      <td class="num" title={String(a?.value)}>
        {own(a)}
      </td>
      <td class="num" title={String(b?.value)}>
        {own(b)}
      </td>
      <td class="num strong" title={String(b?.difference)}>
        {isNumber(b?.difference) ? told(k, b.difference) : "–"}
      </td>
      <td class="small quiet">
        {isNumber(b?.differenceLow) && isNumber(b.differenceHigh) && b.difference
          ? w.part(format.signed(b.differenceLow), format.signed(b.differenceHigh))
          : ""}
      </td>
      <td class="num small">{relativeOf(k)}</td>
      <td class="compare-whisker">
        <Whisker k={k} reach={reach} />
      </td>
      <td>
        {b?.verdict && (
          <Chip tone={b.verdict === "better" ? "ok" : b.verdict === "worse" ? "bad" : ""}>
            {words.whatif.verdict[b.verdict]}
          </Chip>
        )}
      </td>
      <td class="quiet">{unitOf(k)}</td>
    </tr>
  );
}

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

export function AllFigures({ state, s, d }: { state: FiguresState; s: Sides; d: Differing }) {
  const f = state.figures;
  if (!f) return state.error ? <Wrong error={state.error} /> : <Skeleton lines={8} />;
  const reach = reachOf(f.kpis);
  const sure = f.kpis.some((k) => isNumber(k.values[1]?.differenceLow));
  const courses = f.kpis.some((k) => k.values.some((v) => v.times?.length));
  return (
    <div class="page compare-figures">
      <div class="page-inner column">
        <Card title={f.counted ? w.kpis : w.keyValues} bare>
          <div class="scroll" tabIndex={0} role="region" aria-label={w.kpis}>
            <table class="table">
              <thead>
                <tr>
                  <th>{words.overview.kpi}</th>
                  <th class="num">A {titleOf(s.a.ref)}</th>
                  <th class="num">B {titleOf(s.b.ref)}</th>
                  <th class="num">{w.difference}</th>
                  <th>{sure ? w.level : ""}</th>
                  <th />
                  <th class="quiet tiny">±{format.number(reach * 100, 2)} %</th>
                  <th />
                  <th>{words.whatif.unit}</th>
                </tr>
              </thead>
              <tbody>
                {f.kpis.map((k) => (
                  <Row key={k.name} k={k} reach={reach} />
                ))}
              </tbody>
            </table>
          </div>
          {f.notes.map((n) => (
            <div key={n} class="menu-title">
              {n}
            </div>
          ))}
        </Card>
        {d.most.length > 0 && (
          <Card>
            <Most d={d} />
          </Card>
        )}
        {courses && (
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
