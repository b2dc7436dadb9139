// SPDX-License-Identifier: Apache-2.0
// What a rule tried: doing nothing and each action, by what they bring, and whether they keep within the limits.
import { Award, CircleX } from "lucide-preact";
import type { Alternative, Decision } from "~/api/decisions";
import { useKpiNames } from "~/api/kpis";
import { Chip } from "~/ui/basic";
import { Rank, type Ranked } from "~/ui/rank";
import { words } from "~/words/en";
import * as format from "~/format";
import { ends, surelyBest, unsure } from "./gain";

const w = words.decisions;

/** What people call an action of a rule. */
export const actionTitle = (rule: { actions: { name: string; title?: string }[] } | undefined, name: string): string =>
  name === "nothing" ? w.nothing : (rule?.actions.find((a) => a.name === name)?.title ?? name);

function chipsOf(a: Alternative, all: readonly Alternative[], choice: string, kpi: (name: string) => string) {
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
  const sure = a.action === choice && surelyBest(all, a);
  return (
    <>
      {sure && (
        <Chip tone="ok" icon={Award}>
          {w.best}
        </Chip>
      )}
      {!sure && a.action === choice && <Chip>{w.chosen}</Chip>}
      {a.action !== "nothing" && unsure(a) && <Chip>{words.whatif.verdict.unclear}</Chip>}
    </>
  );
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
      const best = a.action === d.choice && surelyBest(d.alternatives, a);
      return {
        key: a.action,
        name: actionTitle(d.definition, a.action),
        gain: o.gain,
        ...ends(a),
        best,
        zero: a.action === "nothing",
        chips: chipsOf(a, d.alternatives, d.choice ?? "", kpis.title),
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
