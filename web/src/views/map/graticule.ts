// SPDX-License-Identifier: Apache-2.0
// Lines of latitude and longitude through what is seen, at distances that read well.
import type * as GeoJSON from "geojson";

export interface Bounds {
  west: number;
  south: number;
  east: number;
  north: number;
}

const STEPS = [30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];

export const stepFor = (span: number): number => STEPS.find((s) => span / s >= 5) ?? STEPS[STEPS.length - 1]!;

export interface Graticule {
  lines: GeoJSON.FeatureCollection;
  lons: number[];
  lats: number[];
  step: number;
}

export function graticule(b: Bounds): Graticule {
  const step = stepFor(Math.max(b.east - b.west, b.north - b.south));
  const through = (from: number, to: number) => {
    const out: number[] = [];
    for (let k = Math.ceil(from / step); k * step <= to && out.length < 64; k++) out.push(k * step);
    return out;
  };
  const lons = through(b.west, b.east);
  const lats = through(Math.max(-85, b.south), Math.min(85, b.north));
  const line = (coordinates: [number, number][]): GeoJSON.Feature => ({
    type: "Feature",
    properties: {},
    geometry: { type: "LineString", coordinates },
  });
  return {
    lines: {
      type: "FeatureCollection",
      features: [
        ...lons.map((x) =>
          line([
            [x, b.south],
            [x, b.north],
          ]),
        ),
        ...lats.map((y) =>
          line([
            [b.west, y],
            [b.east, y],
          ]),
        ),
      ],
    },
    lons,
    lats,
    step,
  };
}

export function degrees(x: number, step: number, positive: string, negative: string): string {
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return `${Math.abs(x).toFixed(digits)}° ${x < 0 ? negative : positive}`;
}
