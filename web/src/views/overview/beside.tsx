// SPDX-License-Identifier: Apache-2.0
// Cards of two worlds beside each other stand in one order: each pane tells the other one which it has, and shows a
// place without a value where it has none, so that like stands beside like.
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { cardsThere, pane, shareCards } from "~/app/pane";
import { words } from "~/words/en";

export interface Tile {
  key: string;
  title: string;
  tile: ComponentChildren;
}

/** Keys of what is a KPI; of values that are computed they begin otherwise. */
export const KPI = "kpi ";
const isKpi = (key: string): boolean => key.startsWith(KPI);

/** KPIs by their names, then what A has, then what B has beyond it. */
export function keysOf(a: readonly string[], b: readonly string[]): string[] {
  const all = [...new Set([...a, ...b])];
  return [...all.filter(isKpi).sort(), ...all.filter((k) => !isKpi(k))];
}

function Missing({ title }: { title: string }) {
  return (
    <div class="card tile kpi">
      <span class="tile-name">{title}</span>
      <span class="small quiet">{words.noValue}</span>
    </div>
  );
}

/** What stands in the page: outside of a comparison its own tiles as they are. Undefined: they are not read yet. */
export function useBeside(own: readonly Tile[] | undefined): readonly Tile[] {
  const text = own && JSON.stringify(own.map((t) => [t.key, t.title]));
  useEffect(() => void (text && shareCards(text)), [text]);
  if (!pane || !own?.length) return own ?? [];
  const there = new Map(JSON.parse(cardsThere.value || "[]") as [key: string, title: string][]);
  const mine = new Map(own.map((t) => [t.key, t]));
  const [a, b] = pane === "a" ? [mine, there] : [there, mine];
  const missing = (key: string) => ({ key, title: "", tile: <Missing key={key} title={there.get(key)!} /> });
  return keysOf([...a.keys()], [...b.keys()]).map((key) => mine.get(key) ?? missing(key));
}
