// SPDX-License-Identifier: Apache-2.0
// How it went: a chart each KPI, the worlds over each other with their bands; its title says what it came to.
import { useState } from "preact/hooks";
import type { ComparedKpi, Comparison } from "~/api/whatif";
import { Button, Card } from "~/ui/basic";
import { Chart } from "~/ui/chart";
import { words } from "~/words/en";
import { moved } from "./finding";
import { linesOf, titleOf } from "./lines";

const w = words.whatif;
const FIRST = 4;

function Course({ c, k }: { c: Comparison; k: ComparedKpi }) {
  const lines = linesOf(c, k);
  if (!lines.length) return null;
  return (
    <figure class="course">
      <figcaption class="small strong">{titleOf(k)}</figcaption>
      <Chart lines={lines} height={170} label={words.twin.course(k.title || k.name)} sync="compare" />
    </figure>
  );
}

/** Those that tell the worlds apart first; the rest when somebody asks. */
export function Courses({ c }: { c: Comparison }) {
  const [all, set] = useState(false);
  const drawn = c.kpis.filter((k) => k.values.some((v) => v.times?.length));
  if (!drawn.length) return null;
  const order = [...drawn].sort(
    (a, b) => Number(moved(b)) - Number(moved(a)) || Number(b.of === "money") - Number(a.of === "money"),
  );
  const shown = all ? order : order.slice(0, FIRST);
  return (
    <Card title={w.courses}>
      <div class="courses">
        {shown.map((k) => (
          <Course key={k.name} c={c} k={k} />
        ))}
      </div>
      {order.length > FIRST && (
        <Button look="plain" onClick={() => set(!all)}>
          {all ? w.fewerCharts : w.allCharts(order.length - FIRST)}
        </Button>
      )}
    </Card>
  );
}
