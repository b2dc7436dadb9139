// SPDX-License-Identifier: Apache-2.0
// One twin with its values as they move: for the inspector and its page.
import { useEffect, useState } from "preact/hooks";
import { moves, worldName } from "~/app/route";
import { useKept } from "~/ui/kept";
import { api, ApiError, wordsOf } from "./client";
import { listen } from "./feed";
import { own } from "./own";
import type { Change, Relationship, Twin, TwinMetadata, Value } from "./types";
import { all } from "./client";

export interface LiveTwin {
  twin?: Twin;
  gone: boolean; // there is no such twin in this world
  error: string;
  again?: () => void; // asks anew
}

/** Set a value by its path in a twin's document, with its times; what is on the way is made. */
export function setPath(twin: Twin, path: string, value: Value | undefined, time: string, sourceTime?: string): Twin {
  const keys = path.split(".");
  const out: Twin = { ...twin, $metadata: { ...twin.$metadata } };
  let at = out as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) {
    at[key] = { ...(at[key] as object | undefined) };
    at = at[key] as Record<string, unknown>;
  }
  const last = keys[keys.length - 1]!;
  if (value === undefined) delete at[last];
  else at[last] = value;
  const holder = keys.length > 1 && at.$metadata ? (at.$metadata = { ...(at.$metadata as object) }) : out.$metadata;
  (holder as TwinMetadata)[last] = { lastUpdateTime: time, ...(sourceTime ? { sourceTime } : {}) };
  return out;
}

/** The value at a path of a document. */
export function valueAt(twin: Twin | undefined, path: string): Value | undefined {
  let at: unknown = twin;
  for (const key of path.split(".")) {
    if (typeof at !== "object" || at === null) return undefined;
    at = own(at as Record<string, unknown>, key);
  }
  return at as Value | undefined;
}

/** When a value was true (its source's clock), and when it arrived. */
export function timesOf(twin: Twin | undefined, path: string): { source?: string; arrived?: string } {
  if (!twin) return {};
  const keys = path.split(".");
  let meta: TwinMetadata | undefined = twin.$metadata;
  if (keys.length > 1) {
    const inner = (twin[keys[0]!] as { $metadata?: TwinMetadata } | undefined)?.$metadata;
    if (inner) meta = inner;
  }
  const m = meta?.[keys.length > 1 && meta !== twin.$metadata ? keys[1]! : keys[0]!];
  return typeof m === "object" ? { source: m.sourceTime, arrived: m.lastUpdateTime } : {};
}

const apply = (twin: Twin, list: readonly Change[], time: string): Twin => {
  for (const c of list) {
    if (c.path === undefined) continue;
    const at = c.at ? new Date(c.at).toISOString() : undefined;
    if (c.op === "set") twin = setPath(twin, c.path, c.value, time, at);
    else if (c.op === "unset") twin = setPath(twin, c.path, undefined, time);
  }
  return twin;
};

const UNREAD: LiveTwin = { gone: false, error: "" };

/** Of the shown world, or of another one. */
export function useTwin(id: string, other = ""): LiveTwin {
  const world = other || worldName.value;
  const [kept, keep] = useKept<LiveTwin>(JSON.stringify([world, id]));
  const [round, turn] = useState(0);
  const live = other ? !other.includes("@") : moves.value;
  useEffect(() => {
    if (!id) return;
    const abort = new AbortController();
    const set = (next: (s: LiveTwin) => LiveTwin) => abort.signal.aborted || keep((s) => next(s ?? UNREAD));
    // What is told while it is read may be newer than what is read: it is told again on top of it.
    let during: [readonly Change[], string][] | undefined;
    const read = () => {
      const mine: typeof during = (during = []);
      return api.get<Twin>(`/digitaltwins/${encodeURIComponent(id)}`, { world, signal: abort.signal }).then(
        (twin) => {
          if (during !== mine) return; // another began later
          during = undefined;
          set(() => ({ twin: mine.reduce((t, [list, time]) => apply(t, list, time), twin), gone: false, error: "" }));
        },
        (e: unknown) => {
          if (during !== mine) return;
          during = undefined;
          const gone = e instanceof ApiError && e.status === 404;
          set((s) => ({ twin: gone ? undefined : s.twin, gone, error: gone ? "" : wordsOf(e) }));
        },
      );
    };
    if (!live) void read();
    const late = setTimeout(() => void read(), live ? 1500 : 1 << 30); // the feed does not stand: read all the same
    const stop = live
      ? listen(
          { world, twins: [id], what: ["values", "twins"] },
          {
            changes: (list, time) => {
              if (list.some((c) => c.op === "twin_put" || c.op === "twin_delete")) void read();
              else {
                during?.push([list, time]);
                set((s) => (s.twin ? { ...s, twin: apply(s.twin, list, time) } : s));
              }
            },
            subscribed: () => (clearTimeout(late), void read()),
            gap: () => void read(),
          },
        )
      : () => {};
    return () => {
      clearTimeout(late);
      abort.abort();
      stop();
    };
  }, [id, world, live, round]);
  return { ...(kept ?? UNREAD), again: () => turn((n) => n + 1) };
}

export interface LinksOf {
  out: Relationship[];
  in: { $relationshipId: string; $sourceId: string; $relationshipName: string }[];
}

export async function fetchLinks(id: string, world: string, signal?: AbortSignal): Promise<LinksOf> {
  const base = `/digitaltwins/${encodeURIComponent(id)}`;
  const [out, incoming] = await Promise.all([
    all<Relationship>(base + "/relationships", { world, signal }),
    all<LinksOf["in"][number]>(base + "/incomingrelationships", { world, signal }),
  ]);
  return { out, in: incoming };
}
