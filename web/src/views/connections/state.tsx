// SPDX-License-Identifier: Apache-2.0
// Connections as they stand, read again every two seconds, and how fast they are.
import { useEffect, useRef, useState } from "preact/hooks";
import { CircleAlert, CirclePause, LoaderCircle, Plug, type LucideIcon } from "lucide-preact";
import {
  readConnections,
  readEndpoints,
  readRoutes,
  type Connection,
  type Endpoint,
  type EventRoute,
  type LastError,
} from "~/api/connections";
import { Ago, Chip, type Tone } from "~/ui/basic";
import { words } from "~/words/en";

const AGAIN_MS = 2000;

export interface Outside {
  connections: Connection[];
  endpoints: Endpoint[];
  routes: EventRoute[];
  rates: ReadonlyMap<string, number>; // messages a second
  read: boolean;
  error?: unknown;
}

export function useOutside(): [Outside, () => void] {
  const [o, set] = useState<Outside>({ connections: [], endpoints: [], routes: [], rates: new Map(), read: false });
  const [again, turn] = useState(0);
  const before = useRef<{ at: number; counts: Map<string, number> }>();
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const round = async () => {
      if (document.visibilityState === "visible")
        try {
          const { signal } = abort;
          const [connections, endpoints, routes] = await Promise.all([
            readConnections(signal),
            readEndpoints(signal),
            readRoutes(signal),
          ]);
          const at = performance.now();
          const last = before.current;
          const rates = new Map<string, number>();
          for (const c of connections) {
            const was = last?.counts.get(c.name);
            if (was !== undefined) rates.set(c.name, (Math.max(0, c.status.messages - was) * 1000) / (at - last!.at));
          }
          before.current = { at, counts: new Map(connections.map((c) => [c.name, c.status.messages])) };
          set({ connections, endpoints, routes, rates, read: true });
        } catch (error) {
          if (abort.signal.aborted) return;
          set((x) => ({ ...x, read: true, error })); // what was read stays, and it is tried again
        }
      timer = window.setTimeout(() => void round(), AGAIN_MS);
    };
    void round();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [again]);
  return [o, () => turn((n) => n + 1)];
}

const STATES: { [state: string]: { tone: Tone; icon: LucideIcon } } = {
  up: { tone: "ok", icon: Plug },
  active: { tone: "ok", icon: Plug },
  connecting: { tone: "attention", icon: LoaderCircle },
  retrying: { tone: "attention", icon: LoaderCircle },
  failed: { tone: "bad", icon: CircleAlert },
  paused: { tone: "stale", icon: CirclePause },
};

export function StateChip({ state, trouble }: { state: string; trouble?: string }) {
  // It "connects" for as long as it is refused: that is said.
  if (trouble && state === "connecting") state = "retrying";
  const s = STATES[state];
  return (
    <Chip tone={s?.tone ?? ""} icon={s?.icon} title={trouble || undefined}>
      {words.connections.states[state as keyof typeof words.connections.states] ?? state}
    </Chip>
  );
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const hintOf = (error: string) => words.connections.advice.find(([known]) => known.test(error))?.[1];

/** What went wrong, in the other side's words, and what to look at. What is over is said more quietly, with when. */
export function Advice({ trouble, last }: { trouble: string; last?: LastError | null }) {
  const error = trouble || last?.error;
  if (!error) return null;
  const hint = hintOf(error);
  return (
    <div class={trouble ? "notice bad" : "notice conn-last-error"} role="status">
      <div class="grow">
        <div>
          {!trouble && <span class="quiet">{words.connections.lastWrong} </span>}
          {sentence(error)}
        </div>
        {hint && <div class="small">{hint}</div>}
      </div>
      {last && (
        <span class="small quiet">
          <Ago time={last.time} />
        </span>
      )}
    </div>
  );
}

/** The same in a row of a list. */
export function Trouble({ trouble, last }: { trouble: string; last?: LastError | null }) {
  if (trouble) return <div class="tiny wrong conn-trouble">{trouble}</div>;
  if (!last) return null;
  return (
    <div class="tiny quiet conn-trouble" title={last.error}>
      {words.connections.lastWrong} <Ago time={last.time} />: {last.error}
    </div>
  );
}
