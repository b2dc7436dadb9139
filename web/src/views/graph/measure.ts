// SPDX-License-Identifier: Apache-2.0
// A value of every twin, by which the graph is coloured, sized or flows: a property, told as it changes, or an
// expression ("=power / speed"), which the server computes and which is read again when what it is made of moves.
import { useEffect, useRef, useState } from "preact/hooks";
import { entries } from "~/api/catalogue";
import { api, ApiError, wordsOf } from "~/api/client";
import { listen } from "~/api/feed";
import { models, type Property } from "~/api/models";
import type { Value } from "~/api/types";
import { moves, worldName } from "~/app/route";
import { lex } from "~/views/ask/language";
import { words } from "~/words/en";

const AGAIN_MS = 2000; // between two readings of an expression, at least
const CLOCK_MS = 5000; // of one that no property moves: time may
const CALM = 4; // so much longer than a reading took it rests

export interface Take {
  all(ids: readonly string[], values: readonly Value[]): void;
  some(list: readonly [id: string, value: Value][]): void;
  none(): void; // nothing is measured
}

export interface Measured {
  error: string;
  settled: string; // the key that was read last, with success or not
}

export const isExpression = (key: string): boolean => key.startsWith("=");

/** The first property of that path. */
export function propertyAt(path: string): Property | undefined {
  for (const m of models.value.values()) {
    const p = m.properties.find((q) => q.path === path);
    if (p) return p;
  }
  return undefined;
}

/** A name that no model has is nothing to colour by: addresses may say anything. */
export const knownKey = (key: string): string => (isExpression(key) || propertyAt(key) ? key : "");

export const unitOf = (key: string): string => (isExpression(key) ? "" : (propertyAt(key)?.unit ?? ""));
export const nameOf = (key: string): string =>
  isExpression(key) ? key.slice(1).trim() : (propertyAt(key)?.name ?? key);

/** Models that have a property; null: nobody knows of whom an expression tells something. */
export function havers(key: string): ReadonlySet<string> | null {
  if (isExpression(key)) return null;
  return new Set([...models.peek().values()].filter((m) => m.properties.some((p) => p.path === key)).map((m) => m.id));
}

/** Properties that an expression names: when they move, it does. */
export function partsOf(expression: string): string[] {
  const named = new Set(
    lex(expression)
      .filter((w) => w.kind === "name")
      .map((w) => w.text.replace(/^\[\[|\]\]$/g, "")),
  );
  const out = new Set<string>();
  for (const m of models.peek().values())
    for (const p of m.properties) if (p.path.split(".").some((part) => named.has(part))) out.add(p.path);
  return [...out].slice(0, 32);
}

interface Columns {
  twins: { id: string[] };
  values?: Record<string, Value[]>;
}

async function read(key: string, world: string, signal: AbortSignal): Promise<[string[], Value[]]> {
  const name = isExpression(key) ? key.slice(1).trim() : key;
  const query = { links: false, ...(isExpression(key) ? { expression: [name] } : { values: name }) };
  const g = await api.get<Columns>("/graph", { world, query, signal });
  const column = g.values?.[name];
  if (!column) throw new ApiError("NoColumn", words.graph.noColumn(name), 0);
  return [g.twins.id, column];
}

/** A mistake in an expression, without the language's own wrapping. */
function toldOf(e: unknown): string {
  const text = wordsOf(e).replace(/^.*Message=|^expression \d+: (column \d+: )?/s, "");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Reads again when something moved, never more often than it may. */
function reader(once: () => Promise<void>): { moved(): void; stop(): void } {
  let timer = 0;
  let over = false;
  let free = performance.now() + AGAIN_MS;
  const moved = () => {
    if (timer || over) return;
    timer = window.setTimeout(
      async () => {
        const begin = performance.now();
        await once();
        free = performance.now() + Math.max(AGAIN_MS, CALM * (performance.now() - begin));
        timer = 0;
      },
      Math.max(0, free - performance.now()),
    );
  };
  return {
    moved,
    stop: () => {
      over = true;
      clearTimeout(timer);
    },
  };
}

const baseOf = (world: string): string => world.split("@")[0]!;

export function useMeasure(key: string, ready: number, take: Take, also?: unknown): Measured {
  const [state, set] = useState<Measured>({ error: "", settled: "" });
  const to = useRef(take);
  to.current = take;
  const world = worldName.value;
  const live = moves.value;
  const of = useRef(baseOf(world));
  useEffect(() => {
    if (!ready) return;
    if (!key) {
      to.current.none();
      return set({ error: "", settled: "" });
    }
    const abort = new AbortController();
    const once = () =>
      read(key, world, abort.signal).then(
        ([ids, values]) => {
          if (abort.signal.aborted) return;
          to.current.all(ids, values);
          set((s) => (s.settled === key && !s.error ? s : { error: "", settled: key }));
        },
        (e: unknown) => {
          if (!abort.signal.aborted) set({ error: toldOf(e), settled: key });
        },
      );
    if (of.current !== baseOf(world)) {
      // What another world has is nothing here; colours go on meaning what they meant.
      to.current.some(entries.peek().map((e) => [e.id, null]));
      set({ error: "", settled: "" });
    }
    of.current = baseOf(world);
    void once();
    const stop = live ? follow(key, world, once, to) : () => {};
    return () => {
      abort.abort();
      stop();
    };
  }, [ready, key, world, live, also]);
  return state;
}

function follow(key: string, world: string, once: () => Promise<void>, to: { current: Take }): () => void {
  if (!isExpression(key)) {
    const changes = (list: readonly { path?: string; twin: string; value?: Value }[]) =>
      to.current.some(list.filter((c) => c.path === key).map((c) => [c.twin, c.value ?? null]));
    // What moved before one was told of it is read once more.
    return listen({ world, properties: [key] }, { changes, subscribed: () => void once(), gap: () => void once() });
  }
  const again = reader(once);
  const properties = partsOf(key.slice(1));
  const clock = /\b(now|age)\s*\(/i.test(key) || !properties.length ? window.setInterval(again.moved, CLOCK_MS) : 0;
  const stop = properties.length
    ? listen(
        { world, properties, interval: AGAIN_MS },
        { changes: again.moved, subscribed: again.moved, gap: again.moved },
      )
    : () => {};
  return () => {
    clearInterval(clock);
    again.stop();
    stop();
  };
}
