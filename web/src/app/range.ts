// SPDX-License-Identifier: Apache-2.0
// Which stretch of time the timeline shows, and where an instant lies on it. Left of now the past of the shown world;
// right of now what scenarios foretell: of live by a scale of its own, so that a week ahead leaves an hour its room.
import { computed, signal } from "@preact/signals";
import { BASE } from "~/api/whatif";
import { models } from "~/api/models";
import type { World } from "~/api/types";
import { current, worlds } from "~/api/worlds";
import * as format from "~/format";
import { clockOf } from "./clock";
import { pref } from "./prefs";
import { route } from "./route";

export const MIN = 60_000;
export const HOUR = 60 * MIN;
export const DAY = 24 * HOUR;
export const SPANS: readonly number[] = [15 * MIN, HOUR, 8 * HOUR, DAY, 7 * DAY, 30 * DAY];
const SPAN_MIN = MIN;
const SPAN_MAX = 20 * 365 * DAY;
const FUTURE_PART = 0.18; // of the track, of live with scenarios
const END_PART = 0.006; // so near to now is now

export const span = pref("timeline.span", HOUR);
/** A stretch that somebody chose by itself; null: the last `span` up to now. */
export const chosen = signal<{ from: number; to: number } | null>(null);

/** Nothing is known from before: no model was there yet. */
export const begin = computed<number | null>(() => {
  let first = Infinity;
  for (const m of models.value.values()) first = Math.min(first, Date.parse(m.data.uploadTime) || Infinity);
  return Number.isFinite(first) ? first : null;
});

export interface Range {
  from: number;
  end: number; // of the stretch of the past: now, or where a chosen one ends
  to: number; // of everything, the future too
  now: number; // of the world: the wall clock in live, its own clock in a fork
  part: number; // of the track, up to `end`
  begin: number | null;
  fork: number | null;
}

const time = (t: string | undefined | null) => (t ? Date.parse(t) : NaN);

/** Forks whose future is shown right of live's now: who wants it there says so. */
const pinned = pref<readonly string[]>("timeline.pinned", []);
export const isPinned = (name: string): boolean => pinned.value.includes(name);
export const togglePin = (name: string): void => {
  pinned.value = isPinned(name) ? pinned.value.filter((n) => n !== name) : [...pinned.value, name];
};

/** It is looked at beside live, or pinned. */
function isWanted(name: string): boolean {
  const { view, params } = route.value;
  const beside = view === "compare" ? [params.with] : view === "whatif" ? (params.compare ?? "").split(",") : [];
  return isPinned(name) || beside.includes(name);
}

export interface Future {
  name: string;
  from: number;
  done: number;
  until: number;
  world: World;
}

/** Scenarios that were run, or run, ahead of an instant, of those that are wanted. */
export function futuresOf(list: readonly World[], now: number): Future[] {
  return list
    .filter((w) => w.name !== "live" && !w.name.endsWith(BASE) && isWanted(w.name) && time(w.run?.until) > now)
    .map((w) => ({
      name: w.name,
      from: time(w.run!.begin ?? w.forkedFrom),
      done: time(w.run!.now ?? w.time),
      until: time(w.run!.until),
      world: w,
    }))
    .sort((a, b) => (b.world.created ?? "").localeCompare(a.world.created ?? ""))
    .slice(0, 3);
}

export function rangeOf(wall: number): Range {
  const scenario = route.value.world !== "live" ? current.value : undefined;
  const own = time(clockOf(scenario));
  const now = Number.isNaN(own) ? wall : own;
  const fork = scenario && !Number.isNaN(time(scenario.forkedFrom)) ? time(scenario.forkedFrom) : null;
  const at = time(route.value.at);
  const c = chosen.value;
  if (c && c.to < now) {
    // An instant outside moves the stretch to it.
    const width = c.to - c.from;
    const shift = at < c.from ? at - width * 0.1 - c.from : at > c.to ? at + width * 0.1 - c.to : 0;
    const to = Math.min(now, c.to + shift);
    return { from: to - width, end: to, to, now, part: 1, begin: begin.value, fork };
  }
  const until = time(scenario?.run?.until);
  const ahead = scenario ? [] : futuresOf(worlds.value, now);
  const to = Math.max(now, Number.isNaN(until) ? 0 : until, ...ahead.map((f) => f.until));
  let from = now - span.value;
  if (fork !== null) from = Math.min(from, fork - (to - fork) * 0.1);
  if (at < from) from = at - (now - at) * 0.1;
  const part = scenario ? (now - from) / Math.max(1, to - from) : ahead.length ? 1 - FUTURE_PART : 1;
  return { from, end: now, to, now, part, begin: begin.value, fork };
}

/** 0 to 1: where an instant is drawn. */
export function partOf(r: Range, t: number): number {
  const p =
    t <= r.end
      ? ((t - r.from) / Math.max(1, r.end - r.from)) * r.part
      : r.part + ((t - r.end) / Math.max(1, r.to - r.end)) * (1 - r.part);
  return Math.min(1, Math.max(0, p));
}

export function timeAt(r: Range, part: number): number {
  const p = Math.min(1, Math.max(0, part));
  if (p <= r.part) return r.from + (p / Math.max(r.part, 1e-9)) * (r.end - r.from);
  return r.end + ((p - r.part) / (1 - r.part)) * (r.to - r.end);
}

/** So near to now that a hand means it; not all of a history that has just begun. */
export const isNow = (r: Range, t: number): boolean =>
  t >= r.now - Math.min((r.end - r.from) * END_PART, (r.now - (r.begin ?? -Infinity)) * 0.2);

/** Show a stretch; one that ends now goes on with the clock. */
export function choose(from: number, to: number, now: number): void {
  const width = Math.min(SPAN_MAX, Math.max(SPAN_MIN, to - from));
  if (to >= now - width * 0.01) {
    chosen.value = null;
    span.value = Math.round(width);
  } else chosen.value = { from: to - width, to };
}

/** Closer or farther, with what is under the pointer staying there. */
export function zoom(r: Range, around: number, factor: number): void {
  const t = Math.min(around, r.end);
  const first = r.begin === null ? -Infinity : Math.min(r.begin - (r.end - r.begin) * 0.03, r.from);
  choose(Math.max(first, t - (t - r.from) * factor), Math.min(r.now, t + (r.end - t) * factor), r.now);
}

export function pan(r: Range, ms: number): void {
  const width = r.end - r.from;
  const first = r.begin === null ? -Infinity : Math.min(r.begin - width * 0.05, r.from);
  const to = Math.min(r.now, Math.max(first + width, r.end + ms));
  choose(to - width, to, r.now);
}

const STEPS = [1 / 6, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080, 43200, 129600, 525600];

export interface Tick {
  t: number;
  label: string;
}

export function ticksOf(r: Range, width: number): Tick[] {
  const most = Math.max(2, Math.floor((width * r.part) / 84));
  const step = STEPS.map((m) => m * MIN).find((s) => (r.end - r.from) / s <= most) ?? STEPS[STEPS.length - 1]! * MIN;
  const zone = new Date(r.end).getTimezoneOffset() * MIN;
  const out: Tick[] = [];
  for (let t = Math.ceil((r.from - zone) / step) * step + zone; t <= r.end; t += step) {
    const day = step >= DAY || format.clock(t) === "00:00";
    out.push({ t, label: day ? format.day(t) : step < MIN ? format.time(t) : format.clock(t) });
  }
  if (r.to > r.end && r.part < 0.95) {
    const ahead = r.to - r.end;
    const s = STEPS.map((m) => m * MIN).find((m) => ahead / m <= Math.max(1, (width * (1 - r.part)) / 64)) ?? ahead;
    for (let t = s; t <= ahead * 1.001; t += s) out.push({ t: r.end + t, label: "+" + format.duration(t) });
  }
  return out;
}
