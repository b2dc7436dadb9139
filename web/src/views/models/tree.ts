// SPDX-License-Identifier: Apache-2.0
// Models by inheritance, and who uses which.
import { computed } from "@preact/signals";
import { entries } from "~/api/catalogue";
import { models, type Model, type Models } from "~/api/models";

export interface Branch {
  model: Model;
  children: Branch[];
  own: number; // twins of this very model
  all: number; // with those of what extends it
}

/** Of several bases a model stands under the first; the others are told where it is shown. */
export function branchesOf(all: Models, counts: ReadonlyMap<string, number>): Branch[] {
  const made = new Map<string, Branch>();
  for (const m of all.values()) made.set(m.id, { model: m, children: [], own: counts.get(m.id) ?? 0, all: 0 });
  const roots: Branch[] = [];
  for (const b of made.values()) {
    const base = b.model.bases.map((id) => made.get(id)).find((x) => x !== undefined);
    (base?.children ?? roots).push(b);
  }
  const order = (list: Branch[]) => list.sort((a, b) => a.model.name.localeCompare(b.model.name));
  const sum = (b: Branch): number => (b.all = b.own + order(b.children).reduce((n, c) => n + sum(c), 0));
  order(roots).forEach(sum);
  return roots;
}

export const counts = computed(() => {
  const out = new Map<string, number>();
  for (const e of entries.value) out.set(e.model, (out.get(e.model) ?? 0) + 1);
  return out;
});

/** Twins of the model and of all that extends it. */
export const twinsOf = (id: string): number =>
  entries.value.reduce((n, e) => n + Number(models.value.get(e.model)?.ancestors.has(id) ?? false), 0);

export const branches = computed(() => branchesOf(models.value, counts.value));

export interface Use {
  by: Model;
  name: string;
  how: "component" | "target";
}

export function usesOf(id: string): Use[] {
  const out: Use[] = [];
  for (const m of models.value.values()) {
    const own = new Set((m.data.model.contents ?? []).map((c) => c.name)); // what is inherited is told where it is said
    for (const c of m.components)
      if (c.model === id && own.has(c.name)) out.push({ by: m, name: c.name, how: "component" });
    for (const r of m.relationships)
      if (r.target === id && own.has(r.name)) out.push({ by: m, name: r.name, how: "target" });
  }
  return out;
}

export const extendedBy = (id: string): Model[] =>
  [...models.value.values()].filter((m) => m.bases.includes(id)).sort((a, b) => a.name.localeCompare(b.name));
