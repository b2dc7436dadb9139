// SPDX-License-Identifier: Apache-2.0
// What waits for somebody, before all else: what is proposed for whom, what it brings, how long there is to decide.
import { useEffect, useState } from "preact/hooks";
import { ArrowRight, Clock } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import { readDecision, rules, waiting, type Decision, type DecisionShort } from "~/api/decisions";
import { useGone } from "~/api/holds";
import { hrefOf, isLive } from "~/app/route";
import { Icon } from "~/ui/basic";
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
      <Icon of={Clock} size={14} /> {w.due(format.duration(Math.max(1000, Date.parse(due) - Date.now())))}
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
  const gone = useGone(whole);
  return (
    <article class="card proposal">
      <header class="row">
        <span class="grow small quiet ellipsis">
          {rule?.title ?? d.rule} · {labelOf(d.twin)}
        </span>
        {d.due && <Due due={d.due} />}
      </header>
      <h3>{actionTitle(rule, d.choice ?? "")}</h3>
      <div class="proposal-gain">
        <span class="figure">{gainText(d)}</span>
        <span class="small quiet">{gainInterval(d)}</span>
        <span class="tiny quiet">{w.atOnce}</span>
      </div>
      <NoLonger gone={gone} />
      <footer class="row">
        <a class="button plain" href={hrefOf({ params: { id: String(d.id) } })}>
          {w.look} <Icon of={ArrowRight} />
        </a>
        <span class="grow" />
        {isLive.value ? (
          <div class="row answers">
            <Refuse d={d} title={actionTitle(rule, d.choice ?? "")} />
            {whole && <Send d={whole} gone={gone} />}
          </div>
        ) : (
          <AnswerInLive />
        )}
      </footer>
    </article>
  );
}

export function Waiting() {
  if (!waiting.value.length) return null;
  return (
    <section class="proposals" aria-label={w.waitingFor}>
      {waiting.value.map((d) => (
        <One key={d.id} d={d} />
      ))}
    </section>
  );
}
