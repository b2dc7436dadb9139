// SPDX-License-Identifier: Apache-2.0
// What each replication of runs many times over came to.
import { useEffect, useState } from "preact/hooks";
import type { Numbers, Samples } from "./apart";
import { api } from "./client";
import type { Ensemble } from "./runs";
import type { ComparedKpi, ComparedValue, Comparison } from "./whatif";

interface Difference {
  mean: number | null;
  low?: number | null;
  high?: number | null;
  relative?: number | null;
  verdict?: ComparedValue["verdict"] | null;
}

interface CaseKpi extends Omit<ComparedKpi, "values"> {
  mean: number | null;
  difference?: Difference;
  samples?: Numbers;
}

interface Document extends Pick<Ensemble, "begin" | "until" | "state" | "sentence"> {
  cases?: { name: string; kpis: CaseKpi[] }[];
}

/** What runs many times over came to, without how they went. */
export interface Outcome {
  comparison: Comparison;
  samples: Samples;
}

const readDocument = (id: number, signal?: AbortSignal): Promise<Document> =>
  api.get(`/ensembles/${id}`, { query: { format: "json", samples: true }, signal });

function samplesOf({ cases = [] }: Document): Samples {
  const of = (name: string) => cases.map((c) => c.kpis.find((k) => k.name === name)?.samples ?? []);
  return new Map((cases[0]?.kpis ?? []).map((k) => [k.name, of(k.name)]));
}

const valueOf = (world: string, { mean, difference: d }: CaseKpi): ComparedValue => ({
  world,
  value: mean,
  ...(d && { difference: d.mean, differenceLow: d.low, differenceHigh: d.high, relative: d.relative }),
  ...(d?.verdict && { verdict: d.verdict }),
});

function comparisonOf({ cases = [], begin, until, state, sentence }: Document): Comparison {
  return {
    sentence,
    worlds: cases.map(({ name }) => ({ name, state, begin, until, changes: [], changeCount: 0 })),
    kpis: (cases[0]?.kpis ?? []).map(({ mean: _, difference: _d, samples: _s, ...k }, i) => ({
      ...k,
      values: cases.map((c) => valueOf(c.name, c.kpis[i]!)),
    })),
  };
}

export const readOutcome = (id: number, signal?: AbortSignal): Promise<Outcome> =>
  readDocument(id, signal).then((d) => ({ comparison: comparisonOf(d), samples: samplesOf(d) }));

/** Read once it is over; undefined until then, and of what ran once. */
export function useSamples(id: number | undefined, over: boolean): Samples | undefined {
  const [samples, set] = useState<Samples>();
  useEffect(() => {
    set(undefined);
    if (!id || !over) return;
    const abort = new AbortController();
    readDocument(id, abort.signal).then(
      (d) => set(samplesOf(d)),
      () => {}, // then it is told without an interval
    );
    return () => abort.abort();
  }, [id, over]);
  return samples;
}
