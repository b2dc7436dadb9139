// SPDX-License-Identifier: Apache-2.0
// Side by side: a plain sentence, the table with differences and intervals, the courses over each other.
import { useEffect, useState } from "preact/hooks";
import { ArrowDown, ArrowUp, Minus } from "lucide-preact";
import { compare, ensembleRuns, type ComparedKpi, type ComparedValue, type Comparison } from "~/api/whatif";
import { Card, Chip, Icon, Skeleton, Wrong, type Tone } from "~/ui/basic";
import { Chart, type Line } from "~/ui/chart";
import { words } from "~/words/en";
import * as format from "~/format";

const TONE: Record<string, Tone> = { better: "ok", worse: "bad" };
const unitOf = (k: ComparedKpi) => k.symbol ?? format.unitSymbol(k.unit);

/** The finding in a sentence: money first, then what changed most. */
function sentence(c: Comparison): string {
  if (c.sentence) return c.sentence;
  const other = c.worlds[1]?.name;
  if (!other) return "";
  const moved = c.kpis
    .map((k) => ({ k, v: k.values[1]! }))
    .filter(({ v }) => v && v.difference && Math.abs(v.relative ?? 1) > 0.0005)
    .sort(
      (a, b) =>
        Number(b.k.of === "money") - Number(a.k.of === "money") ||
        Math.abs(b.v.relative ?? 9) - Math.abs(a.v.relative ?? 9),
    );
  if (!moved.length) return words.whatif.same(other);
  const one = ({ k, v }: (typeof moved)[number]) =>
    words.whatif.moved(k.title, v.difference! > 0, format.number(Math.abs(v.difference!)), unitOf(k));
  return words.whatif.sentence(other, moved.slice(0, 2).map(one));
}

function Difference({ k, v }: { k: ComparedKpi; v: ComparedValue }) {
  if (v.difference === undefined || v.difference === null) return <span class="quiet">–</span>;
  const icon = v.difference > 0 ? ArrowUp : v.difference < 0 ? ArrowDown : Minus;
  const interval = v.differenceLow !== undefined && v.differenceLow !== null && v.differenceHigh != null;
  return (
    <span title={`${v.difference} ${unitOf(k)}`}>
      <Icon of={icon} size={13} /> {format.number(v.difference)}
      {interval && (
        <span class="tiny quiet">
          {" "}
          [{format.number(v.differenceLow!)}, {format.number(v.differenceHigh!)}]
        </span>
      )}
    </span>
  );
}

function Row({ k }: { k: ComparedKpi }) {
  return (
    <tr>
      <td title={`${k.name} · ${k.over}`}>{k.title || k.name}</td>
      {k.values.map((v, i) => (
        <>
          <td class="num" key={v.world} title={String(v.value)}>
            {v.value === null ? "–" : format.number(v.value, 4)}
          </td>
          {i > 0 && (
            <td class="num" key={v.world + "d"}>
              <Difference k={k} v={v} />
            </td>
          )}
          {i > 0 && (
            <td class="num small" key={v.world + "r"}>
              {v.relative !== undefined && v.relative !== null
                ? `${v.relative > 0 ? "+" : ""}${format.number(v.relative * 100)}\u2009%`
                : ""}
            </td>
          )}
          {i > 0 && (
            <td key={v.world + "v"}>
              {v.verdict && <Chip tone={TONE[v.verdict] ?? ""}>{words.whatif.verdict[v.verdict]}</Chip>}
            </td>
          )}
        </>
      ))}
      <td class="quiet">{unitOf(k)}</td>
    </tr>
  );
}

function Course({ k }: { k: ComparedKpi }) {
  const lines: Line[] = k.values
    .filter((v) => v.times?.length)
    .map((v, i) => ({
      label: i === 0 ? words.whatif.without : v.world,
      unit: k.unit,
      time: v.times!.map((t) => Date.parse(t) / 1000),
      value: v.values!,
      low: v.lows,
      high: v.highs,
      colour: i === 0 ? "var(--n6)" : `var(--c${i - 1})`,
      dash: i === 0,
    }));
  if (!lines.length) return null;
  return (
    <figure class="course">
      <figcaption class="small strong">{k.title || k.name}</figcaption>
      <Chart lines={lines} height={150} label={words.twin.course(k.title)} sync="compare" />
    </figure>
  );
}

interface Props {
  names?: readonly string[]; // worlds that ran, the first is what the others are compared with
  ensemble?: number; // or runs many times over
  moving: boolean;
  version: string; // read anew when it changes
}

export function Compare({ names, ensemble, moving, version }: Props) {
  const [result, set] = useState<Comparison>();
  const [error, fail] = useState<unknown>();
  const key = names?.join(",") ?? String(ensemble);
  useEffect(() => {
    const abort = new AbortController();
    const get = () => {
      if (ensemble) return ensembleRuns(ensemble, abort.signal);
      return compare(names!.length > 1 ? names! : [names![0]!, names![0]!], 200, abort.signal);
    };
    const read = () =>
      get().then(
        (c) => (set(c), fail(undefined)),
        (e: unknown) => !abort.signal.aborted && fail(e),
      );
    void read();
    const timer = moving ? setInterval(read, 1000) : 0;
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [key, moving, version]);
  if (error && !result) return <Wrong error={error} />;
  if (!result) return <Skeleton lines={8} />;
  return (
    <>
      <div class="finding" role="status">
        {sentence(result)}
      </div>
      <Card title={words.whatif.compared} bare>
        <div class="scroll">
          <table class="table">
            <thead>
              <tr>
                <th>{words.overview.kpi}</th>
                {result.worlds.map((w, i) => (
                  <>
                    <th class="num" key={w.name}>
                      {i === 0 ? words.whatif.without : w.name}
                    </th>
                    {i > 0 && (
                      <th class="num" colSpan={2}>
                        {words.whatif.difference}
                      </th>
                    )}
                    {i > 0 && <th />}
                  </>
                ))}
                <th>{words.whatif.unit}</th>
              </tr>
            </thead>
            <tbody>
              {result.kpis.map((k) => (
                <Row key={k.name} k={k} />
              ))}
            </tbody>
          </table>
        </div>
        {result.notes?.map((n) => (
          <div key={n} class="menu-title">
            {n}
          </div>
        ))}
      </Card>
      <Card title={words.whatif.courses}>
        <div class="courses">
          {result.kpis.map((k) => (
            <Course key={k.name} k={k} />
          ))}
        </div>
      </Card>
    </>
  );
}
