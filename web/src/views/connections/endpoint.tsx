// SPDX-License-Identifier: Apache-2.0
// One endpoint: what it delivers and what it could not, its routes, and the ways to try and change it.
import { useState } from "preact/hooks";
import { Pause, Pencil, Play, Send, Trash2 } from "lucide-preact";
import {
  deleteEndpoint,
  deleteRoute,
  docOf,
  putEndpoint,
  testEndpoint,
  type Delivered,
  type Endpoint,
  type EventRoute,
} from "~/api/connections";
import { go, isLive, route } from "~/app/route";
import { Ago, Button, Card, Dialog, IconButton, Tabs, Wrong } from "~/ui/basic";
import { CodeEditor } from "~/ui/code";
import { jsonTokens } from "~/ui/json";
import { done, tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { DeadLetters } from "./deadletters";
import { endKindOf } from "./endfields";
import { Routes } from "./routes";
import { Advice, StateChip } from "./state";

const w = words.connections;
type Show = "routes" | "letters" | "text";

interface Ending {
  e: Endpoint;
  routes: readonly EventRoute[];
  close: () => void;
  changed: () => void;
}

function Delete({ e, routes, close, changed }: Ending) {
  const [busy, setBusy] = useState(false);
  const remove = async () => {
    setBusy(true);
    try {
      for (const r of routes) await deleteRoute(r.id); // the server keeps endpoints to which some lead
      await deleteEndpoint(e.name);
      tell(w.deleted(e.name));
      changed();
      go({ params: { e: null, show: null } });
    } catch (err) {
      tellError(err);
    }
    setBusy(false);
    close();
  };
  return (
    <Dialog
      title={w.endDeleteTitle(e.name)}
      open
      close={close}
      footer={
        <>
          <Button onClick={close}>{words.cancel}</Button>
          <Button look="danger" icon={Trash2} busy={busy} onClick={() => void remove()}>
            {w.deleteIt(e.name)}
          </Button>
        </>
      }
    >
      <p>{w.endDeleteSure(e.name, routes.length, e.status.deadLetters)}</p>
    </Dialog>
  );
}

function Tried({ result }: { result: Delivered | undefined }) {
  if (!result) return null;
  return (
    <div class={result.delivered ? "notice" : "notice bad"} role="status">
      {result.delivered ? w.testWent(result.status) : w.testFailed(result.trouble || String(result.status))}
    </div>
  );
}

export function EndpointDetail({ e, routes, changed }: { e: Endpoint; routes: EventRoute[]; changed: () => void }) {
  const [deleting, setDeleting] = useState(false);
  const [busy, setBusy] = useState("");
  const [result, setResult] = useState<Delivered>();
  const [error, fail] = useState<unknown>();
  const show = (route.value.params.show ?? "routes") as Show;
  const s = e.status;
  const paused = s.state === "paused";
  const may = isLive.value;
  const pause = async (on: boolean) => {
    const put = (p: boolean) => putEndpoint(e.name, { ...docOf(e), paused: p }, false).then(changed);
    setBusy("pause");
    await put(on).then(() => done(on ? w.isPaused(e.name) : w.isResumed(e.name), () => put(!on)), tellError);
    setBusy("");
  };
  const test = async () => {
    setBusy("test");
    setResult(undefined);
    fail(undefined);
    await testEndpoint(e.name).then(setResult, fail);
    setBusy("");
  };
  const tiles: [string, string, boolean?][] = [
    [w.delivered, format.count(s.delivered)],
    [w.failed, format.count(s.failed), s.failed > 0],
    [w.retried, format.count(s.retries ?? 0)],
    [w.dead, format.count(s.deadLetters), s.deadLetters > 0],
    [w.behind, format.count(s.lag)],
    [w.gaps, format.count(s.gaps ?? 0), (s.gaps ?? 0) > 0],
  ];
  return (
    <>
      <Card bare class="conn-detail">
        <div class="conn-head">
          <div class="grow">
            <div class="row">
              <h2>{e.name}</h2>
              <StateChip state={s.state} trouble={s.trouble} />
            </div>
            <div class="small quiet">
              {[e.description, endKindOf(e.kind)?.title ?? e.kind, e.url ?? e.connection].filter(Boolean).join(" · ")}
            </div>
          </div>
          {may && (
            <div class="row">
              <Button icon={Send} busy={busy === "test"} onClick={() => void test()}>
                {w.test}
              </Button>
              <Button icon={paused ? Play : Pause} busy={busy === "pause"} onClick={() => void pause(!paused)}>
                {paused ? w.resume : w.pause}
              </Button>
              <Button icon={Pencil} onClick={() => go({ params: { edit: "1" } })}>
                {w.edit}
              </Button>
              <IconButton name={w.deleteIt(e.name)} icon={Trash2} onClick={() => setDeleting(true)} />
            </div>
          )}
        </div>
        <Tried result={result} />
        {error !== undefined && <Wrong error={error} />}
        <Advice trouble={s.trouble} />
        {s.state === "idle" && !routes.length && <div class="notice attention">{w.idleHint}</div>}
        <div class="conn-tiles">
          {tiles.map(([title, n, bad]) => (
            <div key={title}>
              <div class="tiny quiet">{title}</div>
              <div class={bad ? "conn-figure wrong" : "conn-figure"}>{n}</div>
            </div>
          ))}
          <div>
            <div class="tiny quiet">{w.last}</div>
            <div class="conn-figure">{s.lastDelivery ? <Ago time={s.lastDelivery} /> : "–"}</div>
          </div>
        </div>
        <Tabs<Show>
          label={w.what}
          on={show}
          set={(t) => go({ params: { show: t === "routes" ? null : t }, replace: true })}
          tabs={[
            { id: "routes", title: w.routes },
            { id: "letters", title: s.deadLetters ? w.deadN(format.count(s.deadLetters)) : w.dead },
            { id: "text", title: w.text },
          ]}
        />
        <div class="conn-samples">
          {show === "text" ? (
            <CodeEditor
              id="end-doc"
              label={w.text}
              value={JSON.stringify(docOf(e), null, 2)}
              readOnly
              tokens={jsonTokens}
            />
          ) : show === "letters" ? (
            <DeadLetters key={s.deadLetters} name={e.name} changed={changed} />
          ) : (
            <Routes endpoint={e.name} routes={routes} changed={changed} />
          )}
        </div>
      </Card>
      {deleting && <Delete e={e} routes={routes} close={() => setDeleting(false)} changed={changed} />}
    </>
  );
}
