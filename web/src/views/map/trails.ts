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

interface Step {
  time: number;
  lat?: number;
  lon?: number;
}

/** Two columns of one journey: each value holds until the next. */
export function joinTrail(lat: readonly [number, number][], lon: readonly [number, number][]): [number, number][] {
  const steps: Step[] = [
    ...lat.map(([time, v]) => ({ time, lat: v })),
    ...lon.map(([time, v]) => ({ time, lon: v })),
  ].sort((a, b) => a.time - b.time);
  const out: [number, number][] = [];
  let y: number | undefined;
  let x: number | undefined;
  steps.forEach((s, i) => {
    y = s.lat ?? y;
    x = s.lon ?? x;
    const next = steps[i + 1];
    if (x === undefined || y === undefined || (next && next.time - s.time < 0.05)) return;
    const last = out[out.length - 1];
    if (!last || last[0] !== x || last[1] !== y) out.push([x, y]);
  });
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
