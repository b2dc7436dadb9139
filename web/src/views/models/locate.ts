// SPDX-License-Identifier: Apache-2.0
// Where in the text of models the server's complaints are: "dtmi:a:B;1: contents/speed/schema: ... [code]".
import { ApiError } from "~/api/client";
import type { Mistake } from "~/ui/code";
import { jsonPlaces, lineOffset, type Node } from "~/ui/json";

interface Complaint {
  model: string;
  path: string[];
  message: string;
}

function complaintsOf(e: ApiError): Complaint[] {
  const details = (e.body as { details?: { message: string }[] } | undefined)?.details;
  const list = details?.map((d) => d.message) ?? [e.message.replace(/^None of the models could be created\. /, "")];
  return list.map((text) => {
    const m = /^(dtmi:[^\s]+?;\d+(?:\.\d+)?): (?:([^\s:]+): )?([\s\S]*)$/.exec(text);
    const message = (m ? m[3]! : text).replace(/ \[\w+\]$/, "");
    return { model: m?.[1] ?? "", path: m?.[2]?.split("/") ?? [], message };
  });
}

const idOf = (n: Node) => n.members?.get("@id")?.node.value;
const nameOf = (n: Node) => n.members?.get("name")?.node.value ?? idOf(n);

interface Spot {
  from: number;
  to: number;
  node: Node;
}

/** Along the path as far as it leads; what is of no name is looked for in all of a list. */
function follow(at: Spot, path: readonly string[]): Spot {
  for (const part of path) {
    const member = at.node.members?.get(part);
    const item = at.node.items?.find((n, i) => nameOf(n) === part || String(i) === part);
    if (member) at = { from: member.from, to: member.to, node: member.node };
    else if (item) at = { ...spot(item), node: item };
    else break;
  }
  // A value by itself says more than its key.
  return at.node.value !== undefined ? { ...at, from: at.node.from, to: at.node.to } : at;
}

const spot = (n: Node) => ({ from: n.from, to: n.value === undefined ? n.from + 1 : n.to });

/** A key that the message names, in the node or one step below. */
function keyNamed(n: Node, message: string): { from: number; to: number } | null {
  const names = [...message.matchAll(/"([^"]+)"/g)].map((m) => m[1]!);
  for (const near of [n, ...(n.items ?? [])])
    for (const name of names) {
      const key = near.members?.get(name);
      if (key && !/needs the property/.test(message)) return { from: key.from, to: key.to };
    }
  return null;
}

/** Of a list the first item that lacks what is needed. */
function lacking(n: Node, message: string): { from: number; to: number } | null {
  const name = /needs the property "([^"]+)"/.exec(message)?.[1];
  const item = name === undefined ? undefined : n.items?.find((x) => x.members && !x.members.has(name));
  return item ? spot(item) : null;
}

function place(root: Node, c: Complaint): { from: number; to: number } {
  const list = root.items ?? [root];
  const model = list.find((n) => idOf(n) === c.model) ?? list[0] ?? root;
  const found = follow({ ...spot(model), node: model }, c.path);
  return keyNamed(found.node, c.message) ?? lacking(found.node, c.message) ?? { from: found.from, to: found.to };
}

/** The complaints with their places in the text; without a place when the text is no JSON. */
export function mistakesIn(text: string, e: unknown, wrapped: boolean): Mistake[] {
  if (!(e instanceof ApiError)) return [];
  const line = /^line (\d+), column (\d+): ([\s\S]*)$/.exec(e.message);
  if (line) {
    const column = Number(line[2]) - (wrapped && line[1] === "1" ? 1 : 0); // behind the bracket that we added
    const at = Math.min(lineOffset(text, Number(line[1]), column), Math.max(0, text.length - 1));
    return [{ from: at, to: at + 1, message: sentence(line[3]!) }];
  }
  const root = jsonPlaces(text);
  if (!root || e.status !== 400) return [];
  return complaintsOf(e)
    .map((c) => ({ ...place(root, c), message: sentence(c.message) }))
    .sort((a, b) => a.from - b.from);
}

const sentence = (s: string) => s.charAt(0).toUpperCase() + s.slice(1);
