// SPDX-License-Identifier: Apache-2.0
// The routes that lead to an endpoint: which events go there, as a condition with its mistakes under the word.
import { useEffect, useState } from "preact/hooks";
import { Pencil, Plus, Route, Save, Trash2 } from "lucide-preact";
import { ApiError } from "~/api/client";
import { deleteRoute, putRoute, type EventRoute } from "~/api/connections";
import { models } from "~/api/models";
import { isLive } from "~/app/route";
import { Button, Empty, IconButton, Wrong } from "~/ui/basic";
import { CodeEditor, type Mistake } from "~/ui/code";
import { NameField, useName } from "~/ui/name";
import { done, tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import { lex, wordAt } from "~/views/ask/language";
import { completeFilter } from "./filter";

const w = words.connections;

/** "… column 10: expected an operator" under its word. */
function mistakesOf(e: unknown, text: string): Mistake[] {
  const m = e instanceof ApiError ? /column (\d+): ([\s\S]+)$/.exec(e.message) : null;
  if (!m) return [];
  const at = [...text].slice(0, Number(m[1]) - 1).join("").length;
  return [{ ...wordAt(text, at), message: m[2]!.charAt(0).toUpperCase() + m[2]!.slice(1) }];
}

const quote = (s: string) => `'${s.replaceAll(/['\\]/g, "\\$&")}'`;

/** Conditions that are asked for often, with a model that is there. */
function samples(): { title: string; filter: string }[] {
  const some = [...models.value.values()].find((m) => m.properties.some((p) => p.type === "number"));
  const id = quote(some?.id ?? "dtmi:example:Room;1");
  return [
    { title: w.filters.all, filter: "true" },
    {
      title: w.filters.lives,
      filter: "type IN ['Microsoft.DigitalTwins.Twin.Create', 'Microsoft.DigitalTwins.Twin.Delete']",
    },
    { title: w.filters.model, filter: `type = 'Microsoft.DigitalTwins.Twin.Update' AND $body.modelId = ${id}` },
    { title: w.filters.named, filter: "STARTS_WITH(subject, 'pump')" },
    { title: w.filters.links, filter: "CONTAINS(type, 'Relationship')" },
    { title: w.filters.telemetry, filter: "type = 'microsoft.iot.telemetry' AND $body.temperature > 30" },
  ];
}

function Form({ endpoint, old, close, changed }: FormProps) {
  const naming = useName(old?.id);
  const [filter, setFilter] = useState(old?.filter ?? "true");
  const [error, fail] = useState<unknown>();
  const [asked, setAsked] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => fail(undefined), [filter]);
  const mistakes = asked === filter ? mistakesOf(error, filter) : [];
  const save = async () => {
    const id = naming.ask();
    if (!id) return;
    setBusy(true);
    fail(undefined);
    setAsked(filter);
    try {
      await putRoute({ id, endpointName: endpoint, filter: filter.trim() || "true" });
      if (old) done(w.routeChanged(old.id), () => putRoute(old).then(changed));
      else tell(w.routeMade(id));
      changed();
      close();
    } catch (e) {
      fail(e);
    }
    setBusy(false);
  };
  return (
    <form
      class="conn-route-form column"
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <NameField id="route-id" label={w.routeName} help={w.nameHelp} of={naming} fixed={old !== undefined} />
      <div class="field">
        <span class="small strong">{w.filter}</span>
        <CodeEditor
          id="route-filter"
          label={w.filter}
          value={filter}
          set={setFilter}
          tokens={lex}
          mistakes={mistakes}
          complete={completeFilter}
          run={() => void save()}
          rows={2}
        />
        <div class="help">{w.filterHelp}</div>
      </div>
      <div class="row conn-samples-of" role="group" aria-label={w.filterSamples}>
        {samples().map((s) => (
          <button key={s.title} type="button" class="chip" title={s.filter} onClick={() => setFilter(s.filter)}>
            {s.title}
          </button>
        ))}
      </div>
      {error !== undefined && !mistakes.length && <Wrong error={error} />}
      <div class="row">
        <Button look="primary" type="submit" icon={Save} busy={busy}>
          {old ? w.routeStore : w.routeCreate}
        </Button>
        <Button onClick={close}>{words.cancel}</Button>
      </div>
    </form>
  );
}

interface FormProps {
  endpoint: string;
  old?: EventRoute;
  close: () => void;
  changed: () => void;
}

export function Routes(p: { endpoint: string; routes: readonly EventRoute[]; changed: () => void }) {
  const [editing, edit] = useState<string | null>(p.routes.length ? null : "");
  const may = isLive.value;
  const remove = (r: EventRoute) =>
    deleteRoute(r.id).then(() => {
      done(w.routeDeleted(r.id), () => putRoute(r).then(p.changed));
      p.changed();
    }, tellError);
  const form = (old?: EventRoute) => (
    <Form key={old?.id ?? ""} endpoint={p.endpoint} old={old} close={() => edit(null)} changed={p.changed} />
  );
  return (
    <div class="column">
      {!p.routes.length && editing === null && <Empty icon={Route} title={w.noRoutes} hint={w.idleHint} />}
      {p.routes.map((r) =>
        editing === r.id ? (
          form(r)
        ) : (
          <div key={r.id} class="row conn-route-line">
            <span class="strong">{r.id}</span>
            <span class="grow small">
              {r.filter === "true" ? <span class="quiet">{w.allEvents}</span> : <code>{r.filter}</code>}
            </span>
            {may && (
              <>
                <IconButton name={w.routeEdit(r.id)} icon={Pencil} onClick={() => edit(r.id)} />
                <IconButton name={w.deleteIt(r.id)} icon={Trash2} onClick={() => void remove(r)} />
              </>
            )}
          </div>
        ),
      )}
      {may &&
        (editing === "" ? (
          form()
        ) : (
          <div>
            <Button icon={Plus} onClick={() => edit("")}>
              {w.routeNew}
            </Button>
          </div>
        ))}
    </div>
  );
}
