// SPDX-License-Identifier: Apache-2.0
// The scenarios there are, with what became of them; several can be put side by side.
import { useState } from "preact/hooks";
import { Columns3, GitFork, Trash2 } from "lucide-preact";
import { ensembles, isWorking, type Ensemble } from "~/api/runs";
import { BASE, isBase, whatifs } from "~/api/whatif";
import type { World } from "~/api/types";
import { withWorlds, worldText } from "~/api/worldtext";
import { worlds } from "~/api/worlds";
import { go, hrefOf } from "~/app/route";
import { Ago, Button, Card, Chip, Empty, IconButton, Progress, type Tone } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { paramsOf } from "./asked";
import { hasRun } from "./changes";
import { askDiscard } from "./discard";
import { useFound } from "./found";

const w = words.whatif;
const TONES: Record<string, Tone> = {
  running: "world",
  starting: "world",
  done: "ok",
  failed: "bad",
  paused: "attention",
};
const MOST = 8; // columns that can be read

export function StateChip({ world }: { world: World }) {
  const s = world.status ?? "idle";
  return <Chip tone={TONES[s] ?? ""}>{w.state[s as keyof typeof w.state] ?? s}</Chip>;
}

/** What it is for, in words: of one that was prepared, its title. */
export function purposeOf(x: World): string {
  return whatifs.value.find((d) => x.purpose === `what-if ${d.name}`)?.title ?? withWorlds(x.purpose ?? "");
}

/** Side by side against what the first of them is compared with. */
function compareAll(names: readonly string[]): void {
  const base = worlds.peek().find((x) => x.name === names[0] + BASE);
  const list = base ? [base.name, ...names] : names;
  go({ world: "live", at: "", view: "whatif", params: { compare: list.join(",") }, fresh: true });
}

interface RowProps {
  x: World;
  on: boolean;
  full: boolean; // no other can be chosen
  tick: (on: boolean) => void;
}

function Row({ x, on, full, tick }: RowProps) {
  const run = x.run;
  const why = !hasRun(x) ? w.state.idle : full && !on ? w.compareFull(MOST) : undefined;
  return (
    <tr>
      <td class="tick">
        <input
          type="checkbox"
          aria-label={w.choose(x.name)}
          checked={on}
          disabled={why !== undefined}
          title={why}
          onChange={(e) => tick(e.currentTarget.checked)}
        />
      </td>
      <td>
        <a class="strong" href={hrefOf({ view: "whatif", world: x.name, at: "", fresh: true })}>
          {x.name}
        </a>
        <div class="tiny quiet ellipsis">
          {purposeOf(x) || words.world.of(worldText(x.parent ?? "live"))}
          {x.forkedFrom && ` · ${w.forkedAt(format.time(x.forkedFrom))}`}
          {" · "}
          {x.created && <Ago time={x.created} />}
        </div>
      </td>
      <td style={{ width: 130 }}>
        {run?.state === "running" ? <Progress part={run.progress ?? 0} label={x.name} /> : <StateChip world={x} />}
      </td>
      <td class="num small quiet tl-wide">
        {run?.begin && run.now && format.duration(Date.parse(run.now) - Date.parse(run.begin))}
      </td>
      <td class="num">
        <IconButton name={w.discard(x.name)} icon={Trash2} onClick={() => askDiscard(x)} />
      </td>
    </tr>
  );
}

export function Scenarios() {
  const list = worlds.value.filter((x) => x.name !== "live" && !isBase(x));
  const [ticked, set] = useState<readonly string[]>([]);
  const chosen = ticked.filter((n) => list.some((x) => x.name === n)).slice(0, MOST);
  return (
    <Card
      title={w.scenarios}
      bare
      actions={
        list.length > 1 && (
          <Button icon={Columns3} disabled={chosen.length < 2} title={w.compareHint} onClick={() => compareAll(chosen)}>
            {w.compareN(chosen.length)}
          </Button>
        )
      }
    >
      {!list.length ? (
        <Empty icon={GitFork} title={w.none} hint={w.noneHint} />
      ) : (
        <table class="table">
          <tbody>
            {list.map((x) => (
              <Row
                key={x.name}
                x={x}
                on={chosen.includes(x.name)}
                full={chosen.length === MOST}
                tick={(on) => set(on ? [...chosen, x.name] : chosen.filter((n) => n !== x.name))}
              />
            ))}
          </tbody>
        </table>
      )}
      {worlds.value.some((x) => isBase(x) && !worlds.value.some((y) => y.name + BASE === x.name)) && (
        <div class="menu-title">{w.loneBases}</div>
      )}
    </Card>
  );
}

/** What it found is its title, in the words of its page; what was tried stands below. */
function Found({ e }: { e: Ensemble }) {
  const found = useFound(e);
  const title = e.title || w.manyOf(e.world ?? "");
  const about = [found && title, e.begin && w.forkedAt(format.time(e.begin))];
  return (
    <>
      <a class="strong" href={hrefOf({ view: "whatif", params: paramsOf(e) })}>
        {found || title}
      </a>
      <div class="small quiet">{about.filter(Boolean).join(" · ")}</div>
    </>
  );
}

const MANY = 6;

/** Runs many times over that are kept: the newest first. */
export function ManyList() {
  const [every, show] = useState(false);
  const all = ensembles.value;
  const list = every ? all : all.slice(0, MANY);
  if (!list.length) return null;
  const part = (e: Ensemble) => (e.of ? e.replications / e.of : 0);
  return (
    <Card title={w.manyKept} bare>
      <table class="table many-kept">
        <tbody>
          {list.map((e) => (
            <tr key={e.id}>
              <td>
                <Found e={e} />
              </td>
              <td style={{ width: 130 }}>
                {isWorking(e) ? (
                  <Progress part={part(e)} label={e.title ?? ""} />
                ) : (
                  <Chip>{w.ranTimes(e.replications)}</Chip>
                )}
              </td>
              <td class="num small quiet tl-wide">{e.begun && <Ago time={e.begun} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {all.length > list.length && (
        <div class="pad">
          <Button look="plain" onClick={() => show(true)}>
            {words.overview.andMore(all.length - list.length)}
          </Button>
        </div>
      )}
    </Card>
  );
}
