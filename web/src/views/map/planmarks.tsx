// SPDX-License-Identifier: Apache-2.0
// The twins of a plan: footprints where their size is known, dots elsewhere, names and values where they fit.
import { useMemo } from "preact/hooks";
import { labelOf } from "~/api/catalogue";
import type { Place } from "~/api/files";
import type { Values } from "~/api/values";
import { hrefOf, select, selected } from "~/app/route";
import { cls } from "~/ui/basic";
import { fit, type Box, type Label } from "~/ui/labels";
import { words } from "~/words/en";
import * as format from "~/format";
import type { Editing } from "./planedit";
import { unitOf, type Tint } from "./tint";
import { screenOf, type Size, type View2d } from "./view2d";

export interface Mark {
  id: string;
  place: Place;
  ground: boolean; // others stand on it
}

/** Marks of a plan's places; those on which others stand are ground. */
export function marksOf(ids: readonly string[], at: Record<string, Place>): Mark[] {
  const list = ids.map((id): Mark => ({ id, place: at[id]!, ground: false }));
  for (const m of list) {
    if (!Array.isArray(m.place.size)) continue;
    const [w, h] = m.place.size;
    const { x, y } = m.place;
    m.ground = list.some((o) => o !== m && Math.abs(o.place.x - x) < w / 2 && Math.abs(o.place.y - y) < h / 2);
  }
  return list;
}

const AREA = 12; // pixels of a footprint from which on it is drawn as one
const NAMES_FROM = 13; // pixels a thing must take before its name is tried, when there are many

interface Drawn extends Mark {
  x: number;
  y: number;
  w: number; // pixels of the footprint; 0: a dot
  h: number;
  round: boolean;
}

function drawnOf(m: Mark, view: View2d, size: Size): Drawn {
  const { x, y } = screenOf(view, size, m.place.x, m.place.y);
  const s = m.place.size;
  const [w, h] = s === undefined ? [0, 0] : typeof s === "number" ? [s, s] : s;
  return { ...m, x, y, w: w * view.k, h: h * view.k, round: typeof s === "number" };
}

const charWidth = 6.6;
const widthOf = (text: string) => text.length * charWidth + 6;

interface Text {
  name: string;
  value: string;
}

function useLabels(list: Drawn[], size: Size, textOf: (id: string) => Text, tint: Tint, chosen: string) {
  return useMemo(() => {
    const marks: Box[] = [];
    const many = list.length > 60;
    const labels: (Label & { i: number })[] = [];
    list.forEach((d, i) => {
      if (d.x < -300 || d.y < -300 || d.x > size.w + 300 || d.y > size.h + 300) return;
      const big = Math.max(d.w, d.h);
      const t = textOf(d.id);
      const rank = d.id === chosen ? 99 : tint.bad(d.id) ? 50 : d.ground ? 10 : t.value ? 30 + big / 1e4 : big / 1e4;
      if (d.ground) {
        labels.push({
          i,
          x: d.x,
          y: d.y - d.h / 2 + 22,
          gap: 0,
          w: widthOf(t.name),
          h: t.value ? 30 : 17,
          rank,
          over: true,
        });
        return;
      }
      const rx = Math.max(5, d.w / 2);
      const ry = Math.max(5, d.h / 2);
      const part = d.round ? 0.8 : 1; // corners of a round thing are free
      marks.push({ x: d.x - rx * part, y: d.y - ry * part, w: 2 * rx * part, h: 2 * ry * part });
      if (many && big < NAMES_FROM && !t.value && rank < 40) return;
      labels.push({
        i,
        x: d.x,
        y: d.y,
        gap: ry + 3,
        side: rx + 3,
        w: Math.max(widthOf(t.name), t.value ? widthOf(t.value) : 0),
        h: t.value ? 30 : 17,
        rank,
      });
    });
    return fit(labels, marks, size.w, size.h).flatMap((b, k) => (b ? [{ b, d: list[labels[k]!.i]! }] : []));
  }, [list, size, textOf, tint, chosen]);
}

export function Marks(p: {
  marks: Mark[];
  view: View2d;
  size: Size;
  tint: Tint;
  values: Values;
  value: string;
  edit: Editing;
  dragged: () => boolean;
}) {
  const chosen = selected.value;
  const version = p.values.version.value;
  const drawn = useMemo(
    () =>
      p.marks
        .map((m) => drawnOf(m, p.view, p.size))
        .sort((a, b) => Number(b.ground) - Number(a.ground) || b.w * b.h - a.w * a.h),
    [p.marks, p.view.x, p.view.y, p.view.k, p.size],
  );
  const unit = p.value ? unitOf(p.value) : "";
  const textOf = useMemo(
    () =>
      (id: string): Text => {
        const v = p.value ? p.values.get(id, p.value) : undefined;
        return { name: labelOf(id), value: v === undefined ? "" : format.value(v, unit) };
      },
    [p.value, version, unit],
  );
  const labels = useLabels(drawn, p.size, textOf, p.tint, chosen);
  return (
    <>
      {drawn.map((d) => (
        <MarkShape key={d.id} d={d} {...p} chosen={d.id === chosen} text={textOf(d.id)} />
      ))}
      <g class="plan-labels" aria-hidden="true">
        {labels.map(({ b, d }) => {
          const t = textOf(d.id);
          const middle = d.ground || b.x < d.x - 8;
          const x = middle ? b.x + b.w / 2 : b.x + 3;
          return (
            <g key={d.id} class={cls(d.ground && "ground", d.id === chosen && "chosen")}>
              <text x={x} y={b.y + 12.5} text-anchor={middle ? "middle" : "start"}>
                {t.name}
              </text>
              {t.value && (
                <text class="value" x={x} y={b.y + 26} text-anchor={middle ? "middle" : "start"}>
                  {t.value}
                </text>
              )}
            </g>
          );
        })}
      </g>
    </>
  );
}

function MarkShape(p: {
  d: Drawn;
  tint: Tint;
  text: Text;
  chosen: boolean;
  edit: Editing;
  view: View2d;
  dragged: () => boolean;
}) {
  const { d } = p;
  const bad = p.tint.bad(d.id);
  const area = Math.max(d.w, d.h) >= AREA;
  const colour = p.tint.of(d.id);
  const r = area ? d.w / 2 : p.chosen ? 6.5 : 5;
  const name = p.text.value ? `${p.text.name}, ${p.text.value}` : p.text.name;
  return (
    <g
      class={cls("plan-mark", d.ground && "ground", p.tint.quiet(d.id) && "quiet", p.chosen && "chosen", bad && "bad")}
      transform={`translate(${d.x} ${d.y})${d.place.angle ? ` rotate(${d.place.angle})` : ""}`}
      data-twin={d.id}
      data-grab={p.edit.on && (!d.ground || p.chosen) ? "" : undefined}
      role="button"
      tabindex={0}
      aria-pressed={p.chosen}
      aria-label={bad ? `${name}: ${words.map.tone.bad}` : name}
      onClick={() => !p.dragged() && select(d.id)}
      onDblClick={() => !p.edit.on && (location.hash = hrefOf({ view: "twin", params: { sel: d.id } }))}
      onPointerDown={(e) => p.edit.grab(e, d.id, p.view.k)}
      onKeyDown={(e) => {
        if (p.edit.key(e, d.id, p.view.k)) return;
        if (e.key !== "Enter" && e.key !== " ") return;
        e.preventDefault();
        select(d.id);
      }}
    >
      <title>{name}</title>
      {area && !d.round ? (
        <rect
          x={-d.w / 2}
          y={-d.h / 2}
          width={d.w}
          height={d.h}
          rx={d.ground ? 2 : Math.min(4, d.h / 4)}
          style={{ "--mark": colour }}
        />
      ) : (
        <circle r={r} style={{ "--mark": colour }} />
      )}
    </g>
  );
}
