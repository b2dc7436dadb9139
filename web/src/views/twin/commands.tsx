// SPDX-License-Identifier: Apache-2.0
// Commands that the twin's model defines: sent to the device, answered by it.
import { useState } from "preact/hooks";
import { Send, Terminal } from "lucide-preact";
import { api, wordsOf } from "~/api/client";
import { models } from "~/api/models";
import type { Twin, Value } from "~/api/types";
import { isLive } from "~/app/route";
import { Button, Empty, Field } from "~/ui/basic";
import { words } from "~/words/en";

function One({
  twin,
  name,
  component,
  title,
  about,
  takes,
}: {
  twin: string;
  name: string;
  component: string;
  title: string;
  about: string;
  takes: boolean;
}) {
  const [text, set] = useState("");
  const [busy, setBusy] = useState(false);
  const [answer, tell] = useState("");
  const [wrong, fail] = useState("");
  async function send(e: Event) {
    e.preventDefault();
    if (!confirm(words.twin.commandSure(title, twin))) return;
    setBusy(true);
    tell("");
    fail("");
    try {
      const payload = takes && text.trim() ? (JSON.parse(text) as Value) : undefined;
      const of = component ? `/components/${component}` : "";
      const path = `/digitaltwins/${encodeURIComponent(twin)}${of}/commands/${name}`;
      const reply = await api.post<Value>(path, payload);
      tell(reply === undefined ? words.twin.commandDone : JSON.stringify(reply));
    } catch (err) {
      fail(wordsOf(err));
    }
    setBusy(false);
  }
  return (
    <form class="column command" onSubmit={send}>
      <div class="row">
        <span class="grow strong">{title}</span>
        <Button type="submit" icon={Send} busy={busy}>
          {words.twin.send}
        </Button>
      </div>
      {about && <div class="small quiet">{about}</div>}
      {takes && (
        <Field label={words.twin.payload} wrong={wrong} for={`payload-${name}`}>
          <input
            id={`payload-${name}`}
            class="input code"
            value={text}
            placeholder="36000"
            onInput={(e) => set(e.currentTarget.value)}
          />
        </Field>
      )}
      {!takes && wrong && (
        <div class="wrong tiny" role="alert">
          {wrong}
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
  if (!list.length) return <Empty icon={Terminal} title={words.twin.noCommands} hint={words.twin.noCommandsHint} />;
  if (!isLive.value)
    return <Empty icon={Terminal} title={words.twin.commandsLive} hint={words.twin.commandsLiveHint} />;
  return (
    <div style={{ padding: 16 }} class="column">
      {list.map((c) => (
        <One
          key={c.component + c.name}
          twin={twin.$dtId}
          name={c.name}
          component={c.component}
          title={c.title}
          about={c.about}
          takes={c.request !== undefined}
        />
      ))}
    </div>
  );
}
