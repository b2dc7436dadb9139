// SPDX-License-Identifier: Apache-2.0
// What happened to a twin, as marks in its charts: faults as they began, decisions about it, where a scenario began.
import { decisions, ruleTitle } from "~/api/decisions";
import { current } from "~/api/worlds";
import { timelineMarks, type TimelineMark } from "~/app/marks";
import { kind } from "~/app/route";
import type { Mark } from "~/ui/chart";
import { words } from "~/words/en";
import type { Changes } from "./courses";

/** Texts that say what is wrong, when they say anything. */
export const WRONG = /^(fault|alarm|error|failure|warning)$/i;
const MOST = 40; // more marks are a curtain
const SAME_S = 2; // told twice, by the timeline and by what was read here

const TONES: Record<TimelineMark["tone"], string> = {
  "": "var(--n6)",
  ok: "var(--ok)",
  attention: "var(--attention)",
  bad: "var(--bad)",
  world: "var(--world)",
};

export function faultMarks(list: readonly Changes[], from: number): Mark[] {
  return list.flatMap((c) =>
    c.list
      .filter((x) => x.value !== "" && x.value !== null && x.value !== false && x.value !== "none" && x.time > from)
      .map((x) => ({ time: x.time, label: typeof x.value === "string" ? x.value : c.path, colour: "var(--bad)" })),
  );
}

export function marksOf(twin: string, faults: readonly Changes[], from: number, to: number): Mark[] {
  const told = timelineMarks.value.filter((m) => m.twin === twin);
  const isTold = (t: number) => told.some((m) => Math.abs(m.time / 1000 - t) < SAME_S);
  const decided = decisions.value
    .filter((d) => d.twin === twin)
    .map((d) => ({ time: Date.parse(d.at) / 1000, label: ruleTitle(d.rule), colour: "var(--attention)" }));
  const marks: Mark[] = [
    ...faultMarks(faults, from).filter((m) => !isTold(m.time)),
    ...told.map((m) => ({ time: m.time / 1000, label: m.title, colour: TONES[m.tone] })),
    ...decided.filter((d) => !isTold(d.time)),
  ];
  const begin = kind.value === "scenario" ? current.value?.forkedFrom : undefined;
  if (begin) marks.push({ time: Date.parse(begin) / 1000, label: words.twin.forked, colour: "var(--world)" });
  return marks.filter((m) => m.time >= from && m.time <= to).slice(-MOST);
}
