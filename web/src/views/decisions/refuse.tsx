// SPDX-License-Identifier: Apache-2.0
// To refuse cannot be taken back: it is asked, with a reason for the record if somebody has one. And where another
// world than live is shown, it is said whose decisions these are: they are answered in live.
import { useState } from "preact/hooks";
import { Radio, X } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import { decide, type Decision, type DecisionShort } from "~/api/decisions";
import { go, isLive } from "~/app/route";
import { Button, Dialog, Field, Icon } from "~/ui/basic";
import { tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";

const w = words.decisions;

interface Props {
  d: DecisionShort;
  title: string; // of what is refused
  note?: string;
  changed?: (d: Decision) => void;
}

export function Refuse({ d, title, note = "", changed }: Props) {
  const [asking, ask] = useState(false);
  const [busy, setBusy] = useState(false);
  const [reason, set] = useState("");
  const act = async () => {
    ask(false);
    setBusy(true);
    try {
      const now = await decide(d.id, "refuse", reason.trim());
      changed?.(now);
      tell(w.refused);
    } catch (e) {
      tellError(e);
    }
    setBusy(false);
  };
  const open = () => {
    set(note);
    ask(true);
  };
  return (
    <>
      <Button look="danger" icon={X} busy={busy} onClick={open}>
        {w.refuse}
      </Button>
      <Dialog
        title={w.refuseTitle(title, labelOf(d.twin))}
        open={asking}
        close={() => ask(false)}
        footer={
          <>
            <Button autofocus onClick={() => ask(false)}>
              {words.cancel}
            </Button>
            <Button look="danger" icon={X} onClick={() => void act()}>
              {w.refuse}
            </Button>
          </>
        }
      >
        <div class="column" style={{ gap: 12 }}>
          <p>{w.refuseSure}</p>
          <Field label={w.reason} for={`reason-${d.id}`}>
            <input id={`reason-${d.id}`} class="input" value={reason} onInput={(e) => set(e.currentTarget.value)} />
          </Field>
        </div>
      </Dialog>
    </>
  );
}

const toLive = () => go({ world: "live", at: "" });

/** In place of the answers, in another world than live. */
export function AnswerInLive() {
  return (
    <Button icon={Radio} onClick={toLive}>
      {w.answerInLive}
    </Button>
  );
}

/** Whose decisions these are, where the frame shows another world. */
export function OfLive() {
  if (isLive.value) return null;
  return (
    <div class="notice of-live headline" role="status">
      <Icon of={Radio} />
      <span class="grow">{w.ofLive}</span>
      <Button onClick={toLive}>{w.goLive}</Button>
    </div>
  );
}
