// SPDX-License-Identifier: Apache-2.0
// Colours of tokens for canvas and for pictures that leave the page: twins of styles/tokens.css as hex, since programs
// that open an SVG know neither variables nor oklch.
import { categorical } from "../colour";

const LIGHT: Record<string, string> = {
  n0: "#f7fafb",
  n1: "#ffffff",
  n3: "#e2e9ec",
  n4: "#d4dcdf",
  n5: "#b6c0c3",
  n6: "#899498",
  n7: "#576367",
  n8: "#435054",
  n9: "#233035",
  n10: "#0b181c",
  teal: "#006763",
  amber: "#874e00",
  violet: "#693abb",
  ok: "#0f6a31",
  attention: "#814d00",
  bad: "#b7191c",
};
const DARK: Record<string, string> = {
  n0: "#0a1113",
  n1: "#111a1d",
  n3: "#212e32",
  n4: "#2e3a3e",
  n5: "#435054",
  n6: "#6b777b",
  n7: "#95a1a4",
  n8: "#b3bcc0",
  n9: "#d5dcde",
  n10: "#eff2f4",
  teal: "#4bc7be",
  amber: "#ebb353",
  violet: "#ba9ff9",
  ok: "#6ad18a",
  attention: "#edc14e",
  bad: "#ff7e76",
};

/** "var(--c3)" and "c3" as hex; any other colour as it is. */
export function hex(colour: string, dark: boolean): string {
  const name = /^var\(--([\w-]+)\)$/.exec(colour)?.[1] ?? colour;
  const series = /^c(\d)$/.exec(name);
  if (series) return categorical(Number(series[1]), dark);
  if (name === "world") {
    const kind = typeof document === "undefined" ? "live" : document.documentElement.dataset.world;
    return (dark ? DARK : LIGHT)[kind === "past" ? "amber" : kind === "scenario" ? "violet" : "teal"]!;
  }
  return (dark ? DARK : LIGHT)[name] ?? colour;
}

export const colourOf = (l: { colour?: string }, i: number): string => l.colour ?? `var(--c${i % 8})`;

/** How dense a band is: what is likelier is darker. */
export const bandOpacity = (level: number | undefined): number =>
  level === undefined ? 0.2 : level <= 50 ? 0.26 : level <= 80 ? 0.18 : 0.13;
