// SPDX-License-Identifier: Apache-2.0
// New models: from files or typed, checked by the server, its complaints at their places in the text.
import { useRef, useState } from "preact/hooks";
import { FileUp, Upload as UploadIcon, X } from "lucide-preact";
import { reload } from "~/api/catalogue";
import { api } from "~/api/client";
import { models, type ModelData } from "~/api/models";
import { go, worldName } from "~/app/route";
import { Button, Card, IconButton, Wrong } from "~/ui/basic";
import { CodeEditor, type Mistake } from "~/ui/code";
import { jsonTokens } from "~/ui/json";
import { tell } from "~/ui/toast";
import { words } from "~/words/en";
import { mistakesIn } from "./locate";

const START = `{
  "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
  "@id": "dtmi:example:Pump;1",
  "@type": "Interface",
  "displayName": "Pump",
  "contents": [
    { "@type": ["Property", "Temperature"], "name": "temperature", "schema": "double", "unit": "degreeCelsius" },
    { "@type": "Property", "name": "speedLimit", "schema": "integer", "writable": true },
    { "@type": "Relationship", "name": "feeds" }
  ]
}`;

/** The next version of a model that is there: its text with another id. */
function startOf(from: string): string {
  const m = models.peek().get(from);
  if (!m) return START;
  const next = m.id.replace(/;(\d+)(\.\d+)?$/, (_, n: string) => `;${Number(n) + 1}`);
  return JSON.stringify({ ...m.data.model, "@id": next }, null, 2);
}

/** Files as one text: of one its own, of several a list of all their models. */
async function textOfFiles(files: readonly File[]): Promise<string> {
  const texts = await Promise.all(files.map((f) => f.text()));
  if (texts.length === 1) return texts[0]!;
  const docs: unknown[] = [];
  for (const t of texts) {
    try {
      docs.push(...[JSON.parse(t) as unknown].flat());
    } catch {
      return t; // to be mended first: the server says where
    }
  }
  return JSON.stringify(docs, null, 2);
}

function goTo(id: string, m: Mistake): void {
  const area = document.getElementById(id) as HTMLTextAreaElement;
  area.focus();
  area.setSelectionRange(m.from, m.to);
  document.querySelector(`#${id}`)?.parentElement?.querySelector(".mistake")?.scrollIntoView({ block: "center" });
}

export function Upload({ from }: { from: string }) {
  const [text, setText] = useState(() => startOf(from));
  const [mistakes, setMistakes] = useState<readonly Mistake[]>([]);
  const [error, fail] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const [over, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const set = (t: string) => {
    setText(t);
    setMistakes([]);
    fail(undefined);
  };
  const take = (list: FileList | null | undefined) => {
    if (list?.length) void textOfFiles([...list]).then(set, fail);
  };
  const send = async () => {
    const list = /^\s*\[/.test(text);
    setBusy(true);
    setMistakes([]);
    fail(undefined);
    try {
      const made = await api.post<ModelData[]>("/models", list ? text : `[${text}]`, {
        world: worldName.peek(),
        type: "application/json",
      });
      tell(words.models.made(made.length));
      reload();
      go({ params: { new: null, m: made[0]?.id ?? null } });
    } catch (e) {
      const found = mistakesIn(text, e, !list);
      setMistakes(found);
      if (!found.length) fail(e);
    }
    setBusy(false);
  };
  return (
    <Card
      title={words.models.upload}
      class={over ? "model-upload over" : "model-upload"}
      actions={<IconButton name={words.close} icon={X} onClick={() => go({ params: { new: null } })} />}
    >
      <div
        class="column"
        onDragOver={(e) => (e.preventDefault(), setOver(true))}
        onDragLeave={() => setOver(false)}
        onDrop={(e) => {
          e.preventDefault();
          setOver(false);
          take(e.dataTransfer?.files);
        }}
      >
        <div class="row model-drop">
          <Button icon={FileUp} onClick={() => picker.current?.click()}>
            {words.models.files}
          </Button>
          <span class="small quiet">{words.models.filesHint}</span>
          <input
            ref={picker}
            type="file"
            class="unseen"
            tabIndex={-1}
            aria-label={words.models.files}
            multiple
            accept=".json,.dtdl,application/json"
            onChange={(e) => {
              take(e.currentTarget.files);
              e.currentTarget.value = "";
            }}
          />
        </div>
        <CodeEditor
          id="model-new"
          label={words.models.text}
          value={text}
          set={set}
          tokens={jsonTokens}
          mistakes={mistakes}
          notes="line"
          run={() => void send()}
          rows={14}
        />
        {mistakes.length > 0 && (
          <ul class="model-mistakes" aria-label={words.models.wrong(mistakes.length)}>
            <li class="strong">{words.models.wrong(mistakes.length)}</li>
            {mistakes.map((m) => (
              <li key={m.message}>
                <button type="button" class="model-mistake" onClick={() => goTo("model-new", m)}>
                  <span class="quiet">{words.models.line(text.slice(0, m.from).split("\n").length)}</span> {m.message}
                </button>
              </li>
            ))}
          </ul>
        )}
        {error !== undefined && <Wrong error={error} />}
        <div class="row">
          <Button look="primary" icon={UploadIcon} busy={busy} disabled={!text.trim()} onClick={() => void send()}>
            {words.models.send}
          </Button>
          <span class="small quiet">{words.models.sendHint}</span>
        </div>
      </div>
    </Card>
  );
}
