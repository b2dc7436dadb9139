// SPDX-License-Identifier: Apache-2.0
// What announced an alert: of the numbers of a twin the one that had left its usual range the most when it came, and
// since when. Read once for an alert, in means of intervals.
import { useEffect, useState } from "preact/hooks";
import { attentionOf, began, sayingOf } from "~/api/attention";
import { fetchHistory, type Series } from "~/api/history";
import type { Twin } from "~/api/types";
import { kind, worldName } from "~/app/route";
import { SPANS } from "./span";
import { numbersOf, shownOf } from "./shown";

const BACK_MS = 8 * 3600_000; // so far back is looked for what is usual
const LAST_S = 1800; // before the alert: what is held against it
const STEP_S = 120;
const LEAST = 30; // intervals before that: fewer are no usual
const FAR = 5; // spreads: so far out announces something
const OUT = 3; // spreads: from there on it had left its usual range
const BREAK = 8; // intervals
const PROPERTIES_MAX = 40;

export interface Onset {
  path: string;
  from: number; // seconds since 1970: when it left its usual range
  up: boolean;
  far: number; // in spreads
}

const median = (list: readonly number[]): number => {
  const s = [...list].sort((a, b) => a - b);
  const half = s.length >> 1;
  return s.length % 2 ? s[half]! : (s[half - 1]! + s[half]!) / 2;
};

/** Of three neighbours the middle one: a single outlier is no course. */
const calm = (v: readonly number[]): number[] => v.map((_, i) => median(v.slice(Math.max(0, i - 1), i + 2)));

/** Back from the end, the first that was out; a short return, as by a stop of the machine, does not end it. */
function leftAt(out: readonly boolean[]): number {
  let first = -1;
  for (let i = out.length - 1; i >= 0; i--) {
    if (out[i]) first = i;
    else if ((first < 0 ? out.length : first) - i > BREAK) break;
  }
  return first;
}

/** null: it was as usual. Only what lies before the alert counts: an interval that reaches into it does not. */
export function onsetOf(s: Series, alert: number, step = STEP_S): Onset | null {
  const at = s.time.flatMap((t, i) => (typeof s.value[i] === "number" && t + step <= alert ? [i] : []));
  const time = at.map((i) => s.time[i]!);
  const value = calm(at.map((i) => s.value[i] as number));
  const before = value.filter((_, i) => time[i]! < alert - LAST_S);
  const last = value.filter((_, i) => time[i]! >= alert - LAST_S);
  if (before.length < LEAST || !last.length) return null;
  const usual = median(before);
  const away = median(before.map((v) => Math.abs(v - usual))) * 1.4826;
  const spread = Math.max(away, Math.abs(usual) * 0.01, 1e-9);
  const by = (median(last) - usual) / spread;
  // A counter goes on and on: it is always beyond what it was.
  const counts = value.every((v, i) => !i || v >= value[i - 1]!) && away > 0;
  if (Math.abs(by) < FAR || counts) return null;
  const first = leftAt(value.map((v) => ((v - usual) / spread) * Math.sign(by) > OUT));
  return first < 0 ? null : { path: s.property, from: time[first]!, up: by > 0, far: Math.abs(by) };
}

/** The one that went farthest of all. */
export function worstOf(list: readonly Series[], alert: number, step = STEP_S): Onset | null {
  const found = list.flatMap((s) => onsetOf(s, alert, step) ?? []);
  return found.sort((a, b) => b.far - a.far)[0] ?? null;
}

export interface Story extends Onset {
  seconds: number; // of the span that shows it
  alert: number; // ms since 1970
  text: string; // what the alert says
}

/** The narrowest of the usual spans that has its beginning, with some calm before it. */
const spanFor = (from: number, now: number): number =>
  SPANS.find((s) => now / 1000 - s < from - 0.1 * s) ?? SPANS[SPANS.length - 1]!;

/** While an alert stands: what announced it. undefined: it is being read; null: there is nothing of the kind. */
export function useStory(twin: Twin, now: number): Story | null | undefined {
  const id = twin.$dtId;
  const world = worldName.value;
  const wrong = kind.value === "scenario" ? undefined : attentionOf.value.get(id);
  const alert = wrong && began.value.get(id);
  const key = wrong && alert ? `${world} ${id} ${alert}` : "";
  const [read, set] = useState<{ key: string; onset: Onset | null }>();
  useEffect(() => {
    if (!key || !alert) return;
    const abort = new AbortController();
    const properties = numbersOf(shownOf(twin)).map((s) => s.path).slice(0, PROPERTIES_MAX);
    const ask = { world, twin: id, properties, from: alert - BACK_MS, to: alert, step: STEP_S, signal: abort.signal };
    const series = properties.length ? fetchHistory(ask) : Promise.resolve([]);
    series.then(
      (list) => set({ key, onset: worstOf(list, alert / 1000) }),
      () => abort.signal.aborted || set({ key, onset: null }),
    );
    return () => abort.abort();
  }, [key]);
  if (!wrong || alert === null) return null;
  if (!alert || read?.key !== key) return undefined;
  const text = sayingOf(id, wrong.property, wrong.text);
  return read.onset && { ...read.onset, alert, text, seconds: spanFor(read.onset.from, now) };
}
