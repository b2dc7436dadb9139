// SPDX-License-Identifier: Apache-2.0
// Examples that fit what is in the world: some for what is found often, others made of the models that are there.
import { useEffect, useState } from "preact/hooks";
import { entries, links } from "~/api/catalogue";
import { api } from "~/api/client";
import { models, type Model, type Property } from "~/api/models";
import { selected, worldName } from "~/app/route";
import { words } from "~/words/en";

export interface Example {
  title: string;
  about: string;
  query: string;
}

interface Need extends Example {
  properties?: string[]; // of one model that has twins
  some?: string; // a condition that some twin must meet: an example without an answer teaches nothing
}

const w = words.ask.examples;
const all: readonly Need[] = [
  {
    ...w.power,
    query: "SELECT TOP(15) $dtId, power, state FROM DIGITALTWINS\nWHERE power > 1 ORDER BY power DESC",
    properties: ["power", "state"],
    some: "power > 1",
  },
  {
    ...w.states,
    query:
      "SELECT state, COUNT() AS machines, AVG(power) AS power FROM DIGITALTWINS\n" +
      "WHERE IS_DEFINED(state) GROUP BY state ORDER BY machines DESC",
    properties: ["power", "state"],
  },
  {
    ...w.history,
    query:
      "SELECT $dtId, power FROM DIGITALTWINS WHERE power > 100\n" +
      "HISTORY FROM NOW() - 10m STEP 10s FN avg FILL previous",
    properties: ["power"],
    some: "power > 100",
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
    some: "waiting > 0",
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

const ENOUGH = 9;
const quoted = (s: string) => `'${s.replaceAll(/['\\]/g, "\\$&")}'`;
const plain = (p: string) => /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(p);

interface Usual {
  model: Model;
  twins: number;
  number: Property;
}

/** Models with twins that have a number, the most frequent first. */
function usual(): Usual[] {
  const counts = new Map<string, number>();
  for (const e of entries.value) counts.set(e.model, (counts.get(e.model) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .flatMap(([id, twins]): Usual[] => {
      const model = models.value.get(id);
      const number = model?.properties.find((p) => p.type === "number" && !p.telemetry && plain(p.path));
      return model && number ? [{ model, twins, number }] : [];
    });
}

function made(): Example[] {
  const own = words.ask.made;
  const out: Example[] = [];
  for (const { model, number } of usual().slice(0, 3)) {
    const [is, p] = [`IS_OF_MODEL(${quoted(model.id)})`, number.path];
    out.push(
      {
        ...own.most(model.name, number.name),
        query: `SELECT TOP(15) $dtId, ${p} FROM DIGITALTWINS\nWHERE ${is} ORDER BY ${p} DESC`,
      },
      {
        ...own.course(model.name, number.name),
        query:
          `SELECT TOP(5) $dtId, ${p} FROM DIGITALTWINS WHERE ${is}\n` +
          "HISTORY FROM NOW() - 1h STEP 1m FN avg FILL previous",
      },
    );
  }
  const l = links.value;
  const from = l.from.length ? entries.value[l.from[0]!] : undefined;
  if (from)
    out.push({
      ...own.around(from.label),
      query:
        "SELECT DISTINCT other.$dtId FROM DIGITALTWINS MATCH (one)-[*..2]-(other)\n" +
        `WHERE one.$dtId = ${quoted(from.id)}`,
    });
  return out;
}

const LONGEST = 4; // links: a way that is told link by link

const downstream = (a: { id: string; label: string }): Example => ({
  ...w.downstream(a.label),
  query:
    "SELECT DISTINCT next.$dtId FROM DIGITALTWINS\n" + `MATCH (one)-[*..10]->(next) WHERE one.$dtId = ${quoted(a.id)}`,
});

/** From where most begins: what hangs on it, and the way to the last of that; first what hangs on what is selected. */
function ways(): Example[] {
  const l = links.value;
  const list = entries.value;
  const out = new Map<number, number[]>();
  const into = new Uint8Array(list.length);
  for (let i = 0; i < l.from.length; i++) {
    const [from, to] = [l.from[i]!, l.to[i]!];
    into[to] = 1;
    const known = out.get(from);
    if (known) known.push(to);
    else out.set(from, [to]);
  }
  let best: number[] = [];
  for (const first of [...out.keys()].filter((i) => !into[i]).slice(0, 50)) {
    const way = [first];
    for (let at = first; way.length <= LONGEST; ) {
      const next = (out.get(at) ?? []).find((to) => !way.includes(to));
      if (next === undefined) break;
      way.push((at = next));
    }
    if (way.length > best.length) best = way;
  }
  const [a, b] = [list[best[0] ?? -1], list[best[best.length - 1] ?? -1]];
  const here = list.findIndex((e) => e.id === selected.value);
  const own = out.has(here) ? [downstream(list[here]!)] : [];
  if (!a || !b || a === b) return own;
  return [
    ...(own.length ? own : [downstream(a)]),
    {
      ...w.path(a.label, b.label),
      query:
        "SELECT path FROM DIGITALTWINS MATCH path = SHORTEST (a)-[*]->(b)\n" +
        `WHERE a.$dtId = ${quoted(a.id)} AND b.$dtId = ${quoted(b.id)}`,
    },
  ];
}

/** Properties of numbers, texts and the like that each model with twins has. */
function ownPaths(): ReadonlySet<string>[] {
  const used = new Set(entries.value.map((e) => e.model));
  return [...used].map((id) => new Set((models.value.get(id)?.properties ?? []).map((p) => p.path)));
}

async function holds(condition: string, world: string, abort: AbortSignal): Promise<boolean> {
  const query = `SELECT TOP(1) $dtId FROM DIGITALTWINS WHERE ${condition}`;
  const page = await api.post<{ value: unknown[] }>("/query", { query }, { world, signal: abort });
  return page.value.length > 0;
}

/** Which conditions some twin meets, asked once a world; null as long as nobody knows. */
export function useHolding(): ReadonlySet<string> | null {
  const [found, set] = useState<ReadonlySet<string> | null>(null);
  const world = worldName.value;
  const asked = fitting()
    .flatMap((e) => e.some ?? [])
    .join("\n");
  useEffect(() => {
    const abort = new AbortController();
    const list = asked ? asked.split("\n") : [];
    const each = list.map((c) => holds(c, world, abort.signal).catch(() => false));
    void Promise.all(each).then((yes) => abort.signal.aborted || set(new Set(list.filter((_, i) => yes[i]))));
    return () => abort.abort();
  }, [asked, world]);
  return found;
}

function fitting(): Need[] {
  const own = ownPaths();
  return all.filter((e) => !e.properties || own.some((paths) => e.properties!.every((p) => paths.has(p))));
}

/** Those whose properties this world has, and that have an answer, then some of its own. */
export function examples(holding: ReadonlySet<string>): Example[] {
  const fit = fitting().filter((e) => !e.some || holding.has(e.some));
  const general = fit.filter((e) => !e.properties);
  const special = fit.filter((e) => e.properties);
  const along = ways();
  const chosen = selected.value ? along.splice(0, 1) : []; // what hangs on it comes before all else
  const own = made().slice(0, Math.max(0, ENOUGH - fit.length - 2));
  return [...chosen, ...special, ...along, ...own, ...general];
}
