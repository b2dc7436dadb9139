// SPDX-License-Identifier: Apache-2.0
// What the tour shows, step by step: where it points, what it offers to do there, and how it knows that it was done.
import { signal } from "@preact/signals";
import { attentionOf, needs } from "~/api/attention";
import { beganOf } from "~/api/began";
import { byId, entries, labelOf } from "~/api/catalogue";
import { api } from "~/api/client";
import { readRules, rules } from "~/api/decisions";
import { now } from "~/api/now";
import { faultOf, instantOf, ruleFits } from "~/api/remedies";
import type { Twin } from "~/api/types";
import { words } from "~/words/en";
import * as format from "~/format";
import { forkNow } from "./forward";
import { go, kind, route, select, selected, view } from "./route";

const w = words.tour;
const BACK_MS = 10 * 60_000;

export interface TourStep {
  id: string;
  title: string;
  text: () => string;
  at: readonly string[]; // selectors; the first that is seen is pointed at
  keep?: readonly string[]; // what the card must not lie over
  enter?: () => void; // goes to where it can be shown
  act?: { title: () => string; run: () => void | Promise<void> };
  done?: () => boolean; // it was done, by the button or by hand
}

/** The twin the tour is about: one in trouble, when there is one; and when that began. */
const about = signal("");
const began = signal("");

export function beginTour(): void {
  about.value = "";
  began.value = "";
  void readRules().catch(() => {});
}

/** On a phone there are no keys, and values open below. */
const isPhone = () => matchMedia("(max-width: 640px)").matches;

const PATIENCE_MS = 2500;

/** What is listed first, kept to the end of the tour: in the past there may be none. */
function aim(until = performance.now() + PATIENCE_MS): void {
  // The order stands when of all it is known since when.
  if (needs.peek().some((n) => n.began === undefined) && performance.now() < until) {
    setTimeout(() => view.peek() === "overview" && kind.peek() === "live" && aim(until), 200);
    return;
  }
  // One that something can be done about before all others.
  const helped = (id: string) => rules.peek().some((r) => ruleFits(r, id, byId.peek().get(id)?.model ?? ""));
  const id = (needs.peek().find((n) => helped(n.id)) ?? needs.peek()[0])?.id ?? "";
  if (about.peek() || !id) return;
  about.value = id;
  const read = async () => {
    const f = faultOf(await api.get<Twin>(`/digitaltwins/${encodeURIComponent(id)}`));
    if (f) began.value = await beganOf("live", id, f.property.path, f.value);
  };
  void read().catch(() => {});
}

const trouble = () => about.value && attentionOf.value.get(about.value)?.text;

function back(): void {
  const t = began.value ? instantOf(began.value) : new Date(now() - BACK_MS).toISOString().replace(/\.\d+Z/, "Z");
  go({ world: "live", at: t });
}

const press = (selector: string) => document.querySelector<HTMLElement>(selector)?.click();
const TRY = '[data-tour="try"]';

export const steps: readonly TourStep[] = [
  {
    id: "see",
    title: w.see.title,
    text: () => w.see.text(format.count(entries.value.length)),
    at: [".world-switch"],
    keep: [".page-head h1", ".needs", ".fine"],
    enter: () => go({ world: "live", at: "", view: "overview", fresh: true }),
  },
  {
    id: "wrong",
    title: w.wrong.title,
    text: () => (trouble() ? w.wrong.text(labelOf(about.value), trouble()!, isPhone()) : w.wrong.fine),
    at: [".needs", ".fine"],
    keep: [".needs", ".fine"],
    enter: () => (go({ world: "live", at: "", view: "overview" }), aim()),
    act: {
      title: () => (about.value ? w.wrong.show(labelOf(about.value)) : w.wrong.any),
      run: () => select(about.value || (entries.peek()[0]?.id ?? "")),
    },
    done: () => selected.value !== "",
  },
  {
    id: "back",
    title: w.back.title,
    text: () => (isPhone() ? w.back.touch : w.back.text),
    at: [".tl-track", ".timeline"],
    act: { title: () => (began.value ? w.back.began : w.back.minutes), run: back },
    done: () => kind.value === "past",
  },
  {
    id: "fork",
    title: w.fork.title,
    text: () => w.fork.text,
    at: [".forward", ".world-switch"],
    keep: [".inspector", ".needs"],
    act: {
      title: () => (kind.value === "past" ? w.fork.act : w.fork.backAct),
      run: () => (kind.peek() === "past" ? forkNow() : back()),
    },
    done: () => kind.value === "scenario",
  },
  {
    id: "try",
    title: w.try.title,
    text: () => w.try.text,
    at: ['[data-tour="result"] .finding', TRY],
    enter: () =>
      view.peek() === "whatif" || go({ view: "whatif", params: { about: selected.peek() || about.peek() || null } }),
    act: { title: () => w.try.act, run: () => press(TRY) },
    done: () => !!(route.value.params.ensemble || route.value.params.compare),
  },
  {
    id: "decide",
    title: w.decide.title,
    text: () => w.decide.text,
    at: ['.rail a[href*="/decisions"]'],
    act: {
      title: () => w.decide.act,
      run: () => go({ world: "live", at: "", view: "decisions", fresh: true }),
    },
    done: () => view.value === "decisions",
  },
];
