// SPDX-License-Identifier: Apache-2.0
// The courses of a page, read together and again as time goes on.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "~/api/client";
import { fetchChanges, fetchCourse, type ChangesRead, type Course } from "~/api/history";
import { useKept } from "~/ui/kept";
import { spanOf, type Span } from "./span";
import { worldNow } from "~/app/clock";
import type { Wanted } from "./wanted";

const FASTEST_MS = 2000;

export interface Courses {
  of: ReadonlyMap<string, Course>;
  span: Span; // of which they are
}

const NONE: Omit<Course, "property"> = { unit: "", time: [], value: [], step: 0, patience: 0 };

/** Who never had the property, or was not there then, has an empty course: the others are shown all the same. */
async function readOne(w: Wanted, span: Span, points: number, signal: AbortSignal): Promise<[string, Course]> {
  const { world, twin, path: property, stands, shift } = w;
  try {
    const c = await fetchCourse({
      world,
      twin,
      property,
      stands,
      points,
      signal,
      from: span.from - shift,
      to: span.to - shift,
    });
    return [w.key, c];
  } catch (e) {
    if (e instanceof ApiError && (e.status === 400 || e.status === 404 || e.status === 410))
      return [w.key, { ...NONE, property }];
    throw e;
  }
}

/** How often what is drawn is read again: as a pixel passes. */
const paceOf = (span: Span, points: number) => Math.max(FASTEST_MS, (span.to - span.from) / points);

export function useCourses(wanted: readonly Wanted[], params: Readonly<Record<string, string>>, still: boolean) {
  const [got, set] = useState<Courses>();
  const [error, fail] = useState<unknown>();
  const [busy, setBusy] = useState(true);
  const [round, turn] = useState(0);
  const points = Math.round(Math.max(200, Math.min(900, innerWidth * 0.4)));
  const ask = JSON.stringify([wanted.map((w) => [w.world, w.key, w.stands]), params.span, params.from, params.to]);
  const moment = still ? worldNow() : 0;
  useEffect(() => {
    const abort = new AbortController();
    setBusy(true);
    const read = async () => {
      const span = spanOf(params, worldNow());
      try {
        const all = await Promise.all(wanted.map((w) => readOne(w, span, points, abort.signal)));
        if (abort.signal.aborted) return;
        set({ of: new Map(all), span });
        fail(undefined);
      } catch (e) {
        if (!abort.signal.aborted) fail(e);
      }
      if (!abort.signal.aborted) setBusy(false);
    };
    let timer = 0;
    const next = async () => {
      if (document.visibilityState === "visible" || !got) await read();
      const span = spanOf(params, worldNow());
      if (!abort.signal.aborted && span.moves && !still) timer = window.setTimeout(next, paceOf(span, points));
    };
    void next();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [ask, moment, round]);
  return { got, error, busy, again: () => turn((n) => n + 1) };
}

const NO_CHANGES: Changes[] = [];

export interface Changes {
  path: string;
  list: { time: number; value: string | number | boolean | null }[];
}

/** Changes of texts and states in the span that is shown; what cannot be read is left out. Of a span that moves on
 *  only what is new is read. */
export function useChanges(world: string, twin: string, paths: readonly string[], span: Span | undefined): Changes[] {
  const wanted = paths.join(",");
  const [got, keep] = useKept<Changes[]>(`${world} ${twin} ${wanted}`);
  const known = useRef<ReadonlyMap<string, ChangesRead>>(new Map());
  useEffect(() => {
    if (!span || !wanted) return keep([]);
    const abort = new AbortController();
    const one = async (property: string): Promise<[string, ChangesRead]> => {
      const key = `${world} ${twin} ${property}`;
      const ask = { world, twin, property, from: span.from, to: span.to, signal: abort.signal };
      return [key, await fetchChanges(ask, known.current.get(key)).catch(() => ({ from: 0, to: 0, list: [] }))];
    };
    const list = wanted.split(",");
    void Promise.all(list.map(one)).then((all) => {
      if (abort.signal.aborted) return;
      known.current = new Map(all);
      keep(all.map(([, c], i) => ({ path: list[i]!, list: c.list })));
    });
    return () => abort.abort();
  }, [world, twin, wanted, span]);
  return got ?? NO_CHANGES;
}
