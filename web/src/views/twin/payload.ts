// SPDX-License-Identifier: Apache-2.0
// What a command takes, as fields that people fill in: from the schema of its request. What is deeper than an object
// with plain fields is written as JSON.
import { optionsOf, textOf, typeOf, wordsOfName, type Property, type Request, type Schema } from "~/api/models";
import type { Value } from "~/api/types";
import { words } from "~/words/en";
import * as format from "~/format";
import { parseInput } from "./shown";

export interface Input {
  name: string; // its key in the payload; "": it is the payload
  title: string;
  about: string;
  unit: string;
  type: Property["type"];
  options: Property["options"];
  needed: boolean;
}

interface Named {
  name: string;
  schema: Schema;
  displayName?: Request["displayName"];
  description?: Request["description"];
  unit?: string;
}

function inputOf(n: Named, key: string, needed: boolean): Input {
  return {
    name: key,
    title: textOf(n.displayName) || wordsOfName(n.name),
    about: textOf(n.description),
    unit: n.unit ?? "",
    type: typeOf(n.schema),
    options: optionsOf(n.schema),
    needed,
  };
}

/** null: it is too deep for fields. */
export function inputsOf(request: Request): Input[] | null {
  const { schema } = request;
  const fields = typeof schema === "object" ? schema.fields : undefined;
  const list = fields ? fields.map((f) => inputOf(f, f.name, false)) : [inputOf(request, "", true)];
  return list.some((i) => i.type === "document") ? null : list;
}

const LEAST = -(2 ** 31);
const MOST = 2 ** 31 - 1;

/** Of one field; undefined: nothing stands in it. Throws what is wrong with it, in words. */
function valueOf(i: Input, text: string): Value | undefined {
  if (text.trim() === "") {
    if (i.needed && i.type !== "text") throw new Error(words.twin.valueNeeded(i.title));
    return i.needed ? text : undefined;
  }
  const v = parseInput(text, { ...i, path: i.name } as unknown as Property);
  if (v === undefined) throw new Error(words.twin.notA(i.type));
  if (i.type === "integer" && ((v as number) < LEAST || (v as number) > MOST))
    throw new Error(words.twin.between(format.count(LEAST), format.count(MOST)));
  return v;
}

/** The payload, or what is wrong by field. Fields that are left empty are not sent. */
export function payloadOf(inputs: readonly Input[], texts: ReadonlyMap<string, string>) {
  const wrong = new Map<string, string>();
  const out: Record<string, Value> = {};
  let whole: Value | undefined;
  for (const i of inputs) {
    try {
      const v = valueOf(i, texts.get(i.name) ?? "");
      if (i.name === "") whole = v;
      else if (v !== undefined) out[i.name] = v;
    } catch (e) {
      wrong.set(i.name, (e as Error).message);
    }
  }
  return { wrong, value: inputs[0]?.name === "" ? whole : out };
}
