// SPDX-License-Identifier: Apache-2.0
// Of which world and instant a result is, in the colour of what-ifs: it may be read while the frame shows live.
import { GitFork } from "lucide-preact";
import { worldText } from "~/api/worldtext";
import type { Comparison } from "~/api/whatif";
import { worlds } from "~/api/worlds";
import { Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { spanText } from "./finding";

const w = words.whatif;

interface Props {
  c: Comparison;
  names?: readonly string[]; // of worlds that are kept; else the first case says what it was tried in
  runs?: number; // of each
}

export function ResultOf({ c, names, runs = 1 }: Props) {
  const first = c.worlds[0];
  if (!first?.begin) return null;
  const of = names ? worlds.value.find((x) => x.name === names[0])?.parent : first.purpose;
  const world = (of || "live").split("@")[0]!;
  return (
    <p class="result-of small" title={`${of ?? ""}\n${format.exactTime(first.begin)}`}>
      <span class="strong row">
        <Icon of={GitFork} size={14} /> {words.world.scenarioWord}
      </span>
      <span>{w.resultOf(worldText(world), format.time(first.begin), spanText(c), runs)}</span>
    </p>
  );
}
