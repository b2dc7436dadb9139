// SPDX-License-Identifier: Apache-2.0
// Names on the picture: only where they fit, the most important first, none over another.
import { FONT } from "./ink";

export interface Box {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
  twin: number;
  group: number;
}

const widths = new Map<string, number>();

/** A name's width, remembered: measuring is what costs. */
export function widthOf(ctx: CanvasRenderingContext2D, text: string, font: string): number {
  const key = font + text;
  let w = widths.get(key);
  if (w === undefined) {
    if (widths.size > 20_000) widths.clear();
    ctx.font = font;
    widths.set(key, (w = ctx.measureText(text).width));
  }
  return w;
}

export const font = (size: number, weight: number) => `${weight} ${size}px ${FONT}`;

const CELL = 64;

/** What is taken on the screen. */
export class Room {
  readonly boxes: Box[] = [];
  readonly twins = new Set<number>(); // that have their names
  private cells = new Map<number, Box[]>();

  private *around(b: { x0: number; y0: number; x1: number; y1: number }): Generator<number> {
    for (let r = Math.floor(b.y0 / CELL); r <= Math.floor(b.y1 / CELL); r++)
      for (let c = Math.floor(b.x0 / CELL); c <= Math.floor(b.x1 / CELL); c++) yield r * 4096 + c;
  }

  /** Nothing is there; but for what belongs to a group. */
  free(x0: number, y0: number, x1: number, y1: number, group = -2): boolean {
    for (const k of this.around({ x0, y0, x1, y1 }))
      for (const b of this.cells.get(k) ?? [])
        if (b.group !== group && b.x0 < x1 && x0 < b.x1 && b.y0 < y1 && y0 < b.y1) return false;
    return true;
  }

  take(b: Box): void {
    this.boxes.push(b);
    if (b.twin >= 0) this.twins.add(b.twin);
    for (const k of this.around(b)) {
      const list = this.cells.get(k);
      if (list) list.push(b);
      else this.cells.set(k, [b]);
    }
  }

  clear(): void {
    this.boxes.length = 0;
    this.twins.clear();
    this.cells.clear();
  }
}

export interface Style {
  size: number;
  weight: number;
  colour: string;
  halo: string;
  rim?: string; // it stands in a pill that is filled with the halo: nothing below shows between its letters
}

const PILL = 5; // px that a pill reaches beyond its text

/** Half of the room that a text takes, with its pill, px. */
export function halfOf(ctx: CanvasRenderingContext2D, text: string, s: Style): [w: number, h: number] {
  const more = s.rim ? PILL : 3;
  return [widthOf(ctx, text, font(s.size, s.weight)) / 2 + more + (s.rim ? 3 : 0), s.size / 2 + more];
}

function pill(ctx: CanvasRenderingContext2D, x: number, y: number, w: number, h: number, s: Style): void {
  ctx.beginPath();
  ctx.roundRect(x - w, y - h, 2 * w, 2 * h, h);
  ctx.fillStyle = s.halo;
  ctx.fill();
  ctx.strokeStyle = s.rim!;
  ctx.lineWidth = 1.5;
  ctx.stroke();
}

/** Writes a name centred at a place, when there is room. */
export function write(
  ctx: CanvasRenderingContext2D,
  room: Room,
  text: string,
  x: number,
  y: number,
  s: Style,
  of: { twin?: number; group?: number },
): boolean {
  const f = font(s.size, s.weight);
  const [w, h] = halfOf(ctx, text, s);
  if (!room.free(x - w, y - h, x + w, y + h)) return false;
  room.take({ x0: x - w, y0: y - h, x1: x + w, y1: y + h, twin: of.twin ?? -1, group: of.group ?? -1 });
  ctx.font = f;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  if (s.rim) pill(ctx, x, y, w, h, s);
  else {
    ctx.lineJoin = "round";
    ctx.lineWidth = 4;
    ctx.strokeStyle = s.halo;
    ctx.strokeText(text, x, y);
  }
  ctx.fillStyle = s.colour;
  ctx.fillText(text, x, y);
  return true;
}

/** As much of a name as fits into so many pixels; "" when that would tell nothing. */
export function shorten(ctx: CanvasRenderingContext2D, text: string, f: string, most: number): string {
  if (widthOf(ctx, text, f) <= most) return text;
  const room = most / (widthOf(ctx, text, f) / text.length);
  const n = Math.floor(room) - 1;
  return n < 4 ? "" : text.slice(0, n).trimEnd() + "…";
}

/** "Filler, Line 1" in "Line 1, still PET" is "Filler". */
export function nameIn(label: string, titles: readonly string[]): string {
  const cut = label.indexOf(", ");
  if (cut < 1) return label;
  const rest = label.slice(cut + 2).toLowerCase();
  return titles.some((t) => t.toLowerCase().startsWith(rest)) ? label.slice(0, cut) : label;
}
