// SPDX-License-Identifier: Apache-2.0
// A command that was taken is not yet what it was sent for: when the device took it, what is awaited of it as the rule
// foretold it, and what of that was seen.
import { CircleCheck, Clock } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import type { Decision } from "~/api/decisions";
import { whenText } from "~/api/remedies";
import { timesOf, useTwin, valueAt } from "~/api/twin";
import type { Value } from "~/api/types";
import { Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { nameOf, valueText } from "~/views/whatif/say";

const w = words.decisions;
const plain = (v: Value | undefined) => (v === undefined || v === null ? "" : v);

interface Expected {
  at: string;
  twin: string;
  property: string;
  value: Value;
}

function One({ c, taken }: { c: Expected; taken: string }) {
  const { twin } = useTwin(c.twin, "live");
  const now = valueAt(twin, c.property);
  const { source, arrived } = timesOf(twin, c.property);
  const since = source ?? arrived ?? "";
  const name = `${labelOf(c.twin)}, ${nameOf(c.twin, c.property)}`;
  const text = (v: Value | undefined) => valueText(c.twin, c.property, plain(v));
  const seen = !!twin && JSON.stringify(plain(now)) === JSON.stringify(plain(c.value));
  return (
    <li class="row small" title={since && format.exactTime(since)}>
      <Icon of={seen ? CircleCheck : Clock} size={14} />
      {seen
        ? w.seen(name, text(c.value), since && Date.parse(since) > Date.parse(taken) ? format.time(since) : "")
        : w.awaited(name, text(c.value), whenText(c.at), text(now))}
    </li>
  );
}

const GOES_ON = new Set(["sending", "watching"]);

export function Awaited({ d }: { d: Decision }) {
  const c = d.command;
  const action = d.definition.actions.find((a) => a.name === d.choice);
  if (!c?.sent || !GOES_ON.has(d.state) || (c.status ?? 0) >= 400) return null;
  const taken = c.answered ?? c.sent;
  return (
    <div class="notice awaited" role="status">
      <ul class="column" style={{ gap: 4 }}>
        <li class="row strong" title={format.exactTime(taken)}>
          {c.answered ? w.took(labelOf(c.twin), format.time(taken)) : w.notYetTaken(labelOf(c.twin))}
        </li>
        {action?.changes?.map((x) => (
          <One key={x.property + x.at} c={{ ...x, twin: x.twin === "$twin" ? d.twin : x.twin }} taken={taken} />
        ))}
      </ul>
    </div>
  );
}
