// SPDX-License-Identifier: Apache-2.0
// Where twins were in the last hour, as lines.
import type * as GeoJSON from "geojson";
import { fetchHistory } from "~/api/history";
import type { Position } from "./positions";

const MOST = 60; // twins asked at once

export interface Wanderer {
  id: string;
  colour: string;
  at: Position;
}

type Course = readonly (readonly [time: number, value: number])[];

/** The value of a course at an instant, straight between two of its own. `from` is where to look first. */
function at(course: Course, time: number, from: { i: number }): number {
  while (from.i + 1 < course.length && course[from.i + 1]![0] <= time) from.i++;
  const [t0, v0] = course[from.i]!;
  const next = course[from.i + 1];
  if (!next || time <= t0) return v0;
  return v0 + ((next[1] - v0) * (time - t0)) / (next[0] - t0);
}

/** One journey of two columns, whose values need not have come together. */
export function joinTrail(lat: Course, lon: Course): [number, number][] {
  if (!lat.length || !lon.length) return [];
  const times = [...new Set([...lat, ...lon].map(([t]) => t))].sort((a, b) => a - b);
  const y = { i: 0 };
  const x = { i: 0 };
  const out: [number, number][] = [];
  for (const t of times) {
    const p: [number, number] = [at(lon, t, x), at(lat, t, y)];
    const last = out[out.length - 1];
    if (!last || last[0] !== p[0] || last[1] !== p[1]) out.push(p);
  }
  return out;
}

export async function readTrails(
  list: readonly Wanderer[],
  world: string,
  signal: AbortSignal,
): Promise<GeoJSON.FeatureCollection> {
  const features: GeoJSON.Feature[] = [];
  await Promise.all(
    list.slice(0, MOST).map(async (t) => {
      const series = await fetchHistory({
        world,
        twin: t.id,
        properties: [t.at.lat, t.at.lon],
        from: "-1h",
        signal,
      }).catch(() => []);
      const of = (path: string) => {
        const s = series.find((x) => x.property === path);
        return (s?.time ?? []).flatMap((time, i): [number, number][] =>
          typeof s!.value[i] === "number" ? [[time, s!.value[i]]] : [],
        );
      };
      const coordinates = joinTrail(of(t.at.lat), of(t.at.lon));
      if (coordinates.length > 1)
        features.push({
          type: "Feature",
          properties: { colour: t.colour },
          geometry: { type: "LineString", coordinates },
        });
    }),
  );
  return { type: "FeatureCollection", features };
}
