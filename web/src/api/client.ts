// SPDX-License-Identifier: Apache-2.0
// Requests to the server that sent this page. Every answer that is no success becomes an ApiError in words; whether the
// server answers at all is a signal of its own, shown by the frame.
import { signal } from "@preact/signals";
import { words } from "~/words/en";
import { heardTime } from "./now";

const VERSION = "2023-10-31";

export class ApiError extends Error {
  constructor(
    readonly code: string, // "DigitalTwinNotFound", "Unreachable"
    message: string,
    readonly status: number, // 0: no answer
    readonly body?: unknown, // of the error, when there is more: places, details
  ) {
    super(message);
  }
}

export type Link = "ok" | "lost" | "locked"; // locked: the server wants a token
export const link = signal<Link>("ok");

export type Query = Record<string, string | number | boolean | undefined | null | readonly string[]>;

/** "/worlds/NAME" in front for all worlds but live. */
export function worldPath(world: string): string {
  return world === "live" || world === ""
    ? ""
    : "/worlds/" + encodeURIComponent(world).replaceAll("%3A", ":").replaceAll("%40", "@");
}

export function urlOf(path: string, query: Query = {}): string {
  const q = new URLSearchParams({ "api-version": VERSION });
  for (const [k, v] of Object.entries(query)) {
    if (v === undefined || v === null) continue;
    if (Array.isArray(v)) for (const one of v) q.append(k, String(one));
    else q.set(k, String(v));
  }
  return path + (path.includes("?") ? "&" : "?") + q.toString();
}

export interface Options {
  world?: string; // "" or missing: no prefix
  query?: Query;
  signal?: AbortSignal;
  type?: string; // of a text or a file as the body; JSON otherwise
  headers?: Record<string, string>;
}

async function send(method: string, path: string, body: unknown, o: Options): Promise<Response> {
  const headers: Record<string, string> = { ...o.headers };
  let data: BodyInit | undefined;
  if (body !== undefined) {
    data = body instanceof Blob || (typeof body === "string" && o.type) ? body : JSON.stringify(body);
    headers["Content-Type"] = o.type ?? "application/json";
  }
  let reply: Response;
  const sent = Date.now();
  try {
    reply = await fetch(urlOf(worldPath(o.world ?? "") + path, o.query), {
      method,
      headers,
      body: data,
      signal: o.signal,
    });
  } catch (e) {
    if (e instanceof DOMException && e.name === "AbortError") throw e;
    link.value = "lost";
    throw new ApiError("Unreachable", words.link.unreachable, 0);
  }
  heardTime(reply.headers.get("Date"), sent, Date.now());
  if (reply.status === 401) link.value = "locked";
  else if (link.value !== "ok") link.value = "ok";
  if (reply.ok) return reply;
  throw await errorOf(reply);
}

async function errorOf(reply: Response): Promise<ApiError> {
  const text = await reply.text().catch(() => "");
  try {
    const doc = JSON.parse(text) as { error?: { code?: string; message?: string } | string };
    if (typeof doc.error === "string") return new ApiError("Error", doc.error, reply.status, doc);
    if (doc.error) return new ApiError(doc.error.code ?? "Error", doc.error.message ?? text, reply.status, doc.error);
  } catch {
    // not JSON
  }
  return new ApiError("Error", text || words.link.status(reply.status), reply.status);
}

async function json<T>(reply: Response): Promise<T> {
  const text = await reply.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** The answer itself, for who wants its headers. */
export const request = (method: string, path: string, o: Options & { body?: unknown } = {}): Promise<Response> =>
  send(method, path, o.body, o);

export const api = {
  get: async <T>(path: string, o: Options = {}) => json<T>(await send("GET", path, undefined, o)),
  text: async (path: string, o: Options = {}) => (await send("GET", path, undefined, o)).text(),
  post: async <T>(path: string, body?: unknown, o: Options = {}) => json<T>(await send("POST", path, body, o)),
  put: async <T>(path: string, body?: unknown, o: Options = {}) => json<T>(await send("PUT", path, body, o)),
  patch: async <T>(path: string, body?: unknown, o: Options = {}) => json<T>(await send("PATCH", path, body, o)),
  delete: async <T>(path: string, o: Options = {}) => json<T>(await send("DELETE", path, undefined, o)),
};

interface Page<T> {
  value: T[];
  nextLink?: string | null;
}

/** All pages of a list. */
export async function all<T>(path: string, o: Options = {}): Promise<T[]> {
  const out: T[] = [];
  let page = await api.get<Page<T>>(path, o);
  for (;;) {
    out.push(...page.value);
    if (!page.nextLink) return out;
    const next = new URL(page.nextLink, location.href);
    page = await api.get<Page<T>>(next.pathname + next.search, { signal: o.signal });
  }
}

/** A sentence for whatever was thrown. */
export function wordsOf(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
