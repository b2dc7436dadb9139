// SPDX-License-Identifier: Apache-2.0
// Where in the text of a definition the complaint belongs: "limits[1]: ...", "when: ... at byte 8",
// "line 3, column 7: ...", "KPI energy, column 10: ...", "behaviour tank, statement 2, column 14: ...".
import type { Mistake } from "~/ui/code";
import { jsonPlaces, lineOffset, type Node } from "~/ui/json";

interface Place {
  from: number;
  to: number;
  node: Node;
}

function placeOf(text: string, path: string): Place | undefined {
  let node = jsonPlaces(text);
  let found: Place | undefined;
  for (const part of path.split(/[.[\]]+/).filter(Boolean)) {
    const member = node?.members?.get(part);
    const item = node?.items?.[Number(part)];
    if (member) found = member;
    else if (item) found = { from: item.from, to: item.from + 1, node: item };
    else break;
    node = found.node;
  }
  return found;
}

/** A word at least, to be seen. */
const widen = (text: string, from: number): { from: number; to: number } => {
  const at = Math.max(0, Math.min(from, text.length - 1));
  const word = /^[\w$]+/.exec(text.slice(at));
  return { from: at, to: at + Math.max(1, word?.[0].length ?? 1) };
};

/** A column of an expression: that of a KPI, or one of a behaviour's statements. */
function inExpression(text: string, message: string): Mistake | undefined {
  const m = /^(?:KPI|behaviour) \S+, (?:statement (\d+), )?column (\d+): (.*)$/s.exec(message);
  if (!m) return undefined;
  const said = m[3]!;
  const path = !m[1] && said.startsWith("the unit ") ? "unit" : "expression";
  const items = jsonPlaces(text)?.members?.get("say")?.node.items;
  const place = m[1] ? items?.[Number(m[1]) - 1] : placeOf(text, path)?.node;
  if (!place) return undefined;
  if (path === "unit") return { from: place.from, to: place.to, message: said };
  return { ...widen(text, Math.min(place.from + Number(m[2]), place.to - 1)), message: said };
}

/** A member or a value that the complaint quotes: "\"over\" is last, mean, ...", "... with the id \"pump\"". */
function quoted(text: string, message: string): Mistake | undefined {
  for (const [word] of message.matchAll(/"[^"]+"/g)) {
    const at = text.indexOf(word);
    if (at >= 0) return { from: at, to: at + word.length, message };
  }
  return undefined;
}

export function mistakesOf(text: string, message: string): Mistake[] {
  const line = /^line (\d+), column (\d+): (.*)$/s.exec(message);
  if (line) return [{ ...widen(text, lineOffset(text, Number(line[1]), Number(line[2]))), message: line[3]! }];
  const inside = inExpression(text, message);
  if (inside) return [inside];
  const said = /^([\w$.[\]]+): (.*)$/s.exec(message);
  const place = said && placeOf(text, said[1]!);
  if (!said || !place) return [quoted(text, message) ?? { from: 0, to: 1, message }];
  const byte = / at byte (\d+)$/.exec(said[2]!);
  // The text of the condition begins behind its quote.
  if (byte && typeof place.node.value === "string")
    return [{ ...widen(text, Math.min(place.node.from + 1 + Number(byte[1]), place.node.to - 1)), message: said[2]! }];
  return [{ from: place.from, to: place.to, message: said[2]! }];
}
