// SPDX-License-Identifier: Apache-2.0
// What happened when, as ticks of the timeline. Whoever knows of events adds a source.
import { computed, signal, type ReadonlySignal } from "@preact/signals";

export type MarkTone = "" | "ok" | "attention" | "bad" | "world";

export interface TimelineMark {
  time: number; // ms since 1970
  title: string;
  tone: MarkTone;
  what?: string; // "alarm", "born"
  until?: number | null; // it lasted; null: it still does
  before?: boolean; // it began before `time`, nobody knows when
  twin?: string; // is selected by who goes there
  go?: () => void; // instead of showing the world of that instant
}

const sources = signal<readonly ReadonlySignal<readonly TimelineMark[]>[]>([]);

/** The function returned takes them away again. */
export function addMarks(source: ReadonlySignal<readonly TimelineMark[]>): () => void {
  sources.value = [...sources.value, source];
  return () => (sources.value = sources.value.filter((s) => s !== source));
}

export const timelineMarks = computed(() =>
  sources.value.flatMap((s) => s.value).sort((a, b) => a.time - b.time || (a.title < b.title ? -1 : 1)),
);

const WORST: readonly MarkTone[] = ["", "ok", "world", "attention", "bad"];
const worse = (a: MarkTone, b: MarkTone) => (WORST.indexOf(a) >= WORST.indexOf(b) ? a : b);

export interface Cluster {
  x: number; // in pixels
  tone: MarkTone; // the worst of them
  marks: TimelineMark[];
}

/** Marks that would lie on each other as one, with the worst tone of them. */
export function clusters(marks: readonly TimelineMark[], x: (t: number) => number, gap: number): Cluster[] {
  const out: Cluster[] = [];
  for (const m of marks) {
    const at = x(m.time);
    const last = out[out.length - 1];
    if (last && at - last.x < gap) {
      last.marks.push(m);
      last.tone = worse(last.tone, m.tone);
    } else out.push({ x: at, tone: m.tone, marks: [m] });
  }
  return out;
}

/** The bad ones first: who goes to a cluster goes to what matters. */
export const firstOf = (c: Cluster): TimelineMark => c.marks.find((m) => m.tone === c.tone) ?? c.marks[0]!;

const LANDED_MS = 1600; // so much behind an event one stands who went to it

/** What comes before or after an instant. */
export function neighbour(list: readonly TimelineMark[], at: number, step: 1 | -1): TimelineMark | undefined {
  return step > 0 ? list.find((m) => m.time > at + 100) : list.findLast((m) => m.time < at - LANDED_MS);
}
