// SPDX-License-Identifier: Apache-2.0
// The page of a twin: values, charts of several properties, links, commands; without a selection the list of all.
import { Boxes } from "lucide-preact";
import { useState } from "preact/hooks";
import { entries, reading, readError, search } from "~/api/catalogue";
import { modelName } from "~/api/models";
import { useTwin } from "~/api/twin";
import { go, hrefOf, route, select, selected } from "~/app/route";
import { Card, Chip, Empty, Skeleton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { Charts } from "./charts";
import { Commands } from "./commands";
import { Links } from "./links";
import { PropertyList } from "./properties";

const ROWS = 200;

function List() {
  const [text, set] = useState(route.value.params.find ?? "");
  const found = text ? search(text, ROWS) : entries.value.slice(0, ROWS);
  if (reading.value) return <Skeleton lines={10} />;
  if (readError.value) return <Wrong error={new Error(readError.value)} />;
  if (!entries.value.length) return <Empty icon={Boxes} title={words.twin.none} hint={words.twin.noneHint} />;
  return (
    <>
      <div class="page-head">
        <h1>{words.views.twins}</h1>
        <span class="quiet">{words.twin.of(format.count(entries.value.length))}</span>
      </div>
      <input
        class="input"
        style={{ marginBottom: 16 }}
        placeholder={words.search}
        aria-label={words.search}
        value={text}
        onInput={(e) => {
          set(e.currentTarget.value);
          go({ params: { find: e.currentTarget.value }, replace: true });
        }}
      />
      <Card bare>
        <table class="table">
          <thead>
            <tr>
              <th>{words.twin.name}</th>
              <th>{words.twin.id}</th>
              <th>{words.twin.model}</th>
            </tr>
          </thead>
          <tbody>
            {found.map((e) => (
              <tr key={e.id}>
                <td>
                  <a href={hrefOf({ params: { sel: e.id, find: null } })}>{e.label}</a>
                </td>
                <td>
                  <code class="small quiet">{e.id}</code>
                </td>
                <td>{modelName(e.model)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {!found.length && <Empty title={words.nothingFound(text)} />}
      </Card>
    </>
  );
}

function Page({ id }: { id: string }) {
  const live = useTwin(id);
  const t = live.twin;
  if (live.gone) {
    return (
      <Empty title={words.inspector.gone(id)} hint={words.inspector.goneHint}>
        <a class="button" href={hrefOf({ params: { sel: null } })}>
          {words.twin.pick}
        </a>
      </Empty>
    );
  }
  if (live.error && !t) return <Wrong error={new Error(live.error)} />;
  if (!t) return <Skeleton lines={10} />;
  return (
    <>
      <div class="page-head">
        <div class="grow">
          <a class="small" href={hrefOf({ params: { sel: null, p: null } })} onClick={() => select("")}>
            {words.views.twins}
          </a>
          <h1>{(t.label as string) || id}</h1>
          <div class="row small quiet">
            <span>{modelName(t.$metadata.$model)}</span>
            <code class="tiny">{id}</code>
            {typeof t.state === "string" && <Chip tone={t.state === "running" ? "ok" : ""}>{t.state}</Chip>}
            {typeof t.fault === "string" && t.fault !== "" && <Chip tone="bad">{t.fault}</Chip>}
          </div>
        </div>
      </div>
      <div class="twin-grid">
        <Card title={words.inspector.properties} bare>
          <PropertyList twin={t} />
        </Card>
        <div class="column" style={{ gap: 16 }}>
          <Charts twin={t} />
          <Card title={words.inspector.links} bare>
            <Links id={id} />
          </Card>
          <Card title={words.inspector.commands} bare>
            <Commands twin={t} />
          </Card>
        </div>
      </div>
    </>
  );
}

export default function Twin() {
  const id = selected.value;
  return (
    <div class="view page">
      <div class="page-inner">{id ? <Page key={id} id={id} /> : <List />}</div>
    </div>
  );
}
