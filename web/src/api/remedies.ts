// SPDX-License-Identifier: Apache-2.0
// What could be done about a twin: actions of rules that fit it, what-ifs that somebody prepared for it, and its fault
// being mended. Each is a way that can be tried: changes, when, and what they cost. Nothing here knows any domain.
import { words } from "~/words/en";
import * as format from "~/format";
import { says, watched } from "./alerts";
import type { Rule } from "./decisions";
import { models, type Property } from "./models";
import { timesOf, valueAt } from "./twin";
import type { Twin, Value, Whatif } from "./types";
import type { Planned } from "./whatif";

export interface Way {
  key: string; // in addresses
  title: string;
  about?: string;
  changes: Planned[];
  cost: number; // once, in money
  rule?: string; // it is an action of that rule: it can be proposed
  action?: string;
  command?: string;
}

export interface Fault {
  property: Property;
  value: Value;
  since: string; // when it was told
}

/** What is wrong with it, by the properties that say so. */
export function faultOf(twin: Twin): Fault | undefined {
  for (const property of models.value.get(twin.$metadata.$model)?.properties ?? []) {
    // Its state follows of what is wrong: it cannot be set right by itself.
    if (property.telemetry || property.path === "state" || !watched.value.some((x) => x.path === property.path))
      continue;
    const value = valueAt(twin, property.path);
    if (value === undefined || !says(property.path, value)) continue;
    return { property, value, since: timesOf(twin, property.path).arrived ?? "" };
  }
  return undefined;
}

const ARRIVES_MS = 1000; // a value is known some time after it was true

/** An instant at which it was already known. */
export const instantOf = (since: string): string =>
  format.instant(Math.ceil((Date.parse(since) + ARRIVES_MS) / 1000) * 1000);

/** The value of a fault that is none. */
function mendedOf(p: Property): Value {
  if (p.type === "boolean") return false;
  if (p.type === "number" || p.type === "integer") return 0;
  if (p.type === "enum") return p.options.find((o) => /^(none|ok|normal|no)$/i.test(String(o.value)))?.value ?? "";
  return "";
}

export function mendWay(twin: string, f: Fault, at: string): Way {
  return {
    key: `mend:${at}`,
    title: words.repair.mended(whenText(at)),
    changes: [{ at, twin, property: f.property.path, value: mendedOf(f.property) }],
    cost: 0,
  };
}

const faulty = (path: string, v: Value) => watched.value.some((x) => x.path === path) && says(path, v);
const plain = (v: Value | undefined) => (v === undefined || v === null ? "" : v);

/**
 * Whether it is worth a try unasked: not what breaks something, what mends what is whole, what changes nothing, or
 * begins only when the run is over. `valueOf` tells what holds; undefined when that is not known.
 */
export function worthTrying(way: Way, ahead: string, valueOf: (twin: string, path: string) => Value | undefined) {
  const holds = (c: Planned) => {
    const v = valueOf(c.twin, c.property);
    return v !== undefined && plain(v) === plain(c.value);
  };
  const mends = (c: Planned) => watched.value.some((x) => x.path === c.property) && !faulty(c.property, c.value);
  const within = way.changes.filter((c) => format.isoDuration(c.at) < format.isoDuration(ahead));
  return (
    within.some((c) => !holds(c)) &&
    !way.changes.some((c) => faulty(c.property, c.value)) &&
    !within.some((c) => mends(c) && holds(c))
  );
}

/** "after 1 h", or at once. */
export const whenText = (iso: string): string => {
  const ms = format.isoDuration(iso);
  return ms > 0 ? words.whatif.after(format.duration(ms)) : words.whatif.atOnce;
};

export const ruleFits = (r: Rule, twin: string, model: string): boolean =>
  r.twin ? r.twin === twin : !!r.model && (models.value.get(model)?.ancestors.has(r.model) ?? false);

/** "$twin" in an action is the twin that set the rule off. */
const meant = (name: string, twin: string) => (name === "$twin" ? twin : name);

function ofRule(r: Rule, twin: string): Way[] {
  return r.actions
    .filter((a) => a.changes?.length)
    .map((a) => ({
      key: `rule:${r.name}:${a.name}`,
      title: a.title ?? a.name,
      changes: a.changes!.map((c) => ({ ...c, twin: meant(c.twin, twin) })),
      cost: a.cost ?? 0,
      rule: r.name,
      action: a.name,
      command: a.command?.name,
    }));
}

const ofWhatif = (w: Whatif): Way => ({
  key: `whatif:${w.name}`,
  title: w.title || w.name,
  about: w.about,
  changes: w.changes.map((c) => ({ ...c })),
  cost: 0,
});

/** `ahead` is how far they are tried: what is mended later is mended half way. */
export function waysOf(twin: Twin, rules: readonly Rule[], whatifs: readonly Whatif[], ahead: string): Way[] {
  const id = twin.$dtId;
  const out = rules.filter((r) => ruleFits(r, id, twin.$metadata.$model)).flatMap((r) => ofRule(r, id));
  const fault = faultOf(twin);
  const later = `PT${Math.round(format.isoDuration(ahead) / 2 / 60_000)}M`;
  if (fault) for (const at of ["PT0S", later]) out.push(mendWay(id, fault, at));
  // What somebody prepared for it is a way also where it makes things worse: that may be what is asked.
  out.push(...whatifs.filter((w) => w.changes.some((c) => c.twin === id)).map(ofWhatif));
  return out;
}
