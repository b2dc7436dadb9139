// SPDX-License-Identifier: Apache-2.0
// The twins of a plan: footprints where their size is known, dots elsewhere, names and values where they fit.
import { useMemo } from "preact/hooks";
import { labelOf } from "~/api/catalogue";
import type { Place } from "~/api/files";
import type { Values } from "~/api/values";
import { go, select, selected } from "~/app/route";
import { cls } from "~/ui/basic";
import { fit, type Box, type Label } from "~/ui/labels";
import { words } from "~/words/en";
import * as format from "~/format";
import type { Editing } from "./planedit";
import { Glyph } from "./glyph";
import { unitOf, type Sizes, type Tint, type Tone } from "./tint";
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

export const BUBBLE = 24; // pixels of the largest disc that says how much
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
const WALL = 1900; // pixels from which on somebody reads from afar
/** How much larger texts are on a wall. */
const scaleOf = (size: Size) => (size.w > WALL ? 1.3 : 1);

interface Text {
  name: string;
  value: string;
}

function useLabels(list: Drawn[], size: Size, k: number, textOf: (id: string) => Text, tint: Tint, chosen: string) {
  return useMemo(() => {
    const marks: Box[] = [];
    const scale = scaleOf(size);
    const least = Math.min(5, Math.max(3, 2 * k));
    const widthOf = (text: string) => scale * (text.length * charWidth + 6);
    const many = list.length > 60;
    const labels: (Label & { i: number })[] = [];
    list.forEach((d, i) => {
      if (d.x < -300 || d.y < -300 || d.x > size.w + 300 || d.y > size.h + 300) return;
      const big = Math.max(d.w, d.h);
      const t = textOf(d.id);
      const told = tint.bad(d.id) || tint.versus?.glows(d.id);
      const rank = d.id === chosen ? 99 : told ? 50 : d.ground ? 10 : t.value ? 30 + big / 1e4 : big / 1e4;
      if (d.ground) {
        labels.push({
          i,
          x: d.x,
          y: d.y - d.h / 2 + 22,
          gap: 0,
          w: widthOf(t.name),
          h: scale * (t.value ? 30 : 17),
          rank,
          over: true,
        });
        return;
      }
      const rx = Math.max(least, d.w / 2);
      const ry = Math.max(least, d.h / 2);
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
        h: scale * (t.value ? 30 : 17),
        rank,
        must: rank >= 50,
      });
    });
    return fit(labels, marks, size.w, size.h).flatMap((b, k) => (b ? [{ b, d: list[labels[k]!.i]! }] : []));
  }, [list, size, k, textOf, tint, chosen]);
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
  const scale = scaleOf(p.size);
  const labels = useLabels(drawn, p.size, p.view.k, textOf, p.tint, chosen);
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
      <g class="plan-labels" aria-hidden="true" style={{ fontSize: `${11.5 * scale}px` }}>
        {labels.map(({ b, d }) => {
          const t = textOf(d.id);
          const middle = d.ground || b.x < d.x - 8;
          const x = middle ? b.x + b.w / 2 : b.x + 3;
          return (
            <g key={d.id} class={cls(d.ground && "ground", d.id === chosen && "chosen")}>
              <text x={x} y={b.y + 12.5 * scale} text-anchor={middle ? "middle" : "start"}>
                {t.name}
              </text>
              {t.value && (
                <text class="value" x={x} y={b.y + 26 * scale} text-anchor={middle ? "middle" : "start"}>
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
  // Small where the whole plan is: a site of a hundred dots is not covered by them.
  const dot = Math.min(6.5, Math.max(3, 2 * p.view.k));
  const r = area ? d.w / 2 : p.chosen ? 6.5 : Math.min(5, dot);
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
      {!p.tint.versus && <title>{told}</title>}
      {!area && <circle class="plan-reach" r={14} />}
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
