// SPDX-License-Identifier: Apache-2.0
// Decisions: what waits for people first, then what was decided, the rules behind them, and the switch that stops all.
import { useState } from "preact/hooks";
import { ArrowLeft, OctagonPause, Play, Scale } from "lucide-preact";
import {
  askDecisions,
  decisions,
  decisionsError,
  decisionsRead,
  readRules,
  rules,
  ruleTitle,
  stopAll,
  stopped,
} from "~/api/decisions";
import { isNeeded, overOf } from "~/api/holds";
import { labelOf } from "~/api/catalogue";
import { go, hrefOf, route } from "~/app/route";
import { Ago, Button, Card, Chip, Dialog, Empty, Icon, Skeleton, Wrong, type Tone } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { useRead } from "~/ui/read";
import { words } from "~/words/en";
import { actionTitle } from "./alternatives";
import { gainInterval, gainText } from "./gain";
import { Record } from "./record";
import { OfLive } from "./refuse";
import { RulePage } from "./rule";
import { Rules } from "./rules";
import { Waiting } from "./waiting";
import "./decisions.css";

const TONES: { [state: string]: Tone } = {
  waiting: "attention",
  watching: "world",
  sending: "world",
  approved: "world",
  proposing: "world",
  kept: "ok",
  left: "bad",
  failed: "bad",
  unknown: "bad",
  rolledBack: "attention",
};

export function StateOf({ state, id }: { state: string; id: number }) {
  if (state === "waiting" && !isNeeded(overOf(id))) return <Chip>{words.decisions.lapses}</Chip>;
  return (
    <Chip tone={TONES[state] ?? ""}>{words.decisions.state[state as keyof typeof words.decisions.state] ?? state}</Chip>
  );
}

/** The whole row leads there, not the link alone; who marks a text or wants another tab is left alone. */
function openRow(e: MouseEvent, id: number): void {
  if ((e.target as Element).closest("a, button") || getSelection()?.toString()) return;
  const params = { id: String(id) };
  if (e.ctrlKey || e.metaKey) window.open(hrefOf({ params }), "_blank");
  else go({ params });
}

function List() {
  if (!decisionsRead.value && decisionsError.value !== undefined)
    return (
      <div class="read-inset">
        <Wrong error={decisionsError.value} retry={askDecisions} />
      </div>
    );
  if (!decisionsRead.value) return <Skeleton lines={5} />;
  if (!decisions.value.length)
    return <Empty icon={Scale} title={words.decisions.none} hint={words.decisions.noneHint} />;
  return (
    <div class="scroll">
      <table class="table decision-table">
        <thead>
          <tr>
            <th>{words.decisions.when}</th>
            <th>{words.decisions.rule}</th>
            <th>{words.whatif.twin}</th>
            <th>{words.decisions.choice}</th>
            <th class="num">{words.decisions.gain}</th>
            <th>{words.decisions.stands}</th>
          </tr>
        </thead>
        <tbody>
          {decisions.value.map((d) => (
            <tr key={d.id} class="opens" onClick={(e) => openRow(e, d.id)}>
              <td class="small">
                <Ago time={d.at} />
              </td>
              <td>
                <a href={hrefOf({ params: { id: String(d.id) } })}>{titleOf(d.rule)}</a>
              </td>
              <td>{labelOf(d.twin)}</td>
              <td>{d.choice ? actionTitle(ruleOf(d.rule), d.choice) : "–"}</td>
              <td class="num" title={gainInterval(d)}>
                {gainText(d)}
              </td>
              <td>
                <StateOf state={d.state} id={d.id} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const ruleOf = (name: string) => rules.value.find((r) => r.name === name);
const titleOf = ruleTitle;

/** The kill switch. */
function Stop() {
  const [asking, ask] = useState(false);
  const set = (on: boolean) => {
    ask(false);
    stopAll(on).then(() => (stopped.value = on), tellError);
  };
  if (stopped.value)
    return (
      <Button icon={Play} look="primary" onClick={() => set(false)}>
        {words.decisions.resume}
      </Button>
    );
  return (
    <>
      <Button look="danger" icon={OctagonPause} onClick={() => ask(true)}>
        {words.decisions.stop}
      </Button>
      <Dialog
        title={words.decisions.stop}
        open={asking}
        close={() => ask(false)}
        footer={
          <>
            <Button onClick={() => ask(false)}>{words.cancel}</Button>
            <Button look="danger" icon={OctagonPause} onClick={() => set(true)}>
              {words.decisions.stop}
            </Button>
          </>
        }
      >
        <p>{words.decisions.stopSure}</p>
      </Dialog>
    </>
  );
}

function Title({ id, rule }: { id: number; rule: string }) {
  const d = decisions.value.find((x) => x.id === id);
  if (id)
    return (
      <div class="grow">
        <h1>{d ? `${titleOf(d.rule)}: ${labelOf(d.twin)}` : words.decisions.one(id)}</h1>
        {d && <span class="small quiet">{words.decisions.one(id)}</span>}
      </div>
    );
  return <h1>{rule === "*" ? words.decisions.newRule : rule ? titleOf(rule) : words.decisions.title}</h1>;
}

export default function Decisions() {
  const refused = useRead(readRules);
  const id = Number(route.value.params.id ?? "");
  const rule = route.value.params.rule ?? "";
  return (
    <div class="view page">
      <div class="page-inner">
        {(id > 0 || rule) && (
          <a class="small row back-link" href={hrefOf({ params: { id: null, rule: null } })}>
            <Icon of={ArrowLeft} size={14} /> {words.decisions.all}
          </a>
        )}
        <div class="page-head">
          <Title id={id} rule={rule} />
          <Stop />
        </div>
        {rule && refused}
        <OfLive />
        {stopped.value && (
          <div class="notice attention headline" role="status">
            <Icon of={OctagonPause} />
            {words.decisions.stopped}
          </div>
        )}
        {id ? (
          <Record key={id} id={id} />
        ) : rule ? (
          <RulePage key={rule} name={rule} />
        ) : (
          <div class="column" style={{ gap: 16 }}>
            <Waiting />
            <Card title={words.decisions.list} bare>
              <List />
            </Card>
            <Rules refused={refused} />
          </div>
        )}
      </div>
    </div>
  );
}
