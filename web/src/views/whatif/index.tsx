// SPDX-License-Identifier: Apache-2.0
// What would happen if: try what is defined in one click, or change a copy by hand, run it, and see what it comes to.
import { ArrowLeft } from "lucide-preact";
import { readEnsembles } from "~/api/runs";
import { BASE, isBase, readWhatifs } from "~/api/whatif";
import type { World } from "~/api/types";
import { readWorldsAgain, worlds, worldsError, worldsRead } from "~/api/worlds";
import { hrefOf, kind, route } from "~/app/route";
import { Icon, Skeleton, Wrong } from "~/ui/basic";
import { useRead } from "~/ui/read";
import { words } from "~/words/en";
import { About } from "./about";
import { Define } from "./define";
import { Definitions } from "./definitions";
import { Discard } from "./discard";
import { Many } from "./many";
import { NewScenario } from "./new";
import { Ready } from "./ready";
import { Scenario } from "./scenario";
import { ManyList, Scenarios } from "./scenarios";
import { Several } from "./several";
import "./whatif.css";

/** What a scenario is compared with: the copy without its changes. */
export function baseOf(world: World): string | undefined {
  const own = worlds.value.find((x) => x.name === world.name + BASE);
  const parent = worlds.value.find((x) => x.name === world.parent && isBase(x));
  return (own ?? parent)?.name;
}

function Hub() {
  return (
    <div class="column" style={{ gap: 24 }}>
      <div class="page-head" style={{ marginBottom: 0 }}>
        <h1>{words.whatif.title}</h1>
      </div>
      <Ready />
      <Definitions />
      <div class="halves">
        <NewScenario />
        <div class="column" style={{ gap: 16 }}>
          <Scenarios />
          <ManyList />
        </div>
      </div>
    </div>
  );
}

function Back() {
  return (
    <a
      class="small row back-link"
      href={hrefOf({ view: "whatif", world: kind.value === "scenario" ? "live" : route.value.world, fresh: true })}
    >
      <Icon of={ArrowLeft} size={14} /> {words.whatif.all}
    </a>
  );
}

function Content() {
  const { ensemble, compare, about, define } = route.value.params;
  const name = kind.value === "scenario" ? route.value.world : "";
  const world = worlds.value.find((x) => x.name === name);
  if (define)
    return (
      <>
        <Back />
        <Define key={define} name={define} />
      </>
    );
  if (ensemble)
    return (
      <>
        <Back />
        <Many key={ensemble} id={Number(ensemble)} />
      </>
    );
  if (compare)
    return (
      <>
        <Back />
        <Several list={compare} />
      </>
    );
  if (about)
    return (
      <>
        <Back />
        <About key={about} id={about} />
      </>
    );
  if (!worldsRead.value)
    return worldsError.value ? <Wrong error={worldsError.value} retry={readWorldsAgain} /> : <Skeleton lines={8} />;
  if (world && !isBase(world))
    return (
      <>
        <Back />
        <Scenario key={name} world={world} base={baseOf(world)} />
      </>
    );
  return <Hub />;
}

export default function WhatIf() {
  const refused = useRead(() => Promise.all([readWhatifs(), readEnsembles()]));
  return (
    <div class="view page">
      <div class="page-inner">
        {refused}
        <Content />
      </div>
      <Discard />
    </div>
  );
}
