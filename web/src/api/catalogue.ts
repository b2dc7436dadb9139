// SPDX-License-Identifier: Apache-2.0
// The twins of the shown world as a list that can be searched: id, model, label. Read once a world, then kept by the
// births and deaths that the feed tells. Values are not here: views ask for those they show.
import { computed, effect, signal } from "@preact/signals";
import { kind, worldName } from "~/app/route";
import { api, link, wordsOf } from "./client";
import { listen } from "./feed";
import { fetchModels, models, type Property } from "./models";

export interface Entry {
  id: string;
  model: string;
  label: string; // its label property, or its id
}

interface Structure {
  models: string[];
  names: string[];
  twins: { id: string[]; model: number[]; label?: (string | null)[] };
  links: { from: number[]; to: number[]; name: number[] };
  more?: string | null;
}

export interface Links {
  from: Uint32Array; // indexes of entries
  to: Uint32Array;
  name: Uint16Array; // indexes of names
  names: string[];
}

export const entries = signal<readonly Entry[]>([]);
export const links = signal<Links>({
  from: new Uint32Array(),
  to: new Uint32Array(),
  name: new Uint16Array(),
  names: [],
});
export const reading = signal(true);
export const readError = signal("");
/** Counts up when twins or links come or go: what was derived from them is to be made anew. */
export const shape = signal(0);

export const byId = computed(() => new Map(entries.value.map((e) => [e.id, e])));
export const labelOf = (id: string): string => byId.value.get(id)?.label ?? id;

const LABELS = ["label", "displayName", "name", "title"];
const isText = (p: Property, name: string) => p.path === name && p.type === "text" && !p.telemetry;

async function read(world: string, abort: AbortSignal): Promise<void> {
  // What nobody has may not be asked for: the models tell what twins are called by.
  const m = await fetchModels(world, abort);
  const label = LABELS.filter((name) => [...m.values()].some((x) => x.properties.some((p) => isText(p, name))));
  const query = label.length ? { label: label.join(",") } : {};
  const s = await api.get<Structure>("/graph", { world, query, signal: abort });
  models.value = m;
  const called = s.twins.label;
  entries.value = s.twins.id.map((id, i) => ({ id, model: s.models[s.twins.model[i]!]!, label: called?.[i] || id }));
  links.value = {
    from: Uint32Array.from(s.links.from),
    to: Uint32Array.from(s.links.to),
    name: Uint16Array.from(s.links.name),
    names: s.names,
  };
  shape.value++;
}

let later = 0;
function soon(again: () => void) {
  clearTimeout(later);
  later = window.setTimeout(again, 400);
}

let abort: AbortController | undefined;

async function load(world: string, quietly = false): Promise<void> {
  abort?.abort();
  const mine = (abort = new AbortController());
  if (!quietly) reading.value = true;
  try {
    await read(world, mine.signal);
    readError.value = "";
  } catch (e) {
    if (mine.signal.aborted) return;
    readError.value = wordsOf(e);
  }
  if (!mine.signal.aborted) reading.value = false;
}

export function reload(): void {
  void load(worldName.peek(), true);
}

/** Begin; the page calls it once. */
export function startCatalogue(): void {
  effect(() => {
    const world = worldName.value;
    if (kind.value === "past") {
      void load(world);
      return () => abort?.abort();
    }
    // First be told of what changes, then read: so nothing falls between. Without an answer read all the same.
    reading.value = true;
    let begun = false;
    const begin = () => {
      if (begun) return;
      begun = true;
      void load(world);
    };
    const timer = setTimeout(begin, 1500);
    const stop = listen(
      { world, what: ["twins", "links"], interval: 500 },
      {
        subscribed: () => (begun ? soon(() => void load(world, true)) : begin()),
        changes: () => soon(() => void load(world, true)),
        gap: () => void load(world, true),
      },
    );
    return () => {
      clearTimeout(timer);
      clearTimeout(later); // nothing of this world is read into the next one
      abort?.abort();
      stop();
    };
  });
  // What could not be read while the server was away is read when it is back.
  effect(() => {
    if (link.value === "ok" && readError.peek()) void load(worldName.peek());
  });
}

const lowered = computed(() => entries.value.map((e) => [e.id.toLowerCase(), e.label.toLowerCase()] as const));

const any = () => true;

/** Twins whose id or label fits, the best first, of those that `may` be found. */
export function search(text: string, limit = 20, may: (e: Entry) => boolean = any): Entry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  // Of 100,000 that fit only the best are kept in order.
  const best: { e: Entry; score: number }[] = [];
  lowered.value.forEach(([id, label], i) => {
    let score = 0;
    for (const w of words) {
      const one = Math.max(rank(id, w), rank(label, w));
      if (!one) return;
      score += one;
    }
    score -= id.length / 1000;
    if (best.length === limit && score <= best[limit - 1]!.score) return;
    if (!may(entries.value[i]!)) return;
    let at = best.length;
    while (at > 0 && best[at - 1]!.score < score) at--;
    best.splice(at, 0, { e: entries.value[i]!, score });
    if (best.length > limit) best.pop();
  });
  return best.map((f) => f.e);
}

/** What a field offers: what was typed, or while nothing is, the first there are. */
export function offered(text: string, limit: number, may: (e: Entry) => boolean = any): Entry[] {
  if (text.trim()) return search(text, limit, may);
  const out: Entry[] = [];
  for (const e of entries.value) {
    if (out.length >= limit) break;
    if (may(e)) out.push(e);
  }
  return out;
}

function rank(text: string, word: string): number {
  const at = text.indexOf(word);
  if (at < 0) return 0;
  if (text === word) return 10;
  if (at === 0) return 5;
  return /[\s\-_.:]/.test(text.charAt(at - 1)) ? 3 : 1;
}
