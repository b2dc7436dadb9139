// SPDX-License-Identifier: Apache-2.0
// Beside the twin one points at in a pane: its value in A, in B, and what lies between them; of a twin that only one of
// the two worlds has, that.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import type { Entry } from "~/api/catalogue";
import { byId } from "~/api/catalogue";
import { propertyOf } from "~/api/models";
import type { Value } from "~/api/types";
import { diff, type Difference } from "~/api/whatif";
import { pane } from "~/app/pane";
import { words } from "~/words/en";
import * as format from "~/format";
import { nameOf, refOf } from "./names";
import { otherEntry } from "./other";
import type { Versus } from "./versus";

const w = words.compare;
const ROWS = 6; // properties of a twin that are told
const WAIT_MS = 120; // nobody is asked for what one only passes
const AWAY = 14; // px from the pointer

interface At {
  id: string;
  x: number; // px of the window
  y: number;
}

const pointed = signal<At | null>(null);

/** Whom the pointer or the focus is on. */
export function pointAt(id: string, x = 0, y = 0): void {
  if (!pane) return;
  if (id) pointed.value = { id, x, y };
  else if (pointed.peek()) pointed.value = null;
}

/** Of marks that are elements: goes over them with the pointer, or with the keys. */
export function pointOver(e: Event): void {
  const el = (e.target as Element | null)?.closest?.("[data-twin]");
  if (!el || e.type === "pointerleave") return pointAt("");
  const r = el.getBoundingClientRect();
  pointAt(el.getAttribute("data-twin")!, r.left + r.width / 2, r.top + r.height / 2);
}

interface Row {
  key: string;
  name: string;
  unit: string;
  a: Value | undefined;
  b: Value | undefined;
}

const between = (r: Row): string =>
  typeof r.a === "number" && typeof r.b === "number"
    ? r.a === r.b
      ? "0"
      : `${format.signed(r.b - r.a)} ${format.unitSymbol(r.unit)}`.trim()
    : JSON.stringify(r.a ?? null) === JSON.stringify(r.b ?? null)
      ? "="
      : "≠";

/** What the server says of one twin; of properties that no colour tells. */
function useRows(v: Versus, id: string): { rows: Row[]; more: number } | null {
  const [state, set] = useState<{ id: string; rows: Row[]; more: number } | null>(null);
  const ask = !v.property && v.differing.twins.get(id) === "changed";
  useEffect(() => {
    if (!ask) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      diff(v.b, v.a, 50, id, abort.signal).then(
        (d) => {
          const of = d.changes.filter((c) => c.what === "value" && c.twin === id);
          const rows = of.slice(0, ROWS).map((c) => rowOf(c, byId.peek().get(id)));
          if (!abort.signal.aborted) set({ id, rows, more: of.length - rows.length });
        },
        () => {},
      );
    }, WAIT_MS);
    return () => (clearTimeout(timer), abort.abort());
  }, [ask, id, v.a, v.b, v.differing]);
  if (!v.property) return state?.id === id ? state : null;
  const [a, b] = v.values(id);
  return { rows: [{ key: v.property, name: v.name, unit: v.unit, a, b }], more: 0 };
}

function rowOf(c: Difference, e: Entry | undefined): Row {
  const path = c.property ?? "";
  const p = propertyOf(e?.model ?? "", path);
  return { key: path, name: p?.name ?? path, unit: p?.unit ?? c.unit ?? "", a: c.before, b: c.after };
}

function Values({ rows, more }: { rows: readonly Row[]; more: number }) {
  return (
    <table class="small">
      <thead>
        <tr class="tiny quiet">
          <th />
          <th class="num">A</th>
          <th class="num">B</th>
          <th class="num">B − A</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((r) => (
          <tr key={r.key}>
            <td>{r.name}</td>
            <td class="num">{format.value(r.a, r.unit)}</td>
            <td class="num">{format.value(r.b, r.unit)}</td>
            <td class="num strong">{between(r)}</td>
          </tr>
        ))}
      </tbody>
      {more > 0 && (
        <tfoot>
          <tr class="tiny quiet">
            <td colSpan={4}>{w.moreDiffer(more)}</td>
          </tr>
        </tfoot>
      )}
    </table>
  );
}

function Card({ v, at }: { v: Versus; at: At }) {
  const ref = useRef<HTMLDivElement>(null);
  const found = useRows(v, at.id);
  const kind = v.differing.twins.get(at.id);
  const only = kind === "onlyA" ? v.a : kind === "onlyB" ? v.b : "";
  // It stays in the window, and never under the pointer.
  useLayoutEffect(() => {
    const el = ref.current!;
    const [wide, high] = [el.offsetWidth, el.offsetHeight];
    const x = at.x + AWAY + wide > innerWidth ? at.x - AWAY - wide : at.x + AWAY;
    const y = at.y + AWAY + high > innerHeight ? at.y - AWAY - high : at.y + AWAY;
    el.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
  });
  const name = (byId.value.get(at.id) ?? otherEntry(at.id))?.label ?? at.id;
  return (
    <div ref={ref} class="versus-hint card" role="tooltip" data-of={at.id}>
      <div class="small strong ellipsis">{name}</div>
      {only ? (
        <div class="small">{w.onlyHere(nameOf(refOf(only)))}</div>
      ) : found?.rows.length ? (
        <Values {...found} />
      ) : (
        <div class="small quiet">{kind ? w.differs : w.same}</div>
      )}
    </div>
  );
}

export function VersusHint({ v }: { v: Versus | null | undefined }) {
  const at = pointed.value;
  return v && at ? <Card v={v} at={at} /> : null;
}
