// SPDX-License-Identifier: Apache-2.0
// The other one of two worlds, in a pane: its twins, of which some may not be in the world that the pane shows.
import { useEffect } from "preact/hooks";
import { computed, signal } from "@preact/signals";
import { followWorld, type Entry, type World } from "~/api/catalogue";
import { route } from "~/app/route";

/** Null: there is none. */
export const other = signal<World | null>(null);

const entries = computed(() => new Map((other.value?.entries ?? []).map((e) => [e.id, e])));
export const otherEntry = (id: string): Entry | undefined => entries.value.get(id);

/** Read while a view that shows differences is open. */
export function useOther(): World | null {
  const vs = route.value.params.vs ?? "";
  useEffect(() => {
    if (!vs) return;
    const stop = followWorld(vs, (w) => (other.value = w));
    return () => {
      stop();
      other.value = null;
    };
  }, [vs]);
  return vs ? other.value : null;
}
