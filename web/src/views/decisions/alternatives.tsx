// SPDX-License-Identifier: Apache-2.0
// What a rule tried: doing nothing and each action, by what they bring, and whether they keep within the limits.
import { Award, CircleX } from "lucide-preact";
import type { Alternative, Decision } from "~/api/decisions";
import { useKpiNames } from "~/api/kpis";
import { Chip } from "~/ui/basic";
import { Rank, undecided, type Ranked } from "~/ui/rank";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.decisions;

/** What people call an action of a rule. */
export const actionTitle = (rule: { actions: { name: string; title?: string }[] } | undefined, name: string): string =>
  name === "nothing" ? w.nothing : (rule?.actions.find((a) => a.name === name)?.title ?? name);

function chipsOf(a: Alternative, best: boolean, kpi: (name: string) => string) {
  if (a.dropped)
    return (
      <Chip tone="bad" icon={CircleX} title={a.dropped}>
        {w.breaks(
          a.limits
            .filter((l) => !l.holds)
            .map((l) => kpi(l.kpi))
            .join(", "),
        )}
      </Chip>
    );
  if (best)
    return (
      <Chip tone="ok" icon={Award}>
        {w.chosen}
      </Chip>
    );
  const { gainLow: low, gainHigh: high } = a.objective;
  return low !== null && high !== null && undecided({ low, high }) ? <Chip>{words.whatif.verdict.unclear}</Chip> : null;
}

export function Alternatives({ d }: { d: Decision }) {
  const kpis = useKpiNames();
  const unit = d.objective?.unit ?? "";
  const kpi = kpis.title(d.objective?.kpi ?? "");
  const limits = d.definition.limits ?? [];
  const list = [...d.alternatives]
    .sort((a, b) => (b.objective.gain ?? -Infinity) - (a.objective.gain ?? -Infinity))
    .map((a): Ranked => {
      const o = a.objective;
      const best = a.action === d.choice;
      return {
        key: a.action,
        name: actionTitle(d.definition, a.action),
        gain: o.gain,
        low: o.gainLow ?? undefined,
        high: o.gainHigh ?? undefined,
        best,
        zero: a.action === "nothing",
        chips: chipsOf(a, best, kpis.title),
        notes: o.mean === null ? [] : [w.comesTo(`${format.number(o.mean, 4)} ${unit}`)],
      };
    });
  return (
    <>
      <p class="small quiet rank-about">
        {w.counted(kpi)}{" "}
        {limits.length === 0 ? w.noLimits : w.limitsAre(limits.map((l) => limitText(l, kpis)).join(", "))}
      </p>
      <Rank list={list} unit={unit} />
    </>
  );
}

/** "Water of line 1, lowest ≥ 5 %" */
export function limitText(
  l: { kpi: string; min?: number; max?: number },
  kpis: { title: (n: string) => string; unit: (n: string) => string },
): string {
  const amount = (x: number) => format.amount(x, kpis.unit(l.kpi));
  const low = l.min === undefined ? "" : ` ≥ ${amount(l.min)}`;
  return kpis.title(l.kpi) + low + (l.max === undefined ? "" : ` ≤ ${amount(l.max)}`);
}
