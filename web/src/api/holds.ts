// SPDX-License-Identifier: Apache-2.0
// Whether what waits for people is still needed: whether what set it off still holds in the live world, and whether
// another decision sent the same meanwhile. The condition is asked again whenever one of its twins moves, and the
// values that it was set off by are compared with those of now.
import { computed, effect, signal } from "@preact/signals";
import { beganOf } from "./began";
import { api } from "./client";
import { decisions, decisionsRead, readDecision, waiting, type Decision, type DecisionShort } from "./decisions";
import { listen } from "./feed";
import { valueAt } from "./twin";
import type { Twin, Value } from "./types";

export interface Gone {
  twin: string;
  property: string;
  was: Value;
  now?: Value; // undefined: it has none any more
  since?: string; // when it became what it is; "" or undefined when nobody knows
}

/** Why one that waits is not needed any more; of one that is, there is nothing in it. */
export interface Over {
  gone: readonly Gone[];
  sent?: { id: number; at: string }; // another decision sent the same to the same twin
}

const WORLD = "live"; // rules act in no other
const SETTLE_MS = 400;
const AGAIN_MS = 20_000; // a condition over time may end without any value
const LOOKED_AT_MOST = 20; // of those that wait, the newest
const SAME_MOST = 5; // of those that were sent to its twin
const STANDS: Over = { gone: [] };

const quoted = (text: string): string => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;

async function stands(d: Decision, signal: AbortSignal): Promise<boolean> {
  const query = { twins: `$dtId = ${quoted(d.twin)} AND (${d.definition.when})`, links: false, limit: 1 };
  const g = await api.get<{ twins: { id: string[] } }>("/graph", { world: WORLD, query, signal });
  return g.twins.id.length > 0;
}

/** Sources tell the same again and again: since when it is so, history knows. */
async function goneOf(twin: Twin | undefined, v: Decision["trigger"]["values"][number]): Promise<Gone[]> {
  const now = valueAt(twin, v.property);
  if (JSON.stringify(now) === JSON.stringify(v.value)) return [];
  const since = await beganOf(WORLD, v.twin, v.property, now ?? null).catch(() => "");
  return [{ twin: v.twin, property: v.property, was: v.value, now, since }];
}

async function differing(d: Decision, signal: AbortSignal): Promise<Gone[]> {
  const ids = [...new Set(d.trigger.values.map((v) => v.twin))];
  const read = (id: string) =>
    api.get<Twin>(`/digitaltwins/${encodeURIComponent(id)}`, { world: WORLD, signal }).catch(() => undefined);
  const twins = new Map(await Promise.all(ids.map(async (id) => [id, await read(id)] as const)));
  return (await Promise.all(d.trigger.values.map((v) => goneOf(twins.get(v.twin), v)))).flat();
}

const SENT = new Set(["sending", "watching", "kept", "left"]);

/** The same command for the same twin, that left after this one was proposed. */
async function sentBy(d: Decision, signal: AbortSignal): Promise<Over["sent"]> {
  const c = d.command;
  if (!c?.name) return undefined;
  const others = decisions.peek().filter((o) => o.id !== d.id && o.twin === d.twin && SENT.has(o.state));
  for (const { id } of others.slice(0, SAME_MOST)) {
    const other = (await readDecision(id, signal)).command;
    const at = other?.sent ?? "";
    if (other?.name !== c.name || other.twin !== c.twin) continue;
    const later = Date.parse(at) >= Date.parse(d.trigger.at);
    if (later && JSON.stringify(other.payload) === JSON.stringify(c.payload)) return { id, at };
  }
  return undefined;
}

const known = signal<ReadonlyMap<number, Over>>(new Map()); // of those that were looked at
export const overOf = (id: number): Over => known.value.get(id) ?? STANDS;
export const isNeeded = (o: Over): boolean => !o.gone.length && !o.sent;

/** Those that wait and need somebody, and those whose time is over. */
export const needed = computed<readonly DecisionShort[]>(() => waiting.value.filter((d) => isNeeded(overOf(d.id))));
export const notNeeded = computed<readonly DecisionShort[]>(() => waiting.value.filter((d) => !isNeeded(overOf(d.id))));

/** The one that waits for a twin by a rule already, if it is needed. */
export const waitsFor = (rule: string, twin: string): DecisionShort | undefined =>
  needed.value.find((d) => d.rule === rule && d.twin === twin);

const lookedAt = computed(() =>
  waiting.value
    .slice(0, LOOKED_AT_MOST)
    .map((d) => d.id)
    .join(" "),
);
const idsOf = (text: string): number[] => (text ? text.split(" ").map(Number) : []);

/** What waits was read, and each looked at. */
export const neededRead = computed(() => decisionsRead.value && idsOf(lookedAt.value).every((i) => known.value.has(i)));

function keep(id: number, over: Over): void {
  if (JSON.stringify(known.peek().get(id)) !== JSON.stringify(over)) known.value = new Map(known.peek()).set(id, over);
}

async function lookAt(id: number, signal: AbortSignal): Promise<void> {
  try {
    const d = await readDecision(id, signal);
    const [holds, sent] = await Promise.all([!d.trigger.values.length || stands(d, signal), sentBy(d, signal)]);
    // One that was asked for by hand needs no condition: it is over when what it saw is.
    const gone = holds ? [] : await differing(d, signal);
    if (!signal.aborted) keep(id, sent ? { gone, sent } : { gone });
  } catch {
    if (!signal.aborted && !known.peek().has(id)) keep(id, STANDS); // nobody knows: it counts
  }
}

/** Looks at them, and again when one of their twins moves or another decision does. */
function follow(ids: readonly number[]): () => void {
  const abort = new AbortController();
  const { signal } = abort;
  let timer = 0;
  let stop = () => {};
  const look = () => {
    clearTimeout(timer);
    timer = window.setTimeout(look, AGAIN_MS);
    for (const id of ids) void lookAt(id, signal);
  };
  const soon = () => {
    clearTimeout(timer);
    timer = window.setTimeout(look, SETTLE_MS);
  };
  look();
  void Promise.all(ids.map((id) => readDecision(id, signal))).then(
    (list) => {
      if (signal.aborted) return;
      const values = list.flatMap((d) => d.trigger.values);
      const twins = [...new Set(values.map((v) => v.twin))];
      const properties = [...new Set(values.map((v) => v.property))];
      const interest = { world: WORLD, twins, properties, what: ["values", "twins"] as const, interval: 1000 };
      if (twins.length) stop = listen(interest, { changes: soon, gap: soon });
    },
    () => {}, // they are looked at now and then all the same
  );
  const others = decisions.subscribe(() => soon());
  return () => {
    abort.abort();
    clearTimeout(timer);
    others();
    stop();
  };
}

/** Follow those that wait; the page calls it once. */
export function startHolds(): void {
  effect(() => {
    const ids = idsOf(lookedAt.value);
    known.value = new Map([...known.peek()].filter(([id]) => ids.includes(id)));
    return ids.length ? follow(ids) : undefined;
  });
}
