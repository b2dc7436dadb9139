// SPDX-License-Identifier: Apache-2.0
// Before two worlds are chosen: pairs that are worth a look, one click each, and any two.
import { useState } from "preact/hooks";
import { ArrowRight, Columns2, GitFork } from "lucide-preact";
import { isBase } from "~/api/whatif";
import type { World } from "~/api/types";
import { readWorlds, worlds, worldsError, worldsRead } from "~/api/worlds";
import { go, hrefOf, route } from "~/app/route";
import { Button, Card, Empty, Icon, Skeleton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { hasRun } from "~/views/whatif/changes";
import { nameOf, pathOf, refOf, type WorldRef } from "./names";
import { ago } from "./picker";
import { baseOf, compareHref } from "./sides";

const w = words.compare;
const HOUR = 3600_000;

function Pair({ a, b, title, hint }: { a: WorldRef; b: string; title: string; hint: string }) {
  return (
    <a class="menu-item" href={compareHref(a, b)}>
      <Icon of={Columns2} />
      <span class="grow" style={{ minWidth: 0 }}>
        <div class="strong ellipsis">{title}</div>
        <div class="tiny quiet ellipsis">{hint}</div>
      </span>
      <Icon of={ArrowRight} size={14} />
    </a>
  );
}

function Ready() {
  // Copies that only served runs many times over have not run and differ in nothing.
  const helper = (x: World) => !hasRun(x) && !baseOf(x.name) && !!x.purpose?.startsWith(words.repair.purpose(""));
  const list = worlds.value.filter((x) => x.name !== "live" && !isBase(x) && !helper(x));
  if (!worldsRead.value)
    return (
      <Card title={w.ready}>
        {worldsError.value === undefined ? (
          <Skeleton />
        ) : (
          <Wrong error={worldsError.value} retry={() => void readWorlds().catch(() => {})} />
        )}
      </Card>
    );
  if (!list.length)
    return (
      <Card title={w.ready}>
        <Empty icon={GitFork} title={w.nothingReady} hint={w.nothingReadyHint}>
          <a class="button primary" href={hrefOf({ view: "whatif", world: "live", at: "" })}>
            {w.tryOne}
          </a>
        </Empty>
      </Card>
    );
  return (
    <Card title={w.changed} bare>
      <div class="compare-pairs">
        {list.map((x) => (
          <Pair
            key={x.name}
            a={{ name: baseOf(x.name) || x.parent || "live", at: "" }}
            b={x.name}
            title={x.name}
            hint={x.purpose ?? ""}
          />
        ))}
      </div>
    </Card>
  );
}

function Past() {
  return (
    <Card title={w.now} bare>
      <div class="compare-pairs">
        {[HOUR, 8 * HOUR].map((ms) => (
          <Pair
            key={ms}
            a={{ name: "live", at: ago(ms) }}
            b="live@"
            title={w.nowAnd(format.duration(ms))}
            hint={format.time(ago(ms))}
          />
        ))}
      </div>
    </Card>
  );
}

function Any() {
  const here = pathOf({ name: route.value.world, at: route.value.at });
  const [a, setA] = useState(here);
  const [b, setB] = useState("");
  const options = [...new Set([here, "live", ...worlds.value.map((x) => x.name)])];
  const select = (id: string, value: string, set: (v: string) => void) => (
    <select
      id={id}
      class="select"
      aria-label={w.choose(id.slice(-1).toUpperCase())}
      value={value}
      onChange={(e) => set(e.currentTarget.value)}
    >
      <option value="">{w.chooseOne}</option>
      {options.map((x) => (
        <option key={x} value={x}>
          {nameOf(refOf(x))}
        </option>
      ))}
    </select>
  );
  return (
    <Card title={w.any}>
      <form
        class="row compare-any"
        onSubmit={(e) => {
          e.preventDefault();
          const from = refOf(a);
          go({ world: from.name, at: from.at, params: { with: b === from.name && !from.at ? "" : b } });
        }}
      >
        {select("compare-a", a, setA)}
        {select("compare-b", b, setB)}
        <Button look="primary" type="submit" icon={Columns2} disabled={!a || !b || a === b}>
          {w.go}
        </Button>
      </form>
    </Card>
  );
}

export function Teach() {
  return (
    <div class="view page">
      <div class="page-inner">
        <div class="page-head">
          <h1>{w.teach}</h1>
        </div>
        <p class="quiet compare-about">{w.teachHint}</p>
        <div class="halves">
          <Ready />
          <div class="column" style={{ gap: 16 }}>
            <Past />
            <Any />
          </div>
        </div>
      </div>
    </div>
  );
}
