// SPDX-License-Identifier: Apache-2.0
// The worlds there are, kept up to date while the page is looked at.
import { computed, effect, signal } from "@preact/signals";
import { go, missing, route } from "~/app/route";
import { follow, teach, type Reading } from "./board";
import { all, api } from "./client";
import type { World } from "./types";

export const BASE = ".base"; // behind the name of the world without the changes
export const isBase = (w: World): boolean => w.name.endsWith(BASE);

export const worlds = signal<readonly World[]>([]);
export const worldsRead = signal(false);
/** Why they could not be read the last time; undefined: they could. */
export const worldsError = signal<unknown>(undefined);

const SLOW_MS = 5000;
const FAST_MS = 1000; // while something runs

export const current = computed(() => worlds.value.find((w) => w.name === route.value.world));

const had = new Set<string>(); // seen while this page was open

function show(list: readonly World[]): void {
  worlds.value = list;
  for (const w of list) had.add(w.name);
  worldsRead.value = true;
  worldsError.value = undefined;
}

export const readWorlds = (): Promise<void> =>
  all<World>("/worlds").then(show, (e: unknown) => {
    worldsError.value = e;
    throw e;
  });

/** After it was refused: whether it is again the signal says. */
export const readWorldsAgain = (): void => void readWorlds().catch(() => {});

const there = (name: string) => name === "live" || worlds.peek().some((w) => w.name === name);

/** It was discarded, or never was: the server says so. Without an answer nothing is said. */
export async function isGone(name: string): Promise<boolean> {
  if (name === "live") return false;
  try {
    await readWorlds();
  } catch {
    return false;
  }
  return !there(name);
}

/** Whether the shown world exists: a list that is older than the way there is read anew first. */
function watchMissing(): void {
  effect(() => {
    const name = route.value.world;
    void worlds.value;
    if (!worldsRead.value) return; // the first list is on its way
    if (there(name)) missing.value = null;
    else if (missing.peek()?.name !== name)
      void isGone(name).then((gone) => {
        if (gone && route.peek().world === name) missing.value = { name, had: had.has(name) };
      });
  });
}

interface News {
  list?: readonly World[];
  error?: unknown;
}

const KIND = "worlds";
teach<News>(KIND, (tell): Reading => {
  let timer = 0;
  let over = false;
  const round = async () => {
    clearTimeout(timer);
    if (document.visibilityState === "visible")
      await all<World>("/worlds").then(
        (list) => tell({ list }),
        (error: unknown) => tell({ error }),
      );
    const busy = worlds.value.some((w) => w.status === "running" || w.status === "starting");
    if (!over) timer = window.setTimeout(() => void round(), busy ? FAST_MS : SLOW_MS);
  };
  void round();
  return { stop: () => ((over = true), clearTimeout(timer)) };
});

/** The page calls it once; two panes in it are told what it reads. */
export function startWorlds(): void {
  watchMissing();
  follow<News>(KIND, [], (n) => (n.list ? show(n.list) : (worldsError.value = n.error)));
}

export interface Fork {
  name: string;
  from: string;
  purpose?: string;
}

export async function fork(f: Fork): Promise<World> {
  const made = await api.post<World>("/worlds", f);
  await readWorlds().catch(() => {});
  return made;
}

export async function drop(name: string): Promise<void> {
  await api.delete(`/worlds/${encodeURIComponent(name)}`);
  if (route.value.world === name) go({ world: "live", replace: true });
  await readWorlds().catch(() => {});
}

const two = (n: number): string => String(n).padStart(2, "0");

/** Of what a copy is made says its name: "from-15-19", of another day "from-11-22-15-19"; of a copy that one's. */
export function forkName(): string {
  const { world, at } = route.peek();
  if (world !== "live") return freeName(world.replace(/-\d$/, ""));
  const t = at ? new Date(at) : new Date();
  const today = t.toDateString() === new Date().toDateString();
  const day = today ? [] : [t.getMonth() + 1, t.getDate()];
  return freeName(["from", ...[...day, t.getHours(), t.getMinutes()].map(two)].join("-"));
}

/** A free name: "try", "try-2", ... */
export function freeName(stem: string, more: Iterable<string> = []): string {
  const taken = new Set([...worlds.value.map((w) => w.name), ...more]);
  if (!taken.has(stem)) return stem;
  for (let i = 2; ; i++) if (!taken.has(`${stem}-${i}`)) return `${stem}-${i}`;
}
