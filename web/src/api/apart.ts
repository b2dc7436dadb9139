// SPDX-License-Identifier: Apache-2.0
// By how much two ways that ran many times differ, and how sure that is: every replication ran with the same chances in
// each way, so that they are compared one by one.
import { useEffect, useState } from "preact/hooks";
import { api } from "./client";

type Numbers = readonly (number | null)[];
/** Of a KPI what each replication came to, of each way. */
export type Samples = ReadonlyMap<string, readonly Numbers[]>;

interface Document {
  cases?: { kpis: { name: string; samples?: Numbers }[] }[];
}

async function readSamples(id: number, signal: AbortSignal): Promise<Samples> {
  const query = { format: "json", samples: true };
  const { cases } = await api.get<Document>(`/ensembles/${id}`, { query, signal });
  const of = (name: string) => (cases ?? []).map((c) => c.kpis.find((k) => k.name === name)?.samples ?? []);
  return new Map((cases?.[0]?.kpis ?? []).map((k) => [k.name, of(k.name)]));
}

/** Read once it is over; undefined until then, and of what ran once. */
export function useSamples(id: number | undefined, over: boolean): Samples | undefined {
  const [samples, set] = useState<Samples>();
  useEffect(() => {
    set(undefined);
    if (!id || !over) return;
    const abort = new AbortController();
    readSamples(id, abort.signal).then(set, () => {}); // then it is told without an interval
    return () => abort.abort();
  }, [id, over]);
  return samples;
}

const Z = 1.959964; // 97.5 of 100 of a normal distribution lie below

/** The same of a t distribution (Cornish and Fisher); good to the third digit from 5 degrees of freedom on. */
function quantile(n: number): number {
  const first = (Z ** 3 + Z) / (4 * n);
  const second = (5 * Z ** 5 + 16 * Z ** 3 + 3 * Z) / (96 * n ** 2);
  return Z + first + second + (3 * Z ** 7 + 19 * Z ** 5 + 17 * Z ** 3 - 15 * Z) / (384 * n ** 3);
}

const FEWEST = 6;

/** The mean of a less b, and where it lies in 95 of 100 cases. */
export function apart(a: Numbers = [], b: Numbers = []): { mean: number; low: number; high: number } | undefined {
  const d = a.flatMap((x, i) => (typeof x === "number" && typeof b[i] === "number" ? [x - b[i]] : []));
  if (d.length < FEWEST) return undefined;
  const mean = d.reduce((s, x) => s + x, 0) / d.length;
  const variance = d.reduce((s, x) => s + (x - mean) ** 2, 0) / (d.length - 1);
  const half = quantile(d.length - 1) * Math.sqrt(variance / d.length);
  return { mean, low: mean - half, high: mean + half };
}
