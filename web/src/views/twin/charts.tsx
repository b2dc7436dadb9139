// SPDX-License-Identifier: Apache-2.0
// How the values of a twin went: several of them, beside other twins and other times, with their limits, what happened,
// and the states it was in. What is shown is the address.
import { useEffect, useMemo } from "preact/hooks";
import { LineChart } from "lucide-preact";
import { fetchHours } from "~/api/history";
import { models, propertyOf } from "~/api/models";
import { now as serverNow } from "~/api/now";
import { valueAt } from "~/api/twin";
import type { Twin } from "~/api/types";
import { kind, route, worldName } from "~/app/route";
import { Button, Card, Empty, Skeleton, Wrong } from "~/ui/basic";
import { Chart, type Limit, type Line, type Nothing } from "~/ui/chart";
import { panels } from "~/ui/chart/model";
import { useKept } from "~/ui/kept";
import { words } from "~/words/en";
import * as format from "~/format";
import { Beside } from "./beside";
import { Chosen } from "./chosen";
import { isAtFork, useClock } from "./clock";
import { useChanges, useCourses, type Changes, type Courses } from "./courses";
import { againstDays, standsOut, type Finding } from "./finding";
import { limitsOf } from "./limits";
import { marksOf, WRONG } from "./marks";
import { useStory, type Story } from "./onset";
import { RangePicker } from "./range";
import { numbersOf, shownOf } from "./shown";
import { showAll, showBetween, showLast, spanOf, SPANS } from "./span";
import { StateStrip, stripOf } from "./states";
import { lineOf, pathsIn, wantedOf, type Wanted } from "./wanted";

const DAYS = 7; // of which the usual for an hour is taken
const HOURS_MS = 5 * 60_000; // so often the means of hours are read again
const WIDEST = SPANS[SPANS.length - 1]!;
const AIM = /(set_?point|target)$/i; // what is wanted; a limit is what must not be passed
const STATE = /^(state|status|mode)$/i;

/** What is drawn when nobody chose: what devices send, a measured value before a counter. */
function firstOf(twin: Twin): string[] {
  const sent = numbersOf(shownOf(twin)).filter((s) => s.sensor);
  return (sent.find((s) => s.property?.unit && !/hours|count|total/i.test(s.path)) ?? sent[0])?.path.split(",") ?? [];
}

/** Up to the instant: what a device told last is at the end of the line, be the rest means, or read a while ago. */
function upToNow(lines: Line[], wanted: readonly Wanted[], twin: Twin, { span, of }: Courses): Line[] {
  if (!span.moves || kind.value === "scenario") return lines;
  const at = new Map(shownOf(twin).map((s) => [s.path, s]));
  return lines.map((l, i) => {
    const w = wanted[i]!;
    const s = w.twin === twin.$dtId && !w.dash ? at.get(w.path) : undefined;
    const t = s?.sensor && s.at ? Date.parse(s.at) / 1000 : NaN;
    const last = l.time[l.time.length - 1];
    const v = valueAt(twin, w.path);
    if (last === undefined || typeof v !== "number" || !(t > last) || l.step) return l;
    const patience = of.get(w.key)?.patience ?? 0;
    const gap = patience > 0 && t - last > patience;
    const add = <T,>(c: T[], between: T, end: T) => (gap ? [...c, between, end] : [...c, end]);
    return {
      ...l,
      time: add(l.time, (last + t) / 2, t),
      value: add(l.value, null, v),
      low: l.low && add(l.low, null, v),
      high: l.high && add(l.high, null, v),
    };
  });
}

/** A state that was told since its history was read. */
function withNow(c: Changes, twin: Twin): Changes {
  const s = shownOf(twin).find((x) => x.path === c.path);
  const last = c.list[c.list.length - 1];
  const time = s?.at ? Date.parse(s.at) / 1000 : NaN;
  if (!last || typeof s?.value !== "string" || s.value === last.value || !(time > last.time)) return c;
  return { ...c, list: [...c.list, { time, value: s.value }] };
}

function useHours(world: string, twin: string, path: string | undefined, on: boolean) {
  const of = `${world} ${twin} ${path} ${on}`;
  const [hours, set] = useKept<{ time: number[]; value: (number | null)[]; at: number }>(of);
  const round = Math.floor(useClock() / HOURS_MS);
  useEffect(() => {
    if (!path || !on) return;
    const abort = new AbortController();
    const hour = Math.floor(serverNow() / 3600_000) * 3600;
    fetchHours(world, twin, path, serverNow(), DAYS + 1, abort.signal).then(
      (h) => set({ ...h, at: hour }),
      () => {},
    );
    return () => abort.abort();
  }, [world, twin, path, on, round]);
  return hours;
}

/** A sentence where the values say one; else nothing. */
function sayOf(f: Finding, name: string, unit: string, span: string, hour: number): string {
  const amount = (v: number) => format.amount(v, unit, 3);
  const by = amount(Math.abs(f.by));
  return f.days
    ? words.twin.usual(name, by, f.by > 0, f.days, format.minute(hour * 1000))
    : words.twin.standsOut(name, by, f.by > 0, span, amount(f.usual));
}

/** What announced the alert that stands, as far as it is in what is shown. */
function announced(story: Story | null | undefined, chosen: readonly string[], name: string, from: number): string {
  if (!story || chosen[0] !== story.path || story.from < from) return "";
  const about = Math.round(story.from / 300) * 300_000;
  return words.twin.announced(name, story.up, format.minute(about), story.text, format.minute(story.alert));
}

/** What is chosen in the address; without it what tells how an alert came about. */
function paramsWith(story: Story | null | undefined): Readonly<Record<string, string>> {
  const params = route.value.params;
  if (!story || params.p) return params;
  const free = !params.span && !params.from && !params.to;
  return { ...params, p: story.path, ...(free ? { span: String(story.seconds) } : {}) };
}

/** As tall as the screen allows, and not so tall that nothing else is seen. */
const heightOf = (plots: number): number =>
  Math.round(Math.max(200, Math.min(420, (innerHeight * 0.36) / Math.min(1.6, plots))));

/** Setpoints and limits of what is drawn, over time as they were. */
function limitsFor(twin: Twin, shown: readonly string[], limits: readonly Wanted[], got: Courses): Limit[] {
  const model = twin.$metadata.$model;
  return limits.flatMap((w) => {
    const c = got.of.get(w.key);
    const value = c?.value[c.value.length - 1] ?? valueAt(twin, w.path);
    if (typeof value !== "number" || shown.includes(w.path)) return [];
    const p = propertyOf(model, w.path);
    const label = `${p?.name ?? w.path} ${format.amount(value, w.unit)}`;
    return [
      {
        label,
        value,
        unit: w.unit,
        time: c?.time,
        values: c?.value,
        colour: AIM.test(w.path) ? "var(--n8)" : "var(--bad)",
      },
    ];
  });
}

/** What is said of the left part in which no line has a value. */
function nothingIn(wanted: readonly Wanted[], got: Courses): Nothing | undefined {
  const all = wanted.flatMap((w) => {
    const c = got.of.get(w.key);
    return c?.value.some((v) => v !== null) ? [{ shift: w.shift, begin: c.begin }] : [];
  });
  if (!all.length || all.some((c) => !c.begin)) return undefined;
  const at = (c: (typeof all)[number]) => c.begin!.time + c.shift / 1000;
  const until = Math.min(...all.map(at));
  const time = format.minute(all.find((c) => at(c) === until)!.begin!.time * 1000);
  return {
    until,
    text: all.every((c) => c.begin!.first) ? words.twin.nothingBefore(time) : words.twin.silentUntil(time),
  };
}

export function Charts({ twin }: { twin: Twin }) {
  const world = worldName.value;
  const model = twin.$metadata.$model;
  const now = useClock();
  const story = useStory(twin, now);
  const params = paramsWith(story);
  const span = spanOf(params, now);
  const shown = shownOf(twin);
  const numbers = numbersOf(shown).map((s) => s.path);
  const sensors = new Set(shown.filter((s) => s.sensor).map((s) => s.path));
  const asked = pathsIn(params).filter((p) => numbers.includes(p) || propertyOf(model, p));
  const chosen = asked.length ? asked : firstOf(twin);
  const wanted = wantedOf(twin, chosen, params, span, { world, scenario: kind.value === "scenario", sensors });
  const properties = models.value.get(model)?.properties ?? [];
  const bounds: Wanted[] = [
    ...new Set(chosen.flatMap((c) => properties.filter((p) => p.path === c).flatMap((p) => limitsOf(p, properties)))),
  ].map((p) => ({
    key: `${twin.$dtId} ${p.path}`,
    world,
    twin: twin.$dtId,
    path: p.path,
    shift: 0,
    stands: true,
    label: p.name,
    unit: p.unit,
    colour: "",
    dash: true,
  }));
  const drawn = [...wanted, ...bounds.filter((b) => !wanted.some((x) => x.key === b.key))];
  const still = kind.value === "past";
  const { got, error, busy, again } = useCourses(drawn, params, still);
  const faultPaths = shown.filter((s) => WRONG.test(s.path)).map((s) => s.path);
  const statePaths = shown.filter((s) => STATE.test(s.path) && typeof s.value === "string").map((s) => s.path);
  const changes = useChanges(world, twin.$dtId, [...faultPaths, ...statePaths], got?.span);
  const hours = useHours(world, twin.$dtId, chosen[0], kind.value === "live" && span.moves);
  const key = wanted.map((w) => w.key).join();
  const lines = useMemo<Line[]>(() => {
    if (!got || wanted.some((w) => !got.of.has(w.key))) return [];
    const plain = wanted.map((w) => lineOf(w, got.of.get(w.key)!, got.span.to / 1000));
    return upToNow(plain, wanted, twin, got);
  }, [got, key, twin]);
  const nothing = useMemo(() => (got ? nothingIn(wanted, got) : undefined), [got, key]);
  const limits = useMemo(() => (got ? limitsFor(twin, chosen, bounds, got) : []), [got, key]);
  const from = got ? got.span.from / 1000 : 0;
  const to = got ? Math.max(got.span.to / 1000, kind.value === "live" && got.span.moves ? now / 1000 : 0) : 1;
  const faults = changes.filter((c) => faultPaths.includes(c.path));
  const marks = marksOf(twin.$dtId, faults, from, to);
  const first = lines[0];
  const found =
    got?.span.moves && first ? (standsOut(first, from, to) ?? (hours && againstDays(hours, hours.at))) : null;
  const names = chosen.map((c) => propertyOf(model, c)?.name ?? c);
  const name = names[0] ?? "";
  const course = words.twin.course(wanted.map((w) => w.label).join(", "));
  const last = format.duration(span.seconds * 1000);
  const led = announced(story, chosen, name, from);
  const say = led || (found && first ? sayOf(found, name, first.unit, last, hours?.at ?? 0) : "");
  const stripSpan = got && { ...got.span, to: to * 1000 };
  const strips = changes
    .filter((c) => stripSpan && statePaths.includes(c.path))
    .map((c) => stripOf(propertyOf(model, c.path)?.name ?? c.path, stripSpan!.moves ? withNow(c, twin) : c, stripSpan!))
    .filter((s) => s !== undefined);
  const unmoved = shown.filter((s) => chosen.includes(s.path) && isAtFork(s)).map((s) => names[chosen.indexOf(s.path)]);
  const wide = panels(lines).some((list) => new Set(list.map((l) => l.unit)).size > 1);
  return (
    <Card
      title={words.twin.charts}
      class="history"
      actions={
        numbers.length > 0 && (
          <>
            <RangePicker span={span} />
            <Beside id={twin.$dtId} paths={chosen} />
          </>
        )
      }
    >
      {!numbers.length ? (
        <Empty icon={LineChart} title={words.twin.noHistory} hint={words.twin.noHistoryHint} />
      ) : (
        <>
          <Chosen model={model} numbers={numbers} chosen={chosen} />
          {error && !got ? (
            <Wrong error={error} retry={again} />
          ) : !got || !lines.length || (story === undefined && !asked.length) ? (
            <Skeleton lines={6} />
          ) : lines.every((l) => !l.value.some((v) => v !== null)) ? (
            <Empty icon={LineChart} title={words.twin.emptySpan} hint={words.twin.emptySpanHint}>
              <Button onClick={() => showLast(WIDEST)}>{words.twin.showWidest}</Button>
            </Empty>
          ) : (
            <Chart
              lines={lines}
              limits={limits}
              marks={marks}
              nothing={nothing}
              strips={strips}
              from={from}
              to={to}
              height={heightOf(panels(lines).length)}
              label={course}
              title={say || undefined}
              heading={`${twin.label ?? twin.$dtId}: ${say || names.join(", ")}`}
              zoom={(a, b) => showBetween(a * 1000, b * 1000)}
              reset={showAll}
              loading={busy && got.span.moves !== span.moves}
            />
          )}
          {unmoved.length > 0 && <p class="small quiet">{words.twin.atForkCourse(unmoved.join(", "))}</p>}
          {got && strips.map((s) => <StateStrip key={s.name} strip={s} span={stripSpan!} wide={wide} />)}
        </>
      )}
    </Card>
  );
}
