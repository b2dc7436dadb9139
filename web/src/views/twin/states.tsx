// SPDX-License-Identifier: Apache-2.0
// What a twin was in when: a strip below the charts, on their time.
import type { Span } from "./span";
import type { Changes } from "./courses";
import { words } from "~/words/en";
import * as format from "~/format";

const GOOD = /^(running|run|on|ok|open|active|auto|available|free|normal|true|up|online)$/i;
const BAD = /fault|fail|alarm|jam|error|broken|down|trip|emergency/i;
const MIDDLE = /wait|starv|block|clean|setup|maint|warn|hold|pause|slow|manual/i;

type Tone = "ok" | "bad" | "attention" | "none";
export const toneOf = (state: string): Tone =>
  state === "" ? "none" : BAD.test(state) ? "bad" : GOOD.test(state) ? "ok" : MIDDLE.test(state) ? "attention" : "none";

export interface Piece {
  state: string;
  from: number; // seconds since 1970
  to: number;
}

export function piecesOf(c: Changes, span: Span): Piece[] {
  const end = span.to / 1000;
  return c.list
    .map((x, i) => ({
      state: x.value === null ? "" : String(x.value),
      from: Math.max(x.time, span.from / 1000),
      to: Math.min(end, c.list[i + 1]?.time ?? end),
    }))
    .filter((p) => p.to > p.from && p.state !== "");
}

/** "running 82 %, jam 18 %": the parts of the time, the longest first. */
export function sharesOf(list: readonly Piece[]): { state: string; part: number }[] {
  const all = list.reduce((sum, p) => sum + p.to - p.from, 0);
  const out = new Map<string, number>();
  for (const p of list) out.set(p.state, (out.get(p.state) ?? 0) + p.to - p.from);
  return [...out].map(([state, s]) => ({ state, part: s / all })).sort((a, b) => b.part - a.part);
}

const ROOM = 30; // percent of the strip: so much holds the words

const percent = (part: number) => `${format.number(part * 100, part > 0.995 && part < 1 ? 4 : 3)}\u2009%`;

export function StateStrip({
  name,
  changes,
  span,
  wide,
}: {
  name: string;
  changes: Changes;
  span: Span;
  wide: boolean;
}) {
  const list = piecesOf(changes, span);
  if (!list.length) return null;
  const shares = sharesOf(list).slice(0, 4);
  const said = shares.map((s) => `${s.state} ${percent(s.part)}`).join(", ");
  const unknown = (100 * (list[0]!.from * 1000 - span.from)) / (span.to - span.from);
  const x = (t: number) => ((t * 1000 - span.from) / (span.to - span.from)) * 100;
  return (
    <figure class="states" aria-label={words.twin.statesOf(name, said)}>
      <figcaption class="tiny">
        <span class="quiet">{name}</span> {said}
      </figcaption>
      <div class="states-strip" style={{ marginRight: wide ? 64 : 12 }} aria-hidden="true">
        {unknown > ROOM && (
          <span class="state-none" style={{ width: `${unknown}%` }}>
            {words.twin.nothingBefore(format.minute(list[0]!.from * 1000))}
          </span>
        )}
        {list.map((p) => (
          <span
            key={p.from}
            class={`state-piece ${toneOf(p.state)}`}
            style={{ left: `${x(p.from)}%`, width: `${Math.max(0.1, x(p.to) - x(p.from))}%` }}
            title={`${p.state}\n${format.time(p.from * 1000)} – ${format.time(p.to * 1000)}, ${format.duration(
              (p.to - p.from) * 1000,
            )}`}
          >
            {x(p.to) - x(p.from) > 8 ? p.state : ""}
          </span>
        ))}
      </div>
    </figure>
  );
}
