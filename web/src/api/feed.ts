// SPDX-License-Identifier: Apache-2.0
// What changes, as it changes: one WebSocket an interest, resumed by sequence when the connection comes back, so that
// nothing is missed and nothing reloaded.
import { signal } from "@preact/signals";
import { link, urlOf, worldPath, type Query } from "./client";
import type { Change, FeedMessage } from "./types";

export interface Interest {
  world: string; // a past world moves nothing: nothing is opened
  twins?: readonly string[];
  models?: readonly string[];
  properties?: readonly string[];
  ops?: readonly string[];
  where?: string;
  rate?: number; // only the newest of each value, at most so many messages a second; 0: everything
  snapshot?: boolean; // first what is there
}

export interface Handler {
  changes(list: readonly Change[], message: FeedMessage): void;
  /** Something was missed (the feed no longer has it): read anew. */
  gap?(): void;
}

const RETRY_MS = [250, 500, 1000, 2000, 4000, 8000];

/** Seconds since anything was heard of live, for the frame's clock; 0 while the connection stands. */
export const lostSince = signal<number | null>(null);

/** Listen until the function that is returned is called. */
export function listen(interest: Interest, handler: Handler): () => void {
  if (interest.world.includes("@")) return () => {};
  let socket: WebSocket | undefined;
  let timer = 0;
  let tries = 0;
  let since = 0;
  let ended = false;

  const query = (): Query => ({
    twin: interest.twins ? [...interest.twins] : undefined,
    model: interest.models ? [...interest.models] : undefined,
    property: interest.properties ? [...interest.properties] : undefined,
    op: interest.ops ? [...interest.ops] : undefined,
    where: interest.where,
    mode: interest.rate ? "latest" : undefined,
    rate: interest.rate || undefined,
    snapshot: interest.snapshot && !since ? true : undefined,
    slow: interest.rate ? undefined : "conflate",
    since: since || undefined,
  });

  function open() {
    const url = new URL(urlOf(worldPath(interest.world) + "/changes", query()), location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(url);
    socket.onmessage = (e) => take(JSON.parse(e.data as string) as FeedMessage);
    socket.onclose = retry;
  }

  function take(m: FeedMessage) {
    if (m.event === "ready") {
      tries = 0;
      if (m.since) since = m.since;
      lostSince.value = null;
      if (link.value === "lost") link.value = "ok";
      return;
    }
    if (m.event === "cut") {
      if (m.resume) since = m.resume;
      return;
    }
    if (!m.more && m.seq) since = m.seq;
    if (m.changes.length) handler.changes(m.changes, m);
  }

  function retry() {
    if (ended) return;
    if (tries >= 1) {
      lostSince.value ??= Date.now();
      if (link.value === "ok") link.value = "lost";
    }
    const wait = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]!;
    timer = window.setTimeout(() => void again(), wait);
  }

  // A server that answers but refuses to resume no longer keeps what we missed: begin anew, and have it read again.
  async function again() {
    if (tries > 2 && since) {
      const ready = await fetch("/readyz").then(
        (r) => r.ok,
        () => false,
      );
      if (ended) return;
      if (ready && tries > 3) {
        since = 0;
        handler.gap?.();
      }
    }
    open();
  }

  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    socket?.close();
  };
}
