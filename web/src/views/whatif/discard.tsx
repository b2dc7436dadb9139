// SPDX-License-Identifier: Apache-2.0
// Drop a scenario: that cannot be undone, so it is asked, with the name of what is lost.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Trash2 } from "lucide-preact";
import type { World } from "~/api/types";
import { dropPair } from "~/api/whatif";
import { readWorlds, worlds } from "~/api/worlds";
import { go } from "~/app/route";
import { Button, Dialog } from "~/ui/basic";
import { tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { hasRun } from "./changes";
import { forgetPlan, planOf } from "./plans";

const w = words.whatif;
const asked = signal<World | null>(null);

export const askDiscard = (world: World): void => {
  asked.value = world;
  void readWorlds().catch(() => {}); // its run may have gone on since the list was read
};

function lostText(world: World): string {
  const run = world.run;
  const parts: string[] = [];
  if (planOf(world.name).next.length) parts.push(w.lostPlans(planOf(world.name).next.length));
  if (hasRun(world) && run?.begin && run.now)
    parts.push(w.lostRun(format.duration(Date.parse(run.now) - Date.parse(run.begin))));
  return w.lost(world.name, parts);
}

export function Discard() {
  const [busy, setBusy] = useState(false);
  const world = worlds.value.find((x) => x.name === asked.value?.name) ?? asked.value;
  const close = () => (asked.value = null);
  if (!world) return null;
  async function drop(name: string) {
    setBusy(true);
    try {
      // Away first: what shows it would ask for what is not there any more.
      go({ world: "live", at: "", view: "whatif", fresh: true });
      close();
      await dropPair(name);
      forgetPlan(name);
      tell(w.dropped(name));
    } catch (e) {
      tellError(e);
    }
    setBusy(false);
  }
  return (
    <Dialog
      title={w.discardTitle(world.name)}
      open
      close={close}
      footer={
        <>
          <Button onClick={close}>{words.cancel}</Button>
          <Button look="danger" icon={Trash2} busy={busy} onClick={() => void drop(world.name)}>
            {w.discard(world.name)}
          </Button>
        </>
      }
    >
      <p>{lostText(world)}</p>
    </Dialog>
  );
}
