// SPDX-License-Identifier: Apache-2.0
// Rules and what they decided: proposals waiting for people, and the records of all that came before.
import { computed, signal } from "@preact/signals";
import { addMarks, type TimelineMark } from "~/app/marks";
import { go } from "~/app/route";
import { words } from "~/words/en";
import { all, api, ApiError } from "./client";
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
  ahead: string;
  mode?: string;
  model?: string;
  twin?: string;
  actions: {
    name: string;
    title?: string;
    cost?: number;
    command?: { name: string; payload?: Value };
    undo?: object;
  }[];
}

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
export const rules = signal<readonly Rule[]>([]);
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
export const isOver = (state: string): boolean => OVER.has(state);

const RETRY_MS = 5000;

/** Follow them by waiting for news; the page calls it once. */
export function startDecisions(): void {
  let revision = -1;
  const round = async () => {
    let wait = 0;
    try {
      const news = revision >= 0 && document.visibilityState === "visible";
      const p = await api.get<Page>("/decisions", {
        query: { limit: 200, ...(news ? { wait: "30s", revision } : {}) },
      });
      if (p.revision !== revision) {
        decisions.value = p.value;
        stopped.value = p.stopped;
        revision = p.revision;
      }
      decisionsRead.value = true;
      if (!news) wait = document.visibilityState === "visible" ? 0 : RETRY_MS;
    } catch (e) {
      wait = e instanceof ApiError && e.status === 404 ? 60_000 : RETRY_MS;
    }
    setTimeout(() => void round(), wait);
  };
  void round();
  addMarks(
    computed<TimelineMark[]>(() =>
      decisions.value.map((d) => ({
        time: Date.parse(d.at),
        title: words.decisions.mark(d.rule, d.state),
        tone: d.state === "waiting" ? "attention" : "world",
        go: () => go({ view: "decisions", params: { id: String(d.id) } }),
      })),
    ),
  );
}

export const readRules = async () => {
  rules.value = await all<Rule>("/rules");
};
export const readDecision = (id: number, signal?: AbortSignal) => api.get<Decision>(`/decisions/${id}`, { signal });
export const decide = (id: number, verb: "approve" | "refuse" | "rollback", note: string) =>
  api.post<Decision>(`/decisions/${id}/${verb}`, note ? { note } : {});
export const replay = (id: number) => api.post<Replay>(`/decisions/${id}/replay`);
export const tryRule = (rule: string, twin: string) =>
  api.post<Decision>(`/rules/${encodeURIComponent(rule)}/try`, { twin });
export const stopAll = (on: boolean) => api.post(`/decisions/${on ? "stop" : "resume"}`);
