// SPDX-License-Identifier: Apache-2.0
// One model: what it is, what it extends, who extends and uses it, its twins, and the ways to end it.
import { useState } from "preact/hooks";
import { Archive, ArchiveRestore, Boxes, Code, Copy, Trash2 } from "lucide-preact";
import { reload } from "~/api/catalogue";
import { api } from "~/api/client";
import { models, type Model } from "~/api/models";
import { go, hrefOf, moves, route, worldName } from "~/app/route";
import { Ago, Button, Card, Chip, Dialog, Icon, IconButton, Tabs, Wrong } from "~/ui/basic";
import { CodeEditor } from "~/ui/code";
import { jsonTokens } from "~/ui/json";
import { copyText } from "~/ui/chart/export";
import { done, tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { Contents, ModelLink } from "./contents";
import { Diagram } from "./diagram";
import { Moves } from "./moves";
import { counts, extendedBy, twinsOf, usesOf } from "./tree";

async function decommission(m: Model, off: boolean): Promise<void> {
  await api.patch(`/models/${encodeURIComponent(m.id)}`, [{ op: "replace", path: "/decommissioned", value: off }], {
    world: worldName.peek(),
  });
  reload();
}

const set = (m: Model, off: boolean) =>
  decommission(m, off).then(
    () => done(off ? words.models.isOff(m.name) : words.models.isOn(m.name), () => decommission(m, !off)),
    tellError,
  );

function Delete({ m, close }: { m: Model; close: () => void }) {
  const [error, fail] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const n = counts.value.get(m.id) ?? 0;
  const parts = usesOf(m.id).filter((u) => u.how === "component");
  const needs = [...new Set([...extendedBy(m.id), ...parts.map((u) => u.by)].map((x) => x.name))];
  const remove = async () => {
    setBusy(true);
    try {
      await api.delete(`/models/${encodeURIComponent(m.id)}`, { world: worldName.peek() });
      tell(words.models.deleted(m.name));
      reload();
      close();
      go({ params: { m: m.bases[0] ?? null } });
    } catch (e) {
      fail(e);
    }
    setBusy(false);
  };
  return (
    <Dialog
      title={words.models.deleteTitle(m.name)}
      open
      close={close}
      footer={
        <>
          <Button onClick={close}>{words.cancel}</Button>
          <Button look="danger" icon={Trash2} busy={busy} onClick={() => void remove()}>
            {words.models.deleteIt(m.name)}
          </Button>
        </>
      }
    >
      <div class="column">
        <p>{words.models.deleteSure(m.id)}</p>
        {needs.length > 0 && <div class="notice attention">{words.models.deleteNeeded(needs.join(", "))}</div>}
        {n > 0 && <div class="notice attention">{words.models.deleteTwins(format.count(n), n)}</div>}
        {error !== undefined && <Wrong error={error} />}
      </div>
    </Dialog>
  );
}

function Relatives({ m }: { m: Model }) {
  const below = extendedBy(m.id);
  const uses = usesOf(m.id);
  const line = (title: string, list: preact.ComponentChildren) => (
    <div class="model-relatives">
      <span class="small quiet">{title}</span>
      <span class="row model-links">{list}</span>
    </div>
  );
  return (
    <>
      {m.bases.length > 0 &&
        line(
          words.models.extends,
          m.bases.map((b) => <ModelLink key={b} id={b} />),
        )}
      {below.length > 0 &&
        line(
          words.models.extendedBy,
          below.map((b) => <ModelLink key={b.id} id={b.id} />),
        )}
      {uses.length > 0 &&
        line(
          words.models.usedBy,
          uses.map((u) => (
            <span key={u.by.id + u.name} class="small">
              <ModelLink id={u.by.id} />{" "}
              <span class="quiet">
                {u.how === "component" ? words.models.asPart(u.name) : words.models.asTarget(u.name)}
              </span>
            </span>
          )),
        )}
    </>
  );
}

type Show = "contents" | "links" | "moves" | "text";
const SHOWN: readonly Show[] = ["contents", "links", "moves", "text"];

export function Detail({ id }: { id: string }) {
  const m = models.value.get(id);
  const [deleting, setDeleting] = useState(false);
  const tab = SHOWN.find((s) => s === route.value.params.show) ?? "contents";
  if (!m) return <Wrong error={new Error(words.models.gone(id))} />;
  const n = twinsOf(m.id);
  const text = JSON.stringify(m.data.model, null, 2);
  const query = `SELECT * FROM DIGITALTWINS WHERE IS_OF_MODEL('${m.id}')`;
  return (
    <Card bare class="model-card">
      <div class="model-head">
        <div class="grow">
          <div class="row model-title">
            <h2>{m.name}</h2>
            {m.data.decommissioned && <Chip tone="attention">{words.models.decommissioned}</Chip>}
          </div>
          <div class="row">
            <code class="small quiet ellipsis">{m.id}</code>
            <IconButton
              name={words.models.copyId}
              icon={Copy}
              onClick={() => void copyText(m.id).then(() => tell(words.copied), tellError)}
            />
          </div>
        </div>
        {moves.value && (
          <div class="row model-actions">
            <Button
              icon={m.data.decommissioned ? ArchiveRestore : Archive}
              title={words.models.decommissionHint}
              onClick={() => void set(m, !m.data.decommissioned)}
            >
              {m.data.decommissioned ? words.models.recommission : words.models.decommission}
            </Button>
            <IconButton name={words.models.deleteIt(m.name)} icon={Trash2} onClick={() => setDeleting(true)} />
          </div>
        )}
      </div>
      <div class="model-facts">
        {m.about && <p>{m.about}</p>}
        {m.data.decommissioned && <div class="notice attention">{words.models.offMeans(format.count(n), n)}</div>}
        <div class="row model-links">
          <a class="button" href={hrefOf({ view: "ask", params: { q: query } })}>
            <Icon of={Boxes} /> {words.models.twins(format.count(n), n)}
          </a>
          <span class="small quiet">
            {words.models.uploaded} <Ago time={m.data.uploadTime} />
          </span>
        </div>
        <Relatives m={m} />
      </div>
      <Tabs
        label={words.models.show}
        on={tab}
        set={(t) => go({ params: { show: t === "contents" ? null : t }, replace: true })}
        tabs={[
          { id: "contents", title: words.models.contents },
          { id: "links", title: words.models.diagram },
          { id: "moves", title: words.definitions.behaviour.title },
          { id: "text", title: words.models.text },
        ]}
      />
      {tab === "contents" ? (
        <Contents m={m} />
      ) : tab === "links" ? (
        <Diagram key={m.id} m={m} />
      ) : tab === "moves" ? (
        <Moves m={m} />
      ) : (
        <div class="model-text">
          <div class="row">
            <span class="grow" />
            <Button icon={Copy} onClick={() => void copyText(text).then(() => tell(words.copied), tellError)}>
              {words.copy}
            </Button>
            {moves.value && (
              <Button icon={Code} onClick={() => go({ params: { new: m.id } })}>
                {words.models.newVersion}
              </Button>
            )}
          </div>
          <CodeEditor id="model-text" label={words.models.text} value={text} readOnly tokens={jsonTokens} />
        </div>
      )}
      {deleting && <Delete m={m} close={() => setDeleting(false)} />}
    </Card>
  );
}
