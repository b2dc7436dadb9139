// SPDX-License-Identifier: Apache-2.0
// What two worlds come to: KPIs that their runs counted, with intervals when both ran many times over; of worlds that
// did not run, the derived values as they stand.
import { useEffect } from "preact/hooks";
import { useKept } from "~/ui/kept";
import { all, api } from "./client";
import { told } from "~/format";
import { byId, entries, labelOf } from "./catalogue";
import { unequalDays } from "./counted";
import { modelName, models, propertyOf } from "./models";
import type { Twin } from "./types";
import { compare, ensembleRuns, readEnsemble, type ComparedKpi, type Comparison, type Ensemble } from "./whatif";
import { valueAt } from "./twin";

export interface Figures {
  kpis: readonly ComparedKpi[];
  sentence: string;
  notes: readonly string[];
  counted: boolean; // by runs; else values as they stand
  days?: readonly number[]; // how long each ran, where that is not the same
  without: readonly string[]; // worlds in which no run counted anything
  ensemble?: Ensemble;
}

const MOVING_MS = 2000;
const RETRY_MS = 5000; // after a round that failed, of worlds that move
const VALUES_MOST = 12;
const READ_MOST = 400; // twins whose derived values are paired

/** How often a pair is run to tell how sure one may be. */
export const REPLICATIONS = 30;

export const startSure = (a: string, b: string): Promise<{ id: number }> =>
  api.post("/compare", { worlds: [a, b], replications: REPLICATIONS });

async function counted(a: string, b: string, ensemble: number, signal: AbortSignal): Promise<Figures | string[]> {
  const e = ensemble ? await readEnsemble(ensemble, signal).catch(() => undefined) : undefined;
  const many = e && e.state !== "running" && e.replications > 1;
  const c: Comparison = many ? await ensembleRuns(ensemble, signal) : await compare([a, b], 240, signal);
  const without = c.worlds.filter((w) => w.state === "idle").map((w) => w.name);
  const kpis = c.kpis.filter((k) => k.values.length > 1);
  if (!many && without.length) return without;
  return {
    kpis,
    sentence: told(c.sentence ?? ""),
    notes: (c.notes ?? []).map(told),
    counted: true,
    days: unequalDays(c),
    without: [],
    ensemble: e,
  };
}

interface Derived {
  model?: string;
  twin?: string;
  property: string;
}

/** Derived values of the whole, those of few twins first. */
async function derived(world: string, signal: AbortSignal): Promise<{ twin: string; property: string }[]> {
  const list = await all<Derived>("/derived", { world, signal });
  const of = (d: Derived) =>
    d.twin
      ? [{ twin: d.twin, property: d.property }]
      : entries
          .peek()
          .filter((e) =>
            models
              .peek()
              .get(e.model)
              ?.ancestors.has(d.model ?? ""),
          )
          .map((e) => ({ twin: e.id, property: d.property }));
  return list
    .map(of)
    .sort((x, y) => x.length - y.length)
    .flat()
    .filter((k) =>
      ["number", "integer"].includes(propertyOf(byId.peek().get(k.twin)?.model ?? "", k.property)?.type ?? ""),
    )
    .slice(0, READ_MOST);
}

async function twinsOf(world: string, ids: readonly string[], signal: AbortSignal): Promise<Map<string, Twin>> {
  const out = new Map<string, Twin>();
  const get = (id: string) =>
    api.get<Twin>(`/digitaltwins/${encodeURIComponent(id)}`, { world, signal }).then(
      (t) => out.set(id, t),
      () => {},
    );
  await Promise.all(ids.map(get));
  return out;
}

async function standing(a: string, b: string, without: readonly string[], signal: AbortSignal): Promise<Figures> {
  const list = (await derived(a, signal)).slice(0, VALUES_MOST);
  const ids = [...new Set(list.map((k) => k.twin))];
  const [x, y] = await Promise.all([twinsOf(a, ids, signal), twinsOf(b, ids, signal)]);
  const num = (t: Twin | undefined, path: string) => {
    const v = valueAt(t, path);
    return typeof v === "number" ? v : null;
  };
  const kpis = list.map((k): ComparedKpi => {
    const p = propertyOf(byId.peek().get(k.twin)?.model ?? "", k.property);
    const [va, vb] = [num(x.get(k.twin), k.property), num(y.get(k.twin), k.property)];
    const difference = va === null || vb === null ? null : vb - va;
    return {
      name: `${k.twin}.${k.property}`,
      title: `${p?.name ?? k.property}, ${labelOf(k.twin)}`,
      unit: p?.unit ?? "",
      over: modelName(byId.peek().get(k.twin)?.model ?? ""),
      values: [
        { world: a, value: va },
        { world: b, value: vb, difference, relative: difference !== null && va ? difference / Math.abs(va) : null },
      ],
    };
  });
  return { kpis, sentence: "", notes: [], counted: false, without };
}

export interface FiguresState {
  figures?: Figures;
  error?: unknown;
}

const NOTHING: FiguresState = {};

/** KPIs are of whole runs: worlds without their instants; values are of what is shown. */
export function useFigures(
  names: readonly [string, string],
  paths: readonly [string, string],
  ensemble: number,
  moving: boolean,
  asked = 0, // counts up when somebody wants it read once more
): FiguresState {
  const [a, b] = names;
  const [pa, pb] = paths;
  const [state, set] = useKept<FiguresState>(JSON.stringify([a, b, pa, pb]));
  const known = entries.value.length > 0 && models.value.size > 0;
  useEffect(() => {
    if (!known) return;
    const abort = new AbortController();
    let timer = 0;
    const round = async () => {
      try {
        // Live is not run; of one world at two instants there is one run: nothing to compare.
        const still = a === b || a === "live" || b === "live" ? [...new Set([a, b].filter((w) => w === "live"))] : null;
        const runs = still ?? (await counted(a, b, ensemble, abort.signal));
        const figures = Array.isArray(runs) ? await standing(pa, pb, runs, abort.signal) : runs;
        if (abort.signal.aborted) return;
        set({ figures });
        if (moving || figures.ensemble?.state === "running") timer = window.setTimeout(() => void round(), MOVING_MS);
      } catch (error) {
        if (abort.signal.aborted) return;
        set((s) => ({ ...s, error }));
        if (moving) timer = window.setTimeout(() => void round(), RETRY_MS);
      }
    };
    void round();
    return () => (abort.abort(), clearTimeout(timer));
  }, [a, b, pa, pb, ensemble, moving, known, asked]);
  return state ?? NOTHING;
}
