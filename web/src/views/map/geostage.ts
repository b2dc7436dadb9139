// SPDX-License-Identifier: Apache-2.0
// The drawn map: MapLibre for ground, layers and marks; names and numbers on a canvas of our own above it, since
// MapLibre draws letters only with glyphs from a server.
import type * as GeoJSON from "geojson";
import { fit, type Box, type Label } from "~/ui/labels";
import { CLUSTERED, lookOf, radiusAt, styleOf, type Layer, type Look } from "./geostyle";
import { drawArrow, drawGlyph } from "./glyph";
import { degrees, graticule } from "./graticule";
import type { Tone } from "./tint";
import maplibre, { type GeoJSONSource, type MapLibreMap } from "./maplibre";

export interface Spot {
  id: string;
  label: string;
  value: string; // "" or what is written under the name
  lon: number;
  lat: number;
  colour: string;
  bad: boolean;
  tone?: Tone; // drawn as a sign; undefined: a plain disc
  heading?: number; // degrees clockwise from north: drawn as an arrow
  r: number; // pixels, at a middle zoom
  glow: string; // a colour, where it differs from another world
  ghost?: boolean; // only the other world has it: an outline
}

export interface Camera {
  lon: number;
  lat: number;
  zoom: number;
}

export interface Picked {
  click(id: string): void;
  open(id: string): void;
  empty(): void;
  moved(c: Camera): void;
  hover?(id: string, x: number, y: number): void; // "": nobody
}

interface Cluster {
  lon: number;
  lat: number;
  count: number;
}

const FONT = "Inter Variable, system-ui, sans-serif";
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

export class GeoStage {
  readonly map: MapLibreMap;
  private readonly over: HTMLCanvasElement;
  private spots: readonly Spot[] = [];
  private layers: readonly Layer[] = [];
  private trails: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };
  private chosen = "";
  private hovered = "";
  private many = false;
  private clusters: Cluster[] = [];
  private alone: Set<string> | null = null; // of many: those that stand alone
  private styled = false;
  private grid: ReturnType<typeof graticule> | null = null;

  constructor(
    box: HTMLElement,
    private look: Look,
    camera: Camera | null,
    private readonly on: Picked,
    name: string,
  ) {
    this.map = new maplibre.Map({
      container: box,
      style: styleOf([], false, look),
      center: camera ? [camera.lon, camera.lat] : [0, 20],
      zoom: camera?.zoom ?? 1,
      attributionControl: false,
      fadeDuration: 0,
      maxZoom: 20,
      dragRotate: false,
      pitchWithRotate: false,
      locale: { "Map.Title": name },
    });
    this.map.touchZoomRotate.disableRotation();
    this.over = document.createElement("canvas");
    this.over.className = "stage-over";
    box.append(this.over);
    this.map.on("style.load", () => this.fill());
    this.map.on("render", () => this.draw());
    this.map.on("move", () => this.net());
    this.map.on("idle", () => this.group());
    this.map.on("moveend", () => on.moved(this.camera()));
    this.map.on("click", (e) => void this.click(e.point));
    this.map.on("mousemove", (e) => this.hover(e.point));
    this.map.on("mouseout", () => this.leave());
    this.map.on("dblclick", (e) => {
      const id = this.at(e.point)?.properties?.id as string | undefined;
      if (id) e.preventDefault(), on.open(id);
    });
  }

  camera(): Camera {
    const c = this.map.getCenter();
    return { lon: c.lng, lat: c.lat, zoom: this.map.getZoom() };
  }

  setLook(dark: boolean): void {
    this.look = lookOf(dark);
    this.restyle();
  }

  setLayers(layers: readonly Layer[]): void {
    this.layers = layers;
    this.restyle();
  }

  private restyle(): void {
    this.styled = false;
    this.map.setStyle(styleOf(this.layers, this.many, this.look), { diff: false });
  }

  setSpots(spots: readonly Spot[]): void {
    this.spots = spots;
    const many = spots.length > CLUSTERED;
    if (many !== this.many) {
      this.many = many;
      this.restyle();
    } else this.fillSpots();
  }

  setTrails(trails: GeoJSON.FeatureCollection): void {
    this.trails = trails;
    if (this.styled) this.source("trails")?.setData(trails);
  }

  private source(name: string): GeoJSONSource | undefined {
    return this.map.getSource(name) as GeoJSONSource | undefined;
  }

  private fill(): void {
    this.styled = true;
    this.fillSpots();
    this.source("trails")?.setData(this.trails);
    this.net();
    this.ring();
  }

  private fillSpots(): void {
    if (!this.styled) return;
    this.source("twins")?.setData({
      type: "FeatureCollection",
      features: this.spots.map((s) => ({
        type: "Feature",
        properties: {
          id: s.id,
          colour: s.colour,
          bad: s.bad ? 1 : 0,
          r: s.heading === undefined ? s.r : s.r * 0.5,
          ...(s.glow ? { glow: s.glow } : {}),
          ...(s.ghost ? { ghost: 1 } : {}),
        },
        geometry: { type: "Point", coordinates: [s.lon, s.lat] },
      })),
    });
  }

  private ring(): void {
    if (this.styled)
      this.map.setFilter("ring", ["all", ["!", ["has", "point_count"]], ["==", ["get", "id"], this.chosen]]);
  }

  choose(id: string, jump: boolean): void {
    this.chosen = id;
    this.ring();
    const s = this.spots.find((x) => x.id === id);
    if (!s || !jump) return;
    const b = this.map.getBounds();
    const seen = b.contains([s.lon, s.lat]);
    if (!seen || (this.many && this.map.getZoom() < 12))
      this.map.easeTo({
        center: [s.lon, s.lat],
        zoom: Math.max(this.map.getZoom(), this.many ? 13 : 9),
        duration: 300,
      });
  }

  /** Everything there is in view. */
  fitAll(animate = true): void {
    const b = new maplibre.LngLatBounds();
    for (const s of this.spots) b.extend([s.lon, s.lat]);
    if (b.isEmpty()) return;
    this.map.fitBounds(b, {
      padding: { top: 90, bottom: 60, left: 70, right: 110 },
      maxZoom: 14,
      duration: animate ? 300 : 0,
    });
  }

  goTo(c: Camera): void {
    this.map.jumpTo({ center: [c.lon, c.lat], zoom: c.zoom });
  }

  private net(): void {
    if (!this.styled) return;
    const b = this.map.getBounds();
    this.grid = graticule({ west: b.getWest(), south: b.getSouth(), east: b.getEast(), north: b.getNorth() });
    this.source("grid")?.setData(this.grid.lines);
  }

  private at(p: { x: number; y: number }) {
    if (!this.styled) return undefined;
    return this.map.queryRenderedFeatures(
      [
        [p.x - 6, p.y - 6],
        [p.x + 6, p.y + 6],
      ],
      { layers: ["twins", "clusters"] },
    )[0];
  }

  private async click(p: { x: number; y: number }): Promise<void> {
    const f = this.at(p);
    if (!f) return this.on.empty();
    if (f.properties?.id) return this.on.click(f.properties.id as string);
    const zoom = await this.source("twins")!.getClusterExpansionZoom(f.properties?.cluster_id as number);
    const [lon, lat] = (f.geometry as GeoJSON.Point).coordinates as [number, number];
    this.map.easeTo({ center: [lon, lat], zoom: zoom + 0.2, duration: 300 });
  }

  private hover(p: { x: number; y: number }): void {
    const f = this.at(p);
    this.map.getCanvas().style.cursor = f ? "pointer" : "";
    const id = (f?.properties?.id as string | undefined) ?? "";
    if (id === this.hovered) return;
    this.hovered = id;
    this.on.hover?.(id, p.x, p.y);
    this.draw();
  }

  private leave(): void {
    if (!this.hovered) return;
    this.hovered = "";
    this.on.hover?.("", 0, 0);
    this.draw();
  }

  /** What MapLibre drew together, to write numbers on it. */
  private group(): void {
    if (!this.many || !this.styled) {
      this.alone = null;
      this.clusters = [];
      return;
    }
    const seen = this.map.queryRenderedFeatures({ layers: ["twins", "clusters"] });
    this.alone = new Set();
    const by = new Map<number, Cluster>();
    for (const f of seen) {
      const [lon, lat] = (f.geometry as GeoJSON.Point).coordinates as [number, number];
      if (f.properties?.id) this.alone.add(f.properties.id as string);
      else by.set(f.properties?.cluster_id as number, { lon, lat, count: f.properties?.point_count as number });
    }
    this.clusters = [...by.values()];
    this.draw();
  }

  private draw(): void {
    const ratio = devicePixelRatio;
    const { clientWidth: w, clientHeight: h } = this.over;
    if (this.over.width !== Math.round(w * ratio) || this.over.height !== Math.round(h * ratio)) {
      this.over.width = Math.round(w * ratio);
      this.over.height = Math.round(h * ratio);
    }
    const ctx = this.over.getContext("2d")!;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, w, h);
    this.drawDegrees(ctx, w, h);
    this.drawTexts(ctx, w, h);
  }

  private drawDegrees(ctx: CanvasRenderingContext2D, w: number, h: number): void {
    if (!this.grid) return;
    ctx.font = `400 11px ${FONT}`;
    ctx.fillStyle = this.look.quiet;
    ctx.textBaseline = "middle";
    ctx.textAlign = "center";
    for (const lon of this.grid.lons) {
      const { x } = this.map.project([lon, this.map.getCenter().lat]);
      if (x > 240 && x < w - 80) ctx.fillText(degrees(lon, this.grid.step, "E", "W"), x, h - 10);
    }
    ctx.textAlign = "right";
    for (const lat of this.grid.lats) {
      const { y } = this.map.project([this.map.getCenter().lng, lat]);
      if (y > 70 && y < h - 160) ctx.fillText(degrees(lat, this.grid.step, "N", "S"), w - 8, y - 8);
    }
  }

  private drawTexts(ctx: CanvasRenderingContext2D, w: number, h: number): void {
    const marks: Box[] = [];
    const labels: (Label & { text: string; value: string; kind: "twin" | "place"; rest: boolean })[] = [];
    const measure = (text: string, font: string) => ((ctx.font = font), ctx.measureText(text).width);
    ctx.textBaseline = "middle";
    for (const c of this.clusters) {
      const p = this.map.project([c.lon, c.lat]);
      ctx.font = `600 12px ${FONT}`;
      ctx.textAlign = "center";
      ctx.fillStyle = this.look.text;
      ctx.fillText(String(c.count), p.x, p.y + 0.5);
      marks.push({ x: p.x - 16, y: p.y - 16, w: 32, h: 32 });
    }
    let shown = 0;
    const zoom = this.map.getZoom();
    for (const s of this.spots) {
      if (this.alone && !this.alone.has(s.id)) continue;
      const p = this.map.project([s.lon, s.lat]);
      if (p.x < -20 || p.y < -20 || p.x > w + 20 || p.y > h + 20) continue;
      const r = radiusAt(s.r, zoom);
      marks.push({ x: p.x - r, y: p.y - r, w: 2 * r, h: 2 * r });
      if (++shown > LABELS_MOST) continue;
      this.sign(ctx, s, p, r);
      const font = `550 12px ${FONT}`;
      const width = Math.max(measure(s.label, font), s.value ? measure(s.value, `600 11px ${FONT}`) : 0);
      labels.push({
        x: p.x,
        y: p.y,
        gap: r + 5,
        w: width + 4,
        h: s.value ? 29 : 16,
        rank: s.id === this.chosen ? 9 : s.id === this.hovered ? 8 : s.bad ? 7 : 5,
        text: s.label,
        value: s.value,
        kind: "twin",
        rest: false,
      });
    }
    this.places(labels, measure);
    marks.push(...this.covered(w, h));
    fit(labels, marks, w, h).forEach((b, i) => b && this.text(ctx, labels[i]!, b));
  }

  private sign(ctx: CanvasRenderingContext2D, s: Spot, p: { x: number; y: number }, r: number): void {
    const inks = { colour: s.colour, ground: this.look.halo };
    if (s.ghost) return drawGhost(ctx, p.x, p.y, r, s.colour);
    if (s.heading !== undefined) drawArrow(ctx, s.heading, p.x, p.y, r, inks);
    else if (s.tone && s.tone !== "ok") drawGlyph(ctx, s.tone, p.x, p.y, r, inks);
  }

  /** What lies over the map: no name is written below it. */
  private covered(w: number, h: number): Box[] {
    const out: Box[] = [];
    const at = this.over.getBoundingClientRect();
    for (const e of this.over.closest(".view")?.querySelectorAll(".stage-tools > *, .stage-legend, .stage-zoom") ??
      []) {
      const b = e.getBoundingClientRect();
      if (b.width && b.width < w && b.height < h)
        out.push({ x: b.left - at.left, y: b.top - at.top, w: b.width, h: b.height });
    }
    return out;
  }

  /** Names that the layers' points have. */
  private places(
    out: (Label & { text: string; value: string; kind: "twin" | "place"; rest: boolean })[],
    measure: (text: string, font: string) => number,
  ): void {
    const zoom = this.map.getZoom();
    for (const l of this.layers)
      for (const f of l.data.features) {
        const name = f.properties?.name as string | undefined;
        if (!name || f.geometry.type !== "Point") continue;
        const rank = Number(f.properties?.rank ?? 2);
        if (zoom < 6 + rank) continue;
        const p = this.map.project(f.geometry.coordinates as [number, number]);
        const size = rank <= 1 ? 13 : 12;
        out.push({
          x: p.x,
          y: p.y,
          gap: 0,
          w: measure(name, `500 ${size}px ${FONT}`) + 4,
          h: 16,
          rank: 3 - rank / 10,
          text: name,
          value: "",
          kind: "place",
          rest: rank > 1,
        });
      }
  }

  private text(
    ctx: CanvasRenderingContext2D,
    l: { text: string; value: string; kind: "twin" | "place"; rest: boolean },
    b: Box,
  ): void {
    const place = l.kind === "place";
    ctx.textAlign = "left";
    ctx.lineJoin = "round";
    ctx.lineWidth = 3;
    ctx.strokeStyle = this.look.halo;
    const write = (text: string, font: string, colour: string, y: number) => {
      ctx.font = font;
      ctx.fillStyle = colour;
      ctx.strokeText(text, b.x + 2, y);
      ctx.fillText(text, b.x + 2, y);
    };
    const weight = place ? `500 ${l.rest ? 12 : 13}px` : "550 12px";
    write(l.text, `${weight} ${FONT}`, place ? this.look.quiet : this.look.text, b.y + 8);
    if (l.value) write(l.value, `600 11px ${FONT}`, this.look.ring, b.y + 22);
  }

  kill(): void {
    this.map.remove();
    this.over.remove();
  }
}
