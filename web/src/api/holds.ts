// SPDX-License-Identifier: Apache-2.0
// Whether what set a decision off still holds in the live world: its condition is asked again whenever one of its twins
// moves, and the values that it was set off by are compared with those of now.
import { useEffect, useState } from "preact/hooks";
import { api } from "./client";
import type { Decision } from "./decisions";
import { listen } from "./feed";
import { timesOf, valueAt } from "./twin";
import type { Twin, Value } from "./types";

export interface Gone {
  twin: string;
  property: string;
  was: Value;
  now?: Value; // undefined: it has none any more
  since?: string;
}

const WORLD = "live"; // rules act in no other
const SETTLE_MS = 400;
const AGAIN_MS = 20_000; // a condition over time may end without any value

const quoted = (text: string): string => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;

async function stands(d: Decision, signal: AbortSignal): Promise<boolean> {
  const query = { twins: `$dtId = ${quoted(d.twin)} AND (${d.definition.when})`, links: false, limit: 1 };
  const g = await api.get<{ twins: { id: string[] } }>("/graph", { world: WORLD, query, signal });
  return g.twins.id.length > 0;
}

async function differing(d: Decision, signal: AbortSignal): Promise<Gone[]> {
  const ids = [...new Set(d.trigger.values.map((v) => v.twin))];
  const read = (id: string) =>
    api.get<Twin>(`/digitaltwins/${encodeURIComponent(id)}`, { world: WORLD, signal }).catch(() => undefined);
  const twins = new Map(await Promise.all(ids.map(async (id) => [id, await read(id)] as const)));
  return d.trigger.values.flatMap((v) => {
    const twin = twins.get(v.twin);
    const now = valueAt(twin, v.property);
    if (JSON.stringify(now) === JSON.stringify(v.value)) return [];
    const { source, arrived } = timesOf(twin, v.property);
    return [{ twin: v.twin, property: v.property, was: v.value, now, since: source ?? arrived }];
  });
}

/** Which of its values are others now, when its condition does not hold any more; empty while it holds or nobody knows.
 * One that was asked for by hand needs no condition: it is over when what it saw is. */
export function useGone(d: Decision | undefined): readonly Gone[] {
  const [gone, set] = useState<readonly Gone[]>([]);
  const open = d?.state === "waiting" && d.trigger.values.length > 0;
  useEffect(() => {
    if (!d || !open) return set([]);
    const abort = new AbortController();
    let timer = 0;
    const look = () => {
      clearTimeout(timer);
      timer = window.setTimeout(look, AGAIN_MS);
      stands(d, abort.signal)
        .then((yes) => (yes ? [] : differing(d, abort.signal)))
        .then(
          (list) => abort.signal.aborted || set(list),
          () => {}, // nobody knows: nothing is said
        );
    };
    const soon = () => {
      clearTimeout(timer);
      timer = window.setTimeout(look, SETTLE_MS);
    };
    look();
    const twins = [...new Set(d.trigger.values.map((v) => v.twin))];
    const stop = listen({ world: WORLD, twins, what: ["values", "twins"] }, { changes: soon, gap: soon });
    return () => {
      abort.abort();
      clearTimeout(timer);
      stop();
    };
  }, [d?.id, open]);
  return gone;
}
