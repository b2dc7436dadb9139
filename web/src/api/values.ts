// SPDX-License-Identifier: Apache-2.0
// Some properties of all twins, as they move: for views that draw many twins by a few values.
import { useEffect, useMemo } from "preact/hooks";
import { signal } from "@preact/signals";
import { moves, worldName } from "~/app/route";
import { tellError } from "~/ui/toast";
import { reading, shape } from "./catalogue";
import { api } from "./client";
import { listen } from "./feed";
import { models } from "./models";
import type { Change, Value } from "./types";

const MOST_DURING = 100_000; // changes kept while one reads

export class Values {
  /** Counts up when something changed. */
  readonly version = signal(0);
  private columns = new Map<string, Map<string, Value>>();

  get(id: string, path: string): Value | undefined {
    return this.columns.get(path)?.get(id);
  }

  /** It was read; until then nothing is known of anybody. */
  has(path: string): boolean {
    return this.columns.has(path);
  }

  private world = "";
  private reading = 0;
  private during: Change[] | undefined; // told while it is read: newer than what is read

  /** From here on of this world: nothing is known of it until it is read. */
  of(world: string): void {
    if (this.world === world) return;
    this.world = world;
    this.columns = new Map();
  }

  /** Read by `once`; of several at a time the one that began last counts. */
  async read(world: string, once: () => Promise<Map<string, Map<string, Value>>>): Promise<void> {
    const mine = ++this.reading;
    const during: Change[] = (this.during = []);
    const columns = await once();
    if (mine !== this.reading || this.world !== world) return;
    this.columns = columns;
    this.during = undefined;
    this.apply(during);
  }

  apply(list: readonly Change[]): void {
    for (const c of list) if (this.during && this.during.length < MOST_DURING) this.during.push(c);
    for (const c of list) if (c.path) this.set(c.twin, c.path, c.value);
    this.version.value++;
  }

  private set(id: string, path: string, v: Value | undefined): void {
    const c = this.columns.get(path);
    if (v === undefined || v === null) c?.delete(id);
    else c?.set(id, v);
  }
}

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
