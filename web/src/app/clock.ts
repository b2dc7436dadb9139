// SPDX-License-Identifier: Apache-2.0
// What time it is in the shown world: ages are of that clock, not of the wall's.
import { now } from "~/api/now";
import type { World } from "~/api/types";
import { current } from "~/api/worlds";
import { kind, route } from "./route";

/** A fork that nobody ran stands where it was forked, also when no value came at that very instant. */
export function clockOf(w: World | undefined): string | undefined {
  const { time, forkedFrom } = w ?? {};
  return time && forkedFrom && Date.parse(forkedFrom) > Date.parse(time) ? forkedFrom : time;
}

export function worldNow(): number {
  if (kind.value === "past") return Date.parse(route.value.at);
  const time = kind.value === "scenario" ? clockOf(current.value) : undefined;
  return time ? Date.parse(time) : now();
}

/** Up to when what happened in live is of the shown world too: a fork has it up to where it was forked. */
export function liveUntil(): number {
  if (kind.value === "past") return Date.parse(route.value.at);
  const forked = kind.value === "scenario" ? current.value?.forkedFrom : undefined;
  return forked ? Date.parse(forked) : Infinity;
}
