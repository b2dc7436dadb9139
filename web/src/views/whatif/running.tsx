// SPDX-License-Identifier: Apache-2.0
// Let a scenario run: how far, how often, how fast; while it runs how far it is, and where to look at it.
import { useEffect, useState } from "preact/hooks";
import { Pause, Play, Repeat } from "lucide-preact";
import { wordsOf } from "~/api/client";
import type { World } from "~/api/types";
import { forkPair, goOn, pausePair, runMany, runPair, type Difference } from "~/api/whatif";
import { freeName, worlds } from "~/api/worlds";
import { pref } from "~/app/prefs";
import { go, hrefOf } from "~/app/route";
import { Button, Card, Icon, Progress, Wrong } from "~/ui/basic";
import { Segment } from "~/ui/segment";
import { tellError } from "~/ui/toast";
import { viewOf } from "~/views";
import { words } from "~/words/en";
import * as format from "~/format";
import { often } from "./definitions";
import { hasRun, thenOf, useRan } from "./changes";
import { apply } from "./edits";
import { planOf, setPlan } from "./plans";
import { lengthOf, LENGTHS, oftenChoices } from "./say";

const w = words.whatif;
const UNFOLD_S = 40; // so long does a run take that somebody wants to watch
export const length = pref("whatif.length", "PT8H");
const pace = pref<"fast" | "unfold">("whatif.pace", "fast");
interface Props {
  world: World;
  base?: string;
  edits: readonly Difference[]; // by hand
}

const LOOKS = ["overview", "graph", "map", "scene"];

/** Ways to see the world itself. */
export function Looks({ world }: { world: string }) {
  return (
    <div class="row looks">
      {LOOKS.map((id) => {
        const v = viewOf(id)!;
        return (
          <a key={id} class="button plain" href={hrefOf({ world, at: "", view: id, fresh: true })}>
            <Icon of={v.icon} />
            {v.title}
          </a>
        );
      })}
    </div>
  );
}

function Moving({ world }: { world: World }) {
  const run = world.run!;
  const paused = run.state === "paused";
  return (
    <div class="column">
      <Progress part={run.progress ?? 0} label={w.running(world.name)} />
      <div class="row small" style={{ flexWrap: "wrap" }}>
        <span class="grow quiet" role="status">
          {run.now && w.clock(format.time(run.now))}
          {run.secondsLeft !== undefined && !paused && ` · ${w.left(format.duration(run.secondsLeft * 1000))}`}
        </span>
        {paused ? (
          <Button look="primary" icon={Play} onClick={() => void goOn(world.name).catch(tellError)}>
            {w.goOn}
          </Button>
        ) : (
          <Button icon={Pause} onClick={() => void pausePair(world.name).catch(tellError)}>
            {words.timeline.pause}
          </Button>
        )}
      </div>
      <div class="row small" style={{ flexWrap: "wrap" }}>
        <span class="quiet">{w.watchIt}</span>
        <Looks world={world.name} />
      </div>
    </div>
  );
}

function Again({ world, base, edits }: Props) {
  const [busy, setBusy] = useState(false);
  const ran = useRan(world, base);
  /** From where its run began, with the same changes, to be changed and run anew. */
  async function again() {
    setBusy(true);
    try {
      const name = freeName(world.name.replace(/-\d+$/, ""));
      const of = worlds.peek().find((x) => x.name === base) ?? world;
      await forkPair(name, thenOf(of, world.run!.begin), w.againOf(world.name));
      if (base) for (const d of edits) await apply(name, d);
      setPlan(name, { next: ran });
      go({ view: "whatif", world: name, at: "", fresh: true });
    } catch (e) {
      tellError(e);
    }
    setBusy(false);
  }
  const run = world.run!;
  return (
    <div class="column">
      {run.error && <Wrong error={new Error(w.stopped(run.error.message))} />}
      <div class="row" style={{ flexWrap: "wrap" }}>
        <span class="grow quiet small">
          {run.begin &&
            run.now &&
            w.ranFor(
              format.duration(Date.parse(run.now) - Date.parse(run.begin)),
              format.duration((run.seconds ?? 0) * 1000),
            )}
        </span>
        <Button icon={Repeat} busy={busy} title={w.againHint} onClick={() => void again()}>
          {w.again}
        </Button>
      </div>
      <div class="row small" style={{ flexWrap: "wrap" }}>
        <span class="quiet">{w.lookAt}</span>
        <Looks world={world.name} />
      </div>
    </div>
  );
}

export function Running({ world, base, edits }: Props) {
  const [wrong, fail] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => fail(""), [world.name]);
  const state = world.run?.state;
  const l = lengthOf(length.value);
  const many = Number(often.value);
  async function start() {
    fail("");
    setBusy(true);
    const next = planOf(world.name).next;
    const speed = pace.value === "unfold" ? Math.max(1, Math.round(format.isoDuration(l.iso) / 1000 / UNFOLD_S)) : 0;
    const ask = {
      for: l.iso,
      output: l.output,
      ...(speed ? { speed } : {}),
      ...(next.length ? { changes: next } : {}),
    };
    try {
      if (many > 1) {
        const id = await runMany(world.name, ask, many, w.of(world.name));
        go({ view: "whatif", params: { ensemble: String(id) } });
      } else {
        await runPair(world.name, ask);
        setPlan(world.name, { next: [], ran: next });
      }
    } catch (e) {
      fail(wordsOf(e));
    }
    setBusy(false);
  }
  if (state === "running" || state === "starting" || state === "paused")
    return (
      <Card title={state === "paused" ? w.stands : w.running(world.name)}>
        <Moving world={world} />
      </Card>
    );
  if (hasRun(world))
    return (
      <Card title={state === "failed" ? w.state.failed : w.ranTitle}>
        <Again world={world} base={base} edits={edits} />
      </Card>
    );
  return (
    <Card title={w.runTitle}>
      <div class="run-form">
        <div class="field">
          <span class="label">{w.length}</span>
          <Segment
            label={w.length}
            choices={LENGTHS.map((x) => ({ id: x.iso, title: x.title }))}
            on={l.iso}
            set={(x) => (length.value = x)}
          />
        </div>
        <div class="field">
          <span class="label">{w.howOften}</span>
          <Segment label={w.howOften} choices={oftenChoices} on={often.value} set={(x) => (often.value = x)} />
        </div>
        {many === 1 && (
          <div class="field">
            <span class="label">{w.pace}</span>
            <Segment
              label={w.pace}
              choices={[
                { id: "fast", title: w.fast },
                { id: "unfold", title: w.unfold, hint: w.unfoldHint },
              ]}
              on={pace.value}
              set={(x) => (pace.value = x)}
            />
          </div>
        )}
        <Button look="primary" icon={Play} busy={busy} onClick={() => void start()} data-tour="try">
          {many > 1 ? w.runTimes(l.title, many) : w.run(l.title)}
        </Button>
      </div>
      <p class="small quiet run-hint">{many > 1 ? w.manyHint : w.onceHint}</p>
      {wrong && <Wrong error={new Error(wrong)} retry={() => void start()} />}
    </Card>
  );
}
