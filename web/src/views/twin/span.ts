// SPDX-License-Identifier: Apache-2.0
// Which time the charts of a page show. All of it is the address: `span=3600` (up to now), or `from=` and `to=`.
import { go, route } from "~/app/route";
import * as format from "~/format";

/** Seconds. */
export const SPANS: readonly number[] = [900, 3600, 8 * 3600, 86400, 7 * 86400];
const USUAL = 3600;
export const DAY_MS = 86_400_000;

export interface Span {
  from: number; // ms since 1970
  to: number;
  moves: boolean; // its end is now
  seconds: number; // of a span up to now; 0: somebody chose both ends
}

const when = (text: string | undefined): number => (text ? Date.parse(text) : NaN);

export function spanOf(params: Readonly<Record<string, string>>, now: number): Span {
  const from = when(params.from);
  const to = when(params.to);
  if (from < to) return { from, to, moves: false, seconds: 0 };
  const told = Number(params.span);
  const seconds = told > 0 && Number.isFinite(told) ? told : USUAL;
  return { from: now - seconds * 1000, to: now, moves: true, seconds };
}

/** Closer, or another span by hand. Going closer again is no further step of Back. */
export function showBetween(from: number, to: number): void {
  const replace = route.peek().params.from !== undefined;
  go({ params: { from: format.instant(Math.round(from)), to: format.instant(Math.round(to)) }, replace });
}

export const showLast = (seconds: number): void =>
  go({ params: { from: null, to: null, span: String(seconds) } });

export const showAll = (): void => go({ params: { from: null, to: null } });

/** `vs=1d`: how far back a second course lies, ms; `prev`: as long as the span itself. */
export function shiftOf(text: string, span: Span): number {
  if (text === "prev") return span.to - span.from;
  const m = /^(\d+)([mhdw])$/.exec(text);
  return m ? Number(m[1]) * { m: 60_000, h: 3_600_000, d: DAY_MS, w: 7 * DAY_MS }[m[2] as "m" | "h" | "d" | "w"] : 0;
}
