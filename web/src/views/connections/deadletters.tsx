// SPDX-License-Identifier: Apache-2.0
// Events that could not be delivered: looked at, sent once more, or forgotten.
import { useState } from "preact/hooks";
import { RotateCw, ShieldCheck, Trash2 } from "lucide-preact";
import { forgetDeadLetters, readDeadLetters, replayDeadLetters, type DeadLetter } from "~/api/connections";
import { isLive } from "~/app/route";
import { Button, Dialog, Empty } from "~/ui/basic";
import { Read, useFetched } from "~/ui/read";
import { tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.connections;

export function DeadLetters({ name, changed }: { name: string; changed: () => void }) {
  const read = useFetched(name, (signal) => readDeadLetters(name, signal));
  return (
    <Read of={read}>
      {(page) => <Letters name={name} list={page.value} changed={() => (read.again(), changed())} />}
    </Read>
  );
}

function Letters({ name, list, changed }: { name: string; list: readonly DeadLetter[]; changed: () => void }) {
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const act = async (what: () => Promise<unknown>, told: string) => {
    setBusy(true);
    await what().then(() => tell(told), tellError);
    setBusy(false);
    setSure(false);
    changed();
  };
  if (!list.length) return <Empty icon={ShieldCheck} title={w.noDead} hint={w.noDeadHint} />;
  return (
    <>
      {isLive.value && (
        <div class="row conn-count">
          <span class="grow small quiet">{w.deadHint}</span>
          <Button icon={RotateCw} busy={busy} onClick={() => void act(() => replayDeadLetters(name), w.replayed)}>
            {w.replay}
          </Button>
          <Button icon={Trash2} onClick={() => setSure(true)}>
            {w.forget}
          </Button>
        </div>
      )}
      {list.map((d) => (
        <article key={d.id} class="conn-message">
          <div class="row">
            <code class="small strong grow">{String(d.event.type ?? "")}</code>
            <time class="tiny quiet" title={format.exactTime(d.time)}>
              {format.time(d.time)}
            </time>
          </div>
          <pre class="tiny">{JSON.stringify(d.event, null, 1)}</pre>
          <div class="small wrong">{w.deadWhy(d.error, d.attempts, d.route)}</div>
        </article>
      ))}
      {sure && (
        <Dialog
          title={w.forgetTitle(format.count(list.length))}
          open
          close={() => setSure(false)}
          footer={
            <>
              <Button onClick={() => setSure(false)}>{words.cancel}</Button>
              <Button look="danger" busy={busy} onClick={() => void act(() => forgetDeadLetters(name), w.forgotten)}>
                {w.forget}
              </Button>
            </>
          }
        >
          <p>{w.forgetSure(name)}</p>
        </Dialog>
      )}
    </>
  );
}
