// SPDX-License-Identifier: Apache-2.0
// What a view reads when it is opened: what the server refuses is told where it would stand, with a way to try again.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Wrong } from "./basic";

/** Reads once; null, or what to show of a refusal. */
export function useRead(read: () => Promise<unknown>): ComponentChildren {
  const [error, fail] = useState<unknown>();
  const again = () => read().then(() => fail(undefined), fail);
  useEffect(() => void again(), []);
  return error ? <Wrong error={error} retry={() => void again()} /> : null;
}
