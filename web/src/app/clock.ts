// SPDX-License-Identifier: Apache-2.0
// What time it is in the shown world: ages are of that clock, not of the wall's.
import { current } from "~/api/worlds";
import { kind, route } from "./route";

export function worldNow(): number {
  if (kind.value === "past") return Date.parse(route.value.at);
  const time = kind.value === "scenario" ? current.value?.time : undefined;
  return time ? Date.parse(time) : Date.now();
}

/** Up to when what happened in live is of the shown world too: a fork has it up to where it was forked. */
export function liveUntil(): number {
  if (kind.value === "past") return Date.parse(route.value.at);
  const forked = kind.value === "scenario" ? current.value?.forkedFrom : undefined;
  return forked ? Date.parse(forked) : Infinity;
}
