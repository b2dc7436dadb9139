// SPDX-License-Identifier: Apache-2.0
// What comes through a connection that is not stored yet, and what it would become. Nothing is applied.
import { useEffect, useState } from "preact/hooks";
import { CircleAlert, Ear, EarOff, MoveDown } from "lucide-preact";
import { byId, labelOf } from "~/api/catalogue";
import { propertyOf } from "~/api/models";
import { wordsOf } from "~/api/client";
import { tryConnection, type Doc, type Tried } from "~/api/connections";
import { Button, Empty, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";

const SECONDS = 3; // of one listening; then what came is shown and it goes on
const SHOWN = 30;
const REST_MS = 600; // after the last key before it listens anew

function Becomes({ t }: { t: Tried }) {
  return (
    <>
      {t.points.map((p, i) => {
        const model = byId.value.get(p.twin)?.model;
        const unit = model ? (propertyOf(model, p.property)?.unit ?? "") : "";
        return (
          <div key={i} class="conn-point">
            <Icon of={p.error ? CircleAlert : MoveDown} size={13} />
            <span class="strong ellipsis" title={p.twin}>
              {labelOf(p.twin)}
            </span>
            <code class="small ellipsis">{p.property}</code>
            <span class="num" title={JSON.stringify(p.value)}>
              {format.value(p.value, unit)}
            </span>
            {p.time && (
              <time class="tiny quiet" title={format.exactTime(p.time)}>
                {format.time(p.time)}
              </time>
            )}
            {p.error && <span class="small wrong conn-point-error">{p.error}</span>}
          </div>
        );
      })}
      {t.error && (
        <div class="conn-point small wrong">
          <Icon of={CircleAlert} size={13} /> {t.error}
        </div>
      )}
      {!t.points.length && !t.error && <div class="small quiet">{words.connections.becomesNothing}</div>}
    </>
  );
}

export function Preview({ name, doc }: { name: string; doc: Doc }) {
  const [on, setOn] = useState(false);
  const [got, setGot] = useState<readonly Tried[]>([]);
  const [rounds, setRounds] = useState(0);
  const [trouble, setTrouble] = useState("");
  const text = JSON.stringify(doc);
  useEffect(() => {
    if (!on) return;
    const abort = new AbortController();
    setGot([]);
    setTrouble("");
    setRounds(0);
    const listen = async () => {
      while (!abort.signal.aborted) {
        try {
          const list = await tryConnection(name, doc, SECONDS, abort.signal);
          if (abort.signal.aborted) return;
          setGot((g) => [...list.reverse(), ...g].slice(0, SHOWN));
          setRounds((n) => n + 1);
          setTrouble("");
        } catch (e) {
          if (abort.signal.aborted) return;
          setTrouble(wordsOf(e));
          setOn(false);
          return;
        }
      }
    };
    const timer = setTimeout(() => void listen(), rounds ? REST_MS : 0);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [on, text, name]);
  return (
    <section class="card conn-preview" aria-label={words.connections.preview}>
      <header>
        <h2>{words.connections.preview}</h2>
        <Button icon={on ? EarOff : Ear} aria-pressed={on} onClick={() => setOn(!on)}>
          {on ? words.connections.listenStop : words.connections.listen}
        </Button>
      </header>
      {trouble && (
        <div class="notice bad" role="alert">
          {trouble}
        </div>
      )}
      <div class="scroll conn-tried" role="log" tabIndex={0} aria-label={words.connections.preview}>
        {got.map((t, i) => (
          <article key={`${rounds}-${i}`} class="conn-message">
            <code class="small strong">{t.topic}</code>
            <pre class="tiny">{t.payload}</pre>
            <Becomes t={t} />
          </article>
        ))}
        {!got.length && !trouble && (
          <Empty
            icon={Ear}
            title={on ? (rounds ? words.connections.silent : words.connections.listening) : words.connections.notYet}
            hint={on ? words.connections.silentHint : words.connections.notYetHint}
          />
        )}
      </div>
    </section>
  );
}
