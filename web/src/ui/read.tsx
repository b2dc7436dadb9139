// SPDX-License-Identifier: Apache-2.0
// What a view reads: what the server refuses is told where it would stand, with a way to try again. A list that could
// not be read is never shown as an empty one.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Skeleton, Wrong } from "./basic";
import { useKept } from "./kept";

export interface Fetched<T> {
  value?: T; // as it was read last, also when it could not be read anew
  error?: unknown; // of the last time it was asked for
  again: () => void;
}

interface How {
  every?: number; // ms; while somebody looks
  deps?: readonly unknown[]; // it is read anew, and what was read stays meanwhile
}

/** Read of one thing; as soon as `of` is another one, what was read of the one before is gone. */
export function useFetched<T>(of: string, read: (signal: AbortSignal) => Promise<T>, how: How = {}): Fetched<T> {
  const { every = 0, deps = [] } = how;
  const [value, keep] = useKept<T>(of);
  const [error, fail] = useKept<unknown>(of);
  const [round, turn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    const once = () =>
      void read(abort.signal).then(
        (v) => abort.signal.aborted || (keep(v), fail(undefined)),
        (e: unknown) => abort.signal.aborted || fail(e),
      );
    once();
    const timer = every ? setInterval(() => document.visibilityState === "visible" && once(), every) : 0;
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [of, round, every, ...deps]);
  return { value, error, again: () => (fail(undefined), turn((n) => n + 1)) };
}

interface ReadProps<T> {
  of: Fetched<T>;
  lines?: number; // of what is waited for
  inset?: boolean; // it stands in a card without a margin of its own
  children: (value: T) => ComponentChildren;
}

/** What was read; until then that it is awaited, or why there is nothing, and a way to ask again. */
export function Read<T>({ of, lines = 4, inset, children }: ReadProps<T>) {
  if (of.value !== undefined) return <>{children(of.value)}</>;
  const other = of.error !== undefined ? <Wrong error={of.error} retry={of.again} /> : <Skeleton lines={lines} />;
  return inset ? <div class="read-inset">{other}</div> : other;
}

/** Reads once; null, or what to show of a refusal. */
export function useRead(read: () => Promise<unknown>): ComponentChildren {
  const [error, fail] = useState<unknown>();
  const again = () => read().then(() => fail(undefined), fail);
  useEffect(() => void again(), []);
  return error ? <Wrong error={error} retry={() => void again()} /> : null;
}
