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

const IDS = ["$dtId", "$sourceId", "$targetId"];

/** The twins that a row names in a column: an id, a document of one, a path. */
export function twinsIn(row: Row, c: Shown): string[] {
  if (c.kind !== "twin") return [];
  const v = row[c.key];
  if (typeof v === "string") return [v];
  if (isDoc(v) && typeof v.$dtId === "string") return [v.$dtId];
  if (isDoc(v) && Array.isArray(v.twins)) return v.twins.filter((t): t is string => typeof t === "string");
  return [];
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
  if (IDS.includes(key) || twins > all / 2) return "twin";
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
    const path = paths.get(key) ?? (columns?.length ? "" : key);
    const kind = IDS.includes(path.split(".").pop()!) ? "twin" : kindOf(key, rows);
    return { key, kind, unit: kind === "number" && path ? unitOf(path) : "" };
  });
}
