// SPDX-License-Identifier: Apache-2.0
// One connection: what it counts, what came through it last, what went wrong, and the ways to change it.
import { Inbox, ShieldCheck } from "lucide-preact";
import {
  deleteConnection,
  docOf,
  pauseConnection,
  readSamples,
  type Connection,
  type Samples,
} from "~/api/connections";
import { Empty } from "~/ui/basic";
import { Read, useFetched } from "~/ui/read";
import { words } from "~/words/en";
import * as format from "~/format";
import { kindOf } from "./fields";
import { Told, type Tile } from "./told";

const w = words.connections;
const AGAIN_MS = 2000;

function SampleList({ name, which }: { name: string; which: "messages" | "errors" }) {
  const read = useFetched(`${name} ${which}`, (signal) => readSamples(name, which, signal), { every: AGAIN_MS });
  return (
    <Read of={read} lines={5}>
      {(s) => <List s={s} which={which} />}
    </Read>
  );
}

function List({ s, which }: { s: Samples; which: "messages" | "errors" }) {
  if (!s.value.length)
    return which === "errors" ? (
      <Empty icon={ShieldCheck} title={w.noErrors} hint={w.noErrorsHint} />
    ) : (
      <Empty icon={Inbox} title={w.noMessages} hint={w.noMessagesHint} />
    );
  return (
    <>
      <div class="small quiet conn-count">{w.newest(format.count(s.value.length), format.count(s.count))}</div>
      {s.value.map((m, i) => (
        <article key={m.time + i} class="conn-message">
          <div class="row">
            <code class="small strong grow">{m.topic}</code>
            <time class="tiny quiet" title={format.exactTime(m.time)}>
              {format.time(m.time)}
            </time>
          </div>
          <pre class="tiny">{m.payload}</pre>
          {m.error && <div class="small wrong">{m.error}</div>}
        </article>
      ))}
    </>
  );
}

export function Detail({ c, rate, changed }: { c: Connection; rate?: number; changed: () => void }) {
  const s = c.status;
  // That kind only carries commands: what devices send does not pass it, and no zero may say that nothing came.
  const brings = c.kind !== "http" || s.messages > 0 || s.accepted > 0;
  const passed: Tile[] = [
    [w.rate, rate === undefined ? "–" : format.number(rate) + w.perSecond],
    [w.messages, format.count(s.messages)],
    [w.accepted, format.count(s.accepted)],
    [w.rejected, format.count(s.rejected), s.rejected > 0],
    [w.late, format.count(s.late)],
    [w.waiting, format.count(s.waiting)],
    [w.drops, format.count(s.drops), s.drops > 0],
  ];
  const tiles: Tile[] = [
    ...(brings ? passed : []),
    [w.errors, format.count(s.errors), s.errors > 0],
    [w.commands, format.count(s.commands)],
  ];
  return (
    <Told
      name={c.name}
      status={s}
      about={[c.description, kindOf(c.kind)?.title ?? c.kind, c.url]}
      tiles={tiles}
      last={brings ? s.lastMessage : undefined}
      tabs={[
        { id: "messages", title: w.messages },
        { id: "errors", title: s.errors ? w.errorsN(format.count(s.errors)) : w.errors },
      ]}
      of={(show) =>
        show === "errors" || brings ? (
          <SampleList key={show} name={c.name} which={show === "errors" ? "errors" : "messages"} />
        ) : (
          <Empty icon={Inbox} title={w.onlyCommandsTitle} hint={w.onlyCommandsHint} />
        )
      }
      document={docOf(c)}
      pause={(on) => pauseConnection(c.name, on).then(changed)}
      end={{
        title: w.deleteTitle(c.name),
        sure: w.deleteSure(c.name),
        run: () => deleteConnection(c.name).then(changed),
        leave: { c: null },
      }}
    />
  );
}
