// SPDX-License-Identifier: Apache-2.0
// One decision, whole: what set it off, what was tried and what that comes to, who said what, what was sent, what came
// of it against what was foretold, and whether it can be computed again.
import { useEffect, useMemo, useState } from "preact/hooks";
import { Check, CircleCheck, CircleX, RotateCcw, Undo2, X } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import {
  decide,
  decisions,
  isOver,
  readDecision,
  replay,
  type Alternative,
  type Decision,
  type Replay,
} from "~/api/decisions";
import { go, select } from "~/app/route";
import { Ago, Button, Card, Chip, Skeleton, Wrong } from "~/ui/basic";
import { Chart } from "~/ui/chart";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { StateOf } from "./index";

const w = words.decisions;

/** Interval of the gain on one scale for all alternatives. */
function GainBar({ a, low, high }: { a: Alternative; low: number; high: number }) {
  const o = a.objective;
  if (o.gain === null || o.gainLow === null || o.gainHigh === null) return null;
  const span = high - low || 1;
  const x = (v: number) => 8 + ((v - low) / span) * 184;
  const tone = o.gainLow > 0 ? "var(--ok)" : o.gainHigh < 0 ? "var(--bad)" : "var(--n6)";
  return (
    <svg
      class="gain"
      viewBox="0 0 200 18"
      role="img"
      aria-label={`${format.number(o.gainLow)} to ${format.number(o.gainHigh)}`}
    >
      <line x1={x(0)} x2={x(0)} y1="0" y2="18" stroke="var(--n5)" />
      <line
        x1={x(o.gainLow)}
        x2={x(o.gainHigh)}
        y1="9"
        y2="9"
        stroke={tone}
        stroke-width="6"
        stroke-linecap="round"
        opacity="0.35"
      />
      <circle cx={x(o.gain)} cy="9" r="4.5" fill={tone} />
    </svg>
  );
}

function Alternatives({ d }: { d: Decision }) {
  const known = d.alternatives.filter((a) => a.objective.gainLow !== null);
  const low = Math.min(0, ...known.map((a) => a.objective.gainLow!));
  const high = Math.max(0, ...known.map((a) => a.objective.gainHigh!));
  const unit = d.objective?.unit ?? "";
  const title = (name: string) =>
    d.definition.actions.find((a) => a.name === name)?.title ?? (name === "nothing" ? w.nothing : name);
  return (
    <table class="table">
      <thead>
        <tr>
          <th>{w.action}</th>
          <th class="num">{d.objective?.kpi}</th>
          <th class="num">{w.gainOver}</th>
          <th style={{ width: 210 }}>{w.interval}</th>
          <th>{w.limits}</th>
        </tr>
      </thead>
      <tbody>
        {d.alternatives.map((a) => (
          <tr key={a.action} aria-selected={a.action === d.choice}>
            <td>
              {title(a.action)}{" "}
              {a.action === d.choice && (
                <Chip tone="world" icon={Check}>
                  {w.chosen}
                </Chip>
              )}
            </td>
            <td class="num">{a.objective.mean === null ? "–" : `${format.number(a.objective.mean)} ${unit}`}</td>
            <td class="num">
              {a.action === "nothing" || a.objective.gain === null
                ? "–"
                : `${a.objective.gain > 0 ? "+" : ""}${format.number(a.objective.gain)}`}
            </td>
            <td>{a.action !== "nothing" && <GainBar a={a} low={low} high={high} />}</td>
            <td>
              {a.dropped ? (
                <Chip tone="bad" icon={CircleX} title={a.dropped}>
                  {w.breaks(
                    a.limits
                      .filter((l) => !l.holds)
                      .map((l) => l.kpi)
                      .join(", "),
                  )}
                </Chip>
              ) : (
                <Chip tone="ok" icon={CircleCheck}>
                  {w.within}
                </Chip>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Approve({ d, changed }: { d: Decision; changed: (d: Decision) => void }) {
  const [note, set] = useState("");
  const [busy, setBusy] = useState(false);
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  const act = async (verb: "approve" | "refuse") => {
    setBusy(true);
    try {
      changed(await decide(d.id, verb, note));
    } catch (e) {
      tellError(e);
    }
    setBusy(false);
  };
  const left = d.approval?.due ? Date.parse(d.approval.due) - Date.now() : NaN;
  return (
    <div class="approve notice attention">
      <div class="grow">
        <div class="strong">{w.waits(Number.isNaN(left) ? "" : format.duration(Math.max(1000, left)))}</div>
        {d.command?.name && (
          <div class="small">
            {w.wouldSend}{" "}
            <code>
              {d.command.name}({d.command.payload === undefined ? "" : JSON.stringify(d.command.payload)})
            </code>{" "}
            → {labelOf(d.command.twin)}
          </div>
        )}
        <input
          class="input"
          style={{ marginTop: 8 }}
          placeholder={w.note}
          aria-label={w.note}
          value={note}
          onInput={(e) => set(e.currentTarget.value)}
        />
      </div>
      <div class="column">
        <Button look="primary" icon={Check} busy={busy} onClick={() => void act("approve")}>
          {w.approve}
        </Button>
        <Button look="danger" icon={X} busy={busy} onClick={() => void act("refuse")}>
          {w.refuse}
        </Button>
      </div>
    </div>
  );
}

function Watched({ d }: { d: Decision }) {
  const x = d.watch!;
  const begun = x.begin !== undefined;
  // Before the command was answered the band is told from 0 on: shown as if it were sent now.
  const shift = useMemo(() => (begun ? 0 : Date.now()), [begun]);
  const time = useMemo(() => x.times.map((t) => (Date.parse(t) + shift) / 1000), [x.times, shift]);
  const seen = time.map((_, i) => x.seen[i] ?? null);
  return (
    <Card
      title={w.watch(x.kpi)}
      actions={begun && (x.left ? <Chip tone="bad">{w.leftBand}</Chip> : <Chip tone="ok">{w.inBand}</Chip>)}
    >
      <Chart
        height={180}
        label={w.watch(x.kpi)}
        lines={[
          {
            label: w.foretold,
            unit: x.unit,
            time,
            value: x.mean,
            low: x.low,
            high: x.high,
            dash: true,
            colour: "var(--n6)",
          },
          { label: w.happened, unit: x.unit, time, value: seen, colour: "var(--c0)" },
        ]}
        marks={x.left ? [{ time: Date.parse(x.left) / 1000, label: w.leftBand, colour: "var(--bad)" }] : []}
      />
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
  if (error && !d) return <Wrong error={error} />;
  if (!d) return <Skeleton lines={8} />;
  const undo = d.definition.actions.find((a) => a.name === d.choice)?.undo;
  return (
    <div class="column" style={{ gap: 16 }}>
      <div class="finding">{d.why ?? words.decisions.state[d.state as keyof typeof words.decisions.state]}</div>
      <div class="row small quiet" style={{ flexWrap: "wrap" }}>
        <StateOf state={d.state} />
        <span>{d.definition.title ?? d.rule}</span>
        <button type="button" class="button plain" onClick={() => select(d.twin)}>
          {labelOf(d.twin)}
        </button>
        <Ago time={d.trigger.at} />
        <button
          type="button"
          class="button plain"
          onClick={() => go({ world: "live", at: d.trigger.at, view: "overview", params: { sel: d.twin, id: null } })}
        >
          {w.seeThen}
        </button>
        <span class="grow" />
        <Again id={id} />
        {undo && d.command?.answered && !isOver(d.state) && (
          <Button
            icon={Undo2}
            look="danger"
            onClick={() => confirm(w.rollbackSure) && void decide(id, "rollback", "").then(set, tellError)}
          >
            {w.rollback}
          </Button>
        )}
      </div>
      {d.state === "waiting" && <Approve d={d} changed={set} />}
      {d.alternatives.length > 0 && (
        <Card title={w.tried(d.replications, format.duration(format.isoDuration(d.ahead)))} bare>
          <div class="scroll">
            <Alternatives d={d} />
          </div>
        </Card>
      )}
      {d.watch && <Watched d={d} />}
      <div class="halves">
        <Card title={w.trigger}>
          <ul class="column">
            {d.trigger.values.map((v) => (
              <li class="row small" key={v.twin + v.property}>
                <span class="grow ellipsis">
                  {labelOf(v.twin)}, {v.property}
                </span>
                <span class="strong">{format.value(v.value)}</span>
              </li>
            ))}
          </ul>
          <p class="small quiet" style={{ marginTop: 8 }}>
            {words.decisions.whenHolds} <code>{d.definition.when}</code>
          </p>
        </Card>
        <Card title={w.log} bare>
          <ol class="log">
            {d.log.map((l, i) => (
              <li key={i}>
                <time class="tiny quiet" title={format.exactTime(l.at)}>
                  {format.time(l.at)}
                </time>
                <span>{l.what}</span>
              </li>
            ))}
          </ol>
        </Card>
      </div>
    </div>
  );
}
