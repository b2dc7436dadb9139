// SPDX-License-Identifier: Apache-2.0
// The what-ifs that somebody prepared: each one click.
import { signal } from "@preact/signals";
import { Clock, FlaskConical, Pencil, Play, Plus } from "lucide-preact";
import type { Twin, Value, Whatif } from "~/api/types";
import { forkPair, runPair, startEnsemble, tryWhatif, whatifs, whatifsRead } from "~/api/whatif";
import { freeName } from "~/api/worlds";
import { pref } from "~/app/prefs";
import { go, hrefOf, kind, route, worldName } from "~/app/route";
import { Button, Empty, Icon, Skeleton } from "~/ui/basic";
import { Segment } from "~/ui/segment";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { setPlan } from "./plans";
import { ChangeLine, oftenChoices, useTwins, wasOf, type Often } from "./say";

const w = words.whatif;
const SHOWN = 3;
export const busy = signal("");
export const often = pref<Often>("whatif.often", "1");

/** Of the instant that is shown, which the server does not do by itself. */
async function runThen(def: Whatif, times: number) {
  const world = worldName.peek();
  if (times > 1) {
    const cases = [
      { name: w.without, world },
      { name: def.title || def.name, world, changes: def.changes },
    ];
    const ask = { for: def.for, replications: times, title: def.title || def.name, cases };
    return { ensemble: await startEnsemble(route.peek().world, ask), world: "" };
  }
  const name = freeName(def.name);
  await forkPair(name, world, `what-if ${def.name}`);
  setPlan(name, { ran: def.changes });
  await runPair(name, { for: def.for, ...(def.output ? { output: def.output } : {}), changes: def.changes });
  return { ensemble: 0, world: name };
}

export async function run(def: Whatif) {
  busy.value = def.name;
  try {
    const times = Number(often.value);
    const s = kind.peek() === "past" && !def.from ? await runThen(def, times) : await tryWhatif(def.name, times);
    if (s.ensemble) go({ view: "whatif", params: { ensemble: String(s.ensemble) }, fresh: true });
    else go({ view: "whatif", world: s.world!, at: "", fresh: true });
  } catch (e) {
    tellError(e);
  }
  busy.value = "";
}

export const defineHref = (name: string): string =>
  hrefOf({ world: "live", at: "", view: "whatif", params: { define: name }, fresh: true });

/** Each change with what it is from: of what is changed twice the second is from what the first made of it. */
export function withWas(changes: Whatif["changes"], twins: ReadonlyMap<string, Twin>) {
  const before = new Map<string, Value>();
  return changes.map((c) => {
    const key = c.twin + "\n" + c.property;
    const was = before.has(key) ? before.get(key) : wasOf(twins, c.twin, c.property);
    before.set(key, c.value);
    return { c, was };
  });
}

function Definition({ def }: { def: Whatif }) {
  const twins = useTwins(
    def.changes.map((c) => c.twin),
    def.from ?? worldName.value,
  );
  const lines = withWas(def.changes, twins);
  const title = def.title || def.name;
  return (
    <article class="card whatif-card">
      <header class="row">
        <h3 class="grow">{title}</h3>
        <a class="button plain icon" href={defineHref(def.name)} aria-label={w.change(title)} title={w.change(title)}>
          <Icon of={Pencil} />
        </a>
      </header>
      {def.about && <p class="quiet">{def.about}</p>}
      <ul class="change-list-plain small">
        {lines.slice(0, SHOWN).map(({ c, was }) => (
          <ChangeLine key={c.at + c.twin + c.property} {...c} was={was} />
        ))}
        {lines.length > SHOWN && <li class="quiet">{words.overview.andMore(lines.length - SHOWN)}</li>}
      </ul>
      <footer class="row">
        <span class="row small quiet grow">
          <Icon of={Clock} size={14} /> {w.ahead(format.duration(format.isoDuration(def.for)))}
        </span>
        <Button look="primary" icon={Play} busy={busy.value === def.name} onClick={() => void run(def)}>
          {w.tryIt}
        </Button>
      </footer>
    </article>
  );
}

export function Definitions() {
  if (!whatifsRead.value) return <Skeleton lines={6} />;
  return (
    <section aria-labelledby="whatif-prepared">
      <div class="section-head">
        <h2 id="whatif-prepared" class="grow">
          {w.prepared}
        </h2>
        <a class="button" href={defineHref("*")}>
          <Icon of={Plus} />
          {w.newWhatif}
        </a>
        {whatifs.value.length > 0 && (
          <Segment label={w.howOften} choices={oftenChoices} on={often.value} set={(n) => (often.value = n)} small />
        )}
      </div>
      {whatifs.value.length ? (
        <div class="whatif-cards">
          {whatifs.value.map((def) => (
            <Definition key={def.name} def={def} />
          ))}
        </div>
      ) : (
        <div class="card">
          <Empty icon={FlaskConical} title={w.nonePrepared} hint={w.nonePreparedHint} />
        </div>
      )}
    </section>
  );
}
