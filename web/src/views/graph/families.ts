// SPDX-License-Identifier: Apache-2.0
// Few families of many models, for colours: interfaces that others extend, chosen so that the picture tells most.
import { modelName, type Models } from "~/api/models";
import { words } from "~/words/en";

export interface Families {
  /** The number of a model's family, 0 to 7. */
  of(model: string): number;
  list: { name: string; count: number; kinds: string }[]; // by number; the last may be the others
}

const MOST = 7; // and one for the others

/** How much it tells to which of the families a twin belongs, in twins times nats. */
function told(counts: Iterable<number>, all: number): number {
  let sum = 0;
  for (const n of counts) if (n) sum -= n * Math.log(n / all);
  return sum;
}

/** The nearest of the chosen that a model extends; "" when there is none. */
function nearest(model: string, chosen: ReadonlySet<string>, models: Models): string {
  let level = [model];
  while (level.length) {
    const found = level.filter((m) => chosen.has(m)).sort()[0];
    if (found) return found;
    level = level.flatMap((m) => models.get(m)?.bases ?? []);
  }
  return "";
}

const total = (a: number, b: number) => a + b;

/** Of models with so many twins each. */
export function families(counts: ReadonlyMap<string, number>, models: Models): Families {
  const all = [...counts.values()].reduce(total, 0);
  const under = new Map<string, number>();
  for (const [m, n] of counts) for (const a of models.get(m)?.ancestors ?? [m]) under.set(a, (under.get(a) ?? 0) + n);
  const split = (chosen: ReadonlySet<string>) => {
    const parts = new Map<string, number>();
    for (const [m, n] of counts) {
      const f = nearest(m, chosen, models);
      parts.set(f, (parts.get(f) ?? 0) + n);
    }
    return parts;
  };
  let chosen = new Set<string>();
  if (counts.size <= MOST + 1) chosen = new Set(counts.keys());
  else {
    // The largest can tell most; beyond some dozens the search only costs time.
    const likely = [...under].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 40);
    for (let k = 0; k < MOST; k++) {
      let best = "";
      let most = told(split(chosen).values(), all);
      for (const [m] of likely) {
        if (chosen.has(m)) continue;
        const t = told(split(new Set([...chosen, m])).values(), all);
        if (t > most + 1e-9) [best, most] = [m, t];
      }
      if (!best) break;
      chosen.add(best);
    }
  }
  const parts = split(chosen);
  const order = [...parts.keys()].sort(
    (a, b) => Number(!a) - Number(!b) || parts.get(b)! - parts.get(a)! || (a < b ? -1 : 1),
  );
  const number = new Map([...counts.keys()].map((m) => [m, order.indexOf(nearest(m, chosen, models))]));
  const name = (f: string) => {
    if (!f) return words.graph.others;
    const rest = [...chosen].some((m) => m !== f && models.get(m)?.ancestors.has(f));
    return rest ? words.graph.otherOf(modelName(f)) : modelName(f);
  };
  const kinds = order.map((): string[] => []);
  for (const [m, i] of number) kinds[i]?.push(modelName(m));
  return {
    of: (m) => number.get(m) ?? order.length - 1,
    list: order.map((f, i) => ({ name: name(f), count: parts.get(f)!, kinds: kinds[i]!.sort().join(", ") })),
  };
}
