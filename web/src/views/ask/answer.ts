// SPDX-License-Identifier: Apache-2.0
// The answer to the question of the address: its first page at once, the others when they are wanted.
import { useEffect, useRef, useState } from "preact/hooks";
import { wordsOf } from "~/api/client";
import { ask, placeOf, type Answer, type Row } from "~/api/query";
import type { Mistake } from "~/ui/code";
import type { Shown } from "./units";
import { wordAt } from "./language";

export const MOST = 50_000; // rows that a page of a browser should hold

export interface Found {
  query: string; // that this answers
  world: string; // of which
  rows: Row[];
  columns?: string[];
  notes: string[];
  plan?: NonNullable<Answer["plan"]>["plan"];
  token: string | null;
  ms: number;
  busy: boolean;
  stopped?: boolean; // by whom asked
  since?: number; // when it was asked, while it is under way
  error?: unknown;
  mistakes: Mistake[];
}

const EMPTY: Found = { query: "", world: "", rows: [], notes: [], token: null, ms: 0, busy: false, mistakes: [] };

const nameOf = (world: string) => world.split("@")[0];
/** It answers this question of this world; at another instant it stays, dimmed, until the new one is there. */
const isOf = (f: Found, query: string, world: string) => f.query === query && nameOf(f.world) === nameOf(world);

export function mistakesOf(e: unknown, text: string): Mistake[] {
  const place = placeOf(e, text);
  return place ? [{ ...wordAt(text, place.offset), message: place.message }] : [];
}

export function useAnswer(query: string, world: string, explain: boolean, again: number) {
  const [found, set] = useState<Found>(EMPTY);
  const abort = useRef<AbortController>();
  useEffect(() => {
    abort.current?.abort();
    const mine = (abort.current = new AbortController());
    if (!query.trim()) return set(EMPTY);
    const begin = performance.now();
    const kept = (f: Found) => (isOf(f, query, world) ? f : { ...EMPTY, query, world });
    set((f) => ({ ...kept(f), busy: true, stopped: false, since: begin }));
    ask({ world, query, explain, signal: mine.signal }).then(
      (a) =>
        set({
          query,
          world,
          rows: a.value,
          columns: a.columns,
          notes: [...new Set(a.notes ?? [])],
          plan: a.plan?.plan,
          token: a.continuationToken,
          ms: performance.now() - begin,
          busy: false,
          mistakes: [],
        }),
      (e: unknown) => !mine.signal.aborted && set({ ...EMPTY, query, world, error: e, mistakes: mistakesOf(e, query) }),
    );
    return () => mine.abort();
  }, [query, world, explain, again]);

  /** One page more, or all of them. */
  const more = async (everything: boolean) => {
    if (abort.current?.signal.aborted) abort.current = new AbortController();
    const signal = abort.current?.signal;
    let { token, rows } = found;
    set((f) => ({ ...f, busy: true, stopped: false, since: performance.now() }));
    try {
      while (token && rows.length < MOST) {
        const a: Answer = await ask({ world, query, token, signal });
        rows = [...rows, ...a.value];
        token = a.continuationToken;
        const [r, t] = [rows, token];
        set((f) => ({ ...f, rows: r, token: t, busy: everything && t !== null }));
        if (!everything) return;
      }
      set((f) => ({ ...f, busy: false }));
    } catch (e) {
      if (!signal?.aborted) set((f) => ({ ...f, busy: false, error: new Error(wordsOf(e)) }));
    }
  };
  /** What came stays; the server ends the question when nobody waits for it. */
  const stop = () => {
    abort.current?.abort();
    set((f) => ({ ...f, busy: false, stopped: true }));
  };
  // Before the effect has run: never the rows of another world.
  return { found: isOf(found, query, world) ? found : { ...EMPTY, query, world, busy: query !== "" }, more, stop };
}

const cell = (v: unknown): string => {
  const text = v === undefined || v === null ? "" : typeof v === "object" ? JSON.stringify(v) : String(v);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

export const csvOf = (rows: readonly Row[], columns: readonly Shown[]): string =>
  [columns.map((c) => cell(c.key)), ...rows.map((r) => columns.map((c) => cell(r[c.key])))]
    .map((line) => line.join(","))
    .join("\r\n") + "\r\n";
