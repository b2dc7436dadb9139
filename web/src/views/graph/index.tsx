// SPDX-License-Identifier: Apache-2.0
// Twins and links as a picture: places by what is part of what, colours by model or by any property, live.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { effect } from "@preact/signals";
import { ChartNetwork, Maximize, ZoomIn, ZoomOut } from "lucide-preact";
import { entries, links, reading, readError, shape } from "~/api/catalogue";
import { api } from "~/api/client";
import { listen } from "~/api/feed";
import { modelName, models } from "~/api/models";
import type { Value } from "~/api/types";
import { go, hrefOf, moves, route, select, selected, worldName } from "~/app/route";
import { isDark } from "~/app/prefs";
import { Empty, IconButton, Skeleton, Wrong } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { categorical, scaleOf, type Scale } from "./colour";
import { place } from "./layout";
import { Stage, type Look } from "./stage";
import { useWhere, Where } from "./where";
import "./graph.css";

const lookOf = (dark: boolean): Look =>
  dark
    ? { text: "#e4e9ec", edge: "#2b3438", faint: "#283034", ring: "#4fd1c5", dark }
    : { text: "#1d262b", edge: "#d3dade", faint: "#dde3e6", ring: "#0c7c74", dark };

/** Properties that more than one twin may have, by name. */
function useProperties(): { path: string; name: string }[] {
  return useMemo(() => {
    const out = new Map<string, string>();
    for (const m of models.value.values()) {
      for (const p of m.properties)
        if (["number", "integer", "boolean", "enum", "text"].includes(p.type) && !p.telemetry) out.set(p.path, p.name);
    }
    return [...out].map(([path, name]) => ({ path, name })).sort((a, b) => a.name.localeCompare(b.name));
  }, [models.value]);
}

interface Colouring {
  scale: Scale | null; // null: by model
  unit: string;
}

/** Colours of everything once, then of what the feed says changed. */
function useColours(stage: { current: Stage | null }, ready: number, property: string, dark: boolean): Colouring {
  const [colouring, set] = useState<Colouring>({ scale: null, unit: "" });
  const world = worldName.value;
  const live = moves.value;
  useEffect(() => {
    const s = stage.current;
    if (!s || !ready) return;
    if (!property) {
      const order = modelOrder();
      s.paint(entries.peek().map((e) => [e.id, categorical(order.get(e.model) ?? 7, dark)]));
      set({ scale: null, unit: "" });
      return;
    }
    const abort = new AbortController();
    let scale: Scale | null = null;
    const read = async () => {
      const g = await api.get<{ twins: { id: string[] }; values: Record<string, Value[]> }>("/graph", {
        world,
        query: { values: property },
        signal: abort.signal,
      });
      const values = g.values[property] ?? [];
      scale = scaleOf(values, dark);
      s.paint(g.twins.id.map((id, i) => [id, scale!.of(values[i])]));
      const unit =
        [...models.peek().values()].flatMap((m) => m.properties).find((p) => p.path === property)?.unit ?? "";
      set({ scale, unit });
    };
    read().catch((e: unknown) => !abort.signal.aborted && tellError(e));
    const stop = live
      ? listen(
          { world, properties: [property] },
          {
            changes: (list) =>
              scale && s.paint(list.filter((c) => c.path === property).map((c) => [c.twin, scale!.of(c.value)])),
            gap: () => void read().catch(() => {}),
          },
        )
      : () => {};
    return () => {
      abort.abort();
      stop();
    };
  }, [ready, property, dark, world, live]);
  return colouring;
}

/** The most frequent models take the first colours. */
function modelOrder(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const e of entries.peek()) counts.set(e.model, (counts.get(e.model) ?? 0) + 1);
  return new Map([...counts].sort((a, b) => b[1] - a[1]).map(([m], i) => [m, Math.min(i, 7)]));
}

function Legend({ c }: { c: Colouring }) {
  const dark = isDark();
  if (c.scale?.low !== undefined) {
    return (
      <div class="legend card">
        <div class="ramp" />
        <div class="row tiny">
          <span class="grow">{format.amount(c.scale.low, c.unit)}</span>
          <span>{format.amount(c.scale.high!, c.unit)}</span>
        </div>
      </div>
    );
  }
  const list =
    c.scale?.categories ??
    [...modelOrder()]
      .slice(0, 8)
      .map(([m, i]) => ({ name: i < 7 ? modelName(m) : words.graph.others, colour: categorical(i, dark) }));
  return (
    <ul class="legend card small">
      {list.map((x) => (
        <li class="row" key={x.name}>
          <svg width="10" height="10" aria-hidden="true">
            <circle cx="5" cy="5" r="5" fill={x.colour} />
          </svg>
          <span class="ellipsis">{x.name}</span>
        </li>
      ))}
    </ul>
  );
}

export default function GraphView() {
  const box = useRef<HTMLDivElement>(null);
  const stage = useRef<Stage | null>(null);
  const [ready, setReady] = useState(0);
  const dark = isDark();
  const by = route.value.params.by === "model" ? "model" : "part";
  const property = route.value.params.colour ?? "";
  const properties = useProperties();
  useEffect(() => {
    const s = new Stage(box.current!, lookOf(isDark()), {
      click: (id) => select(id),
      open: (id) => (location.hash = hrefOf({ view: "twin", params: { sel: id } })),
      empty: () => selected.peek() && select(""),
      moved: (c) => go({ params: { cam: [c.x, c.y, c.ratio].map((v) => v.toFixed(4)).join(",") }, replace: true }),
    });
    stage.current = s;
    const cam = (route.peek().params.cam ?? "").split(",").map(Number);
    if (cam.length === 3 && cam.every(Number.isFinite))
      s.sigma.getCamera().setState({ x: cam[0]!, y: cam[1]!, ratio: cam[2]! });
    return () => {
      stage.current = null;
      s.kill();
    };
  }, []);
  useEffect(() => {
    const s = stage.current;
    const list = entries.value;
    if (!s || !list.length) return;
    const order = modelOrder();
    s.load(list, links.value, place(list, links.value, by), (i) =>
      categorical(order.get(list[i]!.model) ?? 7, isDark()),
    );
    setReady((n) => n + 1);
    s.choose(selected.peek(), false);
  }, [shape.value, by]);
  useEffect(() => stage.current?.setLook(lookOf(dark)), [dark]);
  useEffect(() => effect(() => stage.current?.choose(selected.value, true)), []);
  const colouring = useColours(stage, ready, property, dark);
  const where = useWhere(stage, ready);
  const camera = () => stage.current?.sigma.getCamera();
  return (
    <div class="view graph-view">
      <div ref={box} class="graph-stage" role="img" aria-label={words.graph.label(entries.value.length)} />
      <div class="float top-left row">
        <label class="small quiet" for="graph-by">
          {words.graph.by}
        </label>
        <select
          id="graph-by"
          class="select"
          value={by}
          onChange={(e) => go({ params: { by: e.currentTarget.value === "model" ? "model" : null }, replace: true })}
        >
          <option value="part">{words.graph.part}</option>
          <option value="model">{words.graph.model}</option>
        </select>
        <label class="small quiet" for="graph-colour">
          {words.graph.colour}
        </label>
        <select
          id="graph-colour"
          class="select"
          value={property}
          onChange={(e) => go({ params: { colour: e.currentTarget.value || null }, replace: true })}
        >
          <option value="">{words.graph.model}</option>
          {properties.map((p) => (
            <option key={p.path} value={p.path}>
              {p.name}
            </option>
          ))}
        </select>
        <Where found={where} />
      </div>
      <div class="float bottom-right column card zoom">
        <IconButton name={words.graph.zoomIn} icon={ZoomIn} onClick={() => void camera()?.animatedZoom(1.6)} />
        <IconButton name={words.graph.zoomOut} icon={ZoomOut} onClick={() => void camera()?.animatedUnzoom(1.6)} />
        <IconButton name={words.graph.fit} icon={Maximize} onClick={() => void camera()?.animatedReset()} />
      </div>
      {entries.value.length > 0 && (
        <div class="float bottom-left">
          <Legend c={colouring} />
        </div>
      )}
      {reading.value && (
        <div class="float middle">
          <Skeleton />
        </div>
      )}
      {readError.value && !entries.value.length && (
        <div class="float middle">
          <Wrong error={new Error(readError.value)} />
        </div>
      )}
      {!reading.value && !readError.value && !entries.value.length && (
        <div class="float middle">
          <Empty icon={ChartNetwork} title={words.twin.none} hint={words.twin.noneHint} />
        </div>
      )}
    </div>
  );
}
