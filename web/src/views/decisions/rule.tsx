// SPDX-License-Identifier: Apache-2.0
// One rule: what it says in words, how bold it is, and its text.
import type { ComponentChildren } from "preact";
import { labelOf } from "~/api/catalogue";
import { dropRule, putRule, readRule, rules, type Rule } from "~/api/decisions";
import { useKpiNames } from "~/api/kpis";
import { modelName } from "~/api/models";
import { go } from "~/app/route";
import { words } from "~/words/en";
import * as format from "~/format";
import { limitText } from "./alternatives";
import { DefinitionPage, Sentences, type Kind } from "./definition";
import { ModeOf } from "./rules";

const w = words.decisions;
const span = (iso: string) => format.duration(format.isoDuration(iso));

/** The rule as sentences; of a text that is being written, as far as it says something. */
function Said({ r }: { r: Partial<Rule> }) {
  const kpis = useKpiNames();
  const rows: [string, ComponentChildren][] = [];
  if (r.model || r.twin) rows.push([w.say.watches, r.twin ? labelOf(r.twin) : w.say.every(modelName(r.model!))]);
  if (r.when)
    rows.push([
      w.whenHolds,
      <>
        <code>{r.when}</code>
        {r.for && ` ${w.holdsFor(span(r.for))}`}
      </>,
    ]);
  if (r.actions?.length)
    rows.push([
      w.say.tries,
      <ul>
        <li>{w.nothing}</li>
        {r.actions.map((a) => (
          <li key={a.name}>
            {a.title ?? a.name}
            {a.cost ? <span class="quiet"> · {w.say.costs(format.number(a.cost))}</span> : null}
            {!a.command && <span class="quiet"> · {w.say.byPeople}</span>}
          </li>
        ))}
      </ul>,
    ]);
  if (r.ahead) rows.push([w.say.how, w.tried(r.replications ?? 30, span(r.ahead))]);
  if (r.objective) rows.push([w.say.best, kpis.title(r.objective.kpi)]);
  if (r.limits?.length) rows.push([w.limits, r.limits.map((l) => limitText(l, kpis)).join(", ")]);
  const mode = r.mode ?? "approve";
  const approval =
    mode === "approve"
      ? w.say.approval(
          r.approval?.people ?? 1,
          span(r.approval?.within ?? "PT15M"),
          (r.approval?.else ?? "refuse") === "act",
        )
      : w.modeHint[mode];
  rows.push([w.say.then, approval]);
  if (r.watch) rows.push([w.say.watch, w.say.watched(kpis.title(r.watch.kpi), span(r.watch.for))]);
  return <Sentences rows={rows} />;
}

const FIRST: Rule = {
  title: "",
  twin: "",
  when: "",
  for: "PT1M",
  mode: "shadow",
  ahead: "PT1H",
  objective: { kpi: "" },
  actions: [{ name: "first", title: "", changes: [{ at: "PT0S", twin: "$twin", property: "", value: 0 }] }],
};

const KIND: Kind<Rule> = {
  first: FIRST,
  read: readRule,
  put: putRule,
  drop: dropRule,
  say: (r) => <Said r={r} />,
  words: { named: w.ruleName, create: w.create, dropSure: w.dropRuleSure },
};

export function RulePage({ name }: { name: string }) {
  const known = rules.value.find((r) => r.name === name);
  return (
    <DefinitionPage
      kind={KIND}
      name={name}
      shown={(n) => go({ params: { rule: n }, replace: n !== null })}
      actions={known && <ModeOf rule={known} />}
      version={known?.mode}
      keep={(mine, read) => ({ ...mine, mode: read.mode })} // how bold it is was chosen above
    />
  );
}
