// SPDX-License-Identifier: Apache-2.0
// Some properties of all twins, as they move: for views that draw many twins by a few values.
import { useEffect, useMemo } from "preact/hooks";
import { moves, worldName } from "~/app/route";
import { tellError } from "~/ui/toast";
import { reading, shape } from "./catalogue";
import { api } from "./client";
import { Values } from "./columns";
import { listen } from "./feed";
import { models } from "./models";
import type { Value } from "./types";

export type { Values } from "./columns";

/** Which of these some model has: the server refuses others. */
function known(paths: readonly string[]): string[] {
  const all = new Set<string>();
  for (const m of models.value.values()) for (const p of m.properties) all.add(p.path);
  return [...new Set(paths)].filter((p) => all.has(p)).slice(0, 8);
}

async function read(
  world: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, Map<string, Value>>> {
  const g = await api.get<{ twins: { id: string[] }; values: Record<string, Value[]> }>("/graph", {
    world,
    query: { values: paths.join(","), links: false },
    signal,
  });
  const out = new Map<string, Map<string, Value>>();
  for (const p of paths) {
    const column = new Map<string, Value>();
    g.values[p]?.forEach((v, i) => v !== null && column.set(g.twins.id[i]!, v));
    out.set(p, column);
  }
  return out;
}

export function useValues(paths: readonly string[]): Values {
  const values = useMemo(() => new Values(), []);
  const world = worldName.value;
  const live = moves.value;
  values.of(world);
  const ask = reading.value ? "" : known(paths).sort().join(",");
  useEffect(() => {
    const names = ask ? ask.split(",") : [];
    if (!names.length) return;
    const abort = new AbortController();
    const again = () =>
      values
        .read(world, () => read(world, names, abort.signal))
        .catch((e: unknown) => abort.signal.aborted || tellError(e));
    void again();
    const stop = live
      ? listen(
          { world, properties: names },
          {
            changes: (list) => values.apply(list),
            subscribed: () => void again(),
            gap: () => void again(),
          },
        )
      : () => {};
    return () => {
      abort.abort();
      stop();
    };
  }, [world, live, ask, shape.value]);
  return values;
}
