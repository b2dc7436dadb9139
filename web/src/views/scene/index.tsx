// SPDX-License-Identifier: Apache-2.0
// A scene in three dimensions whose nodes are twins: their colours and names are those of the live world.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Link2 } from "lucide-preact";
import { byId, entries, labelOf, reading } from "~/api/catalogue";
import { askFiles, docsOf, files, filesError, fileUrl, useDoc, useFiles } from "~/api/files";
import { useValues } from "~/api/values";
import { go, route, select, selected } from "~/app/route";
import { isDark } from "~/app/prefs";
import { addShortcuts } from "~/app/shortcuts";
import { IconButton, Skeleton, Wrong } from "~/ui/basic";
import { joinNumbers, tellNumbers } from "~/views/compare/join";
import { Drop } from "~/views/map/drop";
import { Teach } from "~/views/map/teach";
import { STATE, unitOf, useTint } from "~/views/map/tint";
import { Corner, StageLegend, Tools, Zoom, type DocChoice } from "~/views/map/tools";
import { useWalk } from "~/views/map/walk";
import { words } from "~/words/en";
import * as format from "~/format";
import { Bind } from "./bind";
import { loadModel } from "./gltf";
import { nodesOf, partsOf } from "./parts";
import { lookOf, SceneStage, type Painted } from "./stage";
import "./scene.css";

const titleOf = (name: string): string => {
  const stem = name.replace(/\.scene\.json$/, "");
  return stem.charAt(0).toUpperCase() + stem.slice(1).replaceAll("-", " ");
};

function cameraOf(text: string | undefined): number[] | null {
  const c = (text ?? "").split(",").map(Number);
  return c.length === 6 && c.every(Number.isFinite) ? c : null;
}

function useStage(box: { current: HTMLDivElement | null }): { stage: SceneStage | null; wrong: unknown } {
  const [state, set] = useState<{ stage: SceneStage | null; wrong: unknown }>({ stage: null, wrong: undefined });
  useEffect(() => {
    let s: SceneStage;
    try {
      s = new SceneStage(box.current!, lookOf(isDark()), {
        click: (id) => select(id),
        open: (id) => go({ view: "twin", params: { sel: id } }),
        empty: () => selected.peek() && select(""),
        moved: (c) => go({ params: { cam: c.map((v) => v.toFixed(1)).join(",") }, replace: true }),
        moving: tellNumbers,
      });
    } catch {
      set({ stage: null, wrong: new Error(words.scene.noWebgl) });
      return;
    }
    set({ stage: s, wrong: undefined });
    const leave = joinNumbers(6, (c) => s.setCamera(c));
    return () => (leave(), s.kill());
  }, []);
  return state;
}

interface Loaded {
  ids: string[];
  error?: unknown;
  again?: () => void;
  missing: string[];
  nodes: string[]; // named parts of the model
  named: ReadonlyMap<string, string>; // by the document: node, twin
}

const FAILED = { ids: [], missing: [], nodes: [], named: new Map<string, string>() };

/** The model of the document on the stage; nodes bound as it says, others by their name. */
function useModel(stage: SceneStage | null, name: string): Loaded | null {
  const { doc, error, again } = useDoc("scene", name);
  const [state, set] = useState<Loaded | null>(null);
  const stamp = files.value?.find((f) => f.name === doc?.model)?.updated ?? "";
  const ready = entries.value.length > 0 || !reading.value;
  useEffect(() => {
    if (error) set({ ...FAILED, error, again });
    if (!stage || !doc || !ready) return;
    const abort = new AbortController();
    const named = new Map(Object.entries(doc.nodes).map(([twin, node]) => [node, twin]));
    loadModel(`${fileUrl(doc.model)}?v=${encodeURIComponent(stamp)}`, abort.signal).then(
      (model) => {
        if (abort.signal.aborted) return;
        const parts = partsOf(model, (node) => named.get(node) ?? (byId.peek().has(node) ? node : undefined));
        stage.load(parts);
        const camera = cameraOf(route.peek().params.cam) ?? doc.camera;
        if (Array.isArray(camera)) stage.setCamera(camera);
        else if (camera) stage.setCamera([...camera.position, ...camera.target]);
        else stage.fitAll(false);
        const found = new Set(parts.bodies.map((b) => b.id));
        const missing = [...named].filter(([, twin]) => !found.has(twin)).map(([node]) => node);
        set({ ids: [...found], missing, nodes: nodesOf(model), named });
        stage.choose(selected.peek(), !cameraOf(route.peek().params.cam));
      },
      (e: unknown) => !abort.signal.aborted && set({ ...FAILED, error: e, again }),
    );
    return () => abort.abort();
  }, [stage, doc, error, stamp, ready]);
  return state;
}

const NONE: string[] = [];
const TURN = Math.PI / 24;

function Scene({ docs, doc: name }: { docs: DocChoice[]; doc: string }) {
  const box = useRef<HTMLDivElement>(null);
  const { stage, wrong } = useStage(box);
  const model = useModel(stage, name);
  const { colour = "", value = "", bind = "" } = route.value.params;
  const binding = bind !== "";
  const dark = isDark();
  const ids = model?.ids ?? NONE;
  const values = useValues([STATE, ...(value ? [value] : []), ...(colour && colour !== "model" ? [colour] : [])]);
  const tint = useTint(ids, colour, values);
  const version = values.version.value;
  const painted = useMemo(() => {
    return new Map(
      ids.map((id): [string, Painted] => {
        const v = value ? values.get(id, value) : undefined;
        const tone = tint.tone(id);
        return [
          id,
          {
            colour: tint.quiet(id) ? null : tint.of(id),
            label: labelOf(id),
            value: v === undefined ? "" : format.value(v, unitOf(value, [id])),
            bad: tint.bad(id),
            glow: tint.versus?.glows(id) ? tint.versus.glow(id) : "",
            tone: colour && tone !== "bad" && tone !== "stale" ? "ok" : tone,
            ink: tint.sign(id),
          },
        ];
      }),
    );
  }, [ids, tint, value, version, entries.value]);
  useEffect(() => stage?.setLook(lookOf(dark)), [stage, dark]);
  useEffect(() => stage?.paint(painted), [stage, painted]);
  useEffect(() => stage?.choose(selected.value, true), [stage, selected.value]);
  useEffect(() => {
    if (!stage) return;
    return addShortcuts([
      { keys: "ArrowLeft", title: words.scene.left, run: () => stage.orbit(-TURN, 0) },
      { keys: "ArrowRight", title: words.scene.right, run: () => stage.orbit(TURN, 0) },
      { keys: "ArrowUp", title: words.scene.up, run: () => stage.orbit(0, -TURN / 2) },
      { keys: "ArrowDown", title: words.scene.down, run: () => stage.orbit(0, TURN / 2) },
      { keys: "+", title: words.graph.zoomIn, run: () => stage.orbit(0, 0, 0.8) },
      { keys: "-", title: words.graph.zoomOut, run: () => stage.orbit(0, 0, 1.25) },
      { keys: "0", title: words.graph.fit, run: () => stage.fitAll() },
    ]);
  }, [stage]);
  useWalk(useMemo(() => ids.map((id) => ({ id })), [ids]));
  const failed = wrong ?? model?.error;
  return (
    <div class="view">
      <div ref={box} class="stage scene" role="group" aria-label={words.scene.count(ids.length)} />
      <Tools docs={docs} doc={name} ids={ids} />
      {ids.length > 0 && !binding && (
        <Corner>
          <StageLegend tint={tint} quiet={false} />
        </Corner>
      )}
      <Zoom closer={() => stage?.orbit(0, 0, 0.7)} farther={() => stage?.orbit(0, 0, 1.4)} fit={() => stage?.fitAll()}>
        <IconButton
          name={words.scene.bind}
          icon={Link2}
          aria-pressed={binding}
          onClick={() => go({ params: { bind: binding ? null : "1" }, replace: true })}
        />
      </Zoom>
      {binding && model && <Bind name={name} model={model} />}
      {!model && !failed && (
        <div class="stage-middle card" role="status">
          <Skeleton lines={3} />
        </div>
      )}
      {(failed !== undefined || (model && !ids.length) || (model?.missing.length ?? 0) > 0) && (
        <div class="scene-note">
          {failed !== undefined ? (
            <Wrong error={failed} retry={model?.again} />
          ) : (
            <div class="notice attention">
              {model!.missing.length ? words.scene.missing(model!.missing.join(", ")) : words.scene.none}
            </div>
          )}
        </div>
      )}
    </div>
  );
}

export default function SceneView() {
  const list = useFiles();
  const choices = useMemo(() => docsOf("scene").map((name) => ({ name, title: titleOf(name) })), [list]);
  if (!list)
    return (
      <div class="view page">
        <div class="page-inner">
          {filesError.value ? <Wrong error={new Error(filesError.value)} retry={askFiles} /> : <Skeleton lines={6} />}
        </div>
      </div>
    );
  const doc = choices.find((c) => c.name === route.value.params.doc) ?? choices[0];
  return <Drop>{doc ? <Scene key={doc.name} docs={choices} doc={doc.name} /> : <Teach kind="scene" />}</Drop>;
}
