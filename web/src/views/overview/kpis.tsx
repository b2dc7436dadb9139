// SPDX-License-Identifier: Apache-2.0
// What the operation comes to. Of a world that runs or ran: its KPIs, as its run counted them. Of live and the past:
// the values that are computed from others (derived), which somebody found worth computing, with their last hour.
import { useEffect, useState } from "preact/hooks";
import { byId, entries, labelOf } from "~/api/catalogue";
import { all, api } from "~/api/client";
import { fetchHistory } from "~/api/history";
import { models, propertyOf } from "~/api/models";
import { useTwin, valueAt } from "~/api/twin";
import type { Kpi } from "~/api/types";
import { hrefOf, kind, route, worldName } from "~/app/route";
import { Flash } from "~/ui/basic";
import { Spark } from "~/ui/spark";
import { words } from "~/words/en";
import * as format from "~/format";

const TILES_MAX = 12;
const SPARK_MS = 15_000;

interface Derived {
  name: string;
  model?: string;
  twin?: string;
  property: string;
}

function KeyValue({ twin, property }: { twin: string; property: string }) {
  const live = useTwin(twin);
  const [course, set] = useState<(number | null)[]>([]);
  const world = worldName.value;
  useEffect(() => {
    const abort = new AbortController();
    const to = route.value.at ? Date.parse(route.value.at) : 0;
    const read = () =>
      fetchHistory({
        world,
        twin,
        properties: [property],
        signal: abort.signal,
        ...(to ? { from: to - 3600_000, to, points: 60 } : { from: "-1h", step: 60 }),
      }).then(
        (s) => set((s[0]?.value ?? []).map((v) => (typeof v === "number" ? v : null))),
        () => {},
      );
    void read();
    const timer = to ? 0 : setInterval(read, SPARK_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [world, twin, property]);
  const p = propertyOf(byId.value.get(twin)?.model ?? "", property);
  const name = p?.name ?? property;
  const v = valueAt(live.twin, property);
  return (
    <a class="card tile" href={hrefOf({ view: "twin", params: { sel: twin, p: property } })}>
      <span class="small quiet ellipsis">{words.overview.of(name, labelOf(twin))}</span>
      <span class="figure">
        {typeof v === "number" ? <Flash text={format.number(v)} /> : <span class="quiet">–</span>}{" "}
        <small>{format.unitSymbol(p?.unit ?? "")}</small>
      </span>
      <Spark values={course} label={words.twin.course(name)} />
    </a>
  );
}

function KeyValues() {
  const [list, set] = useState<Derived[]>([]);
  const world = worldName.value;
  useEffect(() => {
    all<Derived>("/derived", { world }).then(set, () => set([]));
  }, [world]);
  const shown = list
    .flatMap((d) =>
      d.twin
        ? [{ twin: d.twin, property: d.property }]
        : entries.value
            .filter((e) => models.value.get(e.model)?.ancestors.has(d.model ?? ""))
            .map((e) => ({ twin: e.id, property: d.property })),
    )
    .filter((k) => propertyOf(byId.value.get(k.twin)?.model ?? "", k.property)?.type !== "text")
    .slice(0, TILES_MAX);
  if (!shown.length) return null;
  return (
    <section class="tiles" aria-label={words.overview.keyValues}>
      {shown.map((k) => (
        <KeyValue key={`${world} ${k.twin} ${k.property}`} {...k} />
      ))}
    </section>
  );
}

export function Kpis() {
  const [kpis, set] = useState<Kpi[]>([]);
  const world = worldName.value;
  const scenario = kind.value === "scenario";
  useEffect(() => {
    set([]);
    if (!scenario) return;
    const read = () =>
      api.get<{ kpis: Kpi[] }>("/kpis", { world, query: { points: 60 } }).then(
        (r) => set(r.kpis),
        () => {},
      );
    void read();
    const timer = setInterval(read, 2000);
    return () => clearInterval(timer);
  }, [world, scenario]);
  if (!kpis.length) return <KeyValues />;
  return (
    <section class="tiles" aria-label={words.overview.kpis}>
      {kpis.map((k) => (
        <div class="card tile" key={k.name} title={`${k.expression} (${k.over})`}>
          <span class="small quiet ellipsis">{k.title || k.name}</span>
          <span class="figure">
            {typeof k.value === "number" ? <Flash text={format.number(k.value, 4)} /> : "–"}{" "}
            <small>{k.symbol ?? format.unitSymbol(k.unit)}</small>
          </span>
          {k.values && <Spark values={k.values} label={words.twin.course(k.title || k.name)} />}
        </div>
      ))}
    </section>
  );
}
