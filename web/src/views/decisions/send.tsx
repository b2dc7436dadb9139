// SPDX-License-Identifier: Apache-2.0
// To approve is to act on a device: what leaves, for whom, and whether it can be undone is said before, and what came
// of it is told after. A cause that is gone meanwhile is told as well.
import { useState } from "preact/hooks";
import { Check, TriangleAlert } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import { decide, readDecision, type Decision, type Sent } from "~/api/decisions";
import { isNeeded, type Over } from "~/api/holds";
import { hrefOf } from "~/app/route";
import { Button, Dialog, Icon } from "~/ui/basic";
import { tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { nameOf, valueText } from "~/views/whatif/say";
import { Call, commandTitle } from "./call";

const w = words.decisions;
const ASK_MS = 300;
const PATIENCE_MS = 20_000;

export const callOf = (c: Pick<Sent, "name" | "payload">): string =>
  `${c.name}(${c.payload === undefined ? "" : JSON.stringify(c.payload)})`;

const SAYS = ["message", "why", "reason", "error", "detail"]; // as devices call what they say

/** The sentence in an answer: a text, a document with one in it, or such a document as a text. */
function sentenceIn(a: unknown): string {
  if (typeof a === "string" && a.startsWith("{")) {
    try {
      return sentenceIn(JSON.parse(a)) || a;
    } catch {
      return a;
    }
  }
  if (typeof a === "string") return a;
  if (typeof a !== "object" || a === null) return "";
  return SAYS.map((m) => sentenceIn((a as Record<string, unknown>)[m])).find((said) => said) ?? "";
}

/** Its own words, where a device has some. */
export const refusalOf = (c: Sent | undefined): string => sentenceIn(c?.answer) || (c?.error ?? "");

/** The state that follows: a device needs its time. */
async function settled(d: Decision): Promise<Decision> {
  const end = Date.now() + PATIENCE_MS;
  while ((d.state === "approved" || d.state === "sending") && Date.now() < end) {
    await new Promise((over) => setTimeout(over, ASK_MS));
    d = await readDecision(d.id);
  }
  return d;
}

const tookText = (c: Sent | undefined): string =>
  c?.answered ? w.deviceTook(labelOf(c.twin), format.time(c.answered)) : w.stateIs(w.state.watching);

function tellOf(d: Decision): void {
  if (d.state === "failed") {
    const why = refusalOf(d.command);
    const refused = (d.command?.status ?? 0) >= 400;
    tell(why ? (refused ? w.deviceRefused(why) : w.notSent(why)) : w.failed, { bad: true });
  } else if (d.state === "waiting") tell(w.othersToo);
  else if (d.state === "approved" || d.state === "sending") tell(w.noAnswerYet);
  else if (d.state === "watching" || d.state === "kept") tell(tookText(d.command));
  else tell(w.stateIs(words.decisions.state[d.state as keyof typeof words.decisions.state] ?? d.state));
}

/** "Fault is none since 09:51:12" */
function goneText({ twin, property, now, since }: Over["gone"][number]): string {
  const name = nameOf(twin, property);
  const empty = now === undefined || now === null || now === "";
  const at = since ? format.time(since) : "";
  return empty ? w.isEmpty(name, at) : w.isNow(name, valueText(twin, property, now), at);
}

/** "It no longer holds: Fault is none since 09:51:12.", or who sent the same already. */
export function NoLonger({ d, over: { gone, sent } }: { d: Pick<Decision, "twin">; over: Over }) {
  if (!gone.length && !sent) return null;
  return (
    <p class="row small no-longer" role="status">
      <Icon of={TriangleAlert} size={16} />
      <span>
        {sent && (
          <>
            <a href={hrefOf({ params: { id: String(sent.id) } })}>{w.one(sent.id)}</a>{" "}
            {w.sentSame(labelOf(d.twin), format.time(sent.at))}{" "}
          </>
        )}
        {gone.length > 0 && w.noLonger(gone.map(goneText).join(", "))}
      </span>
    </p>
  );
}

interface Props {
  d: Decision;
  over: Over;
  note?: string;
  changed?: (d: Decision) => void;
}

export function Send({ d, over, note = "", changed }: Props) {
  const [asking, ask] = useState(false);
  const [busy, setBusy] = useState(false);
  const action = d.definition.actions.find((a) => a.name === d.choice);
  const stands = isNeeded(over);
  const title = stands ? w.approve : w.approveAnyway;
  const c = d.command;
  const act = async () => {
    ask(false);
    setBusy(true);
    try {
      const first = await decide(d.id, "approve", note);
      changed?.(first);
      const then = await settled(first);
      if (then !== first) changed?.(then);
      tellOf(then);
    } catch (e) {
      tellError(e);
    }
    setBusy(false);
  };
  return (
    <>
      <Button look={stands ? "primary" : ""} icon={Check} busy={busy} onClick={() => ask(true)}>
        {title}
      </Button>
      <Dialog
        title={c?.name ? w.sendTitle(commandTitle(c), labelOf(c.twin)) : w.approveTitle}
        open={asking}
        close={() => ask(false)}
        footer={
          <>
            <Button autofocus onClick={() => ask(false)}>
              {words.cancel}
            </Button>
            <Button look={stands ? "primary" : "danger"} icon={Check} onClick={() => void act()}>
              {title}
            </Button>
          </>
        }
      >
        <div class="column" style={{ gap: 12 }}>
          <NoLonger d={d} over={over} />
          {c?.name && (
            <p>
              {w.wouldSend} <Call c={c} /> → <span class="strong">{labelOf(c.twin)}</span>{" "}
              <code>{c.twin}</code>
            </p>
          )}
          <p class="small quiet">{action?.undo ? w.canUndo : w.cannotUndo}</p>
        </div>
      </Dialog>
    </>
  );
}
