// SPDX-License-Identifier: Apache-2.0
// What is wrong, and when it was: properties whose model says that their values tell so (docs/alerts.md), else those
// that do by their name (fault, alarm, a state that is called faulted); from history the stretches when they did.
import { computed } from "@preact/signals";
import { api } from "./client";
import { models, type Models, type Property } from "./models";
import type { Value } from "./types";

/** By name: properties whose value, when it is neither empty nor false nor 0, says that something is wrong. */
const WRONG = /^(fault|alarm|error|failure|warning)$/i;
const BAD_STATES = ["faulted", "fault", "failed", "down", "error", "alarm"];
const NOTHING = new Set(["", "none", "ok", "normal", "off"]);

export interface Watched {
  path: string;
  type: Property["type"];
  bad?: Value[]; // these values are wrong; without them whatever is something
}

/** What its model says of it, else what its name does; null: it tells nothing of the kind. */
function ruleOf(p: Property): Watched | null {
  const { path, type } = p;
  const bad = p.options.filter((o) => o.alert).map((o) => o.value);
  if (p.alert !== undefined) return !p.alert ? null : bad.length ? { path, type, bad } : { path, type };
  if (p.component) return null;
  if (path === "state") return { path, type, bad: BAD_STATES };
  return WRONG.test(path) ? { path, type } : null;
}

/** What to look at, of all models. Where several have a property, what one of them calls wrong is wrong. */
export function watchedOf(list: Models): Watched[] {
  const found = new Map<string, Watched>();
  for (const m of list.values())
    for (const p of m.properties) {
      const one = p.telemetry ? null : ruleOf(p);
      if (!one) continue;
      const bad = one.bad && new Set([...one.bad, ...(found.get(p.path)?.bad ?? [])]);
      found.set(p.path, bad ? { ...one, bad: [...bad] } : one);
    }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

export const watched = computed(() => watchedOf(models.value));
const rules = computed(() => new Map(watched.value.map((one) => [one.path, one])));

/** Whether a value of a property tells that something is wrong. */
export function says(property: string, v: Value | undefined): boolean {
  const rule = rules.value.get(property);
  if (!rule || v === undefined || v === null || v === false || v === 0) return false;
  if (rule.bad) return rule.bad.includes(v) || rule.bad.some((b) => String(b) === v); // shares of time name it as text
  return !(typeof v === "string" && NOTHING.has(v));
}

/** The condition of the query language that says the same as `says`. */
export function conditionOf({ path, type, bad }: Watched): string {
  const p = `T.${path}`;
  const list = (of: Iterable<Value>) =>
    [...of].map((s) => (typeof s === "string" ? `'${s.replaceAll(/['\\]/g, "\\$&")}'` : String(s))).join(", ");
  if (bad) return `${p} IN [${list(bad)}]`;
  if (type === "boolean") return `${p} = true`;
  if (type === "number" || type === "integer") return `${p} != 0`;
  return `NOT ${p} IN [${list(NOTHING)}]`;
}

export interface Alert {
  twin: string;
  property: string;
  text: string; // what it says: the fault, the state
  from: number; // ms since 1970
  to: number | null; // still so at the end of what was looked at
  before: boolean; // it was so already when that began
}

const TWINS_MAX = 40;
const STEPS = 300;
const EXACT_MAX = 6; // of a twin: more are not looked at one by one

interface Column {
  property: string;
  time: number[];
  share?: (Record<string, number> | null)[]; // null: nothing was known yet
}

/** Shares of time by state, interval by interval, as stretches: where it turned is reckoned from the share. */
export function stretches(
  times: readonly number[],
  shares: readonly (Record<string, number> | null)[],
  step: number,
  end: number,
  bad: (state: string) => boolean,
): { from: number; to: number | null; text: string; before: boolean }[] {
  const out: { from: number; to: number | null; text: string; before: boolean }[] = [];
  let open: (typeof out)[number] | undefined;
  times.forEach((t, i) => {
    const ms = Math.max(1, Math.min(step, end - t));
    const wrong = Object.entries(shares[i] ?? {}).filter(([s, part]) => bad(s) && part > 0);
    const part = Math.min(
      1,
      wrong.reduce((n, [, p]) => n + p, 0),
    );
    const text = wrong.sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
    if (part > 0.999) {
      if (!open) out.push((open = { from: t, to: null, text, before: i === 0 }));
    } else if (part > 0) {
      if (open) {
        open.to = t + part * ms;
        open = undefined;
      } else {
        // It begins in here. Whether it also ends in here the next interval tells.
        const on = Object.entries(shares[i + 1] ?? {}).some(([s, p]) => bad(s) && p > 0);
        const last = i === times.length - 1;
        open = { from: t + (on || last ? (1 - part) * ms : 0), to: null, text, before: false };
        out.push(open);
        if (!on && !last) {
          open.to = open.from + part * ms;
          open = undefined;
        }
      }
    } else if (open) {
      open.to = t;
      open = undefined;
    }
  });
  return out;
}

async function bad(base: string, watched: readonly Watched[], from: number, to: number, o: Look): Promise<string[]> {
  const seconds = Math.max(1, Math.ceil((to - from) / 1000));
  const where = watched.map((w) => `TIME_TRUE(${conditionOf(w)}, ${seconds}s) > 0s`).join(" OR ");
  const page = await api.post<{ value: { id: string }[] }>(
    "/query",
    { query: `SELECT TOP(${TWINS_MAX + 1}) T.$dtId AS id FROM DIGITALTWINS T WHERE ${where}` },
    { world: base, signal: o.signal },
  );
  return page.value.map((r) => r.id);
}

interface Look {
  signal?: AbortSignal;
  trace?: boolean; // also since when what stood already does
  cut?: (most: number) => void; // more twins had something than are looked at
  twins?: readonly string[]; // these; otherwise whoever was in a bad state
}

/** Stretches of a twin, of several properties that say the same the most telling. */
function joined(id: string, list: Alert[]): Alert[] {
  list.sort((a, b) => a.from - b.from);
  const out: Alert[] = [];
  for (const a of list) {
    const same = out.find((o) => o.to === null || a.from <= o.to + 2000);
    if (!same || (same.to !== null && a.to !== null && a.from > same.to)) out.push({ ...a, twin: id });
    else {
      if (same.property === "state" && a.property !== "state")
        Object.assign(same, { property: a.property, text: a.text });
      same.to = same.to === null || a.to === null ? null : Math.max(same.to, a.to);
    }
  }
  return out;
}

async function ofTwin(world: string, id: string, names: readonly Watched[], from: number, to: number, o: Look) {
  const step = Math.max(1, Math.ceil((to - from) / STEPS / 1000));
  const text = await api.text(`/digitaltwins/${encodeURIComponent(id)}/history`, {
    world,
    signal: o.signal,
    query: {
      properties: names.map((n) => n.path).join(","),
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      fn: "share",
      fill: "previous",
      step: `${step}s`,
      format: "columns",
    },
  });
  const found: Alert[] = [];
  for (const line of text.split("\n")) {
    if (!line) continue;
    const c = JSON.parse(line) as Column;
    const times = c.time.map((t) => t / 1e6);
    const isBad = (s: string) => (s === "true" ? true : s === "false" ? false : says(c.property, s));
    for (const s of stretches(times, c.share ?? [], step * 1000, to, isBad))
      found.push({ ...s, twin: id, property: c.property, text: s.text === "true" ? c.property : s.text });
  }
  // Shares are of the time that is known: where a history begins they say too early.
  if (found.length <= EXACT_MAX)
    await Promise.all(found.filter((a) => !a.before).map((a) => exactly(world, a, step * 1000, o)));
  return joined(id, found);
}

const HOUR = 3600_000;
const SPANS = [HOUR, 24 * HOUR, 30 * 24 * HOUR];
const TRACED_MAX = 8; // so many are followed to before what was looked at

interface Known {
  from: number;
  until: number; // it was seen standing up to here
}
const traced = new Map<string, Known>(); // by world and twin: who looks on need not ask again

/** It stood already when what was looked at began: since when, history from before tells. */
async function trace(world: string, a: Alert, names: readonly Watched[], end: number, o: Look): Promise<void> {
  const key = `${world} ${a.twin} ${a.text}`;
  const until = a.to ?? end;
  const known = traced.get(key);
  if (known && known.from <= a.from && a.from <= known.until) {
    known.until = Math.max(known.until, until);
    Object.assign(a, { from: known.from, before: false });
    return;
  }
  for (const span of SPANS) {
    const list = await ofTwin(world, a.twin, names, a.from - span, a.from + 1000, o);
    const open = list.filter((x) => x.to === null).pop();
    if (!open) return;
    if (open.before) continue;
    traced.set(key, { from: open.from, until });
    Object.assign(a, { from: open.from, before: false });
    return;
  }
}

interface Point {
  time: string;
  value: Value;
}

/** The very value that said it first, near where it was reckoned. */
async function exactly(world: string, a: Alert, around: number, o: Look): Promise<void> {
  const page = await api.get<{ value: Point[] }>(`/digitaltwins/${encodeURIComponent(a.twin)}/history`, {
    world,
    signal: o.signal,
    query: {
      properties: a.property,
      from: new Date(a.from - around).toISOString(),
      to: new Date(a.from + around).toISOString(),
      limit: 500,
    },
  });
  const first = page.value.findIndex(
    (p, i) => says(a.property, p.value) && !says(a.property, page.value[i - 1]?.value),
  );
  if (first >= 0) a.from = Date.parse(page.value[first]!.time);
}

/** When what was wrong between two instants. `world` is a moving one: "live" or a fork. */
export async function alertsOf(
  world: string,
  watched: readonly Watched[],
  from: number,
  to: number,
  now: number,
  has: (twin: string, path: string) => boolean,
  o: Look = {},
): Promise<Alert[]> {
  // Numbers have no share of time by state.
  const names = watched.filter((w) => w.type !== "number" && w.type !== "integer");
  if (!names.length || to <= from) return [];
  const base = to < now - 1000 ? `${world}@${new Date(to).toISOString()}` : world;
  const twins = o.twins ?? (await bad(base, names, from, to, o));
  const out: Alert[] = [];
  if (twins.length > TWINS_MAX) o.cut?.(TWINS_MAX);
  for (const id of twins.slice(0, TWINS_MAX)) {
    const of = names.filter((n) => has(id, n.path));
    if (of.length) out.push(...(await ofTwin(world, id, of, from, to, o)));
  }
  for (const a of o.trace ? out.filter((x) => x.before).slice(0, TRACED_MAX) : []) {
    const of = names.filter((n) => has(a.twin, n.path));
    // History of before may be cut off: then it stood before, and that is said.
    await trace(world, a, of, to, o).catch(() => {});
  }
  return out.sort((a, b) => a.from - b.from);
}

/** Since when a twin has been in the bad state it is in; null: for longer than is known. */
export async function since(
  world: string,
  watched: readonly Watched[],
  twin: string,
  now: number,
  has: (twin: string, path: string) => boolean,
  signal?: AbortSignal,
): Promise<number | null> {
  for (const span of SPANS) {
    const list = await alertsOf(world, watched, now - span, now, now, has, { twins: [twin], signal });
    const open = list.filter((a) => a.to === null).pop();
    if (!open) return null;
    if (!open.before) return open.from;
  }
  return null;
}
