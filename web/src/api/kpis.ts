// SPDX-License-Identifier: Apache-2.0
// Definitions of KPIs: what they are called, and what they count.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api } from "./client";
import type { Kpi } from "./types";

const known = signal<ReadonlyMap<string, Kpi>>(new Map());

/** Also when one of them was changed. */
export const readKpiNames = (): Promise<void> =>
  api.get<{ value: Kpi[] }>("/kpis", { query: { points: 0 } }).then(
    (r) => void (known.value = new Map(r.value.map((k) => [k.name, k]))),
    () => {},
  );

/** Read once a page. */
export function useKpis(): ReadonlyMap<string, Kpi> {
  useEffect(() => {
    if (!known.peek().size) void readKpiNames();
  }, []);
  return known.value;
}

/** Until they are read a KPI is called by its name. */
export function useKpiNames(): { title: (name: string) => string; unit: (name: string) => string } {
  const map = useKpis();
  return { title: (n) => map.get(n)?.title || n, unit: (n) => map.get(n)?.unit ?? "" };
}
