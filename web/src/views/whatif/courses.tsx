// SPDX-License-Identifier: Apache-2.0
// How it went: a chart each KPI, the worlds over each other with their bands, or how far each is from the first where
// they would lie on top of each other; its title says what it came to.
import { useMemo, useState } from "preact/hooks";
import type { ComparedKpi, Comparison } from "~/api/whatif";
import { Button, Card, cls } from "~/ui/basic";
import { Chart } from "~/ui/chart";
import { apartFrom, near } from "./besides";
import { words } from "~/words/en";
import { moved } from "./finding";
import { FANS, linesOf, titleOf } from "./lines";

const w = words.whatif;
const FIRST = 4;

function Course({ c, k }: { c: Comparison; k: ComparedKpi }) {
  const [asked, ask] = useState<boolean>();
  const lines = useMemo(() => linesOf(c, k), [c, k]);
  const apart = useMemo(() => apartFrom(lines), [lines]);
  if (!lines.length) return null;
  const first = lines[0]!.label;
  const difference = apart.length > 0 && (asked ?? near(lines, apart));
  return (
    <figure class={cls("course", lines.length > FANS && "crowd")}>
      <figcaption class="small strong">{difference ? w.courseApart(k.title || k.name, first) : titleOf(k)}</figcaption>
      <Chart
        lines={difference ? apart : lines}
        height={170}
        label={words.twin.course(k.title || k.name)}
        sync="compare"
        actions={
          apart.length > 0 && (
            <Button look="plain" class="course-turn" onClick={() => ask(!difference)}>
              {difference ? w.asItIs : w.asDifference}
            </Button>
          )
        }
      />
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
  const many = drawn.some((k) => k.values.some((v) => v.lows?.length));
  return (
    <Card title={w.courses}>
      {many && <p class="small quiet course-about">{c.worlds.length > FANS ? w.bandsAre : w.fansAre}</p>}
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
