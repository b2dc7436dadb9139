// SPDX-License-Identifier: Apache-2.0
// How a map looks without anybody's tiles: a ground, a graticule, and the layers that somebody put. Features may say
// what they are by "kind" (water, river, wood, town, road, motorway, rail, border) or how they are drawn by
// simplestyle's "stroke", "stroke-width", "fill".
import type * as GeoJSON from "geojson";
import type { ExpressionSpecification, LayerSpecification } from "maplibre-gl";
import { perTheme, token } from "~/ui/tokens";
import type { StyleSpecification } from "./maplibre";

export interface Look {
  dark: boolean;
  ground: string;
  grid: string;
  text: string;
  quiet: string;
  halo: string;
  ring: string;
  bad: string;
  cluster: string;
}

const KINDS = "water river wood field town site motorway road track rail border".split(" ");

export const lookOf = perTheme((dark): Look => {
  const of = (name: string) => token(name, dark);
  return {
    dark,
    ground: of("map-ground"),
    grid: of("map-grid"),
    text: of("n9"),
    quiet: of("n7"),
    halo: of(dark ? "map-ground" : "n1"),
    ring: of("teal"),
    bad: of("bad"),
    cluster: of("map-cluster"),
  };
});

const EMPTY = { type: "FeatureCollection" as const, features: [] };

const byKind = (look: Look, other: string): ExpressionSpecification =>
  [
    "match",
    ["get", "kind"],
    ...KINDS.flatMap((kind) => [kind, token(`map-${kind}`, look.dark)]),
    other,
  ] as unknown as ExpressionSpecification;

const WIDTH: ExpressionSpecification = [
  "interpolate",
  ["exponential", 1.5],
  ["zoom"],
  8,
  ["*", 1, ["match", ["get", "kind"], "motorway", 2.4, "river", 3, "road", 1.6, "border", 1, 1]],
  16,
  ["*", 6, ["match", ["get", "kind"], "motorway", 2.4, "river", 5, "road", 1.8, "border", 0.4, 1]],
];

function layersOf(source: string, look: Look): LayerSpecification[] {
  const polygon: ExpressionSpecification = ["==", ["geometry-type"], "Polygon"];
  const line: ExpressionSpecification = ["==", ["geometry-type"], "LineString"];
  const cased: ExpressionSpecification = ["match", ["get", "kind"], ["road", "motorway"], true, false];
  const width: ExpressionSpecification = ["coalesce", ["get", "stroke-width"], 1.5];
  return [
    {
      id: `${source}-fill`,
      type: "fill",
      source,
      filter: polygon,
      paint: {
        "fill-color": ["coalesce", ["get", "fill"], byKind(look, look.grid)],
        "fill-opacity": ["coalesce", ["get", "fill-opacity"], 1],
      },
    },
    {
      id: `${source}-case`,
      type: "line",
      source,
      filter: ["all", line, cased],
      layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": token("map-case", look.dark), "line-gap-width": WIDTH, "line-width": 1 },
    },
    {
      id: `${source}-line`,
      type: "line",
      source,
      filter: ["all", line, ["!", ["has", "stroke"]]],
      layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": byKind(look, look.quiet), "line-width": WIDTH },
    },
    {
      id: `${source}-own`,
      type: "line",
      source,
      filter: ["has", "stroke"],
      layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": ["get", "stroke"], "line-width": width },
    },
  ];
}

/** Pixels of a mark at a zoom; the stage draws over the circles by the same rule. */
export const radiusAt = (r: number, zoom: number): number =>
  r * (zoom <= 6 ? 0.7 : zoom >= 16 ? 1.25 : zoom < 11 ? 0.7 + (zoom - 6) * 0.06 : 1 + (zoom - 11) * 0.05);

const RADIUS: ExpressionSpecification = [
  "interpolate",
  ["linear"],
  ["zoom"],
  ...[6, 11, 16].flatMap((z) => [z, ["*", radiusAt(1, z), ["get", "r"]]]),
] as unknown as ExpressionSpecification;

/** Only another world has it. */
const GHOST: ExpressionSpecification = ["has", "ghost"];

export interface Layer {
  name: string;
  data: GeoJSON.FeatureCollection;
}

export const CLUSTERED = 200; // twins from which on they are drawn together where they are many

export function styleOf(layers: readonly Layer[], many: boolean, look: Look): StyleSpecification {
  const sources: StyleSpecification["sources"] = {
    grid: { type: "geojson", data: EMPTY },
    trails: { type: "geojson", data: EMPTY },
    twins: {
      type: "geojson",
      data: EMPTY,
      promoteId: "id",
      ...(many
        ? { cluster: true, clusterRadius: 44, clusterMaxZoom: 16, clusterProperties: { bad: ["max", ["get", "bad"]] } }
        : {}),
    },
  };
  layers.forEach((l, i) => (sources[`own-${i}`] = { type: "geojson", data: l.data }));
  const lone: ExpressionSpecification = ["!", ["has", "point_count"]];
  return {
    version: 8,
    sources,
    transition: { duration: 0, delay: 0 },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": look.ground } },
      { id: "grid", type: "line", source: "grid", paint: { "line-color": look.grid, "line-width": 1 } },
      ...layers.flatMap((_, i) => layersOf(`own-${i}`, look)),
      {
        id: "trails",
        type: "line",
        source: "trails",
        layout: { "line-cap": "round", "line-join": "round" },
        paint: { "line-color": ["get", "colour"], "line-width": 3, "line-opacity": 0.65 },
      },
      {
        id: "clusters",
        type: "circle",
        source: "twins",
        filter: ["has", "point_count"],
        paint: {
          "circle-color": look.cluster,
          "circle-radius": ["interpolate", ["linear"], ["log10", ["get", "point_count"]], 0, 12, 2, 20, 4, 30],
          "circle-stroke-width": 2,
          "circle-stroke-color": ["case", ["==", ["get", "bad"], 1], look.bad, look.ground],
        },
      },
      {
        id: "glow",
        type: "circle",
        source: "twins",
        filter: ["all", lone, ["has", "glow"]],
        paint: { "circle-color": ["get", "glow"], "circle-radius": 18, "circle-blur": 1 },
      },
      {
        id: "ring",
        type: "circle",
        source: "twins",
        filter: ["all", lone, ["==", ["get", "id"], ""]],
        paint: {
          "circle-radius": 12,
          "circle-color": look.ring,
          "circle-opacity": 0.2,
          "circle-stroke-width": 2,
          "circle-stroke-color": look.ring,
        },
      },
      {
        id: "twins",
        type: "circle",
        source: "twins",
        filter: lone,
        layout: { "circle-sort-key": ["get", "bad"] },
        paint: {
          "circle-color": ["case", GHOST, look.ground, ["get", "colour"]],
          "circle-opacity": ["case", GHOST, 0.5, 1],
          "circle-radius": RADIUS,
          "circle-stroke-width": ["case", GHOST, 0, 2], // its outline is dashed: the stage draws it
          "circle-stroke-color": look.halo,
        },
      },
    ],
  };
}
