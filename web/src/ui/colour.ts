// SPDX-License-Identifier: Apache-2.0
// Colours of twins: by model, or by a property's values. The same quantity has the same colour in every view.
import type { Value } from "~/api/types";

/** Okabe and Ito's, as numbers, in the order of the tokens. */
const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a7f00", "#5c6670"];
const DARK = ["#4aa8e0", "#f28a3c", "#2cc49a", "#e3a0c4", "#f2bd45", "#8fd0f5", "#d8cc4a", "#a3adb5"];
const VIRIDIS = [
  "#440154",
  "#482878",
  "#3e4989",
  "#31688e",
  "#26828e",
  "#1f9e89",
  "#35b779",
  "#6ece58",
  "#b5de2b",
  "#fde725",
];
const UNKNOWN = { light: "#b9c0c5", dark: "#4a5257" };

export const categorical = (i: number, dark: boolean): string => (dark ? DARK : LIGHT)[i % 8]!;

function mix(a: string, b: string, t: number): string {
  const part = (s: string, k: number) => parseInt(s.slice(1 + 2 * k, 3 + 2 * k), 16);
  const hex = (n: number) => Math.round(n).toString(16).padStart(2, "0");
  return "#" + [0, 1, 2].map((k) => hex(part(a, k) + (part(b, k) - part(a, k)) * t)).join("");
}

export function sequential(part: number): string {
  const at = Math.min(1, Math.max(0, part)) * (VIRIDIS.length - 1);
  const i = Math.min(VIRIDIS.length - 2, Math.floor(at));
  return mix(VIRIDIS[i]!, VIRIDIS[i + 1]!, at - i);
}

export interface Scale {
  of(v: Value | undefined): string;
  /** Numbers: the ends. Categories: their colours. */
  low?: number;
  high?: number;
  categories?: { name: string; colour: string }[];
}

/** A scale for values as they are: numbers between their 2nd and 98th percentile, others as categories by how often. */
export function scaleOf(values: readonly (Value | undefined)[], dark: boolean): Scale {
  const unknown = dark ? UNKNOWN.dark : UNKNOWN.light;
  const numbers = values.filter((v): v is number => typeof v === "number" && Number.isFinite(v)).sort((a, b) => a - b);
  if (numbers.length) {
    const low = numbers[Math.floor(numbers.length * 0.02)]!;
    const high = numbers[Math.min(numbers.length - 1, Math.ceil(numbers.length * 0.98))]!;
    const span = high - low || 1;
    return { low, high, of: (v) => (typeof v === "number" ? sequential((v - low) / span) : unknown) };
  }
  const counts = new Map<string, number>();
  for (const v of values)
    if (v !== undefined && v !== null && v !== "") counts.set(String(v), (counts.get(String(v)) ?? 0) + 1);
  const names = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([n]) => n);
  const colours = new Map(names.map((n, i) => [n, i < 7 ? categorical(i, dark) : categorical(7, dark)]));
  return {
    of: (v) => (v === undefined || v === null || v === "" ? unknown : (colours.get(String(v)) ?? categorical(7, dark))),
    categories: names.slice(0, 8).map((name) => ({ name, colour: colours.get(name)! })),
  };
}

/** Less is blue, more is orange, nothing is the paper's own grey: parts of -1 to 1. */
const LESS = { light: "#1769aa", dark: "#5db4ee" };
const MORE = { light: "#c2540a", dark: "#f59a4a" };
const ZERO = { light: "#d5dade", dark: "#3d464b" };

export function diverging(part: number, dark: boolean): string {
  const look = dark ? "dark" : "light";
  const t = Math.min(1, Math.abs(part));
  // What differs at all is told from what does not.
  return part === 0 ? ZERO[look] : mix(ZERO[look], (part < 0 ? LESS : MORE)[look], 0.3 + 0.7 * t);
}

/** Whether things differ at all. */
export const DIFFERS = {
  light: { changed: "#c2317f", onlyA: "#0072b2", onlyB: "#c2540a", same: "#c3cacf", unknown: "#e3e7ea" },
  dark: { changed: "#ff6fb5", onlyA: "#4aa8e0", onlyB: "#f28a3c", same: "#4a5459", unknown: "#2b3236" },
};
