// SPDX-License-Identifier: Apache-2.0
// One's own what-if: a copy of what is shown, to be changed.
import { useState } from "preact/hooks";
import { GitFork } from "lucide-preact";
import { forkPair } from "~/api/whatif";
import { freeName } from "~/api/worlds";
import { go, worldName } from "~/app/route";
import { worldTitle } from "~/app/world";
import { Button, Card, Field } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";

export function NewScenario() {
  const [name, set] = useState(() => freeName("what-if"));
  const [busy, setBusy] = useState(false);
  async function make(e: Event) {
    e.preventDefault();
    setBusy(true);
    try {
      await forkPair(name, worldName.value);
      go({ view: "whatif", world: name, at: "", params: { show: null } });
    } catch (err) {
      tellError(err);
    }
    setBusy(false);
  }
  return (
    <Card title={words.whatif.own}>
      <form class="column" onSubmit={make} style={{ gap: 12 }}>
        <p class="quiet">{words.whatif.ownAbout(worldTitle())}</p>
        <Field label={words.world.forkName} for="whatif-name">
          <input
            id="whatif-name"
            class="input"
            value={name}
            required
            pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
            onInput={(e) => set(e.currentTarget.value)}
          />
        </Field>
        <div>
          <Button look="primary" type="submit" icon={GitFork} busy={busy}>
            {words.world.fork}
          </Button>
        </div>
      </form>
    </Card>
  );
}
