// SPDX-License-Identifier: Apache-2.0
// Which two worlds, at which instants: all of it from the address. A is the world of the page; `with` is B, "NAME" at
// A's clock, or "NAME@TIME" ("NAME@": as it is) by itself.
import { computed, signal } from "@preact/signals";
import { BASE } from "~/api/whatif";
import type { World } from "~/api/types";
import { worlds } from "~/api/worlds";
import { clockOf } from "~/app/clock";
import { now } from "~/api/now";
import { go, hrefOf, printRoute, route } from "~/app/route";
import type { Side as Name } from "~/app/pane";
import { words } from "~/words/en";
import * as format from "~/format";
import { pathOf, refOf, type WorldRef } from "./names";

export const PANE_VIEWS = ["graph", "map", "scene", "overview", "twin"] as const;
export type Shown = (typeof PANE_VIEWS)[number] | "figures";

/** Parameters of the comparison itself; all others are the panes' view's. */
const OWN = new Set(["with", "view", "clock", "mode", "ensemble"]);

const STEP_MS = 15_000; // a world that is shown at live's now follows it in steps
const SAME_MS = 2000;

export interface Side {
  ref: WorldRef; // as it is shown
  path: string;
  time: number; // of its clock, ms; NaN while it is not known
  note: string; // how it keeps to the clock
}

export interface Sides {
  a: Side;
  b: Side;
  one: boolean; // one clock, or could be
  own: boolean; // each at its newest
  moving: boolean;
}

/** Steps on with live. */
export const step = signal(Math.floor(now() / STEP_MS));
export const startSteps = (): (() => void) => {
  const timer = setInterval(() => (step.value = Math.floor(now() / STEP_MS)), 1000);
  return () => clearInterval(timer);
};

export const shownView = computed<Shown>(() => {
  const v = route.value.params.view ?? "graph";
  return v === "figures" || (PANE_VIEWS as readonly string[]).includes(v) ? (v as Shown) : "graph";
});

const worldOf = (name: string): World | undefined => worlds.value.find((w) => w.name === name);

/** How far a world's clock has come. */
function endOf(name: string): number {
  if (name === "live") return step.value * STEP_MS;
  return Date.parse(clockOf(worldOf(name)) ?? "");
}

const runs = (name: string) => ["running", "starting"].includes(worldOf(name)?.status ?? "");
const moves = (name: string) => name === "live" || runs(name);

/** A world at an instant of the one clock; where it has not come so far, as far as it is. */
function sideAt(name: string, t: number, asked: boolean): Side {
  const end = endOf(name);
  if (Number.isNaN(end) || t > end - SAME_MS) {
    const late = asked && end < t - SAME_MS;
    const ref = { name, at: "" };
    return { ref, path: name, time: end, note: late ? words.compare.stands(format.time(end)) : "" };
  }
  const ref = { name, at: format.instant(t) };
  return { ref, path: pathOf(ref), time: t, note: asked ? "" : words.compare.goesOn(format.time(end)) };
}

function pinned(ref: WorldRef): Side {
  const time = ref.at ? Date.parse(ref.at) : endOf(ref.name);
  return { ref, path: pathOf(ref), time, note: ref.at ? words.compare.pinned : "" };
}

function sidesOf(a: WorldRef, other: string, own: boolean): Sides {
  const b = refOf(other);
  const moving = (moves(a.name) && !a.at) || (moves(b.name) && !b.at);
  const free = (ref: WorldRef): Side => ({ ...pinned(ref), note: "" });
  if (other.includes("@")) return { a: free(a), b: pinned(b), one: false, own: false, moving };
  if (a.at) {
    const t = Date.parse(a.at);
    return { a: sideAt(a.name, t, true), b: sideAt(b.name, t, true), one: true, own: false, moving: false };
  }
  const [x, y] = [endOf(a.name), endOf(b.name)];
  // Where one runs there is no common time to hold to: both are shown as they go.
  const apart = Math.abs(x - y) > SAME_MS;
  if (own || runs(a.name) || runs(b.name) || !apart) return { a: free(a), b: free(b), one: apart, own: apart, moving };
  const t = Math.min(x, y);
  return { a: sideAt(a.name, t, false), b: sideAt(b.name, t, false), one: true, own: false, moving };
}

/** Null: nothing is chosen to compare with. */
export const sides = computed<Sides | null>(() => {
  const r = route.value;
  const other = r.params.with ?? "";
  return other ? sidesOf({ name: r.world, at: r.at }, other, r.params.clock === "own") : null;
});

/** What a pane shows: the view with its own parameters, coloured by the difference. */
export function paneHash(s: Sides, side: Name): string {
  const { ref } = s[side];
  const params: Record<string, string> = {};
  for (const [k, v] of Object.entries(route.value.params)) if (!OWN.has(k)) params[k] = v;
  params.vs = s[side === "a" ? "b" : "a"].path;
  if (side === "a") params.flip = "1";
  const view = shownView.value;
  return printRoute({ view: view === "figures" ? "graph" : view, world: ref.name, at: ref.at, params });
}

/** The step of the page that follows one of a pane: its parameters for those of before. */
export function ownParams(params: Readonly<Record<string, string>>): Record<string, string | null> {
  const out: Record<string, string | null> = {};
  for (const k of Object.keys(route.peek().params)) if (!OWN.has(k)) out[k] = null;
  for (const [k, v] of Object.entries(params)) if (k !== "vs" && k !== "flip") out[k] = v;
  return out;
}

const forgotten = { ensemble: null, cam: null, pan: null };

/** Another world for one of the two. A world beside itself stands still where the other one moves. */
export function choose(side: Name, ref: WorldRef): void {
  const r = route.peek();
  const other = r.params.with ?? "";
  const params: Record<string, string | null> = { ensemble: null };
  if (side === "b") params.with = ref.at || ref.name === r.world ? `${ref.name}@${ref.at}` : ref.name;
  else if (ref.name === other) params.with = other + "@";
  go({ ...(side === "a" ? { world: ref.name, at: ref.at } : {}), params });
}

export function swap(): void {
  const r = route.peek();
  const other = r.params.with ?? "live";
  const b = refOf(other);
  const both = other.includes("@");
  const back = both ? `${r.world}@${r.at}` : r.world;
  go({ world: b.name, at: both ? b.at : r.at, params: { with: back, ensemble: null } });
}

export function showView(v: Shown): void {
  const { sel = "", little = null } = route.peek().params;
  const gone: Record<string, string | null> = {};
  for (const k of Object.keys(route.peek().params)) if (!OWN.has(k)) gone[k] = null;
  go({ params: { ...gone, ...forgotten, ensemble: route.peek().params.ensemble ?? null, sel, little, view: v } });
}

/** The address that compares two; "" for B: whoever looks at it chooses. */
export function compareHref(a: WorldRef, b: string): string {
  return hrefOf({ view: "compare", world: a.name, at: a.at, params: { with: b || null } });
}

/** A what-if's world without its changes, if it is there. */
export const baseOf = (name: string): string => (worldOf(name + BASE) ? name + BASE : "");
