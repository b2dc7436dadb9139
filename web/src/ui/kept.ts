// SPDX-License-Identifier: Apache-2.0
// What was read of one thing is of that thing alone: as soon as another is asked for it is unknown, not what it was of
// the one before, and an answer that comes late is dropped.
import { useRef, useState } from "preact/hooks";

export function useKept<T>(of: string): [T | undefined, (next: T | ((before: T | undefined) => T)) => void] {
  const [state, set] = useState<{ of: string; value: T }>();
  const now = useRef(of);
  now.current = of;
  const keep = (next: T | ((before: T | undefined) => T)) => {
    if (now.current !== of) return;
    set((s) => {
      const before = s?.of === of ? s.value : undefined;
      return { of, value: typeof next === "function" ? (next as (b: T | undefined) => T)(before) : next };
    });
  };
  return [state?.of === of ? state.value : undefined, keep];
}
