// SPDX-License-Identifier: Apache-2.0
// Ways side by side in money, the best first.
import { Award } from "lucide-preact";
import type { Samples } from "~/api/apart";
import type { ComparedKpi, Comparison } from "~/api/whatif";
import { Chip } from "~/ui/basic";
import { Rank } from "~/ui/rank";
import { words } from "~/words/en";
import * as format from "~/format";
import { isClear, ranked, unitOf, unsure } from "./finding";

const w = words.whatif;

interface Props {
  c: Comparison;
  k: ComparedKpi;
  costs?: readonly number[];
  samples?: Samples; // of many runs
}

export function Ranking({ c, k, costs, samples }: Props) {
  const list = ranked(c, k, costs);
  const best = list[0]!;
  const clear = isClear(k, list, samples);
  const unit = unitOf(k);
  return (
    <Rank
      unit={unit}
      list={list.map((g) => ({
        key: g.index,
        name: g.index === 0 ? w.nothing(g.name) : g.name,
        gain: g.gain,
        low: g.low,
        high: g.high,
        zero: g.index === 0,
        best: g === best && clear,
        notes: g.cost > 0 ? [w.costIn(`${format.number(g.cost)} ${unit}`)] : [],
        chips:
          g === best && clear ? (
            <Chip tone="ok" icon={Award}>
              {w.cheapest}
            </Chip>
          ) : g.index > 0 && g.same ? (
            <Chip>{w.same}</Chip>
          ) : g.index > 0 && unsure(g) ? (
            <Chip>{w.verdict.unclear}</Chip>
          ) : undefined,
      }))}
    />
  );
}
