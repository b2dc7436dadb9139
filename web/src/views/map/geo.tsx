// SPDX-License-Identifier: Apache-2.0
// Twins on a map, live: whatever has a latitude and a longitude, over layers that somebody put, or none.
import type * as GeoJSON from "geojson";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Route } from "lucide-preact";
import { entries, labelOf, reading } from "~/api/catalogue";
import { api } from "~/api/client";
import { fileUrl, useDoc } from "~/api/files";
import { models } from "~/api/models";
import { useValues, type Values } from "~/api/values";
import { go, moves, route, select, selected, worldName } from "~/app/route";
import { shareHover } from "~/app/pane";
import { isDark } from "~/app/prefs";
import { IconButton, Wrong } from "~/ui/basic";
import { pointAt, VersusHint } from "~/views/compare/hint";
import { joinMap } from "~/views/compare/join";
import { words } from "~/words/en";
import * as format from "~/format";
import { useGhostSpots } from "./ghosts";
import { GeoStage, type Camera, type Spot } from "./geostage";
import { lookOf, type Layer } from "./geostyle";
import { positions, type Position } from "./positions";
import { STATE, unitOf, useSizes, useTint } from "./tint";
import { readTrails } from "./trails";
import { useWalk } from "./walk";
import { MapScaleBar } from "./scalebar";
import { Corner, StageLegend, Tools, Zoom, type DocChoice } from "./tools";

function cameraOf(text: string | undefined): Camera | null {
  const [lon, lat, zoom] = (text ?? "").split(",").map(Number);
  return [lon, lat, zoom].every((v) => v !== undefined && Number.isFinite(v))
    ? { lon: lon!, lat: lat!, zoom: zoom! }
    : null;
}

/** Twins whose models have positions, with the properties that say them. */
function usePositioned(): { id: string; at: Position }[] {
  return useMemo(() => {
    const of = positions();
    return entries.value.flatMap((e) => {
      const at = of.get(e.model);
      return at ? [{ id: e.id, at }] : [];
    });
  }, [entries.value, models.value]);
}

/** The layers of a map's document; one that cannot be read is told and left out. */
function useLayers(names: readonly string[] | undefined): { layers: Layer[]; wrong: string } {
  const [state, set] = useState<{ layers: Layer[]; wrong: string }>({ layers: [], wrong: "" });
  const key = (names ?? []).join("\n");
  useEffect(() => {
    const abort = new AbortController();
    const wrong: string[] = [];
    const one = async (name: string): Promise<Layer[]> => {
      try {
        const data = await api.get<GeoJSON.FeatureCollection>(fileUrl(name), { signal: abort.signal });
        if (Array.isArray(data.features)) return [{ name, data }];
      } catch {
        // told below
      }
      wrong.push(name);
      return [];
    };
    void Promise.all((names ?? []).map(one)).then((list) => {
      if (!abort.signal.aborted) set({ layers: list.flat(), wrong: wrong.join(", ") });
    });
    return () => abort.abort();
  }, [key]);
  return state;
}

function useStage(box: { current: HTMLDivElement | null }, looked: { current: string }): GeoStage | null {
  const [stage, set] = useState<GeoStage | null>(null);
  useEffect(() => {
    const s = new GeoStage(
      box.current!,
      lookOf(isDark()),
      cameraOf(route.peek().params.cam),
      {
        click: (id) => select(id),
        open: (id) => go({ view: "twin", params: { sel: id } }),
        empty: () => selected.peek() && select(""),
        hover: (id, x, y) => {
          const r = box.current!.getBoundingClientRect();
          shareHover(id);
          pointAt(id, r.left + x, r.top + y);
        },
        moved: (c) =>
          looked.current &&
          go({ params: { cam: `${c.lon.toFixed(5)},${c.lat.toFixed(5)},${c.zoom.toFixed(2)}` }, replace: true }),
      },
      words.map.geoLabel,
    );
    const watch = new ResizeObserver(() => s.map.resize());
    watch.observe(box.current!);
    const leave = joinMap(s.map);
    set(s);
    return () => (watch.disconnect(), leave(), s.kill());
  }, []);
  return stage;
}

const SMALLEST = 5; // pixels of a mark whose size says something
const LARGEST = 22;
const USUAL = 7;

function useSpots(list: { id: string; at: Position }[], values: Values, label: string, by: string, size: string) {
  const ids = useMemo(() => list.map((x) => x.id), [list]);
  const tint = useTint(ids, by, values);
  const sizes = useSizes(ids, size, values);
  const unit = (id: string) => (label ? unitOf(label, [id]) : "");
  const spots = useMemo(
    () =>
      list.flatMap(({ id, at }): Spot[] => {
        const lat = values.get(id, at.lat);
        const lon = values.get(id, at.lon);
        if (typeof lat !== "number" || typeof lon !== "number" || Math.abs(lat) > 90) return [];
        const v = label ? values.get(id, label) : undefined;
        const heading = at.heading ? values.get(id, at.heading) : undefined;
        const part = sizes?.of(id);
        const tone = tint.tone(id);
        return [
          {
            id,
            label: labelOf(id),
            value: v === undefined ? "" : format.value(v, unit(id)),
            lon,
            lat,
            colour: tint.of(id),
            bad: tint.bad(id),
            tone: (by && tone !== "bad" && tone !== "stale") || tint.versus ? undefined : tone,
            r: sizes ? (part === undefined ? SMALLEST : SMALLEST + (LARGEST - SMALLEST) * part) : USUAL,
            ...(typeof heading === "number" ? { heading } : {}),
            glow: tint.versus?.glows(id) ? tint.versus.glow(id) : "",
          },
        ];
      }),
    [list, tint, sizes, label, values.version.value],
  );
  return { ids, tint, sizes, spots };
}

export function Geo({ docs, doc: choice }: { docs: DocChoice[]; doc: string }) {
  const name = choice.endsWith(".map.json") ? choice : "";
  const box = useRef<HTMLDivElement>(null);
  const { doc, error } = useDoc("map", name);
  const { colour = "", value = "", size = "", trails } = route.value.params;
  const list = usePositioned();
  const paths = useMemo(() => [...new Set(list.flatMap((x) => [x.at.lat, x.at.lon]))], [list]);
  const headings = useMemo(() => [...new Set(list.map((x) => x.at.heading).filter(Boolean))], [list]);
  const values = useValues([
    ...paths,
    ...headings,
    STATE,
    ...(value ? [value] : []),
    ...(size ? [size] : []),
    ...(colour && colour !== "model" ? [colour] : []),
  ]);
  const { ids, tint, sizes, spots: own } = useSpots(list, values, value, colour, size);
  const ghosts = useGhostSpots(tint.versus);
  const spots = useMemo(() => (ghosts.length ? [...own, ...ghosts] : own), [own, ghosts]);
  // Where to look first: the address, the document, everything there is. What for is `looked`.
  const looked = useRef(cameraOf(route.peek().params.cam) ? name || "*" : "");
  const stage = useStage(box, looked);
  const dark = isDark();
  const { layers, wrong } = useLayers(doc?.layers);

  useEffect(() => stage?.setLook(dark), [stage, dark]);
  useEffect(() => stage?.setLayers(layers), [stage, layers]);
  useEffect(() => stage?.setSpots(spots), [stage, spots]);
  useEffect(() => stage?.choose(selected.value, true), [stage, selected.value]);
  useEffect(() => {
    if (!stage || looked.current === (name || "*")) return;
    if (doc?.centre) {
      looked.current = name || "*";
      stage.goTo({ lon: doc.centre[0], lat: doc.centre[1], zoom: doc.zoom ?? 10 });
    } else if (spots.length && paths.every((p) => values.has(p)) && (!name || doc)) {
      looked.current = name || "*";
      stage.fitAll(false);
    }
  }, [stage, doc, name, spots]);
  const world = worldName.value;
  useEffect(() => {
    if (!stage) return;
    if (!trails) return stage.setTrails({ type: "FeatureCollection", features: [] });
    const abort = new AbortController();
    const at = new Map(list.map((x) => [x.id, x.at]));
    const read = () =>
      void readTrails(
        own.map((s) => ({ id: s.id, colour: s.colour, at: at.get(s.id)! })),
        world,
        abort.signal,
      ).then((t) => !abort.signal.aborted && stage.setTrails(t));
    read();
    const timer = moves.peek() ? setInterval(read, 30_000) : 0;
    return () => (clearInterval(timer), abort.abort());
  }, [stage, trails, world, spots.length, dark]);
  useWalk(spots);
  return (
    <div class="view">
      <div ref={box} class="stage geo" role="group" aria-label={words.map.geoCount(spots.length)} />
      <Tools docs={docs} doc={choice} ids={ids} sizes>
        {list.length === 0 && !reading.value && <div class="notice">{words.map.nobody}</div>}
        {(error || wrong) && <Wrong error={error ?? new Error(words.map.noLayer(wrong))} />}
      </Tools>
      <Corner>
        {spots.length > 0 && <StageLegend tint={tint} sizes={sizes} most={LARGEST} />}
        {stage && <MapScaleBar map={stage.map} />}
      </Corner>
      <VersusHint v={tint.versus} />
      <Zoom closer={() => stage?.map.zoomIn()} farther={() => stage?.map.zoomOut()} fit={() => stage?.fitAll()}>
        <IconButton
          name={words.map.trails}
          icon={Route}
          aria-pressed={Boolean(trails)}
          onClick={() => go({ params: { trails: trails ? null : "1" }, replace: true })}
        />
      </Zoom>
    </div>
  );
}
