// SPDX-License-Identifier: Apache-2.0
// Twins on a floor plan: a picture, marks that keep their size while one zooms, areas as they are, values, links.
import { own } from "~/api/own";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Move } from "lucide-preact";
import { byId, entries, reading } from "~/api/catalogue";
import { files, useDoc, type PlanDoc } from "~/api/files";
import { useValues } from "~/api/values";
import { go, route, select, selected } from "~/app/route";
import { addShortcuts } from "~/app/shortcuts";
import { IconButton, Skeleton, Wrong } from "~/ui/basic";
import { useCovered } from "~/ui/covered";
import { pointAt, pointOver, VersusHint } from "~/views/compare/hint";
import { joinNumbers, tellNumbers } from "~/views/compare/join";
import { useOther } from "~/views/compare/other";
import { words } from "~/words/en";
import { Ghosts, ghostsOf } from "./ghosts";
import { Editor, useEditing } from "./planedit";
import { useWalk } from "./walk";
import { BUBBLE, Marks, marksOf } from "./planmarks";
import { FlowLegend, LinkTools, NO_FLOW, PlanLinks, useFlows, useLinkNames, usePairs } from "./planlinks";
import { Picture } from "./planpicture";
import { headings } from "./positions";
import { STATE, useSizes, useTint } from "./tint";
import { ScaleBar } from "./scalebar";
import { Corner, StageLegend, Tools, Zoom, type DocChoice } from "./tools";
import { fitted, screenOf, usePan, useSize, zoomed, type View2d } from "./view2d";
import "./plan.css";

const CLOSE = 9; // pixels a metre to which a selection from elsewhere brings the view at most

function viewOf(text: string | undefined): View2d | null {
  const [x, y, k] = (text ?? "").split(",").map(Number);
  return [x, y, k].every((v) => v !== undefined && Number.isFinite(v)) && k! > 0 ? { x: x!, y: y!, k: k! } : null;
}

/** The view, kept in the address once it rests. */
function useView(doc: PlanDoc | undefined, size: { w: number; h: number }): [View2d, (v: View2d | null) => void] {
  const [own, set] = useState<View2d | null>(() => viewOf(route.peek().params.pan));
  const timer = useRef(0);
  const view = own ?? (doc && size.w ? fitted(doc.width, doc.height, size) : { x: 0, y: 0, k: 1 });
  useEffect(() => joinNumbers(3, ([x, y, k]) => set({ x: x!, y: y!, k: k! })), []);
  const change = (v: View2d | null) => {
    set(v);
    const told = v ?? (doc && fitted(doc.width, doc.height, size));
    if (told) tellNumbers([told.x, told.y, told.k]);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(
      () => go({ params: { pan: v ? `${v.x.toFixed(2)},${v.y.toFixed(2)},${v.k.toFixed(3)}` : null }, replace: true }),
      250,
    );
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return [view, change];
}

export function Plan({ docs, doc: name }: { docs: DocChoice[]; doc: string }) {
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const { doc: read, error, again } = useDoc("plan", name);
  const edit = useEditing(name, read);
  const doc = edit.doc;
  const [view, setView] = useView(doc, size);
  const pan = usePan(box, size, view, setView);
  const { colour = "", value = "", links = "", size: by = "", flow: flowBy = "" } = route.value.params;
  const ids = useMemo(
    () => Object.keys(doc?.at ?? {}).filter((id) => edit.on || byId.value.has(id)),
    [doc, entries.value, edit.on],
  );
  const pairs = usePairs(doc, links);
  const flows = useFlows(pairs);
  const flow = flowBy === NO_FLOW ? "" : flowBy || flows.first;
  const heads = useMemo(() => headings(ids), [ids, entries.value]);
  const values = useValues(
    [STATE, value, by, links && flow, colour === "model" ? "" : colour, ...new Set(heads.values())].filter(Boolean),
  );
  const tint = useTint(ids, colour, values);
  const sizes = useSizes(ids, by, values);
  useOther();
  const ghosts = useMemo(() => ghostsOf(Object.keys(doc?.at ?? {}), tint.versus), [doc, tint.versus, entries.value]);
  const marks = useMemo(() => marksOf(ids, doc?.at ?? {}), [ids, doc]);
  const names = useLinkNames(doc);
  const covered = useCovered(box);
  useWalk(marks);
  useEffect(() => follow(doc, selected.value, view, size, setView), [selected.value, Boolean(doc)]);
  useEffect(
    () =>
      addShortcuts([
        { keys: "+", title: words.graph.zoomIn, run: () => closer.current(1.5) },
        { keys: "-", title: words.graph.zoomOut, run: () => closer.current(1 / 1.5) },
        { keys: "0", title: words.graph.fit, run: () => setView(null) },
      ]),
    [],
  );
  const closer = useRef((_: number) => {});
  closer.current = (f) => setView(zoomed(view, size, f));
  return (
    <div class="view">
      <div
        ref={box}
        class="stage plan"
        role="group"
        aria-label={words.map.planCount(ids.length)}
        onPointerOver={pointOver}
        onPointerLeave={pointOver}
        onFocusCapture={pointOver}
        onBlurCapture={() => pointAt("")}
        onClick={(e) => {
          if (!pan.dragged() && !(e.target as Element).closest("[data-twin]") && selected.peek()) select("");
        }}
      >
        {doc && size.w > 0 && (
          <svg width={size.w} height={size.h} role="presentation">
            <Picture doc={doc} view={view} size={size} stamp={stampOf(doc.image)} />
            {links && <PlanLinks doc={doc} pairs={pairs} flow={flow} values={values} view={view} size={size} />}
            <Marks
              marks={marks}
              view={view}
              size={size}
              tint={tint}
              byState={!colour && !tint.versus}
              sizes={sizes}
              heads={heads}
              values={values}
              value={value}
              edit={edit}
              dragged={pan.dragged}
              covered={covered}
            />
            <Ghosts ids={ghosts} at={doc.at} view={view} size={size} versus={tint.versus} dragged={pan.dragged} />
          </svg>
        )}
        {!doc && !error && <Skeleton lines={6} />}
      </div>
      <Tools docs={docs} doc={name} ids={ids} sizes choices={<LinkTools names={names} flows={flows} />}>
        {doc && !edit.on && !ids.length && !reading.value && <div class="notice">{words.map.nobodyHere}</div>}
        {error !== undefined && <Wrong error={error} retry={again} />}
      </Tools>
      {edit.on && doc ? (
        <Editor edit={edit} middle={{ x: view.x, y: view.y }} />
      ) : (
        <Corner>
          {marks.length > 0 && (
            <StageLegend tint={tint} sizes={sizes} most={BUBBLE}>
              {links && <FlowLegend pairs={pairs} path={flow} values={values} />}
            </StageLegend>
          )}
          {doc && !doc.assumed && <ScaleBar perPixel={1 / view.k} />}
        </Corner>
      )}
      <VersusHint v={tint.versus} />
      <Zoom
        closer={() => setView(zoomed(view, size, 1.5))}
        farther={() => setView(zoomed(view, size, 1 / 1.5))}
        fit={() => setView(null)}
      >
        <IconButton
          name={words.map.edit}
          icon={Move}
          aria-pressed={edit.on}
          onClick={() => (edit.on ? edit.stop() : edit.start())}
        />
      </Zoom>
    </div>
  );
}

const stampOf = (file: string) => files.value?.find((f) => f.name === file)?.updated ?? "";

/** A selection from elsewhere comes into view; what is seen already stays where it is. */
function follow(
  doc: PlanDoc | undefined,
  id: string,
  view: View2d,
  size: { w: number; h: number },
  set: (v: View2d) => void,
): void {
  const p = own(doc?.at, id);
  if (!p || !size.w) return;
  const s = screenOf(view, size, p.x, p.y);
  if (s.x > 30 && s.y > 60 && s.x < size.w - 30 && s.y < size.h - 30) return;
  set({ x: p.x, y: p.y, k: Math.max(view.k, Math.min(CLOSE, view.k * 1.5)) });
}
