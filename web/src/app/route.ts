// SPDX-License-Identifier: Apache-2.0
// Where one is: view, world, instant, selection and the view's own parameters. All of it is the URL's hash, so that
// Back works and a copied link shows a colleague the same:
//
//   #/live/graph?sel=pump-1&colour=temperature      the live world
//   #/live@2026-11-23T04:00:00Z/overview            as it was then
//   #/night-shift/whatif                            a scenario
import { computed, effect, signal } from "@preact/signals";
import { pane, tellParent } from "./pane";

export interface Route {
  view: string;
  world: string; // "live" or a fork's name
  at: string; // RFC 3339, or "" for the world as it is
  params: Readonly<Record<string, string>>; // sel: the selected twin
}

export type WorldKind = "live" | "past" | "scenario";

const HOME = "overview";
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** As the server takes them. What a browser makes of "1" is no instant. */
export const isInstant = (text: string): boolean => RFC3339.test(text) && !Number.isNaN(Date.parse(text));

/** What stood in the address where an instant belongs; "": nothing, or one. */
export const noInstant = signal("");

/** What was cut on the way here says what it still says. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [where = "", view = ""] = path.split("/").map(decoded);
  const cut = where.indexOf("@");
  const params: Record<string, string> = {};
  for (const [k, v] of new URLSearchParams(query)) params[k] = v;
  const told = cut < 0 ? "" : where.slice(cut + 1);
  const at = isInstant(told) ? told : "";
  if (told !== at) noInstant.value = told;
  return {
    view: view || HOME,
    world: (cut < 0 ? where : where.slice(0, cut)) || "live",
    at,
    params,
  };
}

export function printRoute(r: Route): string {
  const where = encodeURIComponent(r.world) + (r.at ? "@" + r.at : "");
  const query = new URLSearchParams();
  for (const [k, v] of Object.entries(r.params)) if (v !== "") query.set(k, v);
  const text = query.toString();
  return `#/${where}/${encodeURIComponent(r.view)}${text ? "?" + text : ""}`;
}

export const route = signal<Route>(parseRoute(location.hash));

let known = location.hash;

/** What the address says now: a step that is taken before its event came must not undo it. */
function readAddress(): void {
  if (location.hash === known) return;
  known = location.hash;
  route.value = parseRoute(known);
}
window.addEventListener("hashchange", readAddress);

export interface Step {
  view?: string;
  world?: string;
  at?: string;
  params?: Record<string, string | null>; // merged; null or "" takes one away
  fresh?: boolean; // forget the view's own parameters (the selection stays)
  replace?: boolean; // no entry in the history: for what changes while one drags or types
}

/** The address of a step from here, for links. */
export function hrefOf(step: Step): string {
  const now = route.peek();
  const fresh = step.fresh || (step.view !== undefined && step.view !== now.view);
  const params: Record<string, string> = fresh ? (now.params.sel ? { sel: now.params.sel } : {}) : { ...now.params };
  for (const [k, v] of Object.entries(step.params ?? {})) {
    if (v) params[k] = v;
    else delete params[k];
  }
  const world = step.world ?? now.world;
  const at = step.at ?? (step.world !== undefined && step.world !== now.world ? "" : now.at);
  return printRoute({ view: step.view ?? now.view, world, at, params });
}

/** To an address "#/...". A pane leaves the history to the page around it. */
export function visit(hash: string, replace = false): void {
  if (hash === location.hash) return;
  if (replace || pane) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  known = location.hash;
  const { world, at } = route.peek();
  route.value = parseRoute(hash);
  if (pane) tellParent({ hash, push: !replace, elsewhere: route.peek().world !== world || route.peek().at !== at });
}

export function go(step: Step): void {
  readAddress();
  visit(hrefOf(step), step.replace);
}

export const view = computed(() => route.value.view);
/** Of the world and instant that are shown: the name for addresses, "live", "live@TIME", "FORK". */
export const worldName = computed(() => route.value.world + (route.value.at ? "@" + route.value.at : ""));
export const kind = computed<WorldKind>(() =>
  route.value.at ? "past" : route.value.world === "live" ? "live" : "scenario",
);
export const isLive = computed(() => kind.value === "live");
/** Values change here by themselves: live, or a scenario (a run may move it). */
export const moves = computed(() => kind.value !== "past");
export const selected = computed(() => route.value.params.sel ?? "");

export function select(twin: string): void {
  go({ params: { sel: twin || null } });
}

/** Of a world that is not there: never was, or was discarded. Whoever reads the list of worlds says so. */
export const missing = signal<{ name: string; had: boolean } | null>(null);
export const isMissing = computed(() => missing.value !== null && missing.value.name === route.value.world);

effect(() => {
  document.documentElement.dataset.world = isMissing.value ? "missing" : kind.value;
});
