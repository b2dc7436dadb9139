// SPDX-License-Identifier: Apache-2.0
// Changes in words: what, of whom, from what to what, when. And how long, how often something is tried.
import { useEffect, useState } from "preact/hooks";
import { ArrowRight, Clock, X } from "lucide-preact";
import { says } from "~/api/alerts";
import { byId, labelOf } from "~/api/catalogue";
import { api } from "~/api/client";
import { propertyOf, wordsOfName } from "~/api/models";
import { whenText } from "~/api/remedies";
import { valueAt } from "~/api/twin";
import type { Twin, Value } from "~/api/types";
import type { Difference } from "~/api/whatif";
import { Icon, IconButton } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.whatif;

export interface Length {
  iso: string;
  title: string;
  output: string; // how often values that move all the time are written
}

const USUAL: readonly [iso: string, output: string][] = [
  ["PT1H", "PT1M"],
  ["PT8H", "PT5M"],
  ["P1D", "PT15M"],
  ["P7D", "PT15M"],
  ["P30D", "PT1H"],
];
const titleOf = (iso: string) => format.duration(format.isoDuration(iso));
export const LENGTHS: readonly Length[] = USUAL.map(([iso, output]) => ({ iso, title: titleOf(iso), output }));

/** Whole minutes as "PT8H", "P7D"; as one of those where it is one. */
export function isoOfMs(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  const known = LENGTHS.find((l) => format.isoDuration(l.iso) === minutes * 60_000);
  return known?.iso ?? `PT${minutes}M`;
}

export const lengthOf = (iso: string): Length =>
  LENGTHS.find((l) => l.iso === iso) ?? {
    iso,
    title: titleOf(iso),
    output: LENGTHS.find((l) => format.isoDuration(l.iso) >= format.isoDuration(iso))?.output ?? "PT1H",
  };

/** Those, and one more when it is none of them. */
export const lengthsWith = (iso: string): readonly Length[] =>
  LENGTHS.some((l) => l.iso === iso) || !iso
    ? LENGTHS
    : [lengthOf(iso), ...LENGTHS].sort((a, b) => format.isoDuration(a.iso) - format.isoDuration(b.iso));

export type Often = "1" | "30" | "100";
export const oftenChoices = (["1", "30", "100"] as const).map((id) => ({
  id,
  title: w.times(Number(id)),
  hint: id === "1" ? w.onceHint : w.manyHint,
}));

/** Documents of some twins, as they are in a world: to say what a change is from. */
export function useTwins(ids: readonly string[], world: string): ReadonlyMap<string, Twin> {
  const [map, set] = useState<ReadonlyMap<string, Twin>>(new Map());
  const key = [...new Set(ids)].sort().slice(0, 50).join("\n");
  useEffect(() => {
    if (!key) return;
    const abort = new AbortController();
    const list = key.split("\n").map((id) => `'${id.replaceAll("'", "\\'")}'`);
    const query = `SELECT T FROM DIGITALTWINS T WHERE T.$dtId IN [${list.join(", ")}]`;
    api.post<{ value: { T: Twin }[] }>("/query", { query }, { world, signal: abort.signal }).then(
      (r) => set(new Map(r.value.map(({ T }) => [T.$dtId, T]))),
      () => {}, // then only what it becomes is said
    );
    return () => abort.abort();
  }, [key, world]);
  return map;
}

export const nameOf = (twin: string, path: string): string =>
  propertyOf(byId.value.get(twin)?.model ?? "", path)?.name ?? wordsOfName(path.replaceAll(".", " "));
const unitOf = (twin: string, path: string): string => propertyOf(byId.value.get(twin)?.model ?? "", path)?.unit ?? "";

/** "" is a text that was taken away. */
export const valueText = (twin: string, path: string, v: Value | undefined): string =>
  v === "" ? w.cleared : v === null || v === undefined ? words.noValue : format.value(v, unitOf(twin, path));

/** By how much a number changes, in percent where that says more. */
function byHowMuch(a: Value | undefined, b: Value): string {
  if (typeof a !== "number" || typeof b !== "number" || !a || a === b) return "";
  const percent = ((b - a) / Math.abs(a)) * 100;
  return Math.abs(percent) > 1000 ? "" : `${percent > 0 ? "+" : ""}${format.number(percent)}\u2009%`;
}

interface ChangeProps {
  at?: string; // after the beginning; without it nothing is said of when
  twin: string;
  property: string;
  value: Value;
  was?: Value;
  remove?: () => void;
  instead?: boolean; // the twin is known: it is not named
}

/** "after 1 h  Filler, Line 1 · Fault: none → main gear broken" */
export function ChangeLine({ at, twin, property, value, was, remove, instead }: ChangeProps) {
  const by = byHowMuch(was, value);
  const name = nameOf(twin, property);
  // Was and now are neither good nor bad; what tells of a fault is.
  const wrong = (v: Value) => (says(property, v) ? "says-wrong" : "");
  return (
    <li class="change-line">
      {at !== undefined && (
        <span class="change-when tiny">
          <Icon of={Clock} size={12} /> {whenText(at)}
        </span>
      )}
      <span class="change-what">
        {!instead && <span class="strong">{labelOf(twin)}</span>} <span class="quiet">{name}</span>{" "}
        {was !== undefined && was !== value && (
          <>
            <del class={wrong(was)}>{valueText(twin, property, was)}</del> <Icon of={ArrowRight} size={12} />{" "}
          </>
        )}
        <ins class={wrong(value)}>{valueText(twin, property, value)}</ins> {by && <span class="tiny quiet">{by}</span>}
      </span>
      {remove && <IconButton name={w.takeOut(`${labelOf(twin)}, ${name}`)} icon={X} onClick={remove} />}
    </li>
  );
}

export const wasOf = (twins: ReadonlyMap<string, Twin>, twin: string, path: string): Value | undefined =>
  valueAt(twins.get(twin), path);

/** What differs, whatever kind of thing it is. */
export function DifferenceLine({ d, remove }: { d: Difference; remove?: () => void }) {
  if (d.what === "value")
    return (
      <ChangeLine twin={d.twin} property={d.property!} value={d.after ?? null} was={d.before ?? null} remove={remove} />
    );
  const made = d.change === "made";
  return (
    <li class="change-line">
      <span class="change-what">
        <span class="strong">{labelOf(d.twin)}</span>{" "}
        {d.what === "relationship" ? (
          <>
            <span class="quiet">{made ? w.linkMade : w.linkGone}</span>{" "}
            <span>{wordsOfName(d.relationshipName ?? "")}</span> <Icon of={ArrowRight} size={12} />{" "}
            {made ? <ins>{labelOf(d.target ?? "")}</ins> : <del>{labelOf(d.target ?? "")}</del>}
          </>
        ) : (
          <span class="quiet">{made ? w.twinMade : w.twinGone}</span>
        )}
      </span>
      {remove && <IconButton name={w.takeOut(labelOf(d.twin))} icon={X} onClick={remove} />}
    </li>
  );
}
