// SPDX-License-Identifier: Apache-2.0
// A copy that was made just before something went wrong has nothing to repair, and chance may spare it: says so, and
// leads to the instant at which live has the trouble.
import { useEffect, useState } from "preact/hooks";
import { Wrench } from "lucide-preact";
import { nextFault } from "~/api/began";
import { instantOf, type Fault } from "~/api/remedies";
import type { Twin, World } from "~/api/types";
import { dropPair } from "~/api/whatif";
import { current } from "~/api/worlds";
import { hrefOf, kind, route } from "~/app/route";
import { Icon } from "~/ui/basic";
import { tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";

const SOON_MS = 10 * 60_000; // later than this it is another story

/** When live's trouble began, soon after the instant that is shown or this copy was made; "" when it did not. */
export function useLater(twin: Twin, fault: Fault | undefined): string {
  const [at, set] = useState("");
  const here = kind.value === "scenario" ? (current.value?.forkedFrom ?? "") : route.value.at;
  const from = fault || (kind.value === "past" && route.value.world !== "live") ? "" : here;
  useEffect(() => {
    set("");
    if (!from) return;
    let on = true;
    nextFault(twin, from).then(
      (t) => on && t && Date.parse(t) - Date.parse(from) < SOON_MS && set(t),
      () => {}, // then nothing is said
    );
    return () => void (on = false);
  }, [twin.$dtId, from]);
  return at;
}

/** The copy that leads on has done its part: who leaves it is told that it stays, and may be rid of it. */
function offerToDrop(copy: World): void {
  if (copy.run && copy.run.state !== "idle") return;
  const name = copy.name;
  tell(words.repair.leftOver(name), {
    action: {
      title: words.whatif.drop,
      run: () => dropPair(name).then(() => tell(words.whatif.dropped(name)), tellError),
    },
  });
}

export function Later({ twin, fault }: { twin: Twin; fault: Fault | undefined }) {
  const at = useLater(twin, fault);
  const from = current.value?.forkedFrom;
  if (!at || !from || kind.value !== "scenario") return null;
  const after = format.duration(Math.max(1000, Date.parse(at) - Date.parse(from)));
  return (
    <div class="notice" role="status">
      <span class="grow">{words.repair.notYet(after)}</span>
      <a
        class="button"
        onClick={() => offerToDrop(current.value!)}
        href={hrefOf({ world: "live", at: instantOf(at), view: "whatif", params: { about: twin.$dtId }, fresh: true })}
      >
        <Icon of={Wrench} />
        {words.repair.tryThere(format.time(at))}
      </a>
    </div>
  );
}
