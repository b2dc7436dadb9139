// SPDX-License-Identifier: Apache-2.0
// Ways into the comparison from elsewhere.
import { Columns2 } from "lucide-preact";
import { worlds } from "~/api/worlds";
import type { Command } from "~/app/palette";
import { go, route, type Step } from "~/app/route";
import { words } from "~/words/en";
import { nameOf } from "./names";
import { baseOf } from "./sides";

const FRESH = { clock: null, ensemble: null, mode: null };

/** A world beside what it says most beside: a what-if beside the same without its changes. */
export function pairOf(name: string): Step {
  const base = baseOf(name);
  if (base) return { view: "compare", world: base, at: "", params: { with: name } };
  return { view: "compare", params: { with: null } };
}

/** What is shown, beside another world. */
export function compareWith(name: string): void {
  const r = route.peek();
  const same = name === r.world;
  if (r.view === "compare") go({ params: { ...FRESH, with: same ? name + "@" : name } });
  else go({ view: "compare", params: { with: same ? name + "@" : name } });
}

/** For the palette: with every world that is not shown alone. */
export function compareCommands(): Command[] {
  const r = route.value;
  return worlds.value
    .filter((w) => w.name !== r.world || r.at)
    .map((w) => ({
      id: "compare:" + w.name,
      title: words.compare.compareWithIt(nameOf({ name: w.name, at: "" })),
      hint: words.compare.title,
      icon: Columns2,
      run: () => compareWith(w.name),
    }));
}
