// SPDX-License-Identifier: Apache-2.0
// What is missing for a what-if to tell anything: behaviours that move twins, KPIs that count.
import { useEffect, useState } from "preact/hooks";
import { CircleAlert, Plus } from "lucide-preact";
import { api } from "~/api/client";
import { hrefOf } from "~/app/route";
import { Icon } from "~/ui/basic";
import { words } from "~/words/en";

const w = words.whatif;

const count = (path: string, abort: AbortSignal): Promise<number> =>
  api.get<{ value: unknown[] }>(path, { signal: abort }).then((r) => r.value.length);

export function Ready() {
  const [missing, set] = useState<readonly ("behaviour" | "kpi")[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    Promise.all([
      count("/behaviours", abort.signal),
      count("/mappings", abort.signal),
      count("/kpis", abort.signal),
    ]).then(
      ([behaviours, mappings, kpis]) =>
        set([...(behaviours + mappings ? [] : ["behaviour" as const]), ...(kpis ? [] : ["kpi" as const])]),
      () => {}, // an older server: nothing is said
    );
    return () => abort.abort();
  }, []);
  return (
    <>
      {missing.map((what) => (
        <div class="notice attention" key={what}>
          <Icon of={CircleAlert} />
          <span class="grow">{what === "kpi" ? w.noKpis : w.noBehaviours}</span>
          <a class="button" href={hrefOf({ view: "models", params: { [what]: "*" } })}>
            <Icon of={Plus} />
            {words.definitions[what].fresh}
          </a>
        </div>
      ))}
    </>
  );
}
