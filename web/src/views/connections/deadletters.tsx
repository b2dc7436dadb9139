// SPDX-License-Identifier: Apache-2.0
// Events that could not be delivered: looked at, sent once more, or forgotten.
import { useEffect, useState } from "preact/hooks";
import { RotateCw, ShieldCheck, Trash2 } from "lucide-preact";
import { forgetDeadLetters, readDeadLetters, replayDeadLetters, type DeadLetter } from "~/api/connections";
import { isLive } from "~/app/route";
import { Button, Dialog, Empty, Skeleton, Wrong } from "~/ui/basic";
import { tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.connections;

export function DeadLetters({ name, changed }: { name: string; changed: () => void }) {
  const [list, set] = useState<DeadLetter[]>();
  const [error, fail] = useState<unknown>();
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const [again, turn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    readDeadLetters(name, abort.signal).then(
      (a) => set(a.value),
      (e: unknown) => !abort.signal.aborted && fail(e),
    );
    return () => abort.abort();
  }, [name, again]);
  const act = async (what: () => Promise<unknown>, told: string) => {
    setBusy(true);
    await what().then(() => tell(told), tellError);
    setBusy(false);
    setSure(false);
    turn((n) => n + 1);
    changed();
  };
  if (error !== undefined && !list) return <Wrong error={error} retry={() => turn((n) => n + 1)} />;
  if (!list) return <Skeleton lines={4} />;
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
