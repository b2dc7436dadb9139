// SPDX-License-Identifier: Apache-2.0
// Twins on a floor plan: a picture, marks that keep their size while one zooms, areas as they are, values, links.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Move } from "lucide-preact";
import { byId, links as allLinks, entries } from "~/api/catalogue";
import { files, useDoc, type PlanDoc } from "~/api/files";
import { useValues } from "~/api/values";
import { go, route, select, selected } from "~/app/route";
import { addShortcuts } from "~/app/shortcuts";
import { IconButton, Skeleton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import { Editor, useEditing } from "./planedit";
import { useWalk } from "./walk";
import { Marks, marksOf } from "./planmarks";
import { Picture, PlanLinks } from "./planpicture";
import { STATE, useTint } from "./tint";
import { StageLegend, Tools, Zoom, type DocChoice } from "./tools";
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
  const change = (v: View2d | null) => {
    set(v);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(
      () => go({ params: { pan: v ? `${v.x.toFixed(2)},${v.y.toFixed(2)},${v.k.toFixed(3)}` : null }, replace: true }),
      250,
    );
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return [view, change];
}

/** Names of relationships that there are between twins of the plan. */
function useLinkNames(doc: PlanDoc | undefined): string[] {
  return useMemo(() => {
    if (!doc) return [];
    const l = allLinks.value;
    const on = entries.value.map((e) => e.id in doc.at);
    const seen = new Set<number>();
    for (let i = 0; i < l.name.length; i++) if (on[l.from[i]!] && on[l.to[i]!]) seen.add(l.name[i]!);
    return [...seen].map((n) => l.names[n]!).sort();
  }, [doc, allLinks.value, entries.value]);
}

export function Plan({ docs, doc: name }: { docs: DocChoice[]; doc: string }) {
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const { doc: read, error } = useDoc("plan", name);
  const edit = useEditing(name, read);
  const doc = edit.doc;
  const [view, setView] = useView(doc, size);
  const pan = usePan(box, size, view, setView);
  const { colour = "", value = "", links = "" } = route.value.params;
  const ids = useMemo(
    () => Object.keys(doc?.at ?? {}).filter((id) => edit.on || byId.value.has(id)),
    [doc, entries.value, edit.on],
  );
  const values = useValues([STATE, ...(value ? [value] : []), ...(colour && colour !== "model" ? [colour] : [])]);
  const tint = useTint(ids, colour, values);
  const marks = useMemo(() => marksOf(ids, doc?.at ?? {}), [ids, doc]);
  const names = useLinkNames(doc);
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
        onClick={(e) => {
          if (!pan.dragged() && !(e.target as Element).closest("[data-twin]") && selected.peek()) select("");
        }}
      >
        {doc && size.w > 0 && (
          <svg width={size.w} height={size.h} role="presentation">
            <Picture doc={doc} view={view} size={size} stamp={stampOf(doc.image)} />
            {links && <PlanLinks doc={doc} name={links} view={view} size={size} />}
            <Marks
              marks={marks}
              view={view}
              size={size}
              tint={tint}
              values={values}
              value={value}
              edit={edit}
              dragged={pan.dragged}
            />
          </svg>
        )}
        {!doc && !error && <Skeleton lines={6} />}
      </div>
      <Tools docs={docs} doc={name} ids={ids}>
        {names.length > 0 && (
          <label class="stage-choice small">
            <span class="quiet">{words.map.links}</span>
            <select
              class="select"
              aria-label={words.map.links}
              value={links}
              onChange={(e) => go({ params: { links: e.currentTarget.value || null }, replace: true })}
            >
              <option value="">{words.map.noLinks}</option>
              {names.map((n) => (
                <option key={n} value={n}>
                  {n}
                </option>
              ))}
            </select>
          </label>
        )}
        {error !== undefined && <Wrong error={error} />}
      </Tools>
      {edit.on && doc ? (
        <Editor edit={edit} middle={{ x: view.x, y: view.y }} />
      ) : (
        marks.length > 0 && <StageLegend tint={tint} />
      )}
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
  const p = doc?.at[id];
  if (!p || !size.w) return;
  const s = screenOf(view, size, p.x, p.y);
  if (s.x > 30 && s.y > 60 && s.x < size.w - 30 && s.y < size.h - 30) return;
  set({ x: p.x, y: p.y, k: Math.max(view.k, Math.min(CLOSE, view.k * 1.5)) });
}
