// SPDX-License-Identifier: Apache-2.0
// What could stand in the filter of an event route: names of events, their types, and the functions of the language.
import { models } from "~/api/models";
import type { Completion, Completions } from "~/ui/code";
import { words } from "~/words/en";
import { functions, lex } from "~/views/ask/language";

const NAMES = Object.entries(words.connections.filterNames).map(
  ([label, about]): Completion => ({ label, about, kind: "property" }),
);
const things = ["Twin", "Relationship"].flatMap((t) =>
  ["Create", "Update", "Delete"].map((d) => `Microsoft.DigitalTwins.${t}.${d}`),
);
const TYPES = [...things, "microsoft.iot.telemetry"];
const WORDS = ["AND", "OR", "NOT", "IN", "true"].map((label): Completion => ({ label, kind: "word" }));

const holds = (list: readonly Completion[], typed: string) =>
  list.filter((c) => c.label.toLowerCase().includes(typed.toLowerCase()) && c.label !== typed).slice(0, 40);

export function completeFilter(text: string, caret: number, asked: boolean): Completions | null {
  const before = lex(text.slice(0, caret));
  const last = before[before.length - 1];
  if (last?.kind === "text" && last.to === caret && (last.text.length < 2 || last.text.at(-1) !== last.text[0])) {
    const typed = last.text.slice(1);
    const end = text[caret] === last.text[0] ? "" : last.text[0]!;
    const of = before.findLast((x) => x.kind === "name")?.text ?? "";
    const list: Completion[] = /model/i.test(of)
      ? [...models.value.values()].map((m) => ({ label: m.id, detail: m.name, kind: "model" }))
      : of === "type"
        ? TYPES.map((label) => ({ label, kind: "value" }))
        : [];
    return { from: last.from + 1, list: holds(list, typed).map((c) => ({ ...c, insert: c.label + end })) };
  }
  const touching = last && last.to === caret && ["name", "keyword", "call"].includes(last.kind) ? last : undefined;
  const typed = touching?.text ?? "";
  if (!typed && !asked) return null;
  const calls = functions.map(
    (f): Completion => ({ label: f.name, insert: f.name + "(", detail: f.args, about: f.about, kind: "function" }),
  );
  return { from: touching?.from ?? caret, list: holds([...NAMES, ...WORDS, ...calls], typed) };
}
