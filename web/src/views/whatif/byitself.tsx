// SPDX-License-Identifier: Apache-2.0
// To do nothing is not that nothing happens: what goes on by itself, as a rule for it says, and in a copy that is kept,
// what was seen.
import { useEffect, useState } from "preact/hooks";
import { byId } from "~/api/catalogue";
import { says } from "~/api/alerts";
import { api } from "~/api/client";
import { readRules, rules } from "~/api/decisions";
import { fetchHistory } from "~/api/history";
import { faultOf, ruleFits } from "~/api/remedies";
import type { Twin, Value, World } from "~/api/types";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.repair;

/** When it was right again in the copy of which nobody did anything. */
async function seenIn(world: World, twin: string, signal: AbortSignal): Promise<string> {
  const begin = world.run?.begin;
  if (!begin || !world.run?.now) return "";
  const path = `/digitaltwins/${encodeURIComponent(twin)}`;
  const then = await api.get<Twin>(path, { world: `${world.name}@${begin}`, signal });
  const fault = faultOf(then);
  if (!fault) return "";
  const ask = { world: world.name, twin, properties: [fault.property.path], from: begin, signal };
  const [series] = await fetchHistory(ask);
  const i = series?.value.findIndex(
    (v, k) => series.time[k]! * 1000 > Date.parse(begin) && !says(fault.property.path, v as Value),
  );
  const name = typeof fault.value === "string" ? fault.value : fault.property.name;
  const after = (ms: number) => format.duration(ms - Date.parse(begin));
  return series && i !== undefined && i >= 0
    ? w.goneBySelf(name, after(series.time[i]! * 1000))
    : w.stoodOn(name, after(Date.parse(world.run.now)));
}

interface Props {
  twin: string;
  base?: World; // the copy of which nobody did anything, if it is kept
}

export function ByItself({ twin, base }: Props) {
  const [seen, set] = useState("");
  useEffect(() => void readRules().catch(() => {}), []);
  const over = base?.run?.until === base?.run?.now || base?.run?.state === "done";
  useEffect(() => {
    set("");
    if (!base || !over) return;
    const abort = new AbortController();
    seenIn(base, twin, abort.signal).then(set, () => {}); // nothing is said of what is not known
    return () => abort.abort();
  }, [twin, base?.name, over]);
  const model = byId.value.get(twin)?.model ?? "";
  const about = rules.value.find((r) => ruleFits(r, twin, model))?.about;
  if (!about && !seen) return null;
  return (
    <p class="small quiet by-itself">
      <span class="strong">{words.whatif.doNothing}:</span> {seen || w.byItself} {about}
    </p>
  );
}
