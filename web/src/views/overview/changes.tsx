// SPDX-License-Identifier: Apache-2.0
// What changed last, newest first; standing still while one points at it.
import { useEffect, useRef, useState } from "preact/hooks";
import { Activity } from "lucide-preact";
import { byId, labelOf } from "~/api/catalogue";
import { listen } from "~/api/feed";
import { propertyOf } from "~/api/models";
import type { Change } from "~/api/types";
import { kind, select, worldName } from "~/app/route";
import { Empty } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";

const ROWS = 60;

interface Seen {
  key: number;
  time: string | number;
  change: Change;
}

let key = 0;

function text(c: Change): string {
  const p = c.path ? propertyOf(byId.value.get(c.twin)?.model ?? "", c.path) : undefined;
  const name = p?.name ?? c.path ?? c.name ?? "";
  switch (c.op) {
    case "set":
      return `${name} ${format.value(c.value, p?.unit)}`;
    case "unset":
      return words.overview.unset(name);
    default:
      return words.overview.op[c.op] + (c.target ? ` → ${labelOf(c.target)}` : "");
  }
}

export function Changes() {
  const [seen, set] = useState<Seen[]>([]);
  const held = useRef(false);
  const waiting = useRef<Seen[]>([]);
  const world = worldName.value;
  const past = kind.value === "past";
  useEffect(() => {
    set([]);
    if (past) return;
    return listen(
      { world, interval: 1000, what: ["values", "twins", "links"] },
      {
        changes: (list, time) => {
          const fresh = list
            .slice(-ROWS)
            .map((change) => ({ key: key++, time: change.at ?? time, change }))
            .reverse();
          waiting.current = [...fresh, ...waiting.current].slice(0, ROWS);
          if (held.current) return;
          const take = waiting.current;
          waiting.current = [];
          set((s) => [...take, ...s].slice(0, ROWS));
        },
      },
    );
  }, [world, past]);
  if (past) return <Empty icon={Activity} title={words.overview.still} hint={words.overview.stillHint} />;
  if (!seen.length) return <Empty icon={Activity} title={words.overview.quiet} hint={words.overview.quietHint} />;
  return (
    <div
      class="change-list scroll"
      onPointerEnter={() => (held.current = true)}
      onPointerLeave={() => (held.current = false)}
    >
      {seen.map((s) => (
        <button type="button" class="tree-row change" key={s.key} onClick={() => select(s.change.twin)}>
          <time class="tiny quiet" title={format.exactTime(s.time)}>
            {format.time(s.time)}
          </time>
          <span class="ellipsis">{labelOf(s.change.twin)}</span>
          <span class="small quiet ellipsis">{text(s.change)}</span>
        </button>
      ))}
    </div>
  );
}
