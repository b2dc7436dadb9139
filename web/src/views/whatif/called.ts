// SPDX-License-Identifier: Apache-2.0
// What people call the sides of a comparison.
import type { Comparison } from "~/api/whatif";
import { words } from "~/words/en";

/** What runs many times over are compared with: ways to help are compared with doing nothing. */
export const referenceOf = (title: string | undefined, about: string | undefined): string =>
  about || title?.startsWith(words.repair.titleOf("")) ? words.whatif.doNothing : words.whatif.without;

/** By the names that people know them by. */
export function called(c: Comparison, reference: string, titles: Readonly<Record<string, string>> = {}): Comparison {
  if (c.worlds.length < 2) return c;
  const name = (old: string, i: number) => (i === 0 ? reference : (titles[old] ?? old));
  return {
    ...c,
    worlds: c.worlds.map((x, i) => ({ ...x, name: name(x.name, i) })),
    kpis: c.kpis.map((k) => ({ ...k, values: k.values.map((v, i) => ({ ...v, world: name(v.world, i) })) })),
  };
}
