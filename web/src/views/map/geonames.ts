// SPDX-License-Identifier: Apache-2.0
// Names and numbers of the map on a canvas of our own above it, since MapLibre draws letters only with glyphs from a
// server: of twins, of places, of degrees, counts of clusters, signs.
import { coveredOf } from "~/ui/covered";
import { fit, type Box, type Label } from "~/ui/labels";
import type { Spot } from "./geostage";
import { radiusAt, type Layer, type Look } from "./geostyle";
import { drawArrow, drawGlyph } from "./glyph";
import { degrees, type Graticule } from "./graticule";
import type { MapLibreMap } from "./maplibre";

export interface Cluster {
  lon: number;
  lat: number;
  count: number;
}

/** What is to be named. */
export interface Shown {
  spots: readonly Spot[];
  layers: readonly Layer[];
  clusters: readonly Cluster[];
  alone: ReadonlySet<string> | null; // of many: those that stand alone
  grid: Graticule | null;
  chosen: string;
  hovered: string;
}

interface Name extends Label {
  text: string;
  value: string;
  font: string;
  place: boolean; // of a layer, not of a twin
}

const FAMILY = "Inter Variable, system-ui, sans-serif";
const fontOf = (size: number, weight: number) => `${weight} ${size}px ${FAMILY}`;
const TWIN = fontOf(12, 550);
const VALUE = fontOf(11, 600);
const LABELS_MOST = 400; // of the marks in view: more would not fit anyway

function drawGhost(ctx: CanvasRenderingContext2D, x: number, y: number, r: number, colour: string): void {
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.setLineDash([4, 3]);
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5;
  ctx.stroke();
  ctx.setLineDash([]);
}

const meet = (a: Box, b: Box) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

export class GeoNames {
  private readonly canvas = document.createElement("canvas");
  private readonly ctx = this.canvas.getContext("2d")!;
  private w = 0;
  private h = 0;

  constructor(
    box: HTMLElement,
    private readonly map: MapLibreMap,
  ) {
    this.canvas.className = "stage-over";
    box.append(this.canvas);
  }

  draw(shown: Shown, look: Look): void {
    const { canvas, ctx } = this;
    const ratio = devicePixelRatio;
    [this.w, this.h] = [canvas.clientWidth, canvas.clientHeight];
    const [w, h] = [Math.round(this.w * ratio), Math.round(this.h * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, this.w, this.h);
    ctx.textBaseline = "middle";
    const covered = coveredOf(canvas);
    this.degrees(shown.grid, look, covered);
    const marks = [...this.counts(shown.clusters, look), ...covered];
    const names = [...this.twins(shown, look, marks), ...this.places(shown.layers)];
    fit(names, marks, this.w, this.h).forEach((b, i) => b && this.write(names[i]!, b, look));
  }

  private width(text: string, font: string): number {
    this.ctx.font = font;
    return this.ctx.measureText(text).width;
  }

  /** At the lower and the right edge. */
  private degrees(grid: Graticule | null, look: Look, covered: readonly Box[]): void {
    if (!grid) return;
    const { ctx, map, w, h } = this;
    const font = fontOf(11, 400);
    const middle = map.getCenter();
    const write = (text: string, left: number, y: number) => {
      const box = { x: left - 8, y: y - 10, w: this.width(text, font) + 16, h: 20 };
      if (box.x < 0 || box.y < 0 || box.x + box.w > w + 8 || covered.some((c) => meet(box, c))) return;
      ctx.fillText(text, left, y);
    };
    ctx.font = font;
    ctx.fillStyle = look.quiet;
    ctx.textAlign = "left";
    for (const lon of grid.lons) {
      const text = degrees(lon, grid.step, "E", "W");
      write(text, map.project([lon, middle.lat]).x - this.width(text, font) / 2, h - 10);
    }
    for (const lat of grid.lats) {
      const text = degrees(lat, grid.step, "N", "S");
      const { y } = map.project([middle.lng, lat]);
      if (y < h - 24) write(text, w - 8 - this.width(text, font), y - 8);
    }
  }

  private counts(clusters: readonly Cluster[], look: Look): Box[] {
    const { ctx } = this;
    ctx.font = fontOf(12, 600);
    ctx.textAlign = "center";
    ctx.fillStyle = look.text;
    return clusters.map((c) => {
      const p = this.map.project([c.lon, c.lat]);
      ctx.fillText(String(c.count), p.x, p.y + 0.5);
      return { x: p.x - 16, y: p.y - 16, w: 32, h: 32 };
    });
  }

  /** Draws their signs; their marks are added to those that no name may cover. */
  private twins({ spots, alone, chosen, hovered }: Shown, look: Look, marks: Box[]): Name[] {
    const { map, w, h } = this;
    const zoom = map.getZoom();
    const out: Name[] = [];
    for (const s of spots) {
      if (alone && !alone.has(s.id)) continue;
      const p = map.project([s.lon, s.lat]);
      if (p.x < -20 || p.y < -20 || p.x > w + 20 || p.y > h + 20) continue;
      const r = radiusAt(s.r, zoom);
      marks.push({ x: p.x - r, y: p.y - r, w: 2 * r, h: 2 * r });
      if (out.length === LABELS_MOST) continue;
      this.sign(s, p, r, look);
      const width = Math.max(this.width(s.label, TWIN), s.value ? this.width(s.value, VALUE) : 0);
      const size = { gap: r + 5, w: width + 4, h: s.value ? 29 : 16 };
      const rank = s.id === chosen ? 9 : s.id === hovered ? 8 : s.bad ? 7 : 5;
      const text = { text: s.label, value: s.value, font: TWIN, place: false };
      out.push({ x: p.x, y: p.y, ...size, rank, must: rank > 7, ...text });
    }
    return out;
  }

  private sign(s: Spot, p: { x: number; y: number }, r: number, look: Look): void {
    const inks = { colour: s.colour, ground: look.halo };
    if (s.ghost) return drawGhost(this.ctx, p.x, p.y, r, s.colour);
    if (s.heading !== undefined) drawArrow(this.ctx, s.heading, p.x, p.y, r, inks);
    else if (s.tone && s.tone !== "ok") drawGlyph(this.ctx, s.tone, p.x, p.y, r, inks);
  }

  /** Names that the layers' points have. */
  private places(layers: readonly Layer[]): Name[] {
    const zoom = this.map.getZoom();
    const out: Name[] = [];
    for (const l of layers)
      for (const f of l.data.features) {
        const text = f.properties?.name as string | undefined;
        if (!text || f.geometry.type !== "Point") continue;
        const rank = Number(f.properties?.rank ?? 2);
        if (zoom < 6 + rank) continue;
        const p = this.map.project(f.geometry.coordinates as [number, number]);
        const font = fontOf(rank <= 1 ? 13 : 12, 500);
        const size = { gap: 0, w: this.width(text, font) + 4, h: 16 };
        out.push({ x: p.x, y: p.y, ...size, rank: 3 - rank / 10, text, value: "", font, place: true });
      }
    return out;
  }

  private write(n: Name, b: Box, look: Look): void {
    const { ctx } = this;
    ctx.textAlign = "left";
    ctx.lineJoin = "round";
    ctx.lineWidth = 3;
    ctx.strokeStyle = look.halo;
    const line = (text: string, font: string, colour: string, y: number) => {
      ctx.font = font;
      ctx.fillStyle = colour;
      ctx.strokeText(text, b.x + 2, y);
      ctx.fillText(text, b.x + 2, y);
    };
    line(n.text, n.font, n.place ? look.quiet : look.text, b.y + 8);
    if (n.value) line(n.value, VALUE, look.ring, b.y + 22);
  }

  kill(): void {
    this.canvas.remove();
  }
}
