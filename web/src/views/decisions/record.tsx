// SPDX-License-Identifier: Apache-2.0
// One decision, whole: what set it off, what was tried and what that comes to, who said what, what was sent, what came
// of it against what was foretold, and whether it can be computed again.
import { useEffect, useMemo, useState } from "preact/hooks";
import { CircleCheck, CircleX, Columns2, History, RotateCcw, Undo2 } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import { decide, decisions, isOver, readDecision, replay, type Decision, type Replay } from "~/api/decisions";
import { isNeeded, overOf } from "~/api/holds";
import { useKpiNames, useKpis } from "~/api/kpis";
import { now } from "~/api/now";
import { instantOf } from "~/api/remedies";
import { hrefOf, isLive, select } from "~/app/route";
import { Ago, Button, Card, Chip, cls, Dialog, Icon, Skeleton, Wrong } from "~/ui/basic";
import { Chart } from "~/ui/chart";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { nameOf, valueText } from "~/views/whatif/say";
import { actionTitle, Alternatives } from "./alternatives";
import { Awaited } from "./awaited";
import { Call, logText } from "./call";
import { StateOf } from "./index";
import { AnswerInLive, Refuse } from "./refuse";
import { NoLonger, refusalOf, Send } from "./send";
import { ink, sideOf } from "./side";
import { Due } from "./waiting";

const w = words.decisions;

function Approve({ d, changed }: { d: Decision; changed: (d: Decision) => void }) {
  const [note, set] = useState("");
  const over = overOf(d.id);
  const stands = isNeeded(over);
  return (
    <div class={cls("approve notice", stands && "attention")}>
      <div class="grow">
        <div class="row" style={{ flexWrap: "wrap" }}>
          <span class="strong">{stands ? w.waits : w.notNeeded}</span>
          {d.approval?.due && <Due due={d.approval.due} />}
        </div>
        {d.command?.name && (
          <div class="small">
            {w.wouldSend} <Call c={d.command} /> → {labelOf(d.command.twin)}
          </div>
        )}
        <NoLonger d={d} over={over} />
        <input
          class="input"
          style={{ marginTop: 8 }}
          placeholder={w.note}
          aria-label={w.note}
          value={note}
          onInput={(e) => set(e.currentTarget.value)}
        />
      </div>
      <div class="column answers">
        {isLive.value ? (
          <>
            <Send d={d} over={over} note={note} changed={changed} />
            <Refuse d={d} title={actionTitle(d.definition, d.choice ?? "")} note={note} changed={changed} />
          </>
        ) : (
          <AnswerInLive />
        )}
      </div>
    </div>
  );
}

function Watched({ d }: { d: Decision }) {
  const x = d.watch!;
  const side = sideOf(x, useKpis().get(x.kpi)?.better);
  const left = w.leftTo[side];
  const kpi = useKpiNames().title(x.kpi);
  const begun = x.begin !== undefined;
  // Before the command was answered the band is told from 0 on: shown as if it were sent now.
  const shift = useMemo(() => (begun ? 0 : now()), [begun]);
  const time = useMemo(() => x.times.map((t) => (Date.parse(t) + shift) / 1000), [x.times, shift]);
  const seen = time.map((_, i) => x.seen[i] ?? null);
  return (
    <Card
      title={w.watch(kpi)}
      actions={
        begun &&
        (x.left ? (
          <Chip tone={side === "better" ? "attention" : "bad"}>{left}</Chip>
        ) : seen.some((v) => v !== null) ? (
          <Chip tone="ok">{w.inBand}</Chip>
        ) : (
          <Chip>{w.noValueYet}</Chip>
        ))
      }
    >
      <Chart
        height={180}
        label={w.watch(kpi)}
        title={<span class="small quiet">{w.bandIs(d.replications)}</span>}
        heading={w.watch(kpi)}
        lines={[
          {
            label: w.foretold,
            unit: x.unit,
            time,
            value: x.mean,
            low: x.low,
            high: x.high,
            level: 90, // 5 % to 95 % of the replications
            dash: true,
            colour: "var(--n6)",
          },
          { label: w.happened, unit: x.unit, time, value: seen, colour: "var(--c0)" },
        ]}
        marks={x.left ? [{ time: Date.parse(x.left) / 1000, label: left, colour: ink(side) }] : []}
      />
      {x.left && <p class="small quiet">{w.followedUntil(format.time(x.left))}</p>}
    </Card>
  );
}

/** It acts on the device: it is asked. */
function Rollback({ d, changed }: { d: Decision; changed: (d: Decision) => void }) {
  const [open, set] = useState(false);
  const act = () => {
    set(false);
    decide(d.id, "rollback", "").then(changed, tellError);
  };
  return (
    <>
      <Button icon={Undo2} look="danger" onClick={() => set(true)}>
        {w.rollback}
      </Button>
      <Dialog
        title={w.rollback}
        open={open}
        close={() => set(false)}
        footer={
          <>
            <Button onClick={() => set(false)}>{words.cancel}</Button>
            <Button look="danger" icon={Undo2} onClick={act}>
              {w.rollback}
            </Button>
          </>
        }
      >
        <p>{w.rollbackSure}</p>
      </Dialog>
    </>
  );
}

/** What people said, and what the device answered. */
function Said({ d }: { d: Decision }) {
  const c = d.command;
  const answer = c?.answered && (c.error || (c.status !== undefined && c.status >= 400) ? "bad" : "ok");
  if (!d.approval?.by.length && !c?.sent) return null;
  return (
    <Card title={w.said}>
      <ul class="column">
        {d.approval?.by.map((a) => (
          <li key={a.who + a.at} class="row small" style={{ flexWrap: "wrap" }}>
            <Chip tone={a.verdict.startsWith("approve") ? "ok" : "bad"}>{w.verdict(a.verdict)}</Chip>
            <span>{a.who}</span>
            <span class="quiet" title={format.exactTime(a.at)}>
              {format.time(a.at)}
            </span>
            {a.note && <span class="grow">“{a.note}”</span>}
          </li>
        ))}
        {c?.sent && (
          <li class="row small" style={{ flexWrap: "wrap" }}>
            <Chip tone={answer === "ok" ? "ok" : answer === "bad" ? "bad" : "world"}>
              {c.answered ? (answer === "bad" ? w.declined : w.taken) : w.sent}
            </Chip>
            <Call c={c} />
            <span class="quiet" title={format.exactTime(c.sent)}>
              {format.time(c.sent)}
            </span>
            {answer === "bad" && <span class="grow">{refusalOf(c)}</span>}
          </li>
        )}
      </ul>
    </Card>
  );
}

function Again({ id }: { id: number }) {
  const [result, set] = useState<Replay>();
  const [busy, setBusy] = useState(false);
  const [error, fail] = useState<unknown>();
  const run = async () => {
    setBusy(true);
    fail(undefined);
    await replay(id).then(set, fail);
    setBusy(false);
  };
  return (
    <div class="row">
      <Button icon={RotateCcw} busy={busy} onClick={() => void run()} title={w.replayHint}>
        {w.replay}
      </Button>
      {result &&
        (result.same ? (
          <Chip tone="ok" icon={CircleCheck}>
            {w.same}
          </Chip>
        ) : (
          <Chip tone="bad" icon={CircleX}>
            {w.differs}
          </Chip>
        ))}
      {error !== undefined && <Wrong error={error} />}
    </div>
  );
}

export function Record({ id }: { id: number }) {
  const [d, set] = useState<Decision>();
  const [error, fail] = useState<unknown>();
  const short = decisions.value.find((x) => x.id === id);
  const watching = d?.state === "watching";
  useEffect(() => {
    const abort = new AbortController();
    const read = () => readDecision(id, abort.signal).then(set, (e: unknown) => !abort.signal.aborted && fail(e));
    void read();
    const timer = watching ? setInterval(read, 5000) : 0;
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [id, short?.state, watching]);
  if (error !== undefined && !d) return <Wrong error={error} />;
  if (!d) return <Skeleton lines={8} />;
  const ahead = format.duration(format.isoDuration(d.ahead));
  const undo = d.definition.actions.find((a) => a.name === d.choice)?.undo;
  return (
    <div class="column" style={{ gap: 16 }}>
      <div class="finding">
        {d.why ? format.told(d.why) : words.decisions.state[d.state as keyof typeof words.decisions.state]}
      </div>
      <div class="row small quiet record-line">
        <StateOf state={d.state} id={d.id} />
        <span>{w.asked(d.by ?? "")}</span>
        <Ago time={d.trigger.at} />
        <button type="button" class="button plain" onClick={() => select(d.twin)}>
          {labelOf(d.twin)}
        </button>
        <a
          class="button plain"
          href={hrefOf({
            world: "live",
            at: instantOf(d.trigger.at),
            view: "overview",
            params: { sel: d.twin },
            fresh: true,
          })}
        >
          <Icon of={History} />
          {w.seeThen}
        </a>
        <a
          class="button plain"
          href={hrefOf({
            world: "live",
            at: instantOf(d.trigger.at),
            view: "compare",
            params: { with: "live@", sel: d.twin },
            fresh: true,
          })}
        >
          <Icon of={Columns2} />
          {words.compare.thenNow}
        </a>
        <span class="grow" />
        <Again id={id} />
        {undo && isLive.value && d.command?.answered && !isOver(d.state) && <Rollback d={d} changed={set} />}
      </div>
      {d.state === "waiting" && <Approve d={d} changed={set} />}
      <Awaited d={d} />
      {d.state === "proposing" && <p role="status">{w.computing}</p>}
      {d.alternatives.length > 0 && (
        <Card title={w.triedFrom(format.time(d.trigger.at), d.replications, ahead)}>
          <Alternatives d={d} />
        </Card>
      )}
      {d.watch && (d.watch.begin || !isOver(d.state)) && <Watched d={d} />}
      <Said d={d} />
      <div class="halves">
        <Card title={w.trigger}>
          <ul class="column">
            {d.trigger.values.map((v) => (
              <li class="row small" key={v.twin + v.property}>
                <span class="grow ellipsis">
                  {labelOf(v.twin)}, {nameOf(v.twin, v.property)}
                </span>
                <span class="strong">{valueText(v.twin, v.property, v.value)}</span>
              </li>
            ))}
          </ul>
          <p class="small quiet" style={{ marginTop: 8 }}>
            {words.decisions.whenHolds} <code>{d.definition.when}</code>
          </p>
          {!d.by && (
            <p class="small quiet" title={format.exactTime(d.trigger.since)}>
              {w.heldSince(format.time(d.trigger.since))}
            </p>
          )}
        </Card>
        <Card title={w.log} bare>
          <ol class="log">
            {d.log.map((l, i) => (
              <li key={i}>
                <time class="tiny quiet" title={format.exactTime(l.at)}>
                  {format.time(l.at)}
                </time>
                <span title={l.what}>{logText(l.what, d.command, labelOf)}</span>
              </li>
            ))}
          </ol>
        </Card>
      </div>
    </div>
  );
}
