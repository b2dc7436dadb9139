// SPDX-License-Identifier: Apache-2.0
// Walking through the twins of a picture by keys.
import { useEffect, useRef } from "preact/hooks";
import { select, selected } from "~/app/route";
import { addShortcuts } from "~/app/shortcuts";
import { words } from "~/words/en";

/** Keys n and p: to the next twin and back. */
export function useWalk(list: readonly { id: string }[]): void {
  const now = useRef(list);
  now.current = list;
  useEffect(() => {
    const step = (by: number) => () => {
      const all = now.current;
      if (!all.length) return;
      const i = all.findIndex((s) => s.id === selected.peek());
      select(all[(i < 0 ? (by > 0 ? 0 : all.length - 1) : i + by + all.length) % all.length]!.id);
    };
    return addShortcuts([
      { keys: "n", title: words.map.next, run: step(1) },
      { keys: "p", title: words.map.previous, run: step(-1) },
    ]);
  }, []);
}
