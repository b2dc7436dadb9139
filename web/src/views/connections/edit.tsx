// SPDX-License-Identifier: Apache-2.0
// Make or change a connection: the form of its kind or its text, with what comes through it beside.
import { useMemo, useState } from "preact/hooks";
import { Save } from "lucide-preact";
import { wordsOf } from "~/api/client";
import { docOf, putConnection, type Connection, type Doc, type Endpoint } from "~/api/connections";
import { go, hrefOf } from "~/app/route";
import { Button, Card, Icon, Tabs, TextField, Wrong } from "~/ui/basic";
import { CodeEditor, type Mistake } from "~/ui/code";
import { jsonPlaces, jsonTokens } from "~/ui/json";
import { NameField, useName } from "~/ui/name";
import { tell } from "~/ui/toast";
import { words } from "~/words/en";
import { kindOf, KINDS, setAt, type KindOf } from "./fields";
import { Form, wrongOf } from "./form";
import { Preview } from "./preview";
import { Teach } from "./teach";

const print = (d: Doc) => JSON.stringify(d, null, 2);

/** Where in the text the member is that the server complains about. */
function mistakesOf(text: string, message: string): Mistake[] {
  const wrong = wrongOf(message);
  let at = jsonPlaces(text);
  if (!wrong || !at) return [];
  let found: { from: number; to: number } | null = null;
  for (const part of wrong.path.split(/[.[\]]+/).filter(Boolean)) {
    const m: { from: number; to: number; node: NonNullable<typeof at> } | undefined = at.members?.get(part);
    const item: NonNullable<typeof at> | undefined = at.items?.[Number(part)];
    if (m) [found, at] = [{ from: m.from, to: m.to }, m.node];
    else if (item) [found, at] = [{ from: item.from, to: item.from + 1 }, item];
    else break;
  }
  return [found ? { ...found, message: wrong.message } : { from: 0, to: 1, message }];
}

export function Kinds({ of = KINDS, prefix = "" }: { of?: readonly KindOf[]; prefix?: string }) {
  return (
    <div class="conn-kinds">
      {of.map((k) => (
        <a key={k.id} class="card conn-kind" href={hrefOf({ params: { new: prefix + k.id } })}>
          <Icon of={k.icon} size={22} />
          <span class="strong">{k.title}</span>
          <span class="small quiet">{k.about}</span>
        </a>
      ))}
    </div>
  );
}

/** What is made or changed: a connection, or an endpoint. */
export interface Way {
  kindOf(id: string): KindOf | undefined;
  put(name: string, doc: Doc, fresh: boolean): Promise<unknown>;
  to(name: string): Record<string, string | null>; // the address once it is saved
}

export const connectionWay: Way = {
  kindOf,
  put: putConnection,
  to: (name) => ({ c: name, new: null, edit: null }),
};

export function Edit({
  kind: id,
  old,
  saved,
  way = connectionWay,
}: {
  kind: string;
  old?: Connection | Endpoint;
  saved: () => void;
  way?: Way;
}) {
  const kind = way.kindOf(id);
  const start = useMemo<Doc>(() => (old ? docOf(old) : (kind?.start ?? { kind: id })), [old?.name, id]);
  const naming = useName(old?.name);
  const [doc, setDoc] = useState<Doc>(start);
  const [text, setText] = useState<string | null>(kind ? null : print(start));
  const [error, fail] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const complaint = error === undefined ? "" : wordsOf(error);
  const mistakes = useMemo(() => (text !== null && complaint ? mistakesOf(text, complaint) : []), [text, complaint]);
  const write = (t: string) => {
    setText(t);
    fail(undefined);
    try {
      const d = JSON.parse(t) as Doc;
      if (d && typeof d === "object" && !Array.isArray(d)) setDoc(d);
    } catch {
      // not yet: it is told when it is to be saved
    }
  };
  const save = async (e?: Event) => {
    e?.preventDefault();
    const name = naming.ask();
    if (!name) return;
    setBusy(true);
    fail(undefined);
    try {
      const last = text === null ? doc : (JSON.parse(text) as Doc);
      await way.put(name, last, !old);
      tell(words.connections.saved(name));
      saved();
      go({ params: way.to(name) });
    } catch (err) {
      fail(err instanceof SyntaxError ? new Error(words.connections.noJson(err.message)) : err);
    }
    setBusy(false);
  };
  const wrong = complaint ? wrongOf(complaint) : null;
  const teaches = !old && way === connectionWay;
  return (
    <div class={kind?.tries || teaches ? "conn-edit two" : "conn-edit"}>
      <Card bare class="conn-form">
        <form noValidate onSubmit={(e) => void save(e)}>
          <Tabs<"form" | "text">
            label={words.connections.how}
            on={text === null ? "form" : "text"}
            set={(t) => kind && setText(t === "text" ? print(doc) : null)}
            tabs={[
              ...(kind ? [{ id: "form" as const, title: words.connections.form }] : []),
              { id: "text", title: words.connections.text },
            ]}
          />
          <div class="conn-body">
            <div class="conn-fields">
              <NameField
                id="conn-name"
                label={words.connections.name}
                help={words.connections.nameHelp}
                of={naming}
                fixed={old !== undefined}
              />
              {text === null && (
                <TextField
                  id="conn-description"
                  label={words.connections.description}
                  value={String(doc.description ?? "")}
                  set={(t) => setDoc(setAt(doc, "description", t || undefined))}
                />
              )}
            </div>
            {text !== null ? (
              <CodeEditor
                id="conn-text"
                label={words.connections.text}
                value={text}
                set={write}
                tokens={jsonTokens}
                mistakes={mistakes}
                notes="line"
                rows={12}
                run={() => void save()}
              />
            ) : (
              <Form
                kind={kind!}
                doc={doc}
                set={(d) => {
                  setDoc(d);
                  fail(undefined);
                }}
                wrong={wrong}
              />
            )}
            {error !== undefined && !mistakes.length && <Wrong error={error} />}
            <div class="row">
              <Button look="primary" type="submit" icon={Save} busy={busy}>
                {old ? words.connections.store : words.connections.create}
              </Button>
              <Button onClick={() => go({ params: { new: null, edit: null } })}>{words.cancel}</Button>
            </div>
          </div>
        </form>
      </Card>
      {(kind?.tries || teaches) && (
        <div class="conn-beside">
          {kind?.tries && <Preview name={old?.name ?? ""} doc={doc} />}
          {teaches && <Teach kind={id} />}
        </div>
      )}
    </div>
  );
}
