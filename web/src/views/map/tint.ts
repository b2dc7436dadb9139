// SPDX-License-Identifier: Apache-2.0
// What a mark on a map, a plan or a scene looks like: by how the twin is, by model, or by a property's values.
import { useMemo } from "preact/hooks";
import { byId, entries } from "~/api/catalogue";
import { modelName, models, propertyOf } from "~/api/models";
import { useStale } from "~/api/stale";
import type { Values } from "~/api/values";
import { isDark } from "~/app/prefs";
import { categorical, reachOf, scaleOf, type Reach } from "~/ui/colour";
import { perTheme, token } from "~/ui/tokens";
import { useVersus, type Versus } from "~/views/compare/versus";
import { attentionOf } from "~/views/overview/attention";
import { words } from "~/words/en";

export const STATE = "state";

export type Tone = "bad" | "attention" | "ok" | "rest" | "stale" | "none";

/** As the tokens say it everywhere else. */
const tones = perTheme((dark): Record<Tone, string> => {
  const of = (name: string) => token(name, dark);
  return {
    bad: of("bad"),
    attention: of("attention"),
    ok: of("ok"),
    rest: of("n7"),
    stale: of("stale"),
    none: of("c7"),
  };
});

const OK = /^(running|driving|loading|unloading|on|open|active|normal|charging|occupied|busy|ok)$/i;
const WAITS = /^(waiting|starved|blocked|degraded|warning|changeover|cleaning|paused|starting|unknown)$/i;

type Silent = ReadonlyMap<string, string>;

export function toneOf(id: string, values: Values, silent?: Silent): Tone {
  if (attentionOf.value.has(id)) return "bad";
  if (silent?.has(id)) return "stale";
  const state = values.get(id, STATE);
  if (typeof state !== "string") return "none";
  return OK.test(state) ? "ok" : WAITS.test(state) ? "attention" : "rest";
}

export interface Tint {
  title?: string; // what the colours say, where that is a property
  of(id: string): string;
  bad(id: string): boolean;
  quiet(id: string): boolean; // nothing is known of it: drawn faintly where it takes room
  tone(id: string): Tone;
  sign(id: string): string; // the colour of its sign, whatever the colours say
  ramp?: { low: number; high: number; unit: string; reach: Reach };
  unknown?: { colour: string; count: number }; // who has the property, but no value
  entries: { name: string; colour: string; quiet?: boolean; tone?: Tone; count?: number }[];
  versus?: Versus; // colours tell the difference to another world
}

/** What holds whatever the colours say: whom somebody should look after, who is silent. */
const common = (values: Values, silent: Silent) => ({
  sign: (id: string) => tones(isDark())[toneOf(id, values, silent)],
  bad: (id: string) => attentionOf.value.has(id),
  tone: (id: string) => toneOf(id, values, silent),
});

/** The most frequent models take the first colours. */
function modelOrder(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) {
    const m = byId.value.get(id)?.model;
    if (m) counts.set(m, (counts.get(m) ?? 0) + 1);
  }
  return new Map([...counts].sort((a, b) => b[1] - a[1]).map(([m], i) => [m, Math.min(i, 7)]));
}

/** The unit that the property has on these twins (all twins without a list); "" where they do not agree. */
export function unitOf(path: string, ids?: readonly string[]): string {
  const of = ids && new Set(ids.map((id) => byId.value.get(id)?.model ?? ""));
  const units = new Set<string>();
  for (const m of models.value.values())
    if (!of || of.has(m.id)) for (const p of m.properties) if (p.path === path) units.add(p.unit);
  return units.size === 1 ? [...units][0]! : "";
}

const nameOf = (path: string): string => {
  for (const m of models.value.values()) for (const p of m.properties) if (p.path === path) return p.name;
  return path;
};

function byStatus(ids: readonly string[], values: Values, silent: Silent, dark: boolean): Tint {
  const tone = tones(dark);
  const counts = new Map<Tone, number>();
  for (const id of ids) {
    const t = toneOf(id, values, silent);
    counts.set(t, (counts.get(t) ?? 0) + 1);
  }
  const order: Tone[] = ["bad", "attention", "stale", "ok", "rest", "none"];
  return {
    ...common(values, silent),
    of: (id) => tone[toneOf(id, values, silent)],
    quiet: (id) => toneOf(id, values, silent) === "none",
    entries: order
      .filter((t) => counts.has(t))
      .map((t) => ({
        name: words.map.tone[t],
        colour: tone[t],
        quiet: t === "none",
        tone: t,
        count: counts.get(t)!,
      })),
  };
}

function byModel(ids: readonly string[], values: Values, silent: Silent, dark: boolean): Tint {
  const order = modelOrder(ids);
  const colour = (i: number) => categorical(i, dark);
  return {
    ...common(values, silent),
    of: (id) => colour(order.get(byId.value.get(id)?.model ?? "") ?? 7),
    quiet: () => false,
    entries: [...order]
      .slice(0, 8)
      .map(([m, i]) => ({ name: i < 7 ? modelName(m) : words.graph.others, colour: colour(i) })),
  };
}

/** The colours of these twins. Made anew when values moved: ask for `version` in the component. */
export function tintOf(ids: readonly string[], by: string, values: Values, silent: Silent, dark: boolean): Tint {
  if (!by) return byStatus(ids, values, silent, dark);
  if (by === "model") return byModel(ids, values, silent, dark);
  const having = ids.filter((id) => propertyOf(byId.value.get(id)?.model ?? "", by));
  const of = having.map((id) => values.get(id, by));
  const scale = scaleOf(of, dark);
  const reach = reachOf(of, scale);
  return {
    ...common(values, silent),
    title: nameOf(by),
    of: (id) => scale.of(values.get(id, by)),
    quiet: (id) => values.get(id, by) === undefined,
    ...(scale.low !== undefined ? { ramp: { low: scale.low, high: scale.high!, unit: unitOf(by, ids), reach } } : {}),
    unknown: { colour: scale.unknown, count: reach.none },
    entries: scale.categories ?? [],
  };
}

/** Signs and alarms are those of one world: the difference says neither. */
function byDifference(versus: Versus): Tint {
  return {
    of: versus.of,
    bad: () => false,
    quiet: (id) => !versus.property && !versus.marked(id),
    tone: () => "none",
    sign: versus.of,
    entries: [],
    versus,
  };
}

export function useTint(ids: readonly string[], by: string, values: Values): Tint {
  const dark = isDark();
  const silent = useStale();
  const versus = useVersus(by);
  const own = useMemo(
    () => tintOf(ids, by, values, silent, dark),
    [ids, by, dark, silent, values.version.value, attentionOf.value, entries.value],
  );
  return useMemo(() => (versus ? byDifference(versus) : own), [own, versus]);
}

/** How large twins are drawn by a number that they have: by area, from nothing (or the least) to the most. */
export interface Sizes {
  of(id: string): number | undefined; // 0 to 1
  low: number;
  high: number;
  unit: string;
  title: string;
}

export function useSizes(ids: readonly string[], by: string, values: Values): Sizes | null {
  return useMemo(() => {
    if (!by) return null;
    const numberOf = (id: string) => {
      const v = values.get(id, by);
      return typeof v === "number" && Number.isFinite(v) ? v : undefined;
    };
    let low = 0;
    let high = -Infinity;
    for (const id of ids) {
      const v = numberOf(id);
      if (v === undefined) continue;
      low = Math.min(low, v);
      high = Math.max(high, v);
    }
    if (high === -Infinity) return null;
    const span = high - low || 1;
    const of = (id: string) => {
      const v = numberOf(id);
      return v === undefined ? undefined : Math.sqrt((v - low) / span);
    };
    return { of, low, high, unit: unitOf(by, ids), title: nameOf(by) };
  }, [ids, by, values.version.value]);
}

/** Properties that these twins have, by name, for lists to choose of. */
export function usePropertiesOf(ids: readonly string[]): { path: string; name: string; number: boolean }[] {
  return useMemo(() => {
    const out = new Map<string, { name: string; number: boolean }>();
    const of = new Set(ids.map((id) => byId.value.get(id)?.model ?? ""));
    for (const m of of)
      for (const p of models.value.get(m)?.properties ?? [])
        if (["number", "integer", "boolean", "enum", "text"].includes(p.type) && !p.telemetry)
          out.set(p.path, { name: p.name, number: p.type === "number" || p.type === "integer" });
    return [...out].map(([path, p]) => ({ path, ...p })).sort((a, b) => a.name.localeCompare(b.name));
  }, [ids, models.value, entries.value]);
}
