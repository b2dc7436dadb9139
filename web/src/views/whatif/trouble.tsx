// SPDX-License-Identifier: Apache-2.0
// On top of a twin: what is wrong with it since when, and the two steps that help: see how it began, try a repair.
import { CircleAlert, GitFork, History, Wrench } from "lucide-preact";
import { useFault } from "~/api/began";
import type { Twin } from "~/api/types";
import { beforeOf } from "~/app/before";
import { Forward } from "~/app/forward";
import { go, hrefOf, kind, route } from "~/app/route";
import { Ago, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { useLater } from "./later";
import "./trouble.css";

const w = words.repair;

export function Trouble({ twin }: { twin: Twin }) {
  const fault = useFault(twin);
  const later = useLater(twin, fault);
  const id = twin.$dtId;
  // On a phone the details would lie over what they lead to.
  const about = hrefOf({ view: "whatif", params: { about: id, sel: innerWidth > 900 ? id : null }, fresh: true });
  if (!fault)
    return (
      <div class="trouble calm row">
        {later && kind.value === "past" ? (
          <a class="button" href={about} data-tour="repair">
            <Icon of={Wrench} />
            {w.button}
          </a>
        ) : (
          <a class="button plain" href={about} title={w.whatIfHint}>
            <Icon of={GitFork} />
            {w.whatIfButton}
          </a>
        )}
        <Forward look="" />
      </div>
    );
  const at = fault.since && beforeOf(Date.parse(fault.since));
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
        {at && route.value.world === "live" && (
          <button type="button" class="button" title={words.needs.backAbout} onClick={() => go({ at })}>
            <Icon of={History} />
            {words.needs.back}
          </button>
        )}
        <Forward look="" />
      </div>
    </div>
  );
}
