// SPDX-License-Identifier: Apache-2.0
// What needs somebody: twins with a fault, an alarm, or values that are old. Asked once, then kept by the feed.
import { computed, effect, signal } from "@preact/signals";
import { api } from "~/api/client";
import { listen } from "~/api/feed";
import { models } from "~/api/models";
import type { Value } from "~/api/types";
import { kind, worldName } from "~/app/route";
import type { Tone } from "~/ui/basic";

/** Properties whose value, when it is neither empty nor false nor 0, says that something is wrong. */
const WRONG = /^(fault|alarm|error|failure|warning)$/i;
const BAD_STATES = new Set(["faulted", "fault", "failed", "down", "error", "alarm"]);

export interface Attention {
  tone: Tone;
  text: string;
}

const raw = signal<ReadonlyMap<string, ReadonlyMap<string, Value>>>(new Map());

const says = (property: string, v: Value | undefined): boolean =>
  property === "state"
    ? typeof v === "string" && BAD_STATES.has(v)
    : v !== undefined && v !== null && v !== "" && v !== false && v !== 0 && v !== "none";

export const attentionOf = computed(() => {
  const out = new Map<string, Attention>();
  for (const [id, values] of raw.value) {
    for (const [property, v] of values) {
      if (!says(property, v)) continue;
      const text = typeof v === "string" ? v : property;
      if (!out.has(id) || property !== "state") out.set(id, { tone: "bad", text });
    }
  }
  return out;
});

const watched = computed(() => {
  const names = new Set<string>();
  for (const m of models.value.values()) {
    for (const p of m.properties) {
      if (!p.component && (WRONG.test(p.path) || p.path === "state")) names.add(p.path);
    }
  }
  return [...names].sort();
});

async function read(world: string, names: readonly string[], abort: AbortSignal): Promise<void> {
  const next = new Map<string, Map<string, Value>>();
  const select = names.map((n) => `T.${n} AS ${n}`).join(", ");
  const where = names.map((n) => `IS_DEFINED(T.${n})`).join(" OR ");
  let token: string | undefined;
  do {
    const page = await api.post<{ value: Record<string, Value>[]; continuationToken?: string | null }>(
      "/query",
      token
        ? { continuationToken: token }
        : { query: `SELECT T.$dtId AS id, ${select} FROM DIGITALTWINS T WHERE ${where}` },
      { world, signal: abort, headers: { "max-items-per-page": "1000" } },
    );
    for (const row of page.value) {
      const values = new Map<string, Value>();
      for (const n of names) if (row[n] !== undefined) values.set(n, row[n]!);
      next.set(row.id as string, values);
    }
    token = page.continuationToken ?? undefined;
  } while (token);
  raw.value = next;
}

effect(() => {
  const names = watched.value;
  const world = worldName.value;
  raw.value = new Map();
  if (!names.length) return;
  const abort = new AbortController();
  if (kind.value === "past") void read(world, names, abort.signal).catch(() => {});
  const stop =
    kind.value === "past"
      ? () => {}
      : listen(
          { world, properties: names, what: ["values", "twins"], interval: 500 },
          {
            changes: (list) => {
              const next = new Map(raw.peek());
              for (const c of list) {
                if (c.op === "twin_delete") next.delete(c.twin);
                else if (c.path) next.set(c.twin, new Map(next.get(c.twin)).set(c.path, c.value ?? null));
              }
              raw.value = next;
            },
            subscribed: () => void read(world, names, abort.signal).catch(() => {}),
            gap: () => void read(world, names, abort.signal).catch(() => {}),
          },
        );
  return () => {
    abort.abort();
    stop();
  };
});
