// SPDX-License-Identifier: Apache-2.0
// What runs goes on when one looks elsewhere, and says so when it is over: forks by the list of worlds, runs many times
// over by their number, which this browser's tab remembers.
import { effect, signal } from "@preact/signals";
import { go, route } from "~/app/route";
import { tell } from "~/ui/toast";
import { words } from "~/words/en";
import { api } from "./client";
import type { World } from "./types";
import { isBase, worlds } from "./worlds";

export interface Ensemble {
  id: number;
  world?: string;
  title?: string;
  about?: string;
  state: "starting" | "running" | "done" | "stopped" | "failed";
  replications: number;
  of: number;
  seconds: number;
  begun?: string;
  begin?: string;
  until?: string;
  sentence?: string;
  caseCount?: number;
  error?: { message: string };
}

export const ensembles = signal<readonly Ensemble[]>([]);

const KEY = "sosia.ensembles";
const ROUND_MS = 1000;
const followed = new Map<number, Record<string, string>>(); // with the address that shows it
let timer = 0;

function remember(): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...followed]));
  } catch {
    // full or forbidden: it lasts as long as the page
  }
}

export const isWorking = (e: Ensemble): boolean => e.state === "running" || e.state === "starting";

export async function readEnsembles(abort?: AbortSignal): Promise<readonly Ensemble[]> {
  return (ensembles.value = (await api.get<{ value: Ensemble[] }>("/ensembles", { signal: abort })).value);
}

export const readEnsemble = (id: number, abort?: AbortSignal): Promise<Ensemble | undefined> =>
  readEnsembles(abort).then((list) => list.find((e) => e.id === id));

/** Tell when it is over; `params` are those of the address that shows it. */
export function follow(id: number, params: Record<string, string> = {}): void {
  followed.set(id, { ...params, ensemble: String(id) });
  remember();
  clearTimeout(timer);
  timer = window.setTimeout(() => void round(), ROUND_MS);
}

function ensembleOver(e: Ensemble): void {
  const params = followed.get(e.id)!;
  followed.delete(e.id);
  remember();
  if (route.peek().params.ensemble === String(e.id)) return;
  const text = e.state === "failed" ? words.whatif.manyFailed(e.title ?? "") : words.whatif.manyDone(e.title ?? "");
  tell(text, {
    bad: e.state === "failed",
    action: { title: words.whatif.show, run: () => go({ world: "live", at: "", view: "whatif", params, fresh: true }) },
  });
}

async function round(): Promise<void> {
  const list = await readEnsembles().catch(() => undefined);
  for (const id of [...followed.keys()]) {
    const e = list?.find((x) => x.id === id);
    if (e && !isWorking(e)) ensembleOver(e);
    else if (list && !e) {
      followed.delete(id);
      remember();
    }
  }
  clearTimeout(timer); // somebody may have begun another one meanwhile
  if (followed.size) timer = window.setTimeout(() => void round(), ROUND_MS);
}

const shownNow = (name: string): boolean => {
  const r = route.peek();
  return r.view === "whatif" && (r.world === name || (r.params.compare ?? "").split(",").includes(name));
};

function runOver(w: World): void {
  if (isBase(w) || shownNow(w.name)) return;
  const failed = w.run?.state === "failed";
  tell(failed ? words.whatif.runFailed(w.name, w.run?.error?.message ?? "") : words.whatif.runDone(w.name), {
    bad: failed,
    action: {
      title: words.whatif.show,
      run: () => go({ world: w.name, at: "", view: "whatif", fresh: true }),
    },
  });
}

/** The page calls it once. */
export function startRuns(): void {
  let before = new Map<string, string>();
  effect(() => {
    for (const w of worlds.value) {
      const state = w.run?.state ?? "";
      const was = before.get(w.name);
      if ((was === "running" || was === "starting") && (state === "done" || state === "failed")) runOver(w);
    }
    before = new Map(worlds.value.map((w) => [w.name, w.run?.state ?? ""]));
  });
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as [number, Record<string, string>][];
    for (const [id, params] of kept) follow(id, params);
  } catch {
    // nothing was kept
  }
}
