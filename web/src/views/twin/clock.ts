// SPDX-License-Identifier: Apache-2.0
// What time it is in the shown world: ages are of that clock, not of the wall's.
import { useEffect, useState } from "preact/hooks";
import { current } from "~/api/worlds";
import { kind, route } from "~/app/route";

export function worldNow(): number {
  if (kind.value === "past") return Date.parse(route.value.at);
  const time = kind.value === "scenario" ? current.value?.time : undefined;
  return time ? Date.parse(time) : Date.now();
}

/** The same, looked at again every few seconds. */
export function useClock(ms = 5000): number {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && tick((n) => n + 1), ms);
    return () => clearInterval(timer);
  }, [ms]);
  return worldNow();
}
