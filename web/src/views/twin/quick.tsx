// SPDX-License-Identifier: Apache-2.0
// The last hour of each number of a twin, small.
import { LineChart } from "lucide-preact";
import { fetchHistory, type Series } from "~/api/history";
import { propertyOf } from "~/api/models";
import type { Twin } from "~/api/types";
import { hrefOf, route, worldName } from "~/app/route";
import { Empty } from "~/ui/basic";
import { Read, useFetched } from "~/ui/read";
import { Spark } from "~/ui/spark";
import { words } from "~/words/en";
import * as format from "~/format";
import { shownOf } from "./shown";

const POINTS = 60;
const AGAIN_MS = 10_000;

export function QuickHistory({ twin }: { twin: Twin }) {
  const world = worldName.value;
  const numbers = shownOf(twin)
    .filter((s) => typeof s.value === "number" && s.sensor)
    .map((s) => s.path);
  const wanted = numbers.join(",");
  const to = route.value.at ? Date.parse(route.value.at) : undefined;
  const ask = async (signal: AbortSignal): Promise<Series[]> => {
    if (!wanted) return [];
    const span = to ? { from: to - 3600_000, to, points: POINTS } : { from: "-1h", step: 60 };
    return fetchHistory({ world, twin: twin.$dtId, properties: numbers, signal, ...span });
  };
  const read = useFetched(`${world} ${twin.$dtId} ${wanted}`, ask, { every: to ? 0 : AGAIN_MS });
  return (
    <Read of={read} lines={6} inset>
      {(series) => <Lines twin={twin} series={series} />}
    </Read>
  );
}

function Lines({ twin, series }: { twin: Twin; series: readonly Series[] }) {
  if (!series.length) return <Empty icon={LineChart} title={words.twin.noHistory} hint={words.twin.noHistoryHint} />;
  return (
    <div class="quick-list">
      <div class="menu-title">{words.twin.lastHour}</div>
      {series.map((s) => {
        const values = s.value.map((v) => (typeof v === "number" ? v : null));
        const name = propertyOf(twin.$metadata.$model, s.property)?.name ?? s.property;
        return (
          <a key={s.property} class="quick" href={hrefOf({ view: "twin", params: { sel: twin.$dtId, p: s.property } })}>
            <span class="ellipsis small">{name}</span>
            <Spark
              values={values}
              time={s.time.map((t) => t * 1000)}
              say={(v) => format.value(v, s.unit)}
              label={words.twin.course(name)}
            />
            <span class="num small">{format.value(values[values.length - 1] ?? null, s.unit)}</span>
          </a>
        );
      })}
    </div>
  );
}
