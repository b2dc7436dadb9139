// SPDX-License-Identifier: Apache-2.0
// What-ifs: definitions to try, pairs of worlds that run side by side, and what came of them.
import { signal } from "@preact/signals";
import { words } from "~/words/en";
import { all, api } from "./client";
import { follow } from "./runs";
import type { Value, Whatif } from "./types";
import { BASE, drop, fork, readWorlds, worlds } from "./worlds";

export { readEnsemble, type Ensemble } from "./runs";
export { BASE, isBase } from "./worlds";

export interface Interval {
  mean?: number | null;
  low?: number | null;
  high?: number | null;
}

export interface ComparedValue extends Interval {
  world: string;
  value: number | null;
  known?: number;
  difference?: number | null;
  differenceLow?: number | null;
  differenceHigh?: number | null;
  relative?: number | null;
  verdict?: "better" | "worse" | "same" | "more" | "less" | "unclear";
  times?: string[];
  values?: (number | null)[];
  lows?: (number | null)[];
  highs?: (number | null)[];
  fan?: { part: number; lows: (number | null)[]; highs: (number | null)[] }[]; // of replications, narrowest first
}

export interface ComparedKpi {
  name: string;
  title: string;
  unit: string;
  symbol?: string;
  of?: string;
  over: string;
  better?: "more" | "less";
  values: ComparedValue[];
  error?: string;
}

export interface Comparison {
  title?: string;
  sentence?: string;
  worlds: {
    name: string;
    purpose?: string;
    state: string;
    begin?: string;
    now?: string;
    until?: string;
    changes: string[];
    changeCount: number;
  }[];
  kpis: ComparedKpi[];
  notes?: string[];
}

export interface Planned {
  at: string; // "PT5M" after the beginning
  twin: string;
  property: string;
  value: Value;
}

export const whatifs = signal<readonly Whatif[]>([]);
export const whatifsRead = signal(false);
export const readWhatifs = async () => {
  whatifs.value = await all<Whatif>("/whatifs");
  whatifsRead.value = true;
};

const whatifPath = (name: string) => `/whatifs/${encodeURIComponent(name)}`;

/** What one says; its name is in the address. */
export type WhatifText = Omit<Whatif, "name">;
export const textOf = ({ name: _, ...text }: Whatif): WhatifText => text;
export const putWhatif = (name: string, text: WhatifText): Promise<void> =>
  api.put(whatifPath(name), text).then(readWhatifs);
export const dropWhatif = (name: string): Promise<void> => api.delete(whatifPath(name)).then(readWhatifs);

interface Started {
  world?: string; // of a run
  baseline?: string;
  ensemble?: number; // many times over
}

/** Two worlds of one instant begin to run; with replications nothing is written to a world. */
export async function tryWhatif(name: string, replications = 1): Promise<Started> {
  const body = replications > 1 ? { replications } : { again: true };
  const s = await api.post<Started>(`/whatifs/${encodeURIComponent(name)}/run`, body);
  if (s.ensemble) follow(s.ensemble);
  await readWorlds();
  return s;
}

/** As runs side by side: the shape of a comparison, with intervals. */
export const ensembleRuns = (id: number, signal?: AbortSignal): Promise<Comparison> =>
  api.get(`/ensembles/${id}`, { query: { format: "runs" }, signal });
export const stopEnsemble = (id: number) => api.post(`/ensembles/${id}/stop`);

/** One's own: the world as it would be, and a copy to change. */
export async function forkPair(name: string, from: string, purpose = words.whatif.purpose(from)): Promise<void> {
  await fork({ name: name + BASE, from, purpose: words.whatif.purposeBase(name) });
  try {
    await fork({ name, from: name + BASE, purpose });
  } catch (e) {
    await drop(name + BASE).catch(() => {});
    throw e;
  }
}

export interface RunAsk {
  for: string;
  output?: string;
  speed?: number; // times real time; without it as fast as it goes
  changes?: readonly Planned[];
}

const runPath = (w: string) => `/worlds/${encodeURIComponent(w)}/run`;
export const runWorld = (w: string, ask: RunAsk): Promise<unknown> => api.post(runPath(w), ask);

/** Both of a pair run, one of them with the planned changes. */
export async function runPair(name: string, ask: RunAsk): Promise<void> {
  const base = worlds.peek().some((w) => w.name === name + BASE);
  const { changes: _, ...plain } = ask;
  if (base) await api.post(runPath(name + BASE), plain);
  try {
    await api.post(runPath(name), ask);
  } catch (e) {
    if (base) await pauseRun(name + BASE).catch(() => {});
    throw e;
  }
  await readWorlds();
}

export const pauseRun = (w: string) => api.post(`/worlds/${encodeURIComponent(w)}/pause`).then(readWorlds);

/** Both stand, and go on together. */
export async function pausePair(name: string): Promise<void> {
  const other = worlds.peek().find((w) => w.name === name + BASE && w.run?.state === "running");
  await Promise.all([pauseRun(name), other ? pauseRun(other.name) : undefined]);
}

export async function goOn(name: string): Promise<void> {
  const pair = worlds.peek().filter((w) => [name, name + BASE].includes(w.name) && w.run?.state === "paused");
  for (const w of pair) await api.post(runPath(w.name), { until: w.run!.until });
  await readWorlds();
}

/** Many times over, beside the world without its changes; nothing is written to either. */
export async function runMany(name: string, ask: RunAsk, replications: number, title: string): Promise<number> {
  const base = worlds.peek().some((w) => w.name === name + BASE);
  return startEnsemble(name, {
    for: ask.for,
    replications,
    title,
    cases: [
      ...(base ? [{ name: words.whatif.without, world: name + BASE }] : []),
      { name, world: name, changes: ask.changes ?? [] },
    ],
  });
}

export interface Case {
  name: string;
  world?: string;
  changes?: readonly Planned[];
}

export const startEnsemble = (
  world: string,
  ask: { for: string; replications: number; title: string; about?: string; seed?: number; cases: readonly Case[] },
): Promise<number> =>
  api.post<{ id: number }>(`/worlds/${encodeURIComponent(world)}/ensemble`, ask).then((e) => (follow(e.id), e.id));

export async function dropPair(name: string): Promise<void> {
  await drop(name);
  const base = name + BASE;
  const others = worlds.peek().some((w) => w.parent === base && w.name !== name);
  if (!others && worlds.peek().some((w) => w.name === base)) await drop(base);
}

interface Kpis {
  begin?: string;
  now?: string;
  state: string;
  kpis: (Omit<ComparedKpi, "values"> & { value: number | null; times?: string[]; values?: (number | null)[] })[];
}

/** A world that has nothing beside it, in the same shape. */
async function alone(name: string, points: number, signal?: AbortSignal): Promise<Comparison> {
  const k = await api.get<Kpis>("/kpis", { world: name, query: { points }, signal });
  return {
    worlds: [{ name, state: k.state, begin: k.begin, now: k.now, changes: [], changeCount: 0 }],
    kpis: k.kpis.map((x) => ({ ...x, values: [{ world: name, value: x.value, times: x.times, values: x.values }] })),
  };
}

export const compare = (names: readonly string[], points = 300, signal?: AbortSignal): Promise<Comparison> =>
  names.length < 2
    ? alone(names[0]!, points, signal)
    : api.get("/compare", { query: { worlds: names.join(","), points }, signal });

export interface Difference {
  what: "value" | "relationship" | "twin" | "model" | "document";
  change?: "made" | "deleted";
  twin: string;
  model?: string;
  property?: string;
  relationship?: string;
  relationshipName?: string;
  target?: string;
  values?: Record<string, Value>; // of a relationship that came or went
  before?: Value;
  after?: Value;
  there?: Value; // of a conflict: what the other world has
  why?: string;
  unit?: string;
}

export interface Diff {
  counts: Record<string, number>;
  changes: Difference[];
  nextLink?: string | null; // there are more than were asked for
}

export const diff = (
  world: string,
  against?: string,
  limit = 200,
  twin?: string,
  signal?: AbortSignal,
): Promise<Diff> =>
  api.get(`/worlds/${encodeURIComponent(world)}/diff`, {
    query: { against, twin },
    headers: { "max-items-per-page": String(limit) },
    signal,
  });

export const countOf = (d: Diff): number => Object.values(d.counts).reduce((a, b) => a + b, 0);

/** What a merge would do, or did. */
export interface Merged {
  merged: number;
  conflicts: Difference[];
  changes: Difference[];
}

/** Nothing named: everything. Without a property a whole twin with its links is meant. */
export type Only = readonly { twin: string; property?: string }[];

const mergePath = (w: string) => `/worlds/${encodeURIComponent(w)}/merge`;
export const mergeTry = (world: string, only?: Only): Promise<Merged> =>
  api.post(mergePath(world), { dryRun: true, ...(only ? { only } : {}) });
export const merge = (world: string, only?: Only): Promise<Merged> => api.post(mergePath(world), only ? { only } : {});
