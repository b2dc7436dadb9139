// SPDX-License-Identifier: Apache-2.0
// The query language, as far as an editor must know it: its words, its functions (the server's own table), its tokens.
import table from "../../../../src/expr/func.def?raw";
import type { Token } from "~/ui/code";

export interface Func {
  name: string;
  args: string;
  about: string;
  example: string;
}

/** The rows of the table: names, arguments, meaning. */
function functionsOf(text: string): Func[] {
  const string = String.raw`"((?:[^"\\]|\\.)*)"`;
  const row = new RegExp(
    String.raw`^FUNC\(\w+,\s*${string},\s*${string},\s*${string},[^"]*${string}[^"]*${string},\s*${string}\)`,
    "gm",
  );
  const plain = (s: string) => s.replaceAll(/\\(.)/g, "$1");
  return [...text.matchAll(row)].map((m) => ({
    name: m[1]!,
    args: plain(m[3]!),
    about: plain(m[5]!),
    example: plain(m[6]!),
  }));
}

export const functions = functionsOf(table);
const calls = new Set([...functions.map((f) => f.name), "ANY", "ALL"]);

export const KEYWORDS = [
  ..."SELECT TOP DISTINCT FROM DIGITALTWINS RELATIONSHIPS JOIN RELATED MATCH SHORTEST WHERE GROUP BY HAVING".split(" "),
  ..."ORDER ASC DESC AS AND OR NOT IN NIN EXPLAIN HISTORY TO STEP FN FILL TRUE FALSE NULL".split(" "),
];
const keywords = new Set(KEYWORDS);

const TOKEN = new RegExp(
  [
    String.raw`(?<comment>--[^\n]*)`,
    String.raw`(?<text>'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?)`,
    String.raw`(?<name>\[\[.*?(?:\]\]|$)|[A-Za-z_$][\w$]*)`,
    String.raw`(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[smhdw]?\b)`,
    String.raw`(?<sign><->|->|<-|<=|>=|!=|<>|\.\.|[^\s\w])`,
  ].join("|"),
  "g",
);

export interface Word extends Token {
  text: string;
}

export function lex(text: string): Word[] {
  const out: Word[] = [];
  for (const m of text.matchAll(TOKEN)) {
    let kind = Object.entries(m.groups!).find(([, v]) => v !== undefined)![0];
    const upper = m[0].toUpperCase();
    const behindDot = out.length > 0 && out[out.length - 1]!.text === ".";
    if (kind === "name" && !behindDot) {
      if (calls.has(upper) && /^\s*\(/.test(text.slice(m.index + m[0].length))) kind = "call";
      else if (keywords.has(upper)) kind = "keyword";
    }
    out.push({ from: m.index, to: m.index + m[0].length, kind, text: m[0] });
  }
  return out;
}

/** The part of a text that a mistake at an offset is about: the word there, or the last one where the text ends. */
export function wordAt(text: string, offset: number): { from: number; to: number } {
  const words = lex(text);
  const hit = words.find((w) => w.from <= offset && offset < w.to) ?? words.find((w) => w.from >= offset);
  if (hit) return { from: hit.from, to: hit.to };
  const last = words[words.length - 1];
  return last ? { from: last.from, to: last.to } : { from: 0, to: text.length };
}

export interface Column {
  name: string; // the key in a row, where the text tells it
  path: string; // "power" when the column is a property or a plain aggregate of one; else ""
}

const KEEPS_UNIT = new Set(
  "AVG TWA MIN MAX SUM MEDIAN P95 P99 PERCENTILE FIRST LAST DELTA INCREASE ROUND ABS".split(" "),
);

/** What SELECT lists, as names and the properties behind them: for units of columns. */
export function columnsOf(text: string): Column[] {
  const words = lex(text).filter((w) => w.kind !== "comment");
  const is = (w: Word | undefined, k: string) => w?.kind === "keyword" && w.text.toUpperCase() === k;
  let i = words.findIndex((w) => is(w, "SELECT")) + 1;
  if (i <= 0) return [];
  if (is(words[i], "TOP")) i += 4;
  if (is(words[i], "DISTINCT")) i++;
  const items: Word[][] = [[]];
  for (let depth = 0; i < words.length && !(depth === 0 && is(words[i], "FROM")); i++) {
    const w = words[i]!;
    if (w.text === "(" || w.text === "[") depth++;
    else if (w.text === ")" || w.text === "]") depth--;
    if (w.text === "," && depth === 0) items.push([]);
    else items[items.length - 1]!.push(w);
  }
  return items.map(itemOf);
}

function itemOf(words: Word[]): Column {
  const as = words.findIndex((w) => w.kind === "keyword" && w.text.toUpperCase() === "AS");
  const value = as < 0 ? words : words.slice(0, as);
  const alias = as < 0 ? "" : (words[as + 1]?.text ?? "");
  let inner = value;
  while (inner[0]?.kind === "call") {
    if (!KEEPS_UNIT.has(inner[0].text.toUpperCase()) || inner[inner.length - 1]!.text !== ")")
      return { name: alias, path: "" };
    const until = inner.findIndex((w) => w.text === ",");
    inner = inner.slice(2, until > 0 && inner[2]!.kind !== "call" ? until : -1);
  }
  const plain = inner.every((w) => w.kind === "name" || w.text === ".");
  const names = inner.filter((w) => w.kind === "name").map((w) => w.text.replace(/^\[\[|\]\]$/g, ""));
  if (!plain || !names.length) return { name: alias, path: "" };
  return { name: alias || (inner === value ? names[names.length - 1]! : ""), path: names.join(".") };
}
