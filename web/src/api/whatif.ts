// SPDX-License-Identifier: Apache-2.0
// What-ifs: definitions to try, pairs of worlds that run side by side, and what came of them.
import { signal } from "@preact/signals";
import { all, api } from "./client";
import type { Run, Value, Whatif, World } from "./types";
import { drop, fork, readWorlds, worlds } from "./worlds";

export const BASE = ".base"; // behind the name of the world without the changes

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

/** How often a prepared what-if is tried: more often tells how sure one may be. */
export const TIMES = [1, 30, 100] as const;

export const whatifs = signal<readonly Whatif[]>([]);
export const readWhatifs = async () => {
  whatifs.value = await all<Whatif>("/whatifs");
};

interface Started {
  world?: string; // of a run
  baseline?: string;
  ensemble?: number; // many times over
}

/** Two worlds of one instant begin to run; with replications nothing is written to a world. */
export async function tryWhatif(name: string, replications = 1): Promise<Started> {
  const body = replications > 1 ? { replications } : { again: true };
  const s = await api.post<Started>(`/whatifs/${encodeURIComponent(name)}/run`, body);
  await readWorlds();
  return s;
}

export interface Ensemble {
  id: number;
  title?: string;
  about?: string;
  state: "running" | "done" | "stopped" | "failed";
  replications: number;
  of: number;
  seconds: number;
  error?: { message: string };
}

export const readEnsemble = (id: number, signal?: AbortSignal) =>
  api.get<{ value: Ensemble[] }>("/ensembles", { signal }).then((r) => r.value.find((e) => e.id === id));
/** As runs side by side: the shape of a comparison, with intervals. */
export const ensembleRuns = (id: number, signal?: AbortSignal): Promise<Comparison> =>
  api.get(`/ensembles/${id}`, { query: { format: "runs" }, signal });
export const stopEnsemble = (id: number) => api.post(`/ensembles/${id}/stop`);

/** One's own: the world as it would be, and a copy to change. */
export async function forkPair(name: string, from: string): Promise<void> {
  await fork({ name: name + BASE, from, purpose: `${name}, without its changes` });
  try {
    await fork({ name, from: name + BASE, purpose: `what-if of ${from}` });
  } catch (e) {
    await drop(name + BASE).catch(() => {});
    throw e;
  }
}

export interface RunAsk {
  for: string;
  output?: string;
  changes?: Planned[];
}

/** Both of a pair run, one of them with the planned changes. */
export async function runPair(name: string, ask: RunAsk): Promise<void> {
  const base = worlds.peek().some((w) => w.name === name + BASE);
  const path = (w: string) => `/worlds/${encodeURIComponent(w)}/run`;
  const { changes: _, ...plain } = ask;
  if (base) await api.post(path(name + BASE), plain);
  await api.post(path(name), ask);
  await readWorlds();
}

export const pauseRun = (w: string) => api.post(`/worlds/${encodeURIComponent(w)}/pause`).then(readWorlds);

export async function dropPair(name: string): Promise<void> {
  await drop(name);
  if (worlds.peek().some((w) => w.name === name + BASE)) await drop(name + BASE);
}

export const compare = (names: readonly string[], points = 300, signal?: AbortSignal): Promise<Comparison> =>
  api.get("/compare", { query: { worlds: names.join(","), points }, signal });

export interface Difference {
  what: string;
  twin: string;
  model?: string;
  property?: string;
  before: Value;
  after: Value;
  there?: Value;
  unit?: string;
}

export const diff = (world: string, against?: string, limit = 200) =>
  api.get<{ counts: Record<string, number>; changes: Difference[] }>(`/worlds/${encodeURIComponent(world)}/diff`, {
    query: { against },
    headers: { "max-items-per-page": String(limit) },
  });

export const merge = (world: string, only: { twin: string; property: string }[] | undefined) =>
  api.post<{ merged?: number; conflicts?: unknown[] }>(
    `/worlds/${encodeURIComponent(world)}/merge`,
    only ? { only } : {},
  );

export const isBase = (w: World): boolean => w.name.endsWith(BASE);
export const runOf = (w: World | undefined): Run | undefined => w?.run;
