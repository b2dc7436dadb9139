// SPDX-License-Identifier: Apache-2.0
// Names of KPIs as people read them.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api } from "./client";
import type { Kpi } from "./types";

const known = signal<ReadonlyMap<string, Kpi>>(new Map());

/** One of them was changed: they are read anew when somebody asks. */
export const forgetKpis = (): void => {
  known.value = new Map();
};

/** Read once a page; until then a KPI is called by its name. */
export function useKpiNames(): { title: (name: string) => string; unit: (name: string) => string } {
  useEffect(() => {
    if (known.peek().size) return;
    api.get<{ value: Kpi[] }>("/kpis").then(
      (r) => (known.value = new Map(r.value.map((k) => [k.name, k]))),
      () => {},
    );
  }, []);
  const map = known.value;
  return { title: (n) => map.get(n)?.title || n, unit: (n) => map.get(n)?.unit ?? "" };
}
