// SPDX-License-Identifier: Apache-2.0
// The twins of a plan: footprints where their size is known, dots elsewhere, with signs of how they are.
import { useMemo } from "preact/hooks";
import { labelOf } from "~/api/catalogue";
import type { Place } from "~/api/files";
import type { Values } from "~/api/values";
import { go, select, selected } from "~/app/route";
import { cls } from "~/ui/basic";
import type { Box } from "~/ui/labels";
import { words } from "~/words/en";
import * as format from "~/format";
import type { Editing } from "./planedit";
import { Glyph } from "./glyph";
import { Names, pointed, Told, type Text } from "./plannames";
import { unitOf, type Sizes, type Tint, type Tone } from "./tint";
import { screenOf, type Size, type View2d } from "./view2d";

export interface Mark {
  id: string;
  place: Place;
  ground: boolean; // others stand on it
  free: number; // metres around its middle in which nothing else is
}

/** How far one may reach without meeting the other one: half the way, or to the edge of what is large. */
function between(m: Place, o: Place): number {
  const [w, h] = sidesOf(o);
  const [x, y] = [Math.abs(m.x - o.x), Math.abs(m.y - o.y)];
  const edge =
    typeof o.size === "number" ? Math.hypot(x, y) - w / 2 : Math.hypot(Math.max(0, x - w / 2), Math.max(0, y - h / 2));
  return Math.min(Math.hypot(x, y) / 2, edge);
}

const sidesOf = ({ size: s = 0 }: Place): [number, number] => (Array.isArray(s) ? s : [s, s]);
const roomOf = (p: Place): number => sidesOf(p)[0] * sidesOf(p)[1];

/** Marks of a plan's places; those on which others stand are ground. */
export function marksOf(ids: readonly string[], at: Record<string, Place>): Mark[] {
  const list = ids.map((id): Mark => ({ id, place: at[id]!, ground: false, free: Infinity }));
  for (const m of list) {
    if (!Array.isArray(m.place.size)) continue;
    const [w, h] = m.place.size;
    const { x, y } = m.place;
    const inside = ({ place: p }: Mark) => Math.abs(p.x - x) < w / 2 && Math.abs(p.y - y) < h / 2;
    // A house may have its middle where that of a machine in it is: what stands on something is smaller.
    m.ground = list.some((o) => o !== m && inside(o) && roomOf(o.place) < w * h);
  }
  const things = list.filter((m) => !m.ground);
  for (const m of things) for (const o of things) if (o !== m) m.free = Math.min(m.free, between(m.place, o.place));
  return list;
}

export const BUBBLE = 24; // pixels of the largest disc that says how much
const AREA = 12; // pixels of a footprint from which on it is drawn as one
const REACH = 14; // pixels around a dot that belong to it
const DOT = { least: 3, most: 6.5 }; // pixels of its radius; less where the next one is nearer

export interface Drawn extends Mark {
  x: number;
  y: number;
  w: number; // pixels of the footprint; 0: a dot
  h: number;
  round: boolean;
  dot: number; // its radius where it is drawn as one
}

function drawnOf(m: Mark, view: View2d, size: Size): Drawn {
  const { x, y } = screenOf(view, size, m.place.x, m.place.y);
  const [w, h] = sidesOf(m.place);
  const round = typeof m.place.size === "number";
  return { ...m, x, y, w: w * view.k, h: h * view.k, round, dot: dotOf(m, view.k) };
}

/** Small where the whole plan is, and where many stand close: dots do not cover each other. */
function dotOf(m: Mark, k: number): number {
  const usual = Math.min(DOT.most, Math.max(DOT.least, 2 * k));
  return Math.max(1.5, Math.min(usual, m.free * k - 0.75));
}

export function Marks(p: {
  marks: Mark[];
  view: View2d;
  size: Size;
  tint: Tint;
  byState: boolean; // the colours say how a twin is
  sizes: Sizes | null;
  heads: ReadonlyMap<string, string>; // properties that say where a twin goes
  values: Values;
  value: string;
  edit: Editing;
  dragged: () => boolean;
  covered: Box[]; // where no name is to stand
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
  const textOf = useMemo(
    () =>
      (id: string): Text => {
        const v = p.value ? p.values.get(id, p.value) : undefined;
        return { name: labelOf(id), value: v === undefined ? "" : format.value(v, unitOf(p.value, [id])) };
      },
    [p.value, version],
  );
  return (
    <>
      <defs>
        <pattern id="plan-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect width="6" height="6" fill="var(--n1)" />
          <rect width="2" height="6" fill="var(--n6)" />
        </pattern>
      </defs>
      {drawn.map((d) => (
        <MarkShape key={d.id} d={d} {...p} chosen={d.id === chosen} text={textOf(d.id)} />
      ))}
      {p.sizes &&
        drawn.map((d) => {
          const part = p.sizes!.of(d.id);
          if (part === undefined) return null;
          return <circle key={d.id} class="plan-bubble" cx={d.x} cy={d.y} r={Math.max(2, BUBBLE * part)} />;
        })}
      <Names drawn={drawn} size={p.size} k={p.view.k} textOf={textOf} tint={p.tint} covered={p.covered} />
      {!p.tint.versus && <Told drawn={drawn} size={p.size} textOf={textOf} tint={p.tint} />}
    </>
  );
}

/** The sign of how a twin is: in the middle of a dot, at the corner of what takes room. */
function Sign({ d, tone, colour, area, dot }: { d: Drawn; tone: Tone; colour: string; area: boolean; dot: number }) {
  if (!area)
    return tone === "ok" ? null : (
      <Glyph tone={dot < 5 && tone !== "none" && tone !== "stale" ? undefined : tone} colour={colour} r={dot} />
    );
  if (tone === "ok" || tone === "none" || d.ground) return null;
  const small = Math.min(d.w, d.h);
  if (tone === "rest")
    return small < 11 ? null : <path class="plan-bars" d="M-1.8-3.4V3.4M1.8-3.4V3.4" transform={turned(d)} />;
  const r = small < 14 ? 5.5 : 7;
  const part = d.round ? 0.72 : 1;
  return (
    <g transform={`${turned(d)} translate(${(d.w / 2) * part} ${(-d.h / 2) * part})`} class="plan-badge">
      <circle r={r + 1.5} />
      <Glyph tone={tone} colour={colour} r={r} />
    </g>
  );
}

const turned = (d: Drawn) => (d.place.angle ? `rotate(${-d.place.angle})` : "");

function MarkShape(p: {
  d: Drawn;
  tint: Tint;
  byState: boolean;
  heads: ReadonlyMap<string, string>;
  values: Values;
  text: Text;
  chosen: boolean;
  edit: Editing;
  view: View2d;
  dragged: () => boolean;
}) {
  const { d } = p;
  const tone = p.tint.tone(d.id);
  const bad = tone === "bad";
  const area = Math.max(d.w, d.h) >= AREA;
  const colour = p.tint.of(d.id);
  const { dot } = d;
  const r = area ? d.w / 2 : p.chosen ? DOT.most : Math.min(5, dot);
  const head = p.heads.has(d.id) ? p.values.get(d.id, p.heads.get(d.id)!) : undefined;
  const name = p.text.value ? `${p.text.name}, ${p.text.value}` : p.text.name;
  const told = `${name}: ${words.map.tone[tone]}`;
  const glows = p.tint.versus?.glows(d.id);
  const fill = tone === "stale" && !d.ground ? { "--mark": colour, fill: "url(#plan-hatch)" } : { "--mark": colour };
  return (
    <g
      class={cls(
        "plan-mark",
        d.ground && "ground",
        p.tint.quiet(d.id) && "quiet",
        p.chosen && "chosen",
        bad && "bad",
        glows && "glows",
      )}
      style={glows ? { "--differs": p.tint.versus!.glow(d.id) } : undefined}
      transform={`translate(${d.x} ${d.y})${d.place.angle ? ` rotate(${d.place.angle})` : ""}`}
      data-twin={d.id}
      data-tone={tone}
      data-grab={p.edit.on && (!d.ground || p.chosen) ? "" : undefined}
      role="button"
      tabindex={0}
      onPointerEnter={() => (pointed.value = d.id)}
      onPointerLeave={() => pointed.peek() === d.id && (pointed.value = "")}
      onFocus={(e) => e.currentTarget.matches(":focus-visible") && (pointed.value = d.id)}
      onBlur={() => (pointed.value = "")}
      aria-pressed={p.chosen}
      aria-label={glows ? `${name}: ${words.compare.differs}` : tone === "none" ? name : told}
      onClick={() => !p.dragged() && select(d.id)}
      onDblClick={() => !p.edit.on && go({ view: "twin", params: { sel: d.id } })}
      onPointerDown={(e) => p.edit.grab(e, d.id, p.view.k)}
      onKeyDown={(e) => {
        if (p.edit.key(e, d.id, p.view.k)) return;
        if (e.key !== "Enter" && e.key !== " ") return;
        e.preventDefault();
        select(d.id);
      }}
    >
      {!area && <circle class="plan-reach" r={Math.min(REACH, Math.max(dot, d.free * p.view.k))} />}
      {area && !d.round ? (
        <rect
          class="body"
          x={-d.w / 2}
          y={-d.h / 2}
          width={d.w}
          height={d.h}
          rx={d.ground ? 2 : Math.min(4, d.h / 4)}
          style={fill}
        />
      ) : (
        <circle class="body" r={r} style={fill} />
      )}
      {typeof head === "number" && !d.ground ? (
        <path
          class="plan-arrow"
          d="M0-1.75 1.15 1.1Q0 .55-1.15 1.1z"
          transform={`${turned(d)} rotate(${head}) scale(${p.chosen ? 7 : 6})`}
          style={{ fill: colour }}
        />
      ) : (
        (p.byState || bad || tone === "stale") && (
          <Sign d={d} tone={tone} colour={signColour(p, tone)} area={area} dot={tone === "bad" ? 6.5 : dot} />
        )
      )}
    </g>
  );
}

/** Signs keep the colour of what they say, also where the marks' colours say something else. */
const signColour = (p: { tint: Tint; d: Drawn; byState: boolean }, tone: Tone) =>
  p.byState ? p.tint.of(p.d.id) : tone === "bad" ? "var(--bad)" : "var(--stale)";
