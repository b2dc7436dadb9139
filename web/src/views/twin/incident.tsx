// SPDX-License-Identifier: Apache-2.0
// Under the title of a twin in trouble: what is wrong, since when, and what helps: try the repair, see how it began,
// answer the decision that waits.
import { CircleAlert, History, Scale, Wrench } from "lucide-preact";
import { attentionOf, began, sayingOf } from "~/api/attention";
import { useFault } from "~/api/began";
import type { Twin } from "~/api/types";
import { beforeOf } from "~/app/before";
import { worldNow } from "~/app/clock";
import { decisionsHere } from "~/app/needs";
import { go, hrefOf, kind } from "~/app/route";
import { Ago, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.twin;
const LATER_MS = 86_400_000; // so old a beginning is told with its age alone

function Since({ t }: { t: number | null | undefined }) {
  if (t === undefined) return null;
  if (t === null) return <span class="small">{w.incidentLong}</span>;
  return (
    <span class="small" title={format.exactTime(t)}>
      {worldNow() - t < LATER_MS && `${w.incidentSince(format.minute(t))}, `}
      <Ago time={t} now={worldNow} />
    </span>
  );
}

export function Incident({ twin }: { twin: Twin }) {
  const id = twin.$dtId;
  const fault = useFault(twin);
  const wrong = attentionOf.value.get(id);
  if (!wrong) return null;
  const since = began.value.get(id) ?? (fault?.since ? Date.parse(fault.since) : began.value.get(id));
  const waits = decisionsHere().find((d) => d.twin === id);
  return (
    <section class="incident" aria-label={w.incident}>
      <Icon of={CircleAlert} />
      <span class="strong">{sayingOf(id, wrong.property, wrong.text)}</span>
      <Since t={since} />
      <span class="grow" />
      <a class="button primary" href={hrefOf({ view: "whatif", params: { about: id, sel: id }, fresh: true })}>
        <Icon of={Wrench} />
        {words.repair.button}
      </a>
      {since && kind.value === "live" && (
        <button
          type="button"
          class="button"
          title={words.needs.backAbout}
          onClick={() => go({ at: beforeOf(since) })}
        >
          <Icon of={History} />
          {words.needs.back}
        </button>
      )}
      {waits && (
        <a class="button" href={hrefOf({ world: "live", view: "decisions", params: { id: String(waits.id) } })}>
          <Icon of={Scale} />
          {w.decisionWaits}
        </a>
      )}
    </section>
  );
}
