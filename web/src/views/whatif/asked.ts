// SPDX-License-Identifier: Apache-2.0
// What was asked with runs many times over and the server does not keep: costs, whom they are about, the KPI that
// decides. This browser remembers it, so that they are told alike when they are opened again.
import { pref } from "~/app/prefs";
import type { Ensemble } from "~/api/runs";

interface Asked {
  id: number;
  title: string; // another server on this address counts anew: its runs are other ones
  when: number; // ms since 1970
  params: Record<string, string>;
}

const MOST = 100;
const SAME_MS = 60_000;
const kept = pref<readonly Asked[]>("whatif.asked", []);

export function remember(id: number, title: string, params: Record<string, string>): void {
  kept.value = [{ id, title, when: Date.now(), params }, ...kept.peek()].slice(0, MOST);
}

/** The parameters of the address that shows it. */
export function paramsOf(e: Ensemble): Record<string, string> {
  const begun = Date.parse(e.begun ?? "");
  const found = kept.value.find((a) => a.id === e.id && a.title === e.title && Math.abs(a.when - begun) < SAME_MS);
  return { ...found?.params, ensemble: String(e.id) };
}
