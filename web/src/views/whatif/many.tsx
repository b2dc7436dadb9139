// SPDX-License-Identifier: Apache-2.0
// A what-if many times over, by other chances each time: how far it is, then what one may be sure of.
import { useEffect, useState } from "preact/hooks";
import { CircleStop } from "lucide-preact";
import { readEnsemble, stopEnsemble, type Ensemble } from "~/api/whatif";
import { Button, Card, Progress, Skeleton, Wrong } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { Compare } from "./compare";

export function Many({ id }: { id: number }) {
  const [e, set] = useState<Ensemble>();
  const [error, fail] = useState<unknown>();
  const over = e !== undefined && e.state !== "running";
  useEffect(() => {
    const abort = new AbortController();
    const read = () =>
      readEnsemble(id, abort.signal).then(
        (x) => (x ? set(x) : fail(new Error(words.whatif.gone))),
        (x: unknown) => !abort.signal.aborted && fail(x),
      );
    void read();
    const timer = over ? 0 : setInterval(read, 700);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [id, over]);
  if (error && !e) return <Wrong error={error} />;
  if (!e) return <Skeleton lines={6} />;
  const left = e.replications ? (e.seconds / e.replications) * (e.of - e.replications) : NaN;
  return (
    <div class="column" style={{ gap: 16 }}>
      <Card title={e.title ?? words.whatif.many}>
        {!over && (
          <div class="column">
            <Progress part={e.of ? e.replications / e.of : 0} label={words.whatif.running(e.title ?? "")} />
            <div class="row small quiet">
              <span class="grow">
                {words.whatif.runs(e.replications, e.of)}
                {Number.isFinite(left) && ` · ${words.whatif.left(format.duration(left * 1000))}`}
              </span>
              <Button icon={CircleStop} onClick={() => void stopEnsemble(id).catch(tellError)}>
                {words.whatif.stop}
              </Button>
            </div>
          </div>
        )}
        {over && <p class="quiet">{words.whatif.ran(e.replications)}</p>}
        {e.error && <Wrong error={new Error(e.error.message)} />}
      </Card>
      {e.replications > 0 && <Compare ensemble={id} moving={!over} version={e.state} />}
    </div>
  );
}
