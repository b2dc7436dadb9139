// SPDX-License-Identifier: Apache-2.0
// The name of a world in addresses, as people read it: "live@2026-11-23T11:10:01Z" is LIVE at 11:10:01.
import { words } from "~/words/en";
import * as format from "~/format";

export function worldText(name: string): string {
  const [world = "", at] = name.split("@");
  const said = world === "live" ? words.world.live : world;
  return at ? words.world.atInstant(said, format.time(at)) : said;
}

/** The same for a text in which such a name stands. */
export const withWorlds = (text: string): string =>
  text.replaceAll(/[\w.-]+@\d{4}-\d\d-\d\dT[\d:.]+Z/g, (name) => worldText(name));
