// SPDX-License-Identifier: Apache-2.0
// The graph by keys: arrows walk along links, Enter opens, Escape takes away the path, the neighbourhood, then the
// selection.
import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { labelOf } from "~/api/catalogue";
import { go, route, select, selected } from "~/app/route";
import { addShortcuts, type Shortcut } from "~/app/shortcuts";
import { words } from "~/words/en";
import { inSight, show } from "./fit";
import { expand, leaveNear } from "./near";
import { leavePath, pathFrom } from "./pathbar";
import type { Stage } from "./stage";
import { linkCount, openTwin } from "./toolbar";
import { DIRECTIONS, middle, neighbour, type Direction } from "./walk";

const w = words.graph;

/** Said to screen readers: who is selected, how it went. */
export const said = signal("");

/** The keys are the graph's unless something else that takes arrows has the focus. */
function here(): boolean {
  const at = document.activeElement;
  return !at || at === document.body || at.closest(".graph-view") !== null || at.closest(".rail, .bar") !== null;
}

function step(stage: Stage, d: Direction): void {
  const from = selected.peek();
  const to = from ? neighbour(stage, from, d) : middle(stage);
  if (!to) {
    if (from) said.value = w.noWay(labelOf(from), w.directions[d]);
    return;
  }
  go({ params: { sel: to }, replace: from !== "" });
  if (!inSight(stage, to)) show(stage, to);
}

function back(): void {
  const { path, near } = route.peek().params;
  if (pathFrom.peek()) pathFrom.value = "";
  else if (path) leavePath();
  else if (near) leaveNear();
  else select("");
}

const busy = () => Boolean(pathFrom.value || route.value.params.path || route.value.params.near || selected.value);

export function useKeys(stage: { current: Stage | null }): void {
  useEffect(() => {
    const on = (run: (id: string) => void) => () => run(selected.peek());
    const chosen = () => here() && selected.peek() !== "";
    const list: Shortcut[] = [
      ...DIRECTIONS.map((d) => ({
        keys: d,
        title: w.walk(w.directions[d]),
        when: here,
        run: () => stage.current && step(stage.current, d),
      })),
      {
        keys: "Enter",
        title: w.open,
        when: () => chosen() && document.activeElement?.tagName !== "A",
        run: on(openTwin),
      },
      { keys: "e", title: w.near.expand, when: chosen, run: on(expand) },
      { keys: "f", title: w.path.toHint, when: chosen, run: on((id) => (pathFrom.value = id)) },
      { keys: "Escape", title: w.back, when: busy, run: back },
    ];
    return addShortcuts(list);
  }, []);
  const id = selected.value;
  useEffect(() => {
    // After a moment: who walks on is not told of each step.
    const timer = setTimeout(() => (said.value = id ? w.selectedIs(labelOf(id), linkCount(id)) : ""), 250);
    return () => clearTimeout(timer);
  }, [id]);
}
