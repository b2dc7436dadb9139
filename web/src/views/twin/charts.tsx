// SPDX-License-Identifier: Apache-2.0
// Charts of a twin's properties over one span of time: brush to zoom, gaps as gaps, CSV of what is shown.
import { useEffect, useMemo, useState } from "preact/hooks";
import { Download, LineChart } from "lucide-preact";
import { urlOf, worldPath } from "~/api/client";
import { fetchHistory, type Series } from "~/api/history";
import { propertyOf } from "~/api/models";
import type { Twin } from "~/api/types";
import { go, route, worldName } from "~/app/route";
import { Card, Empty, Icon, Skeleton, Wrong } from "~/ui/basic";
import { Chart, type Line } from "~/ui/chart";
import { words } from "~/words/en";
import { shownOf } from "./properties";

const SPANS: [string, number][] = [
  ["15 min", 900],
  ["1 h", 3600],
  ["8 h", 8 * 3600],
  ["1 d", 86400],
  ["7 d", 7 * 86400],
  ["30 d", 30 * 86400],
];
const POINTS = 600;

/** A gap is drawn where values come more than five times later than usual. */
export function withGaps(s: Series): { time: number[]; value: (number | null)[] } {
  const steps = s.time.slice(1).map((t, i) => t - s.time[i]!);
  const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0;
  const time: number[] = [];
  const value: (number | null)[] = [];
  s.time.forEach((t, i) => {
    if (i && steps[i - 1]! > 5 * usual && steps[i - 1]! > 60) {
      time.push(s.time[i - 1]! + usual);
      value.push(null);
    }
    const v = s.value[i];
    time.push(t);
    value.push(typeof v === "number" ? v : typeof v === "boolean" ? Number(v) : null);
  });
  return { time, value };
}

export function Charts({ twin }: { twin: Twin }) {
  const numbers = shownOf(twin)
    .filter((s) => typeof s.value === "number" && s.sensor)
    .map((s) => s.path);
  const chosen = (route.value.params.p ?? numbers[0] ?? "").split(",").filter((p) => p);
  const span = Number(route.value.params.span ?? 3600);
  const [zoom, setZoom] = useState<[number, number] | null>(null);
  const [series, set] = useState<Series[]>();
  const [error, fail] = useState<unknown>();
  const world = worldName.value;
  const end = route.value.at ? Date.parse(route.value.at) : 0;
  const wanted = chosen.join(",");
  useEffect(() => setZoom(null), [span, wanted, world]);
  useEffect(() => {
    if (!wanted) return set([]);
    const abort = new AbortController();
    const read = () => {
      const to = zoom ? zoom[1] * 1000 : end || Date.now();
      const from = zoom ? zoom[0] * 1000 : to - span * 1000;
      const dense = (to - from) / 1000 <= POINTS * 2;
      return fetchHistory({
        world,
        twin: twin.$dtId,
        properties: chosen,
        from,
        to,
        points: dense ? undefined : POINTS,
        signal: abort.signal,
      }).then(
        (s) => (set(s), fail(undefined)),
        (e: unknown) => !abort.signal.aborted && fail(e),
      );
    };
    void read();
    const timer = end || zoom ? 0 : setInterval(read, Math.max(2000, span));
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [twin.$dtId, world, wanted, span, end, zoom]);
  const lines = useMemo<Line[]>(
    () =>
      (series ?? []).map((s) => ({
        label: propertyOf(twin.$metadata.$model, s.property)?.name ?? s.property,
        unit: s.unit,
        step: s.schema === "boolean" || s.schema === "integer",
        ...withGaps(s),
      })),
    [series],
  );
  const toggle = (p: string) => {
    const next = chosen.includes(p) ? chosen.filter((x) => x !== p) : [...chosen, p].slice(-6);
    go({ params: { p: next.join(",") || null }, replace: true });
  };
  const csv = worldPath(world) + `/digitaltwins/${encodeURIComponent(twin.$dtId)}/history`;
  return (
    <Card
      title={words.twin.charts}
      actions={
        <>
          <select
            class="select"
            style={{ width: "auto" }}
            aria-label={words.twin.range}
            value={span}
            onChange={(e) => go({ params: { span: e.currentTarget.value }, replace: true })}
          >
            {SPANS.map(([title, s]) => (
              <option key={s} value={s}>
                {title}
              </option>
            ))}
          </select>
          <a
            class="button plain icon"
            title={words.twin.exportCsv}
            aria-label={words.twin.exportCsv}
            download={`${twin.$dtId}.csv`}
            href={urlOf(csv, { properties: wanted, from: `-${span}s`, format: "csv" })}
          >
            <Icon of={Download} />
          </a>
        </>
      }
    >
      {!numbers.length ? (
        <Empty icon={LineChart} title={words.twin.noHistory} hint={words.twin.noHistoryHint} />
      ) : (
        <>
          <div class="chips" role="group" aria-label={words.twin.choose}>
            {numbers.map((p) => (
              <button
                type="button"
                key={p}
                class="chip pick"
                aria-pressed={chosen.includes(p)}
                onClick={() => toggle(p)}
              >
                {propertyOf(twin.$metadata.$model, p)?.name ?? p}
              </button>
            ))}
          </div>
          {error ? (
            <Wrong error={error} />
          ) : !series ? (
            <Skeleton lines={5} />
          ) : (
            lines.length > 0 && (
              <Chart
                lines={lines}
                height={260}
                label={words.twin.course(lines.map((l) => l.label).join(", "))}
                zoom={(from, to) => setZoom([from, to])}
              />
            )
          )}
        </>
      )}
    </Card>
  );
}
