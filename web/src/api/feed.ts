// SPDX-License-Identifier: Apache-2.0
// What changes, as it changes: one WebSocket a world for everything the page shows (GET /watch). Views name what they
// are interested in; at most once an interval they are told what became of it. When the connection comes back it goes
// on behind what was told last, so that nothing is missed and nothing read again.
import { signal } from "@preact/signals";
import { link, urlOf, worldPath } from "./client";
import type { Change, Value } from "./types";
import { isGone } from "./worlds";

export type What = "values" | "twins" | "links" | "linkValues";

export interface Interest {
  world: string; // a past world moves nothing: nothing is opened
  twins?: readonly string[];
  models?: readonly string[];
  properties?: readonly string[];
  what?: readonly What[];
  where?: string;
  interval?: number; // ms between two messages; 250
}

export interface Handler {
  /** In the order in which they happened last: one after the other they give the state. */
  changes(list: readonly Change[], time: string): void;
  /** From here on everything is told: what is read now or later misses nothing. */
  subscribed?(): void;
  /** Something was missed: read anew. */
  gap?(): void;
}

type Row = [twin: string, property: string, value: Value, time: number];
interface Thing {
  twin?: string;
  gone?: string;
  link?: [source: string, id: string, name: string, target: string];
  unlinked?: [source: string, id: string, name: string, target: string];
  linkValue?: [source: string, id: string, property: string, value: Value, time: number];
  model?: string;
}

interface Message {
  ready?: string;
  subscribed?: string;
  id?: string;
  seq?: number;
  since?: number;
  time?: string;
  lost?: boolean;
  changes?: (Row | Thing)[];
  error?: { id?: string; code: string; message: string };
}

const RETRY_MS = [250, 500, 1000, 2000, 4000];
const GONE_MS = 5000; // between two looks whether a world that was discarded is there again
const STALE_TRIES = 3; // the server answers but does not let us resume: it no longer keeps what we missed

/** When the connection was lost; null while it stands. */
export const lostSince = signal<number | null>(null);

function changeOf(c: Row | Thing): Change {
  if (Array.isArray(c)) {
    const [twin, path, value, time] = c;
    return { op: value === null ? "unset" : "set", twin, path, value, at: time };
  }
  if (c.gone !== undefined) return { op: "twin_delete", twin: c.gone };
  const l = c.link ?? c.unlinked;
  if (l) return { op: c.link ? "link_put" : "link_delete", twin: l[0], link: l[1], name: l[2], target: l[3] };
  if (c.linkValue) {
    const [twin, id, path, value, at] = c.linkValue;
    return { op: value === null ? "link_unset" : "link_set", twin, link: id, path, value, at };
  }
  if (c.twin !== undefined) return { op: "twin_put", twin: c.twin, model: c.model };
  return { op: "model", twin: "", model: c.model };
}

interface Sub {
  interest: Interest;
  handler: Handler;
}

let nextId = 1;

class Watch {
  private readonly subs = new Map<string, Sub>();
  private socket?: WebSocket;
  private ready = false;
  private since = 0;
  private tries = 0;
  private timer = 0;

  constructor(
    private readonly world: string,
    private readonly idle: () => void,
  ) {}

  add(s: Sub): () => void {
    const id = `i${nextId++}`;
    this.subs.set(id, s);
    if (!this.socket) this.open();
    else if (this.ready) this.send({ subscribe: this.ask(id, s) });
    return () => {
      this.subs.delete(id);
      if (this.ready) this.send({ unsubscribe: id });
      if (!this.subs.size) this.close();
    };
  }

  private ask(id: string, { interest: i }: Sub) {
    return {
      id,
      interval_ms: i.interval ?? 250,
      what: i.what ?? ["values"],
      twins: i.twins,
      models: i.models,
      properties: i.properties,
      where: i.where,
    };
  }

  private send(message: unknown) {
    this.socket?.send(JSON.stringify(message));
  }

  private open() {
    const url = new URL(urlOf(worldPath(this.world) + "/watch", { since: this.since || undefined }), location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this.socket = new WebSocket(url));
    socket.onopen = () => {
      this.ready = true;
      if (this.subs.size) this.send({ subscribe: [...this.subs].map(([id, s]) => this.ask(id, s)) });
    };
    socket.onmessage = (e) => this.take(JSON.parse(e.data as string) as Message);
    socket.onclose = () => this.socket === socket && this.retry();
  }

  private take(m: Message) {
    if (m.ready !== undefined) {
      this.tries = 0;
      lostSince.value = null;
      if (link.value === "lost") link.value = "ok";
    }
    if (m.subscribed !== undefined) this.subs.get(m.subscribed)?.handler.subscribed?.();
    if (m.error) console.warn(m.error.code, m.error.message);
    if (m.id !== undefined) {
      const h = this.subs.get(m.id)?.handler;
      if (m.lost) h?.gap?.();
      if (m.changes?.length) h?.changes(m.changes.map(changeOf), m.time ?? new Date().toISOString());
    }
    if (m.since) this.since = m.since;
  }

  private retry() {
    this.ready = false;
    if (!this.subs.size) return;
    const wait = RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]!;
    this.timer = window.setTimeout(() => void this.again(), wait);
  }

  private async again() {
    // A world that is no more is no lost connection.
    if (await isGone(this.world)) {
      this.since = 0;
      if (this.subs.size) this.timer = window.setTimeout(() => void this.again(), GONE_MS);
      return;
    }
    const answers = await fetch("/readyz").then(
      (r) => r.ok,
      () => false,
    );
    if (!answers || this.tries > STALE_TRIES) {
      lostSince.value ??= Date.now();
      if (link.value === "ok") link.value = "lost";
    }
    if (answers && this.since && this.tries > STALE_TRIES) {
      this.since = 0;
      for (const s of this.subs.values()) s.handler.gap?.();
    }
    if (this.subs.size) this.open();
  }

  private close() {
    clearTimeout(this.timer);
    const s = this.socket;
    this.socket = undefined;
    this.ready = false;
    lostSince.value = null; // nobody waits for it; another that is lost says so itself
    s?.close();
    this.idle();
  }
}

const watches = new Map<string, Watch>();

/** Be told until the function that is returned is called. */
export function listen(interest: Interest, handler: Handler): () => void {
  if (interest.world.includes("@")) return () => {};
  const { world } = interest;
  let w = watches.get(world);
  if (!w) watches.set(world, (w = new Watch(world, () => watches.delete(world))));
  return w.add({ interest, handler });
}
