// SPDX-License-Identifier: Apache-2.0
// What lies over the dots: closed clusters with their count, their colours and who of them needs somebody; marks of
// twins; names.
import type { Attention } from "~/views/overview/attention";
import { words } from "~/words/en";
import * as format from "~/format";
import { inSight, px, py, type View } from "./camera";
import { seen, type Clusters, type Seen } from "./clusters";
import type { Group } from "./groups";
import { font, halfOf, nameIn, shorten, widthOf, write, type Room, type Style } from "./labels";
import type { Ink } from "./ink";

const TAU = 2 * Math.PI;

/** What one draws with, in one frame. */
export interface Pen {
  ctx: CanvasRenderingContext2D;
  v: View;
  c: Clusters;
  ink: Ink;
  room: Room;
}

function ringOf(ctx: CanvasRenderingContext2D, c: Clusters, group: number, x: number, y: number, r: number): void {
  const width = Math.max(2.5, Math.min(7, r * 0.09));
  let at = -TAU / 4;
  ctx.lineWidth = width;
  for (const { colour, part } of c.parts(group)) {
    ctx.beginPath();
    ctx.arc(x, y, r - width / 2 - 1.5, at, at + part * TAU);
    ctx.strokeStyle = colour;
    ctx.stroke();
    at += part * TAU;
  }
}

const BADGE = font(11, 700);

/** Where the pill of a closed cluster stands, and what it says; null: nobody needs anybody, or it is too small. */
function badgeOf({ ctx, v, c }: Pen, s: Seen): { x: number; y: number; text: string; half: number } | null {
  const g = c.groups.list[s.group]!;
  const mark = c.bad[s.group]! || c.waiting[s.group]!;
  const r = g.r * v.s;
  if (!mark || r <= 4) return null;
  const text = r > 16 ? words.graph.needs(format.count(mark)) : "!";
  const [dx, dy] = r > 16 ? [r * 0.71 + 6, -r * 0.71 - 4] : [0, 0];
  return { x: px(v, g.x) + dx, y: py(v, g.y) + dy, text, half: widthOf(ctx, text, BADGE) / 2 + 6 };
}

const isClosed = (s: Seen) => s.open < 0.5 && s.alpha > 0.5;

/** Pills come before all names: whom somebody should look after is not written over. */
export function keepBadges(pen: Pen): ReadonlySet<number> {
  const out = new Set<number>();
  const { list } = pen.c.groups;
  for (const s of [...seen(pen.c, pen.v)].filter(isClosed).sort((a, b) => list[b.group]!.r - list[a.group]!.r)) {
    const b = badgeOf(pen, s);
    if (!b || !pen.room.free(b.x - b.half, b.y - 9, b.x + b.half, b.y + 9)) continue;
    pen.room.take({ x0: b.x - b.half, y0: b.y - 9, x1: b.x + b.half, y1: b.y + 9, twin: -1, group: s.group });
    out.add(s.group);
  }
  return out;
}

/** A pill with how many need somebody. */
function badge(ctx: CanvasRenderingContext2D, text: string, x: number, y: number, fill: string, ink: string): void {
  const w = widthOf(ctx, text, BADGE) + 12;
  ctx.beginPath();
  ctx.roundRect(x - w / 2, y - 9, w, 18, 9);
  ctx.fillStyle = fill;
  ctx.fill();
  ctx.font = BADGE;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillStyle = ink;
  ctx.fillText(text, x, y + 0.5);
}

function drawClosed({ ctx, v, c, ink }: Pen, s: Seen, hover: boolean): void {
  const g = c.groups.list[s.group]!;
  const [x, y, r] = [px(v, g.x), py(v, g.y), g.r * v.s * 0.97];
  ctx.globalAlpha = s.alpha * (1 - s.open);
  ctx.beginPath();
  ctx.arc(x, y, r, 0, TAU);
  ctx.fillStyle = ink.card;
  ctx.fill();
  if (r > 5) ringOf(ctx, c, s.group, x, y, r);
  const bad = c.bad[s.group]!;
  ctx.beginPath();
  ctx.arc(x, y, r, 0, TAU);
  ctx.strokeStyle = hover ? ink.ring : bad ? ink.bad : ink.cardRim;
  ctx.lineWidth = hover || bad ? 2 : 1;
  ctx.stroke();
  ctx.globalAlpha = 1;
}

/** Count and name of a closed cluster; the count inside, the name below it or under the disc. */
function tell(pen: Pen, s: Seen, badges: ReadonlySet<number>): void {
  const { ctx, v, c, ink, room } = pen;
  const g = c.groups.list[s.group]!;
  const [x, y, r] = [px(v, g.x), py(v, g.y), g.r * v.s];
  ctx.globalAlpha = s.alpha * (1 - s.open);
  const of = { twin: -1, group: s.group };
  const b = badges.has(s.group) ? badgeOf(pen, s) : null;
  if (b) badge(ctx, b.text, b.x, b.y, c.bad[s.group] ? ink.bad : ink.waiting, ink.badText);
  // A small cluster's pill stands where its count would.
  const half = Math.min(r * 0.83, 24);
  if (!(b && r <= 16) && room.free(x - r * 0.83, y - half, x + r * 0.83, y + half, s.group))
    inside(ctx, g, c.shown[s.group]!, x, y, r, ink);
  if (r > 8 && r <= NAMED_IN)
    write(ctx, room, g.title, x, y + r + 9, { size: 11, weight: 500, colour: ink.quiet, halo: ink.ground }, of);
  ctx.globalAlpha = 1;
}

const NAMED_IN = 18; // px radius from which on a cluster has room for its name

/** Count and name in a closed disc, as far as they fit. */
function inside(ctx: CanvasRenderingContext2D, g: Group, n: number, x: number, y: number, r: number, ink: Ink): void {
  const [big, small] = r > 60 ? [20, 13] : r > 34 ? [15, 12] : [12, 10];
  const count = format.count(n);
  const line = (text: string, size: number, weight: number, dy: number, colour: string) => {
    ctx.font = font(size, weight);
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillStyle = colour;
    ctx.fillText(text, x, y + dy);
  };
  if (widthOf(ctx, count, font(big, 650)) > 1.75 * r) return;
  const most = 1.65 * r;
  const whole = r > NAMED_IN && widthOf(ctx, g.title, font(small, 500)) <= most;
  const name = whole ? g.title : r > 30 ? shorten(ctx, g.title, font(small, 500), most) : "";
  line(count, big, 650, name ? -small * 0.55 : 0.5, ink.strong);
  if (name) line(name, small, 500, big * 0.6, ink.quiet);
}

const BARS_PX = 70; // under which a name is not seen

/** The name of an open group; on a rim that warns it stands in a pill, or the rim would strike it through. */
function styleOf({ v, c, ink }: Pen, group: number): Style {
  const { depth } = c.groups.list[group]!;
  const size = depth === 0 ? 14 : depth === 1 ? 13 : 12;
  const halo = ink.floors[Math.min(3, depth)]!;
  if (c.warns(group, v.s)) return { size, weight: 650, colour: ink.strong, halo, rim: ink.bad };
  return { size, weight: 650, colour: depth ? ink.quiet : ink.strong, halo };
}

/** Names of open groups stand on their rim. */
function nameOpen(pen: Pen, s: Seen): void {
  const { ctx, v, c, room } = pen;
  const g = c.groups.list[s.group]!;
  const r = g.r * v.s;
  if (r < 26 || s.alpha * s.open < 0.5) return;
  const style = styleOf(pen, s.group);
  if (g.hull) return nameHull(pen, g, g.hull, s.group, style);
  // Of a group larger than the screen the name stays in sight.
  const [x, top] = [px(v, g.x), py(v, g.y) - r + 1];
  const y = Math.max(top, Math.min(BARS_PX, py(v, g.y) + r - 20));
  if (y > v.height || y < -8) return;
  const within = (most: number) => shorten(ctx, g.title, font(style.size, 650), Math.max(1.7 * r, most));
  for (const text of new Set([within(240), within(120)]))
    if (text && write(ctx, room, text, x, y, style, { twin: g.twin, group: s.group })) return;
}

/** The name of the whole: on its outline, as far up as there is room. */
function nameHull({ ctx, v, ink, room }: Pen, g: Group, hull: Float64Array, group: number, of: Style): void {
  const at: [number, number][] = [];
  for (let i = 0; i < hull.length; i += 2) at.push([px(v, hull[i]!), py(v, hull[i + 1]!)]);
  at.sort((a, b) => a[1] - b[1]);
  const style = { ...of, halo: of.rim ? of.halo : ink.ground };
  for (const [x, y] of at) {
    if (x < 60 || x > v.width - 60 || y < 60 || y > v.height) continue;
    if (write(ctx, room, g.title, x, y, style, { twin: g.twin, group })) return;
  }
}

export function drawClusters(pen: Pen, hover: number, badges: ReadonlySet<number>): void {
  const { v, c, room } = pen;
  const list = [...seen(c, v)];
  const closed = list.filter((s) => s.open < 1);
  for (let i = closed.length - 1; i >= 0; i--) drawClosed(pen, closed[i]!, closed[i]!.group === hover);
  const largest = (a: Seen, b: Seen) => c.groups.list[b.group]!.r - c.groups.list[a.group]!.r;
  const opened = list.filter((o) => o.open > 0.5).sort(largest);
  const hull = (s: Seen) => c.groups.list[s.group]!.hull !== undefined; // may stand elsewhere: the last
  for (const s of opened.filter((o) => !hull(o))) nameOpen(pen, s);
  // Other names stand over no closed disc.
  for (const s of closed) {
    if (s.open > 0.5 || s.alpha < 0.5) continue;
    const g = c.groups.list[s.group]!;
    const [x, y, r] = [px(v, g.x), py(v, g.y), g.r * v.s * 0.8];
    room.take({ x0: x - r, y0: y - r, x1: x + r, y1: y + r, twin: -1, group: s.group });
  }
  for (const s of opened.filter(hull)) nameOpen(pen, s);
  for (const s of closed.filter(isClosed).sort(largest)) tell(pen, s, badges);
}

export interface Marked {
  twin: number;
  x: number;
  y: number;
  r: number; // of its dot, px
}

export function drawBad(ctx: CanvasRenderingContext2D, m: Marked, a: Attention, ink: Ink): void {
  const colour = a.tone === "bad" ? ink.bad : ink.waiting;
  ctx.beginPath();
  ctx.arc(m.x, m.y, m.r + 3, 0, TAU);
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2;
  ctx.stroke();
  if (m.r < 3) return;
  const [x, y] = [m.x + (m.r + 3) * 0.75, m.y - (m.r + 3) * 0.75];
  ctx.beginPath();
  ctx.arc(x, y, 6.5, 0, TAU);
  ctx.fillStyle = colour;
  ctx.fill();
  ctx.font = font(10, 800);
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillStyle = ink.badText;
  ctx.fillText("!", x, y + 0.5);
}

export function drawDot(ctx: CanvasRenderingContext2D, m: Marked, colour: string): void {
  ctx.beginPath();
  ctx.arc(m.x, m.y, m.r, 0, TAU);
  ctx.fillStyle = colour;
  ctx.fill();
}

export function drawRing(ctx: CanvasRenderingContext2D, m: Marked, colour: string, width: number, gap: number): void {
  ctx.beginPath();
  ctx.arc(m.x, m.y, m.r + gap, 0, TAU);
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.stroke();
}

/** What a twin is called in the picture, as its group leaves it. */
export interface Named {
  m: Marked;
  text: string;
  style: Style;
  gap: number; // px from its dot
}

const RING_PX = 6; // from a dot to the outer edge of the ring about who is chosen

export function namedOf({ c, ink }: Pen, m: Marked, label: string, must: boolean): Named {
  const g = c.groups.list[c.groups.of[m.twin]!];
  const parent = g && c.groups.list[g.parent];
  const titles = [g?.title, parent?.title].filter((t): t is string => t !== undefined);
  const halo = ink.floors[Math.min(3, g?.depth ?? 0)]!;
  const style = { size: must ? 13 : 11, weight: must ? 650 : 500, colour: ink.strong, halo };
  return { m, text: must ? label : nameIn(label, titles), style, gap: must ? RING_PX : 1 };
}

/** Where a name may stand, the best first: below its dot, above, to the right, to the left. */
export function spotsOf(ctx: CanvasRenderingContext2D, { m, text, style, gap }: Named): [x: number, y: number][] {
  const [w, h] = halfOf(ctx, text, style);
  const [down, aside] = [m.r + gap + h, m.r + gap + 1 + w];
  return [
    [m.x, m.y + down],
    [m.x, m.y - down],
    [m.x + aside, m.y],
    [m.x - aside, m.y],
  ];
}

/** The name of a twin under its dot, if there is room. */
export function nameTwin(pen: Pen, m: Marked, label: string): void {
  const { v, c } = pen;
  const g = c.groups.list[c.groups.of[m.twin]!];
  // A whole has its name on its rim, unless one is so near that the rim is out of sight.
  if (g?.twin === m.twin && (g.hull || py(v, g.y) - g.r * v.s > BARS_PX - 10)) return;
  if (pen.room.twins.has(m.twin)) return;
  const n = namedOf(pen, m, label, false);
  const [x, y] = spotsOf(pen.ctx, n)[0]!;
  write(pen.ctx, pen.room, n.text, x, y, n.style, { twin: m.twin });
}

const STEP_PX = 20;
const STEPS = 6;

/** The name of who is chosen or pointed at: wherever about it there is room. */
export function nameFirst(pen: Pen, m: Marked, label: string): void {
  const n = namedOf(pen, m, label, true);
  const [below, above, ...aside] = spotsOf(pen.ctx, n);
  const far = (at: [number, number], k: number, up: number): [number, number] => [at[0], at[1] + up * k * STEP_PX];
  const farther = Array.from({ length: STEPS }, (_, k) => [far(below!, k + 1, 1), far(above!, k + 1, -1)]).flat();
  for (const [x, y] of [below!, above!, ...aside, ...farther])
    if (write(pen.ctx, pen.room, n.text, x, y, n.style, { twin: m.twin })) return;
}

export const marked = (v: View, twin: number, x: number, y: number, r: number): Marked | null =>
  inSight(v, x, y, r / v.s + 40 / v.s) ? { twin, x: px(v, x), y: py(v, y), r } : null;
