// SPDX-License-Identifier: Apache-2.0
// One endpoint: what it delivers and what it could not, its routes, and the ways to try and change it.
import { useState } from "preact/hooks";
import { Send } from "lucide-preact";
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
import { Button, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { DeadLetters } from "./deadletters";
import { endKindOf } from "./endfields";
import { Routes } from "./routes";
import { Told, type Tile } from "./told";

const w = words.connections;
function Tried({ result }: { result: Delivered | undefined }) {
  if (!result) return null;
  return (
    <div class={result.delivered ? "notice" : "notice bad"} role="status">
      {result.delivered ? w.testWent(result.status) : w.testFailed(result.trouble || String(result.status))}
    </div>
  );
}

export function EndpointDetail({ e, routes, changed }: { e: Endpoint; routes: EventRoute[]; changed: () => void }) {
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState<Delivered>();
  const [error, fail] = useState<unknown>();
  const s = e.status;
  const test = async () => {
    setBusy(true);
    setResult(undefined);
    fail(undefined);
    await testEndpoint(e.name).then(setResult, fail);
    setBusy(false);
  };
  const end = async () => {
    for (const r of routes) await deleteRoute(r.id); // the server keeps endpoints to which some lead
    await deleteEndpoint(e.name);
    changed();
  };
  const tiles: Tile[] = [
    [w.delivered, format.count(s.delivered)],
    [w.failed, format.count(s.failed), s.failed > 0],
    [w.retried, format.count(s.retries ?? 0)],
    [w.dead, format.count(s.deadLetters), s.deadLetters > 0],
    [w.behind, format.count(s.lag)],
    [w.gaps, format.count(s.gaps ?? 0), (s.gaps ?? 0) > 0],
  ];
  return (
    <Told
      name={e.name}
      status={s}
      about={[e.description, endKindOf(e.kind)?.title ?? e.kind, e.url ?? e.connection]}
      tiles={tiles}
      last={s.lastDelivery}
      tabs={[
        { id: "routes", title: w.routes },
        { id: "letters", title: s.deadLetters ? w.deadN(format.count(s.deadLetters)) : w.dead },
      ]}
      of={(show) =>
        show === "letters" ? (
          <DeadLetters key={s.deadLetters} name={e.name} changed={changed} />
        ) : (
          <Routes endpoint={e.name} routes={routes} changed={changed} />
        )
      }
      document={docOf(e)}
      pause={(on) => putEndpoint(e.name, { ...docOf(e), paused: on }, false).then(changed)}
      end={{
        title: w.endDeleteTitle(e.name),
        sure: w.endDeleteSure(e.name, routes.length, s.deadLetters),
        run: end,
        leave: { e: null },
      }}
      actions={
        <Button icon={Send} busy={busy} onClick={() => void test()}>
          {w.test}
        </Button>
      }
    >
      <Tried result={result} />
      {error !== undefined && <Wrong error={error} />}
      {s.state === "idle" && !routes.length && <div class="notice attention">{w.idleHint}</div>}
    </Told>
  );
}
