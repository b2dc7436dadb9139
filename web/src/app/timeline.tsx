// SPDX-License-Identifier: Apache-2.0
// One slider over everything. Left of now lies the past of the shown world; right of now the future of a scenario that
// was run. Dragging opens the world as it was in place; letting go at the right end returns to what moves.
import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ChevronLeft, ChevronRight, Pause, Play, Radio } from "lucide-preact";
import { current } from "~/api/worlds";
import { Button, cls, IconButton } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { pref } from "./prefs";
import { go, kind, route } from "./route";
import { addShortcuts } from "./shortcuts";
import { timelineMarks, type TimelineMark } from "./marks";

const MIN = 60_000;
const SPANS: { ms: number; title: string }[] = [
  { ms: 15 * MIN, title: "15 min" },
  { ms: 60 * MIN, title: "1 h" },
  { ms: 8 * 60 * MIN, title: "8 h" },
  { ms: 24 * 60 * MIN, title: "1 d" },
  { ms: 7 * 24 * 60 * MIN, title: "7 d" },
];
const SPEEDS = [1, 10, 60, 600] as const;
const FRAME_MS = 250; // between two instants while it plays or is dragged: a past world is a reading of the store
const END_PART = 0.994; // right of this is now

const span = pref("timeline.span", 60 * MIN);
export const playing = signal(false);
const speed = signal<(typeof SPEEDS)[number]>(60);

interface Range {
  from: number;
  to: number;
  now: number; // of the world: the wall clock in live, its own clock in a fork
}

function rangeOf(wall: number): Range {
  const w = current.value;
  const scenario = route.value.world !== "live" && w;
  const now = scenario && w.time ? Date.parse(w.time) : wall;
  const begin = scenario && w.forkedFrom ? Date.parse(w.forkedFrom) : NaN;
  const until = scenario && w.run?.until ? Date.parse(w.run.until) : NaN;
  const to = Math.max(now, Number.isNaN(until) ? 0 : until);
  const at = route.value.at ? Date.parse(route.value.at) : NaN;
  let from = Math.min(to - span.value, Number.isNaN(begin) ? Infinity : begin - (to - begin) * 0.1);
  if (at < from) from = at - span.value * 0.1;
  return { from, to, now };
}

const partOf = (r: Range, t: number) => Math.min(1, Math.max(0, (t - r.from) / (r.to - r.from)));

function ticksOf(r: Range): { t: number; label: string }[] {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080].map((m) => m * MIN);
  const step = steps.find((s) => (r.to - r.from) / s <= 9) ?? steps[steps.length - 1]!;
  const zone = new Date(r.to).getTimezoneOffset() * MIN;
  const out: { t: number; label: string }[] = [];
  for (let t = Math.ceil((r.from - zone) / step) * step + zone; t < r.to; t += step) {
    out.push({ t, label: step >= 1440 * MIN || format.clock(t) === "00:00" ? format.day(t) : format.clock(t) });
  }
  return out;
}

let last = 0;
let pending = 0;

/** Show the world as it was; not more often than the store likes. */
function show(t: number, r: Range, force = false): void {
  const wait = FRAME_MS - (performance.now() - last);
  clearTimeout(pending);
  if (wait > 0 && !force) {
    pending = window.setTimeout(() => show(t, r, true), wait);
    return;
  }
  last = performance.now();
  if (t >= r.now || partOf(r, t) >= END_PART) go({ at: "", replace: true });
  else go({ at: new Date(Math.round(t / 1000) * 1000).toISOString().replace(".000Z", "Z"), replace: true });
}

function useWall(): number {
  const [wall, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && set(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return wall;
}

function usePlay(r: Range): void {
  const range = useRef(r);
  range.current = r;
  const on = playing.value;
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(
      () => {
        const at = route.peek().at;
        if (!at) {
          playing.value = false;
          return;
        }
        show(Date.parse(at) + Math.max(1000, FRAME_MS * speed.peek()), range.current, true);
      },
      Math.max(FRAME_MS, 1000 / speed.value),
    );
    return () => clearInterval(timer);
  }, [on, speed.value]);
}

function Marks({ r, marks }: { r: Range; marks: readonly TimelineMark[] }) {
  return (
    <>
      {marks
        .filter((m) => m.time >= r.from && m.time <= r.to)
        .map((m) => (
          <button
            type="button"
            key={m.time + m.title}
            class={cls("tl-mark", m.tone)}
            style={{ left: `${partOf(r, m.time) * 100}%` }}
            title={`${format.time(m.time)} ${m.title}`}
            aria-label={`${format.time(m.time)} ${m.title}`}
            tabIndex={-1}
            onClick={(e) => {
              e.stopPropagation();
              if (m.go) m.go();
              else show(m.time, r, true);
            }}
          />
        ))}
    </>
  );
}

export function Timeline() {
  const wall = useWall();
  const r = rangeOf(wall);
  const track = useRef<HTMLDivElement>(null);
  const [hover, setHover] = useState<number | null>(null);
  const at = route.value.at ? Date.parse(route.value.at) : r.now;
  usePlay(r);
  const step = (ms: number) => show(at + ms, r, true);
  const toggle = () => {
    if (!route.peek().at) show(r.from + (r.to - r.from) * 0.02, r, true);
    playing.value = !playing.value;
  };
  useEffect(
    () =>
      addShortcuts([
        { keys: " ", title: words.timeline.play, run: toggle },
        { keys: "[", title: words.timeline.earlier, run: () => step(-span.value / 60) },
        { keys: "]", title: words.timeline.later, run: () => step(span.value / 60) },
        { keys: "l", title: words.world.backToLive, run: () => go({ world: "live", at: "" }) },
      ]),
    [at, r.from, r.to],
  );
  const timeAt = (e: PointerEvent): number => {
    const box = track.current!.getBoundingClientRect();
    return r.from + Math.min(1, Math.max(0, (e.clientX - box.left) / box.width)) * (r.to - r.from);
  };
  const ticks = useMemo(() => ticksOf(r), [Math.round(r.from / 1000), Math.round(r.to / 1000)]);
  const key = (e: KeyboardEvent) => {
    const d = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[e.key];
    if (d) {
      e.preventDefault();
      step((d * span.value) / 60);
    } else if (e.key === "End") go({ at: "" });
    else if (e.key === "Home") show(r.from, r, true);
  };
  return (
    <footer class="timeline" aria-label={words.timeline.title}>
      <div class="tl-row">
        <IconButton
          name={playing.value ? words.timeline.pause : words.timeline.play}
          icon={playing.value ? Pause : Play}
          onClick={toggle}
        />
        <IconButton
          class="tl-wide"
          name={words.timeline.earlier}
          icon={ChevronLeft}
          onClick={() => step(-span.value / 60)}
        />
        <IconButton
          class="tl-wide"
          name={words.timeline.later}
          icon={ChevronRight}
          onClick={() => step(span.value / 60)}
        />
        <div
          ref={track}
          class="tl-track"
          role="slider"
          tabIndex={0}
          aria-label={words.timeline.goTo}
          aria-valuemin={r.from}
          aria-valuemax={r.to}
          aria-valuenow={at}
          aria-valuetext={route.value.at ? format.exactTime(at) : words.now}
          onKeyDown={key}
          onPointerDown={(e) => {
            playing.value = false;
            track.current!.setPointerCapture(e.pointerId);
            show(timeAt(e), r);
          }}
          onPointerMove={(e) => {
            setHover(timeAt(e));
            if (track.current!.hasPointerCapture(e.pointerId)) show(timeAt(e), r);
          }}
          onPointerLeave={() => setHover(null)}
        >
          <div class="tl-line" />
          <div class="tl-past" style={{ width: `${partOf(r, r.now) * 100}%` }} />
          {r.to > r.now && <div class="tl-future" style={{ left: `${partOf(r, r.now) * 100}%` }} />}
          {ticks.map((t) => (
            <div key={t.t} class="tl-tick" style={{ left: `${partOf(r, t.t) * 100}%` }}>
              {t.label}
            </div>
          ))}
          <Marks r={r} marks={timelineMarks.value} />
          {hover !== null && (
            <div class="tl-hover" style={{ left: `${partOf(r, hover) * 100}%` }}>
              <span>{format.time(hover)}</span>
            </div>
          )}
          <div class="tl-handle" style={{ left: `${partOf(r, at) * 100}%` }} />
        </div>
        <select
          class="select tl-select tl-wide"
          aria-label={words.timeline.span}
          value={span.value}
          onChange={(e) => (span.value = Number(e.currentTarget.value))}
        >
          {SPANS.map((s) => (
            <option key={s.ms} value={s.ms}>
              {s.title}
            </option>
          ))}
        </select>
        <select
          class="select tl-select tl-wide"
          aria-label={words.timeline.speed}
          value={speed.value}
          onChange={(e) => (speed.value = Number(e.currentTarget.value) as (typeof SPEEDS)[number])}
        >
          {SPEEDS.map((s) => (
            <option key={s} value={s}>
              {s}×
            </option>
          ))}
        </select>
        <Button
          class="tl-live"
          look={kind.value === "live" ? "primary" : ""}
          icon={Radio}
          aria-pressed={undefined}
          onClick={() => go(kind.value === "scenario" ? { world: "live", at: "" } : { at: "" })}
        >
          {route.value.at ? words.timeline.live : kind.value === "live" ? words.timeline.live : words.world.live}
        </Button>
      </div>
    </footer>
  );
}
