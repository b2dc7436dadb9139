// SPDX-License-Identifier: Apache-2.0
// Rules and what they decided: proposals waiting for people, and the records of all that came before.
import { computed, effect, signal } from "@preact/signals";
import { liveUntil } from "~/app/clock";
import { addMarks, type TimelineMark } from "~/app/marks";
import { pane } from "~/app/pane";
import { go } from "~/app/route";
import { words } from "~/words/en";
import { again, follow, teach, type Reading } from "./board";
import { all, api, ApiError } from "./client";
import { wordsOfName } from "./models";
import type { Value } from "./types";

export interface DecisionShort {
  id: number;
  rule: string;
  twin: string;
  state: string;
  at: string;
  mode?: string;
  choice?: string;
  why?: string;
  gain?: number | null;
  gainLow?: number | null;
  gainHigh?: number | null;
  unit?: string;
  due?: string;
  ended?: string;
  left?: string;
}

export interface Alternative {
  action: string;
  objective: {
    mean: number | null;
    low: number | null;
    high: number | null;
    gain: number | null;
    gainLow: number | null;
    gainHigh: number | null;
  };
  samples: (number | null)[];
  limits: { kpi: string; min?: number; max?: number; worst: number | null; replication: number; holds: boolean }[];
  dropped?: string;
}

export interface Sent {
  twin: string;
  name: string;
  payload?: Value;
  sent?: string;
  answered?: string;
  status?: number;
  error?: string;
  answer?: Value;
  asked?: string;
  by?: string;
}

export interface Rule {
  name?: string;
  title?: string;
  about?: string;
  when: string;
  for?: string;
  again?: string;
  mostPerHour?: number;
  fresh?: string;
  ahead: string;
  replications?: number;
  mode?: Mode;
  approval?: { within?: string; else?: "refuse" | "act"; people?: number };
  model?: string;
  twin?: string;
  objective?: { kpi: string };
  limits?: { kpi: string; min?: number; max?: number }[];
  seed?: number;
  actions: {
    name: string;
    title?: string;
    cost?: number;
    changes?: { at: string; twin: string; property: string; value: Value }[];
    command?: { name: string; payload?: Value };
    undo?: object;
  }[];
  watch?: { kpi: string; for: string; patience?: number; margin?: number; rollback?: boolean };
}

export type Mode = "shadow" | "approve" | "auto";

export interface Decision extends DecisionShort {
  world: string;
  sequence: number;
  by?: string;
  trigger: { since: string; at: string; values: { twin: string; property: string; value: Value; time: string }[] };
  definition: Rule;
  replications: number;
  ahead: string;
  objective?: { kpi: string; unit: string; better: string };
  alternatives: Alternative[];
  approval?: { due?: string; by: { who: string; at: string; verdict: string; note?: string }[] };
  command?: Sent;
  rollback?: Sent;
  watch?: {
    kpi: string;
    unit: string;
    begin?: string;
    until: string;
    times: string[];
    low: (number | null)[];
    high: (number | null)[];
    mean: (number | null)[];
    seen: (number | null)[];
    left?: string;
  };
  log: { at: string; what: string }[];
  hash?: string;
}

export interface Replay {
  same: boolean;
  choice?: string;
  was?: string;
  differences?: unknown[];
}

interface Page {
  revision: number;
  stopped: boolean;
  more: boolean;
  value: DecisionShort[];
}

export const decisions = signal<readonly DecisionShort[]>([]);
export const stopped = signal(false);
export const decisionsRead = signal(false);
/** Why they could not be read yet; undefined: they could, or nobody has asked. */
export const decisionsError = signal<unknown>(undefined);
export const rules = signal<readonly Rule[]>([]);
export const rulesRead = signal(false);
export const waiting = computed(() => decisions.value.filter((d) => d.state === "waiting"));

const OVER = new Set([
  "kept",
  "left",
  "rolledBack",
  "refused",
  "expired",
  "nothing",
  "noneWithin",
  "stale",
  "shadow",
  "failed",
  "unknown",
  "stopped",
]);
/** What people call a rule. */
export const ruleTitle = (name: string): string =>
  rules.value.find((r) => r.name === name)?.title || wordsOfName(name);

export const isOver = (state: string): boolean => OVER.has(state);

/** When it came to where it stands: of those that go on, the last line of their log tells. */
const turns = signal<ReadonlyMap<string, number>>(new Map());
const TURNS_MAX = 6;
const turnKey = (d: DecisionShort) => `${d.id} ${d.state}`;
const turnOf = (d: DecisionShort) =>
  d.ended ? Date.parse(d.ended) : (turns.value.get(turnKey(d)) ?? Date.parse(d.at));

async function turnsOf(list: readonly DecisionShort[]): Promise<void> {
  const open = list.filter((d) => !d.ended && d.state !== "proposing" && !turns.peek().has(turnKey(d)));
  for (const d of open.slice(0, TURNS_MAX)) {
    const { log, state } = await readDecision(d.id);
    const at = Date.parse(log[log.length - 1]?.at ?? "");
    if (state === d.state && at) turns.value = new Map(turns.peek()).set(turnKey(d), at);
  }
}

const RETRY_MS = 5000;

/** "A filler jams: left its band" */
function markOf(d: DecisionShort): string {
  const state = words.decisions.state[d.state as keyof typeof words.decisions.state] ?? d.state;
  return words.decisions.mark(ruleTitle(d.rule), state);
}

interface News {
  page?: Page;
  error?: unknown;
}

const KIND = "decisions";

/** By waiting for news. */
teach<News>(KIND, (tell): Reading => {
  const abort = new AbortController();
  let revision = -1;
  let timer = 0;
  const round = async () => {
    clearTimeout(timer);
    let wait = 0;
    try {
      const news = revision >= 0 && document.visibilityState === "visible";
      const p = await api.get<Page>("/decisions", {
        query: { limit: 200, ...(news ? { wait: "30s", revision } : {}) },
        signal: abort.signal,
      });
      if (p.revision !== revision || failed) tell({ page: p });
      revision = p.revision;
      failed = false;
      if (!news) wait = document.visibilityState === "visible" ? 0 : RETRY_MS;
    } catch (error) {
      if (abort.signal.aborted) return;
      failed = true;
      tell({ error });
      wait = error instanceof ApiError && error.status === 404 ? 60_000 : RETRY_MS;
    }
    timer = window.setTimeout(() => void round(), wait);
  };
  let failed = false;
  void round();
  return { stop: () => (abort.abort(), clearTimeout(timer)), again: () => void (failed && round()) };
});

/** After it went wrong, without waiting for the next time. */
export function askDecisions(): void {
  decisionsError.value = undefined;
  again(KIND, []);
}

function show({ page, error }: News): void {
  const none = error instanceof ApiError && error.status === 404; // a server without rules
  if (none) decisionsRead.value = true;
  if (!none && !decisionsRead.peek()) decisionsError.value = error;
  if (!page) return;
  decisionsError.value = undefined;
  decisions.value = page.value;
  stopped.value = page.stopped;
  decisionsRead.value = true;
  if (page.value.length && !rules.peek().length && !pane) void readRules().catch(() => {}); // for their titles
}

/** The page calls it once; two panes in it are told what it reads, and have no timeline. */
export function startDecisions(): void {
  follow<News>(KIND, [], show);
  if (pane) return;
  effect(() => void turnsOf(decisions.value).catch(() => {}));
  addMarks(
    computed<TimelineMark[]>(() =>
      decisions.value
        .filter((d) => turnOf(d) <= liveUntil())
        .map((d) => ({
          time: turnOf(d),
          title: markOf(d),
          tone: d.state === "waiting" ? "attention" : "world",
          go: () => go({ view: "decisions", params: { id: String(d.id) } }),
        })),
    ),
  );
}

export const readRules = async () => {
  rules.value = await all<Rule>("/rules");
  rulesRead.value = true;
};
const rulePath = (name: string) => `/rules/${encodeURIComponent(name)}`;

/** Its text as people wrote it; the name is in the address. */
export const readRule = async (name: string, signal?: AbortSignal): Promise<Rule> => {
  const { name: _, ...rule } = await api.get<Rule>(rulePath(name), { signal });
  return rule;
};
/** A text goes as it is: what is wrong with it the server tells with its place. */
export const putRule = (name: string, rule: unknown): Promise<unknown> =>
  api.put(rulePath(name), rule, typeof rule === "string" ? { type: "application/json" } : {}).then(readRules);
export const dropRule = (name: string): Promise<unknown> => api.delete(rulePath(name)).then(readRules);

export const readDecision = (id: number, signal?: AbortSignal) => api.get<Decision>(`/decisions/${id}`, { signal });
export const decide = (id: number, verb: "approve" | "refuse" | "rollback", note: string) =>
  api.post<Decision>(`/decisions/${id}/${verb}`, note ? { note } : {});
export const replay = (id: number) => api.post<Replay>(`/decisions/${id}/replay`);
export const tryRule = (rule: string, twin: string) =>
  api.post<Decision>(`/rules/${encodeURIComponent(rule)}/try`, { twin });
export const stopAll = (on: boolean) => api.post(`/decisions/${on ? "stop" : "resume"}`);
