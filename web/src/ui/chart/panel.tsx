// SPDX-License-Identifier: Apache-2.0
// One plot of up to two units. Lines may move many times a second: the plot stays, its values are exchanged.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "preact/hooks";
import { isDark } from "~/app/prefs";
import * as format from "~/format";
import { bandsOf, join, scaleOf, type Limit, type Line, type Mark, type Nothing } from "./model";
import { axesOf, emptyPart, overlays, places, rowAt, scalesOf, seriesOf, type Look } from "./plot";
import type { Reading } from "./legend";
import { keyOn, zoomPlugin, type SetRange } from "./zoom";

const MARK_NEAR = 6; // pixels between the pointer and a mark that it tells of

interface Props {
  lines: readonly Line[];
  index: (l: Line) => number; // among all lines of the chart: for its colour
  limits: readonly Limit[];
  marks: readonly Mark[];
  nothing: Nothing | undefined;
  range: readonly [number, number] | null;
  height: number;
  wide: boolean; // another plot above or below has a second axis: this one keeps its place free
  label: string;
  sync: string;
  set: SetRange;
  back: () => void;
  read: (r: Reading | null) => void;
  spoken: (text: string) => void;
}

const dataOf = (lines: readonly Line[]): uPlot.AlignedData => {
  const { time, columns } = join(lines);
  return [time, ...columns.flat()] as unknown as uPlot.AlignedData;
};

function readingOf(u: uPlot, lines: readonly Line[], marks: readonly Mark[]): Reading | null {
  const left = u.cursor.left ?? -1;
  if (left < 0 || u.cursor.idx == null) return null;
  const time = u.posToVal(left, "x");
  const at = places(lines);
  const rows = new Map<string, number>();
  lines.forEach((l, i) => {
    const t = u.data[0][u.cursor.idxs?.[at[i]!] ?? u.cursor.idx!];
    if (t === undefined) return;
    rows.set(l.label, rowOf(l.time, t));
  });
  const near = marks.find((m) => Math.abs(u.valToPos(m.time, "x") - left) < MARK_NEAR);
  return { time, rows, mark: near?.label };
}

/** The last row that is not behind `t`. */
function rowOf(time: readonly number[], t: number): number {
  let low = 0;
  let high = time.length - 1;
  while (low < high) {
    const mid = (low + high + 1) >> 1;
    if (time[mid]! <= t) low = mid;
    else high = mid - 1;
  }
  return low;
}

export function Panel(p: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const now = useRef(p);
  now.current = p;
  const dark = isDark();
  const look = (): Look => ({ lines: now.current.lines, limits: now.current.limits, marks: now.current.marks, dark });
  // What makes another plot of it; values alone are set into the one that is there.
  const form = JSON.stringify([
    p.lines.map((l) => [l.label, l.unit, l.colour, p.index(l), l.dash, l.step, l.bars, bandsOf(l).map((b) => b.level)]),
    dark,
    p.height,
    p.wide,
    p.sync,
  ]);
  useEffect(() => {
    const el = box.current!;
    const steps = p.lines.flatMap((l) => [l, ...bandsOf(l).flatMap(() => [l, l])]).map((l) => !!l.step);
    const u = new uPlot(
      {
        width: el.clientWidth || 400,
        height: p.height,
        ...seriesOf(p.lines, p.index, dark),
        axes: axesOf(p.lines, dark),
        scales: scalesOf(p.lines, look),
        legend: { show: false },
        padding: [20, p.wide ? 64 : 12, 0, 4],
        cursor: {
          // Readings go along in all charts; a selection is this one's alone.
          sync: {
            key: p.sync,
            scales: ["x", null],
            filters: { pub: (type) => type === "mousemove" || type === "mouseleave" },
          },
          drag: { x: true, y: false, setScale: false },
          points: { size: 7 },
          dataIdx: (v, series, hovered, t) => (series ? rowAt(v, series, hovered, t, steps[series - 1]!) : hovered),
        },
        plugins: [
          overlays(look),
          emptyPart(() => now.current.nothing),
          zoomPlugin(
            (a, b) => now.current.set(a, b),
            () => now.current.back(),
          ),
        ],
        hooks: {
          setCursor: [(v) => now.current.read(readingOf(v, now.current.lines, now.current.marks))],
          setSelect: [
            (v) => {
              if (v.select.width < 5) return;
              const [a, b] = [v.select.left, v.select.left + v.select.width].map((x) => v.posToVal(x, "x"));
              v.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
              now.current.set(a!, b!);
            },
          ],
        },
      },
      dataOf(p.lines),
      el,
    );
    plot.current = u;
    if (p.range) u.setScale("x", { min: p.range[0], max: p.range[1] });
    const size = new ResizeObserver(() => {
      if (el.clientWidth && el.clientWidth !== u.width) u.setSize({ width: el.clientWidth, height: p.height });
    });
    size.observe(el);
    return () => {
      size.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [form]);
  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    u.setData(dataOf(p.lines), false);
    const [min, max] = p.range ?? [u.data[0][0] ?? 0, u.data[0][u.data[0].length - 1] ?? 1];
    u.setScale("x", { min, max: max > min ? max : min + 1 });
  }, [p.lines, p.range?.[0], p.range?.[1]]);
  useEffect(() => plot.current?.redraw(false), [p.limits, p.marks, p.nothing?.until, p.nothing?.text]);
  const key = (e: KeyboardEvent) => {
    const u = plot.current;
    if (!u || !keyOn(u, e, p.set, p.back)) return;
    e.preventDefault();
    e.stopPropagation();
    const r = readingOf(u, p.lines, p.marks);
    if (!r) return;
    const said = p.lines.map((l) => {
      const v = l.value[r.rows.get(l.label) ?? -1];
      return `${l.label} ${v === null || v === undefined ? "–" : format.amount(v, l.unit, 4)}`;
    });
    p.spoken(`${format.time(r.time * 1000)}: ${said.join(", ")}${r.mark ? `, ${r.mark}` : ""}`);
  };
  const units = [...new Set(p.lines.map(scaleOf))].map((u) => (u === "y" ? "" : format.unitSymbol(u)));
  return (
    <div class="chart-panel">
      <div class="chart-units tiny quiet" aria-hidden="true">
        <span>{units[0]}</span>
        <span>{units[1]}</span>
      </div>
      <div ref={box} class="chart" role="img" tabIndex={0} aria-label={p.label} onKeyDown={key} />
    </div>
  );
}
