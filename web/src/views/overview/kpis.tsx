// SPDX-License-Identifier: Apache-2.0
// What the operation comes to. Of a scenario: its KPIs, as its run counted them. Of live and the past: what the KPIs'
// definitions come to there, and the values that are computed from others (derived), with their last hours.
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Gauge, Pencil, Plus } from "lucide-preact";
import { nowOfWorld } from "~/api/attention";
import { byId, entries, labelOf } from "~/api/catalogue";
import { all, api } from "~/api/client";
import { listen } from "~/api/feed";
import { models, propertyOf } from "~/api/models";
import type { Kpi } from "~/api/types";
import { pref } from "~/app/prefs";
import { hrefOf, kind, route, worldName } from "~/app/route";
import { Flash, Icon, Wrong } from "~/ui/basic";
import { useKept } from "~/ui/kept";
import { useFetched } from "~/ui/read";
import { Spark } from "~/ui/spark";
import { words } from "~/words/en";
import { courseOf, figureOf, isShare, kpisNow, NO_POINTS, said, valuesOf } from "./course";
import type { KpiNow, Points, Said } from "./course";
import { KPI, useBeside, type Tile } from "./beside";
import { frameNow, useColumns } from "./columns";
import { isMoving, sameBase, useSteady } from "./steady";

const TILES_MAX = 12;
const ROWS_MAX = 5; // of one property, of several twins
const SPARK_MS = 20_000;
const KPI_MS = 30_000;
const RUN_MS = 2000;

interface Derived {
  name: string;
  model?: string;
  twin?: string;
  property: string;
  expression?: string;
}

function useCourse(twin: string, property: string): Points {
  const world = worldName.value;
  const [course, keep] = useKept<Points>(`${world} ${twin} ${property}`);
  const past = kind.value === "past";
  useEffect(() => {
    const abort = new AbortController();
    const read = () =>
      document.visibilityState === "visible" && courseOf(world, twin, property, abort.signal).then(keep, () => {});
    void read();
    const timer = past ? 0 : setInterval(read, SPARK_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [world, twin, property]);
  return useSteady(course) ?? NO_POINTS;
}

interface Value {
  name: string;
  v: number | null;
  course: Points;
  href: string;
  say: (v: number | null) => Said;
}

/** Of all tiles, kept by one interest: a watch has room for few. */
const live = signal<{ world: string; of: ReadonlyMap<string, number> }>({ world: "", of: new Map() });
const liveOf = (twin: string, property: string): number | undefined =>
  live.value.world === worldName.value || (isMoving() && sameBase(live.value.world))
    ? live.value.of.get(`${twin} ${property}`)
    : undefined;

function useLive(groups: readonly Of[]): void {
  const world = worldName.value;
  const past = kind.value === "past";
  const key = groups.map((g) => `${g.property} ${g.twins.slice(0, ROWS_MAX).join(" ")}`).join("\n");
  useEffect(() => {
    if (!isMoving() || !sameBase(live.peek().world)) live.value = { world, of: new Map() };
    if (!groups.length) return;
    const twins = [...new Set(groups.flatMap((g) => g.twins.slice(0, ROWS_MAX)))];
    const properties = [...new Set(groups.map((g) => g.property))];
    const abort = new AbortController();
    const read = () =>
      void valuesOf(world, twins, properties, abort.signal).then(
        (of) => abort.signal.aborted || (live.value = { world, of }),
        () => {},
      );
    if (past) read();
    const stop = listen(
      { world, twins, properties, interval: 500 },
      {
        subscribed: read,
        gap: read,
        changes: (list) => {
          const of = new Map(live.peek().of);
          for (const c of list) if (c.path && typeof c.value === "number") of.set(`${c.twin} ${c.path}`, c.value);
          live.value = { world, of };
        },
      },
    );
    return () => {
      abort.abort();
      stop();
    };
  }, [key, world, past]);
}

/** A value that is computed; where a KPI is defined as the same, it is said as that KPI is. */
function useValue(twin: string, property: string, kpi: Kpi | undefined): Value {
  const past = useCourse(twin, property);
  const now = liveOf(twin, property) ?? past.value.findLast((c) => c !== null) ?? null;
  const p = propertyOf(byId.value.get(twin)?.model ?? "", property);
  const name = p?.name ?? property;
  const scale = kpi && isShare(kpi) ? 100 : 1;
  return {
    name: kpi?.title || name,
    v: now,
    course: useMemo(() => (now === null ? past : withNow(past, now)), [past, now]),
    href: hrefOf({ view: "twin", params: { sel: twin, p: property } }),
    say: (v) => (kpi ? figureOf(v === null ? v : v * scale, kpi) : said(v, p?.unit ?? "", name, past.value)),
  };
}

/** Up to the instant that is shown, as the spark's end. */
const withNow = (c: Points, v: number): Points => ({
  time: [...c.time, Math.max(nowOfWorld(), c.time[c.time.length - 1] ?? 0)],
  value: [...c.value, v],
});

const asText = (s: Said): string => `${s.text}${s.unit ? `\u00a0${s.unit}` : ""}`;

function Course({ course, say, name }: { course: Points; say: (v: number) => Said; name: string }) {
  return <Spark values={course.value} time={course.time} say={(v) => asText(say(v))} label={words.twin.course(name)} />;
}

function Figure({ v, s }: { v: number | null; s: Said }) {
  return (
    <span class="figure" title={v === null ? undefined : String(v)}>
      {v === null ? <span class="quiet">–</span> : <Flash text={s.text} />} <small>{s.unit}</small>
    </span>
  );
}

function One({ twin, property, kpi }: { twin: string; property: string; kpi?: Kpi }) {
  const v = useValue(twin, property, kpi);
  return (
    <a class="card tile kpi" href={v.href}>
      <span class="tile-name">{v.name}</span>
      <span class="tile-of">{labelOf(twin)}</span>
      <Figure v={v.v} s={v.say(v.v)} />
      <Course course={v.course} say={v.say} name={v.name} />
    </a>
  );
}

function Line({ twin, property }: { twin: string; property: string }) {
  const v = useValue(twin, property, undefined);
  const s = v.say(v.v);
  return (
    <a class="kpi-line" href={v.href}>
      <span class="ellipsis" title={labelOf(twin)}>
        {labelOf(twin)}
      </span>
      <Course course={v.course} say={v.say} name={v.name} />
      <span class="num strong">
        {v.v === null ? <span class="quiet">–</span> : <Flash text={s.text} />} <small class="quiet">{s.unit}</small>
      </span>
    </a>
  );
}

function Group({ property, twins, kpi }: Of) {
  if (twins.length === 1) return <One twin={twins[0]!} property={property} kpi={kpi} />;
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
function KpiTile(p: { kpi: Kpi; value: number | null; course: Points }) {
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

function KpiCard({ kpi, value, course }: { kpi: Kpi; value: number | null; course: Points }) {
  const title = kpi.title || kpi.name;
  const s = figureOf(value, kpi);
  return (
    <a
      class="card tile kpi"
      href={hrefOf({ view: "twin", params: { sel: kpi.twin } })}
      title={`${kpi.expression} (${kpi.over})`}
    >
      <span class="tile-name">{title}</span>
      <span class="figure">
        {value === null ? "–" : <Flash text={s.text} />} <small>{s.unit}</small>
      </span>
      <Course course={course} say={(v) => figureOf(v, kpi)} name={title} />
    </a>
  );
}

interface RunKpis {
  counted: Kpi[];
  defined: Kpi[];
}

/** What a run counted, as it counts. */
const readRun = (world: string, signal: AbortSignal): Promise<RunKpis> =>
  api
    .get<{ kpis: Kpi[]; value: Kpi[] }>("/kpis", { world, signal, query: { points: 60 } })
    .then((r) => ({ counted: r.kpis, defined: r.value }));

/** With the courses of the round before until there are new ones. */
const withCourses = (next: KpiNow[], before: readonly KpiNow[] = []): KpiNow[] =>
  next.map((k) => ({ ...k, course: k.course ?? before.find((b) => b.kpi.name === k.kpi.name)?.course }));

interface NowOf {
  list?: KpiNow[];
  error?: unknown;
  again: () => void;
}

function useKpisNow(world: string, kpis: readonly Kpi[] | undefined): NowOf {
  const past = kind.value === "past";
  const base = route.value.world;
  const key = kpis?.map((k) => k.name).join();
  const [list, keep] = useKept<KpiNow[]>(`${world} ${key}`);
  const [error, fail] = useKept<unknown>(`${world} ${key}`);
  const [round, turn] = useState(0);
  useEffect(() => {
    if (!kpis) return;
    const abort = new AbortController();
    const tell = (l: KpiNow[]) => (keep((before) => withCourses(l, before)), fail(undefined));
    const read = () =>
      document.visibilityState === "visible" &&
      kpisNow(world, base, kpis, abort.signal, tell).catch((e: unknown) => abort.signal.aborted || fail(e));
    void read();
    const timer = past ? 0 : setInterval(read, KPI_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [world, key, round]);
  return { list: useSteady(list), error, again: () => turn((n) => n + 1) };
}

/** One property of some twins; `kpi`: that one is defined as the same. */
interface Of {
  property: string;
  twins: string[];
  kpi?: Kpi;
}

const sameText = (a: string | undefined, b: string) => a?.replaceAll(/\s+/g, "") === b.replaceAll(/\s+/g, "");

function groupsOf(list: readonly Derived[], kpis: readonly Kpi[]): Of[] {
  return list
    .map((d) => {
      const twins = d.twin
        ? [d.twin]
        : entries.value.filter((e) => models.value.get(e.model)?.ancestors.has(d.model ?? "")).map((e) => e.id);
      const kpi = kpis.find((k) => twins.length === 1 && k.twin === twins[0] && sameText(d.expression, k.expression));
      return { property: d.property, twins, kpi };
    })
    .filter((g) => {
      const type = g.twins.length && propertyOf(byId.value.get(g.twins[0]!)?.model ?? "", g.property)?.type;
      return type === "number" || type === "integer";
    })
    .slice(0, TILES_MAX);
}

function Unread({ error, again }: { error: unknown; again: () => void }) {
  return (
    <div class="kpis-unread">
      <Wrong title={words.overview.noKeyValues} error={error} retry={again} />
    </div>
  );
}

function NoKpis() {
  return (
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
}

const titleOf = (k: Kpi) => k.title || k.name;

const tileOfKpi = ({ kpi, value, course }: Omit<KpiNow, "value"> & { value: number | null }): Tile => ({
  key: KPI + kpi.name,
  title: titleOf(kpi),
  tile: <KpiTile key={kpi.name} kpi={kpi} value={value} course={course ?? NO_POINTS} />,
});

function tileOfGroup(g: Of): Tile {
  const p = propertyOf(byId.value.get(g.twins[0]!)?.model ?? "", g.property);
  return {
    key: g.kpi ? KPI + g.kpi.name : `${g.property} ${g.twins[0]}`,
    title: g.kpi ? titleOf(g.kpi) : (p?.name ?? g.property),
    tile: <Group key={`${route.value.world} ${g.property} ${g.twins[0]}`} {...g} />,
  };
}

function Standing({ kpis }: { kpis: readonly Kpi[] }) {
  const world = worldName.value;
  const values = useFetched(world, (signal) => all<Derived>("/derived", { world, signal }));
  const derived = useSteady(values.value);
  const groups = useMemo(() => groupsOf(derived ?? [], kpis), [derived, kpis, entries.value, models.value]);
  useLive(groups);
  // The same said twice would only take room.
  const own = (k: Kpi) => groups.some((g) => g.kpi?.name === k.name);
  const of = useKpisNow(world, derived && kpis.filter((k) => !own(k)));
  const now = of.list;
  const shown = groups.slice(0, Math.max(0, TILES_MAX - (now?.length ?? 0)));
  const tiles = useBeside(derived && now ? [...now.map(tileOfKpi), ...shown.map(tileOfGroup)] : undefined);
  const box = useRoom(derived && now && tiles.length);
  const style = useColumns(box, tiles.length);
  const failed = derived ? of : values;
  if ((!derived || !now) && failed.error !== undefined) return <Unread error={failed.error} again={failed.again} />;
  if (!derived || !now) return <Waiting />;
  if (!groups.length && !now.length) return kpis.length || kind.value === "past" ? null : <NoKpis />;
  return (
    <section class="tiles kpis" aria-label={words.overview.keyValues} ref={box} style={style}>
      {tiles.map((t) => t.tile)}
    </section>
  );
}

/** How many tiles there were, and how high they stood in which frame: their room is kept while they are read. */
const room = pref("overview.tiles", { count: 0, height: 0, frame: "" });

function useRoom(count: number | undefined) {
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!box.current || !count) return;
    const next = {
      count: Math.min(count, TILES_MAX),
      height: box.current.offsetHeight,
      frame: frameNow(),
    };
    if (JSON.stringify(next) !== JSON.stringify(room.peek())) room.value = next;
  }, [count]);
  return box;
}

// Who was never here sees one tile: their columns would be a guess.
/** Room for the tiles, so that nothing below jumps when they come. */
function Waiting() {
  const [r] = useState(() => room.peek());
  const box = useRef<HTMLElement>(null);
  // In a page of another width they stand otherwise: their number alone is kept.
  useLayoutEffect(() => {
    if (box.current && frameNow() === r.frame) box.current.style.height = `${r.height}px`;
  }, []);
  return (
    <section class="tiles kpis" aria-hidden="true" ref={box} style={useColumns(box, Math.max(1, r.count))}>
      {Array.from({ length: Math.max(1, r.count) }, (_, i) => (
        <div key={i} class="card tile kpi waiting" />
      ))}
    </section>
  );
}

const pointsOf = (k: Kpi): Points => ({ time: (k.times ?? []).map((t) => Date.parse(t)), value: k.values ?? [] });

function Counted({ kpis }: { kpis: readonly Kpi[] }) {
  const tiles = useBeside(kpis.map((kpi) => tileOfKpi({ kpi, value: kpi.value ?? null, course: pointsOf(kpi) })));
  const box = useRoom(tiles.length);
  return (
    <section class="tiles kpis" aria-label={words.overview.kpis} ref={box} style={useColumns(box, tiles.length)}>
      {tiles.map((t) => t.tile)}
    </section>
  );
}

export function Kpis() {
  const world = worldName.value;
  const read = useFetched(world, (signal) => readRun(world, signal), {
    every: kind.value === "scenario" ? RUN_MS : 0,
  });
  const run = useSteady(read.value);
  if (!run && read.error !== undefined) return <Unread error={read.error} again={read.again} />;
  if (!run) return <Waiting />;
  return run.counted.length ? <Counted kpis={run.counted} /> : <Standing kpis={run.defined} />;
}
