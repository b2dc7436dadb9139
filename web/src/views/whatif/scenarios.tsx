// SPDX-License-Identifier: Apache-2.0
// The scenarios there are, with what became of them.
import { GitFork, Trash2 } from "lucide-preact";
import { BASE, dropPair, isBase } from "~/api/whatif";
import type { World } from "~/api/types";
import { worlds } from "~/api/worlds";
import { hrefOf } from "~/app/route";
import { Ago, Card, Chip, Empty, IconButton, Progress, type Tone } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";

const TONES: Record<string, Tone> = {
  running: "world",
  starting: "world",
  done: "ok",
  failed: "bad",
  paused: "attention",
};

export function StateChip({ world }: { world: World }) {
  const s = world.status ?? "idle";
  return <Chip tone={TONES[s] ?? ""}>{words.whatif.state[s as keyof typeof words.whatif.state] ?? s}</Chip>;
}

export function Scenarios() {
  const list = worlds.value.filter((w) => w.name !== "live" && !isBase(w));
  return (
    <Card title={words.whatif.scenarios} bare>
      {!list.length ? (
        <Empty icon={GitFork} title={words.whatif.none} hint={words.whatif.noneHint} />
      ) : (
        <table class="table">
          <tbody>
            {list.map((w) => (
              <tr key={w.name}>
                <td>
                  <a class="strong" href={hrefOf({ view: "whatif", world: w.name, at: "", params: { show: null } })}>
                    {w.name}
                  </a>
                  <div class="tiny quiet ellipsis">
                    {w.purpose && `${w.purpose} · `}
                    {w.created && <Ago time={w.created} />}
                  </div>
                </td>
                <td style={{ width: 130 }}>
                  {w.run?.state === "running" ? (
                    <Progress part={w.run.progress ?? 0} label={w.name} />
                  ) : (
                    <StateChip world={w} />
                  )}
                </td>
                <td class="num small quiet">
                  {w.run?.begin && w.run.now && format.duration(Date.parse(w.run.now) - Date.parse(w.run.begin))}
                </td>
                <td class="num">
                  <IconButton
                    name={words.whatif.discard(w.name)}
                    icon={Trash2}
                    onClick={() => confirm(words.world.dropSure(w.name)) && void dropPair(w.name).catch(tellError)}
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {worlds.value.some((w) => isBase(w) && !worlds.value.some((x) => x.name + BASE === w.name)) && (
        <div class="menu-title">{words.whatif.loneBases}</div>
      )}
    </Card>
  );
}
