// SPDX-License-Identifier: Apache-2.0
// Courses over time. Brush to zoom, double click back, Ctrl and the wheel around the pointer, two fingers, keys; one
// cursor over all charts of a page; gaps as gaps, bands for forecasts and for what lay between two points. A third unit
// gets a plot of its own below. Everything in it can be taken out: as a picture, and as values.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ZoomOut } from "lucide-preact";
import { words } from "~/words/en";
import * as format from "~/format";
import { IconButton } from "./basic";
import { csvOf } from "./chart/csv";
import "./chart/chart.css";
import { Legend, type Reading } from "./chart/legend";
import { ExportMenu } from "./chart/menu";
import { fanLine, panels, type Fan, type Limit, type Line, type Mark, type Nothing, type Strip } from "./chart/model";
import { Panel } from "./chart/panel";
import { svgOf } from "./chart/svg";
import { zoneName } from "./chart/ticks";

export type { Band, Fan, Limit, Line, Mark, Nothing, Strip, StripPiece } from "./chart/model";

const NOTHING: readonly never[] = [];
const SETTLED_MS = 250; // after the last turn of the wheel the range is told on
const PICTURE_WIDTH = 960;

interface Props {
  lines: readonly Line[];
  fan?: Fan | readonly Fan[];
  height?: number; // of a plot
  from?: number; // seconds; without both: all there is
  to?: number;
  marks?: readonly Mark[];
  limits?: readonly Limit[];
  nothing?: Nothing; // at the left
  strips?: readonly Strip[]; // states over the same time: in pictures below the plots
  zoom?: (from: number, to: number) => void; // told when somebody looks closer; without it the chart keeps it itself
  reset?: () => void; // back from there
  label: string; // for those who do not see it, and for files
  title?: ComponentChildren; // what it says, above it
  heading?: string; // the same as a text, for pictures
  actions?: ComponentChildren;
  sync?: string; // charts with one cursor
  loading?: boolean;
}

/** The span as people say it, with the zone of its clock. */
function spanText(from: number, to: number): string {
  const zone = zoneName(to);
  const a = new Date(from * 1000);
  const b = new Date(to * 1000);
  const end = a.toDateString() === b.toDateString() ? format.clock(b) : `${format.day(b)} ${format.clock(b)}`;
  return `${format.day(a)} ${format.clock(a)} – ${end} (${zone})`;
}

export function Chart(p: Props) {
  const { fan } = p;
  const lines = useMemo<readonly Line[]>(
    () => (fan ? [...(Array.isArray(fan) ? fan : [fan]).map(fanLine), ...p.lines] : p.lines),
    [p.lines, fan],
  );
  const [hidden, hide] = useState<ReadonlySet<string>>(new Set());
  const [closer, look] = useState<[number, number] | null>(null);
  const reading = useSignal<Reading | null>(null);
  const [spoken, speak] = useState("");
  const timer = useRef(0);
  const shown = useMemo(() => lines.filter((l) => !hidden.has(l.label)), [lines, hidden]);
  const parts = useMemo(() => panels(shown), [shown]);
  // Whoever holds the range has taken it over.
  useEffect(() => look(null), [p.from, p.to]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const all: [number, number] | null = useMemo(() => {
    if (p.from !== undefined && p.to !== undefined) return [p.from, p.to];
    const times = lines.flatMap((l) => (l.time.length ? [l.time[0]!, l.time[l.time.length - 1]!] : []));
    return times.length ? [Math.min(...times), Math.max(...times)] : null;
  }, [lines, p.from, p.to]);
  const range = closer ?? all;
  const set = (from: number, to: number) => {
    look([from, to]);
    clearTimeout(timer.current);
    if (p.zoom) timer.current = window.setTimeout(() => p.zoom!(from, to), SETTLED_MS);
  };
  const back = () => {
    clearTimeout(timer.current);
    look(null);
    p.reset?.();
  };
  const toggle = (label: string) => {
    const next = new Set(hidden);
    if (!next.delete(label)) next.add(label);
    if (next.size < lines.length) hide(next);
  };
  const heading = p.heading ?? (typeof p.title === "string" ? p.title : p.label);
  const svg = (dark: boolean) =>
    svgOf({
      title: heading,
      subtitle: range ? spanText(...range) : "",
      lines: shown,
      limits: p.limits,
      marks: p.marks,
      nothing: p.nothing,
      strips: p.strips,
      from: range?.[0] ?? 0,
      to: range?.[1] ?? 1,
      width: PICTURE_WIDTH,
      height: Math.max(220, p.height ?? 0),
      dark,
    });
  const csv = () => csvOf(shown, format.unitSymbol, words.chart.csv, range?.[0], range?.[1]);
  return (
    <figure class="chart-box" aria-busy={p.loading || undefined}>
      <figcaption class="chart-head">
        <div class="grow">
          {p.title && <div class="chart-title">{p.title}</div>}
          <Legend lines={lines} hidden={hidden} toggle={toggle} reading={reading} />
        </div>
        {p.actions}
        {closer && !p.zoom && <IconButton name={words.chart.whole} icon={ZoomOut} onClick={back} />}
        <ExportMenu name={heading} svg={svg} csv={csv} />
      </figcaption>
      {parts.map((some) => (
        <Panel
          key={some.map((l) => l.unit).join()}
          lines={some}
          index={(l) => lines.indexOf(l)}
          limits={limitsOf(p.limits, some, parts[0]!)}
          marks={p.marks ?? NOTHING}
          nothing={p.nothing}
          range={range}
          height={p.height ?? 220}
          wide={units(some) === 1 && parts.some((o) => units(o) === 2)}
          label={p.nothing ? `${p.label}, ${p.nothing.text}` : p.label}
          sync={p.sync ?? "page"}
          set={set}
          back={back}
          read={(r) => (reading.value = r ? { ...r, rows: merged(reading.peek(), r) } : null)}
          spoken={speak}
        />
      ))}
      <div class="unseen" aria-live="polite">
        {spoken}
      </div>
    </figure>
  );
}

/** Plots of one chart read at one instant: what each says is kept beside the others'. */
function merged(before: Reading | null, r: Reading): Map<string, number> {
  if (!before || Math.abs(before.time - r.time) > 1e9) return r.rows;
  return new Map([...before.rows, ...r.rows]);
}

const units = (lines: readonly Line[]) => new Set(lines.map((l) => l.unit)).size;

function limitsOf(all: readonly Limit[] | undefined, some: readonly Line[], first: readonly Line[]): readonly Limit[] {
  if (!all?.length) return NOTHING;
  return all.filter((l) => (l.unit === undefined ? some === first : some.some((x) => (x.unit || "") === l.unit)));
}
