// SPDX-License-Identifier: Apache-2.0
// Connections to the outside, what they count and what passed through them; endpoints and routes of events.
import { all, api } from "./client";
import type { Value } from "./types";

export type Doc = { [member: string]: Value };
export type ConnectionState = "up" | "connecting" | "failed" | "paused";

export interface LastError {
  time: string;
  error: string;
}

export interface Status {
  state: ConnectionState;
  trouble: string; // why it is not up
  lastError: LastError | null; // also when it is up again
  messages: number;
  bytes: number;
  points: number;
  accepted: number;
  rejected: number;
  late: number;
  errors: number;
  duplicates: number;
  commands: number;
  connects: number;
  drops: number;
  waiting: number;
  lagNs: number;
  lastMessage: string | null;
}

export interface Connection {
  name: string;
  kind: string;
  description?: string;
  url?: string;
  paused?: boolean;
  status: Status;
  [member: string]: unknown;
}

export interface Sample {
  time: string;
  topic: string;
  payload: string;
  error?: string;
}

export interface Samples {
  count: number;
  value: Sample[];
}

export interface Tried {
  topic: string;
  payload: string;
  points: { twin: string; property: string; value: Value; time?: string; model?: string; error?: string }[];
  error: string | null;
}

export interface Endpoint {
  name: string;
  kind: string;
  description?: string;
  url?: string;
  connection?: string;
  paused?: boolean;
  status: {
    state: string;
    trouble: string;
    delivered: number;
    failed: number;
    retries?: number;
    deadLetters: number;
    deadLettersDropped?: number;
    gaps?: number;
    lag: number;
    lastDelivery: string | null;
  };
  [member: string]: unknown;
}

export interface DeadLetter {
  id: string;
  time: string;
  error: string;
  status: number;
  attempts: number;
  route: string;
  event: Doc;
}

export interface Delivered {
  delivered: boolean;
  status: number;
  trouble: string;
}

export interface EventRoute {
  id: string;
  endpointName: string;
  filter: string;
}

const at = (name: string, verb = "") => `/connections/${encodeURIComponent(name)}${verb && "/" + verb}`;

export const readConnections = (signal?: AbortSignal) => all<Connection>("/connections", { signal });
export const readSamples = (name: string, which: "messages" | "errors", signal?: AbortSignal) =>
  api.get<Samples>(at(name, which), { signal });
export const putConnection = (name: string, doc: Doc, fresh: boolean) =>
  api.put<Connection>(at(name), doc, fresh ? { headers: { "If-None-Match": "*" } } : {});
export const deleteConnection = (name: string) => api.delete(at(name));
export const pauseConnection = (name: string, on: boolean) => api.post(at(name, on ? "pause" : "resume"));
export const tryConnection = (name: string, doc: Doc, seconds: number, signal: AbortSignal) =>
  api.post<Tried[]>(at(name || "new", "test"), doc, { query: { messages: 20, seconds }, signal });
export const readEndpoints = (signal?: AbortSignal) => all<Endpoint>("/endpoints", { signal });
export const readRoutes = (signal?: AbortSignal) => all<EventRoute>("/eventroutes", { signal });

const end = (name: string, verb = "") => `/endpoints/${encodeURIComponent(name)}${verb && "/" + verb}`;
const route = (id: string) => `/eventroutes/${encodeURIComponent(id)}`;

export const putEndpoint = (name: string, doc: Doc, fresh: boolean) =>
  api.put<Endpoint>(end(name), doc, fresh ? { headers: { "If-None-Match": "*" } } : {});
export const deleteEndpoint = (name: string) => api.delete(end(name));
export const testEndpoint = (name: string) => api.post<Delivered>(end(name, "test"));
export const readDeadLetters = (name: string, signal?: AbortSignal) =>
  api.get<{ value: DeadLetter[]; nextLink?: string | null }>(end(name, "deadletters"), { signal });
export const replayDeadLetters = (name: string, ids?: readonly string[]) =>
  api.post<{ [what: string]: number }>(end(name, "replay"), ids ? { ids } : {});
export const forgetDeadLetters = (name: string) => api.delete(end(name, "deadletters"));
export const putRoute = (r: EventRoute) => api.put(route(r.id), { endpointName: r.endpointName, filter: r.filter });
export const deleteRoute = (id: string) => api.delete(route(id));

/** What is stored of a connection or an endpoint, as it can be put again. */
export function docOf(c: Connection | Endpoint): Doc {
  const { name: _n, status: _s, ...doc } = c;
  return doc as Doc;
}
