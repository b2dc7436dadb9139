// SPDX-License-Identifier: Apache-2.0
// Colours of a chart for canvas and for pictures that leave the page, as hex: programs that open an SVG know neither
// variables nor oklch.
import { token } from "../tokens";

/** "var(--c3)" and "c3" as hex; any other colour as it is. */
export function hex(colour: string, dark: boolean): string {
  const name = /^var\(--([\w-]+)\)$/.exec(colour)?.[1] ?? colour;
  if (name === "world") {
    const kind = typeof document === "undefined" ? "live" : document.documentElement.dataset.world;
    return token(kind === "past" ? "amber" : kind === "scenario" ? "violet" : "teal", dark);
  }
  return /^[a-z]+(-[a-z]+)*\d*$/.test(name) ? token(name, dark) || colour : colour;
}

export const colourOf = (l: { colour?: string }, i: number): string => l.colour ?? `var(--c${i % 8})`;

/** How dense a band is: what is likelier is darker. */
export const bandOpacity = (level: number | undefined): number =>
  level === undefined ? 0.2 : level <= 50 ? 0.26 : level <= 80 ? 0.18 : 0.13;
