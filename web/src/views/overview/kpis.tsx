// SPDX-License-Identifier: Apache-2.0
// What the operation comes to. Of a scenario: its KPIs, as its run counted them. Of live and the past: what the KPIs'
// definitions come to there, and the values that are computed from others (derived), with their last hours.
import { signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Gauge, Pencil, Plus } from "lucide-preact";
import { byId, entries, labelOf } from "~/api/catalogue";
import { all, api } from "~/api/client";
import { listen } from "~/api/feed";
import { models, propertyOf } from "~/api/models";
import type { Kpi } from "~/api/types";
import { hrefOf, kind, route, worldName } from "~/app/route";
import { Flash, Icon } from "~/ui/basic";
import { Spark } from "~/ui/spark";
import { words } from "~/words/en";
import * as format from "~/format";
import { courseOf, kpisNow, said, valuesOf, type KpiNow } from "./course";

const TILES_MAX = 12;
const ROWS_MAX = 5; // of one property, of several twins
const TILES_WAITING = 4; // nobody knows yet how many there are
const SPARK_MS = 20_000;
const KPI_MS = 30_000;

interface Derived {
  name: string;
  model?: string;
  twin?: string;
  property: string;
  expression?: string;
}

function useCourse(twin: string, property: string): (number | null)[] {
  const [course, set] = useState<(number | null)[]>([]);
  const world = worldName.value;
  const past = kind.value === "past";
  useEffect(() => {
    const abort = new AbortController();
    const read = () =>
      document.visibilityState === "visible" &&
      courseOf(world, twin, property, abort.signal).then(
        (c) => !abort.signal.aborted && set(c),
        () => {},
      );
    void read();
    const timer = past ? 0 : setInterval(read, SPARK_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [world, twin, property]);
  return course;
}

interface Value {
  name: string;
  unit: string;
  v: number | null;
  course: (number | null)[];
  href: string;
}

/** Of all tiles, kept by one interest: a watch has room for few. */
const live = signal<ReadonlyMap<string, number>>(new Map());

function useLive(groups: readonly { property: string; twins: string[] }[]): void {
  const world = worldName.value;
  const past = kind.value === "past";
  const key = groups.map((g) => `${g.property} ${g.twins.slice(0, ROWS_MAX).join(" ")}`).join("\n");
  useEffect(() => {
    live.value = new Map();
    if (!groups.length) return;
    const twins = [...new Set(groups.flatMap((g) => g.twins.slice(0, ROWS_MAX)))];
    const properties = [...new Set(groups.map((g) => g.property))];
    const abort = new AbortController();
    const read = () =>
      void valuesOf(world, twins, properties, abort.signal).then(
        (m) => (live.value = m),
        () => {},
      );
    if (past) read();
    const stop = listen(
      { world, twins, properties, interval: 500 },
      {
        subscribed: read,
        gap: read,
        changes: (list) => {
          const next = new Map(live.peek());
          for (const c of list) if (c.path && typeof c.value === "number") next.set(`${c.twin} ${c.path}`, c.value);
          live.value = next;
        },
      },
    );
    return () => {
      abort.abort();
      stop();
    };
  }, [key, world, past]);
}

function useValue(twin: string, property: string): Value {
  const past = useCourse(twin, property);
  const now = live.value.get(`${twin} ${property}`) ?? past.findLast((c) => c !== null) ?? null;
  const p = propertyOf(byId.value.get(twin)?.model ?? "", property);
  return {
    name: p?.name ?? property,
    unit: p?.unit ?? "",
    v: now,
    course: useMemo(() => (now === null ? past : [...past, now]), [past, now]),
    href: hrefOf({ view: "twin", params: { sel: twin, p: property } }),
  };
}

function Figure({
  v,
  unit,
  name,
  course,
}: {
  v: number | null;
  unit: string;
  name: string;
  course: (number | null)[];
}) {
  const s = said(v, unit, name, course);
  return (
    <span class="figure" title={v === null ? undefined : String(v)}>
      {v === null ? <span class="quiet">–</span> : <Flash text={s.text} />} <small>{s.unit}</small>
    </span>
  );
}

function One({ twin, property }: { twin: string; property: string }) {
  const v = useValue(twin, property);
  return (
    <a class="card tile kpi" href={v.href}>
      <span class="tile-name">{v.name}</span>
      <span class="tile-of">{labelOf(twin)}</span>
      <Figure v={v.v} unit={v.unit} name={v.name} course={v.course} />
      <Spark values={v.course} label={words.twin.course(v.name)} />
    </a>
  );
}

function Line({ twin, property }: { twin: string; property: string }) {
  const v = useValue(twin, property);
  const s = said(v.v, v.unit, v.name, v.course);
  return (
    <a class="kpi-line" href={v.href}>
      <span class="ellipsis" title={labelOf(twin)}>
        {labelOf(twin)}
      </span>
      <Spark values={v.course} label={words.twin.course(v.name)} />
      <span class="num strong">
        {v.v === null ? <span class="quiet">–</span> : <Flash text={s.text} />} <small class="quiet">{s.unit}</small>
      </span>
    </a>
  );
}

function Group({ property, twins }: { property: string; twins: string[] }) {
  if (twins.length === 1) return <One twin={twins[0]!} property={property} />;
  const p = propertyOf(byId.value.get(twins[0]!)?.model ?? "", property);
  return (
    <div class="card tile kpi">
      <span class="tile-name">{p?.name ?? property}</span>
      <div class="kpi-lines">
        {twins.slice(0, ROWS_MAX).map((t) => (
          <Line key={t} twin={t} property={property} />
        ))}
      </div>
      {twins.length > ROWS_MAX && (
        <a class="small" href={hrefOf({ view: "graph", params: { colour: property } })}>
          {words.overview.andMore(twins.length - ROWS_MAX)}
        </a>
      )}
    </div>
  );
}

const kpiHref = (name: string) => hrefOf({ view: "models", params: { kpi: name } });

/** A tile, and in its corner the way to how it is counted. */
function KpiTile(p: { kpi: Kpi; value: number | null; course: (number | null)[] }) {
  const hint = words.definitions.kpi.hint(p.kpi.title || p.kpi.name);
  return (
    <div class="kpi-cell">
      <KpiCard {...p} />
      <a class="button plain icon kpi-how" href={kpiHref(p.kpi.name)} aria-label={hint} title={hint}>
        <Icon of={Pencil} size={14} />
      </a>
    </div>
  );
}

function KpiCard({ kpi, value, course }: { kpi: Kpi; value: number | null; course: (number | null)[] }) {
  const title = kpi.title || kpi.name;
  const known = value !== null;
  return (
    <a
      class="card tile kpi"
      href={hrefOf({ view: "twin", params: { sel: kpi.twin } })}
      title={`${kpi.expression} (${kpi.over})`}
    >
      <span class="tile-name">{title}</span>
      <span class="figure">
        {known ? <Flash text={Number.isInteger(value) ? format.count(value) : format.number(value, 4)} /> : "–"}{" "}
        <small>{kpi.symbol ?? format.unitSymbol(kpi.unit)}</small>
      </span>
      <Spark values={course} label={words.twin.course(title)} />
    </a>
  );
}

/** What a run counted, as it counts. */
function useRun(world: string, scenario: boolean): { counted: Kpi[]; defined: Kpi[] } | null {
  const [found, set] = useState<{ counted: Kpi[]; defined: Kpi[] } | null>(null);
  useEffect(() => {
    set(null);
    const read = () =>
      api.get<{ kpis: Kpi[]; value: Kpi[] }>("/kpis", { world, query: { points: 60 } }).then(
        (r) => set({ counted: r.kpis, defined: r.value }),
        () => set((s) => s ?? { counted: [], defined: [] }),
      );
    void read();
    if (!scenario) return;
    const timer = setInterval(read, 2000);
    return () => clearInterval(timer);
  }, [world, scenario]);
  return found;
}

function useKpisNow(world: string, kpis: readonly Kpi[]): KpiNow[] | null {
  const [list, set] = useState<KpiNow[] | null>(null);
  const past = kind.value === "past";
  const base = route.value.world;
  const key = kpis.map((k) => k.name).join();
  useEffect(() => {
    set(null);
    const abort = new AbortController();
    const read = () =>
      document.visibilityState === "visible" &&
      kpisNow(world, base, kpis, abort.signal).then(
        (l) => !abort.signal.aborted && set(l),
        () => !abort.signal.aborted && set((s) => s ?? []),
      );
    void read();
    const timer = past ? 0 : setInterval(read, KPI_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [world, key]);
  return list;
}

function useDerived(world: string): Derived[] | null {
  const [list, set] = useState<Derived[] | null>(null);
  useEffect(() => {
    all<Derived>("/derived", { world }).then(set, () => set([]));
  }, [world]);
  return list;
}

function groupsOf(list: readonly Derived[]): { property: string; twins: string[] }[] {
  return list
    .map((d) => ({
      property: d.property,
      twins: d.twin
        ? [d.twin]
        : entries.value.filter((e) => models.value.get(e.model)?.ancestors.has(d.model ?? "")).map((e) => e.id),
    }))
    .filter((g) => {
      const type = g.twins.length && propertyOf(byId.value.get(g.twins[0]!)?.model ?? "", g.property)?.type;
      return type === "number" || type === "integer";
    })
    .slice(0, TILES_MAX);
}

function Standing({ kpis }: { kpis: readonly Kpi[] }) {
  const world = worldName.value;
  const derived = useDerived(world);
  const groups = useMemo(() => groupsOf(derived ?? []), [derived, entries.value, models.value]);
  useLive(groups);
  // The same said twice would only take room.
  const own = (derived ?? []).map((d) => d.expression);
  const now = useKpisNow(world, derived ? kpis.filter((k) => !own.includes(k.expression)) : []);
  if (derived && now && !groups.length && !now.length)
    return kpis.length || kind.value === "past" ? null : (
      <div class="notice teach">
        <Icon of={Gauge} />
        <div class="grow">
          <div class="strong">{words.overview.noKpis}</div>
          <div class="small quiet">{words.overview.noKpisHint}</div>
        </div>
        <a class="button" href={kpiHref("*")}>
          <Icon of={Plus} />
          {words.definitions.kpi.fresh}
        </a>
      </div>
    );
  if (!derived || !now) return <Waiting />;
  last = now.length + groups.length;
  return (
    <section class="tiles kpis" aria-label={words.overview.keyValues}>
      {(now ?? []).map((k) => (
        <KpiTile key={k.kpi.name} {...k} />
      ))}
      {groups.slice(0, Math.max(0, TILES_MAX - (now?.length ?? 0))).map((g) => (
        <Group key={`${world} ${g.property} ${g.twins[0]}`} {...g} />
      ))}
    </section>
  );
}

let last = 0; // so many tiles there were: their room is kept while the next are read

/** Room for the tiles, so that nothing below jumps when they come. */
function Waiting() {
  const [n] = useState(() => last);
  return (
    <section class="tiles kpis" aria-hidden="true">
      {Array.from({ length: n || TILES_WAITING }, (_, i) => (
        <div key={i} class="card tile kpi waiting" />
      ))}
    </section>
  );
}

export function Kpis() {
  const scenario = kind.value === "scenario";
  const run = useRun(worldName.value, scenario);
  if (!run) return <Waiting />;
  if (!run.counted.length) return <Standing kpis={run.defined} />;
  return (
    <section class="tiles kpis" aria-label={words.overview.kpis}>
      {run.counted.map((k) => (
        <KpiTile key={k.name} kpi={k} value={k.value ?? null} course={k.values ?? []} />
      ))}
    </section>
  );
}
