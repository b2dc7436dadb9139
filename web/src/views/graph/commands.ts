// SPDX-License-Identifier: Apache-2.0
// What the graph can do, in the palette.
import { Bookmark, Link, Network, Pin, PinOff, Route, Waves } from "lucide-preact";
import { byId, labelOf } from "~/api/catalogue";
import { useCommands, type Command } from "~/app/palette";
import { go, route, selected } from "~/app/route";
import { words } from "~/words/en";
import { leaveNear, setNear } from "./near";
import { leavePath, pathFrom } from "./pathbar";
import { isPinned, pinCount, type Pins } from "./pins";
import { apply, copyLink } from "./viewsmenu";
import { views } from "./saved";

const w = words.graph;

function ofTwin(id: string, pins: () => Pins | null): Command[] {
  const name = labelOf(id);
  const pinned = isPinned(id);
  return [
    { id: "graph:path", title: w.path.from(name), icon: Route, keys: "f", run: () => (pathFrom.value = id) },
    { id: "graph:near", title: w.near.onlyOf(name), icon: Network, run: () => setNear(id, 1) },
    {
      id: "graph:pin",
      title: `${pinned ? w.pins.unpin : w.pins.pin}: ${name}`,
      icon: pinned ? PinOff : Pin,
      run: () => (pinned ? pins()?.unpin(id) : pins()?.pin(id)),
    },
  ];
}

export function useGraphCommands(pins: () => Pins | null): void {
  const id = selected.value;
  const { path, near, flow } = route.value.params;
  const n = pinCount();
  useCommands(
    () => [
      ...(id && byId.value.has(id) ? ofTwin(id, pins) : []),
      ...(path ? [{ id: "graph:no-path", title: w.path.leave, icon: Route, run: leavePath }] : []),
      ...(near ? [{ id: "graph:all", title: w.near.leave, icon: Network, run: leaveNear }] : []),
      ...(n ? [{ id: "graph:unpin", title: w.pins.unpinAll(n), icon: PinOff, run: () => pins()?.unpin() }] : []),
      {
        id: "graph:flow",
        title: flow ? w.flowStop : w.flowStart,
        icon: Waves,
        run: () => go({ params: { flow: flow ? null : "auto" }, replace: true }),
      },
      { id: "graph:link", title: w.views.copy, icon: Link, run: () => void copyLink() },
      ...views.value.map((v) => ({
        id: "graph:view:" + v.name,
        title: v.name,
        hint: w.views.hint,
        icon: Bookmark,
        run: () => apply(v),
      })),
    ],
    [id, path, near, flow, n, views.value, byId.value],
  );
}
