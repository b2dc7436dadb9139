// SPDX-License-Identifier: Apache-2.0
// Files that the server keeps for pages: plans, scenes, layers of maps, and the documents that say which twin is where.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { all, api, ApiError, request, wordsOf } from "./client";

export interface FileEntry {
  name: string;
  type: string;
  bytes: number;
  updated: string;
}

export interface Place {
  x: number; // metres from the left
  y: number; // metres from the top
  angle?: number; // degrees, clockwise
  size?: number | [number, number]; // metres: across, or width and depth
}

export interface PlanDoc {
  title?: string;
  image: string;
  width: number; // metres
  height: number;
  assumed?: boolean; // nobody has said how wide it is: it has no scale
  at: Record<string, Place>;
}

export interface SceneDoc {
  title?: string;
  model: string;
  nodes: Record<string, string>;
  camera?: { position: [number, number, number]; target: [number, number, number] };
}

export interface MapDoc {
  title?: string;
  layers: string[];
  centre?: [number, number];
  zoom?: number;
}

export type DocKind = "plan" | "scene" | "map";
export interface Docs {
  plan: PlanDoc;
  scene: SceneDoc;
  map: MapDoc;
}

/** null: not read yet. */
export const files = signal<readonly FileEntry[] | null>(null);
export const filesError = signal("");

const TYPES: Record<string, string> = {
  svg: "image/svg+xml",
  png: "image/png",
  webp: "image/webp",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  glb: "model/gltf-binary",
  gltf: "model/gltf+json",
  geojson: "application/geo+json",
  json: "application/json",
};
export const LARGEST = 16 << 20;

export const typeOfName = (name: string): string | undefined => TYPES[name.split(".").pop()?.toLowerCase() ?? ""];
export const fileUrl = (name: string): string => "/files/" + encodeURIComponent(name);
export const docName = (stem: string, kind: DocKind): string => `${stem}.${kind}.json`;

export async function readFiles(): Promise<void> {
  try {
    const list = await all<FileEntry>("/files");
    // The same list again would have everything that hangs on it made anew.
    if (JSON.stringify(list) !== JSON.stringify(files.peek())) files.value = list;
    filesError.value = "";
  } catch (e) {
    if (e instanceof ApiError && e.status === 404) files.value = [];
    else filesError.value = wordsOf(e);
  }
}

const AGAIN_MS = 15_000; // what colleagues put shows by itself
let reading: Promise<void> | undefined;
/** The list, read when the first view that shows files is opened, and now and then while one is. */
export function askFiles(): void {
  filesError.value = "";
  void readFiles();
}

export function useFiles(): readonly FileEntry[] | null {
  useEffect(() => {
    const read = () => (reading ??= readFiles().finally(() => (reading = undefined)));
    void read();
    const timer = setInterval(() => document.visibilityState === "visible" && void read(), AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return files.value;
}

export const docsOf = (kind: DocKind): string[] =>
  (files.value ?? []).map((f) => f.name).filter((n) => n.endsWith(`.${kind}.json`));

export async function putFile(name: string, body: Blob | string): Promise<void> {
  const type = typeOfName(name) ?? "application/json";
  await api.put(fileUrl(name), body instanceof Blob ? body.slice(0, body.size, type) : body, { type });
  await readFiles();
}

export const putDoc = (name: string, doc: unknown): Promise<void> => putFile(name, JSON.stringify(doc, null, 1) + "\n");

const TRIES = 5;

/** A document as it stands, with its entity tag; undefined where there is none. */
async function readTagged<T>(name: string): Promise<{ doc?: T; etag: string }> {
  try {
    const reply = await request("GET", fileUrl(name));
    return { doc: (await reply.json()) as T, etag: reply.headers.get("etag") ?? "" };
  } catch (e) {
    if (e instanceof ApiError && e.status === 404) return { etag: "" };
    throw e;
  }
}

/**
 * A change of a document that others may change meanwhile: put onto what stands now, never over what somebody else
 * wrote. `change` is called again with the newest when somebody was faster; what it throws ends it.
 */
export async function changeDoc<T>(name: string, change: (doc: T | undefined) => T): Promise<T> {
  for (let i = 0; ; i++) {
    // What the list does not have is not asked for, the first time; the server refuses when somebody was faster.
    const absent = i === 0 && files.peek()?.every((f) => f.name !== name);
    const { doc, etag } = absent ? { doc: undefined, etag: "" } : await readTagged<T>(name);
    const next = change(doc);
    const headers: Record<string, string> = doc === undefined ? { "If-None-Match": "*" } : { "If-Match": etag };
    try {
      await api.put(fileUrl(name), JSON.stringify(next, null, 1) + "\n", { type: "application/json", headers });
      await readFiles();
      return next;
    } catch (e) {
      if (!(e instanceof ApiError && e.status === 412) || i >= TRIES) throw e;
    }
  }
}

export async function deleteFile(name: string): Promise<void> {
  await api.delete(fileUrl(name));
  await readFiles();
}

export interface Read<T> {
  doc?: T;
  error?: unknown;
  again?: () => void;
}

/** A document, read anew when it was written. */
export function useDoc<K extends DocKind>(_kind: K, name: string): Read<Docs[K]> {
  const [state, set] = useState<Read<Docs[K]> & { of?: string }>({});
  const [round, turn] = useState(0);
  const stamp = files.value?.find((f) => f.name === name)?.updated ?? "";
  useEffect(() => {
    if (!name) return;
    const abort = new AbortController();
    api.get<Docs[K]>(fileUrl(name), { signal: abort.signal }).then(
      (doc) => set({ doc, of: name }),
      (error: unknown) => !abort.signal.aborted && set({ error, of: name }),
    );
    return () => abort.abort();
  }, [name, stamp, round]);
  const again = () => (set({}), turn((n) => n + 1));
  return state.of === name ? { ...state, again } : {};
}
