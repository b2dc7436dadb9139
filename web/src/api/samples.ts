// SPDX-License-Identifier: Apache-2.0
// What each replication of runs many times over came to.
import { useEffect, useState } from "preact/hooks";
import type { Numbers, Samples } from "./apart";
import { api } from "./client";

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
