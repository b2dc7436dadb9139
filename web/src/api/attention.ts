// SPDX-License-Identifier: Apache-2.0
// What needs somebody in the world that is shown: twins that say by a fault, an alarm or their state that something is
// wrong. Asked once, then kept by the feed. Since when it is so, history tells.
import { computed, effect, signal, untracked } from "@preact/signals";
import { clockOf as clockOfFork } from "~/app/clock";
import { route, worldName } from "~/app/route";
import type { Tone } from "~/ui/basic";
import { conditionOf, says, since, watched, type Watched } from "./alerts";
import { again, follow, teach, type Reading } from "./board";
import { byId, entries, readError, reading, reload } from "./catalogue";
import { api, link } from "./client";
import { listen } from "./feed";
import { models, wordsOfName } from "./models";
import { now } from "./now";
import { tree } from "./tree";
import type { Change, Value } from "./types";
import { current, worlds } from "./worlds";

export interface Attention {
  tone: Tone;
  text: string;
  property: string;
}

const PAGES_MAX = 10; // of a thousand: more than that nobody looks through
const raw = signal<ReadonlyMap<string, ReadonlyMap<string, Value>>>(new Map());
export const attentionRead = signal(false);
const refused = signal<unknown>(undefined);
/** Why it could not be asked, also because nobody knows what there is; undefined: it could. */
export const attentionError = computed<unknown>(
  () => refused.value ?? (readError.value && !entries.value.length ? new Error(readError.value) : undefined),
);

export const attentionOf = computed(() => {
  const out = new Map<string, Attention>();
  for (const [id, values] of raw.value) {
    for (const [property, v] of values) {
      if (!says(property, v)) continue;
      const text = typeof v === "string" ? v : property;
      if (!out.has(id) || property !== "state") out.set(id, { tone: "bad", text, property });
    }
  }
  return out;
});

const watchedText = computed(() => JSON.stringify(watched.value));

type Values = ReadonlyMap<string, ReadonlyMap<string, Value>>;

async function read(world: string, names: readonly Watched[], abort: AbortSignal): Promise<Values> {
  const next = new Map<string, Map<string, Value>>();
  const select = names.map((n, i) => `T.${n.path} AS v${i}`).join(", ");
  const query = `SELECT T.$dtId AS id, ${select} FROM DIGITALTWINS T WHERE ${names.map(conditionOf).join(" OR ")}`;
  let token: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = await api.post<{ value: Record<string, Value>[]; continuationToken?: string | null }>(
      "/query",
      token ? { continuationToken: token } : { query },
      { world, signal: abort, headers: { "max-items-per-page": "1000" } },
    );
    for (const row of page.value) {
      const values = new Map<string, Value>();
      names.forEach(({ path }, i) => {
        const v = row[`v${i}`];
        if (v !== undefined && v !== null) values.set(path, v);
      });
      next.set(row.id as string, values);
    }
    token = page.continuationToken ?? undefined;
    if (!token) break;
  }
  return next;
}

/** When it began, by twin; null: longer ago than is known. Told by the feed for what begins while one looks. */
export const began = signal<ReadonlyMap<string, number | null>>(new Map());

interface News {
  values: Values;
  began: ReadonlyMap<string, number>; // what began while it was followed
  error?: unknown; // of the newest time it was asked
}

const KIND = "attention";

/** Asked, and again where something was missed; between them as the feed tells it. */
teach<News>(KIND, (tell, world, text): Reading => {
  const names = JSON.parse(text!) as Watched[];
  const abort = new AbortController();
  let values: Values = new Map();
  const since = new Map<string, number>();
  let known = false;
  let error: unknown;
  const say = (next: Values) => {
    values = next;
    if (known || error !== undefined) tell({ values, began: since, error });
  };
  const again = () =>
    void read(world!, names, abort.signal).then(
      (next) => abort.signal.aborted || ((known = true), (error = undefined), say(next)),
      (e: unknown) => abort.signal.aborted || ((error = e), say(values)),
    );
  if (world!.includes("@")) {
    again();
    return { stop: () => abort.abort(), again };
  }
  const changes = (list: readonly Change[]) => {
    const next = new Map(values);
    let changed = false;
    for (const c of list) {
      const had = next.get(c.twin);
      if (c.op === "twin_delete") changed = next.delete(c.twin) || changed;
      else if (c.path && (had || says(c.path, c.value))) {
        if (!had && c.at) since.set(c.twin, c.at);
        const own = new Map(had).set(c.path, c.value ?? null);
        if ([...own].some(([p, v]) => says(p, v))) next.set(c.twin, own);
        else next.delete(c.twin);
        changed = true;
      }
    }
    if (changed) say(next);
  };
  const interest = { world: world!, properties: names.map((n) => n.path), interval: 500 };
  const stop = listen({ ...interest, what: ["values", "twins"] }, { changes, subscribed: again, gap: again });
  return { stop: () => (abort.abort(), stop()), again };
});

export function askAttention(): void {
  if (refused.peek() === undefined) return reload();
  refused.value = undefined;
  again(KIND, [worldName.peek(), watchedText.peek()]);
}

let of = ""; // whose `raw` is
const nameOf = (world: string) => world.split("@")[0];

function show(n: News, world: string): void {
  refused.value = n.error;
  if (n.error !== undefined) {
    if (of !== world) raw.value = new Map(); // unknown is not what it was at another instant
    return;
  }
  of = world;
  // First since when: of whom that is known history is not asked.
  const fresh = [...n.began].filter(([id, t]) => n.values.has(id) && began.peek().get(id) !== t);
  if (fresh.length) began.value = new Map([...began.peek(), ...fresh]);
  raw.value = n.values;
  attentionRead.value = true;
}

effect(() => {
  const text = watchedText.value;
  const world = worldName.value;
  // What one looked at stays until the next instant is read: who drags the timeline would see it flicker. Of another
  // world nothing stays.
  if (nameOf(world) !== nameOf(of)) raw.value = new Map();
  attentionRead.value = false;
  refused.value = undefined;
  began.value = new Map();
  if (text !== "[]") return follow<News>(KIND, [world, text], (n) => untracked(() => show(n, world)));
  raw.value = new Map();
  // Without models nobody knows yet what to look at.
  attentionRead.value = !reading.value && !readError.value;
  return undefined;
});

const RETRY_MS = [1000, 2000, 4000, 8000, 15_000];
let tries = 0;
let away = false;

/** What could not be asked is asked again by itself; soon, when the server answers again. */
effect(() => {
  if (away && link.value === "ok") tries = 0;
  away = link.value !== "ok";
  if (refused.value === undefined) return void (tries = 0);
  const ask = () => again(KIND, [worldName.peek(), watchedText.peek()]);
  const timer = setTimeout(ask, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  return () => clearTimeout(timer);
});

/** Of the world that is shown, ms since 1970. */
export function nowOfWorld(): number {
  const { at, world } = route.peek();
  if (at) return Date.parse(at);
  const clock = world !== "live" ? clockOfFork(current.peek()) : undefined;
  return clock ? Date.parse(clock) : now();
}

export const hasProperty = (twin: string, path: string): boolean =>
  models
    .peek()
    .get(byId.peek().get(twin)?.model ?? "")
    ?.properties.some((p) => p.path === path) ?? false;

const ASKED_MAX = 30;
const ids = computed(() => [...attentionOf.value.keys()].join("\n")); // changes only when one comes or goes

/** The clock of any world, ms since 1970. */
function clockOf(world: string): number {
  const [name, at] = world.split("@");
  if (at) return Date.parse(at);
  const time = name === "live" ? undefined : worlds.peek().find((w) => w.name === name)?.time;
  return time ? Date.parse(time) : now();
}

const SINCE = "since";
teach<number | null>(SINCE, (tell, world, twin, names): Reading => {
  const abort = new AbortController();
  const of = JSON.parse(names!) as Watched[];
  since(world!.split("@")[0]!, of, twin!, clockOf(world!), () => true, abort.signal).then(
    (t) => abort.signal.aborted || tell(t),
    () => abort.signal.aborted || tell(null),
  );
  return { stop: () => abort.abort() };
});

/** One after the other: each asks history. */
effect(() => {
  const of = ids.value ? attentionOf.peek() : new Map<string, Attention>();
  const world = worldName.value;
  if (!entries.value.length || !attentionRead.value) return;
  const ask = [...of.keys()].filter((id) => !began.peek().has(id)).slice(0, ASKED_MAX);
  const gone = [...began.peek().keys()].some((id) => !of.has(id));
  if (gone) began.value = new Map([...began.peek()].filter(([id]) => of.has(id)));
  const stops: (() => void)[] = [];
  const next = () => {
    const id = ask.shift();
    if (id === undefined) return;
    const names = JSON.stringify(watched.peek().filter((n) => hasProperty(id, n.path)));
    const take = (t: number | null) => {
      began.value = new Map(began.peek()).set(id, t);
      next();
    };
    stops.push(follow<number | null>(SINCE, [world, id, names, of.get(id)!.text], (t) => untracked(() => take(t))));
  };
  untracked(next);
  return () => stops.forEach((f) => f());
});

/** What a value says, as its model calls it: "door open", not doorOpen. */
export function sayingOf(twin: string, property: string, text: string): string {
  const p = models.value.get(byId.value.get(twin)?.model ?? "")?.properties.find((one) => one.path === property);
  const name = p?.options.find((o) => String(o.value) === text)?.name;
  if (text === property) return p?.name ?? property;
  return !name || name === text ? (p?.type === "enum" ? wordsOfName(text).toLowerCase() : text) : name;
}

export interface Need extends Attention {
  id: string;
  began: number | null | undefined; // undefined: not known yet
  also: string[]; // wholes that are bad because this part is
}

const age = (n: Need) => (n.began === undefined ? Infinity : (n.began ?? -Infinity));

/**
 * The worst first: what brings a whole down with it; of them what has stood longest. What is bad only because a part
 * of it is stands with the part.
 */
export const needs = computed<Need[]>(() => {
  const of = attentionOf.value;
  const when = began.value;
  const out = new Map<string, Need>();
  for (const [id, a] of of)
    out.set(id, { ...a, text: sayingOf(id, a.property, a.text), id, began: when.get(id), also: [] });
  if (out.size > 1 && out.size < 200) {
    const list = entries.value;
    const place = new Map(list.map((e, i) => [e.id, i]));
    const parent = tree.value.parent;
    // Parts that say what is wrong take their wholes first; then those of which only the state is bad.
    const parts = [...out.values()].sort((a, b) => Number(a.property === "state") - Number(b.property === "state"));
    for (const n of parts) {
      if (!out.has(n.id)) continue;
      for (let at = parent[place.get(n.id) ?? -1] ?? -1; at >= 0; at = parent[at]!) {
        const whole = out.get(list[at]!.id);
        if (whole?.property !== "state") continue;
        n.also.push(whole.id, ...whole.also);
        out.delete(whole.id);
      }
    }
  }
  return [...out.values()].sort(
    (a, b) =>
      Number(b.also.length > 0) - Number(a.also.length > 0) ||
      Number(age(a) > age(b)) - Number(age(a) < age(b)) ||
      (a.id < b.id ? -1 : 1),
  );
});
