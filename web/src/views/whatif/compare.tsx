// SPDX-License-Identifier: Apache-2.0
// What came of it: a plain sentence, ways in money, the table with differences and intervals, the courses.
import { useEffect, useState } from "preact/hooks";
import { FileText } from "lucide-preact";
import { countedBy, moneyKpis, perDay, unequalDays } from "~/api/counted";
import { countsBeside, isPart } from "~/api/counts";
import { useKpis } from "~/api/kpis";
import { useSamples } from "~/api/samples";
import { compare, ensembleRuns, type ComparedKpi, type Comparison } from "~/api/whatif";
import { worlds } from "~/api/worlds";
import { go, route } from "~/app/route";
import { Card, Icon, Skeleton, Wrong } from "~/ui/basic";
import * as format from "~/format";
import { KpiTable } from "~/views/kpi/table";
import { words } from "~/words/en";
import { ByItself } from "./byitself";
import { called } from "./called";
import { Courses } from "./courses";
import { told, type Besides } from "./finding";
import { NextStep } from "./next";
import { ResultOf } from "./origin";
import { Ranking } from "./ranking";
import { Finding } from "./told";

const w = words.whatif;
const POINTS = 300;
const ROUND_MS = 1000;

interface Props {
  names?: readonly string[]; // worlds that ran, the first is what the others are compared with
  ensemble?: number; // or runs many times over
  moving: boolean;
  version: string; // read anew when it changes
  costs?: readonly number[]; // of each, in money
  reference?: string; // what the first is called
  titles?: Readonly<Record<string, string>>; // what others are called
  about?: string; // the twin that it is about
  runs?: number; // of each
  kpi?: string; // what decides, unless somebody chooses another
}

function useComparison(p: Props): { c?: Comparison; error?: unknown } {
  const [c, set] = useState<Comparison>();
  const [error, fail] = useState<unknown>();
  const key = p.names?.join(",") ?? String(p.ensemble);
  useEffect(() => {
    const abort = new AbortController();
    const get = () => (p.ensemble ? ensembleRuns(p.ensemble, abort.signal) : compare(p.names!, POINTS, abort.signal));
    const read = () =>
      get().then(
        (x) => (set(x), fail(undefined)),
        (e: unknown) => !abort.signal.aborted && fail(e),
      );
    void read();
    const timer = p.moving ? setInterval(read, ROUND_MS) : 0;
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [key, p.moving, p.version]);
  return { c, error };
}

/** What the finding is about stands first, then money. */
function ordered(c: Comparison, head?: string): ComparedKpi[] {
  const rank = (k: ComparedKpi) => (k.name === head ? 2 : Number(k.of === "money"));
  return [...c.kpis].sort((a, b) => rank(b) - rank(a));
}

const namesOf = (c: Comparison): string[] =>
  c.worlds.map((x, i) => (i === 0 && c.worlds.length > 1 ? w.nothing(x.name) : x.name));

export function Compare(p: Props) {
  const { c: read, error } = useComparison(p);
  const samples = useSamples(p.ensemble, !p.moving);
  const kpis = useKpis();
  const pair = (a: string, b: string) => [kpis.get(a), kpis.get(b)] as const;
  const besides: Besides = {
    costs: p.costs,
    samples,
    part: (a, b) => isPart(...pair(a, b)),
    counts: (a, b) => countsBeside(...pair(a, b)),
  };
  if (error && !read) return <Wrong error={error} />;
  if (!read) return <Skeleton lines={8} />;
  const c = called(read, p.reference ?? w.without, p.titles);
  const money = moneyKpis(c);
  const k = countedBy(c, route.value.params.kpi ?? p.kpi);
  const many = c.worlds.length > 1;
  const days = unequalDays(c);
  const shown = days ? { ...c, kpis: c.kpis.map((x) => perDay(x, days)) } : c;
  const report = p.ensemble
    ? `/ensembles/${p.ensemble}?format=html`
    : many && `/compare?format=html&worlds=${encodeURIComponent(p.names!.join(","))}`;
  return (
    <div class="column results" data-tour="result">
      {many && <ResultOf c={c} names={p.names} runs={p.runs} />}
      {many && <Finding t={p.moving ? { head: w.soFar, next: "", buts: [] } : told(c, k, besides)} />}
      {p.about && !p.moving && <NextStep twin={p.about} />}
      {k && !days && many && (c.worlds.length > 2 || !!p.costs || money.length > 1) && (
        <Card
          class="in-money"
          title={w.inMoney}
          actions={
            money.length > 1 && (
              <label class="row small count-in">
                <span class="quiet">{w.countIn}</span>
                <select
                  class="select"
                  value={k.name}
                  onChange={(e) => go({ params: { kpi: e.currentTarget.value }, replace: true })}
                >
                  {money.map((x) => (
                    <option key={x.name} value={x.name}>
                      {x.title || x.name}
                    </option>
                  ))}
                </select>
              </label>
            )
          }
        >
          <Ranking c={c} k={k} costs={p.costs} samples={samples} />
          {p.about && <ByItself twin={p.about} base={worlds.value.find((x) => x.name === p.names?.[0])} />}
        </Card>
      )}
      <Card
        title={many ? w.compared : words.overview.kpis}
        bare
        actions={
          report && (
            <a class="button plain" href={report + "&api-version=2023-10-31"} target="_blank" rel="noopener">
              <Icon of={FileText} />
              {w.report}
            </a>
          )
        }
      >
        {days && <div class="menu-title">{w.perDay}</div>}
        <KpiTable kpis={ordered(shown, k?.name)} names={namesOf(shown)} label={w.compared} every={!!days} />
        {read.notes?.map((n) => (
          <div key={n} class="menu-title">
            {format.told(n)}
          </div>
        ))}
      </Card>
      <Courses c={c} />
    </div>
  );
}
