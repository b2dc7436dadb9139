// SPDX-License-Identifier: Apache-2.0
// What happened in the stretch of time that the timeline shows, read when the stretch changes: alerts from history,
// births, deaths and commands from the events of the world.
import { computed, effect, signal } from "@preact/signals";
import { alertsOf, watched, type Alert } from "~/api/alerts";
import { attentionOf, began, hasProperty, sayingOf } from "~/api/attention";
import { entries, labelOf, reading } from "~/api/catalogue";
import { readEvents, type WorldEvent } from "~/api/events";
import { modelName } from "~/api/models";
import { tree } from "~/api/tree";
import * as format from "~/format";
import { words } from "~/words/en";
import { addMarks, type TimelineMark } from "./marks";
import type { Range } from "./range";
import { route } from "./route";

const LATER_MS = 350; // while somebody zooms or drags
const AGAIN_MS = 30_000; // while the world goes on
const SLACK_MS = 10_000; // a whole may learn it a little later
const TWINS_MAX = 20_000; // more are not searched for alerts: only those of now are told

interface Stretch {
  world: string;
  from: number;
  to: number;
  now: number;
}

const alerts = signal<readonly Alert[]>([]);
const events = signal<readonly WorldEvent[]>([]);
/** Why not everything that happened is marked; "": it is. */
export const lacking = signal("");
let shown: Stretch | undefined;
let readAt = 0;
let timer = 0;
let abort: AbortController | undefined;

async function read(s: Stretch): Promise<void> {
  abort?.abort();
  const { signal: now } = (abort = new AbortController());
  shown = s;
  readAt = performance.now();
  const few = entries.peek().length <= TWINS_MAX;
  const twins = few ? undefined : [...attentionOf.peek().keys()];
  let lacks = few ? "" : words.timeline.onlyNow(format.count(TWINS_MAX));
  const cut = (most: number) => (lacks = words.timeline.onlyFirst(most));
  // Each for itself: where one cannot be read the other is told all the same.
  const both = await Promise.allSettled([
    alertsOf(s.world, watched.peek(), s.from, s.to, s.now, hasProperty, { signal: now, twins, trace: true, cut }).then(
      (a) => !now.aborted && (alerts.value = a),
    ),
    readEvents(s.world, s.from, s.to, now).then((e) => !now.aborted && (events.value = e)),
  ]);
  if (!now.aborted) happenedError.value = both.find((p) => p.status === "rejected")?.reason as unknown;
  if (!now.aborted) lacking.value = lacks;
}

/** Why what happened could not be read, all or a part of it; undefined: it could. */
export const happenedError = signal<unknown>(undefined);

export function readHappened(): void {
  happenedError.value = undefined;
  if (shown) void read(shown);
}

/** The timeline shows another stretch, or the same a second later. */
export function look(r: Range): void {
  const world = route.peek().world;
  const s: Stretch = { world, from: Math.max(r.from, r.begin ?? 0), to: r.end, now: r.now };
  const slack = (r.end - r.from) * 0.02;
  const moved =
    !shown || shown.world !== world || Math.abs(shown.from - s.from) > slack || Math.abs(shown.to - s.to) > slack;
  const wide = shown && Math.abs(shown.to - shown.from - (s.to - s.from)) > slack;
  const due = moved && (wide || !shown || shown.world !== world || performance.now() - readAt > AGAIN_MS / 3);
  if (!due && performance.now() - readAt < AGAIN_MS) return;
  if (reading.peek() || !entries.peek().length) return;
  if (shown && shown.world !== world) {
    abort?.abort(); // what is still on its way is of the world before
    (alerts.value = []), (events.value = []);
  }
  // Who looks again and again at the same does not put it off: only another stretch does.
  if (timer && !moved) return;
  clearTimeout(timer);
  shown = s;
  timer = window.setTimeout(() => {
    timer = 0;
    void read(s);
  }, LATER_MS);
}

// What begins or ends while one looks is asked for at once.
const bad = computed(() => [...attentionOf.value.keys()].join("\n"));
effect(() => {
  void bad.value;
  readAt = -Infinity;
});

const markOfAlert = (a: Alert): TimelineMark => ({
  time: a.from,
  until: a.to,
  before: a.before,
  title: words.timeline.alert(labelOf(a.twin), sayingOf(a.twin, a.property, a.text)),
  what: words.timeline.kinds.alert,
  tone: "bad",
  twin: a.twin,
});

const titles = {
  born: (e: WorldEvent, name: string, model: string) =>
    e.count ? words.timeline.bornMany(format.count(e.count), model) : words.timeline.born(name, model),
  gone: (e: WorldEvent, name: string) =>
    e.count ? words.timeline.goneMany(format.count(e.count)) : words.timeline.gone(name),
  command: (e: WorldEvent, name: string) => words.timeline.command(e.name ?? "", name, e.by ?? ""),
  model: (e: WorldEvent, _: string, model: string) =>
    e.count ? words.timeline.modelMany(format.count(e.count)) : words.timeline.model(model),
};
const tones = { born: "ok", gone: "attention", command: "world", model: "" } as const;
const aside = { born: 1000, gone: -1000, command: 0, model: 0 }; // there, the twin is

function markOfEvent(e: WorldEvent): TimelineMark {
  const kind = e.kind === "decision" ? "command" : e.kind; // decisions have marks of their own
  const title = titles[kind](e, e.twin ? labelOf(e.twin) : "", e.model ? modelName(e.model) : "");
  return {
    time: Date.parse(e.time) + aside[kind],
    title,
    what: words.timeline.kinds[e.kind],
    tone: tones[kind],
    twin: e.twin,
  };
}

/** A whole whose state is bad because a part of it is says nothing new. */
function withoutWholes(list: readonly Alert[]): Alert[] {
  const { parent } = tree.peek();
  const place = new Map(entries.peek().map((e, i) => [e.id, i]));
  const wholes = new Map<string, Alert[]>();
  for (const a of list) {
    for (let at = parent[place.get(a.twin) ?? -1] ?? -1; at >= 0; at = parent[at]!) {
      const id = entries.peek()[at]!.id;
      wholes.set(id, [...(wholes.get(id) ?? []), a]);
    }
  }
  const meets = (a: Alert, b: Alert) =>
    a.from <= (b.to ?? Infinity) + SLACK_MS && b.from - SLACK_MS <= (a.to ?? Infinity);
  return list.filter((a) => a.property !== "state" || !wholes.get(a.twin)?.some((b) => meets(a, b)));
}

/** With those that history does not have yet: the feed told them a moment ago. */
const alertMarks = computed<TimelineMark[]>(() => {
  const known = alerts.value;
  const fresh: Alert[] = [];
  if (!route.value.at)
    for (const [twin, a] of attentionOf.value) {
      const from = began.value.get(twin);
      if (from && !known.some((k) => k.twin === twin && k.to === null))
        fresh.push({ twin, property: a.property, text: a.text, from, to: null, before: false });
    }
  return withoutWholes([...known, ...fresh]).map(markOfAlert);
});

addMarks(alertMarks);
addMarks(computed(() => events.value.map(markOfEvent)));
