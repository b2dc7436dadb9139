// SPDX-License-Identifier: Apache-2.0
// What worlds are called where two of them stand side by side.
import { BASE } from "~/api/whatif";
import type { WorldKind } from "~/app/route";
import { words } from "~/words/en";
import * as format from "~/format";

export interface WorldRef {
  name: string; // "live" or a fork's
  at: string; // RFC 3339; "": as it is
}

/** "live", "live@TIME", "FORK@TIME": for addresses. */
export const pathOf = (w: WorldRef): string => w.name + (w.at ? "@" + w.at : "");

export function refOf(path: string): WorldRef {
  const cut = path.indexOf("@");
  return cut < 0 ? { name: path, at: "" } : { name: path.slice(0, cut), at: path.slice(cut + 1) };
}

/** A fork shown at an instant is a scenario all the same: only live has a past of its own. */
export const kindOf = (w: WorldRef): WorldKind => (w.name !== "live" ? "scenario" : w.at ? "past" : "live");

/** A word for what it is, and what it is called. */
export function partsOf(w: WorldRef): { word: string; name: string } {
  if (w.name !== "live") return { word: words.compare.whatif, name: nameOf(w) };
  return w.at ? { word: words.compare.past, name: format.time(w.at) } : { word: words.world.live, name: "" };
}

/** For a heading: "LIVE", "PAST 14:05:12", "WHAT-IF night-shift". */
export function titleOf(w: WorldRef): string {
  const { word, name } = partsOf(w);
  return `${word} ${name}`.trim();
}

/** Within a sentence. */
export function nameOf(w: WorldRef): string {
  if (w.name === "live") return w.at ? words.compare.pastName(format.time(w.at)) : words.compare.liveName;
  return w.name.endsWith(BASE) ? words.compare.base(w.name.slice(0, -BASE.length)) : w.name;
}
