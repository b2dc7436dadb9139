// SPDX-License-Identifier: Apache-2.0
// Commands that the twin's model defines: sent to the device, answered by it. What one takes is asked for in fields; as
// JSON where that is deeper, or when somebody wants it so.
import { useState } from "preact/hooks";
import { Braces, Send, TextCursorInput, Terminal } from "lucide-preact";
import { api, wordsOf } from "~/api/client";
import { models, type Model } from "~/api/models";
import type { Twin, Value } from "~/api/types";
import { isLive } from "~/app/route";
import { Button, Empty, Field } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { inputsOf, payloadOf, type Input } from "./payload";

const w = words.twin;
type Command = Model["commands"][number];

interface OneProps {
  i: Input;
  id: string;
  text: string;
  set: (text: string) => void;
  wrong?: string;
}

function Choice({ i, id, text, set, wrong }: OneProps) {
  const options = i.type === "boolean" ? [[true, words.yes] as const, [false, words.no] as const] : undefined;
  const list = options ?? i.options.map((o) => [o.value, o.name] as const);
  return (
    <select
      id={id}
      class="select grow"
      aria-invalid={Boolean(wrong)}
      value={text}
      onChange={(e) => set(e.currentTarget.value)}
    >
      <option value="">{i.needed ? "" : w.unsaid}</option>
      {list.map(([value, name]) => (
        <option key={String(value)} value={String(value)}>
          {name}
        </option>
      ))}
    </select>
  );
}

/** By what it is: a list for a few values, a line for numbers and text, its unit behind it. */
function Ask(p: OneProps) {
  const { i, id, wrong } = p;
  const number = i.type === "number" || i.type === "integer";
  return (
    <Field label={i.needed ? i.title : w.optional(i.title)} help={i.about} wrong={wrong} for={id}>
      <div class="row">
        {i.type === "boolean" || i.type === "enum" ? (
          <Choice {...p} />
        ) : (
          <input
            id={id}
            class="input grow"
            inputMode={number ? "decimal" : undefined}
            aria-invalid={Boolean(wrong)}
            aria-describedby={wrong ? id + "-wrong" : undefined}
            value={p.text}
            onInput={(e) => p.set(e.currentTarget.value)}
          />
        )}
        {i.unit && <span class="quiet small">{format.unitSymbol(i.unit)}</span>}
      </div>
    </Field>
  );
}

/** JSON of what stands in the fields, and back: nothing that was typed is lost by looking at it the other way. */
function textsOf(inputs: readonly Input[], json: string): Map<string, string> {
  const out = new Map<string, string>();
  try {
    const v = JSON.parse(json || "null") as Value;
    for (const i of inputs) {
      const one = i.name === "" ? v : (v as Record<string, Value> | null)?.[i.name];
      if (one !== undefined && one !== null) out.set(i.name, typeof one === "string" ? one : JSON.stringify(one));
    }
  } catch {
    // No JSON: there is nothing to take over.
  }
  return out;
}

function usePayload(c: Command) {
  const inputs = c.request ? inputsOf(c.request) : [];
  const [texts, setTexts] = useState<ReadonlyMap<string, string>>(new Map());
  const [json, setJson] = useState<string | null>(inputs ? null : "");
  const [wrong, fail] = useState<ReadonlyMap<string, string>>(new Map());
  const set = (name: string, text: string) => (setTexts(new Map(texts).set(name, text)), fail(new Map()));
  const turn = () => {
    if (json === null) setJson(JSON.stringify(payloadOf(inputs!, texts).value ?? null, null, 1));
    else (setTexts(textsOf(inputs!, json)), setJson(null));
    fail(new Map());
  };
  /** null: it cannot be sent, and that is said. */
  const read = (): { value: Value | undefined } | null => {
    if (!c.request) return { value: undefined };
    if (json === null) {
      const p = payloadOf(inputs!, texts);
      fail(p.wrong);
      return p.wrong.size ? null : p;
    }
    try {
      return { value: JSON.parse(json) as Value };
    } catch {
      fail(new Map([["", w.notA("document")]]));
      return null;
    }
  };
  return { inputs, texts, set, json, setJson, wrong, fail, turn, read };
}

const answerOf = (reply: Value | undefined): string =>
  reply === undefined || reply === null || reply === ""
    ? w.commandDone
    : w.answered(typeof reply === "object" ? JSON.stringify(reply) : format.value(reply));

function One({ twin, c }: { twin: string; c: Command }) {
  const p = usePayload(c);
  const [busy, setBusy] = useState(false);
  const [answer, tell] = useState("");
  const [refused, refuse] = useState("");
  async function send(e: Event) {
    e.preventDefault();
    const payload = p.read();
    if (!payload || !confirm(w.commandSure(c.title, twin))) return;
    setBusy(true);
    tell("");
    refuse("");
    try {
      const of = c.component ? `/components/${c.component}` : "";
      const path = `/digitaltwins/${encodeURIComponent(twin)}${of}/commands/${c.name}`;
      tell(answerOf(await api.post<Value>(path, payload.value)));
    } catch (err) {
      refuse(wordsOf(err));
    }
    setBusy(false);
  }
  const id = (name: string) => `take-${c.component}-${c.name}-${name}`;
  return (
    <form class="column command" onSubmit={send} noValidate aria-label={c.title}>
      {c.about && <div class="small quiet">{c.about}</div>}
      {p.json === null ? (
        p.inputs!.map((i) => (
          <Ask
            key={i.name}
            i={i}
            id={id(i.name)}
            text={p.texts.get(i.name) ?? ""}
            set={(text) => p.set(i.name, text)}
            wrong={p.wrong.get(i.name)}
          />
        ))
      ) : (
        <Field label={w.payload} wrong={p.wrong.get("")} for={id("json")}>
          <textarea
            id={id("json")}
            class="input code"
            rows={3}
            value={p.json}
            onInput={(e) => (p.setJson(e.currentTarget.value), p.fail(new Map()))}
          />
        </Field>
      )}
      <div class="row command-acts">
        <Button type="submit" icon={Send} busy={busy}>
          {c.title}
        </Button>
        {c.request && p.inputs && (
          <Button look="plain" icon={p.json === null ? Braces : TextCursorInput} onClick={p.turn}>
            {p.json === null ? w.asText : w.asFields}
          </Button>
        )}
      </div>
      {refused && (
        <div class="wrong small" role="alert">
          {refused}
        </div>
      )}
      {answer && (
        <div class="small" role="status">
          {answer}
        </div>
      )}
    </form>
  );
}

export function Commands({ twin }: { twin: Twin }) {
  const list = models.value.get(twin.$metadata.$model)?.commands ?? [];
  if (!list.length) return <Empty icon={Terminal} title={w.noCommands} hint={w.noCommandsHint} />;
  if (!isLive.value) return <Empty icon={Terminal} title={w.commandsLive} hint={w.commandsLiveHint} />;
  return (
    <div class="column commands">
      {list.map((c) => (
        <One key={c.component + c.name} twin={twin.$dtId} c={c} />
      ))}
    </div>
  );
}
