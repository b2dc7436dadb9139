// SPDX-License-Identifier: Apache-2.0
// The drawn map: MapLibre for ground, layers and marks; names and numbers stand above it.
import type * as GeoJSON from "geojson";
import { GeoNames, type Cluster } from "./geonames";
import { CLUSTERED, lookOf, styleOf, type Layer, type Look } from "./geostyle";
import { graticule, type Graticule } from "./graticule";
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

export class GeoStage {
  readonly map: MapLibreMap;
  private readonly names: GeoNames;
  private spots: readonly Spot[] = [];
  private layers: readonly Layer[] = [];
  private trails: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };
  private chosen = "";
  private hovered = "";
  private many = false;
  private clusters: Cluster[] = [];
  private alone: Set<string> | null = null; // of many: those that stand alone
  private styled = false;
  private grid: Graticule | null = null;

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
    this.names = new GeoNames(box, this.map);
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
    const { spots, layers, clusters, alone, grid, chosen, hovered, look } = this;
    this.names.draw({ spots, layers, clusters, alone, grid, chosen, hovered }, look);
  }

  kill(): void {
    this.map.remove();
    this.names.kill();
  }
}
