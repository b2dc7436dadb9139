// SPDX-License-Identifier: Apache-2.0
// Lines as uPlot wants them: series and bands, axes, what is painted over them.
import uPlot from "uplot";
import * as format from "~/format";
import { axisRange, bandsOf, extent, limitCourse, readingAt, scaleOf } from "./model";
import type { Limit, Line, Mark, Nothing } from "./model";
import { bandOpacity, colourOf, hex } from "./palette";
import { timeLabels, timeTicks } from "./ticks";

/** What a plot is painted from; kept in a reference, so that new values need no new plot. */
export interface Look {
  lines: readonly Line[];
  limits: readonly Limit[];
  marks: readonly Mark[];
  dark: boolean;
}

type Values = (number | null | undefined)[];

const FONT = "12px Inter Variable, system-ui";
const withAlpha = (colour: string, part: number) =>
  colour +
  Math.round(part * 255)
    .toString(16)
    .padStart(2, "0");

/** A value alone between gaps is shown as a point though the others are not. */
function lonely(u: uPlot, at: number): number[] {
  const c = u.data[at]!;
  const time = u.data[0];
  const known: number[] = [];
  let before: number | null | undefined = null;
  for (let i = 0; i < time.length; i++) {
    if (c[i] === undefined) continue;
    if (typeof c[i] === "number" && typeof before !== "number") {
      let next = i + 1;
      while (next < time.length && c[next] === undefined) next++;
      if (typeof c[next] !== "number") known.push(i);
    }
    before = c[i];
  }
  return known;
}

/** How many pixels lie between two values of a line. */
function apart(u: uPlot, column: Values): number {
  const time = u.data[0];
  let n = 0;
  let first = -1;
  let last = -1;
  for (let i = 0; i < column.length; i++) {
    if (typeof column[i] !== "number") continue;
    if (first < 0) first = i;
    last = i;
    n++;
  }
  return n > 1 ? (u.valToPos(time[last]!, "x") - u.valToPos(time[first]!, "x")) / (n - 1) : Infinity;
}

/** Where each line's own column stands among the series; bands follow their line. */
export function places(lines: readonly Line[]): number[] {
  let at = 1;
  return lines.map((l) => {
    const mine = at;
    at += 1 + 2 * bandsOf(l).length;
    return mine;
  });
}

export function seriesOf(
  lines: readonly Line[],
  index: (l: Line) => number,
  dark: boolean,
): { series: uPlot.Series[]; bands: uPlot.Band[] } {
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  for (const l of lines) {
    const colour = hex(colourOf(l, index(l)), dark);
    const scale = scaleOf(l);
    series.push({
      label: l.label,
      scale,
      stroke: colour,
      fill: l.bars ? withAlpha(colour, 0.85) : undefined,
      width: l.bars ? 0 : 1.75,
      dash: l.dash ? [5, 4] : undefined,
      paths: l.bars
        ? uPlot.paths.bars!({ size: [0.7, 40] })
        : l.step
          ? uPlot.paths.stepped!({ align: 1 })
          : uPlot.paths.linear!(),
      points: l.bars
        ? { show: false }
        : {
            size: 5,
            fill: colour,
            filter: (u, at, show) => (show ? null : lonely(u, at)),
            show: (u, at) => apart(u, u.data[at] as Values) > 14,
          },
    });
    for (const b of bandsOf(l)) {
      const at = series.length;
      for (const label of ["low", "high"])
        series.push({ label: `${l.label} ${label}`, scale, stroke: "transparent", width: 0, points: { show: false } });
      bands.push({ series: [at + 1, at], fill: withAlpha(colour, bandOpacity(b.level)) });
    }
  }
  return { series, bands };
}

const AXIS = 52; // pixels an axis of values takes
const ROOM = 16; // and what is kept free at both ends

/** Of the plot. Not uPlot's own box: while it makes a new layout that is still the one before, which may be narrow. */
const widthOf = (u: uPlot, axes: number): number => u.width - axes * AXIS - ROOM;

export function axesOf(lines: readonly Line[], dark: boolean): uPlot.Axis[] {
  const text = hex("n7", dark);
  const grid = hex("n3", dark);
  const units = [...new Set(lines.map(scaleOf))].slice(0, 2);
  const base = { stroke: text, font: FONT, ticks: { show: false }, grid: { stroke: grid, width: 1 } };
  return [
    {
      ...base,
      splits: (u, _, min, max) => timeTicks(min, max, Math.max(2, Math.floor(widthOf(u, units.length) / 80))),
      values: (_, ticks) => timeLabels(ticks),
      gap: 6,
      size: 44,
    },
    ...units.map((u, i) => ({
      ...base,
      scale: u,
      side: i === 0 ? 3 : 1,
      grid: { ...base.grid, show: i === 0 },
      size: AXIS,
      gap: 6,
      space: 34,
      values: (_: uPlot, ticks: number[]) => ticks.map(format.compact),
    })),
  ];
}

/** One range a unit; made anew for what is in sight, so that a zoom shows what there is to see. */
export function scalesOf(lines: readonly Line[], look: () => Look): uPlot.Scales {
  const out: uPlot.Scales = { x: { time: true } };
  const units = [...new Set(lines.map(scaleOf))];
  units.forEach((unit, i) => {
    out[unit] = {
      range: (u) => {
        const { lines: all, limits } = look();
        const here = all.filter((l) => scaleOf(l) === unit);
        const bound = limits.filter((l) => (l.unit === undefined ? i === 0 : scaleOf(l) === unit)).map((l) => l.value);
        const { min, max } = u.scales.x!;
        return axisRange(
          extent(here, min ?? -Infinity, max ?? Infinity),
          bound,
          here.some((l) => l.bars),
        );
      },
    };
  });
  return out;
}

/** Limits, setpoints and what happened, over the lines. */
export function overlays(look: () => Look): uPlot.Plugin {
  return {
    hooks: {
      draw: (u) => {
        const { limits, marks, dark } = look();
        u.ctx.save();
        u.ctx.beginPath();
        u.ctx.rect(
          u.bbox.left,
          u.bbox.top - 12 * devicePixelRatio,
          u.bbox.width,
          u.bbox.height + 12 * devicePixelRatio,
        );
        u.ctx.clip();
        // As the axes left it, a text would end where it is to begin.
        u.ctx.textAlign = "left";
        u.ctx.textBaseline = "alphabetic";
        u.ctx.font = `${11 * devicePixelRatio}px Inter Variable, system-ui`;
        drawLimits(u, limits, dark);
        drawMarks(u, marks, dark);
        u.ctx.restore();
      },
    },
  };
}

const NARROW = 110; // pixels: below it words stand upright
const LINE = 24; // pixels: room for upright words

/** Where nothing is at the left, it is said in words: no empty space that might be a mistake. */
export function emptyPart(of: () => Nothing | undefined): uPlot.Plugin {
  const box = document.createElement("div");
  const text = document.createElement("span");
  box.className = "chart-nothing tiny";
  box.append(text);
  const place = (u: uPlot) => {
    const n = of();
    const width = n ? Math.min(u.over.clientWidth, u.valToPos(n.until, "x")) : 0;
    box.hidden = !(width > 0);
    if (!n || box.hidden) return;
    box.style.width = `${width}px`;
    box.classList.toggle("narrow", width < NARROW);
    text.textContent = width < LINE ? "" : n.text;
  };
  return { hooks: { init: (u) => void u.over.prepend(box), draw: place } };
}

function drawLimits(u: uPlot, limits: readonly Limit[], dark: boolean): void {
  const { ctx, bbox } = u;
  const px = devicePixelRatio;
  const { min, max } = u.scales.x!;
  for (const l of limits) {
    const scale = l.unit === undefined ? u.series[1]?.scale : scaleOf(l);
    if (!scale || !u.scales[scale]) continue;
    ctx.strokeStyle = ctx.fillStyle = hex(l.colour ?? "bad", dark);
    ctx.lineWidth = 1.25 * px;
    ctx.setLineDash([6 * px, 4 * px]);
    ctx.beginPath();
    let pen = false;
    for (const c of limitCourse(l, min ?? 0, max ?? 0)) {
      if (c.value === null) {
        pen = false;
        continue;
      }
      const x = u.valToPos(c.time, "x", true);
      const y = u.valToPos(c.value, scale, true);
      if (pen) ctx.lineTo(x, y);
      else ctx.moveTo(x, y);
      pen = true;
    }
    ctx.stroke();
    ctx.setLineDash([]);
    const y = u.valToPos(l.value, scale, true);
    if (y > bbox.top && y < bbox.top + bbox.height)
      ctx.fillText(l.label, bbox.left + 6 * px, y - 5 * px < bbox.top + 10 * px ? y + 13 * px : y - 5 * px);
  }
}

function drawMarks(u: uPlot, marks: readonly Mark[], dark: boolean): void {
  const { ctx, bbox } = u;
  const px = devicePixelRatio;
  let free = -Infinity;
  const all = [...marks].sort((a, b) => a.time - b.time);
  for (const [i, m] of all.entries()) {
    const x = u.valToPos(m.time, "x", true);
    const next = all[i + 1] ? u.valToPos(all[i + 1]!.time, "x", true) : Infinity;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = hex(m.colour ?? "n6", dark);
    ctx.lineWidth = px;
    ctx.setLineDash([2 * px, 3 * px]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.moveTo(x - 4 * px, bbox.top);
    ctx.lineTo(x + 4 * px, bbox.top);
    ctx.lineTo(x, bbox.top + 6 * px);
    ctx.fill();
    const wide = ctx.measureText(m.label).width;
    if (x < free || x + wide + 12 * px > Math.min(next, bbox.left + bbox.width)) continue;
    ctx.fillText(m.label, x + 6 * px, bbox.top + 11 * px);
    free = x + wide + 14 * px;
  }
}

/** Which row of a line is read at the cursor: its nearest value, for stepped ones the value that stands. */
export function rowAt(u: uPlot, series: number, hovered: number, t: number, step: boolean): number {
  return Math.max(0, readingAt(u.data[0] as number[], u.data[series] as Values, t, hovered, step));
}
