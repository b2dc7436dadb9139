// SPDX-License-Identifier: Apache-2.0
// What waits for somebody, before all else: what is proposed for whom, what it brings, how long there is to decide.
import { useEffect, useState } from "preact/hooks";
import { ArrowRight, Clock } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import { readDecision, rules, ruleTitle, type Decision, type DecisionShort } from "~/api/decisions";
import { needed, notNeeded, overOf } from "~/api/holds";
import { now } from "~/api/now";
import { hrefOf, isLive } from "~/app/route";
import { Card, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { actionTitle } from "./alternatives";
import { gainInterval, gainText } from "./gain";
import { AnswerInLive, Refuse } from "./refuse";
import { NoLonger, Send } from "./send";

const w = words.decisions;

/** Counts down; true to the second. */
export function Due({ due }: { due: string }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return (
    <span class="row small quiet" title={format.exactTime(due)}>
      <Icon of={Clock} size={14} /> {w.due(format.duration(Math.max(1000, Date.parse(due) - now())))}
    </span>
  );
}

function One({ d }: { d: DecisionShort }) {
  const [whole, set] = useState<Decision>();
  const rule = rules.value.find((r) => r.name === d.rule);
  useEffect(() => {
    const abort = new AbortController();
    readDecision(d.id, abort.signal).then(set, () => {}); // its record says what is wrong
    return () => abort.abort();
  }, [d.id]);
  const ahead = format.isoDuration(rule?.ahead ?? "");
  return (
    <article class="card proposal">
      <header class="row">
        <span class="grow small quiet ellipsis">
          {ruleTitle(d.rule)} · {labelOf(d.twin)}
        </span>
        {d.due && <Due due={d.due} />}
      </header>
      <h3>{actionTitle(rule, d.choice ?? "")}</h3>
      <div class="proposal-gain">
        <span class="figure">{gainText(d)}</span>
        <span class="small quiet">{gainInterval(d)}</span>
        <span class="tiny quiet">{w.atOnce(ahead ? format.duration(ahead) : "")}</span>
      </div>
      <footer class="row">
        <a class="button plain" href={hrefOf({ params: { id: String(d.id) } })}>
          {w.look} <Icon of={ArrowRight} />
        </a>
        <span class="grow" />
        {isLive.value ? (
          <div class="row answers">
            <Refuse d={d} title={actionTitle(rule, d.choice ?? "")} />
            {whole && <Send d={whole} over={overOf(d.id)} />}
          </div>
        ) : (
          <AnswerInLive />
        )}
      </footer>
    </article>
  );
}

/** One whose time is over: said quietly, with why; what is to be done with it is to refuse it, or nothing. */
function Lapses({ d }: { d: DecisionShort }) {
  const rule = rules.value.find((r) => r.name === d.rule);
  return (
    <article class="lapses">
      <div class="grow">
        <div class="small">
          <a href={hrefOf({ params: { id: String(d.id) } })}>{actionTitle(rule, d.choice ?? "")}</a>{" "}
          <span class="quiet">
            {ruleTitle(d.rule)} · {labelOf(d.twin)}
          </span>
        </div>
        <NoLonger d={d} over={overOf(d.id)} />
      </div>
      {d.due && <Due due={d.due} />}
      {isLive.value && <Refuse d={d} title={actionTitle(rule, d.choice ?? "")} />}
    </article>
  );
}

export function Waiting() {
  return (
    <>
      {needed.value.length > 0 && (
        <section class="proposals" aria-label={w.waitingFor}>
          {needed.value.map((d) => (
            <One key={d.id} d={d} />
          ))}
        </section>
      )}
      {notNeeded.value.length > 0 && (
        <Card title={w.notNeeded} bare>
          {notNeeded.value.map((d) => (
            <Lapses key={d.id} d={d} />
          ))}
        </Card>
      )}
    </>
  );
}
