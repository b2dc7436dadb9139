// SPDX-License-Identifier: Apache-2.0
// What a rule's actions bring against doing nothing, and how far that may be claimed.
import { apart } from "~/api/apart";
import type { Alternative, DecisionShort } from "~/api/decisions";
import { isNumber, spansZero } from "~/api/verdict";
import { undecided } from "~/ui/rank";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.decisions;

/** An end of an interval that nobody knows is none. */
export const ends = ({ objective: o }: Alternative) => ({
  low: o.gainLow ?? undefined,
  high: o.gainHigh ?? undefined,
});
export const unsure = (a: Alternative): boolean => undecided(ends(a)) || a.objective.gain === null;

/** Two that were tried with the same chances: nobody can say which is better. */
function tied(a: Alternative, b: Alternative): boolean {
  const d = apart(a.samples, b.samples);
  return !d || spansZero(d.low, d.high);
}

/** What was chosen is better beyond doubt than all that keeps within the limits; else it is but what was chosen. */
export function surelyBest(all: readonly Alternative[], chosen: Alternative): boolean {
  const others = all.filter((x) => x !== chosen && !x.dropped);
  if (chosen.action === "nothing") return others.every((x) => !unsure(x) && (x.objective.gain ?? 0) < 0);
  const sure = !unsure(chosen) && (chosen.objective.gain ?? 0) > 0;
  return sure && others.every((x) => x.action === "nothing" || !tied(chosen, x));
}

const endsOf = (d: DecisionShort) => (isNumber(d.gainLow) && isNumber(d.gainHigh) ? [d.gainLow, d.gainHigh] : null);

/** What it brings; of what cannot be told from doing nothing, that. */
export function gainText(d: DecisionShort): string {
  if (!isNumber(d.gain)) return "";
  const [low, high] = endsOf(d) ?? [d.gain, d.gain];
  if (spansZero(low!, high!)) return w.gainUnsure;
  return `${format.signed(d.gain)} ${d.unit ?? ""}`.trim();
}

export function gainInterval(d: DecisionShort): string {
  const ends = endsOf(d);
  if (!ends || ends[0] === ends[1]) return "";
  const unsure = spansZero(ends[0]!, ends[1]!);
  const high = format.number(ends[1]!) + (unsure && d.unit ? ` ${d.unit}` : "");
  return words.whatif.interval(format.number(ends[0]!), high);
}
