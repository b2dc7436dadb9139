// SPDX-License-Identifier: Apache-2.0
// What the clock of the shown world means for a twin's values.
import { useEffect, useState } from "preact/hooks";
import { current } from "~/api/worlds";
import { worldNow } from "~/app/clock";
import { kind } from "~/app/route";

const SAME_MS = 2000;

/**
 * In a what-if that went on: a measured value that nothing there has moved since it was forked. By the clock of the
 * world, since that of a device may go ahead; as texts, since a run begins less than a millisecond after its fork.
 */
export function isAtFork(s: { arrived?: string; sensor: boolean }): boolean {
  const w = kind.value === "scenario" ? current.value : undefined;
  if (!w?.forkedFrom || !w.time || !s.sensor || !s.arrived) return false;
  return Date.parse(w.time) > Date.parse(w.forkedFrom) + SAME_MS && s.arrived <= w.forkedFrom;
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
