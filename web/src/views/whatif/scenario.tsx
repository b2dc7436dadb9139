// SPDX-License-Identifier: Apache-2.0
// One scenario: what is changed, when; how far it runs; merge or discard.
import { useEffect, useState } from "preact/hooks";
import { GitMerge, Pause, Pencil, Play, Plus, Trash2, X } from "lucide-preact";
import { byId, labelOf, search } from "~/api/catalogue";
import { wordsOf } from "~/api/client";
import { models, propertyOf } from "~/api/models";
import type { World } from "~/api/types";
import { diff, dropPair, merge, pauseRun, runPair, type Difference, type Planned } from "~/api/whatif";
import { go, kind } from "~/app/route";
import { Button, Card, Chip, Dialog, Field, IconButton, Progress, Skeleton, Wrong } from "~/ui/basic";
import { tell, tellError } from "~/ui/toast";
import { parseInput } from "~/views/twin/properties";
import { words } from "~/words/en";
import * as format from "~/format";
import { StateChip } from "./scenarios";

const LENGTHS: [string, string, string][] = [
  ["PT1H", "1 h", "PT1M"],
  ["PT8H", "8 h", "PT5M"],
  ["P1D", "1 d", "PT15M"],
  ["P7D", "7 d", "PT15M"],
  ["P30D", "30 d", "PT1H"],
];

/** Where somebody plans a change: twin, property, value, when. */
function PlanForm({ add }: { add: (p: Planned) => void }) {
  const [find, setFind] = useState("");
  const [twin, setTwin] = useState("");
  const [property, setProperty] = useState("");
  const [text, setText] = useState("");
  const [minutes, setMinutes] = useState("0");
  const [wrong, setWrong] = useState("");
  const entry = byId.value.get(twin);
  const list = entry
    ? (models.value.get(entry.model)?.properties ?? []).filter((p) => p.type !== "document" && !p.telemetry)
    : [];
  const p = entry ? propertyOf(entry.model, property) : undefined;
  function submit(e: Event) {
    e.preventDefault();
    if (!p) return;
    const value = parseInput(text, p);
    if (value === undefined) return setWrong(words.twin.notA(p.type));
    add({ at: `PT${Math.max(0, Number(minutes) || 0)}M`, twin, property, value });
    setText("");
    setWrong("");
  }
  return (
    <form class="plan-form" onSubmit={submit}>
      <Field label={words.whatif.twin} for="plan-twin">
        {twin ? (
          <div class="row">
            <span class="grow ellipsis">{labelOf(twin)}</span>
            <IconButton name={words.whatif.another} icon={X} onClick={() => setTwin("")} />
          </div>
        ) : (
          <div class="find">
            <input
              id="plan-twin"
              class="input"
              value={find}
              placeholder={words.search}
              autocomplete="off"
              onInput={(e) => setFind(e.currentTarget.value)}
            />
            {find && (
              <div class="find-list card">
                {search(find, 8).map((e) => (
                  <button
                    type="button"
                    class="menu-item"
                    key={e.id}
                    onClick={() => (setTwin(e.id), setFind(""), setProperty(""))}
                  >
                    <span class="ellipsis">{e.label}</span>
                    <code class="tiny quiet ellipsis">{e.id}</code>
                  </button>
                ))}
              </div>
            )}
          </div>
        )}
      </Field>
      <Field label={words.whatif.property} for="plan-property">
        <select
          id="plan-property"
          class="select"
          value={property}
          disabled={!twin}
          onChange={(e) => setProperty(e.currentTarget.value)}
        >
          <option value="" />
          {list.map((x) => (
            <option key={x.path} value={x.path}>
              {x.name}
            </option>
          ))}
        </select>
      </Field>
      <Field label={words.whatif.value} wrong={wrong} for="plan-value" help={p && format.unitSymbol(p.unit)}>
        <input
          id="plan-value"
          class="input"
          value={text}
          disabled={!p}
          onInput={(e) => setText(e.currentTarget.value)}
        />
      </Field>
      <Field label={words.whatif.afterMinutes} for="plan-at">
        <input
          id="plan-at"
          class="input"
          type="number"
          min="0"
          value={minutes}
          onInput={(e) => setMinutes(e.currentTarget.value)}
        />
      </Field>
      <Button type="submit" icon={Plus} disabled={!p}>
        {words.whatif.add}
      </Button>
    </form>
  );
}

function Changed({ world }: { world: World }) {
  const [list, set] = useState<Difference[]>();
  const [counts, setCounts] = useState(0);
  const [error, fail] = useState<unknown>();
  const [open, setOpen] = useState(false);
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const [busy, setBusy] = useState(false);
  const keyOf = (d: Difference) => `${d.twin}\n${d.property}`;
  async function show() {
    setOpen(true);
    try {
      const d = await diff(world.name);
      set(d.changes.filter((c) => c.what === "value"));
      setCounts(d.counts.values ?? d.changes.length);
    } catch (e) {
      fail(e);
    }
  }
  async function take() {
    setBusy(true);
    try {
      const only = [...chosen].map((k) => ({ twin: k.split("\n")[0]!, property: k.split("\n")[1]! }));
      await merge(world.name, only);
      tell(words.whatif.merged(only.length));
      setOpen(false);
    } catch (e) {
      fail(e);
    }
    setBusy(false);
  }
  return (
    <>
      <Button icon={GitMerge} onClick={() => void show()}>
        {words.whatif.merge}
      </Button>
      <Dialog
        title={words.whatif.mergeTitle(world.name)}
        open={open}
        close={() => setOpen(false)}
        footer={
          <>
            <Button onClick={() => setOpen(false)}>{words.cancel}</Button>
            <Button look="primary" icon={GitMerge} busy={busy} disabled={!chosen.size} onClick={() => void take()}>
              {words.whatif.mergeN(chosen.size)}
            </Button>
          </>
        }
      >
        <p class="quiet">{words.whatif.mergeAbout}</p>
        {error ? (
          <Wrong error={error} />
        ) : !list ? (
          <Skeleton />
        ) : (
          <div class="scroll" style={{ maxHeight: "48vh" }}>
            <table class="table">
              <thead>
                <tr>
                  <th />
                  <th>{words.whatif.twin}</th>
                  <th>{words.whatif.property}</th>
                  <th class="num">{words.whatif.before}</th>
                  <th class="num">{words.whatif.afterwards}</th>
                </tr>
              </thead>
              <tbody>
                {list.map((d) => {
                  const k = keyOf(d);
                  const on = chosen.has(k);
                  return (
                    <tr key={k}>
                      <td>
                        <input
                          type="checkbox"
                          aria-label={`${d.twin} ${d.property}`}
                          checked={on}
                          onChange={() => {
                            const next = new Set(chosen);
                            if (!next.delete(k)) next.add(k);
                            choose(next);
                          }}
                        />
                      </td>
                      <td class="ellipsis">{labelOf(d.twin)}</td>
                      <td>{d.property}</td>
                      <td class="num quiet">{format.value(d.before, d.unit)}</td>
                      <td class="num">{format.value(d.after, d.unit)}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
            {counts > list.length && <div class="menu-title">{words.overview.andMore(counts - list.length)}</div>}
          </div>
        )}
      </Dialog>
    </>
  );
}

export function Scenario({ world, base }: { world: World; base?: string }) {
  const [plan, setPlan] = useState<Planned[]>([]);
  const [length, setLength] = useState("PT8H");
  const [wrong, fail] = useState("");
  const run = world.run;
  const moving = run?.state === "running" || run?.state === "starting";
  useEffect(() => fail(""), [world.name]);
  async function start() {
    fail("");
    try {
      await runPair(world.name, {
        for: length,
        output: LENGTHS.find((l) => l[0] === length)?.[2],
        changes: plan.length ? plan : undefined,
      });
      setPlan([]);
    } catch (e) {
      fail(wordsOf(e));
    }
  }
  return (
    <Card
      title={
        <span class="row">
          <StateChip world={world} />
          {world.purpose && <span class="quiet small">{world.purpose}</span>}
        </span>
      }
      actions={
        <>
          {kind.value !== "scenario" && (
            <Button onClick={() => go({ world: world.name, at: "", view: "overview", params: { show: null } })}>
              {words.whatif.look}
            </Button>
          )}
          {base && <Changed world={world} />}
          <Button
            look="danger"
            icon={Trash2}
            onClick={() =>
              confirm(words.world.dropSure(world.name)) &&
              void dropPair(world.name).then(() => go({ world: "live", params: { show: null } }), tellError)
            }
          >
            {words.world.drop}
          </Button>
        </>
      }
    >
      {run && moving && (
        <div class="column">
          <Progress part={run.progress ?? 0} label={words.whatif.running(world.name)} />
          <div class="row small quiet">
            <span class="grow">
              {run.now && format.time(run.now)}
              {run.secondsLeft !== undefined && ` · ${words.whatif.left(format.duration(run.secondsLeft * 1000))}`}
            </span>
            <Button icon={Pause} onClick={() => void pauseRun(world.name).catch(tellError)}>
              {words.timeline.pause}
            </Button>
          </div>
        </div>
      )}
      {!moving && (
        <div class="column" style={{ gap: 12 }}>
          {plan.length > 0 && (
            <ul class="column" style={{ gap: 4 }}>
              {plan.map((p, i) => (
                <li key={i} class="row">
                  <Chip icon={Pencil}>{words.whatif.after(format.duration(format.isoDuration(p.at)))}</Chip>
                  <span class="grow ellipsis">
                    {labelOf(p.twin)}, {p.property}: {format.value(p.value)}
                  </span>
                  <IconButton
                    name={words.whatif.take}
                    icon={X}
                    onClick={() => setPlan(plan.filter((_, k) => k !== i))}
                  />
                </li>
              ))}
            </ul>
          )}
          <PlanForm add={(p) => setPlan([...plan, p])} />
          <div class="row">
            <span class="quiet small grow">{words.whatif.inPlace}</span>
            <select
              class="select"
              style={{ width: "auto" }}
              aria-label={words.whatif.length}
              value={length}
              onChange={(e) => setLength(e.currentTarget.value)}
            >
              {LENGTHS.map(([iso, title]) => (
                <option key={iso} value={iso}>
                  {title}
                </option>
              ))}
            </select>
            <Button look="primary" icon={Play} onClick={() => void start()}>
              {words.whatif.run(LENGTHS.find((l) => l[0] === length)![1])}
            </Button>
          </div>
          {wrong && <Wrong error={new Error(wrong)} />}
        </div>
      )}
    </Card>
  );
}
