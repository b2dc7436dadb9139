// SPDX-License-Identifier: Apache-2.0
// One slider over everything. Left of now lies the past of the shown world; right of now what scenarios foretell.
// Dragging opens the world as it was in place; letting go at now returns to what moves.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ChevronLeft, ChevronRight, CircleAlert, Pause, Play, Radio } from "lucide-preact";
import { ahead, now } from "~/api/now";
import { current } from "~/api/worlds";
import { Button, IconButton } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { Forward } from "./forward";
import { happenedError, look, readHappened } from "./happened";
import { neighbour, timelineMarks, type TimelineMark } from "./marks";
import { pan, partOf, rangeOf, ticksOf, timeAt, zoom, type Range } from "./range";
import { go, kind, route } from "./route";
import { drag, dragged, playing, settle, show, tellRange, toggle } from "./scrub";
import { addShortcuts } from "./shortcuts";
import { Edges, Futures, Marks, seeThen, tipAt, Tooltip, type Tip } from "./tlmarks";
import { SpanMenu, SpeedMenu } from "./tlmenus";

function useWall(): number {
  const [wall, set] = useState(now());
  useEffect(() => {
    set(now());
    const timer = setInterval(() => document.visibilityState === "visible" && set(now()), 1000);
    return () => clearInterval(timer);
  }, [ahead.value]);
  return wall;
}

function useWidth(ref: { current: HTMLElement | null }): number {
  const [width, set] = useState(600);
  useEffect(() => {
    const seen = new ResizeObserver(([e]) => set(e!.contentRect.width));
    seen.observe(ref.current!);
    return () => seen.disconnect();
  }, []);
  return width;
}

/** Next and previous event; what was gone to is said to those who cannot see it. */
function useEvents(r: Range, at: number) {
  const [told, tell] = useState("");
  const step = (way: 1 | -1) => {
    const m: TimelineMark | undefined = neighbour(timelineMarks.peek(), at, way);
    if (m) {
      seeThen(m, r);
      tell(`${format.time(m.time)} ${m.title}`);
    } else if (way > 0) go({ at: "", replace: true });
    else tell(words.timeline.noEarlier);
  };
  return { told, step };
}

const SLIP_PX = 4; // so far a hand slips that only clicks
const GRIP_PX = 9; // the handle is taken where it is touched, not moved there

interface TrackProps {
  r: Range;
  at: number;
  step: (ms: number) => void;
}

const onMark = (e: Event) => (e.target as Element).closest(".tl-mark, .tl-future-bar") !== null;

function Track({ r, at, step }: TrackProps) {
  const track = useRef<HTMLDivElement>(null);
  const width = useWidth(track);
  const [tip, tell] = useState<Tip | null>(null);
  const range = useRef(r);
  range.current = r;
  const ticks = useMemo(
    () => ticksOf(r, width),
    [Math.round(r.from / 1000), Math.round(r.end / 1000), Math.round(r.part * 1000), Math.round(r.to / 60_000), width],
  );
  const part = (x: number) => {
    const box = track.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, (x - box.left) / box.width));
  };
  const held = useRef<{ x: number; grip: number; moved: boolean } | null>(null);
  const dragTo = (x: number) => {
    const t = Math.min(timeAt(r, part(x + (held.current?.grip ?? 0))), r.now);
    drag(r.begin === null ? t : Math.max(t, r.begin), r);
  };
  useEffect(() => {
    const wheel = (e: WheelEvent) => {
      e.preventDefault();
      const now = range.current;
      if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY))
        pan(now, ((e.deltaX || e.deltaY) / width) * (now.end - now.from));
      else zoom(now, timeAt(now, part(e.clientX)), Math.exp(Math.max(-100, Math.min(100, e.deltaY)) * 0.004));
    };
    const el = track.current!;
    el.addEventListener("wheel", wheel, { passive: false });
    return () => el.removeEventListener("wheel", wheel);
  }, [width]);
  const key = (e: KeyboardEvent) => {
    const d = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[e.key];
    if (d) {
      e.preventDefault();
      step((d * (r.end - r.from)) / 60);
    } else if (e.key === "End") go({ at: "" });
    else if (e.key === "Home") show(Math.max(r.from, r.begin ?? 0), r, true);
    else if (e.key === "+" || e.key === "-") zoom(r, at, e.key === "+" ? 0.5 : 2);
  };
  const run = current.value?.run;
  const left = (t: number) => ({ left: `${partOf(r, t) * 100}%` });
  return (
    <div
      ref={track}
      class="tl-track"
      onPointerDown={(e) => {
        if (e.button) return;
        const box = track.current!.getBoundingClientRect();
        const grip = box.left + partOf(r, at) * box.width - e.clientX;
        const near = Math.abs(grip) <= GRIP_PX;
        held.current = { x: e.clientX, grip: near ? grip : 0, moved: false };
        // On a mark it is a click until it moves.
        if (onMark(e)) return;
        track.current!.querySelector<HTMLElement>(".tl-slider")!.focus();
        playing.value = false;
        track.current!.setPointerCapture(e.pointerId);
        if (!near) dragTo(e.clientX);
      }}
      onPointerMove={(e) => {
        if (!e.buttons) held.current = null;
        const h = held.current;
        if (h && Math.abs(e.clientX - h.x) > SLIP_PX && !h.moved) {
          h.moved = true;
          playing.value = false;
          track.current!.setPointerCapture(e.pointerId);
        }
        if (h?.moved || !onMark(e)) tell(tipAt(r, part(e.clientX), width));
        if (h?.moved) dragTo(e.clientX);
      }}
      onPointerUp={() => {
        if (dragged.value !== null) settle(dragged.value, r);
        // The click that follows is still of this press.
        setTimeout(() => (held.current = null));
      }}
      onPointerCancel={() => ((dragged.value = null), (held.current = null))}
      onClickCapture={(e) => held.current?.moved && e.stopPropagation()}
      onPointerLeave={() => tell(null)}
    >
      {/* Beside the marks, not around them: nothing that takes clicks may lie in a slider. */}
      <div
        class="tl-slider"
        role="slider"
        tabIndex={0}
        aria-label={words.timeline.goTo}
        aria-valuemin={r.from}
        aria-valuemax={r.to}
        aria-valuenow={at}
        aria-valuetext={route.value.at ? format.exactTime(at) : words.now}
        onKeyDown={key}
      />
      <div class="tl-line" />
      <div class="tl-past" style={{ width: `${partOf(r, Math.min(r.now, r.end)) * 100}%` }} />
      <Edges r={r} />
      {route.value.world !== "live" && r.to > r.now && <div class="tl-future" style={left(r.now)} />}
      {ticks.map((t) => (
        <div key={t.t} class="tl-tick" style={left(t.t)}>
          {t.label}
        </div>
      ))}
      <Futures r={r} tell={tell} />
      <Marks r={r} marks={timelineMarks.value} width={width} tell={tell} />
      <div class="tl-handle" style={left(at)} />
      {run?.state === "running" && route.value.world !== "live" && (
        <div class="tl-progress" style={left(r.now)}>
          {Math.round((run.progress ?? 0) * 100)}
          {"\u2009%"}
          {run.secondsLeft ? ` · ${words.whatif.left(format.duration(run.secondsLeft * 1000))}` : ""}
        </div>
      )}
      {tip && <Tooltip tip={tip} width={width} />}
    </div>
  );
}

export function Timeline() {
  const wall = useWall();
  const r = rangeOf(wall);
  const at = dragged.value ?? (route.value.at ? Date.parse(route.value.at) : r.now);
  const step = (ms: number) => show(at + ms, r, true);
  const events = useEvents(r, at);
  useEffect(() => {
    tellRange(r);
    look(r);
  });
  const back = () => go(kind.value === "scenario" ? { world: "live", at: "" } : { at: "" });
  useEffect(
    () =>
      addShortcuts([
        { keys: " ", title: words.timeline.play, run: () => toggle(r) },
        { keys: ",", title: words.timeline.previous, run: () => events.step(-1) },
        { keys: ".", title: words.timeline.next, run: () => events.step(1) },
        { keys: "[", title: words.timeline.earlier, run: () => step(-(r.end - r.from) / 60) },
        { keys: "]", title: words.timeline.later, run: () => step((r.end - r.from) / 60) },
        { keys: "l", title: words.world.backToLive, run: () => go({ world: "live", at: "" }) },
      ]),
    [at, r.from, r.to, r.end],
  );
  return (
    <footer class="timeline" aria-label={words.timeline.title}>
      <div class="tl-row">
        <IconButton
          name={playing.value ? words.timeline.pause : words.timeline.play}
          icon={playing.value ? Pause : Play}
          onClick={() => toggle(r)}
        />
        <IconButton name={`${words.timeline.previous} (,)`} icon={ChevronLeft} onClick={() => events.step(-1)} />
        <IconButton name={`${words.timeline.next} (.)`} icon={ChevronRight} onClick={() => events.step(1)} />
        {happenedError.value !== undefined && (
          <IconButton
            class="tl-wrong"
            name={words.timeline.notReadAgain}
            icon={CircleAlert}
            onClick={readHappened}
          />
        )}
        <Track r={r} at={at} step={step} />
        <SpanMenu r={r} />
        <SpeedMenu />
        <Forward class="tl-forward" always />
        <Button
          class="tl-live"
          look={kind.value === "live" ? "plain" : "primary"}
          icon={Radio}
          title={kind.value === "live" ? undefined : words.world.backToLive}
          onClick={back}
        >
          {words.timeline.live}
        </Button>
      </div>
      <div class="unseen" role="status">
        {events.told}
      </div>
    </footer>
  );
}
