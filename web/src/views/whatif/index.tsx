// SPDX-License-Identifier: Apache-2.0
// What would happen if: try what is defined in one click, or change a copy by hand, run it, and see what it comes to.
import { useEffect } from "preact/hooks";
import { BASE, isBase, readWhatifs } from "~/api/whatif";
import { worlds, worldsRead } from "~/api/worlds";
import { go, kind, route } from "~/app/route";
import { Button, Skeleton } from "~/ui/basic";
import { words } from "~/words/en";
import { Compare } from "./compare";
import { Definitions } from "./definitions";
import { Many } from "./many";
import { NewScenario } from "./new";
import { Scenario } from "./scenario";
import { Scenarios } from "./scenarios";
import "./whatif.css";

export default function WhatIf() {
  useEffect(() => void readWhatifs().catch(() => {}), []);
  const many = Number(route.value.params.ensemble ?? "");
  const shown = route.value.params.show ?? (kind.value === "scenario" ? route.value.world : "");
  const world = worlds.value.find((w) => w.name === shown);
  const base = worlds.value.some((w) => w.name === shown + BASE) ? shown + BASE : undefined;
  return (
    <div class="view page">
      <div class="page-inner">
        <div class="page-head">
          <h1>{world ? words.whatif.of(shown) : many ? words.whatif.many : words.whatif.title}</h1>
          {(world || many > 0) && (
            <Button
              onClick={() =>
                go({
                  world: kind.value === "scenario" ? "live" : route.value.world,
                  params: { show: null, ensemble: null },
                })
              }
            >
              {words.whatif.all}
            </Button>
          )}
        </div>
        {many ? (
          <Many id={many} />
        ) : !worldsRead.value ? (
          <Skeleton lines={8} />
        ) : world && !isBase(world) ? (
          <div class="column" style={{ gap: 16 }}>
            <Scenario world={world} base={base} />
            {world.run && world.run.state !== "starting" && (
              <Compare
                names={base ? [base, shown] : [shown]}
                moving={world.run.state === "running"}
                version={world.run.until ?? ""}
              />
            )}
          </div>
        ) : (
          <>
            <Definitions />
            <div class="halves">
              <NewScenario />
              <Scenarios />
            </div>
          </>
        )}
      </div>
    </div>
  );
}
