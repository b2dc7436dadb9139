// SPDX-License-Identifier: Apache-2.0
// The colours of styles/tokens.css as numbers, for canvases, WebGL and pictures that leave the page: those know neither
// custom properties nor oklch. Either theme can be asked for, whichever the page shows.

const hexByte = (n: number): string =>
  Math.round(255 * Math.min(1, Math.max(0, n)))
    .toString(16)
    .padStart(2, "0");
const gamma = (x: number): number => (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055);

/** Lightness 0 to 1, chroma and hue in degrees as sRGB; what lies outside it is cut. */
function srgb(l: number, c: number, h: number): number[] {
  const a = c * Math.cos((h * Math.PI) / 180);
  const b = c * Math.sin((h * Math.PI) / 180);
  const p = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const q = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const r = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * p - 3.3077115913 * q + 0.2309699292 * r,
    -1.2684380046 * p + 2.6097574011 * q - 0.3413193965 * r,
    -0.0041960863 * p - 0.7034186147 * q + 1.707614701 * r,
  ].map(gamma);
}

/** "oklch(46% 0.09 190)" as "#rrggbb", with "/ 0.3" as "#rrggbbaa"; any other text as it is. */
export function hexOf(colour: string): string {
  const m = /^oklch\(\s*([\d.]+)%\s+([\d.]+)\s+([\d.]+)(?:deg)?\s*(?:\/\s*([\d.]+))?\s*\)$/.exec(colour.trim());
  if (!m) return colour.trim();
  const alpha = m[4] === undefined ? "" : hexByte(Number(m[4]));
  return (
    "#" +
    srgb(Number(m[1]) / 100, Number(m[2]), Number(m[3]))
      .map(hexByte)
      .join("") +
    alpha
  );
}

const probes: HTMLElement[] = [];

/** An element that has the tokens of a theme, whatever the theme of the page. */
function probe(dark: boolean): HTMLElement {
  let p = probes[Number(dark)];
  if (!p) {
    p = document.createElement("i");
    p.className = dark ? "tokens-dark" : "tokens-light";
    p.hidden = true;
    document.body.append(p);
    probes[Number(dark)] = p;
  }
  return p;
}

let read = (name: string, dark: boolean): string => getComputedStyle(probe(dark)).getPropertyValue(`--${name}`);
const known = [new Map<string, string>(), new Map<string, string>()];

/** Where tokens are read from when there is no page: tests of what a chart computes. */
export function readTokensFrom(source: (name: string, dark: boolean) => string): void {
  read = source;
  known.forEach((k) => k.clear());
}

/** A token as "#rrggbb"; "" when there is none of that name. */
export function token(name: string, dark: boolean): string {
  const of = known[Number(dark)]!;
  let hex = of.get(name);
  if (hex === undefined) of.set(name, (hex = hexOf(read(name, dark))));
  return hex;
}

/** Between two colours: 0 is the first, 1 the second. */
export function mix(a: string, b: string, t: number): string {
  const part = (s: string, k: number) => parseInt(s.slice(1 + 2 * k, 3 + 2 * k), 16) / 255;
  return "#" + [0, 1, 2].map((k) => hexByte(part(a, k) + (part(b, k) - part(a, k)) * t)).join("");
}

/** A colour let through: 0 is nothing of it. */
export const faint = (colour: string, opacity: number): string => colour + hexByte(opacity);

/** What is made of tokens, made once for each theme. */
export function perTheme<T>(make: (dark: boolean) => T): (dark: boolean) => T {
  const made: T[] = [];
  return (dark) => (made[Number(dark)] ??= make(dark));
}
