// SPDX-License-Identifier: Apache-2.0
// One scenario: what it is a copy of, what it changes, how it runs, what came of it; merge or discard.
import { Columns2, Trash2 } from "lucide-preact";
import type { World } from "~/api/types";
import { hrefOf, route } from "~/app/route";
import { Ago, Button, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { Changes, hasRun, useOwn } from "./changes";
import { Compare } from "./compare";
import { askDiscard } from "./discard";
import { Merge } from "./merge";
import { Running } from "./running";
import { purposeOf, StateChip } from "./scenarios";

const w = words.whatif;

/** Where it was forked, in words. */
function Origin({ world }: { world: World }) {
  return (
    <div class="row small quiet origin">
      <StateChip world={world} />
      {world.forkedFrom && (
        <span title={format.exactTime(world.forkedFrom)}>{w.forkedAt(format.time(world.forkedFrom))}</span>
      )}
      {world.created && (
        <span>
          {w.made} <Ago time={world.created} />
        </span>
      )}
      {world.purpose && <span class="ellipsis">{purposeOf(world)}</span>}
    </div>
  );
}

export function Scenario({ world, base }: { world: World; base?: string }) {
  const edits = useOwn(world, base);
  const ran = hasRun(world);
  const moving = world.run?.state === "running" || world.run?.state === "starting";
  const changes = <Changes key={world.name} world={world} base={base} edits={edits} />;
  const running = <Running world={world} base={base} edits={edits.list ?? []} />;
  return (
    <div class="column" style={{ gap: 16 }}>
      <div class="page-head scenario-head">
        <div class="grow">
          <h1>{w.of(world.name)}</h1>
          <Origin world={world} />
        </div>
        <a
          class="button"
          title={w.besideHint}
          href={hrefOf({
            view: "compare",
            world: base ?? "live",
            at: "",
            params: { with: world.name, sel: route.value.params.sel ?? null },
            fresh: true,
          })}
        >
          <Icon of={Columns2} />
          {w.beside}
        </a>
        <Merge name={world.name} edits={edits.list ?? []} />
        <Button look="danger" icon={Trash2} onClick={() => askDiscard(world)}>
          {w.drop}
        </Button>
      </div>
      {!ran ? (
        <>
          {changes}
          {running}
        </>
      ) : (
        <>
          {moving && running}
          {world.run!.state !== "starting" && (
            <Compare
              key="came"
              names={base ? [base, world.name] : [world.name]}
              moving={moving}
              version={`${world.run!.until ?? ""} ${world.run!.state}`}
            />
          )}
          {moving ? (
            changes
          ) : (
            <div class="split">
              {running}
              {changes}
            </div>
          )}
        </>
      )}
    </div>
  );
}
