// SPDX-License-Identifier: Apache-2.0
// Time series with uPlot: brush to zoom, double click back, wheel around the pointer, gaps as gaps, bands for forecasts
// and means, one cursor over all charts of a page.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "preact/hooks";
import * as format from "~/format";
import { isDark } from "~/app/prefs";

export interface Line {
  label: string;
  unit: string;
  time: number[]; // seconds since 1970, ascending
  value: (number | null)[];
  low?: (number | null)[]; // of a band
  high?: (number | null)[];
  colour?: string; // CSS, "var(--c3)"
  dash?: boolean;
  step?: boolean; // stands until the next value
}

export interface Mark {
  time: number;
  label: string;
  colour?: string;
}

interface Props {
  lines: readonly Line[];
  height?: number;
  from?: number;
  to?: number;
  marks?: readonly Mark[];
  limits?: readonly { value: number; label: string }[];
  zoom?: (from: number, to: number) => void; // seconds
  label: string; // for those who do not see it
  sync?: string;
}

const css = (name: string): string => {
  const m = /^var\((--[\w-]+)\)$/.exec(name);
  return m ? getComputedStyle(document.documentElement).getPropertyValue(m[1]!).trim() : name;
};

/** Columns of one time axis for all lines. */
export function align(lines: readonly Line[]): uPlot.AlignedData {
  const tables: uPlot.AlignedData[] = lines.map((l) => {
    const columns: (number | null)[][] = [l.value];
    if (l.low && l.high) columns.push(l.low, l.high);
    return [l.time, ...columns] as uPlot.AlignedData;
  });
  return tables.length === 1 ? tables[0]! : uPlot.join(tables);
}

function seriesOf(lines: readonly Line[]): { series: uPlot.Series[]; bands: uPlot.Band[] } {
  const series: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  lines.forEach((l, i) => {
    const colour = css(l.colour ?? `var(--c${i % 8})`);
    series.push({
      label: l.label,
      scale: l.unit || "y",
      stroke: colour,
      width: 1.5,
      dash: l.dash ? [5, 4] : undefined,
      paths: l.step ? uPlot.paths.stepped!({ align: 1 }) : undefined,
      points: { show: l.time.length < 3 },
      value: (_, v) => (v === null || v === undefined ? "–" : format.amount(v, l.unit, 4)),
    });
    if (l.low && l.high) {
      const at = series.length;
      for (const label of ["low", "high"])
        series.push({
          label: `${l.label} ${label}`,
          scale: l.unit || "y",
          stroke: "transparent",
          points: { show: false },
        });
      bands.push({ series: [at + 1, at], fill: `color-mix(in oklab, ${colour} 18%, transparent)` });
    }
  });
  return { series, bands };
}

function axesOf(lines: readonly Line[]): uPlot.Axis[] {
  const text = css("var(--n7)");
  const grid = css("var(--n3)");
  const font = "12px Inter Variable, system-ui";
  const units = [...new Set(lines.map((l) => l.unit || "y"))].slice(0, 2);
  const base = { stroke: text, font, ticks: { stroke: grid, width: 1 }, grid: { stroke: grid, width: 1 } };
  return [
    { ...base, space: 70, values: timeTicks },
    ...units.map((u, i) => ({
      ...base,
      scale: u,
      side: i === 0 ? 3 : 1,
      grid: { ...base.grid, show: i === 0 },
      size: 56,
      label: u === "y" ? undefined : format.unitSymbol(u),
      labelSize: u === "y" ? 0 : 16,
      labelFont: font,
      values: (_: uPlot, ticks: number[]) => ticks.map(format.compact),
    })),
  ];
}

function timeTicks(_: uPlot, ticks: number[]): string[] {
  const span = (ticks[ticks.length - 1] ?? 0) - (ticks[0] ?? 0);
  let day = "";
  return ticks.map((t) => {
    const d = new Date(t * 1000);
    const date = d.toLocaleDateString(undefined, { day: "numeric", month: "short" });
    const clock = d.toLocaleTimeString(undefined, {
      hour: "2-digit",
      minute: "2-digit",
      second: span < 120 ? "2-digit" : undefined,
      hour12: false,
    });
    const text =
      span > 2 * 86400 && d.getHours() + d.getMinutes() === 0 ? date : date !== day ? `${clock}\n${date}` : clock;
    day = date;
    return text;
  });
}

function overlays(marks: readonly Mark[], limits: Props["limits"]): uPlot.Plugin {
  return {
    hooks: {
      draw: (u) => {
        const { ctx, bbox } = u;
        ctx.save();
        ctx.lineWidth = devicePixelRatio;
        ctx.font = `${11 * devicePixelRatio}px Inter Variable, system-ui`;
        for (const m of marks) {
          const x = u.valToPos(m.time, "x", true);
          if (x < bbox.left || x > bbox.left + bbox.width) continue;
          ctx.strokeStyle = ctx.fillStyle = css(m.colour ?? "var(--n6)");
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
          ctx.fillText(m.label, x + 4 * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
        }
        const scale = u.series[1]?.scale ?? "y";
        for (const l of limits ?? []) {
          const y = u.valToPos(l.value, scale, true);
          if (y < bbox.top || y > bbox.top + bbox.height) continue;
          ctx.strokeStyle = ctx.fillStyle = css("var(--bad)");
          ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
          ctx.beginPath();
          ctx.moveTo(bbox.left, y);
          ctx.lineTo(bbox.left + bbox.width, y);
          ctx.stroke();
          ctx.setLineDash([]);
          ctx.fillText(l.label, bbox.left + 4 * devicePixelRatio, y - 4 * devicePixelRatio);
        }
        ctx.restore();
      },
    },
  };
}

function wheelZoom(zoom: Props["zoom"]): uPlot.Plugin {
  return {
    hooks: {
      ready: (u) => {
        u.over.addEventListener(
          "wheel",
          (e) => {
            if (!e.ctrlKey && Math.abs(e.deltaY) <= Math.abs(e.deltaX)) return;
            e.preventDefault();
            const { min, max } = u.scales.x!;
            if (min == null || max == null) return;
            const at = u.posToVal(e.offsetX, "x");
            const k = e.deltaY < 0 ? 0.8 : 1.25;
            const from = at - (at - min) * k;
            const to = at + (max - at) * k;
            u.setScale("x", { min: from, max: to });
            zoom?.(from, to);
          },
          { passive: false },
        );
      },
    },
  };
}

export function Chart(p: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const height = p.height ?? 220;
  const dark = isDark();
  // What makes another chart of it; data alone is set into the one that is there.
  const form = JSON.stringify([
    p.lines.map((l) => [l.label, l.unit, l.colour, l.dash, l.step, !!l.low]),
    dark,
    height,
    p.marks,
    p.limits,
    p.sync,
  ]);
  useEffect(() => {
    const el = box.current!;
    const { series, bands } = seriesOf(p.lines);
    const u = new uPlot(
      {
        width: el.clientWidth || 400,
        height,
        series,
        bands,
        axes: axesOf(p.lines),
        scales: { x: { time: true } },
        legend: { live: true },
        cursor: { drag: { x: true, y: false }, sync: p.sync ? { key: p.sync } : undefined, points: { size: 7 } },
        plugins: [overlays(p.marks ?? [], p.limits), wheelZoom(p.zoom)],
        hooks: {
          setSelect: [
            (v) => {
              if (v.select.width < 4) return;
              p.zoom?.(v.posToVal(v.select.left, "x"), v.posToVal(v.select.left + v.select.width, "x"));
            },
          ],
        },
      },
      align(p.lines),
      el,
    );
    plot.current = u;
    const size = new ResizeObserver(() => u.setSize({ width: el.clientWidth, height }));
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
    u.setData(align(p.lines), true);
    if (p.from !== undefined && p.to !== undefined) u.setScale("x", { min: p.from, max: p.to });
  }, [p.lines, p.from, p.to]);
  return <div ref={box} class="chart" role="img" aria-label={p.label} />;
}
