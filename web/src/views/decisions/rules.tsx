// SPDX-License-Identifier: Apache-2.0
// The rules: what sets them off, what they may do, and a try at once.
import { useState } from "preact/hooks";
import { FlaskConical, ScrollText } from "lucide-preact";
import { entries } from "~/api/catalogue";
import { rules, tryRule, type Rule } from "~/api/decisions";
import { models } from "~/api/models";
import { go } from "~/app/route";
import { Button, Card, Chip, Empty } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";

function TryNow({ rule }: { rule: Rule }) {
  const twins = rule.twin
    ? [rule.twin]
    : entries.value.filter((e) => rule.model && models.value.get(e.model)?.ancestors.has(rule.model)).map((e) => e.id);
  const [twin, set] = useState("");
  const [busy, setBusy] = useState(false);
  const chosen = twin || twins[0] || "";
  async function run() {
    setBusy(true);
    try {
      const d = await tryRule(rule.name!, chosen);
      go({ view: "decisions", params: { id: String(d.id) } });
    } catch (e) {
      tellError(e);
    }
    setBusy(false);
  }
  if (!twins.length) return null;
  return (
    <div class="row">
      <select
        class="select"
        style={{ width: "auto" }}
        aria-label={words.whatif.twin}
        value={chosen}
        onChange={(e) => set(e.currentTarget.value)}
      >
        {twins.slice(0, 200).map((t) => (
          <option key={t}>{t}</option>
        ))}
      </select>
      <Button icon={FlaskConical} busy={busy} onClick={() => void run()} title={words.decisions.tryHint}>
        {words.decisions.tryNow}
      </Button>
    </div>
  );
}

export function Rules() {
  return (
    <Card title={words.decisions.rules} bare>
      {!rules.value.length && (
        <Empty icon={ScrollText} title={words.decisions.noRules} hint={words.decisions.noRulesHint} />
      )}
      {rules.value.map((r) => (
        <article class="rule" key={r.name}>
          <div class="grow">
            <h3>{r.title ?? r.name}</h3>
            <p class="small quiet">{r.about}</p>
            <p class="small">
              {words.decisions.whenHolds} <code>{r.when}</code>
              {r.for && ` ${words.decisions.holdsFor(format.duration(format.isoDuration(r.for)))}`}
            </p>
            <div class="row" style={{ flexWrap: "wrap" }}>
              <Chip>{words.decisions.mode[(r.mode ?? "approve") as keyof typeof words.decisions.mode]}</Chip>
              {r.actions.map((a) => (
                <Chip key={a.name} title={a.title}>
                  {a.name}
                </Chip>
              ))}
            </div>
          </div>
          <TryNow rule={r} />
        </article>
      ))}
    </Card>
  );
}
