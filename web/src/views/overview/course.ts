// SPDX-License-Identifier: Apache-2.0
// The last hours of a value, for lines as small as a word; and how a value is said that is a part of a whole.
import { entries } from "~/api/catalogue";
import { api } from "~/api/client";
import { seriesOf } from "~/api/history";
import { nowOfWorld } from "~/api/attention";
import { models } from "~/api/models";
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

/** A course: instants in ms since 1970. */
export interface Points {
  time: readonly number[];
  value: readonly (number | null)[];
}

export const NO_POINTS: Points = { time: [], value: [] };

export async function courseOf(world: string, twin: string, property: string, signal: AbortSignal): Promise<Points> {
  const { from, to } = lastHours();
  if (to - from < 5000) return NO_POINTS;
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
  const s = seriesOf(text)[0];
  if (!s) return NO_POINTS;
  return { time: s.time.map((t) => t * 1000), value: s.value.map((v) => (typeof v === "number" ? v : null)) };
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
const PERCENT = 100;

export interface Said {
  text: string;
  unit: string;
}

/** Where a definition gives parts of one and its unit says of a hundred: a quotient, or of values without that unit. */
export function isShare(k: Pick<Kpi, "unit" | "expression" | "twin">): boolean {
  if (!/^(percent|%)$/.test(k.unit)) return false;
  if (k.expression.includes("/")) return true;
  const named = new Set(k.expression.match(/[A-Za-z_]\w*/g));
  for (const m of models.peek().values())
    for (const p of m.properties) if (p.unit === "percent" && named.has(p.path.split(".").pop()!)) return false;
  return true;
}

/** The figure of a KPI: as its unit says; a part of a hundred with three digits, a number of things whole. */
export function figureOf(v: number | null | undefined, k: Pick<Kpi, "unit" | "symbol">): Said {
  if (typeof v !== "number") return { text: "–", unit: "" };
  const unit = k.symbol || format.unitSymbol(k.unit);
  if (unit === "%") return { text: format.number(v, 3), unit };
  return { text: Number.isInteger(v) ? format.count(v) : format.number(v, 4), unit };
}

/** How a value that no KPI defines is said: 0.995 of a yield is 99.5 %; a number of things is whole. */
export function said(v: number | null | undefined, unit: string, name: string, course: Points["value"]): Said {
  if (typeof v !== "number") return { text: "–", unit: "" };
  const none = !unit || unit === "unity" || unit === "baseUnit";
  if (none && PART.test(name) && v >= 0 && v <= 1.05 && course.every((c) => c === null || (c >= 0 && c <= 1.05)))
    return { text: format.number(v * PERCENT, 3), unit: "%" };
  return { text: Number.isInteger(v) ? format.count(v) : format.number(v, 3), unit: format.unitSymbol(unit) };
}

export interface KpiNow {
  kpi: Kpi;
  value: number;
  course?: Points; // undefined: not read yet
}

type Ask = (world: string) => Promise<(number | null)[]>;

/** Asks what the definitions come to in a world: their expressions, of their twins. */
function asker(kpis: readonly Kpi[], signal: AbortSignal): Ask {
  const twins = [...new Set(kpis.map((k) => k.twin))];
  const columns = kpis.map((k, i) => `${k.expression} AS k${i}`).join(", ");
  const query = `SELECT $dtId AS id, ${columns} FROM DIGITALTWINS WHERE $dtId IN [${quoted(twins)}]`;
  return async (world) => {
    const page = await api.post<{ value: Record<string, Value>[] }>("/query", { query }, { world, signal });
    const rows = new Map(page.value.map((r) => [r.id, r]));
    return kpis.map((k, i) => {
      const v = rows.get(k.twin)?.[`k${i}`];
      return typeof v !== "number" ? null : isShare(k) ? v * PERCENT : v;
    });
  };
}

async function coursesOf(base: string, ask: Ask, count: number, signal: AbortSignal): Promise<Points[]> {
  const { from, to } = lastHours();
  const time: number[] = [];
  const value: (number | null)[][] = Array.from({ length: count }, () => []);
  if (to - from > 60_000 && entries.peek().length <= MANY)
    for (let i = 0; i < KPI_POINTS; i++) {
      const t = from + ((to - from) * i) / KPI_POINTS;
      const then = await ask(`${base}@${new Date(t).toISOString()}`).catch(() => null);
      if (signal.aborted || !then) break;
      time.push(t);
      then.forEach((v, k) => value[k]!.push(v));
    }
  return value.map((v) => ({ time, value: v }));
}

/** A sum over what nobody counted is 0: that says nothing, unless it was something before. */
const isSum = (k: Kpi): boolean => /\b(sum|count)\s*\(/i.test(k.expression);

/** What definitions come to in a world that nobody runs: at once what they do now, then how that went. */
export async function kpisNow(
  world: string,
  base: string,
  kpis: readonly Kpi[],
  signal: AbortSignal,
  tell: (list: KpiNow[]) => void,
): Promise<void> {
  const asked = kpis.filter((k) => k.over !== "integral");
  if (!asked.length) return tell([]);
  const ask = asker(asked, signal);
  const now = await ask(world);
  const at = nowOfWorld();
  tell(asked.flatMap((kpi, i) => (now[i] || (now[i] === 0 && !isSum(kpi)) ? [{ kpi, value: now[i]! }] : [])));
  const courses = await coursesOf(base, ask, asked.length, signal);
  tell(
    asked.flatMap((kpi, i) => {
      const { time, value } = courses[i]!;
      const v = now[i] ?? null;
      if (v === null || (v === 0 && isSum(kpi) && value.every((x) => !x))) return [];
      return [{ kpi, value: v, course: { time: [...time, at], value: [...value, v] } }];
    }),
  );
}
