// SPDX-License-Identifier: Apache-2.0
// A command as people read it: by the names of its model; how it is sent on hover.
import { byId } from "~/api/catalogue";
import type { Sent } from "~/api/decisions";
import { models, textOf, wordsOfName } from "~/api/models";
import type { Value } from "~/api/types";
import { words } from "~/words/en";
import * as format from "~/format";
import { callOf } from "./send";

type Called = Pick<Sent, "twin" | "name" | "payload">;

const modelOf = (twin: string) => models.value.get(byId.value.get(twin)?.model ?? "");
const commandOf = (c: Called) => modelOf(c.twin)?.commands.find((x) => c.name === x.name);

/** "Clear jam" */
export const commandTitle = (c: Called): string => commandOf(c)?.title ?? wordsOfName(c.name);

/** "Speed 36 000"; a value that has no name stands alone. */
function valuesOf(c: Called): string {
  const schema = commandOf(c)?.request?.schema;
  const fields = typeof schema === "object" ? (schema.fields ?? []) : [];
  const named = (name: string) => textOf(fields.find((f) => f.name === name)?.displayName) || wordsOfName(name);
  const p = c.payload;
  if (p === undefined || p === null) return "";
  if (typeof p !== "object" || Array.isArray(p)) return format.value(p);
  return Object.entries(p as Record<string, Value>)
    .map(([name, v]) => `${named(name)} ${format.value(v)}`)
    .join(", ");
}

export function Call({ c }: { c: Called }) {
  const values = valuesOf(c);
  return (
    <span title={callOf(c)}>
      <span class="strong">{commandTitle(c)}</span>
      {values && `, ${values}`}
    </span>
  );
}

/** What the log says of a command, in its words. */
export function logText(what: string, c: Called | undefined, label: (twin: string) => string): string {
  const sent = /^command (\S+) to (\S+)$/.exec(what);
  if (sent) return words.decisions.logSent(commandTitle({ name: sent[1]!, twin: sent[2]! }), label(sent[2]!));
  const took = /^the device has done it \(\d+\)$/.test(what);
  return took && c ? words.decisions.logTook(label(c.twin), commandTitle(c)) : what;
}
