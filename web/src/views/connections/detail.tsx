// SPDX-License-Identifier: Apache-2.0
// One connection: what it counts, what came through it last, what went wrong, and the ways to change it.
import { useEffect, useState } from "preact/hooks";
import { Inbox, Pause, Pencil, Play, ShieldCheck, Trash2 } from "lucide-preact";
import {
  deleteConnection,
  docOf,
  pauseConnection,
  readSamples,
  type Connection,
  type Samples,
} from "~/api/connections";
import { go, isLive, route } from "~/app/route";
import { Ago, Button, Card, Dialog, Empty, IconButton, Skeleton, Tabs, Wrong } from "~/ui/basic";
import { CodeEditor } from "~/ui/code";
import { jsonTokens } from "~/ui/json";
import { done, tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { kindOf } from "./fields";
import { Advice, StateChip } from "./state";

const w = words.connections;
type Show = "messages" | "errors" | "text";
const AGAIN_MS = 2000;

function SampleList({ name, which }: { name: string; which: "messages" | "errors" }) {
  const [s, set] = useState<Samples>();
  const [error, fail] = useState<unknown>();
  useEffect(() => {
    const abort = new AbortController();
    const read = () =>
      readSamples(name, which, abort.signal).then(
        (x) => (set(x), fail(undefined)),
        (e: unknown) => !abort.signal.aborted && fail(e),
      );
    void read();
    const timer = setInterval(() => document.visibilityState === "visible" && void read(), AGAIN_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [name, which]);
  if (error !== undefined && !s) return <Wrong error={error} />;
  if (!s) return <Skeleton lines={5} />;
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

function Delete({ c, close, changed }: { c: Connection; close: () => void; changed: () => void }) {
  const [busy, setBusy] = useState(false);
  const remove = async () => {
    setBusy(true);
    try {
      await deleteConnection(c.name);
      tell(w.deleted(c.name));
      changed();
      go({ params: { c: null, show: null } });
    } catch (e) {
      tellError(e);
    }
    setBusy(false);
    close();
  };
  return (
    <Dialog
      title={w.deleteTitle(c.name)}
      open
      close={close}
      footer={
        <>
          <Button onClick={close}>{words.cancel}</Button>
          <Button look="danger" icon={Trash2} busy={busy} onClick={() => void remove()}>
            {w.deleteIt(c.name)}
          </Button>
        </>
      }
    >
      <p>{w.deleteSure(c.name)}</p>
    </Dialog>
  );
}

export function Detail({ c, rate, changed }: { c: Connection; rate?: number; changed: () => void }) {
  const [deleting, setDeleting] = useState(false);
  const [busy, setBusy] = useState(false);
  const show = (route.value.params.show ?? "messages") as Show;
  const s = c.status;
  const paused = s.state === "paused";
  const pause = async (on: boolean) => {
    setBusy(true);
    try {
      await pauseConnection(c.name, on);
      changed();
      done(on ? w.isPaused(c.name) : w.isResumed(c.name), async () => {
        await pauseConnection(c.name, !on);
        changed();
      });
    } catch (e) {
      tellError(e);
    }
    setBusy(false);
  };
  const tiles: [string, string, boolean?][] = [
    [w.rate, rate === undefined ? "–" : format.number(rate) + w.perSecond],
    [w.messages, format.count(s.messages)],
    [w.accepted, format.count(s.accepted)],
    [w.rejected, format.count(s.rejected), s.rejected > 0],
    [w.errors, format.count(s.errors), s.errors > 0],
    [w.late, format.count(s.late)],
    [w.waiting, format.count(s.waiting)],
    [w.drops, format.count(s.drops), s.drops > 0],
    [w.commands, format.count(s.commands)],
  ];
  return (
    <>
      <Card bare class="conn-detail">
        <div class="conn-head">
          <div class="grow">
            <div class="row">
              <h2>{c.name}</h2>
              <StateChip state={s.state} trouble={s.trouble} />
            </div>
            <div class="small quiet">
              {[c.description, kindOf(c.kind)?.title ?? c.kind, c.url].filter(Boolean).join(" · ")}
            </div>
          </div>
          {isLive.value && (
            <div class="row">
              <Button icon={paused ? Play : Pause} busy={busy} onClick={() => void pause(!paused)}>
                {paused ? w.resume : w.pause}
              </Button>
              <Button icon={Pencil} onClick={() => go({ params: { edit: "1" } })}>
                {w.edit}
              </Button>
              <IconButton name={w.deleteIt(c.name)} icon={Trash2} onClick={() => setDeleting(true)} />
            </div>
          )}
        </div>
        <Advice trouble={s.trouble} />
        <div class="conn-tiles">
          {tiles.map(([title, n, bad]) => (
            <div key={title}>
              <div class="tiny quiet">{title}</div>
              <div class={bad ? "conn-figure wrong" : "conn-figure"}>{n}</div>
            </div>
          ))}
          <div>
            <div class="tiny quiet">{w.last}</div>
            <div class="conn-figure">{s.lastMessage ? <Ago time={s.lastMessage} /> : "–"}</div>
          </div>
        </div>
        <Tabs<Show>
          label={w.what}
          on={show}
          set={(t) => go({ params: { show: t === "messages" ? null : t }, replace: true })}
          tabs={[
            { id: "messages", title: w.messages },
            { id: "errors", title: s.errors ? w.errorsN(format.count(s.errors)) : w.errors },
            { id: "text", title: w.text },
          ]}
        />
        <div class="conn-samples">
          {show === "text" ? (
            <CodeEditor
              id="conn-doc"
              label={w.text}
              value={JSON.stringify(docOf(c), null, 2)}
              readOnly
              tokens={jsonTokens}
            />
          ) : (
            <SampleList key={show} name={c.name} which={show} />
          )}
        </div>
      </Card>
      {deleting && <Delete c={c} close={() => setDeleting(false)} changed={changed} />}
    </>
  );
}
