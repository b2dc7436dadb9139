// SPDX-License-Identifier: Apache-2.0
// What a twin was in when: a strip below the charts, on their time.
import type { Strip, StripPiece } from "~/ui/chart";
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

/** Those that many machines have are told apart by more than that somebody should look. */
const USUAL: readonly [RegExp, string][] = [
  [/clean|rins|wash|cip/i, "c5"],
  [/starv/i, "c4"],
  [/block/i, "c1"],
  [/change|setup|switch/i, "c3"],
  [/maint|service|repair/i, "c6"],
  [/wait|hold|pause|warn|slow|manual/i, "c0"],
];
const QUIET = /^(idle|off|stopped|standby|closed|ready|none|empty|unknown)$/i;

const OTHERS = ["c3", "c6", "c0", "c7"]; // not the greens: who is green is well

/** The same for the same state wherever it is painted: who is well, who is not, and the data colours for the rest. */
export function inksOf(state: string): Pick<StripPiece, "fill" | "part" | "ink"> {
  const tone = toneOf(state);
  if (tone === "ok") return { fill: "var(--ok-soft)", part: 1, ink: "var(--ok)" };
  if (tone === "bad") return { fill: "var(--bad)", part: 1, ink: "var(--on-accent)" };
  const usual = USUAL.find(([is]) => is.test(state))?.[1];
  if (!usual && QUIET.test(state)) return { fill: "var(--n4)", part: 1, ink: "var(--n9)" };
  const sum = [...state.toLowerCase()].reduce((h, x) => (h * 31 + x.codePointAt(0)!) >>> 0, 7);
  return { fill: `var(--${usual ?? OTHERS[sum % OTHERS.length]!})`, part: 0.55, ink: "var(--n10)" };
}

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

/** "running 82 %, jam 12 %, no value 6 %": the parts of all of the time, the longest first, nothing ("") last. */
export function sharesOf(list: readonly Piece[], span: Span): { state: string; part: number }[] {
  const all = (span.to - span.from) / 1000;
  const out = new Map<string, number>();
  for (const p of list) out.set(p.state, (out.get(p.state) ?? 0) + p.to - p.from);
  const shares = [...out].map(([state, s]) => ({ state, part: s / all })).sort((a, b) => b.part - a.part);
  const none = 1 - shares.reduce((sum, s) => sum + s.part, 0);
  return none > LEAST ? [...shares, { state: "", part: none }] : shares;
}

const LEAST = 0.0005; // a part of the time that is told
const TOLD = 4; // states by name; of more the others together
const ROOM = 30; // percent of the strip: so much holds the words

const percent = (part: number) => `${format.number(part * 100, part > 0.995 && part < 1 ? 4 : 3)}\u2009%`;

/** All of the time in words: what is not named is told together, so that nothing is missing of a hundred. */
export function saidOf(shares: readonly { state: string; part: number }[]): string {
  const states = shares.filter((s) => s.state);
  const named = states.length > TOLD + 1 ? states.slice(0, TOLD) : states;
  const out = named.map((s) => `${s.state} ${percent(s.part)}`);
  const rest = states.slice(named.length);
  const sum = rest.reduce((all, s) => all + s.part, 0);
  if (rest.length) out.push(`${words.twin.otherStates(rest.length)} ${percent(sum)}`);
  const none = shares.find((s) => !s.state);
  if (none) out.push(`${words.chart.gap} ${percent(none.part)}`);
  return out.join(", ");
}

/** What is painted, here and in pictures that leave the page. */
export function stripOf(name: string, changes: Changes, span: Span): Strip | undefined {
  const list = piecesOf(changes, span);
  if (!list.length) return undefined;
  return {
    name,
    said: saidOf(sharesOf(list, span)),
    pieces: list.map((p) => ({ ...p, ...inksOf(p.state) })),
  };
}

export function StateStrip({ strip, span, wide }: { strip: Strip; span: Span; wide: boolean }) {
  const { name, said, pieces } = strip;
  const first = pieces[0]!.from * 1000;
  const unknown = (100 * (first - span.from)) / (span.to - span.from);
  const x = (t: number) => ((t * 1000 - span.from) / (span.to - span.from)) * 100;
  return (
    <figure class="states" aria-label={words.twin.statesOf(name, said)}>
      <figcaption class="tiny">
        <span class="quiet">{name}</span> {said}
      </figcaption>
      <div class="states-strip" style={{ marginRight: wide ? 64 : 12 }} aria-hidden="true">
        {unknown > ROOM && (
          <span class="state-none" style={{ width: `${unknown}%` }}>
            {words.twin.nothingBefore(format.minute(first))}
          </span>
        )}
        {pieces.map((p) => (
          <span
            key={p.from}
            class="state-piece"
            style={{
              left: `${x(p.from)}%`,
              width: `${Math.max(0.1, x(p.to) - x(p.from))}%`,
              background: `color-mix(in srgb, ${p.fill} ${p.part * 100}%, var(--n1))`,
              color: p.ink,
            }}
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
