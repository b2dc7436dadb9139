// SPDX-License-Identifier: Apache-2.0
// A connection's document as a form, by its kind.
import { signal } from "@preact/signals";
import { Plus, Trash2 } from "lucide-preact";
import type { Doc } from "~/api/connections";
import { models } from "~/api/models";
import type { Value } from "~/api/types";
import { Button, Field, IconButton } from "~/ui/basic";
import { words } from "~/words/en";
import { getAt, setAt, type FieldOf, type KindOf, type RulesOf } from "./fields";

interface Wrong {
  path: string; // "subscriptions[0].topic"
  message: string;
}

/** Begins like a sentence, where it begins with a word and not with a name or an address. */
const sentence = (s: string) => (/^[a-z]+[ ,;]/.test(s) ? s.charAt(0).toUpperCase() + s.slice(1) : s);

/** What the server says of a member, taken apart: "subscriptions[0].topic: ...". */
export function wrongOf(message: string): Wrong | null {
  const m = /^([A-Za-z]\w*(?:[.[\]\w]*)): ([\s\S]+)$/.exec(message);
  return m ? { path: m[1]!, message: sentence(m[2]!) } : null;
}

/** Texts of a choice that are no texts in the document. */
const choiceOf = (f: FieldOf, text: string): Value =>
  text === "true" || text === "false" ? text === "true" : f.path === "qos" ? Number(text) : text;

const isSet = (v: Value | undefined) => typeof v === "object" && v !== null && !Array.isArray(v) && v.set === true;

/** Names of connections to brokers, for endpoints that use one. */
export const brokers = signal<string[]>([]);

const units = () =>
  [...new Set([...models.value.values()].flatMap((m) => m.properties.map((p) => p.unit)))].filter(Boolean).sort();

function Control(p: { f: FieldOf; doc: Doc; set: (d: Doc) => void; id: string; wrong: boolean }) {
  const { f, doc, id } = p;
  const v = getAt(doc, f.path);
  const put = (x: Value | undefined) => p.set(setAt(doc, f.path, x));
  if (f.type === "choice")
    return (
      <select
        id={id}
        class="select"
        value={String(v ?? f.choices![0])}
        onChange={(e) => put(e.currentTarget.value === f.choices![0] ? undefined : choiceOf(f, e.currentTarget.value))}
      >
        {f.choices!.map((c) => (
          <option key={c}>{c}</option>
        ))}
      </select>
    );
  if (f.type === "yes")
    return (
      <input
        id={id}
        type="checkbox"
        class="conn-check"
        checked={v === true}
        onChange={(e) => put(e.currentTarget.checked || undefined)}
      />
    );
  const text = isSet(v) ? "" : Array.isArray(v) ? v.join(", ") : v === undefined || v === null ? "" : String(v);
  const list =
    f.type === "model"
      ? [...models.value.keys()]
      : f.type === "unit"
        ? units()
        : f.type === "connection"
          ? brokers.value
          : null;
  return (
    <>
      <input
        id={id}
        class="input"
        type={f.type === "secret" ? "password" : "text"}
        inputMode={f.type === "number" ? "numeric" : undefined}
        autocomplete={f.type === "secret" ? "new-password" : "off"}
        spellcheck={false}
        placeholder={isSet(v) ? words.connections.kept : f.hint}
        value={text}
        required={f.needed}
        aria-invalid={p.wrong || undefined}
        list={list ? id + "-list" : undefined}
        onInput={(e) => {
          const t = e.currentTarget.value;
          if (t === "") put(undefined);
          else if (f.type === "number" && /^\d+$/.test(t)) put(Number(t));
          else if (f.type === "list") put(t.split(",").map((s) => s.trim()));
          else put(t);
        }}
      />
      {list && (
        <datalist id={id + "-list"}>
          {list.map((x) => (
            <option key={x} value={x} />
          ))}
        </datalist>
      )}
    </>
  );
}

function Fields(p: {
  list: readonly FieldOf[];
  doc: Doc;
  set: (d: Doc) => void;
  id: string;
  wrong: Wrong | null;
  at: string;
}) {
  return (
    <div class="conn-fields">
      {p.list.map((f) => {
        const id = `${p.id}-${f.path}`;
        const wrong = p.wrong?.path === p.at + f.path ? p.wrong.message : undefined;
        return (
          <Field key={f.path} label={f.label} for={id} help={f.help} wrong={wrong}>
            <Control f={f} doc={p.doc} set={p.set} id={id} wrong={wrong !== undefined} />
          </Field>
        );
      })}
    </div>
  );
}

const used = (list: readonly FieldOf[], doc: Doc) => list.some((f) => getAt(doc, f.path) !== undefined);

function More(p: Parameters<typeof Fields>[0]) {
  if (!p.list.length) return null;
  return (
    <details class="conn-more" open={used(p.list, p.doc)}>
      <summary class="small">{words.connections.more}</summary>
      <Fields {...p} />
    </details>
  );
}

function Rules(p: { r: RulesOf; doc: Doc; set: (d: Doc) => void; wrong: Wrong | null }) {
  const { r, doc } = p;
  const list = (Array.isArray(getAt(doc, r.path)) ? getAt(doc, r.path) : []) as Doc[];
  const put = (next: Doc[]) => p.set(setAt(doc, r.path, next.length ? next : undefined));
  return (
    <section class="conn-rules">
      <div class="row">
        <div class="grow">
          <h3>{r.title}</h3>
          <div class="tiny quiet">{r.help}</div>
        </div>
        <Button icon={Plus} onClick={() => put([...list, { ...r.fresh }])}>
          {words.connections.add}
        </Button>
      </div>
      {p.wrong?.path === r.path && (
        <div class="small wrong" role="alert">
          {p.wrong.message}
        </div>
      )}
      {list.map((one, i) => {
        const common = {
          doc: one,
          set: (d: Doc) => put(list.map((x, k) => (k === i ? d : x))),
          id: `${r.path}-${i}`,
          wrong: p.wrong,
          at: `${r.path}[${i}].`,
        };
        return (
          <div key={i} class="conn-rule" role="group" aria-label={words.connections.rule(r.title, i + 1)}>
            <IconButton
              class="conn-rule-drop"
              name={words.connections.dropRule(r.title, i + 1)}
              icon={Trash2}
              onClick={() => put(list.filter((_, k) => k !== i))}
            />
            <Fields list={r.fields} {...common} />
            <More list={r.more} {...common} />
          </div>
        );
      })}
    </section>
  );
}

export function Form(p: { kind: KindOf; doc: Doc; set: (d: Doc) => void; wrong: Wrong | null }) {
  const common = { doc: p.doc, set: p.set, id: "conn", wrong: p.wrong, at: "" };
  return (
    <>
      <Fields list={p.kind.fields} {...common} />
      <More list={p.kind.more} {...common} />
      {p.kind.rules.map((r) => (
        <Rules key={r.path} r={r} doc={p.doc} set={p.set} wrong={p.wrong} />
      ))}
    </>
  );
}
