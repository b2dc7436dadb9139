// SPDX-License-Identifier: Apache-2.0
// What happened when, as ticks of the timeline. Whoever knows of events adds a source.
import { computed, signal, type ReadonlySignal } from "@preact/signals";

export interface TimelineMark {
  time: number; // ms since 1970
  title: string;
  tone: "" | "ok" | "attention" | "bad" | "world";
  go?: () => void; // instead of showing the world of that instant
}

const sources = signal<readonly ReadonlySignal<readonly TimelineMark[]>[]>([]);

/** The function returned takes them away again. */
export function addMarks(source: ReadonlySignal<readonly TimelineMark[]>): () => void {
  sources.value = [...sources.value, source];
  return () => (sources.value = sources.value.filter((s) => s !== source));
}

export const timelineMarks = computed(() => sources.value.flatMap((s) => s.value));
