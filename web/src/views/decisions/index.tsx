// SPDX-License-Identifier: Apache-2.0
// Decisions: what waits for people first, then what was decided, the rules behind them, and the switch that stops all.
import { useEffect } from "preact/hooks";
import { OctagonPause, Play, Scale } from "lucide-preact";
import { decisions, decisionsRead, readRules, rules, stopAll, stopped, type DecisionShort } from "~/api/decisions";
import { labelOf } from "~/api/catalogue";
import { hrefOf, route } from "~/app/route";
import { Ago, Button, Card, Chip, Empty, Skeleton, type Tone } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { Record } from "./record";
import { Rules } from "./rules";
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

export function StateOf({ state }: { state: string }) {
  return (
    <Chip tone={TONES[state] ?? ""}>{words.decisions.state[state as keyof typeof words.decisions.state] ?? state}</Chip>
  );
}

export function gainText(d: DecisionShort): string {
  if (d.gain === undefined || d.gain === null) return "";
  return `${d.gain > 0 ? "+" : ""}${format.number(d.gain)} ${d.unit ?? ""}`;
}

function List() {
  if (!decisionsRead.value) return <Skeleton lines={5} />;
  if (!decisions.value.length)
    return <Empty icon={Scale} title={words.decisions.none} hint={words.decisions.noneHint} />;
  return (
    <table class="table">
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
          <tr key={d.id} aria-selected={route.value.params.id === String(d.id)}>
            <td class="small">
              <Ago time={d.at} />
            </td>
            <td>
              <a href={hrefOf({ params: { id: String(d.id) } })}>{titleOf(d.rule)}</a>
            </td>
            <td>{labelOf(d.twin)}</td>
            <td>{d.choice ?? "–"}</td>
            <td class="num">{gainText(d)}</td>
            <td>
              <StateOf state={d.state} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const titleOf = (rule: string) => rules.value.find((r) => r.name === rule)?.title ?? rule;

export default function Decisions() {
  useEffect(() => void readRules().catch(() => {}), []);
  const id = Number(route.value.params.id ?? "");
  const set = (on: boolean) => void stopAll(on).then(() => (stopped.value = on), tellError);
  return (
    <div class="view page">
      <div class="page-inner">
        <div class="page-head">
          <h1>{id ? words.decisions.one(id) : words.decisions.title}</h1>
          {id > 0 && (
            <a class="button" href={hrefOf({ params: { id: null } })}>
              {words.decisions.all}
            </a>
          )}
          {stopped.value ? (
            <Button icon={Play} onClick={() => set(false)}>
              {words.decisions.resume}
            </Button>
          ) : (
            <Button look="danger" icon={OctagonPause} onClick={() => confirm(words.decisions.stopSure) && set(true)}>
              {words.decisions.stop}
            </Button>
          )}
        </div>
        {stopped.value && (
          <div class="notice attention headline" role="status">
            {words.decisions.stopped}
          </div>
        )}
        {id ? (
          <Record key={id} id={id} />
        ) : (
          <div class="column" style={{ gap: 16 }}>
            <Card title={words.decisions.list} bare>
              <List />
            </Card>
            <Rules />
          </div>
        )}
      </div>
    </div>
  );
}
