// SPDX-License-Identifier: Apache-2.0
// What is to be shown of a twin: everything its model says, with a value or not, and whatever else there is.
import { models, propertyOf, wordsOfName, type Property } from "~/api/models";
import { timesOf, valueAt } from "~/api/twin";
import type { Twin, Value } from "~/api/types";

/** A device that told nothing for so long is silent. */
export const SILENT_MS = 5 * 60_000;

export interface Shown {
  path: string;
  name: string; // within its group
  property?: Property; // none: the model says nothing of it
  group: string; // component or object it is in; "": the twin itself
  value: Value | undefined;
  known: boolean;
  at?: string;
  arrived?: string; // by the clock of the world
  sensor: boolean; // it came with the clock of a source
}

function flatten(of: Record<string, unknown>, prefix: string, out: string[]): void {
  for (const [k, v] of Object.entries(of)) {
    if (k.startsWith("$")) continue;
    const path = prefix ? `${prefix}.${k}` : k;
    const component = typeof v === "object" && v !== null && !Array.isArray(v) && "$metadata" in v;
    if (component) flatten(v as Record<string, unknown>, path, out);
    else out.push(path);
  }
}

const capital = (s: string) => s.charAt(0).toUpperCase() + s.slice(1);

export function shownOf(twin: Twin): Shown[] {
  const model = twin.$metadata.$model;
  const paths = (models.value.get(model)?.properties ?? []).filter((p) => !p.telemetry).map((p) => p.path);
  const there: string[] = [];
  flatten(twin, "", there);
  for (const p of there) if (!paths.includes(p)) paths.push(p);
  return paths.map((path) => {
    const t = timesOf(twin, path);
    const property = propertyOf(model, path);
    const group = property?.component ?? (path.includes(".") ? path.split(".")[0]! : "");
    const name = property?.name ?? wordsOfName(path.replaceAll(".", " "));
    const value = valueAt(twin, path);
    return {
      path,
      name: group && property ? capital(name.replace(/^[^:]*: /, "")) : name,
      property,
      group,
      value,
      known: value !== undefined && value !== null,
      at: t.source ?? t.arrived,
      arrived: t.arrived,
      sensor: t.source !== undefined,
    };
  });
}

/** Those that can be drawn over time. */
export const numbersOf = (list: readonly Shown[]): Shown[] => list.filter((s) => typeof s.value === "number");

/** When a device told something last; NaN: there is none. */
export function newestOf(list: readonly Shown[]): number {
  let newest = NaN;
  for (const s of list) {
    const t = s.sensor && s.at ? Date.parse(s.at) : NaN;
    if (!(newest >= t)) newest = Number.isNaN(t) ? newest : t;
  }
  return newest;
}

/** Groups in their order, the twin's own first. */
export function groupsOf(list: readonly Shown[]): [string, Shown[]][] {
  const out = new Map<string, Shown[]>([["", []]]);
  for (const s of list) out.set(s.group, [...(out.get(s.group) ?? []), s]);
  return [...out].filter(([, all]) => all.length);
}

/** Text of a field to a value of the property's type; undefined: it is none. */
export function parseInput(text: string, p: Property): Value | undefined {
  const t = text.trim();
  switch (p.type) {
    case "number":
      return numberOf(t);
    case "integer":
      return /^[+\-−]?[\d\s\u2009]+$/.test(t) ? numberOf(t) : undefined;
    case "boolean":
      return t === "true" ? true : t === "false" ? false : undefined;
    case "enum":
      return p.options.find((o) => String(o.value) === t)?.value;
    case "document":
      try {
        return JSON.parse(t) as Value;
      } catch {
        return undefined;
      }
    case "time":
      return t !== "" && (/^\d\d:\d\d/.test(t) || !Number.isNaN(Date.parse(t))) ? t : undefined;
    case "duration":
      return /^-?P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?([\d.]+S)?)?$/.test(t) ? t : undefined;
    default:
      return text;
  }
}

/** As people write numbers, and as this page does: thousands apart, a minus sign. */
function numberOf(t: string): number | undefined {
  const plain = t.replaceAll(/[\s\u2009\u00a0]/g, "").replace("−", "-");
  return plain !== "" && Number.isFinite(Number(plain)) ? Number(plain) : undefined;
}
