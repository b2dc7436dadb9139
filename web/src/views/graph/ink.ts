// SPDX-License-Identifier: Apache-2.0
// Colours of the drawn graph: the tokens' twins as numbers, since a canvas knows no custom properties.
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

const LIGHT: Ink = {
  ground: "#f6f9fa",
  floors: ["#fdfefe", "#f1f5f7", "#e9eff2", "#e2e9ed"],
  rim: "#ccd5da",
  card: "#ffffff",
  cardRim: "#aab6bd",
  strong: "#172026",
  quiet: "#4e5c64",
  inner: "#8fa0aa",
  outer: "#8fa3ae4d",
  dim: "#b6c3ca38",
  ring: "#0c7c74",
  bad: "#c4302b",
  badText: "#ffffff",
  waiting: "#8a6100",
};

const DARK: Ink = {
  ground: "#0b1114",
  floors: ["#11191d", "#172126", "#1e2a30", "#253239"],
  rim: "#2e3b42",
  card: "#1a2429",
  cardRim: "#53626a",
  strong: "#e9eef1",
  quiet: "#a3b0b7",
  inner: "#566871",
  outer: "#7d95a238",
  dim: "#3c4a5230",
  ring: "#4fd1c5",
  bad: "#ff7b72",
  badText: "#1a0f0e",
  waiting: "#f2c94c",
};

export const inkOf = (dark: boolean): Ink => (dark ? DARK : LIGHT);
export const FONT = "Inter Variable, system-ui, sans-serif";
