// SPDX-License-Identifier: Apache-2.0
// All twins: found by name, of a model, sorted by a column; only the rows in sight are made.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ArrowDown, ArrowUp, Boxes } from "lucide-preact";
import { entries, reading, readError, reload, search } from "~/api/catalogue";
import { modelName, models } from "~/api/models";
import { useStale } from "~/api/stale";
import { useValues } from "~/api/values";
import { NoTwins } from "~/app/begin";
import { go, hrefOf, route, selected, visit } from "~/app/route";
import { Card, Chip, cls, Empty, Icon, Skeleton, Wrong, type Tone } from "~/ui/basic";
import { attentionOf } from "~/views/overview/attention";
import { words } from "~/words/en";
import * as format from "~/format";
import { byName, nextSort, printSort, sorted, sortOf, stateText, type Column, type Row } from "./rows";
import { toneOf } from "./states";

const w = words.twin;
const SPARE = 8; // rows made beyond what is in sight
const MOST = 1_000_000;

const hrefTo = (id: string) => hrefOf({ view: "twin", fresh: true, params: { sel: id } });

function useRows(): { rows: readonly Row[]; all: number } {
  const { find = "", model = "", sort } = route.value.params;
  const values = useValues(["state"]);
  const silent = useStale();
  const wrong = attentionOf.value;
  const version = values.version.value;
  // What is found comes by how well it fits.
  const found = useMemo(() => (find ? search(find, MOST) : byName(entries.value)), [find, entries.value]);
  return useMemo(() => {
    const of = model ? found.filter((e) => models.value.get(e.model)?.ancestors.has(model)) : found;
    const rows = of.map((e) => ({
      ...e,
      state: wrong.get(e.id)?.text ?? stateText(values.get(e.id, "state")),
      bad: wrong.has(e.id),
      silent: silent.get(e.id),
    }));
    return { rows: sorted(rows, sortOf(sort), modelName), all: entries.value.length };
  }, [found, model, sort, models.value, version, silent, wrong]);
}

function Models() {
  const counts = useMemo(() => {
    const n = new Map<string, number>();
    for (const e of entries.value)
      for (const a of models.value.get(e.model)?.ancestors ?? [e.model]) n.set(a, (n.get(a) ?? 0) + 1);
    return [...n].sort((a, b) => modelName(a[0]).localeCompare(modelName(b[0])));
  }, [entries.value, models.value]);
  return (
    <select
      class="select list-model"
      aria-label={w.ofModel}
      value={route.value.params.model ?? ""}
      onChange={(e) => go({ params: { model: e.currentTarget.value || null } })}
    >
      <option value="">{w.anyModel}</option>
      {counts.map(([id, n]) => (
        <option key={id} value={id}>
          {modelName(id)} ({format.count(n)})
        </option>
      ))}
    </select>
  );
}

function Title({ by, title }: { by: Column; title: string }) {
  const sort = sortOf(route.value.params.sort);
  const on = sort?.by === by;
  return (
    <th scope="col" class={`col-${by}`} aria-sort={on ? (sort.down ? "descending" : "ascending") : undefined}>
      <button
        type="button"
        onClick={() => go({ params: { sort: printSort(nextSort(sort, by)) }, replace: true })}
        title={words.ask.sortBy(title)}
      >
        {title} {on && <Icon of={sort.down ? ArrowDown : ArrowUp} size={12} />}
      </button>
    </th>
  );
}

const LOOK: Record<ReturnType<typeof toneOf>, Tone> = { ok: "ok", bad: "bad", attention: "attention", none: "" };

function Line({ r, at, on }: { r: Row; at: number; on: boolean }) {
  return (
    <tr
      class={cls(on && "on", r.id === selected.value && "chosen")}
      aria-current={r.id === selected.value ? "true" : undefined}
      aria-rowindex={at + 2}
      data-row={at}
    >
      <td class="col-name">
        <a class="ellipsis" href={hrefTo(r.id)} tabIndex={on ? 0 : -1}>
          {r.label}
        </a>
      </td>
      <td class="col-id">
        <code class="small quiet ellipsis">{r.id}</code>
      </td>
      <td class="col-model ellipsis">{modelName(r.model)}</td>
      <td class="col-state">{r.state && <Chip tone={r.bad ? "bad" : LOOK[toneOf(r.state)]}>{r.state}</Chip>}</td>
      <td class="col-age">
        {r.silent && (
          <Chip tone="stale" title={format.exactTime(r.silent)}>
            {w.silent(format.relative(r.silent).replace(/ ago$/, ""))}
          </Chip>
        )}
      </td>
    </tr>
  );
}

/** A table of which only what is in sight is there; the page scrolls in it. */
function Table({ rows, field }: { rows: readonly Row[]; field: { current: HTMLInputElement | null } }) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [at, setAt] = useState(0);
  const now = useRef(0);
  const row = parseInt(getComputedStyle(document.documentElement).getPropertyValue("--row")) + 4;
  const first = Math.max(0, Math.floor(top / row) - SPARE);
  const last = Math.min(rows.length, Math.ceil((top + height) / row) + SPARE);
  useEffect(() => {
    const el = box.current!;
    const size = new ResizeObserver(() => setHeight(el.clientHeight));
    size.observe(el);
    return () => size.disconnect();
  }, []);
  // Nobody is silent: no column for it.
  const tells = useMemo(() => /age/.test(route.value.params.sort ?? "") || rows.some((r) => r.silent), [rows]);
  const question = `${route.value.params.find} ${route.value.params.model} ${route.value.params.sort}`;
  useEffect(() => {
    setAt((now.current = 0));
    box.current!.scrollTop = 0;
  }, [question]);
  const move = (to: number, focus: boolean) => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    const el = box.current!;
    now.current = next;
    setAt(next);
    if (next * row < el.scrollTop) el.scrollTop = next * row;
    else if ((next + 2) * row > el.scrollTop + el.clientHeight) el.scrollTop = (next + 2) * row - el.clientHeight;
    setTop(el.scrollTop);
    if (!focus) return;
    // At once where the row is there already: who types fast is ahead of what is drawn.
    const take = () => el.querySelector<HTMLElement>(`[data-row="${now.current}"] a`)?.focus({ preventScroll: true });
    take();
    requestAnimationFrame(take);
  };
  useEffect(() => {
    const input = field.current;
    if (!input) return;
    const key = (e: KeyboardEvent) => {
      if (e.key === "ArrowDown") move(0, true);
      else if (e.key === "Enter" && rows[0]) visit(hrefTo(rows[0].id));
      else return;
      e.preventDefault();
    };
    input.addEventListener("keydown", key);
    return () => input.removeEventListener("keydown", key);
  }, [rows]);
  const key = (e: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(height / row) - 2);
    const to = {
      ArrowDown: now.current + 1,
      ArrowUp: now.current - 1,
      PageDown: now.current + page,
      PageUp: now.current - page,
      Home: 0,
      End: rows.length - 1,
    }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    if (to < 0 && e.key === "ArrowUp") field.current?.focus();
    else move(to, true);
  };
  return (
    <div ref={box} class="scroll list-box" onScroll={(e) => setTop(e.currentTarget.scrollTop)} onKeyDown={key}>
      <table
        class={cls("table list-table", !tells && "no-age")}
        aria-rowcount={rows.length + 1}
        style={{ "--list-row": `${row}px` }}
      >
        <thead>
          <tr>
            <Title by="name" title={w.name} />
            <Title by="id" title={w.id} />
            <Title by="model" title={w.model} />
            <Title by="state" title={w.state} />
            <Title by="age" title={w.age} />
          </tr>
        </thead>
        <tbody>
          {first > 0 && <tr class="list-space" aria-hidden="true" style={{ height: first * row }} />}
          {rows.slice(first, last).map((r, i) => (
            <Line key={r.id} r={r} at={first + i} on={first + i === at} />
          ))}
          {last < rows.length && (
            <tr class="list-space" aria-hidden="true" style={{ height: (rows.length - last) * row }} />
          )}
        </tbody>
      </table>
    </div>
  );
}

export function List() {
  const { rows, all } = useRows();
  const field = useRef<HTMLInputElement>(null);
  const text = route.value.params.find ?? "";
  if (reading.value) return <Skeleton lines={10} />;
  if (readError.value) return <Wrong error={new Error(readError.value)} retry={reload} />;
  if (!entries.value.length) return <NoTwins icon={Boxes} />;
  return (
    <div class="list">
      <div class="page-head">
        <h1>{words.views.twins}</h1>
        <span class="quiet" role="status">
          {rows.length === all ? w.of(format.count(all)) : w.foundOf(format.count(rows.length), format.count(all))}
        </span>
      </div>
      <div class="list-bar">
        <input
          ref={field}
          class="input grow"
          type="search"
          placeholder={w.find}
          aria-label={w.find}
          value={text}
          onInput={(e) => go({ params: { find: e.currentTarget.value || null }, replace: true })}
        />
        <Models />
      </div>
      <Card bare class="list-card">
        {rows.length ? <Table rows={rows} field={field} /> : <Empty title={w.nobody} hint={w.nobodyHint} />}
      </Card>
    </div>
  );
}
