// SPDX-License-Identifier: Apache-2.0
// A question of the plain kind (one SELECT over twins, with or without WHERE) as a condition that other views take.
import { lex, type Word } from "./language";

const BEYOND = /^(TOP|JOIN|MATCH|GROUP|HAVING|HISTORY|EXPLAIN|RELATED|RELATIONSHIPS)$/;
const AGGREGATE = /^(COUNT|SUM|AVG|MIN|MAX|MEDIAN|P95|P99|PERCENTILE|FIRST|LAST|TWA|DELTA|INCREASE)$/;

const upper = (w: Word | undefined) => (w?.kind === "keyword" || w?.kind === "call" ? w.text.toUpperCase() : "");

/** "" when all twins are meant; null when no condition says which. */
export function conditionOf(text: string): string | null {
  const words = lex(text).filter((w) => w.kind !== "comment");
  if (upper(words[0]) !== "SELECT" || words.some((w) => BEYOND.test(upper(w)))) return null;
  const from = words.findIndex((w) => upper(w) === "FROM");
  const where = words.findIndex((w) => upper(w) === "WHERE");
  if (from < 0 || upper(words[from + 1]) !== "DIGITALTWINS") return null;
  if (words.slice(0, from).some((w) => AGGREGATE.test(upper(w)))) return null;
  const named = words[from + 2];
  const alias = named?.kind === "name" ? named.text : "";
  const begin = where < 0 ? words.length : where + 1;
  const order = words.findIndex((w, i) => i >= begin && upper(w) === "ORDER");
  return words
    .slice(begin, order < 0 ? words.length : order)
    .filter((w, i, all) => !isAlias(all, i, alias) && !(w.text === "." && isAlias(all, i - 1, alias)))
    .map((w, i, all) => (i > 0 && all[i - 1]!.to !== w.from && spaced(all[i - 1]!, w) ? " " + w.text : w.text))
    .join("")
    .trim();
}

const isAlias = (all: readonly Word[], i: number, alias: string): boolean =>
  alias !== "" &&
  all[i]?.kind === "name" &&
  all[i]!.text === alias &&
  all[i + 1]?.text === "." &&
  all[i - 1]?.text !== ".";

/** What was apart stays apart, but where only an alias stood between. */
const spaced = (a: Word, b: Word): boolean => a.text !== "(" && b.text !== ")";
