// SPDX-License-Identifier: Apache-2.0
// One KPI or one behaviour of the world that is shown: what it says, changed and made like a rule.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ArrowLeft, Plus } from "lucide-preact";
import { byId, labelOf } from "~/api/catalogue";
import { definitionsOf, type BehaviourText, type KpiText } from "~/api/definitions";
import { readKpiNames, useKpiNames } from "~/api/kpis";
import { modelName } from "~/api/models";
import { api } from "~/api/client";
import type { Value } from "~/api/types";
import { go, hrefOf, kind, route, worldName } from "~/app/route";
import { Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { DefinitionPage, Sentences, type Kind } from "~/views/decisions/definition";

const w = words.definitions;

const TwinLink = ({ id }: { id: string }) =>
  byId.value.has(id) ? (
    <a href={hrefOf({ view: "twin", params: { sel: id }, fresh: true })} title={id}>
      {labelOf(id)}
    </a>
  ) : (
    <code>{id}</code>
  );

const unitText = (unit: string): string => format.unitSymbol(unit) || unit;

/** What it is as the world stands; of a text that does not hold yet nothing is said. */
function Now({ k }: { k: Partial<KpiText> }) {
  const [value, set] = useState<number | null>(null);
  const { twin = "", expression = "" } = k;
  useEffect(() => {
    set(null);
    if (!twin || !expression) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      const query = `SELECT ${expression} AS v FROM DIGITALTWINS WHERE $dtId = '${twin.replaceAll(/['\\]/g, "\\$&")}'`;
      api.post<{ value: { v?: Value }[] }>("/query", { query }, { world: worldName.peek(), signal: abort.signal }).then(
        (r) => {
          const v = r.value[0]?.v;
          set(typeof v === "number" ? v : typeof v === "boolean" ? Number(v) : null);
        },
        () => {}, // what is wrong with it is told when it is saved
      );
    }, 400);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [twin, expression]);
  return value === null ? <span class="quiet">{words.noValue}</span> : <>{format.number(value, 4)}</>;
}

function SaidKpi({ k }: { k: Partial<KpiText> }) {
  const s = w.kpi;
  const rows: [string, ComponentChildren][] = [];
  if (k.expression)
    rows.push([
      s.counts,
      <>
        <code>{k.expression}</code>
        {k.twin && (
          <>
            {" "}
            {s.of} <TwinLink id={k.twin} />
          </>
        )}
      </>,
    ]);
  rows.push([s.over, s.overs[k.over ?? "last"]]);
  if (k.unit) rows.push([s.unit, unitText(k.unit)]);
  if (k.better) rows.push([s.better, s.betters[k.better]]);
  if (k.of) rows.push([s.money, k.of]);
  if (k.over !== "integral") rows.push([s.now, <Now k={k} />]);
  return <Sentences rows={rows} />;
}

function SaidBehaviour({ b }: { b: Partial<BehaviourText> }) {
  const s = w.behaviour;
  const rows: [string, ComponentChildren][] = [];
  if (b.model) rows.push([s.moves, words.decisions.say.every(modelName(b.model))]);
  if (b.twin) rows.push([s.moves, <TwinLink id={b.twin} />]);
  if (b.parameters)
    rows.push([
      s.where,
      <ul>
        {Object.entries(b.parameters).map(([name, v]) => (
          <li key={name}>
            <code>
              {name} = {String(v)}
            </code>
          </li>
        ))}
      </ul>,
    ]);
  if (Array.isArray(b.say))
    rows.push([
      s.says,
      <ul class="behaviour-says">
        {b.say.map((x, i) => (
          <li key={i}>
            <code>{String(x)}</code>
          </li>
        ))}
      </ul>,
    ]);
  return <Sentences rows={rows} />;
}

const stored = definitionsOf<KpiText>("kpis");
const KPI: Kind<KpiText> = {
  first: { title: "", twin: "", expression: "", over: "mean", unit: "", better: "more" },
  ...stored,
  put: (name, text) => stored.put(name, text).then(readKpiNames),
  drop: (name) => stored.drop(name).then(readKpiNames),
  say: (k) => <SaidKpi k={k} />,
  words: { named: w.name, create: w.kpi.create, dropSure: w.kpi.dropSure },
};

const BEHAVIOUR: Kind<BehaviourText> = {
  first: { title: "", model: "", say: [""] },
  ...definitionsOf<BehaviourText>("behaviours"),
  say: (b) => <SaidBehaviour b={b} />,
  words: { named: w.name, create: w.behaviour.create, dropSure: w.behaviour.dropSure },
};

/** A new one begins with what is selected: its twin, or the model that was looked at. */
function begun<T extends { title?: string }>(of: Kind<T>, more: Partial<T>): Kind<T> {
  return { ...of, first: { ...of.first, ...more } };
}

interface Shown {
  what: "kpi" | "behaviour";
  name: string;
}

export const definitionHref = (what: Shown["what"], name: string): string =>
  hrefOf({ view: "models", params: { kpi: null, behaviour: null, [what]: name } });

/** Where one came from, and a way on to another one. */
function Head({ what, name }: Shown) {
  const kpis = useKpiNames();
  const fresh = name === "*";
  const title = what === "kpi" ? kpis.title(name) : name;
  const back =
    what === "kpi"
      ? { href: hrefOf({ view: "overview", params: { kpi: null } }), title: w.kpi.back }
      : { href: hrefOf({ params: { behaviour: null } }), title: words.views.models };
  return (
    <>
      <a class="small row back-link" href={back.href}>
        <Icon of={ArrowLeft} size={14} /> {back.title}
      </a>
      <div class="page-head">
        <h1 class="grow">{fresh ? w[what].fresh : `${w[what].one}: ${title}`}</h1>
        {!fresh && kind.value !== "past" && (
          <a class="button" href={definitionHref(what, "*")}>
            <Icon of={Plus} />
            {w[what].fresh}
          </a>
        )}
      </div>
      {kind.value === "past" && <div class="notice models-note">{w.past}</div>}
      {kind.value === "scenario" && <div class="notice models-note">{words.models.scenario(route.value.world)}</div>}
    </>
  );
}

export function Definition({ what, name }: Shown) {
  const { sel = "", m = "" } = route.value.params;
  const shown = (n: string | null) =>
    n
      ? go({ params: { [what]: n }, replace: true })
      : go({ view: what === "kpi" ? "overview" : "models", params: { [what]: null } });
  const past = kind.value === "past";
  return (
    <>
      <Head what={what} name={name} />
      {what === "kpi" ? (
        <DefinitionPage key={name} kind={begun(KPI, { twin: sel })} name={name} shown={shown} readOnly={past} />
      ) : (
        <DefinitionPage key={name} kind={begun(BEHAVIOUR, { model: m })} name={name} shown={shown} readOnly={past} />
      )}
    </>
  );
}
