// SPDX-License-Identifier: Apache-2.0
// Whose sources have gone silent: twins whose newest value is older than a few minutes by the world's clock.
import { useEffect } from "preact/hooks";
import { moves, worldName } from "~/app/route";
import { useKept } from "~/ui/kept";
import { api } from "./client";

const OLDER = "PT5M";
const AGAIN_MS = 15_000;
const NONE: ReadonlyMap<string, string> = new Map();

interface Answer {
  twins: { id: string; newest: string }[];
}

/** By twin, when it was heard last. Empty where nobody can tell. */
export function useStale(): ReadonlyMap<string, string> {
  const world = worldName.value;
  const [state, set] = useKept<ReadonlyMap<string, string>>(world);
  const live = moves.value;
  useEffect(() => {
    const abort = new AbortController();
    const read = () =>
      api.get<Answer>("/stale", { world, query: { older: OLDER, limit: 1000 }, signal: abort.signal }).then(
        (a) => set(a.twins.length ? new Map(a.twins.map((t) => [t.id, t.newest])) : NONE),
        () => {},
      );
    void read();
    const timer = live ? setInterval(() => document.visibilityState === "visible" && void read(), AGAIN_MS) : 0;
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [world, live]);
  return state ?? NONE;
}
