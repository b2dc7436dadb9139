// SPDX-License-Identifier: Apache-2.0
// Try ways side by side from the instant that is shown: many times over without writing anything, or once, each in a
// copy that can be looked at afterwards.
import { labelOf } from "~/api/catalogue";
import type { Way } from "~/api/remedies";
import { BASE, runWorld, startEnsemble } from "~/api/whatif";
import { drop, fork, freeName, readWorlds } from "~/api/worlds";
import { route, worldName } from "~/app/route";
import { words } from "~/words/en";
import { paramsOfText, textOf } from "./asked";
import type { Length } from "./say";

const w = words.repair;

export interface Ask {
  twin: string;
  ways: readonly Way[];
  length: Length;
  times: number;
  kpi?: string; // what decides
  seed?: number | undefined; // of the chances: those that a rule would try with
}

const plain = (s: string) =>
  s
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");

/** The first words of a title as a name: "Clear the jam and run on" -> "clear-the-jam-and-run" */
export const nameOfTitle = (title: string): string =>
  plain(title).split("-").slice(0, 5).join("-").slice(0, 28).replace(/-+$/, "");

/** "pump-1", "Clear the jam and run on" -> "pump-1-clear-the-jam-and-run" */
const stemOf = (twin: string, title: string): string => `${plain(twin).slice(0, 32)}-${nameOfTitle(title)}`;

async function once(a: Ask): Promise<string[]> {
  const names = a.ways.map((x) => ({ way: x, name: "" }));
  const taken = new Set<string>();
  for (const n of names) {
    const stem = stemOf(a.twin, n.way.title);
    n.name = freeName(stem, taken);
    taken.add(n.name);
  }
  const base = names[0]!.name + BASE;
  const made: string[] = [];
  try {
    await fork({ name: base, from: worldName.peek(), purpose: words.whatif.doNothing });
    made.push(base);
    for (const n of names) {
      await fork({ name: n.name, from: base, purpose: n.way.title });
      made.push(n.name);
    }
    const run = { for: a.length.iso, output: a.length.output };
    await runWorld(base, run);
    for (const n of names) await runWorld(n.name, { ...run, changes: n.way.changes });
  } catch (e) {
    for (const n of made.reverse()) await drop(n).catch(() => {});
    throw e;
  }
  await readWorlds();
  return [base, ...names.map((n) => n.name)];
}

/** The parameters of the address that shows what comes of it. */
export async function tryWays(a: Ask): Promise<Record<string, string>> {
  const asked = textOf({ about: a.twin, kpi: a.kpi, costs: [0, ...a.ways.map((x) => x.cost)] });
  const more = paramsOfText(asked);
  if (a.times < 2) return { compare: (await once(a)).join(","), ...more };
  const title = w.titleOf(labelOf(a.twin));
  const world = worldName.peek(); // also of the past: nothing is written to it
  const id = await startEnsemble(route.peek().world, {
    for: a.length.iso,
    replications: a.times,
    ...(a.seed === undefined ? {} : { seed: a.seed }),
    title,
    about: asked,
    cases: [
      { name: words.whatif.doNothing, world },
      ...a.ways.map((x) => ({ name: x.title, world, changes: x.changes })),
    ],
  });
  return { ensemble: String(id), ...more };
}
