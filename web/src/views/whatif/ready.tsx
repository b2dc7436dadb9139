// SPDX-License-Identifier: Apache-2.0
// What is missing for a what-if to tell anything: behaviours that move twins, KPIs that count.
import { useEffect, useState } from "preact/hooks";
import { CircleAlert } from "lucide-preact";
import { api } from "~/api/client";
import { Icon, withCode } from "~/ui/basic";
import { words } from "~/words/en";

const w = words.whatif;

const count = (path: string, abort: AbortSignal): Promise<number> =>
  api.get<{ value: unknown[] }>(path, { signal: abort }).then((r) => r.value.length);

export function Ready() {
  const [missing, set] = useState<readonly string[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    Promise.all([
      count("/behaviours", abort.signal),
      count("/mappings", abort.signal),
      count("/kpis", abort.signal),
    ]).then(
      ([behaviours, mappings, kpis]) =>
        set([...(behaviours + mappings ? [] : [w.noBehaviours]), ...(kpis ? [] : [w.noKpis])]),
      () => {}, // an older server: nothing is said
    );
    return () => abort.abort();
  }, []);
  return (
    <>
      {missing.map((text) => (
        <div class="notice attention" key={text}>
          <Icon of={CircleAlert} />
          <span>{withCode(text)}</span>
        </div>
      ))}
    </>
  );
}
