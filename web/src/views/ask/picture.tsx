// SPDX-License-Identifier: Apache-2.0
// Rows as a picture: numbers over time as lines, numbers by a name as bars from zero, a single number as itself.
import { useMemo } from "preact/hooks";
import { ChartColumn } from "lucide-preact";
import { byId, labelOf } from "~/api/catalogue";
import type { Row } from "~/api/query";
import { modelName } from "~/api/models";
import { go, route, select } from "~/app/route";
import { Empty } from "~/ui/basic";
import { Chart, type Line } from "~/ui/chart";
import { words } from "~/words/en";
import * as format from "~/format";
import { twinsIn, type Shown } from "./units";

const LINES = 8;
const BARS = 60;

export function drawable(columns: readonly Shown[]): boolean {
  return columns.some((c) => c.kind === "number");
}

const numbersOf = (columns: readonly Shown[]) => columns.filter((c) => c.kind === "number");
const namesOf = (columns: readonly Shown[]) =>
  columns.find((c) => c.kind === "twin") ?? columns.find((c) => c.kind === "text");

function nameIn(row: Row, c: Shown | undefined): string {
  if (!c) return "";
  const twin = twinsIn(row, c)[0];
  if (twin) return labelOf(twin);
  const v = row[c.key];
  if (typeof v === "string" && v.startsWith("dtmi:")) return modelName(v);
  return v === undefined ? words.noValue : format.value(v);
}

/** One line a name; when there is none, one a measure; and how many there would be. */
function linesOf(rows: readonly Row[], time: Shown, columns: readonly Shown[], measure: Shown): [Line[], number] {
  const by = namesOf(columns);
  const out = new Map<string, Line>();
  const all = new Set<string>();
  const put = (label: string, c: Shown, r: Row) => {
    const known = out.get(label);
    all.add(label);
    if (!known && out.size >= LINES) return;
    const line = known ?? { label, unit: c.unit, time: [], value: [] };
    if (!known) out.set(label, line);
    const v = r[c.key];
    line.time.push(Date.parse(r[time.key] as string) / 1000);
    line.value.push(typeof v === "number" ? v : null);
  };
  for (const r of rows) {
    if (typeof r[time.key] !== "string") continue;
    if (by) put(nameIn(r, by), measure, r);
    else for (const c of numbersOf(columns)) put(c.key, c, r);
  }
  for (const l of out.values()) {
    const at = l.time.map((_, i) => i).sort((a, b) => l.time[a]! - l.time[b]!);
    l.time = at.map((i) => l.time[i]!);
    l.value = at.map((i) => l.value[i]!);
  }
  return [[...out.values()], all.size];
}

function Bars({ rows, name, measure }: { rows: readonly Row[]; name: Shown | undefined; measure: Shown }) {
  const list = rows.filter((r) => typeof r[measure.key] === "number").slice(0, BARS);
  const values = list.map((r) => r[measure.key] as number);
  const low = Math.min(0, ...values);
  const span = Math.max(0, ...values) - low || 1;
  const most = values.reduce((best, v, i) => (v > values[best]! ? i : best), 0);
  return (
    <figure class="ask-bars">
      <figcaption class="strong">
        {list.length > 1 && name
          ? words.ask.most(nameIn(list[most]!, name), measure.key, format.amount(values[most]!, measure.unit))
          : measure.key}
      </figcaption>
      <div role="list">
        {list.map((r, i) => {
          const twin = name ? twinsIn(r, name)[0] : undefined;
          const text = nameIn(r, name) || String(i + 1);
          const v = values[i]!;
          return (
            <div key={i} role="listitem" class="ask-bar-row">
              {twin && byId.value.has(twin) ? (
                <button type="button" class="link ellipsis ask-bar-name" title={twin} onClick={() => select(twin)}>
                  {text}
                </button>
              ) : (
                <span class="ellipsis ask-bar-name" title={text}>
                  {text}
                </span>
              )}
              <span class="ask-bar-track">
                <span
                  class="ask-bar-fill"
                  style={{ left: `${((Math.min(v, 0) - low) / span) * 100}%`, width: `${(Math.abs(v) / span) * 100}%` }}
                />
              </span>
              <span class="num" title={String(v)}>
                {format.amount(v, measure.unit)}
              </span>
            </div>
          );
        })}
      </div>
      {rows.length > BARS && <div class="tiny quiet">{words.ask.firstBars(BARS, format.count(rows.length))}</div>}
    </figure>
  );
}

export function Picture({ rows, columns }: { rows: readonly Row[]; columns: readonly Shown[] }) {
  const numbers = numbersOf(columns);
  const measure = numbers.find((c) => c.key === route.value.params.of) ?? numbers[0];
  const time = columns.find((c) => c.kind === "time");
  const [lines, count] = useMemo(
    (): [Line[], number] => (time && measure && rows.length > 1 ? linesOf(rows, time, columns, measure) : [[], 0]),
    [rows, columns, measure?.key],
  );
  if (!measure || !rows.length)
    return <Empty icon={ChartColumn} title={words.ask.noChart} hint={words.ask.noChartHint} />;
  if (rows.length === 1 && !namesOf(columns))
    return (
      <div class="ask-figures">
        {numbers.map((c) => (
          <div key={c.key} class="ask-figure">
            <span class="quiet">{c.key}</span>
            <span class="figure" title={String(rows[0]![c.key])}>
              {format.value(rows[0]![c.key], c.unit, 4)}
            </span>
          </div>
        ))}
      </div>
    );
  return (
    <div class="ask-picture">
      {numbers.length > 1 && (
        <div class="chips" role="group" aria-label={words.ask.measure}>
          {numbers.map((c) => (
            <button
              key={c.key}
              type="button"
              class="chip pick"
              aria-pressed={c.key === measure.key}
              onClick={() => go({ params: { of: c.key }, replace: true })}
            >
              {c.key}
            </button>
          ))}
        </div>
      )}
      {lines.length ? (
        <>
          <Chart lines={lines} height={380} label={words.twin.course(measure.key)} />
          {count > LINES && <div class="tiny quiet">{words.ask.firstLines(LINES, format.count(count))}</div>}
        </>
      ) : (
        <Bars rows={rows} name={namesOf(columns)} measure={measure} />
      )}
    </div>
  );
}
