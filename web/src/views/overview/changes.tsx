// SPDX-License-Identifier: Apache-2.0
// What changed: first what happened (alerts, births, commands, decisions, a state that turned), then values as they
// come. The list stands still while one points at it, and while somebody searches.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Activity } from "lucide-preact";
import { link } from "~/api/client";
import { byId, labelOf } from "~/api/catalogue";
import { listen } from "~/api/feed";
import { propertyOf } from "~/api/models";
import type { Change, Value } from "~/api/types";
import { happenedError, readHappened } from "~/app/happened";
import { timelineMarks, type TimelineMark } from "~/app/marks";
import { paletteOpen } from "~/app/palette";
import { go, kind, route, select, worldName } from "~/app/route";
import { Card, cls, Empty, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";

const ROWS = 24;
const EVENTS = 12;

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

/** States and texts that turned, not every number that a sensor sends: of these one saw the value before. */
class Turns {
  private readonly known = new Map<string, Value>();

  of(c: Change): boolean {
    if (c.op === "twin_put" || c.op === "twin_delete") return true;
    if (c.op !== "set" || !c.path || typeof c.value === "number" || (c.value && typeof c.value === "object"))
      return false;
    const k = `${c.twin} ${c.path}`;
    const before = this.known.get(k);
    this.known.set(k, c.value ?? null);
    return before !== undefined && before !== c.value;
  }
}

function useFeed(): { values: Seen[]; turns: Seen[]; hold: (on: boolean) => void } {
  const [values, set] = useState<Seen[]>([]);
  const [turns, setTurns] = useState<Seen[]>([]);
  const held = useRef(false);
  const world = worldName.value;
  const past = kind.value === "past";
  useEffect(() => {
    set([]);
    setTurns([]);
    if (past) return;
    const memory = new Turns();
    return listen(
      { world, interval: 1000, what: ["values", "twins", "links"] },
      {
        changes: (list, time) => {
          const seen = (change: Change): Seen => ({ key: key++, time: change.at ?? time, change });
          const turned = list.filter((c) => memory.of(c));
          if (turned.length) setTurns((s) => [...turned.slice(-EVENTS).map(seen).reverse(), ...s].slice(0, EVENTS));
          if (held.current || paletteOpen.peek()) return;
          const fresh = list.slice(-ROWS).map(seen).reverse();
          set((s) => [...fresh, ...s].slice(0, ROWS));
        },
      },
    );
  }, [world, past]);
  return { values, turns, hold: (on) => (held.current = on) };
}

interface RowProps {
  time: string | number;
  before?: boolean; // it began earlier
  name: string;
  what: string;
  tone?: string;
  run: () => void;
}

function Row({ time, before, name, what, tone, run }: RowProps) {
  return (
    <button type="button" class="tree-row change" onClick={run}>
      <time class="tiny quiet" title={format.exactTime(time)}>
        {before ? words.overview.before(format.clock(new Date(time).getTime())) : format.time(time)}
      </time>
      <span class="ellipsis">
        {tone !== undefined && <span class={cls("tl-dot", tone)} />} {name}
      </span>
      <span class="small quiet ellipsis">{what}</span>
    </button>
  );
}

function goThere(m: TimelineMark): void {
  if (m.go) m.go();
  else go({ at: new Date(m.time + 1000).toISOString().replace(/\.\d+Z/, "Z"), params: { sel: m.twin ?? null } });
}

/** Whether it still stands, or how long it did; nothing of what has no length. */
function lasted(m: TimelineMark, now: number): string | undefined {
  if (m.until === undefined) return undefined;
  const over = m.until !== null && m.until <= now;
  return over ? words.timeline.over(format.duration(Math.max(1000, m.until! - m.time))) : words.timeline.still;
}

export function Changes() {
  const { values, turns, hold } = useFeed();
  const past = kind.value === "past";
  const marks = timelineMarks.value;
  const { at } = route.value;
  const happened = useMemo(() => {
    const now = at ? Date.parse(at) : Infinity;
    const rows: (RowProps & { at: number })[] = [
      ...marks
        .filter((m) => m.time <= now)
        .slice(-EVENTS)
        .map((m) => ({
          at: m.time,
          time: m.time,
          before: m.before,
          name: m.title,
          what: lasted(m, now) ?? m.what ?? "",
          tone: m.tone,
          run: () => goThere(m),
        })),
      ...turns.map((s) => ({
        at: new Date(s.time).getTime(),
        time: s.time,
        name: labelOf(s.change.twin),
        what: text(s.change),
        tone: "",
        run: () => select(s.change.twin),
      })),
    ];
    return rows.sort((a, b) => b.at - a.at).slice(0, EVENTS);
  }, [marks, turns, at]);
  const wrong = happenedError.value;
  return (
    <Card title={words.overview.changes} bare>
      {wrong !== undefined && (
        <div class="read-inset">
          <Wrong title={words.timeline.notRead} error={wrong} retry={readHappened} />
        </div>
      )}
      {!happened.length && !values.length ? (
        wrong !== undefined || link.value !== "ok" ? null : past ? (
          <Empty icon={Activity} title={words.overview.still} hint={words.overview.stillHint} />
        ) : (
          <Empty icon={Activity} title={words.overview.quiet} hint={words.overview.quietHint} />
        )
      ) : (
        <div class="change-list scroll" onPointerEnter={() => hold(true)} onPointerLeave={() => hold(false)}>
          {happened.length > 0 && <h3 class="menu-title">{words.overview.happened}</h3>}
          {happened.map((h) => (
            <Row key={`${h.at} ${h.name} ${h.what}`} {...h} />
          ))}
          {values.length > 0 && <h3 class="menu-title">{words.overview.values}</h3>}
          {values.map((s) => (
            <Row
              key={s.key}
              time={s.time}
              name={labelOf(s.change.twin)}
              what={text(s.change)}
              run={() => select(s.change.twin)}
            />
          ))}
        </div>
      )}
    </Card>
  );
}
