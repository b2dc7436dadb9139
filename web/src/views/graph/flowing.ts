// SPDX-License-Identifier: Apache-2.0
// How much flows along which link: by a number of the twins at its ends, or one that the link itself has ("link:NAME").
import { useEffect, useMemo, useRef } from "preact/hooks";
import { entries, links, shape, type Links } from "~/api/catalogue";
import { listen } from "~/api/feed";
import { models } from "~/api/models";
import { ask } from "~/api/query";
import { useValues, type Values } from "~/api/values";
import { moves, worldName } from "~/app/route";
import { tellError } from "~/ui/toast";
import { net } from "./adjacency";
import type { StageRef } from "./colours";
import { Flow } from "./flow";
import { propertyAt } from "./measure";
import type { Emphasis } from "./stage";

/** What probably says how much goes along a link, the likeliest first. */
const LIKELY = [
  /^flow$/i,
  /flow(rate)?$/i,
  /^throughput$/i,
  /^rate$/i,
  /beltSpeed$/i,
  /^speed$/i,
  /power$/i,
  /^current$/i,
];
/** Links along which things go; where none is called so, all but those that say where things belong. */
const GOES =
  /^(feed|fed|suppl|power|flow|pipe|deliver|lead|convey|fill|send|transport|drain|connect|charge|heat|cool)/i;
const STANDS = /^(is)?(part|located|contain|has|host|include|in|of|encloses|surrounded|monitor|measure|watch|control)/i;
const AGAINST = /(By|From)$/; // the arrow points to where it comes from
const COLUMNS = 8; // that the server gives at once
const DRAWN = 5000; // links up to which all are looked at; of more those that are drawn
const RANGE_MS = 2000; // between two looks at the largest values
const PAGES = 10; // of links with a value of their own
const LINK = "link:";

const NUMBERS = ["number", "integer"];
const numeric = (path: string) => NUMBERS.includes(propertyAt(path)?.type ?? "");

/** Numbers that links themselves have, by name. */
export function linkNumbers(): string[] {
  const out = new Set<string>();
  for (const m of models.value.values())
    for (const c of m.data.model.contents ?? []) {
      const own = (c as { properties?: { name: string; schema?: unknown }[] }).properties ?? [];
      for (const p of own) if (/^(double|float|integer|long)$/.test(String(p.schema))) out.add(p.name);
    }
  return [...out].sort();
}

export const flowKeyOf = (linkNumber: string): string => LINK + linkNumber;

/** The columns that a choice needs; "auto" takes what is called like a flow. */
function pathsOf(key: string): string[] {
  if (!key || key.startsWith(LINK)) return [];
  if (key !== "auto") return [key];
  const all = new Set<string>();
  for (const m of models.value.values()) for (const p of m.properties) if (!p.telemetry) all.add(p.path);
  const rank = (path: string) => LIKELY.findIndex((r) => r.test(path));
  return [...all]
    .filter((p) => rank(p) >= 0 && numeric(p))
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, COLUMNS);
}

interface Shape {
  l: Links;
  goes: (link: number) => boolean;
  going: () => number[];
  shareOut: (link: number) => number; // how many of that name leave its source
  shareIn: (link: number) => number;
}

function shapeOf(l: Links, every: boolean): Shape {
  const named = l.names.some((n) => GOES.test(n));
  const ok = l.names.map((n) => (named ? GOES.test(n) : !STANDS.test(n)));
  const out = new Map<number, number>();
  const into = new Map<number, number>();
  const goes = (i: number) => every || (ok[l.name[i]!] ?? false);
  const key = (twin: number, link: number) => twin * l.names.length + l.name[link]!;
  for (let i = 0; i < l.name.length; i++) {
    if (!goes(i)) continue;
    const [a, b] = [key(l.from[i]!, i), key(l.to[i]!, i)];
    out.set(a, (out.get(a) ?? 0) + 1);
    into.set(b, (into.get(b) ?? 0) + 1);
  }
  return {
    l,
    goes,
    going: () => [...l.name.keys()].filter(goes),
    shareOut: (i) => out.get(key(l.from[i]!, i)) ?? 1,
    shareIn: (i) => into.get(key(l.to[i]!, i)) ?? 1,
  };
}

/** The largest of each column, by which the others are measured. */
class Ranges {
  private most = new Map<string, number>();
  private looked = -Infinity;

  of(path: string, values: Values, paths: readonly string[]): number {
    const now = performance.now();
    if (now - this.looked > RANGE_MS) {
      this.looked = now;
      for (const p of paths) {
        let most = 0;
        for (const e of entries.peek()) {
          const v = values.get(e.id, p);
          if (typeof v === "number" && Math.abs(v) > most) most = Math.abs(v);
        }
        this.most.set(p, most);
      }
    }
    return this.most.get(path) ?? 0;
  }
}

const part = (v: number, most: number) => (most > 0 ? Math.sign(v) * Math.sqrt(Math.min(1, Math.abs(v) / most)) : 0);

/** Of the twins at both ends: the first column that one of them has; of both, that of which less is shared out. */
function byTwins(s: Shape, values: Values, paths: readonly string[]): (link: number) => number {
  const ranges = new Ranges();
  return (i) => {
    const list = entries.peek();
    const [a, b] = [list[s.l.from[i]!]?.id ?? "", list[s.l.to[i]!]?.id ?? ""];
    for (const p of paths) {
      const [va, vb] = [values.get(a, p), values.get(b, p)];
      const [na, nb] = [typeof va === "number", typeof vb === "number"];
      if (!na && !nb) continue;
      const v = (na && (!nb || s.shareOut(i) <= s.shareIn(i)) ? va : vb) as number;
      const sign = AGAINST.test(s.l.names[s.l.name[i]!]!) ? -1 : 1;
      return sign * part(v, ranges.of(p, values, paths));
    }
    return 0;
  };
}

/** Numbers of the links themselves, read once and followed. */
function useLinkValues(name: string, read: () => void): { current: Map<number, number> } {
  const values = useRef(new Map<number, number>());
  const world = worldName.value;
  const live = moves.value;
  useEffect(() => {
    values.current = new Map();
    if (!name) return;
    const abort = new AbortController();
    const byLink = new Map<string, number>(); // "SOURCE ID" to its number
    const l = links.peek();
    const { indexOf } = net();
    const numbers = new Map<string, number>();
    for (let i = 0; i < l.name.length; i++) numbers.set(`${l.from[i]} ${l.to[i]} ${l.names[l.name[i]!]}`, i);
    const readAll = async () => {
      const query =
        `SELECT $sourceId, $targetId, $relationshipId, $relationshipName, [[${name}]] AS v FROM RELATIONSHIPS ` +
        `WHERE IS_NUMBER([[${name}]])`;
      let token: string | undefined;
      for (let page = 0; page < PAGES; page++) {
        const a = await ask({ world, query, token, signal: abort.signal });
        for (const r of a.value) {
          const [from, to] = [indexOf.get(r.$sourceId as string), indexOf.get(r.$targetId as string)];
          const i = numbers.get(`${from} ${to} ${r.$relationshipName as string}`);
          if (i === undefined) continue;
          byLink.set(`${r.$sourceId as string} ${r.$relationshipId as string}`, i);
          values.current.set(i, r.v as number);
        }
        read();
        if (!a.continuationToken) return;
        token = a.continuationToken;
      }
    };
    const again = () => void readAll().catch((e: unknown) => !abort.signal.aborted && tellError(e));
    again();
    const stop = live
      ? listen(
          { world, what: ["linkValues"], properties: [name] },
          {
            changes: (list) => {
              for (const c of list) {
                const i = byLink.get(`${c.twin} ${c.link ?? ""}`);
                if (i !== undefined && c.path === name) values.current.set(i, Number(c.value ?? 0));
              }
              read();
            },
            gap: again,
          },
        )
      : () => {};
    return () => {
      abort.abort();
      stop();
    };
  }, [name, world, live, shape.value]);
  return values;
}

function byLinks(values: { current: Map<number, number> }): (link: number) => number {
  let most = 0;
  let looked = -Infinity;
  let of: Map<number, number> | undefined;
  return (i) => {
    const v = values.current.get(i);
    if (v === undefined) return 0;
    const now = performance.now();
    if (of !== values.current || now - looked > RANGE_MS) {
      [of, looked, most] = [values.current, now, 0];
      for (const x of of.values()) most = Math.max(most, Math.abs(x));
    }
    return part(v, most);
  };
}

export function useFlow(stage: StageRef, ready: number, key: string, told: Emphasis | null, colour: string): void {
  const paths = useMemo(() => pathsOf(key), [key, models.value]);
  const values = useValues(paths);
  const flow = useRef<Flow | null>(null);
  const own = useLinkValues(key.startsWith(LINK) ? key.slice(LINK.length) : "", () => flow.current?.again());
  const emphasis = useRef(told);
  emphasis.current = told;
  const tone = useRef(colour);
  tone.current = colour;
  useEffect(() => {
    const s = stage.current;
    if (!s || !ready || !key) return;
    const form = shapeOf(links.peek(), key.startsWith(LINK));
    const number = key.startsWith(LINK) ? byLinks(own) : byTwins(form, values, paths);
    const list = entries.peek();
    const going = form.l.name.length <= DRAWN ? form.going() : null;
    const at = (i: number) => s.at(list[i]!.id)?.r ?? 0;
    flow.current = new Flow(s.sigma, {
      links: () => emphasis.current?.links ?? going ?? s.drawn().filter(form.goes),
      curve: (i) => {
        const [from, to] = [form.l.from[i]!, form.l.to[i]!];
        if (s.hides(list[from]!.id) || s.hides(list[to]!.id)) return null;
        const curve = s.curve(i);
        return curve && { curve, from: at(from), to: at(to) };
      },
      part: number,
      colour: () => tone.current,
    });
    return () => {
      flow.current?.kill();
      flow.current = null;
    };
  }, [ready, key, paths]);
  const version = values.version.value;
  useEffect(() => flow.current?.again(), [version, told, colour]);
}
