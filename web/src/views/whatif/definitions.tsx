// SPDX-License-Identifier: Apache-2.0
// The what-ifs that somebody prepared: each one click.
import { signal } from "@preact/signals";
import { Clock, Pencil, Play } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import type { Whatif } from "~/api/types";
import { TIMES, tryWhatif, whatifs } from "~/api/whatif";
import { go } from "~/app/route";
import { Button, Chip } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";

const busy = signal("");
const times = signal<number>(1);

async function run(w: Whatif) {
  busy.value = w.name;
  try {
    const s = await tryWhatif(w.name, times.value);
    go({ view: "whatif", params: s.ensemble ? { ensemble: String(s.ensemble) } : { show: s.world ?? null } });
  } catch (e) {
    tellError(e);
  }
  busy.value = "";
}

/** "line-1-filler.fault = main gear broken" in words. */
function changeText(c: Whatif["changes"][number]): string {
  const v = c.value === "" ? words.whatif.cleared : format.value(c.value);
  const after = format.isoDuration(c.at);
  return `${after > 0 ? words.whatif.after(format.duration(after)) + ": " : ""}${labelOf(c.twin)}, ${c.property}: ${v}`;
}

export function Definitions() {
  if (!whatifs.value.length) return null;
  return (
    <section class="whatif-cards" aria-label={words.whatif.prepared}>
      {whatifs.value.map((w) => (
        <article key={w.name} class="card whatif-card">
          <h2>{w.title || w.name}</h2>
          <p class="quiet">{w.about}</p>
          <ul class="small quiet">
            {w.changes.slice(0, 3).map((c) => (
              <li key={c.at + c.twin + c.property} class="ellipsis" title={changeText(c)}>
                {changeText(c)}
              </li>
            ))}
            {w.changes.length > 3 && <li>{words.overview.andMore(w.changes.length - 3)}</li>}
          </ul>
          <footer class="row">
            <Chip icon={Clock}>{format.duration(format.isoDuration(w.for))}</Chip>
            <Chip icon={Pencil}>{words.whatif.changes(w.changes.length)}</Chip>
            <span class="grow" />
            <select
              class="select"
              style={{ width: "auto" }}
              aria-label={words.whatif.howOften}
              title={words.whatif.howOftenHint}
              value={times.value}
              onChange={(e) => (times.value = Number(e.currentTarget.value))}
            >
              {TIMES.map((n) => (
                <option key={n} value={n}>
                  {words.whatif.times(n)}
                </option>
              ))}
            </select>
            <Button look="primary" icon={Play} busy={busy.value === w.name} onClick={() => void run(w)}>
              {words.whatif.tryIt}
            </Button>
          </footer>
        </article>
      ))}
    </section>
  );
}
