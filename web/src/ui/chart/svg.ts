// SPDX-License-Identifier: Apache-2.0
// A chart as an SVG picture that stands by itself: title, units, legend, zone of the times, in light or dark. Strings
// alone, so that it is the same wherever it is made.
import * as format from "~/format";
import { axisRange, bandsOf, extent, limitCourse, panels, scaleOf } from "./model";
import type { Limit, Line, Mark, Nothing, Strip } from "./model";
import { bandOpacity, colourOf, hex } from "./palette";
import { timeLabels, timeTicks, valueLabels, valueTicks } from "./ticks";

export interface Picture {
  title: string;
  subtitle: string; // the span, with its zone
  lines: readonly Line[];
  limits?: readonly Limit[];
  marks?: readonly Mark[];
  nothing?: Nothing;
  strips?: readonly Strip[];
  from: number;
  to: number;
  width: number;
  height: number; // of one panel
  dark: boolean;
}

const FONT = "Inter, system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";
const PAD = 20;
const AXIS = 54;
const LEGEND_ROW = 20;
const STRIP = 46;

const escape = (s: string): string =>
  s.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
const n = (x: number): string => String(Math.round(x * 100) / 100);
/** As wide as a text may be: fonts differ from machine to machine. */
const widthOf = (s: string, size: number): number => s.length * size * 0.58;

const shortened = (s: string, width: number, size: number): string =>
  widthOf(s, size) <= width ? s : s.slice(0, Math.floor(width / size / 0.6) - 1).trimEnd() + "…";

interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
  x: (t: number) => number;
  y: (v: number, scale: string) => number;
}

class Drawing {
  readonly parts: string[] = [];
  constructor(readonly dark: boolean) {}

  ink = (name: string): string => hex(name, this.dark);

  text(x: number, y: number, s: string, o: { size?: number; colour?: string; anchor?: string; weight?: number } = {}) {
    const more = (o.anchor ? ` text-anchor="${o.anchor}"` : "") + (o.weight ? ` font-weight="${o.weight}"` : "");
    const look = `font-size="${o.size ?? 12}" fill="${this.ink(o.colour ?? "n7")}"${more}`;
    this.parts.push(`<text x="${n(x)}" y="${n(y)}" ${look}>${escape(s)}</text>`);
  }

  line(x1: number, y1: number, x2: number, y2: number, colour: string, more = "") {
    this.parts.push(
      `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" stroke="${this.ink(colour)}"${more}/>`,
    );
  }

  path(d: string, more: string) {
    if (d) this.parts.push(`<path d="${d}" ${more}/>`);
  }
}

/** Corners of a course; a pen is lifted at a gap. */
function courseOf(l: Line, f: Frame, from: number, to: number): string {
  let d = "";
  let pen = false;
  let before = 0;
  for (let i = 0; i < l.time.length; i++) {
    const v = l.value[i];
    const t = l.time[i]!;
    // One point beyond each end, so that lines run to the edge.
    if ((l.time[i + 1] ?? t) < from || (l.time[i - 1] ?? t) > to) continue;
    if (v === null || v === undefined) {
      pen = false;
      continue;
    }
    const x = n(f.x(t));
    const y = f.y(v, scaleOf(l));
    if (!pen) d += `M${x} ${n(y)}`;
    else if (l.step) d += `L${x} ${n(before)}L${x} ${n(y)}`;
    else d += `L${x} ${n(y)}`;
    // A value alone between two gaps is a point, not nothing.
    const next = l.value[i + 1];
    if (!pen && (next === null || next === undefined)) d += `L${n(f.x(t) + 0.01)} ${n(y)}`;
    before = y;
    pen = true;
  }
  return d;
}

function areaOf(l: Line, low: readonly (number | null)[], high: readonly (number | null)[], f: Frame): string {
  let d = "";
  let top: string[] = [];
  let bottom: string[] = [];
  const close = () => {
    if (top.length > 1) d += `M${top.join("L")}L${bottom.reverse().join("L")}Z`;
    top = [];
    bottom = [];
  };
  l.time.forEach((t, i) => {
    const a = low[i];
    const b = high[i];
    if (a === null || a === undefined || b === null || b === undefined) return close();
    top.push(`${n(f.x(t))} ${n(f.y(b, scaleOf(l)))}`);
    bottom.push(`${n(f.x(t))} ${n(f.y(a, scaleOf(l)))}`);
  });
  close();
  return d;
}

function barsOf(l: Line, f: Frame): string {
  const gap = Math.min(...l.time.slice(1).map((t, i) => f.x(t) - f.x(l.time[i]!)), 40);
  const wide = Math.max(1, gap * 0.7);
  const zero = f.y(0, scaleOf(l));
  return l.time
    .map((t, i) => {
      const v = l.value[i];
      if (v === null || v === undefined) return "";
      const x = f.x(t) - wide / 2;
      return `M${n(x)} ${n(zero)}V${n(f.y(v, scaleOf(l)))}h${n(wide)}V${n(zero)}Z`;
    })
    .join("");
}

function axes(g: Drawing, f: Frame, p: Picture, units: string[], ranges: Map<string, [number, number]>): void {
  units.forEach((u, side) => {
    const [low, high] = ranges.get(u)!;
    const ticks = valueTicks(low, high, Math.max(2, Math.floor(f.height / 40)));
    const x = side ? f.left + f.width : f.left;
    valueLabels(ticks).forEach((label, i) => {
      const y = f.y(ticks[i]!, u);
      if (!side) g.line(f.left, y, f.left + f.width, y, "n3");
      g.text(side ? x + 8 : x - 8, y + 4, label, { anchor: side ? "start" : "end" });
    });
    const symbol = u === "y" ? "" : format.unitSymbol(u);
    if (symbol) g.text(side ? x + 8 : x - 8, f.top - 8, symbol, { anchor: side ? "start" : "end", weight: 600 });
  });
  const ticks = timeTicks(p.from, p.to, Math.max(2, Math.floor(f.width / 90)));
  timeLabels(ticks).forEach((label, i) => {
    const x = f.x(ticks[i]!);
    g.line(x, f.top, x, f.top + f.height, "n3");
    label.split("\n").forEach((row, k) => g.text(x, f.top + f.height + 18 + 14 * k, row, { anchor: "middle" }));
  });
}

/** At the left, where there is nothing; its words only where they fit. */
function nothingOf(g: Drawing, f: Frame, p: Picture): void {
  const width = p.nothing ? Math.min(f.width, f.x(p.nothing.until) - f.left) : 0;
  if (!p.nothing || width <= 0) return;
  g.parts.push(
    `<rect x="${n(f.left)}" y="${n(f.top)}" width="${n(width)}" height="${n(f.height)}" fill="${g.ink("n2")}"/>`,
  );
  if (widthOf(p.nothing.text, 11) > width - 8) return;
  g.text(f.left + width / 2, f.top + f.height / 2, p.nothing.text, { size: 11, anchor: "middle" });
}

function marksOf(g: Drawing, f: Frame, p: Picture): void {
  let free = -Infinity;
  const all = [...(p.marks ?? [])].sort((a, b) => a.time - b.time);
  for (const [i, m] of all.entries()) {
    const next = all[i + 1] ? f.x(all[i + 1]!.time) : Infinity;
    if (m.time < p.from || m.time > p.to) continue;
    const x = f.x(m.time);
    const colour = m.colour ?? "n6";
    g.line(x, f.top, x, f.top + f.height, colour, ' stroke-dasharray="2 3"');
    g.path(`M${n(x - 4)} ${n(f.top)}h8l-4 6z`, `fill="${g.ink(colour)}"`);
    if (x < free || x + widthOf(m.label, 11) + 12 > Math.min(next, f.left + f.width)) continue;
    g.text(x + 6, f.top + 11, m.label, { size: 11, colour });
    free = x + widthOf(m.label, 11) + 12;
  }
}

const unitsOf = (lines: readonly Line[]): string[] => [...new Set(lines.map(scaleOf))];

/** `two`: some plot has a second axis; all keep its place free, so that times stand below each other. */
function panel(
  g: Drawing,
  p: Picture,
  lines: readonly Line[],
  top: number,
  two: boolean,
  index: (l: Line) => number,
): void {
  const units = unitsOf(lines);
  const f: Frame = {
    left: PAD + AXIS,
    top,
    width: p.width - 2 * PAD - AXIS * (two ? 2 : 1),
    height: p.height,
    x: (t) => f.left + ((t - p.from) / (p.to - p.from || 1)) * f.width,
    y: (v, scale) => {
      const [low, high] = ranges.get(scale)!;
      return f.top + f.height - ((v - low) / (high - low || 1)) * f.height;
    },
  };
  const limits = (p.limits ?? []).filter((l) => units.includes(l.unit === undefined ? units[0]! : scaleOf(l)));
  const unitOf = (l: Limit) => (l.unit === undefined ? units[0]! : scaleOf(l));
  const ranges = new Map(
    units.map((u) => {
      const here = lines.filter((l) => scaleOf(l) === u);
      const bound = limits.filter((l) => unitOf(l) === u).map((l) => l.value);
      return [
        u,
        axisRange(
          extent(here, p.from, p.to),
          bound,
          here.some((l) => l.bars),
        ),
      ];
    }),
  );
  nothingOf(g, f, p);
  axes(g, f, p, units, ranges);
  const clip = `clip${Math.round(top)}`;
  g.parts.push(
    `<clipPath id="${clip}"><rect x="${f.left}" y="${n(f.top)}" width="${n(f.width)}" `,
    `height="${n(f.height)}"/></clipPath>`,
    `<g clip-path="url(#${clip})">`,
  );
  for (const l of lines)
    for (const b of bandsOf(l))
      g.path(
        areaOf(l, b.low, b.high, f),
        `fill="${g.ink(colourOf(l, index(l)))}" fill-opacity="${bandOpacity(b.level)}"`,
      );
  for (const l of limits) {
    const d = limitCourse(l, p.from, p.to)
      .map((c, i, all) =>
        c.value === null
          ? ""
          : `${i && all[i - 1]!.value !== null ? "L" : "M"}${n(f.x(c.time))} ${n(f.y(c.value, unitOf(l)))}`,
      )
      .join("");
    const ink = g.ink(l.colour ?? "bad");
    g.path(d, `fill="none" stroke="${ink}" stroke-width="1.25" stroke-dasharray="6 4"`);
    const y = f.y(l.value, unitOf(l));
    if (y > f.top && y < f.top + f.height) g.text(f.left + 6, y - 5, l.label, { size: 11, colour: l.colour ?? "bad" });
  }
  for (const l of lines) {
    const ink = g.ink(colourOf(l, index(l)));
    if (l.bars) g.path(barsOf(l, f), `fill="${ink}"`);
    else
      g.path(
        courseOf(l, f, p.from, p.to),
        `fill="none" stroke="${ink}" stroke-width="1.75" stroke-linejoin="round" stroke-linecap="round"` +
          (l.dash ? ' stroke-dasharray="5 4"' : ""),
      );
  }
  g.parts.push("</g>");
  marksOf(g, f, p);
}

function legend(g: Drawing, p: Picture, top: number): number {
  let x = PAD;
  let y = top;
  p.lines.forEach((l, i) => {
    const text = l.label;
    const wide = 26 + widthOf(text, 12) + 14;
    if (x > PAD && x + wide > p.width - PAD) {
      x = PAD;
      y += LEGEND_ROW;
    }
    const dash = l.dash ? ' stroke-dasharray="5 3"' : "";
    g.line(x, y - 4, x + 18, y - 4, colourOf(l, i), ` stroke-width="2.5"${dash}`);
    g.text(x + 24, y, text, { colour: "n9" });
    x += wide;
  });
  return y;
}

/** States below the plots, on their time; a name where it fits. */
function stripOf(g: Drawing, p: Picture, s: Strip, top: number, two: boolean): void {
  const width = p.width - 2 * PAD - AXIS * (two ? 2 : 1);
  const left = PAD + AXIS;
  const x = (t: number) => left + (Math.min(p.to, Math.max(p.from, t)) - p.from) * (width / (p.to - p.from));
  g.text(left, top, shortened(`${s.name}: ${s.said}`, width, 12), { colour: "n9" });
  g.parts.push(`<rect x="${left}" y="${n(top + 6)}" width="${n(width)}" height="20" fill="${g.ink("n2")}"/>`);
  for (const c of s.pieces) {
    const wide = x(c.to) - x(c.from);
    if (wide <= 0) continue;
    const ink = `fill="${g.ink(c.fill)}" fill-opacity="${c.part}"`;
    // The card below it, as on the page: what is half dense lies on that.
    const box = `x="${n(x(c.from))}" y="${n(top + 6)}" width="${n(wide)}" height="20"`;
    g.parts.push(`<rect ${box} fill="${g.ink("n1")}"/><rect ${box} ${ink}><title>${escape(c.state)}</title></rect>`);
    if (widthOf(c.state, 11) < wide - 10) g.text(x(c.from) + 6, top + 20, c.state, { size: 11, colour: c.ink });
  }
}

export function svgOf(p: Picture): string {
  const g = new Drawing(p.dark);
  const parts = panels(p.lines);
  const index = new Map(p.lines.map((l, i) => [l, i]));
  const two = parts.some((lines) => unitsOf(lines).length > 1);
  g.text(PAD, PAD + 14, shortened(p.title, p.width - 2 * PAD, 16), { size: 16, weight: 600, colour: "n10" });
  g.text(PAD, PAD + 34, p.subtitle);
  let top = legend(g, p, PAD + 58) + 34;
  for (const lines of parts) {
    panel(g, p, lines, top, two, (l) => index.get(l)!);
    top += p.height + 66;
  }
  for (const strip of p.strips ?? []) {
    stripOf(g, p, strip, top - 8, two);
    top += STRIP;
  }
  const height = Math.ceil(top - 14);
  const size = `width="${p.width}" height="${height}"`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${p.width} ${height}" ` +
    `font-family="${FONT}" role="img" aria-label="${escape(p.title)}">` +
    `<title>${escape(p.title)}</title>` +
    `<rect ${size} fill="${g.ink("n1")}"/>${g.parts.join("")}</svg>`
  );
}
