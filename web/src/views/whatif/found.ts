// SPDX-License-Identifier: Apache-2.0
// What runs many times over found, told as their own page tells it: by the KPI that was asked for, costs taken off.
import { useEffect, useState } from "preact/hooks";
import { countedBy } from "~/api/counted";
import { isWorking, type Ensemble } from "~/api/runs";
import { readOutcome, type Outcome } from "~/api/samples";
import { costsOf, paramsOf } from "./asked";
import { called, referenceOf } from "./called";
import { told } from "./finding";

export function foundOf(e: Ensemble, o: Outcome): string {
  const { about, kpi, costs } = paramsOf(e);
  const c = called(o.comparison, referenceOf(e.title, about));
  return told(c, countedBy(c, kpi), { costs: costsOf(costs), samples: o.samples }).head;
}

const known = new Map<string, string>(); // what is over changes no more
let queue: Promise<unknown> = Promise.resolve(); // they are read one after the other: each says much

/** "" until it is known; then its title says what it is. */
export function useFound(e: Ensemble): string {
  const key = isWorking(e) || !e.replications ? "" : `${e.id} ${e.begun}`;
  const [, tell] = useState("");
  useEffect(() => {
    if (!key || known.has(key)) return;
    let on = true;
    const read = async () => {
      if (!on) return;
      known.set(key, foundOf(e, await readOutcome(e.id)));
      if (on) tell(key);
    };
    queue = queue.then(read).catch(() => {}); // it went meanwhile
    return () => void (on = false);
  }, [key]);
  return known.get(key) ?? "";
}
