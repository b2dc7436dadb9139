// SPDX-License-Identifier: Apache-2.0
// Values over time, as columns for charts.
import { api } from "./client";

export interface Series {
  property: string;
  unit: string;
  schema: string;
  time: number[]; // seconds since 1970, as uPlot wants them
  value: (number | string | boolean | null)[];
}

export interface Ask {
  world: string;
  twin: string;
  properties: readonly string[];
  from: number | string; // ms since 1970, or "-1h"
  to?: number | string;
  points?: number; // more than so many: means of intervals
  step?: number; // seconds: means of intervals of that length
  signal?: AbortSignal;
}

interface Column {
  property: string;
  schema?: string;
  unit?: string;
  timeUnit: string;
  time: number[];
  value?: Series["value"];
  avg?: Series["value"]; // with a step
}

const instant = (t: number | string) => (typeof t === "number" ? new Date(t).toISOString() : t);

export async function fetchHistory(a: Ask): Promise<Series[]> {
  const ms = typeof a.from === "number" && typeof a.to === "number" ? a.to - a.from : NaN;
  const step = a.step ? a.step : a.points && Number.isFinite(ms) ? Math.max(1, Math.ceil(ms / a.points / 1000)) : 0;
  const text = await api.text(`/digitaltwins/${encodeURIComponent(a.twin)}/history`, {
    world: a.world,
    query: {
      properties: a.properties.join(","),
      from: instant(a.from),
      to: a.to === undefined ? undefined : instant(a.to),
      fn: step ? "avg" : undefined,
      step: step ? `${step}s` : undefined,
      format: "columns",
      limit: 100000,
    },
    signal: a.signal,
  });
  return seriesOf(text);
}

/** NDJSON of columns; pages of one property are joined. */
export function seriesOf(text: string): Series[] {
  const out = new Map<string, Series>();
  for (const line of text.split("\n")) {
    if (!line) continue;
    const c = JSON.parse(line) as Column;
    const known = out.get(c.property) ?? {
      property: c.property,
      unit: c.unit ?? "",
      schema: c.schema ?? "",
      time: [],
      value: [],
    };
    // Nanoseconds pass 2^53: what is lost there is less than a microsecond.
    for (const t of c.time) known.time.push(t / 1e9);
    for (const v of c.value ?? c.avg ?? []) known.value.push(v);
    out.set(c.property, known);
  }
  return [...out.values()];
}
