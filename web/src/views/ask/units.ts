// SPDX-License-Identifier: Apache-2.0
// What the columns of an answer are: their names in order, kinds and units, and which twins the rows name.
import { models } from "~/api/models";
import type { Row } from "~/api/query";
import type { Value } from "~/api/types";
import { columnsOf } from "./language";

export type Kind = "number" | "time" | "twin" | "text";

export interface Shown {
  key: string;
  kind: Kind;
  unit: string;
}

const HIDDEN = new Set(["$etag", "$metadata", "$relationshipId"]);
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

const isDoc = (v: Value | undefined): v is { [k: string]: Value } =>
  typeof v === "object" && v !== null && !Array.isArray(v);

/** Whatever a row says of twins: itself, a column of ids, documents of twins, a path. */
export function twinsOf(row: Row, key?: string): string[] {
  const out: string[] = [];
  for (const [k, v] of Object.entries(row)) {
    if (key !== undefined && k !== key) continue;
    if (["$dtId", "$sourceId", "$targetId"].includes(k) && typeof v === "string") out.push(v);
    else if (isDoc(v) && typeof v.$dtId === "string") out.push(v.$dtId);
    else if (isDoc(v) && Array.isArray(v.twins)) out.push(...v.twins.filter((t): t is string => typeof t === "string"));
  }
  return out;
}

function unitOf(path: string): string {
  const last = path.split(".");
  const units = new Set<string>();
  for (const m of models.value.values())
    for (const p of m.properties) if (p.path === path || p.path === last.slice(1).join(".")) units.add(p.unit);
  return units.size === 1 ? [...units][0]! : "";
}

function kindOf(key: string, rows: readonly Row[]): Kind {
  let numbers = 0;
  let times = 0;
  let twins = 0;
  let all = 0;
  for (const r of rows) {
    const v = r[key];
    if (v === undefined || v === null) continue;
    all++;
    if (typeof v === "number") numbers++;
    else if (typeof v === "string" && TIME.test(v)) times++;
    else if (isDoc(v) && (v.$dtId !== undefined || Array.isArray(v.twins))) twins++;
  }
  if (!all) return "text";
  if (["$dtId", "$sourceId", "$targetId"].includes(key) || twins > all / 2) return "twin";
  return numbers > all / 2 ? "number" : times > all / 2 ? "time" : "text";
}

export function shownColumns(columns: readonly string[] | undefined, rows: readonly Row[], query: string): Shown[] {
  const keys = columns?.length ? [...columns] : [];
  if (!keys.length) {
    const seen = new Set<string>();
    for (const r of rows) for (const k of Object.keys(r)) seen.add(k);
    keys.push(...[...seen].filter((k) => !HIDDEN.has(k)));
  }
  const paths = new Map(columnsOf(query).map((c) => [c.name, c.path]));
  return keys.map((key) => {
    const kind = kindOf(key, rows);
    const path = paths.get(key) ?? (columns?.length ? "" : key);
    return { key, kind, unit: kind === "number" && path ? unitOf(path) : "" };
  });
}
