// SPDX-License-Identifier: Apache-2.0
// What the operation comes to: the KPIs of the shown world, as its run counted them.
import { useEffect, useState } from "preact/hooks";
import { api } from "~/api/client";
import type { Kpi } from "~/api/types";
import { kind, worldName } from "~/app/route";
import { Spark } from "~/ui/spark";
import { words } from "~/words/en";
import * as format from "~/format";

export function Kpis() {
  const [kpis, set] = useState<Kpi[]>([]);
  const world = worldName.value;
  useEffect(() => {
    set([]);
    const read = () =>
      api.get<{ kpis: Kpi[] }>("/kpis", { world, query: { points: 60 } }).then(
        (r) => set(r.kpis),
        () => {},
      );
    void read();
    const timer = kind.value === "scenario" ? setInterval(read, 2000) : 0;
    return () => clearInterval(timer);
  }, [world]);
  if (!kpis.length) return null;
  return (
    <div class="tiles" aria-label={words.overview.kpis}>
      {kpis.map((k) => (
        <div class="card tile" key={k.name} title={`${k.expression} (${k.over})`}>
          <span class="small quiet ellipsis">{k.title || k.name}</span>
          <span class="figure">
            {k.value === null || k.value === undefined ? <span class="quiet">–</span> : format.number(k.value, 4)}{" "}
            <small>{k.symbol ?? format.unitSymbol(k.unit)}</small>
          </span>
          {k.values && <Spark values={k.values} label={words.twin.course(k.title || k.name)} />}
        </div>
      ))}
    </div>
  );
}
