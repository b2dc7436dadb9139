// SPDX-License-Identifier: Apache-2.0
// What one can do with what was found about a twin: propose it, so that people decide and it is sent; or try others.
import { useEffect, useState } from "preact/hooks";
import { ArrowLeft, Scale } from "lucide-preact";
import { byId, labelOf } from "~/api/catalogue";
import { readRules, rules, tryRule } from "~/api/decisions";
import { waitsFor } from "~/api/holds";
import { ruleFits } from "~/api/remedies";
import { go, hrefOf } from "~/app/route";
import { Button, Card, Icon } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";

const w = words.repair;

/** Tried by the rule anew, of the world as it is now: nothing leaves without a yes. */
export function Propose({ twin, look = "" }: { twin: string; look?: "" | "primary" }) {
  const [busy, setBusy] = useState("");
  useEffect(() => void readRules().catch(() => {}), []);
  const model = byId.value.get(twin)?.model ?? "";
  const fit = rules.value.filter((r) => ruleFits(r, twin, model));
  async function propose(rule: string) {
    setBusy(rule);
    try {
      const d = await tryRule(rule, twin);
      go({ world: "live", at: "", view: "decisions", params: { id: String(d.id) }, fresh: true });
    } catch (e) {
      tellError(e);
    }
    setBusy("");
  }
  return (
    <>
      {fit.map((r) => {
        const one = waitsFor(r.name!, twin);
        const by = fit.length > 1 ? (r.title ?? r.name!) : "";
        if (one) return <Waits key={r.name} id={one.id} by={by} />;
        return (
          <Button
            key={r.name}
            look={look}
            icon={Scale}
            busy={busy === r.name}
            title={w.proposeHint}
            onClick={() => void propose(r.name!)}
          >
            {by ? w.proposeBy(by) : w.propose}
          </Button>
        );
      })}
    </>
  );
}

/** Two of the same would only be a question more. */
function Waits({ id, by }: { id: number; by: string }) {
  const to = { world: "live", at: "", view: "decisions", params: { id: String(id) }, fresh: true };
  return (
    <a class="button" href={hrefOf(to)} title={w.waitsHint}>
      <Icon of={Scale} />
      {w.waits(by)}
    </a>
  );
}

const others = (twin: string): string => hrefOf({ view: "whatif", params: { about: twin, sel: twin }, fresh: true });

/** Beside the sentence that says which way is best. */
export const NextStep = ({ twin }: { twin: string }) => (
  <div class="row next-step">
    <Propose twin={twin} look="primary" />
    <a class="button" href={others(twin)}>
      <Icon of={ArrowLeft} />
      {w.others}
    </a>
  </div>
);

export function NextSteps({ twin }: { twin: string }) {
  return (
    <Card title={w.next}>
      <div class="row" style={{ flexWrap: "wrap" }}>
        <p class="grow quiet" style={{ minWidth: 240 }}>
          {w.nextAbout(labelOf(twin))}
        </p>
        <a class="button" href={others(twin)}>
          <Icon of={ArrowLeft} />
          {w.others}
        </a>
        <Propose twin={twin} />
      </div>
    </Card>
  );
}
