// SPDX-License-Identifier: Apache-2.0
// Since when a value stands as it is: sources tell the same again and again, history knows when it was new.
import { useEffect, useState } from "preact/hooks";
import { worldName } from "~/app/route";
import { says, watched } from "./alerts";
import { fetchHistory } from "./history";
import { models } from "./models";
import { faultOf, type Fault } from "./remedies";
import type { Twin, Value } from "./types";

const BACK = "-24h";
const KNOWN_MS = 10_000; // so long it is not asked again: it may end, and begin anew with the same value
const KNOWN_MAX = 200;
const known = new Map<string, { began: string; asked: number }>(); // by world, twin, property and value

/** RFC 3339; "" when history does not tell. */
export async function beganOf(world: string, twin: string, path: string, value: Value): Promise<string> {
  const key = JSON.stringify([world, twin, path, value]);
  const found = known.get(key);
  if (found && performance.now() - found.asked < KNOWN_MS) return found.began;
  const series = await fetchHistory({ world, twin, properties: [path], from: BACK });
  const { time, value: values } = series[0] ?? { time: [], value: [] };
  let i = values.length;
  while (i > 0 && values[i - 1] === value) i--;
  const at = time[i];
  // The oldest that is looked at may have stood before.
  const began = at === undefined ? "" : new Date(at * 1000).toISOString();
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(key, { began, asked: performance.now() });
  return began;
}

/** When live says something is wrong with it, after an instant at which nothing is; "" when it never does. */
export async function nextFault(twin: Twin, at: string): Promise<string> {
  const own = models.peek().get(twin.$metadata.$model)?.properties ?? [];
  const paths = own
    .filter((p) => !p.telemetry && p.path !== "state" && watched.peek().some((x) => x.path === p.path))
    .map((p) => p.path);
  if (!paths.length) return "";
  const series = await fetchHistory({ world: "live", twin: twin.$dtId, properties: paths, from: at });
  const times = series.flatMap((s) => {
    const i = s.value.findIndex((v) => says(s.property, v as Value));
    return i < 0 ? [] : [s.time[i]!];
  });
  return times.length ? new Date(Math.min(...times) * 1000).toISOString() : "";
}

/** The fault of a twin with since when it stands; first with when it was last told. */
export function useFault(twin: Twin | undefined): Fault | undefined {
  const fault = twin && faultOf(twin);
  const [since, set] = useState("");
  const world = worldName.value;
  const key = fault ? JSON.stringify([twin.$dtId, fault.property.path, fault.value]) : "";
  useEffect(() => {
    set("");
    if (!fault || !key) return;
    let on = true;
    beganOf(world, twin.$dtId, fault.property.path, fault.value).then(
      (t) => on && set(t),
      () => {},
    );
    return () => void (on = false);
  }, [key, world]);
  return fault && { ...fault, since: since || fault.since };
}
