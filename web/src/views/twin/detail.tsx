// SPDX-License-Identifier: Apache-2.0
// All there is to say of one value: exactly what it is, when it was true and when it came, who set it, what it means.
import { useEffect, useRef, useState } from "preact/hooks";
import { Copy, LineChart } from "lucide-preact";
import { lastSource } from "~/api/history";
import { timesOf } from "~/api/twin";
import type { Twin } from "~/api/types";
import { worldName } from "~/app/route";
import { Button } from "~/ui/basic";
import { copyText } from "~/ui/chart/export";
import { tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import type { Shown } from "./shown";

const w = words.twin.detail;

export const exactly = (s: Shown): string =>
  typeof s.value === "string" ? s.value : s.known ? JSON.stringify(s.value) : "";

export const copyValue = (s: Shown) =>
  copyText(exactly(s)).then(() => tell(words.chart.valueCopied(exactly(s))), tellError);

const AGAIN_MS = 2000;

/** Who set it last, asked again when a newer value came. Undefined until it is known, "" where nobody is told of. */
function useSource(world: string, twin: string, path: string, came: string | undefined): string | undefined {
  const [got, set] = useState<{ of: string; source: string }>();
  const newest = useRef(came);
  newest.current = came;
  const of = JSON.stringify([world, twin, path]);
  const known = came !== undefined;
  useEffect(() => {
    if (!known) return;
    const abort = new AbortController();
    let asked: string | undefined;
    const ask = async () => {
      if (newest.current === asked) return;
      const now = newest.current;
      const source = await lastSource(world, twin, path, abort.signal).catch(() => undefined);
      if (abort.signal.aborted || source === undefined) return;
      asked = now;
      set({ of, source });
    };
    // One after the other, however fast values come.
    let timer = 0;
    const round = () => void ask().finally(() => abort.signal.aborted || (timer = window.setTimeout(round, AGAIN_MS)));
    round();
    return () => (abort.abort(), clearTimeout(timer));
  }, [of, known]);
  return got?.of === of ? got.source : undefined;
}

export function Detail({ twin, s, draw }: { twin: Twin; s: Shown; draw?: (path: string) => void }) {
  const t = timesOf(twin, s.path);
  const source = useSource(worldName.value, twin.$dtId, s.path, s.known ? (t.arrived ?? t.source ?? "") : undefined);
  const facts: [string, string | undefined][] = [
    [w.exact, s.known ? `${exactly(s)} ${format.unitSymbol(s.property?.unit ?? "")}`.trim() : undefined],
    [w.true, t.source && format.exactTime(t.source)],
    [w.came, t.arrived && format.exactTime(t.arrived)],
    [w.by, source === "" ? w.byNobody : source],
    [w.path, s.path],
    [w.type, s.property ? w.types[s.property.type] : w.unknown],
  ];
  return (
    <div class="prop-detail">
      {s.property?.about && <p class="small">{s.property.about}</p>}
      <dl class="facts">
        {facts
          .filter(([, v]) => v)
          .map(([name, v]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{name === w.path ? <code>{v}</code> : v}</dd>
            </div>
          ))}
      </dl>
      <div class="row">
        {s.known && (
          <Button icon={Copy} onClick={() => void copyValue(s)}>
            {words.copy}
          </Button>
        )}
        {draw && typeof s.value === "number" && (
          <Button icon={LineChart} onClick={() => draw(s.path)}>
            {w.draw}
          </Button>
        )}
      </div>
    </div>
  );
}
