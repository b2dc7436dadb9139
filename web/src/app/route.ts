// SPDX-License-Identifier: Apache-2.0
// Where one is: view, world, instant, selection and the view's own parameters. All of it is the URL's hash, so that
// Back works and a copied link shows a colleague the same:
//
//   #/live/graph?sel=pump-1&colour=temperature      the live world
//   #/live@2026-11-23T04:00:00Z/overview            as it was then
//   #/night-shift/whatif                            a scenario
import { computed, effect, signal } from "@preact/signals";

export interface Route {
  view: string;
  world: string; // "live" or a fork's name
  at: string; // RFC 3339, or "" for the world as it is
  params: Readonly<Record<string, string>>; // sel: the selected twin
}

export type WorldKind = "live" | "past" | "scenario";

const HOME = "overview";

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [where = "", view = ""] = path.split("/").map(decodeURIComponent);
  const cut = where.indexOf("@");
  const params: Record<string, string> = {};
  for (const [k, v] of new URLSearchParams(query)) params[k] = v;
  return {
    view: view || HOME,
    world: (cut < 0 ? where : where.slice(0, cut)) || "live",
    at: cut < 0 ? "" : where.slice(cut + 1),
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

window.addEventListener("hashchange", () => {
  route.value = parseRoute(location.hash);
});

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

export function go(step: Step): void {
  const hash = hrefOf(step);
  if (hash === location.hash) return;
  if (step.replace) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  route.value = parseRoute(hash);
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

effect(() => {
  document.documentElement.dataset.world = kind.value;
});
