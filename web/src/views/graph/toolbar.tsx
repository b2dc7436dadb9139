// SPDX-License-Identifier: Apache-2.0
// What one can do with the selected twin in the graph, and whose neighbourhood is shown.
import { ExternalLink, Minus, Network, Pin, PinOff, Plus, Route, UnfoldHorizontal, X } from "lucide-preact";
import { byId, labelOf } from "~/api/catalogue";
import { go, hrefOf, selected } from "~/app/route";
import { Button, Icon, IconButton } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { net } from "./adjacency";
import { expand, leaveNear, MOST_STEPS, setNear, type Near } from "./near";
import { pathFrom } from "./pathbar";
import { isPinned, type Pins } from "./pins";

const w = words.graph;

export const openTwin = (id: string) => go({ view: "twin", params: { sel: id } });

export function linkCount(id: string): number {
  const { adjacency, indexOf } = net();
  const i = indexOf.get(id);
  return i === undefined ? 0 : adjacency.degree(i);
}

export function TwinTools({ near, pins }: { near: Near; pins: () => Pins | null }) {
  const id = selected.value;
  if (!id || !byId.value.has(id) || pathFrom.value) return null;
  const pinned = isPinned(id);
  return (
    <div class="graph-bar twin-tools row" role="toolbar" aria-label={w.with(labelOf(id))}>
      <span class="ellipsis twin-tools-name">
        <span class="strong">{labelOf(id)}</span> <span class="quiet tiny">{w.links(linkCount(id))}</span>
      </span>
      <Button look="plain" icon={Route} title={w.path.toHint} onClick={() => (pathFrom.value = id)}>
        <span class="wide">{w.path.to}</span>
      </Button>
      {near.ids?.has(id) ? (
        <Button look="plain" icon={UnfoldHorizontal} title={w.near.expandHint} onClick={() => expand(id)}>
          <span class="wide">{w.near.expand}</span>
        </Button>
      ) : (
        <Button look="plain" icon={Network} title={w.near.only} onClick={() => setNear(id, 1)}>
          <span class="wide">{w.near.only}</span>
        </Button>
      )}
      <IconButton
        name={pinned ? w.pins.unpin : w.pins.pin}
        icon={pinned ? PinOff : Pin}
        onClick={() => (pinned ? pins()?.unpin(id) : pins()?.pin(id))}
      />
      <a class="button plain icon" href={hrefOf({ view: "twin", params: { sel: id } })} title={words.inspector.open}>
        <Icon of={ExternalLink} />
        <span class="unseen">{words.inspector.open}</span>
      </a>
    </div>
  );
}

export function NearBar({ near }: { near: Near }) {
  const [first] = near.centres;
  if (!first) return null;
  const [id, steps] = first;
  return (
    <section class="told card row near-bar" aria-label={w.near.title}>
      <Icon of={Network} size={15} />
      <span class="ellipsis">
        {w.near.of} <span class="strong">{labelOf(id)}</span>
      </span>
      <IconButton name={w.near.less} icon={Minus} disabled={steps <= 1} onClick={() => setNear(id, steps - 1)} />
      <span role="status">{w.near.steps(steps)}</span>
      <IconButton
        name={w.near.more}
        icon={Plus}
        disabled={steps >= MOST_STEPS}
        onClick={() => setNear(id, steps + 1)}
      />
      <span class="tiny quiet">{w.shown(format.count(near.ids?.size ?? 0), near.ids?.size ?? 0)}</span>
      <IconButton name={w.near.leave} icon={X} onClick={leaveNear} />
    </section>
  );
}
