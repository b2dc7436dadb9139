// SPDX-License-Identifier: Apache-2.0
// What a mark on a map, a plan or a scene looks like: by how the twin is, by model, or by a property's values.
import { useMemo } from "preact/hooks";
import { byId, entries } from "~/api/catalogue";
import { modelName, models } from "~/api/models";
import type { Values } from "~/api/values";
import { isDark } from "~/app/prefs";
import { categorical, scaleOf } from "~/ui/colour";
import { attentionOf } from "~/views/overview/attention";
import { words } from "~/words/en";

export const STATE = "state";

export type Tone = "bad" | "attention" | "ok" | "rest" | "none";

/** Twins of the tokens, for canvases. */
const TONES: Record<"light" | "dark", Record<Tone, string>> = {
  light: { bad: "#c62f2a", attention: "#b97800", ok: "#178a4f", rest: "#7b868d", none: "#3c6e8f" },
  dark: { bad: "#ff7062", attention: "#f2bd45", ok: "#3ecf8e", rest: "#8a969d", none: "#7fb2d4" },
};

const OK = /^(running|driving|loading|unloading|on|open|active|normal|charging|occupied|busy|ok)$/i;
const WAITS = /^(waiting|starved|blocked|degraded|warning|changeover|cleaning|paused|starting|unknown)$/i;

export function toneOf(id: string, values: Values): Tone {
  if (attentionOf.value.has(id)) return "bad";
  const state = values.get(id, STATE);
  if (typeof state !== "string") return "none";
  return OK.test(state) ? "ok" : WAITS.test(state) ? "attention" : "rest";
}

export interface Tint {
  of(id: string): string;
  bad(id: string): boolean;
  quiet(id: string): boolean; // nothing is known of it: drawn faintly where it takes room
  ramp?: { low: number; high: number; unit: string };
  entries: { name: string; colour: string; quiet?: boolean }[];
}

/** The most frequent models take the first colours. */
function modelOrder(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) {
    const m = byId.value.get(id)?.model;
    if (m) counts.set(m, (counts.get(m) ?? 0) + 1);
  }
  return new Map([...counts].sort((a, b) => b[1] - a[1]).map(([m], i) => [m, Math.min(i, 7)]));
}

export const unitOf = (path: string): string => {
  for (const m of models.value.values()) for (const p of m.properties) if (p.path === path) return p.unit;
  return "";
};

function byStatus(ids: readonly string[], values: Values, dark: boolean): Tint {
  const tones = TONES[dark ? "dark" : "light"];
  const seen = new Set(ids.map((id) => toneOf(id, values)));
  const order: Tone[] = ["bad", "attention", "ok", "rest", "none"];
  return {
    of: (id) => tones[toneOf(id, values)],
    bad: (id) => attentionOf.value.has(id),
    quiet: (id) => toneOf(id, values) === "none",
    entries: order
      .filter((t) => seen.has(t))
      .map((t) => ({ name: words.map.tone[t], colour: tones[t], quiet: t === "none" })),
  };
}

function byModel(ids: readonly string[], dark: boolean): Tint {
  const order = modelOrder(ids);
  const colour = (i: number) => categorical(i, dark);
  return {
    of: (id) => colour(order.get(byId.value.get(id)?.model ?? "") ?? 7),
    bad: (id) => attentionOf.value.has(id),
    quiet: () => false,
    entries: [...order]
      .slice(0, 8)
      .map(([m, i]) => ({ name: i < 7 ? modelName(m) : words.graph.others, colour: colour(i) })),
  };
}

/** The colours of these twins. Made anew when values moved: ask for `version` in the component. */
export function tintOf(ids: readonly string[], by: string, values: Values, dark: boolean): Tint {
  if (!by) return byStatus(ids, values, dark);
  if (by === "model") return byModel(ids, dark);
  const scale = scaleOf(
    ids.map((id) => values.get(id, by)),
    dark,
  );
  return {
    of: (id) => scale.of(values.get(id, by)),
    bad: (id) => attentionOf.value.has(id),
    quiet: (id) => values.get(id, by) === undefined,
    ...(scale.low !== undefined ? { ramp: { low: scale.low, high: scale.high!, unit: unitOf(by) } } : {}),
    entries: scale.categories ?? [],
  };
}

export function useTint(ids: readonly string[], by: string, values: Values): Tint {
  const dark = isDark();
  return useMemo(
    () => tintOf(ids, by, values, dark),
    [ids, by, dark, values.version.value, attentionOf.value, entries.value],
  );
}

/** Properties that these twins have, by name, for lists to choose of. */
export function usePropertiesOf(ids: readonly string[]): { path: string; name: string }[] {
  return useMemo(() => {
    const out = new Map<string, string>();
    const of = new Set(ids.map((id) => byId.value.get(id)?.model ?? ""));
    for (const m of of)
      for (const p of models.value.get(m)?.properties ?? [])
        if (["number", "integer", "boolean", "enum", "text"].includes(p.type) && !p.telemetry) out.set(p.path, p.name);
    return [...out].map(([path, name]) => ({ path, name })).sort((a, b) => a.name.localeCompare(b.name));
  }, [ids, models.value, entries.value]);
}
