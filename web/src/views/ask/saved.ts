// SPDX-License-Identifier: Apache-2.0
// Queries that somebody keeps, those asked last, and examples that fit what is in the world.
import { pref } from "~/app/prefs";
import { links } from "~/api/catalogue";
import { models } from "~/api/models";
import { words } from "~/words/en";

export interface Saved {
  name: string;
  query: string;
}

const RECENT = 12;

export const saved = pref<Saved[]>("ask.saved", []);
export const recent = pref<string[]>("ask.recent", []);

export function remember(query: string): void {
  recent.value = [query, ...recent.peek().filter((q) => q !== query)].slice(0, RECENT);
}

export function keep(name: string, query: string): void {
  saved.value = [...saved.peek().filter((s) => s.name !== name), { name, query }].sort((a, b) =>
    a.name.localeCompare(b.name),
  );
}

export function forget(name: string): void {
  saved.value = saved.peek().filter((s) => s.name !== name);
}

export interface Example {
  title: string;
  about: string;
  query: string;
}

interface Need extends Example {
  properties?: string[];
  links?: string[];
}

const w = words.ask.examples;
const all: readonly Need[] = [
  {
    ...w.power,
    query: "SELECT TOP(15) $dtId, power, state FROM DIGITALTWINS\nWHERE power > 1 ORDER BY power DESC",
    properties: ["power", "state"],
  },
  {
    ...w.states,
    query:
      "SELECT state, COUNT() AS machines, AVG(power) AS power FROM DIGITALTWINS\n" +
      "WHERE IS_DEFINED(state) GROUP BY state ORDER BY machines DESC",
    properties: ["power", "state"],
  },
  {
    ...w.downstream,
    query:
      "SELECT DISTINCT down.$dtId, down.label FROM DIGITALTWINS\n" +
      "MATCH (pump)-[:supplies*..10]->(down) WHERE pump.$dtId = 'pump-1'",
    links: ["supplies"],
  },
  {
    ...w.path,
    query:
      "SELECT path FROM DIGITALTWINS MATCH path = SHORTEST (a)-[*]->(b)\n" +
      "WHERE a.$dtId = 'well-1' AND b.$dtId = 'line-1-filler'",
    links: ["supplies", "contains"],
  },
  {
    ...w.history,
    query:
      "SELECT $dtId, power FROM DIGITALTWINS WHERE power > 100\n" +
      "HISTORY FROM NOW() - 10m STEP 10s FN avg FILL previous",
    properties: ["power"],
  },
  {
    ...w.stale,
    query: "SELECT $dtId, state, AGE(power) AS age FROM DIGITALTWINS\nWHERE AGE(power) > 5m ORDER BY age DESC",
    properties: ["power", "state"],
  },
  {
    ...w.waiting,
    query: "SELECT TOP(15) $dtId, label, waiting FROM DIGITALTWINS\nWHERE waiting > 0 ORDER BY waiting DESC",
    properties: ["waiting"],
  },
  {
    ...w.counts,
    query:
      "SELECT $metadata.$model AS model, COUNT() AS twins FROM DIGITALTWINS\n" +
      "GROUP BY $metadata.$model ORDER BY twins DESC",
  },
  {
    ...w.links,
    query:
      "SELECT $relationshipName AS name, COUNT() AS links FROM RELATIONSHIPS\n" +
      "GROUP BY $relationshipName ORDER BY links DESC",
  },
  {
    ...w.changed,
    query: "SELECT TOP(20) $dtId, $metadata.$lastUpdateTime AS changed FROM DIGITALTWINS\n" + "ORDER BY changed DESC",
  },
];

/** Those whose properties and relationships this world has. */
export function examples(): Example[] {
  const paths = new Set<string>();
  for (const m of models.value.values()) for (const p of m.properties) paths.add(p.path);
  return all.filter(
    (e) =>
      (e.properties ?? []).every((p) => paths.has(p)) && (e.links ?? []).every((n) => links.value.names.includes(n)),
  );
}
