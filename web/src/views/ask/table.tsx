// SPDX-License-Identifier: Apache-2.0
// Rows as a table: sorted by a click, only those in sight are drawn, twins are to be selected.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ArrowDown, ArrowUp } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import type { Row } from "~/api/query";
import type { Value } from "~/api/types";
import { modelName } from "~/api/models";
import { go, route, select, selected } from "~/app/route";
import { density } from "~/app/prefs";
import { Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { twinsIn, type Shown } from "./units";

const AHEAD = 12; // rows drawn beyond what is seen

/** "PT10M" in ms; NaN for what is no duration. */
const spanOf = (v: Value | undefined): number =>
  typeof v === "string" && /^-?P[\dT]/.test(v) ? format.isoDuration(v.replace("-", "")) * (v[0] === "-" ? -1 : 1) : NaN;

const order = (v: Value | undefined): [number, number | string] =>
  v === undefined || v === null
    ? [0, 0]
    : typeof v === "boolean"
      ? [1, Number(v)]
      : typeof v === "number"
        ? [2, v]
        : !Number.isNaN(spanOf(v))
          ? [2, spanOf(v)]
          : [3, typeof v === "string" ? v : JSON.stringify(v)];

export function sorted(rows: readonly Row[], key: string, down: boolean): Row[] {
  if (!key) return [...rows];
  const sign = down ? -1 : 1;
  const text = new Intl.Collator(undefined, { numeric: true });
  return rows
    .map((r, i) => ({ r, i, o: order(r[key]) }))
    .sort((a, b) => {
      if (a.o[0] !== b.o[0]) return (a.o[0] - b.o[0]) * sign;
      const [x, y] = [a.o[1], b.o[1]];
      const d = typeof x === "string" ? text.compare(x, String(y)) : x - Number(y);
      return d * sign || a.i - b.i;
    })
    .map((x) => x.r);
}

function Path({ ids }: { ids: readonly string[] }) {
  return (
    <>
      {ids.map((id, i) => (
        <>
          {i > 0 && <span class="quiet"> → </span>}
          <button key={id} type="button" class="link" onClick={() => select(id)} title={id}>
            {labelOf(id)}
          </button>
        </>
      ))}
    </>
  );
}

function Cell({ row, c }: { row: Row; c: Shown }) {
  const v = row[c.key];
  if (v === undefined) return <span class="quiet">–</span>;
  if (c.kind === "twin") {
    const ids = twinsIn(row, c);
    const id = ids.length === 1 ? ids[0]! : "";
    if (ids.length)
      return (
        <>
          <Path ids={ids} /> {id && labelOf(id) !== id && <code class="tiny quiet ask-id">{id}</code>}
        </>
      );
  }
  if (typeof v === "string" && v.startsWith("dtmi:")) return <span title={v}>{modelName(v)}</span>;
  if (c.kind === "time" && typeof v === "string") return <time title={format.exactTime(v)}>{format.time(v)}</time>;
  if (c.kind === "number" && typeof v === "number") return <span title={String(v)}>{format.value(v, "", 4)}</span>;
  if (!Number.isNaN(spanOf(v))) return <span title={String(v)}>{format.duration(spanOf(v))}</span>;
  return <span title={typeof v === "string" ? v : JSON.stringify(v)}>{format.value(v)}</span>;
}

export function ResultTable({ rows, columns }: { rows: readonly Row[]; columns: readonly Shown[] }) {
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ from: 0, to: 60 });
  const key = route.value.params.sort ?? "";
  const down = route.value.params.down === "1";
  const list = useMemo(() => sorted(rows, key, down), [rows, key, down]);
  const height = density.value === "compact" ? 26 : 32;
  const look = () => {
    const el = box.current!;
    const from = Math.max(0, Math.floor(el.scrollTop / height) - AHEAD);
    const to = Math.ceil((el.scrollTop + el.clientHeight) / height) + AHEAD;
    if (from !== seen.from || to !== seen.to) setSeen({ from, to });
  };
  useEffect(look, [list, height]);
  const sort = (k: string) =>
    go({
      replace: true,
      params: key !== k ? { sort: k, down: null } : down ? { sort: null, down: null } : { sort: k, down: "1" },
    });
  const to = Math.min(list.length, seen.to);
  const here = selected.value;
  const first = columns.find((c) => c.kind === "twin");
  return (
    <div ref={box} class="scroll ask-table" onScroll={look} tabIndex={0} role="group" aria-label={words.ask.rows}>
      <table class="table" aria-rowcount={list.length}>
        <thead>
          <tr>
            {columns.map((c) => (
              <th
                key={c.key}
                scope="col"
                class={c.kind === "number" ? "num" : ""}
                aria-sort={key === c.key ? (down ? "descending" : "ascending") : undefined}
              >
                <button type="button" onClick={() => sort(c.key)} title={words.ask.sortBy(c.key)}>
                  {c.key}
                  {c.unit && <span class="quiet"> {format.unitSymbol(c.unit)}</span>}
                  {key === c.key && <Icon of={down ? ArrowDown : ArrowUp} size={12} />}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {seen.from > 0 && <tr style={{ height: seen.from * height }} aria-hidden="true" />}
          {list.slice(seen.from, to).map((r, i) => {
            const own = here && first ? twinsIn(r, first) : [];
            return (
              <tr key={seen.from + i} aria-selected={own[0] === here && here !== "" ? true : undefined}>
                {columns.map((c) => (
                  <td key={c.key} class={c.kind === "number" ? "num" : c.kind === "twin" ? "twin-cell" : "cell"}>
                    <Cell row={r} c={c} />
                  </td>
                ))}
              </tr>
            );
          })}
          {to < list.length && <tr style={{ height: (list.length - to) * height }} aria-hidden="true" />}
        </tbody>
      </table>
    </div>
  );
}
