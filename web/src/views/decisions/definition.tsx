// SPDX-License-Identifier: Apache-2.0
// A definition (a rule, a KPI, a behaviour): what it says in words, and its text to be changed, with mistakes where
// they are. The server checks it: what it refuses stands under the word that it is about.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Save, Trash2 } from "lucide-preact";
import { wordsOf } from "~/api/client";
import { Button, Card, Dialog, Field, Skeleton, Wrong } from "~/ui/basic";
import { CodeEditor, type Mistake } from "~/ui/code";
import { jsonTokens } from "~/ui/json";
import { done, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import { mistakesOf } from "./places";
import "./decisions.css";

const w = words.definitions;

/** What the kind of definition is, and how it is read and written. */
export interface Kind<T extends { title?: string }> {
  first: T; // the text of a new one
  read: (name: string, signal?: AbortSignal) => Promise<T>;
  put: (name: string, text: T | string) => Promise<unknown>;
  drop: (name: string) => Promise<unknown>;
  /** As sentences; of a text that is being written as far as it says something. */
  say: (text: Partial<T>) => ComponentChildren;
  words: { named: string; create: string; dropSure: string };
}

interface Props<T extends { title?: string }> {
  kind: Kind<T>;
  name: string; // "*": a new one
  shown: (name: string | null) => void; // the address of another one; null: it is gone
  actions?: ComponentChildren;
  version?: unknown; // read anew when that changes
  keep?: (mine: Partial<T>, read: T) => Partial<T>; // what was typed, when it was changed elsewhere
  readOnly?: boolean;
}

const print = (r: unknown): string => JSON.stringify(r, null, 2);

function parsed<T>(text: string): Partial<T> | undefined {
  try {
    const v = JSON.parse(text) as Partial<T>;
    return v && typeof v === "object" && !Array.isArray(v) ? v : undefined;
  } catch {
    return undefined;
  }
}

function Drop<T extends { title?: string }>({ kind, name, title, shown }: Props<T> & { title: string }) {
  const [open, set] = useState(false);
  const drop = async () => {
    set(false);
    try {
      const text = await kind.read(name);
      await kind.drop(name);
      shown(null);
      done(w.gone(title), async () => void (await kind.put(name, text)));
    } catch (e) {
      tellError(e);
    }
  };
  return (
    <>
      <Button look="danger" icon={Trash2} onClick={() => set(true)}>
        {w.drop}
      </Button>
      <Dialog
        title={w.dropTitle(title)}
        open={open}
        close={() => set(false)}
        footer={
          <>
            <Button onClick={() => set(false)}>{words.cancel}</Button>
            <Button look="danger" icon={Trash2} onClick={() => void drop()}>
              {w.drop}
            </Button>
          </>
        }
      >
        <p>{kind.words.dropSure}</p>
      </Dialog>
    </>
  );
}

/** The text as it is stored and as it is typed: what was typed stays when the stored one changes. */
function useText<T extends { title?: string }>(p: Props<T>) {
  const fresh = p.name === "*";
  const [before, setBefore] = useState(fresh ? print(p.kind.first) : "");
  const [text, write] = useState(before);
  const [error, fail] = useState<unknown>();
  const doc = useMemo(() => parsed<T>(text), [text]);
  const typed = useRef({ text, doc, edited: false });
  typed.current = { text, doc, edited: before !== "" && text !== before };
  useEffect(() => {
    if (fresh) return;
    const abort = new AbortController();
    p.kind.read(p.name, abort.signal).then(
      (r) => {
        setBefore(print(r));
        const t = typed.current;
        write(t.edited ? (t.doc && p.keep ? print(p.keep(t.doc, r)) : t.text) : print(r));
      },
      (e: unknown) => !abort.signal.aborted && fail(e),
    );
    return () => abort.abort();
  }, [p.name, p.version]);
  return { fresh, before, setBefore, text, write, doc, error };
}

export function DefinitionPage<T extends { title?: string }>(p: Props<T>) {
  const { kind, name, shown } = p;
  const { fresh, before, setBefore, text, write, doc, error } = useText(p);
  const [called, call] = useState(fresh ? "" : name);
  const [complaint, complain] = useState("");
  const [busy, setBusy] = useState(false);
  const mistakes = useMemo<Mistake[]>(() => (complaint ? mistakesOf(text, complaint) : []), [complaint]);
  async function save() {
    if (p.readOnly || !called) return;
    setBusy(true);
    complain("");
    try {
      await kind.put(called, (doc as T | undefined) ?? text); // no JSON: the server says where, browsers do not all
      const back = before;
      if (fresh) shown(called);
      else
        done(w.saved(doc?.title ?? called), async () => {
          await kind.put(called, JSON.parse(back) as T);
          setBefore(back);
          write(back);
        });
      setBefore(text);
    } catch (e) {
      complain(wordsOf(e));
    }
    setBusy(false);
  }
  if (error !== undefined) return <Wrong error={error} />;
  if (!before) return <Skeleton lines={10} />;
  return (
    <div class="rule-page">
      <Card title={w.inWords} actions={p.actions}>
        {doc ? kind.say(doc) : <p class="quiet">{w.noJson}</p>}
      </Card>
      <Card
        title={w.asText}
        actions={
          !p.readOnly && (
            <>
              {!fresh && <Drop {...p} title={parsed<T>(before)?.title ?? name} />}
              <Button
                look="primary"
                icon={Save}
                busy={busy}
                disabled={!called || (text === before && !fresh)}
                onClick={() => void save()}
              >
                {fresh ? kind.words.create : w.save}
              </Button>
            </>
          )
        }
      >
        <div class="column" style={{ gap: 12 }}>
          {fresh && (
            <Field label={kind.words.named} for="definition-name" help={words.whatif.nameHelp}>
              <input
                id="definition-name"
                class="input"
                value={called}
                autocomplete="off"
                onInput={(e) => call(e.currentTarget.value)}
              />
            </Field>
          )}
          <CodeEditor
            id="definition-text"
            label={w.asText}
            value={text}
            set={(t) => (write(t), complain(""))}
            readOnly={p.readOnly}
            tokens={jsonTokens}
            mistakes={mistakes}
            rows={12}
            run={() => void save()}
          />
        </div>
      </Card>
    </div>
  );
}

/** "What it counts | power of Filler, Line 1" as rows. */
export function Sentences({ rows }: { rows: readonly [string, ComponentChildren][] }) {
  return (
    <dl class="sentences">
      {rows.map(([t, d]) => (
        <>
          <dt class="quiet">{t}</dt>
          <dd>{d}</dd>
        </>
      ))}
    </dl>
  );
}
