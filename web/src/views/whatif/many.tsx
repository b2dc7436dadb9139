// SPDX-License-Identifier: Apache-2.0
// Runs many times over, by other chances each time: how far they are, then what one may be sure of.
import { useEffect, useState } from "preact/hooks";
import { CircleStop } from "lucide-preact";
import { follow, isWorking, readEnsembles, type Ensemble } from "~/api/runs";
import { stopEnsemble } from "~/api/whatif";
import { route } from "~/app/route";
import { Button, Card, Progress, Skeleton, Wrong } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { costsOf, paramsOf } from "./asked";
import { referenceOf } from "./called";
import { Compare } from "./compare";
import { NextSteps } from "./next";

const w = words.whatif;
const ROUND_MS = 700;

function useEnsemble(id: number): { e?: Ensemble; error?: unknown } {
  const [e, set] = useState<Ensemble>();
  const [error, fail] = useState<unknown>();
  const over = e !== undefined && !isWorking(e);
  useEffect(() => {
    const abort = new AbortController();
    const read = () =>
      readEnsembles(abort.signal).then(
        (list) => {
          const x = list.find((y) => y.id === id);
          if (x) set(x);
          fail(x ? undefined : new Error(w.gone));
        },
        (x: unknown) => !abort.signal.aborted && fail(x),
      );
    void read();
    const timer = over ? 0 : setInterval(read, ROUND_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [id, over]);
  // Who leaves while it works is told when it is over, and led back to this very address.
  useEffect(() => {
    if (e && isWorking(e)) follow(id, { ...route.peek().params });
  }, [id, e && isWorking(e)]);
  return { e, error };
}

function Working({ e }: { e: Ensemble }) {
  const left = e.replications ? (e.seconds / e.replications) * (e.of - e.replications) : NaN;
  return (
    <Card title={w.running(e.title ?? "")}>
      <div class="column">
        <Progress part={e.of ? e.replications / e.of : 0} label={w.running(e.title ?? "")} />
        <div class="row small quiet">
          <span class="grow" role="status">
            {w.runs(e.replications, e.of)}
            {left >= 1 && ` · ${w.left(format.duration(left * 1000))}`}
          </span>
          <Button icon={CircleStop} onClick={() => void stopEnsemble(e.id).catch(tellError)}>
            {w.stop}
          </Button>
        </div>
        <p class="small quiet">{w.inBackground}</p>
      </div>
    </Card>
  );
}

export function Many({ id }: { id: number }) {
  const { e, error } = useEnsemble(id);
  if (error && !e) return <Wrong error={error} />;
  if (!e) return <Skeleton lines={6} />;
  const over = !isWorking(e);
  // The server keeps how it was asked: an address that says no more than its number tells the same.
  const asked = { ...paramsOf(e), ...route.value.params };
  const costs = costsOf(asked.costs);
  const about = asked.about;
  const reference = referenceOf(e.title, about);
  return (
    <div class="column" style={{ gap: 16 }}>
      {!over && <Working e={e} />}
      {e.error && <Wrong error={new Error(e.error.message)} />}
      {e.replications > 0 && (
        <Compare
          ensemble={id}
          moving={!over}
          version={e.state}
          costs={costs}
          reference={reference}
          about={about}
          runs={e.replications}
          kpi={asked.kpi}
        />
      )}
      {reference === w.doNothing && !costs && <p class="small quiet">{words.repair.withoutCosts}</p>}
      {over && !e.error && <p class="small quiet">{w.ran(e.replications)}</p>}
      {over && about && <NextSteps twin={about} />}
    </div>
  );
}
