// SPDX-License-Identifier: Apache-2.0
// What comes next in the world that is shown, wherever one looks: the past is forked here, a fork is run.
import { ChartNoAxesCombined, FastForward, GitFork } from "lucide-preact";
import { current, forkName } from "~/api/worlds";
import { isBase } from "~/api/whatif";
import { Button, cls } from "~/ui/basic";
import { words } from "~/words/en";
import { go, isMissing, kind, view } from "./route";
import { forkHere } from "./world";

const RUN = '[data-tour="try"]'; // the button that runs it, on its page
const LOOK_MS = 100;
const PATIENCE_MS = 5000;

/** Nobody let it run: its clock stands where it was forked. */
export const isStill = (): boolean => {
  const run = current.value?.run;
  return kind.value === "scenario" && !!current.value && (!run || run.state === "idle");
};

/** To where it is said how far and how fast it runs; the button that runs it has the focus then. */
export function offerRun(): void {
  go({ view: "whatif", at: "", fresh: true });
  const until = performance.now() + PATIENCE_MS;
  const look = () => {
    const button = document.querySelector<HTMLElement>(RUN);
    if (button) {
      button.scrollIntoView({ block: "center" });
      button.focus();
    } else if (performance.now() < until) setTimeout(look, LOOK_MS);
  };
  setTimeout(look, LOOK_MS);
}

export const forkNow = (): Promise<void> => forkHere(forkName());

interface ForwardProps {
  look?: "" | "primary";
  class?: string;
  always?: boolean; // also where the step is no next one: what is beside it shall not move while time is dragged
}

/** One button with one next step; none in live, and none where the step is taken already. */
export function Forward({ look = "primary", class: c, always }: ForwardProps) {
  if (isMissing.value || (kind.value === "live" && !always)) return null;
  if (kind.value !== "scenario")
    return (
      <Button
        look={kind.value === "live" ? "" : look}
        icon={GitFork}
        class={cls("forward", c)}
        title={words.world.forkHint}
        aria-label={words.world.fork}
        onClick={() => void forkNow()}
      >
        <span class="label">{words.world.fork}</span>
      </Button>
    );
  const w = current.value;
  if (!w || (!always && (isBase(w) || view.value === "whatif"))) return null;
  const title = isStill() ? words.world.runIt : words.world.itsRun;
  return (
    <Button
      look={look}
      icon={isStill() ? FastForward : ChartNoAxesCombined}
      class={cls("forward", c)}
      title={words.world.runHint}
      aria-label={title}
      onClick={() => (isStill() ? offerRun() : go({ view: "whatif", at: "", fresh: true }))}
    >
      <span class="label">{title}</span>
    </Button>
  );
}
