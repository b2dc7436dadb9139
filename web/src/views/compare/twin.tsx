// SPDX-License-Identifier: Apache-2.0
// The selected twin in both worlds: values beside each other, what lies between them, and one course over the other.
import { useEffect, useState } from "preact/hooks";
import { SearchX, X } from "lucide-preact";
import { fetchHistory, type Series } from "~/api/history";
import { modelName } from "~/api/models";
import { useTwin, type LiveTwin } from "~/api/twin";
import type { Twin, Value } from "~/api/types";
import { diff, type Difference } from "~/api/whatif";
import { cls, Empty, IconButton, Skeleton, Wrong } from "~/ui/basic";
import { Chart, type Line } from "~/ui/chart";
import { shownOf, type Shown } from "~/views/twin/shown";
import { words } from "~/words/en";
import * as format from "~/format";
import { kindOf, nameOf, titleOf } from "./names";
import { sides, type Sides } from "./sides";

const w = words.compare;
const MIN = 60_000;

interface Row {
  path: string;
  name: string;
  unit: string;
  a?: Value;
  b?: Value;
  same: boolean;
}

const same = (a: Value | undefined, b: Value | undefined): boolean =>
  typeof a === "number" && typeof b === "number"
    ? Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b))
    : JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

function rowsOf(a: Twin | undefined, b: Twin | undefined): Row[] {
  const of = (t: Twin | undefined) => new Map((t ? shownOf(t) : []).map((s) => [s.path, s] as [string, Shown]));
  const [x, y] = [of(a), of(b)];
  return [...new Set([...x.keys(), ...y.keys()])].map((path) => {
    const p = (x.get(path) ?? y.get(path))!.property;
    const [va, vb] = [x.get(path)?.value, y.get(path)?.value];
    return { path, name: p?.name ?? path, unit: p?.unit ?? "", a: va, b: vb, same: same(va, vb) };
  });
}

function between(r: Row): string {
  if (r.same) return "";
  if (typeof r.a !== "number" || typeof r.b !== "number") return "≠";
  return format.signed(r.b - r.a);
}

/** Where to look: the hour before the later of the two instants, or the whole runs. */
function spanOf(s: Sides): [number, number] {
  const to = Math.max(s.a.time, s.b.time);
  const apart = Math.abs(s.a.time - s.b.time);
  return [to - Math.max(apart * 1.2, kindOf(s.b.ref) === "scenario" ? 48 * 60 * MIN : 60 * MIN), to];
}

function useCourses(id: string, path: string, s: Sides): { lines: Line[]; read: boolean } {
  const [state, set] = useState<{ list: (Series | undefined)[]; read: boolean }>({ list: [], read: false });
  const [from, to] = spanOf(s);
  const at = Math.round(to / MIN);
  useEffect(() => {
    if (!path || Number.isNaN(at)) return;
    const abort = new AbortController();
    const one = (world: string, end: number) =>
      fetchHistory({
        world,
        twin: id,
        properties: [path],
        from,
        to: Math.max(end, from + MIN),
        points: 240,
        signal: abort.signal,
      }).then(
        (l) => l[0],
        () => undefined,
      );
    void Promise.all([one(s.a.path, s.a.time), one(s.b.path, s.b.time)]).then(
      (list) => !abort.signal.aborted && set({ list, read: true }),
    );
    return () => abort.abort();
  }, [id, path, s.a.path, s.b.path, at]);
  const lines = state.list.flatMap((l, i): Line[] => {
    const side = i === 0 ? s.a : s.b;
    if (!l?.time.length) return [];
    return [
      {
        label: `${i === 0 ? "A" : "B"} ${titleOf(side.ref)}`,
        unit: l.unit,
        time: l.time,
        value: l.value.map((v) => (typeof v === "number" ? v : null)),
        colour: i === 0 ? "var(--n7)" : kindOf(side.ref) === "scenario" ? "var(--violet)" : "var(--teal)",
        dash: i === 0,
      },
    ];
  });
  return { lines, read: state.read };
}

function Course({ id, row, s }: { id: string; row: Row; s: Sides }) {
  const { lines, read } = useCourses(id, row.path, s);
  if (!read) return <Skeleton lines={4} />;
  if (!lines.length) return <p class="small quiet">{words.twin.noHistory}</p>;
  return (
    <figure class="course">
      <figcaption class="small strong">{row.name}</figcaption>
      <Chart lines={lines} height={150} label={w.course(row.name)} />
    </figure>
  );
}

/** Links that only one of the two worlds has. */
function Links({ id, s }: { id: string; s: Sides }) {
  const [list, set] = useState<(Difference & { change?: string; relationshipName?: string; target?: string })[]>([]);
  useEffect(() => {
    let on = true;
    diff(s.b.path, s.a.path, 200, id).then(
      (d) => on && set(d.changes.filter((c) => c.what === "relationship")),
      () => {},
    );
    return () => void (on = false);
  }, [id, s.a.path, s.b.path]);
  if (!list.length) return null;
  return (
    <ul class="compare-links small">
      {list.map((l) => (
        <li key={`${l.relationshipName} ${l.target}`}>
          {(l.change === "made" ? w.linkMade : w.linkGone)(l.relationshipName ?? "", l.target ?? "")}
        </li>
      ))}
    </ul>
  );
}

const missing = (t: LiveTwin) => t.gone;

export function TwinInBoth({ id, close }: { id: string; close: () => void }) {
  const s = sides.value;
  const a = useTwin(id, s?.a.path ?? "live");
  const b = useTwin(id, s?.b.path ?? "live");
  const [every, setEvery] = useState(false);
  const [chosen, choose] = useState("");
  const t = a.twin ?? b.twin;
  if (!s) return null;
  const rows = rowsOf(a.twin, b.twin);
  const both = a.twin && b.twin;
  const differ = rows.filter((r) => !r.same);
  const shown = every ? [...differ, ...rows.filter((r) => r.same)] : differ;
  const row = rows.find((r) => r.path === chosen) ?? differ.find((r) => typeof r.a === "number");
  return (
    <>
      <div class="panel-head">
        <div class="grow">
          <h2 class="ellipsis" title={id}>
            {(t?.label as string) || id}
          </h2>
          <div class="small quiet ellipsis">{t ? modelName(t.$metadata.$model) : ""}</div>
        </div>
        <IconButton name={words.close} icon={X} onClick={close} />
      </div>
      <div class="scroll compare-twin">
        {missing(a) && missing(b) && <Empty icon={SearchX} title={words.inspector.gone(id)} />}
        {[a, b].map((x) => x.error && <Wrong key={x.error} error={new Error(x.error)} retry={x.again} />)}
        {missing(a) !== missing(b) && (
          <div class="notice attention small">{w.notIn(nameOf((missing(a) ? s.a : s.b).ref))}</div>
        )}
        {!t && !missing(a) && <Skeleton lines={6} />}
        {both && !differ.length && <p class="quiet">{w.sameTwin}</p>}
        {t && shown.length > 0 && (
          <table class="table">
            <thead>
              <tr>
                <th>{w.property}</th>
                <th class="num compare-a" title={titleOf(s.a.ref)}>
                  A
                </th>
                <th class="num compare-b" title={titleOf(s.b.ref)}>
                  B
                </th>
                <th class="num">B − A</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((r) => (
                <tr key={r.path} class={r.same ? "quiet" : ""} aria-selected={row?.path === r.path}>
                  <td>
                    <button type="button" onClick={() => choose(r.path)} title={r.path}>
                      {r.name}
                    </button>
                    {r.unit && <span class="tiny quiet"> {format.unitSymbol(r.unit)}</span>}
                  </td>
                  <td class={cls("num", typeof r.a === "number" && "number")} title={String(r.a)}>
                    {a.twin ? format.value(r.a) : "–"}
                  </td>
                  <td class={cls("num", typeof r.b === "number" && "number")} title={String(r.b)}>
                    {b.twin ? format.value(r.b) : "–"}
                  </td>
                  <td class="num strong">{between(r)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {t && rows.length > differ.length && (
          <button type="button" class="button plain" onClick={() => setEvery(!every)}>
            {every ? w.only : w.everything}
          </button>
        )}
        <Links key={"links " + id} id={id} s={s} />
        {row && <Course key={`${id} ${row.path}`} id={id} row={row} s={s} />}
      </div>
    </>
  );
}
