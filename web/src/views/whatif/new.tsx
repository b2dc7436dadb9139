// SPDX-License-Identifier: Apache-2.0
// One's own what-if: a copy of what is shown, to be changed.
import { useState } from "preact/hooks";
import { GitFork } from "lucide-preact";
import { forkPair } from "~/api/whatif";
import { forkName } from "~/api/worlds";
import { go, kind, route, worldName } from "~/app/route";
import { Button, Card, Field } from "~/ui/basic";
import { isName } from "~/ui/name";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.whatif;

/** Of what the copy is, in words. */
export const fromText = (): string => {
  const r = route.value;
  const of = r.world === "live" ? w.live : r.world;
  return kind.value === "past" ? w.asOf(of, format.time(r.at), format.relative(r.at)) : w.asNow(of);
};

/** `twin`: the copy is made to change that one. */
export function NewScenario({ twin }: { twin?: string }) {
  const [name, set] = useState(forkName);
  const [busy, setBusy] = useState(false);
  const [wrong, complain] = useState("");
  async function make(e: Event) {
    e.preventDefault();
    if (!isName(name)) return complain(w.nameHelp);
    setBusy(true);
    try {
      await forkPair(name, worldName.value);
      go({ view: "whatif", world: name, at: "", params: { sel: twin ?? null }, fresh: true });
    } catch (err) {
      tellError(err);
    }
    setBusy(false);
  }
  return (
    <Card title={w.own}>
      <form class="column" noValidate onSubmit={make} style={{ gap: 12 }}>
        <p class="quiet">{w.ownAbout(fromText())}</p>
        <Field label={words.world.forkName} for="whatif-name" wrong={wrong}>
          <input
            id="whatif-name"
            class="input"
            value={name}
            required
            autocomplete="off"
            aria-invalid={wrong !== ""}
            onInput={(e) => (set(e.currentTarget.value), complain(""))}
          />
        </Field>
        <div>
          <Button look="primary" type="submit" icon={GitFork} busy={busy} data-tour="fork">
            {words.world.fork}
          </Button>
        </div>
      </form>
    </Card>
  );
}
