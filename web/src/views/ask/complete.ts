// SPDX-License-Identifier: Apache-2.0
// What could stand at the caret of a query: models, properties, relationship names, twins, words and functions.
import { entries, links, search } from "~/api/catalogue";
import { models, type Model, type Property } from "~/api/models";
import type { Completion, Completions } from "~/ui/code";
import { unitSymbol } from "~/format";
import { functions, KEYWORDS, lex, type Word } from "./language";

const MOST = 60;
const SPECIAL = ["$dtId", "$metadata", "$etag"];
const META = ["$model", "$lastUpdateTime"];
const LINK = ["$relationshipId", "$relationshipName", "$sourceId", "$targetId"];

const upper = (w: Word | undefined) => (w ? w.text.toUpperCase() : "");

const modelList = (): Completion[] =>
  [...models.value.values()].map((m) => ({ label: m.id, detail: m.name, about: m.about, kind: "model" }));

function relationshipList(): Completion[] {
  const out = new Map<string, Completion>();
  for (const m of models.value.values())
    for (const r of m.relationships)
      if (!out.has(r.name)) out.set(r.name, { label: r.name, detail: r.title, kind: "link" });
  for (const name of links.value.names) if (!out.has(name)) out.set(name, { label: name, kind: "link" });
  return [...out.values()];
}

/** Properties by path; those of the models that the text names come first. */
function propertyList(words: readonly Word[]): Completion[] {
  const named = new Set(words.filter((w) => w.kind === "text").map((w) => w.text.slice(1, -1)));
  const told = (m: Model) => [...m.ancestors].some((a) => named.has(a));
  const out = new Map<string, { p: Property; n: number; first: boolean }>();
  for (const m of models.value.values()) {
    const first = told(m);
    for (const p of m.properties) {
      if (p.telemetry) continue;
      const known = out.get(p.path);
      if (known) {
        known.n++;
        known.first ||= first;
      } else out.set(p.path, { p, n: 1, first });
    }
  }
  return [...out.values()]
    .sort((a, b) => Number(b.first) - Number(a.first) || b.n - a.n)
    .map(({ p }) => ({
      label: p.path,
      insert: p.path.split(".").every((n) => /^[A-Za-z_]\w*$/.test(n)) ? p.path : `[[${p.path}]]`,
      detail: p.unit ? `${p.name}, ${unitSymbol(p.unit)}` : p.name,
      about: p.about,
      kind: "property",
    }));
}

const functionList = (): Completion[] =>
  functions.map((f) => ({
    label: f.name,
    insert: f.name + "(",
    detail: f.args,
    about: `${f.about} ${f.example}`,
    kind: "function",
  }));

const wordList = (list: readonly string[]): Completion[] => list.map((k) => ({ label: k, kind: "word" }));

function aliases(words: readonly Word[]): string[] {
  const out = new Set<string>();
  words.forEach((w, i) => {
    if (w.kind !== "name") return;
    const before = upper(words[i - 1]);
    const next = words[i + 1]?.text ?? "";
    if (before === "DIGITALTWINS" || before === "RELATIONSHIPS" || before === "JOIN") out.add(w.text);
    else if ((before === "(" && next === ")") || (before === "[" && [":", "]"].includes(next))) out.add(w.text);
    else if (upper(words[i - 4]) === "RELATED") out.add(w.text);
  });
  return [...out];
}

/** Best first: beginnings, then beginnings of parts, then anything that holds what was typed. */
function fit(list: readonly Completion[], typed: string): Completion[] {
  const q = typed.toLowerCase();
  if (!q) return list.slice(0, MOST);
  const rank = (c: Completion) => {
    const at = c.label.toLowerCase().indexOf(q);
    if (at === 0) return 3;
    if (at > 0) return /[a-z\d]/.test(c.label.charAt(at - 1)) && !/[A-Z]/.test(c.label.charAt(at)) ? 1 : 2;
    return c.detail?.toLowerCase().includes(q) ? 1 : 0;
  };
  return list
    .map((c, i) => ({ c, i, r: rank(c) }))
    .filter((x) => x.r > 0 && x.c.label !== typed)
    .sort((a, b) => b.r - a.r || a.i - b.i)
    .slice(0, MOST)
    .map((x) => x.c);
}

/** Inside of quotes: what it is compared with tells what may stand there. */
function inText(words: readonly Word[]): Completion[] {
  const last = words[words.length - 1];
  if (last?.kind === "number") {
    const units = new Map<string, Completion>();
    for (const m of models.value.values())
      for (const p of m.properties)
        if (p.unit && !units.has(p.unit))
          units.set(p.unit, { label: p.unit, detail: unitSymbol(p.unit), kind: "unit" });
    return [...units.values()];
  }
  const call = words.map(upper).lastIndexOf("IS_OF_MODEL");
  if (call >= 0 && words.length - call <= 4) return modelList();
  let i = words.length - 1;
  while (i >= 0 && (words[i]!.kind === "sign" ? words[i]!.text !== "." : /^(IN|NIN|NOT)$/.test(upper(words[i])))) i--;
  // A list of texts: back over those before.
  while (i >= 0 && words[i]!.kind === "text") {
    i--;
    while (i >= 0 && (words[i]!.kind === "sign" || /^(IN|NIN|NOT)$/.test(upper(words[i])))) i--;
  }
  const name = words[i]?.text ?? "";
  if (name === "$model") return modelList();
  if (["$dtId", "$sourceId", "$targetId"].includes(name))
    return entries.value.map((e) => ({ label: e.id, detail: e.label === e.id ? "" : e.label, kind: "twin" }));
  if (name === "$relationshipName") return relationshipList();
  const path = words[i - 1]?.text === "." ? `${words[i - 2]?.text}.${name}` : name;
  const options = new Map<string, Completion>();
  for (const m of models.value.values())
    for (const p of m.properties)
      if (p.path === name || p.path === path)
        for (const o of p.options)
          options.set(String(o.value), { label: String(o.value), detail: o.name, kind: "value" });
  return [...options.values()];
}

function behindDot(words: readonly Word[], all: readonly Word[]): Completion[] {
  const of = words[words.length - 2]?.text ?? "";
  if (upper(words[words.length - 3]) === "RELATED" || /^(in|out)$/i.test(of)) return relationshipList();
  if (of === "$metadata") return [...wordList(META), ...propertyList(all)];
  return [...propertyList(all), ...wordList(SPECIAL)];
}

function anything(words: readonly Word[], all: readonly Word[]): Completion[] {
  const before = words[words.length - 1];
  const ends =
    before &&
    (before.kind === "name" || before.kind === "text" || before.kind === "number" || /^[)\]]$/.test(before.text));
  const links = words.some((w) => upper(w) === "RELATIONSHIPS");
  const values = [
    ...aliases(all).map((a): Completion => ({ label: a, kind: "alias" })),
    ...propertyList(all),
    ...wordList(links ? LINK : SPECIAL),
  ];
  const keys = wordList(KEYWORDS);
  return ends ? [...keys, ...values, ...functionList()] : [...values, ...functionList(), ...keys];
}

export function complete(text: string, caret: number, asked: boolean): Completions | null {
  const all = lex(text);
  const words = lex(text.slice(0, caret));
  const last = words[words.length - 1];
  if (last?.kind === "comment" && last.to === caret && !text.slice(last.from, caret).includes("\n")) return null;
  const open =
    last?.kind === "text" && last.to === caret && (last.text.length < 2 || last.text.at(-1) !== last.text[0]);
  if (open) {
    const typed = last.text.slice(1);
    const quote = last.text[0]!;
    const closed = text[caret] === quote;
    let list = inText(words.slice(0, -1));
    if (list[0]?.kind === "twin" && typed)
      list = search(typed, MOST).map((e) => ({ label: e.id, detail: e.label === e.id ? "" : e.label, kind: "twin" }));
    else list = fit(list, typed);
    return { from: last.from + 1, list: list.map((c) => ({ ...c, insert: c.label + (closed ? "" : quote) })) };
  }
  const touching = last && last.to === caret && ["name", "keyword", "call"].includes(last.kind) ? last : undefined;
  const typed = touching?.text ?? "";
  const from = touching?.from ?? caret;
  const before = touching ? words.slice(0, -1) : words;
  const prev = before[before.length - 1];
  const sign = prev?.text ?? "";
  if (sign === ":" || sign === "|") return { from, list: fit(relationshipList(), typed) };
  if (["->", "<-", "<->"].includes(sign)) {
    const clause = before.findLast((w) => /^(MATCH|WHERE|SELECT|BY|HAVING)$/.test(upper(w)));
    return upper(clause) === "MATCH" ? null : { from, list: fit(relationshipList(), typed) };
  }
  if (sign === "." && prev!.to === from) return { from, list: fit(behindDot(before, all), typed) };
  if (upper(prev) === "FROM") return { from, list: fit(wordList(["DIGITALTWINS", "RELATIONSHIPS"]), typed) };
  if (upper(prev) === "RELATED")
    return {
      from,
      list: fit(
        aliases(all).map((a) => ({ label: a, insert: a + ".", kind: "alias" })),
        typed,
      ),
    };
  if (["AS", "JOIN", "TOP"].includes(upper(prev)) && !asked) return null;
  if (!typed && !asked) return null;
  return { from, list: fit(anything(before, all), typed) };
}
