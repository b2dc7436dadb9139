// SPDX-License-Identifier: Apache-2.0
// The twins of the shown world as a list that can be searched: id, model, label. Read once a world, then kept by the
// births and deaths that the feed tells. Values are not here: views ask for those they show.
import { batch, computed, effect, signal } from "@preact/signals";
import { worldName } from "~/app/route";
import { again, follow, teach } from "./board";
import { api, ApiError, link, wordsOf } from "./client";
import { listen } from "./feed";
import { fetchModels, models, type Models, type Property } from "./models";

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
/** The list is of another world still: the one that is shown is being read. */
export const another = signal(false);
/** Counts up when twins or links come or go: what was derived from them is to be made anew. */
export const shape = signal(0);

export const byId = computed(() => new Map(entries.value.map((e) => [e.id, e])));
export const labelOf = (id: string): string => byId.value.get(id)?.label ?? id;

const LABELS = ["label", "displayName", "name", "title"];
const isText = (p: Property, name: string) => p.path === name && p.type === "text" && !p.telemetry;

/** What is to be read of a world's twins, and how that stands. */
export interface World {
  models?: Models;
  entries?: readonly Entry[];
  links?: Links;
  reading: boolean;
  error: string;
}

async function read(world: string, abort: AbortSignal): Promise<Pick<World, "models" | "entries" | "links">> {
  // What nobody has may not be asked for: the models tell what twins are called by.
  const m = await fetchModels(world, abort);
  const label = LABELS.filter((name) => [...m.values()].some((x) => x.properties.some((p) => isText(p, name))));
  const query = label.length ? { label: label.join(",") } : {};
  const s = await api.get<Structure>("/graph", { world, query, signal: abort });
  const called = s.twins.label;
  return {
    models: m,
    entries: s.twins.id.map((id, i) => ({ id, model: s.models[s.twins.model[i]!]!, label: called?.[i] || id })),
    links: {
      from: Uint32Array.from(s.links.from),
      to: Uint32Array.from(s.links.to),
      name: Uint16Array.from(s.links.name),
      names: s.names,
    },
  };
}

const SOON_MS = 400;
const RETRY_MS = 5000;
const UNANSWERED_MS = 1500; // without an answer to who wants to be told it is read all the same

/** Reads a world, and again whenever twins or links come or go. */
class Catalogue {
  private known: World = { reading: true, error: "" };
  private abort?: AbortController;
  private later = 0;
  private begun = false;
  private readonly stops: (() => void)[] = [];

  constructor(
    private readonly tell: (w: World) => void,
    private readonly world: string,
  ) {
    this.say({});
    if (world.includes("@")) this.begin();
    else this.listen();
    // What could not be read while the server was away is read when it is back.
    this.stops.push(effect(() => void (link.value === "ok" && this.known.error && this.load())));
  }

  private say(news: Partial<World>): void {
    this.tell((this.known = { ...this.known, ...news }));
  }

  private begin(): void {
    if (this.begun) return;
    this.begun = true;
    void this.load();
  }

  /** First be told of what changes, then read: so nothing falls between. */
  private listen(): void {
    const timer = setTimeout(() => this.begin(), UNANSWERED_MS);
    const stop = listen(
      { world: this.world, what: ["twins", "links"], interval: 500 },
      {
        subscribed: () => (this.begun ? this.soon() : this.begin()),
        changes: () => this.soon(),
        gap: () => void this.load(true),
      },
    );
    this.stops.push(() => clearTimeout(timer), stop);
  }

  private soon(): void {
    clearTimeout(this.later);
    this.later = window.setTimeout(() => void this.load(true), SOON_MS);
  }

  async load(quietly = false): Promise<void> {
    this.abort?.abort();
    const mine = (this.abort = new AbortController());
    if (!quietly && !this.known.reading) this.say({ reading: true });
    try {
      const found = await read(this.world, mine.signal);
      if (!mine.signal.aborted) this.say({ ...found, reading: false, error: "" });
    } catch (e) {
      if (mine.signal.aborted) return;
      this.say({ reading: false, error: wordsOf(e) });
      if (e instanceof ApiError && e.status >= 400 && e.status < 429) return; // the same every time
      clearTimeout(this.later);
      this.later = window.setTimeout(() => void this.load(true), RETRY_MS);
    }
  }

  stop(): void {
    clearTimeout(this.later);
    this.abort?.abort();
    this.stops.forEach((f) => f());
  }
}

const KIND = "catalogue";
teach<World>(KIND, (tell, world) => {
  const c = new Catalogue(tell, world!);
  return { stop: () => c.stop(), again: () => void c.load(true) };
});

/** The twins of any world, for who shows another one too. */
export const followWorld = (world: string, take: (w: World) => void): (() => void) => follow(KIND, [world], take);

export function reload(): void {
  again(KIND, [worldName.peek()]);
}

let of = ""; // the world that `entries` are of, at whatever instant

function clear(): void {
  models.value = new Map();
  entries.value = [];
  links.value = { from: new Uint32Array(), to: new Uint32Array(), name: new Uint16Array(), names: [] };
  shape.value++;
}

function show(w: World, world: string): void {
  batch(() => {
    // Dimmed until the other is read; where that cannot be, nothing of this one stays.
    if (!w.entries && !w.reading && of !== world) clear();
    if (w.entries || !w.reading) of = world;
    another.value = of !== world && entries.peek().length > 0;
    if (w.entries && w.entries !== entries.peek()) {
      models.value = w.models!;
      entries.value = w.entries;
      links.value = w.links!;
      shape.value++;
    }
    readError.value = w.error;
    reading.value = w.reading;
  });
}

/** Begin; the page calls it once. */
export function startCatalogue(): void {
  effect(() => {
    const world = worldName.value;
    return followWorld(world, (w) => show(w, world.split("@")[0]!));
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
