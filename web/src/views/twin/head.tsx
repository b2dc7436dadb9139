// SPDX-License-Identifier: Apache-2.0
// The first look at a twin: what it is part of, what it is, how it is, how fresh that is, what it does.
import { ChartNetwork, ChevronRight, CircleCheck, Clock, Link2, TriangleAlert } from "lucide-preact";
import { byId, entries, labelOf, links, shape } from "~/api/catalogue";
import { modelName, models } from "~/api/models";
import { tree } from "~/api/tree";
import type { Twin } from "~/api/types";
import { hrefOf, kind } from "~/app/route";
import { Chip, Icon, IconButton, type Tone } from "~/ui/basic";
import { copyText } from "~/ui/chart/export";
import { tell, tellError } from "~/ui/toast";
import { UndoMenu } from "~/ui/undo";
import { words } from "~/words/en";
import * as format from "~/format";
import { useClock } from "./clock";
import { newestOf, shownOf, SILENT_MS } from "./shown";
import { toneOf } from "./states";

const w = words.twin;
const DEEPEST = 8;
const NEIGHBOURS = 3;
const FRESH_MS = 15_000;

/** From the largest whole down to what it is in; ids. */
export function wholesOf(id: string): string[] {
  const list = entries.value;
  const at = list.findIndex((e) => e.id === id);
  const out: string[] = [];
  for (let i = at < 0 ? -1 : tree.value.parent[at]!; i >= 0 && out.length < DEEPEST; i = tree.value.parent[i]!)
    out.unshift(list[i]!.id);
  return out;
}

function Crumbs({ id }: { id: string }) {
  return (
    <nav class="crumbs small" aria-label={w.partOf}>
      <a href={hrefOf({ params: { sel: null, p: null, with: null, vs: null, from: null, to: null } })}>
        {words.views.twins}
      </a>
      {wholesOf(id).map((whole) => (
        <>
          <Icon of={ChevronRight} size={12} />
          <a class="ellipsis" href={hrefOf({ view: "twin", fresh: true, params: { sel: whole } })} title={whole}>
            {labelOf(whole)}
          </a>
        </>
      ))}
    </nav>
  );
}

/** Where things come from and go to: links that are no part-of, in both directions, the most telling few. */
function flowsOf(id: string): { name: string; to: string[]; out: boolean }[] {
  void shape.value;
  const l = links.value;
  const list = entries.value;
  const at = list.findIndex((e) => e.id === id);
  const groups = new Map<string, { name: string; to: string[]; out: boolean }>();
  for (let i = 0; i < l.from.length; i++) {
    if (l.from[i] !== at && l.to[i] !== at) continue;
    const name = l.names[l.name[i]!]!;
    if (!/^(feeds?|suppl|drives?|sends|powers?|flows|connects|controls|serves|heats|cools)/i.test(name)) continue;
    const out = l.from[i] === at;
    const key = `${out}${name}`;
    const g = groups.get(key) ?? { name, to: [], out };
    g.to.push(list[out ? l.to[i]! : l.from[i]!]!.id);
    groups.set(key, g);
  }
  return [...groups.values()].sort((a, b) => Number(a.out) - Number(b.out));
}

function Does({ id }: { id: string }) {
  const flows = flowsOf(id);
  if (!flows.length) return null;
  return (
    <div class="does small">
      {flows.map((f) => (
        <span key={f.name + f.out}>
          {f.out ? (
            <>
              <span class="quiet">{f.name}</span> <Names list={f.to} />
            </>
          ) : (
            <>
              <Names list={f.to} /> <span class="quiet">{w.doesToIt(f.name)}</span>
            </>
          )}
        </span>
      ))}
    </div>
  );
}

function Names({ list }: { list: readonly string[] }) {
  return (
    <>
      {list.slice(0, NEIGHBOURS).map((id, i) => (
        <>
          {i > 0 && ", "}
          <a href={hrefOf({ view: "twin", fresh: true, params: { sel: id } })}>{labelOf(id)}</a>
        </>
      ))}
      {list.length > NEIGHBOURS && <span class="quiet"> {words.overview.andMore(list.length - NEIGHBOURS)}</span>}
    </>
  );
}

/** How old what it tells is. A device that is silent is said to be, in words. */
export function Freshness({ twin }: { twin: Twin }) {
  const now = useClock(1000);
  const newest = newestOf(shownOf(twin));
  if (Number.isNaN(newest)) return null;
  const age = now - newest;
  const title = format.exactTime(newest);
  if (kind.value === "live" && age > SILENT_MS) {
    return (
      <Chip tone="stale" icon={Clock} title={title}>
        {w.silent(format.duration(age))}
      </Chip>
    );
  }
  return (
    <span class="small quiet num" title={title}>
      {age < FRESH_MS ? w.current : w.fresh(format.relative(newest, now))}
    </span>
  );
}

/** Its state. What is wrong with it, Incident says. */
export function Status({ twin }: { twin: Twin }) {
  const state = typeof twin.state === "string" ? twin.state : typeof twin.status === "string" ? twin.status : "";
  const tone = toneOf(state);
  const look: Record<typeof tone, Tone> = { ok: "ok", bad: "bad", attention: "attention", none: "" };
  if (!state) return null;
  return (
    <Chip tone={look[tone]} icon={tone === "ok" ? CircleCheck : tone === "none" ? undefined : TriangleAlert}>
      {state}
    </Chip>
  );
}

export function Head({ twin }: { twin: Twin }) {
  const id = twin.$dtId;
  const model = twin.$metadata.$model;
  const about = models.value.get(model)?.about;
  const copy = () => copyText(location.href).then(() => tell(w.linkCopied), tellError);
  return (
    <header class="twin-head">
      <Crumbs id={id} />
      <div class="twin-title">
        <h1>{(twin.label as string) || id}</h1>
        <Status twin={twin} />
        <Freshness twin={twin} />
        <span class="grow" />
        <UndoMenu />
        <IconButton name={w.copyLink} icon={Link2} onClick={() => void copy()} />
        {byId.value.has(id) && (
          <a
            class="button"
            title={w.onGraph}
            aria-label={w.onGraph}
            href={hrefOf({ view: "graph", fresh: true, params: { sel: id } })}
          >
            <Icon of={ChartNetwork} />
            <span class="label">{w.onGraph}</span>
          </a>
        )}
      </div>
      <div class="twin-facts small quiet">
        <a href={hrefOf({ view: "models", fresh: true, params: { sel: id, m: model } })} title={model}>
          {modelName(model)}
        </a>
        <code class="tiny">{id}</code>
        {about && <span>{about}</span>}
      </div>
      <Does id={id} />
    </header>
  );
}
