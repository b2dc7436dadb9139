// SPDX-License-Identifier: Apache-2.0
// What could be done about a twin, or what if it were otherwise: ways side by side, tried from now, from when its
// trouble began or from any instant, and compared in money.
import { useEffect, useState } from "preact/hooks";
import { BookmarkPlus, Play, Plus, X } from "lucide-preact";
import { nextFault, useFault } from "~/api/began";
import { labelOf } from "~/api/catalogue";
import { api, wordsOf } from "~/api/client";
import { readRules, rules } from "~/api/decisions";
import { modelName } from "~/api/models";
import { instantOf, ruleFits, waysOf, whenText, worthTrying, type Fault, type Way } from "~/api/remedies";
import { follow } from "~/api/runs";
import { useTwin } from "~/api/twin";
import type { Twin } from "~/api/types";
import { whatifs } from "~/api/whatif";
import { pref } from "~/app/prefs";
import { go, hrefOf, kind, route, select } from "~/app/route";
import { Button, Card, Chip, Empty, IconButton, Skeleton, Wrong } from "~/ui/basic";
import { Segment } from "~/ui/segment";
import { words } from "~/words/en";
import * as format from "~/format";
import { define } from "./draft";
import { Editor } from "./editor";
import { unitOf } from "./finding";
import { fromText } from "./new";
import { Later } from "./later";
import { Propose } from "./next";
import {
  ChangeLine,
  lengthOf,
  lengthsWith,
  nameOf,
  oftenChoices,
  useTwins,
  valueText,
  wasOf,
  type Length,
  type Often,
} from "./say";
import { tryWays } from "./ways";

const w = words.repair;
const often = pref<Often>("repair.often", "100");

/** Where it begins: now, when the trouble began, or the instant that is shown. */
function Begin({ fault }: { fault?: Fault }) {
  const r = route.value;
  const began = fault?.since ?? "";
  if (r.world !== "live") return null;
  const asked = r.params.asked ?? "";
  const at = began ? instantOf(began) : (r.params.began ?? "");
  if (!at && !r.at) return null;
  const on = !r.at ? "now" : r.at === at ? "began" : "shown";
  return (
    <div class="field">
      <span class="label">{w.from}</span>
      <Segment
        label={w.from}
        choices={[
          { id: "now", title: words.now },
          ...(at ? [{ id: "began", title: w.began(format.time(began || at)) }] : []),
          ...(on === "shown" || asked ? [{ id: "shown", title: w.shown(format.time(asked || r.at)) }] : []),
        ]}
        on={on}
        set={(id) => go({ at: id === "now" ? "" : id === "began" ? at : asked || r.at })}
      />
    </div>
  );
}

interface RowProps {
  way: Way;
  on: boolean;
  twin: string;
  twins: ReadonlyMap<string, Twin>;
  tick: () => void;
  setCost: (n: number) => void;
  unit: string; // of money
  remove?: () => void;
  keep?: () => void;
}

function WayRow({ way, on, twin, twins, tick, setCost, unit, remove, keep }: RowProps) {
  return (
    <li class="way">
      <label class="row way-title">
        <input type="checkbox" checked={on} onChange={tick} />
        <span class="strong grow">{way.title}</span>
        {way.rule && <Chip title={w.ofRuleHint}>{w.ofRule}</Chip>}
        {way.key.startsWith("whatif:") && <Chip title={w.preparedHint}>{w.prepared}</Chip>}
        {keep && <IconButton name={`${words.whatif.keepAs} ${way.title}`} icon={BookmarkPlus} onClick={keep} />}
        {remove && <IconButton name={words.whatif.takeOut(way.title)} icon={X} onClick={remove} />}
      </label>
      {way.about && <p class="small quiet way-about">{way.about}</p>}
      <div class="way-body">
        <ul class="change-list-plain small">
          {way.changes.map((c) => (
            <ChangeLine
              key={c.at + c.twin + c.property}
              {...c}
              was={wasOf(twins, c.twin, c.property)}
              instead={c.twin === twin}
            />
          ))}
        </ul>
        <label class="row small quiet way-cost">
          {w.costs}
          <input
            class="input"
            type="number"
            min="0"
            value={way.cost}
            onInput={(e) => setCost(Number(e.currentTarget.value) || 0)}
          />
          {unit}
        </label>
      </div>
    </li>
  );
}

/** Rules that fit it; the first says how far ahead, and what decides. */
const rulesFor = (twin: Twin) => rules.value.filter((r) => ruleFits(r, twin.$dtId, twin.$metadata.$model));
const AHEAD = "PT8H";

/** Of what the costs are taken off: the KPI that decides, or any of money. */
function useUnit(kpi: string | undefined): string {
  const [unit, set] = useState("");
  useEffect(() => {
    const abort = new AbortController();
    type Kpi = { name: string; unit: string; symbol?: string; of?: string };
    api.get<{ value: Kpi[] }>("/kpis", { signal: abort.signal }).then(
      ({ value }) => {
        const k = value.find((x) => x.name === kpi) ?? value.find((x) => x.of === "money");
        set(k ? unitOf(k) : "");
      },
      () => {}, // then it stands without
    );
    return () => abort.abort();
  }, [kpi]);
  return unit;
}

/** Opened at an instant before its trouble began: it begins where that did, unless somebody wants that very instant. */
function useBegan(twin: Twin | undefined, fault: Fault | undefined): void {
  const { at, world, params } = route.value;
  const id = twin?.$dtId;
  useEffect(() => {
    if (!twin || fault || !at || world !== "live" || params.asked) return;
    let on = true;
    nextFault(twin, at).then(
      (t) => {
        if (on && t) go({ at: instantOf(t), params: { asked: at, began: instantOf(t) }, replace: true });
      },
      () => {}, // it is not known: the instant stays
    );
    return () => void (on = false);
  }, [id, !!fault, at, world, params.asked]);
}

function useWays(twin: Twin, world: string, ahead: string) {
  const [own, setOwn] = useState<readonly Way[]>([]);
  const [ticked, setTicked] = useState<Readonly<Record<string, boolean>>>({});
  const [costs, setCosts] = useState<Readonly<Record<string, number>>>({});
  const fit = rulesFor(twin);
  const all = [...waysOf(twin, rules.value, whatifs.value, fit[0]?.ahead ?? AHEAD), ...own].map((x) => ({
    ...x,
    cost: costs[x.key] ?? x.cost,
  }));
  // Where rules know what can be done, a mere wish is not tried unasked.
  const twins = useTwins(
    all.flatMap((x) => x.changes.map((c) => c.twin)),
    world,
  );
  const valueOf = (id: string, path: string) => (twins.has(id) ? (wasOf(twins, id, path) ?? null) : undefined);
  const unasked = (x: Way) =>
    x.key.startsWith("own:") || ((!fit.length || !!x.rule) && worthTrying(x, ahead, valueOf));
  const isOn = (x: Way) => ticked[x.key] ?? unasked(x);
  return {
    twins,
    all,
    own,
    chosen: all.filter(isOn),
    isOn,
    tick: (x: Way) => setTicked({ ...ticked, [x.key]: !isOn(x) }),
    setCost: (x: Way, n: number) => setCosts({ ...costs, [x.key]: n }),
    add: (x: Way) => setOwn([...own, x]),
    remove: (x: Way) => setOwn(own.filter((o) => o.key !== x.key)),
  };
}

interface TryProps {
  twin: Twin;
  chosen: readonly Way[];
  fault?: Fault;
  length: string;
  setLength: (iso: string) => void;
}

function Try({ twin, chosen, fault, length, setLength }: TryProps) {
  const rule = rulesFor(twin)[0];
  const first = rule?.ahead ?? AHEAD;
  const [busy, setBusy] = useState(false);
  const [wrong, fail] = useState("");
  const l = lengthOf(length);
  const times = Number(often.value);
  async function start() {
    setBusy(true);
    fail("");
    try {
      const kpi = rule?.objective?.kpi;
      const params = await tryWays({
        twin: twin.$dtId,
        ways: chosen,
        length: l,
        times,
        seed: rule?.seed,
        ...(kpi ? { kpi } : {}),
      });
      if (params.ensemble) follow(Number(params.ensemble), params);
      go({ view: "whatif", params, fresh: true });
    } catch (e) {
      fail(wordsOf(e));
    }
    setBusy(false);
  }
  return (
    <>
      <div class="run-form">
        <Begin fault={fault} />
        <div class="field">
          <span class="label">{words.whatif.length}</span>
          <Segment
            label={words.whatif.length}
            choices={lengthsWith(first).map((x) => ({ id: x.iso, title: x.title }))}
            on={l.iso}
            set={setLength}
          />
        </div>
        <div class="field">
          <span class="label">{words.whatif.howOften}</span>
          <Segment
            label={words.whatif.howOften}
            choices={oftenChoices}
            on={often.value}
            set={(x) => (often.value = x)}
          />
        </div>
        <Button
          look="primary"
          icon={Play}
          busy={busy}
          disabled={!chosen.length}
          onClick={() => void start()}
          data-tour="try"
        >
          {w.tryWays(chosen.length)}
        </Button>
      </div>
      {!chosen.length && <p class="small quiet">{w.noneTicked}</p>}
      {wrong && <Wrong error={new Error(wrong)} retry={() => void start()} />}
    </>
  );
}

/** As a what-if of its own, to be tried again. */
const keepWay = (twin: string, x: Way, { iso, output }: Length): void =>
  define({ title: `${labelOf(twin)}: ${x.title}`, for: iso, output, changes: x.changes });

function Ways({ twin, fault }: { twin: Twin; fault?: Fault }) {
  const id = twin.$dtId;
  const [length, setLength] = useState("");
  const rule = rulesFor(twin)[0];
  const ahead = length || rule?.ahead || AHEAD;
  const unit = useUnit(rule?.objective?.kpi);
  const world = route.value.world + (route.value.at ? "@" + route.value.at : "");
  const ways = useWays(twin, world, ahead);
  const [editing, edit] = useState(false);
  const open = editing || !ways.all.length;
  return (
    <>
      <Card title={fault ? w.ways : w.ideas} bare>
        <ul class="ways">
          <li class="way">
            <div class="row way-title">
              <input type="checkbox" checked disabled aria-label={words.whatif.doNothing} />
              <span class="strong grow">{words.whatif.doNothing}</span>
              <span class="small quiet">{w.reference}</span>
            </div>
            <p class="small quiet way-about">
              {w.byItself} {fault && rule?.about}
            </p>
          </li>
          {ways.all.map((x) => (
            <WayRow
              key={x.key}
              way={x}
              on={ways.isOn(x)}
              twin={id}
              twins={ways.twins}
              unit={unit}
              tick={() => ways.tick(x)}
              setCost={(n) => ways.setCost(x, n)}
              {...(ways.own.some((o) => o.key === x.key)
                ? { remove: () => ways.remove(x), keep: () => keepWay(id, x, lengthOf(ahead)) }
                : {})}
            />
          ))}
          <li class="way">
            {open ? (
              <Editor
                world={world}
                twin={id}
                add={(e) => {
                  const at = e.at || "PT0S";
                  const change = { at, twin: e.twin, property: e.property, value: e.value };
                  const who = e.twin === id ? "" : labelOf(e.twin) + ", ";
                  const is = valueText(e.twin, e.property, e.value);
                  const title = `${who}${nameOf(e.twin, e.property)}: ${is}, ${whenText(at)}`;
                  ways.add({ key: `own:${title}`, title, changes: [change], cost: 0 });
                  edit(false);
                }}
              />
            ) : (
              <Button look="plain" icon={Plus} onClick={() => edit(true)}>
                {w.addOwn}
              </Button>
            )}
          </li>
        </ul>
      </Card>
      <section class="card try-bar" aria-label={w.try}>
        <Try twin={twin} chosen={ways.chosen} fault={fault} length={ahead} setLength={setLength} />
      </section>
    </>
  );
}

/** The fault of a twin, in words, with since when. */
function Head({ twin, fault }: { twin: Twin; fault?: Fault }) {
  const label = labelOf(twin.$dtId);
  return (
    <div class="page-head about-head">
      <div class="grow">
        <h1>{fault ? w.title(label) : w.whatIf(label)}</h1>
        <div class="row small quiet" style={{ flexWrap: "wrap", marginTop: 4 }}>
          <span>{modelName(twin.$metadata.$model)}</span>
          {fault && <Chip tone="bad">{typeof fault.value === "string" ? fault.value : fault.property.name}</Chip>}
          {fault?.since && <span title={format.exactTime(fault.since)}>{w.since(format.time(fault.since))}</span>}
          <button type="button" class="button plain" onClick={() => select(twin.$dtId)}>
            {w.details}
          </button>
        </div>
      </div>
      {kind.value === "live" && <Propose twin={twin.$dtId} />}
    </div>
  );
}

export function About({ id }: { id: string }) {
  const { twin, gone, error, again } = useTwin(id);
  const fault = useFault(twin);
  useBegan(twin, fault);
  useEffect(() => void readRules().catch(() => {}), []);
  if (gone)
    return (
      <Empty title={words.inspector.gone(id)} hint={words.inspector.goneHint}>
        <a class="button" href={hrefOf({ view: "whatif", params: { about: null }, fresh: true })}>
          {words.whatif.all}
        </a>
      </Empty>
    );
  if (error && !twin) return <Wrong error={new Error(error)} retry={again} />;
  if (!twin) return <Skeleton lines={10} />;
  return (
    <div class="column" style={{ gap: 16 }}>
      <Head twin={twin} fault={fault} />
      <p class="quiet">
        {w.lead(fromText())} {w.tryHint}
      </p>
      {route.value.params.asked && route.value.at === route.value.params.began && (
        <p class="notice" role="status">
          {w.beganLater(format.time(route.value.params.asked), format.time(route.value.at))}
        </p>
      )}
      <Later twin={twin} fault={fault} />
      <Ways twin={twin} fault={fault} />
    </div>
  );
}
