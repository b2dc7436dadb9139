// SPDX-License-Identifier: Apache-2.0
// A what-if as a definition: what is changed and when, how far it runs, what is counted. Made, changed, and deleted.
import { useEffect, useState } from "preact/hooks";
import { Pencil, Play, Save, Trash2 } from "lucide-preact";
import { api, wordsOf } from "~/api/client";
import type { Kpi } from "~/api/types";
import { dropWhatif, putWhatif, textOf, whatifs, whatifsRead, type WhatifText } from "~/api/whatif";
import { go } from "~/app/route";
import { Button, Card, Empty, Field, Skeleton, Wrong } from "~/ui/basic";
import { isName } from "~/ui/name";
import { Segment } from "~/ui/segment";
import { done, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { busy as trying, run, withWas } from "./definitions";
import { draft, EMPTY } from "./draft";
import { Editor, type Edited } from "./editor";
import { ChangeLine, lengthOf, lengthsWith, useTwins } from "./say";
import { nameOfTitle } from "./ways";

const w = words.whatif;

interface Part {
  text: WhatifText;
  set: (change: Partial<WhatifText>) => void;
}

function Changes({ text, set }: Part) {
  const world = text.from ?? "live";
  const twins = useTwins(
    text.changes.map((c) => c.twin),
    world,
  );
  const add = (e: Edited) => {
    const one = { at: e.at || "PT0S", twin: e.twin, property: e.property, value: e.value };
    const list = [...text.changes, one];
    set({ changes: list.sort((a, b) => format.isoDuration(a.at) - format.isoDuration(b.at)) });
  };
  return (
    <Card title={text.changes.length ? w.changesOf(text.changes.length) : w.whatChanges}>
      <div class="column" style={{ gap: 16 }}>
        {text.changes.length ? (
          <ul class="change-list-plain">
            {withWas(text.changes, twins).map(({ c, was }, i) => (
              <ChangeLine
                key={`${c.at} ${c.twin} ${c.property} ${i}`}
                {...c}
                was={was}
                remove={() => set({ changes: text.changes.filter((_, k) => k !== i) })}
              />
            ))}
          </ul>
        ) : (
          <Empty icon={Pencil} title={w.noChanges} hint={w.noChangesHint} />
        )}
        <Editor world={world} add={add} />
      </div>
    </Card>
  );
}

function useKpis(world: string): readonly Kpi[] {
  const [list, set] = useState<readonly Kpi[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    api.get<{ value: Kpi[] }>("/kpis", { world, signal: abort.signal, query: { points: 0 } }).then(
      (r) => set(r.value),
      () => {},
    ); // then all are counted
    return () => abort.abort();
  }, [world]);
  return list;
}

/** None ticked: all are counted. */
function Counted({ text, set }: Part) {
  const list = useKpis(text.from ?? "live");
  const chosen = text.kpis ?? [];
  const tick = (name: string, on: boolean) => {
    const next = list.map((k) => k.name).filter((n) => (n === name ? on : chosen.includes(n)));
    set({ kpis: next.length ? next : undefined });
  };
  if (!list.length) return null;
  return (
    <details class="whatif-kpis">
      <summary>{chosen.length ? w.countsSome(chosen.length, list.length) : w.countsAll}</summary>
      <div class="whatif-kpi-list">
        {list.map((k) => (
          <label key={k.name} class="row small">
            <input
              type="checkbox"
              checked={chosen.includes(k.name)}
              onChange={(e) => tick(k.name, e.currentTarget.checked)}
            />
            {k.title || k.name}
          </label>
        ))}
      </div>
    </details>
  );
}

function How({ text, set }: Part) {
  return (
    <Card title={w.how}>
      <div class="column" style={{ gap: 16 }}>
        <div class="field">
          <span class="label">{w.length}</span>
          <Segment
            label={w.length}
            choices={lengthsWith(text.for).map((x) => ({ id: x.iso, title: x.title }))}
            on={lengthOf(text.for).iso}
            set={(iso) => set({ for: iso, output: lengthOf(iso).output })}
          />
        </div>
        {text.from && (
          <div class="row small">
            <span class="quiet">{w.beginsIn(text.from)}</span>
            <Button look="plain" onClick={() => set({ from: undefined })}>
              {w.beginsNow}
            </Button>
          </div>
        )}
        <Counted text={text} set={set} />
      </div>
    </Card>
  );
}

interface NamedProps extends Part {
  fresh: boolean;
  called: string;
  call: (name: string) => void;
  wrong: string;
}

function Named({ text, set, fresh, called, call, wrong }: NamedProps) {
  const taken = fresh && whatifs.value.some((x) => x.name === called);
  return (
    <Card title={w.what}>
      <div class="column" style={{ gap: 12 }}>
        <Field label={w.titleOf} for="define-title">
          <input
            id="define-title"
            class="input"
            value={text.title}
            autocomplete="off"
            placeholder={w.titleHint}
            onInput={(e) => {
              const title = e.currentTarget.value;
              if (fresh && called === nameOfTitle(text.title)) call(nameOfTitle(title));
              set({ title });
            }}
          />
        </Field>
        <Field label={w.aboutOf} for="define-about">
          <input
            id="define-about"
            class="input"
            value={text.about ?? ""}
            autocomplete="off"
            onInput={(e) => set({ about: e.currentTarget.value || undefined })}
          />
        </Field>
        {fresh && (
          <Field label={words.world.forkName} for="define-name" wrong={wrong} help={taken ? w.taken : w.nameHelp}>
            <input
              id="define-name"
              class="input"
              value={called}
              autocomplete="off"
              aria-invalid={wrong !== ""}
              onInput={(e) => call(e.currentTarget.value)}
            />
          </Field>
        )}
      </div>
    </Card>
  );
}

/** What was deleted or written over comes back by undo. */
async function save(name: string, text: WhatifText): Promise<void> {
  const was = whatifs.peek().find((x) => x.name === name);
  const back = was && textOf(was);
  await putWhatif(name, text);
  done(w.saved(text.title || name), () => (back ? putWhatif(name, back) : dropWhatif(name)), {
    again: () => putWhatif(name, text),
  });
}

async function remove(name: string, text: WhatifText): Promise<void> {
  await dropWhatif(name);
  go({ params: { define: null } });
  done(w.removed(text.title || name), () => putWhatif(name, text), { again: () => dropWhatif(name) });
}

function Form({ name, stored }: { name: string; stored: WhatifText }) {
  const fresh = name === "*";
  const mine = draft.value?.name === name ? draft.value : null;
  const text = mine?.text ?? stored;
  const called = mine?.called ?? (fresh ? "" : name);
  const [wrong, complain] = useState("");
  const [error, fail] = useState("");
  const [busy, setBusy] = useState(false);
  const write = (c: Partial<WhatifText>, as = draft.peek()?.name === name ? draft.peek()!.called : called) => {
    const now = draft.peek()?.name === name ? draft.peek()!.text : stored;
    draft.value = { name, called: as, text: { ...now, ...c } };
    fail("");
    complain("");
  };
  const edited = JSON.stringify(text) !== JSON.stringify(stored);
  async function keep() {
    if (!isName(called)) return complain(w.nameHelp);
    setBusy(true);
    try {
      await save(called, text);
      draft.value = null;
      if (fresh) go({ params: { define: called }, replace: true });
    } catch (e) {
      fail(wordsOf(e));
    }
    setBusy(false);
  }
  return (
    <div class="column" style={{ gap: 16 }}>
      <div class="page-head scenario-head">
        <h1 class="grow define-title">{fresh ? w.newWhatif : stored.title || name}</h1>
        {!fresh && (
          <Button
            look="danger"
            icon={Trash2}
            onClick={() => void remove(name, stored).then(() => (draft.value = null), tellError)}
          >
            {w.delete}
          </Button>
        )}
        {!fresh && (
          <Button
            icon={Play}
            disabled={edited}
            busy={trying.value === name}
            title={edited ? w.saveFirst : undefined}
            onClick={() => void run({ ...stored, name })}
          >
            {w.tryIt}
          </Button>
        )}
        <Button
          look="primary"
          icon={Save}
          busy={busy}
          disabled={!text.title || !text.changes.length || !edited}
          onClick={() => void keep()}
        >
          {w.save}
        </Button>
      </div>
      {error && <Wrong error={new Error(error)} />}
      <Named text={text} set={write} fresh={fresh} called={called} call={(n) => write({}, n)} wrong={wrong} />
      <Changes text={text} set={write} />
      <How text={text} set={write} />
    </div>
  );
}

export function Define({ name }: { name: string }) {
  const def = whatifs.value.find((x) => x.name === name);
  if (name === "*") return <Form name="*" stored={EMPTY} />;
  if (!whatifsRead.value) return <Skeleton lines={8} />;
  return def ? <Form name={name} stored={textOf(def)} /> : <Empty title={w.notThere(name)} />;
}
