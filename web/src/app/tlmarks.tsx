// SPDX-License-Identifier: Apache-2.0
// What lies on the timeline's track: stretches of alerts, ticks of events, futures of scenarios, and the words that
// hovering tells of them.
import { useState } from "preact/hooks";
import { worlds } from "~/api/worlds";
import { cls } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { clusters, firstOf, type Cluster, type TimelineMark } from "./marks";
import { futuresOf, partOf, timeAt, type Range } from "./range";
import { lacking } from "./happened";
import { go, route } from "./route";
import { show } from "./scrub";

const GAP_PX = 24;
const DENSE_PX = 46; // where marks would stand shoulder to shoulder, fewer with larger counts are read more easily
const TOLD_MAX = 6;
const FLIP_PART = 0.9; // right of it there is no room for a word

export interface Tip {
  x: number;
  title: string;
  marks: readonly TimelineMark[];
  hint?: string;
}

/** The world as it was when it happened, and whom it happened to. */
export function seeThen(m: TimelineMark, r: Range): void {
  if (m.twin) go({ params: { sel: m.twin }, replace: true });
  show(m.time + 1000, r, true, true);
}

export function Tooltip({ tip, width }: { tip: Tip; width: number }) {
  const rest = tip.marks.length - TOLD_MAX;
  return (
    <div class="tl-tip" style={{ left: Math.min(width - 70, Math.max(70, tip.x)) }} role="presentation">
      <div class="tl-tip-time">{tip.title}</div>
      {tip.marks.slice(0, TOLD_MAX).map((m, i) => (
        <div key={i} class="tl-tip-row">
          <span class={cls("tl-dot", m.tone)} />
          <span class="quiet">{format.time(m.time)}</span>
          <span class="ellipsis">{m.title}</span>
          {m.until !== undefined && (
            <span class="quiet">
              {m.until ? words.timeline.over(format.duration(m.until - m.time)) : words.timeline.still}
            </span>
          )}
        </div>
      ))}
      {rest > 0 && <div class="tl-tip-row quiet">{words.overview.andMore(rest)}</div>}
      {tip.hint && <div class="tl-tip-row quiet">{tip.hint}</div>}
    </div>
  );
}

/** Only what still stands, or stood at the instant that is shown, is as red as what needs somebody. */
function Stretches({ marks, r }: { marks: readonly TimelineMark[]; r: Range }) {
  const at = route.value.at ? Date.parse(route.value.at) : Infinity;
  const stands = (m: TimelineMark) => m.time <= at && (m.until ?? Infinity) >= at;
  return (
    <>
      {marks
        .filter((m) => m.until !== undefined && m.time < r.end && (m.until ?? r.end) > r.from)
        .sort((a, b) => Number(stands(a)) - Number(stands(b))) // what stands lies above what is over
        .map((m) => {
          const left = partOf(r, m.time);
          return (
            <div
              key={`${m.time} ${m.title}`}
              class={cls("tl-stretch", !stands(m) && "over")}
              style={{ left: `${left * 100}%`, width: `${(partOf(r, m.until ?? r.end) - left) * 100}%` }}
            />
          );
        })}
    </>
  );
}

interface MarksProps {
  r: Range;
  marks: readonly TimelineMark[];
  width: number;
  tell: (t: Tip | null) => void;
}

export function Marks({ r, marks, width, tell }: MarksProps) {
  const shown = marks.filter((m) => m.time >= r.from && m.time <= r.end);
  const x = (t: number) => partOf(r, t) * width;
  const near = clusters(shown, x, GAP_PX);
  const list = near.length * DENSE_PX > width ? clusters(shown, x, DENSE_PX) : near;
  const [over, setOver] = useState("");
  const keyOf = (c: Cluster) => `${firstOf(c).time} ${firstOf(c).title}`;
  // Told of what lies there now: more may be read while the pointer rests on it.
  const hovered = list.find((c) => keyOf(c) === over);
  const tip = (c: Cluster): Tip => ({
    x: c.x,
    title: c.marks.length > 1 ? words.timeline.events(c.marks.length) : (c.marks[0]!.what ?? words.timeline.event),
    marks: [...c.marks].sort((a, b) => Number(b.tone === "bad") - Number(a.tone === "bad")),
    hint: words.timeline.clickGoes,
  });
  return (
    <>
      <Stretches marks={marks} r={r} />
      {list.map((c) => {
        const first = firstOf(c);
        const many = c.marks.length > 1;
        const name = many
          ? `${words.timeline.events(c.marks.length)}, ${first.title}`
          : `${format.time(first.time)} ${first.title}`;
        return (
          <button
            type="button"
            key={keyOf(c)}
            class={cls("tl-mark", c.tone, many && "many")}
            style={{ left: c.x }}
            aria-label={name}
            tabIndex={-1}
            onPointerEnter={() => (setOver(keyOf(c)), tell(null))}
            onPointerLeave={() => setOver("")}
            onClick={(e) => {
              e.stopPropagation();
              setOver("");
              if (first.go) first.go();
              else seeThen(first, r);
            }}
          >
            {many && <span>{c.marks.length > 99 ? "99+" : c.marks.length}</span>}
          </button>
        );
      })}
      {hovered && <Tooltip tip={tip(hovered)} width={width} />}
    </>
  );
}

/** What scenarios foretell, right of now: each a thin bar that fills as it runs. */
export function Futures({ r, tell }: { r: Range; tell: (t: Tip | null) => void }) {
  const [over, setOver] = useState("");
  if (route.value.world !== "live" || r.part >= 1 || r.end < r.now) return null;
  const list = futuresOf(worlds.value, r.now);
  return (
    <div class="tl-futures" style={{ left: `${r.part * 100}%` }}>
      <div class="tl-future-name ellipsis" aria-hidden="true">
        {list.map((f) => f.name).join(", ")}
      </div>
      {list.map((f) => {
        const of = (t: number) => Math.min(100, Math.max(0, ((t - r.end) / (r.to - r.end)) * 100));
        const state = words.whatif.state[f.world.run!.state] ?? f.world.run!.state;
        const title = words.timeline.future(f.name, format.duration(f.until - f.from), state);
        return (
          <button
            type="button"
            key={f.name}
            class={cls("tl-future-bar", over === f.name && "over")}
            style={{ width: `${of(f.until)}%` }}
            aria-label={title}
            tabIndex={-1}
            onPointerEnter={(e) => {
              const box = e.currentTarget.parentElement!;
              setOver(f.name);
              tell({ x: box.offsetLeft + box.offsetWidth / 2, title, marks: [], hint: words.timeline.clickOpens });
            }}
            onPointerLeave={() => (setOver(""), tell(null))}
            onClick={(e) => {
              e.stopPropagation();
              tell(null);
              go({ world: f.name, at: "" });
            }}
          >
            <span style={{ width: `${(of(f.done) / Math.max(1, of(f.until))) * 100}%` }} />
          </button>
        );
      })}
    </div>
  );
}

/** Where history begins, and where a scenario left its parent. */
export function Edges({ r }: { r: Range }) {
  return (
    <>
      {r.begin !== null && r.begin > r.from && (
        <div class="tl-before" style={{ width: `${partOf(r, r.begin) * 100}%` }} title={words.timeline.begins} />
      )}
      {r.fork !== null && r.fork > r.from && (
        <div
          class={cls("tl-fork", partOf(r, r.fork) > FLIP_PART && "flip")}
          style={{ left: `${partOf(r, r.fork) * 100}%` }}
          title={words.timeline.forked}
        >
          <span>{words.timeline.fork}</span>
        </div>
      )}
    </>
  );
}

export const tipAt = (r: Range, part: number, width: number): Tip => {
  const t = timeAt(r, part);
  const before = r.begin !== null && t < r.begin;
  return {
    x: part * width,
    title: t > r.end && r.end === r.now ? "+" + format.duration(t - r.now) : format.time(t),
    marks: [],
    ...(before ? { hint: words.timeline.begins } : lacking.value && t <= r.now ? { hint: lacking.value } : {}),
  };
};
