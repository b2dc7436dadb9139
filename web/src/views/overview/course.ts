// SPDX-License-Identifier: Apache-2.0
// The last hours of a value, for lines as small as a word; and how a value is said that is a part of a whole.
import { entries } from "~/api/catalogue";
import { api } from "~/api/client";
import { seriesOf } from "~/api/history";
import { nowOfWorld } from "~/api/attention";
import type { Kpi, Value } from "~/api/types";
import { begin } from "~/app/range";
import * as format from "~/format";

const HOURS = 8;
const POINTS = 80;
const KPI_POINTS = 24;
const MANY = 20_000;

/** The last hours up to now, not from before history began. */
export function lastHours(): { from: number; to: number } {
  const to = nowOfWorld();
  return { from: Math.max(to - HOURS * 3600_000, (begin.peek() ?? 0) + 1000), to };
}

export async function courseOf(world: string, twin: string, property: string, signal: AbortSignal) {
  const { from, to } = lastHours();
  if (to - from < 5000) return [];
  const text = await api.text(`/digitaltwins/${encodeURIComponent(twin)}/history`, {
    world,
    signal,
    query: {
      properties: property,
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      fn: "avg",
      fill: "previous",
      step: `${Math.max(1, Math.ceil((to - from) / POINTS / 1000))}s`,
      format: "columns",
    },
  });
  return (seriesOf(text)[0]?.value ?? []).map((v) => (typeof v === "number" ? v : null));
}

const quoted = (ids: readonly string[]) => ids.map((t) => `'${t.replaceAll("'", "''")}'`).join(", ");

/** "TWIN PROPERTY" and the number it is. */
export async function valuesOf(world: string, twins: readonly string[], properties: readonly string[], s: AbortSignal) {
  const query =
    `SELECT T.$dtId AS id, ${properties.map((p, i) => `T.${p} AS p${i}`).join(", ")} FROM DIGITALTWINS T ` +
    `WHERE T.$dtId IN [${quoted(twins)}]`;
  const page = await api.post<{ value: Record<string, Value>[] }>("/query", { query }, { world, signal: s });
  const out = new Map<string, number>();
  for (const row of page.value)
    properties.forEach((p, i) => typeof row[`p${i}`] === "number" && out.set(`${row.id} ${p}`, row[`p${i}`] as number));
  return out;
}

const PART = /yield|ratio|share|occupancy|efficiency|utili[sz]ation|availability|fraction|on ?time|service/i;

export interface Said {
  text: string;
  unit: string;
}

/** 0.995 of a yield is 99.5 %; a number of things is whole. */
export function said(
  v: number | null | undefined,
  unit: string,
  name: string,
  course: readonly (number | null)[],
): Said {
  if (typeof v !== "number") return { text: "–", unit: "" };
  const none = !unit || unit === "unity" || unit === "baseUnit";
  if (none && PART.test(name) && v >= 0 && v <= 1.05 && course.every((c) => c === null || (c >= 0 && c <= 1.05)))
    return { text: format.number(v * 100, 3), unit: "%" };
  return { text: Number.isInteger(v) ? format.count(v) : format.number(v, 3), unit: format.unitSymbol(unit) };
}

export interface KpiNow {
  kpi: Kpi;
  value: number;
  course: (number | null)[];
}

/** What a definition comes to in a world that nobody runs: its expression, asked of its twin now and before. */
export async function kpisNow(
  world: string,
  base: string,
  kpis: readonly Kpi[],
  signal: AbortSignal,
): Promise<KpiNow[]> {
  const asked = kpis.filter((k) => k.over !== "integral");
  if (!asked.length) return [];
  const twins = [...new Set(asked.map((k) => k.twin))];
  const columns = asked.map((k, i) => `${k.expression} AS k${i}`).join(", ");
  const query = `SELECT $dtId AS id, ${columns} FROM DIGITALTWINS WHERE $dtId IN [${quoted(twins)}]`;
  const at = async (w: string): Promise<(number | null)[]> => {
    const page = await api.post<{ value: Record<string, Value>[] }>("/query", { query }, { world: w, signal });
    const rows = new Map(page.value.map((r) => [r.id, r]));
    return asked.map((k, i) => {
      const v = rows.get(k.twin)?.[`k${i}`];
      if (typeof v !== "number") return null;
      // A quotient is a part of one; its unit says of a hundred.
      return k.unit === "percent" && k.expression.includes("/") ? v * 100 : v;
    });
  };
  const now = await at(world);
  const { from, to } = lastHours();
  const courses: (number | null)[][] = asked.map(() => []);
  if (to - from > 60_000 && entries.peek().length <= MANY)
    for (let i = 0; i < KPI_POINTS; i++) {
      const t = new Date(from + ((to - from) * i) / KPI_POINTS).toISOString();
      const then = await at(`${base}@${t}`).catch(() => null);
      if (signal.aborted || !then) break;
      then.forEach((v, k) => courses[k]!.push(v));
    }
  return asked.flatMap((kpi, i) => {
    const value = now[i] ?? null;
    // A sum over what nobody counted is 0: that says nothing.
    if (value === null || (value === 0 && courses[i]!.every((v) => !v))) return [];
    return [{ kpi, value, course: [...courses[i]!, value] }];
  });
}
