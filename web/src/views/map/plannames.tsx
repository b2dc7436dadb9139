// SPDX-License-Identifier: Apache-2.0
// Names and values of a plan's twins where they fit; of whom one points at, at once and over whatever is there.
import { signal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { selected } from "~/app/route";
import { cls } from "~/ui/basic";
import { fit, type Box, type Label } from "~/ui/labels";
import { words } from "~/words/en";
import type { Drawn } from "./planmarks";
import type { Tint } from "./tint";
import type { Size } from "./view2d";

const TOOLS = 52; // pixels at the top over which tools lie
const NAMES_FROM = 13; // pixels a small thing must take, or be away from others, before its name is tried
const IN = 5; // pixels from a wall to the name of what it encloses

/** A room of a building. */
const within = (d: Drawn, o: Drawn): boolean =>
  o.w * o.h > d.w * d.h && Math.abs(d.x - o.x) < o.w / 2 && Math.abs(d.y - o.y) < o.h / 2;

/** Where the name of a building may stand: inside along its upper wall, along the lower one, in its middle, outside. */
function groundSpots(d: Drawn, w: number, h: number, room: boolean): { x: number; y: number }[] {
  const [left, right] = [d.x - d.w / 2 + IN, d.x + d.w / 2 - IN - w];
  const [top, bottom] = [d.y - d.h / 2, d.y + d.h / 2];
  const xs = right > left ? [d.x - w / 2, left, right] : [];
  const inside = [top + IN, bottom - IN - h, d.y - h / 2].flatMap((y) => xs.map((x) => ({ x, y })));
  if (room) return inside; // outside is the wall, or the next room
  return [...inside, { x: d.x - w / 2, y: top - h - 3 }, { x: d.x - w / 2, y: bottom + 3 }];
}

const charWidth = 6.6;
const WALL = 1900; // pixels from which on somebody reads from afar
/** How much larger texts are on a wall. */
const scaleOf = (size: Size) => (size.w > WALL ? 1.3 : 1);

/** What is written of a twin. */
export interface Text {
  name: string;
  value: string;
}

interface Shown {
  drawn: Drawn[];
  size: Size;
  k: number; // pixels a metre
  textOf: (id: string) => Text;
  tint: Tint;
  covered: Box[];
}

function useLabels({ drawn: list, size, k, textOf, tint, covered }: Shown, chosen: string) {
  return useMemo(() => {
    const marks: Box[] = [...covered];
    const scale = scaleOf(size);
    const widthOf = (text: string) => scale * (text.length * charWidth + 6);
    const many = list.length > 60;
    const halls = list.filter((d) => d.ground);
    const labels: (Label & { i: number })[] = [];
    list.forEach((d, i) => {
      if (d.x < -300 || d.y < -300 || d.x > size.w + 300 || d.y > size.h + 300) return;
      const big = Math.max(d.w, d.h);
      const t = textOf(d.id);
      const told = tint.bad(d.id) || tint.versus?.glows(d.id);
      const rank = d.id === chosen ? 99 : told ? 50 : d.ground ? 10 + big / 1e4 : t.value ? 30 + big / 1e4 : big / 1e4;
      if (d.ground) {
        const [w, h] = [widthOf(t.name), scale * (t.value ? 30 : 17)];
        const room = halls.some((o) => within(d, o));
        labels.push({ i, x: d.x, y: d.y, gap: 0, w, h, rank, at: groundSpots(d, w, h, room) });
        return;
      }
      const rx = Math.max(d.dot, d.w / 2);
      const ry = Math.max(d.dot, d.h / 2);
      const part = d.round ? 0.8 : 1; // corners of a round thing are free
      marks.push({ x: d.x - rx * part, y: d.y - ry * part, w: 2 * rx * part, h: 2 * ry * part });
      if (many && big < NAMES_FROM && d.free * k < NAMES_FROM && !t.value && rank < 40) return;
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
  }, [list, size, k, textOf, tint, covered, chosen]);
}

/** Names where there is room, the important ones first. */
export function Names(p: Shown) {
  const { textOf } = p;
  const chosen = selected.value;
  const scale = scaleOf(p.size);
  const labels = useLabels(p, chosen);
  return (
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
  );
}

export const pointed = signal(""); // the twin that the pointer or the focus is on

/** Its name at once, over whatever is there: where many stand close only this tells which is which. */
export function Told(p: { drawn: Drawn[]; size: Size; textOf: (id: string) => Text; tint: Tint }) {
  const d = pointed.value && p.drawn.find((x) => x.id === pointed.value);
  if (!d) return null;
  const t = p.textOf(d.id);
  const tone = p.tint.tone(d.id);
  const more = [t.value, tone === "none" ? "" : words.map.tone[tone]].filter(Boolean).join(", ");
  const scale = scaleOf(p.size);
  const w = scale * (Math.max(t.name.length, more.length) * charWidth + 16);
  const h = scale * (more ? 38 : 22);
  const away = (d.ground ? -d.h / 2 : Math.max(d.dot, d.h / 2)) + 7;
  const x = Math.min(p.size.w - w - 4, Math.max(4, d.x - w / 2));
  const y = d.y - away - h < TOOLS ? d.y + away : d.y - away - h;
  return (
    <g
      class="plan-told"
      aria-hidden="true"
      transform={`translate(${x} ${y})`}
      style={{ fontSize: `${11.5 * scale}px` }}
    >
      <rect width={w} height={h} rx={6} />
      <text x={w / 2} y={15 * scale} text-anchor="middle">
        {t.name}
      </text>
      {more && (
        <text class="more" x={w / 2} y={30 * scale} text-anchor="middle">
          {more}
        </text>
      )}
    </g>
  );
}
