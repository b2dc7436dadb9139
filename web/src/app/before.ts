// SPDX-License-Identifier: Apache-2.0
// "Before it began" is one wish with one target, wherever it is offered.
import * as format from "~/format";
import { begin } from "./range";

const BEFORE_MS = 10_000; // so much before it began
const LEAST_MS = 1500; // times are told in seconds

/** Just before it began; where history is younger than that, as near to it as it takes. `began` in ms since 1970. */
export function beforeOf(began: number): string {
  const first = (begin.peek() ?? 0) + 1000;
  const t = began - BEFORE_MS;
  const shown = t >= first ? t : Math.max(first, began - LEAST_MS);
  return format.instant(Math.floor(shown / 1000) * 1000);
}
