// SPDX-License-Identifier: Apache-2.0
// What a KPI counts, in the words of its models: the properties that its expression reads, and what is said of them.
import { byId } from "./catalogue";
import { models, propertyOf, type Property } from "./models";
import type { Kpi } from "./types";

const PATH = /[A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)*(?!\s*\()/g;

/** Models at the other end of a link of a model. */
function neighbours(own: string, way: string, link: string): string[] {
  const all = [...models.value.values()];
  if (way === "in") return all.filter((m) => m.relationships.some((r) => r.name === link)).map((m) => m.id);
  const targets = (models.value.get(own)?.relationships ?? []).filter((r) => r.name === link).map((r) => r.target);
  return all.filter((m) => targets.some((t) => m.ancestors.has(t))).map((m) => m.id);
}

function propertyAt(own: string, path: string): Property | undefined {
  const [way, link, ...rest] = path.split(".");
  if (way !== "in" && way !== "out") return propertyOf(own, path);
  const there = neighbours(own, way, link ?? "");
  return there.map((m) => propertyOf(m, rest.join("."))).find((p) => p);
}

const keyOf = (p: Property) => `${p.from} ${p.path}`;

/** What it reads, each once. */
export function readsOf(k: Kpi): ReadonlyMap<string, Property> {
  const own = byId.value.get(k.twin)?.model ?? "";
  const bare = k.expression.replaceAll(/'[^']*'/g, "");
  const found = (bare.match(PATH) ?? []).map((path) => propertyAt(own, path)).filter((p) => p !== undefined);
  return new Map(found.map((p) => [keyOf(p), p]));
}

/** "What was shipped, at price less material, EUR." -> "what was shipped, at price less material" */
function saidOf(p: Property, unit: string): string {
  const text = (p.about || p.name).replace(/\.$/, "");
  const bare = unit && text.endsWith(`, ${unit}`) ? text.slice(0, -unit.length - 2) : text;
  return /^[A-Z][a-z]/.test(bare) ? bare.charAt(0).toLowerCase() + bare.slice(1) : bare;
}

/** What one counts that the other does not; "" when that is nothing, or not known. */
export function countsBeside(k: Kpi | undefined, other: Kpi | undefined): string {
  if (!k || !other) return "";
  const there = readsOf(other);
  const own = [...readsOf(k)].filter(([key]) => !there.has(key));
  return own.map(([, p]) => saidOf(p, k.unit)).join(", ");
}

/** Whether one is but a part of what the other counts already. */
export function isPart(k: Kpi | undefined, whole: Kpi | undefined): boolean {
  if (!k || !whole) return false;
  const reads = readsOf(k);
  const all = readsOf(whole);
  return reads.size > 0 && reads.size < all.size && [...reads.keys()].every((key) => all.has(key));
}
