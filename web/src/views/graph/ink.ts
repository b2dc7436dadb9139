// SPDX-License-Identifier: Apache-2.0
// Colours of the drawn graph: the tokens as numbers, since a canvas knows no custom properties.
import { faint, mix, perTheme, token } from "~/ui/tokens";

export interface Ink {
  ground: string; // of the stage
  floors: [string, string, string, string]; // of groups, the deeper the later
  rim: string;
  card: string; // of closed clusters
  cardRim: string;
  strong: string;
  quiet: string;
  inner: string; // links in a group
  outer: string; // and between groups
  dim: string; // of those when something is lit
  ring: string; // what is chosen
  bad: string;
  badText: string;
  waiting: string;
}

export const inkOf = perTheme((dark): Ink => {
  const of = (name: string) => token(name, dark);
  return {
    ground: of("n0"),
    floors: [of("n1"), of("n2"), mix(of("n2"), of("n3"), 0.5), of("n3")],
    rim: of("n4"),
    card: of(dark ? "n2" : "n1"), // what lies higher is lighter
    cardRim: of("n6"),
    strong: of("n10"),
    quiet: of("n8"),
    inner: of("n6"),
    outer: faint(of("n6"), dark ? 0.22 : 0.3),
    dim: faint(of("n5"), 0.2),
    ring: of("teal"),
    bad: of("bad"),
    badText: of("on-accent"),
    waiting: of("attention"),
  };
});
export const FONT = "Inter Variable, system-ui, sans-serif";
