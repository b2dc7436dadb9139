// SPDX-License-Identifier: Apache-2.0
// On top of a twin: what is wrong with it since when, and the two steps that help: see how it began, try a repair.
import { CircleAlert, GitFork, History, Wrench } from "lucide-preact";
import { useFault } from "~/api/began";
import { instantOf } from "~/api/remedies";
import type { Twin } from "~/api/types";
import { go, hrefOf, kind, route } from "~/app/route";
import { Ago, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import "./trouble.css";

const w = words.repair;

export function Trouble({ twin }: { twin: Twin }) {
  const fault = useFault(twin);
  const id = twin.$dtId;
  // On a phone the details would lie over what they lead to.
  const about = hrefOf({ view: "whatif", params: { about: id, sel: innerWidth > 900 ? id : null }, fresh: true });
  if (!fault)
    return (
      <div class="trouble calm row">
        <a class="button plain" href={about} title={w.whatIfHint}>
          <Icon of={GitFork} />
          {w.whatIfButton}
        </a>
      </div>
    );
  const at = fault.since && instantOf(fault.since);
  const there = at === route.value.at;
  return (
    <div class="trouble bad">
      <div class="row">
        <Icon of={CircleAlert} />
        <span class="strong grow">{typeof fault.value === "string" ? fault.value : fault.property.name}</span>
        {fault.since && (
          <span class="small" title={format.exactTime(fault.since)}>
            {kind.value === "live" ? <Ago time={fault.since} /> : format.time(fault.since)}
          </span>
        )}
      </div>
      <div class="row" style={{ flexWrap: "wrap" }}>
        <a class="button primary" href={about} data-tour="repair">
          <Icon of={Wrench} />
          {w.button}
        </a>
        {at && route.value.world === "live" && !there && (
          <button type="button" class="button" onClick={() => go({ at })}>
            <Icon of={History} />
            {w.seeBegan}
          </button>
        )}
      </div>
    </div>
  );
}
