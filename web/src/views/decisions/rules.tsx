// SPDX-License-Identifier: Apache-2.0
// The rules: what sets them off, what they may do, how bold they are, and a try at once.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { FlaskConical, Pencil, Plus, ScrollText } from "lucide-preact";
import { entries, labelOf } from "~/api/catalogue";
import { putRule, readRule, rules, rulesRead, tryRule, type Mode, type Rule } from "~/api/decisions";
import { wordsOfName } from "~/api/models";
import { ruleFits } from "~/api/remedies";
import { go, hrefOf } from "~/app/route";
import { Button, Card, Dialog, Empty, Icon, Skeleton } from "~/ui/basic";
import { Segment } from "~/ui/segment";
import { done, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.decisions;
const MOST = 500;

function TryNow({ rule }: { rule: Rule }) {
  const twins = entries.value.filter((e) => ruleFits(rule, e.id, e.model)).map((e) => e.id);
  const [twin, set] = useState("");
  const [busy, setBusy] = useState(false);
  const chosen = twin || twins[0] || "";
  async function run() {
    setBusy(true);
    try {
      const d = await tryRule(rule.name!, chosen);
      go({ view: "decisions", params: { id: String(d.id), rule: null } });
    } catch (e) {
      tellError(e);
    }
    setBusy(false);
  }
  if (!twins.length) return null;
  return (
    <div class="row">
      {twins.length > 1 ? (
        <select
          class="select"
          style={{ width: "auto", maxWidth: 200 }}
          aria-label={w.tryFor}
          value={chosen}
          onChange={(e) => set(e.currentTarget.value)}
        >
          {twins.slice(0, MOST).map((t) => (
            <option key={t} value={t}>
              {labelOf(t)}
            </option>
          ))}
        </select>
      ) : (
        <span class="small quiet">{labelOf(chosen)}</span>
      )}
      <Button icon={FlaskConical} busy={busy} onClick={() => void run()} title={w.tryHint}>
        {w.tryNow}
      </Button>
    </div>
  );
}

const MODES: readonly Mode[] = ["shadow", "approve", "auto"];
const choices = MODES.map((id) => ({ id, title: w.mode[id], hint: w.modeHint[id] }));

/** How bold it is. To let it act by itself is asked for. */
export function ModeOf({ rule }: { rule: Rule }) {
  const [asking, ask] = useState(false);
  const mode = rule.mode ?? "approve";
  const name = rule.name!;
  const commands = new Set(rule.actions.flatMap((a) => (a.command ? [`“${wordsOfName(a.command.name)}”`] : [])));
  const to = async (m: Mode) => {
    ask(false);
    try {
      const text = await readRule(name);
      await putRule(name, { ...text, mode: m });
      done(w.modeIs(rule.title ?? name, w.mode[m]), async () => void (await putRule(name, text)));
    } catch (e) {
      tellError(e);
    }
  };
  return (
    <>
      <Segment
        label={w.modeOf(rule.title ?? name)}
        choices={choices}
        on={mode}
        set={(m) => (m === "auto" ? ask(true) : void to(m))}
        small
      />
      <Dialog
        title={w.autoTitle(rule.title ?? name)}
        open={asking}
        close={() => ask(false)}
        footer={
          <>
            <Button onClick={() => ask(false)}>{words.cancel}</Button>
            <Button look="danger" onClick={() => void to("auto")}>
              {w.autoYes}
            </Button>
          </>
        }
      >
        <p>{w.autoSure([...commands].join(", "))}</p>
      </Dialog>
    </>
  );
}

/** There are none only where the server says so. */
function NoRules({ refused }: { refused: ComponentChildren }) {
  if (refused) return <div class="in-card">{refused}</div>;
  if (!rulesRead.value) return <Skeleton lines={3} />;
  return rules.value.length ? null : <Empty icon={ScrollText} title={w.noRules} hint={w.noRulesHint} />;
}

/** `refused`: what to show where they could not be read. */
export function Rules({ refused }: { refused: ComponentChildren }) {
  return (
    <Card
      title={w.rules}
      bare
      actions={
        <a class="button" href={hrefOf({ params: { rule: "*" } })}>
          <Icon of={Plus} />
          {w.newRule}
        </a>
      }
    >
      <NoRules refused={refused} />
      {rules.value.map((r) => (
        <article class="rule" key={r.name}>
          <div class="grow">
            <h3>
              <a href={hrefOf({ params: { rule: r.name! } })}>{r.title ?? r.name}</a>
            </h3>
            <p class="small quiet">{r.about}</p>
            <p class="small">
              {w.whenHolds} <code>{r.when}</code>
              {r.for && ` ${w.holdsFor(format.duration(format.isoDuration(r.for)))}`}
            </p>
          </div>
          <div class="rule-side">
            <ModeOf rule={r} />
            <div class="row" style={{ flexWrap: "wrap" }}>
              <a class="button plain" href={hrefOf({ params: { rule: r.name! } })}>
                <Icon of={Pencil} />
                {w.text}
              </a>
              <TryNow rule={r} />
            </div>
          </div>
        </article>
      ))}
    </Card>
  );
}
