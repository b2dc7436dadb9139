// SPDX-License-Identifier: Apache-2.0
// Views of the graph that somebody named: on the server for everybody, and where the server does not let one write, in
// this browser. Two who save at once both keep what they saved.
import { computed, signal } from "@preact/signals";
import { api, ApiError, request, wordsOf } from "~/api/client";
import { files, fileUrl, readFiles } from "~/api/files";
import { pref } from "~/app/prefs";
import type { ViewParams } from "./params";
import type { Places } from "./pins";

export interface GraphView {
  name: string;
  params: ViewParams;
  pins: Places;
  updated: string; // when it was saved: by this one knows whether it is still the same
  here?: boolean; // in this browser only
}

interface Doc {
  views: GraphView[];
}

const FILE = "graph-views.json";
const TRIES = 5;
export const NAME_MAX = 60;

const own = pref<GraphView[]>("graph.views", []);
/** null: not read yet. */
const shared = signal<readonly GraphView[] | null>(null);
export const viewsError = signal("");
/** Why the server does not take views; "" as long as it does. */
export const refused = signal("");

const byName = (a: GraphView, b: GraphView) => a.name.localeCompare(b.name);

export const views = computed<readonly GraphView[]>(() => {
  const there = shared.value ?? [];
  const here = own.value.filter((v) => !there.some((s) => s.name === v.name)).map((v) => ({ ...v, here: true }));
  return [...there, ...here].sort(byName);
});
export const viewNamed = (name: string): GraphView | undefined => views.value.find((v) => v.name === name);
export const viewsRead = computed(() => shared.value !== null || viewsError.value !== "");

/** The list as it stands, with the tag that a change has to name; none is there before the first view. */
async function read(): Promise<{ list: GraphView[]; tag: string }> {
  await readFiles();
  if (!files.peek()?.some((f) => f.name === FILE)) return { list: [], tag: "" };
  const reply = await request("GET", fileUrl(FILE));
  const doc = (await reply.json()) as Partial<Doc>;
  const list = (Array.isArray(doc.views) ? doc.views : []).filter((v) => typeof v?.name === "string");
  return {
    list: list.map((v) => ({ ...v, params: v.params ?? {}, pins: v.pins ?? {} })),
    tag: reply.headers.get("etag") ?? "",
  };
}

export async function readViews(): Promise<void> {
  try {
    shared.value = (await read()).list;
    viewsError.value = "";
  } catch (e) {
    viewsError.value = wordsOf(e);
  }
}

/** A change of what stands now; made again on the newest when somebody was faster. */
async function change(make: (list: readonly GraphView[]) => GraphView[]): Promise<void> {
  for (let i = 0; ; i++) {
    const { list, tag } = await read();
    const next = make(list).sort(byName);
    const headers: Record<string, string> = tag ? { "If-Match": tag } : { "If-None-Match": "*" };
    try {
      const text = JSON.stringify({ views: next }, null, 1) + "\n";
      await api.put(fileUrl(FILE), text, { type: "application/json", headers });
      shared.value = next;
      refused.value = "";
      return;
    } catch (e) {
      if (!(e instanceof ApiError && e.status === 412) || i >= TRIES) throw e;
    }
  }
}

const forbidden = (e: unknown) => e instanceof ApiError && [0, 401, 403, 405].includes(e.status);

function freeName(name: string, taken: readonly GraphView[]): string {
  for (let i = 2; ; i++) {
    const next = `${name} ${i}`;
    if (!taken.some((v) => v.name === next)) return next;
  }
}

export interface Kept {
  name: string; // another one when somebody else changed that view meanwhile
  met: boolean;
  here: boolean; // the server did not take it
}

/** When the views that this page shows or saved were saved: whose stamp is another one, somebody else has changed. */
const seen = new Map<string, string>();
export const seeView = (v: GraphView): void => void seen.set(v.name, v.updated);

export async function keepView(view: GraphView): Promise<Kept> {
  const out: Kept = { name: view.name, met: false, here: false };
  const now = { ...view, updated: new Date().toISOString() };
  delete now.here;
  try {
    await change((list) => {
      const there = list.find((v) => v.name === view.name);
      out.met = there !== undefined && there.updated !== seen.get(view.name);
      out.name = out.met ? freeName(view.name, list) : view.name;
      return [...list.filter((v) => v.name !== out.name), { ...now, name: out.name }];
    });
    own.value = own.peek().filter((v) => v.name !== view.name);
    seen.set(out.name, now.updated);
  } catch (e) {
    if (!forbidden(e)) throw e;
    refused.value = wordsOf(e);
    own.value = [...own.peek().filter((v) => v.name !== view.name), now];
    out.here = true;
  }
  return out;
}

export async function dropView(view: GraphView): Promise<void> {
  if (view.here) own.value = own.peek().filter((v) => v.name !== view.name);
  else await change((list) => list.filter((v) => v.name !== view.name));
}

/** Under another name; false when that one is taken. */
export async function renameView(view: GraphView, name: string): Promise<boolean> {
  if (viewNamed(name)) return false;
  if (view.here) {
    own.value = own.peek().map((v) => (v.name === view.name ? { ...v, name } : v));
    return true;
  }
  let free = true;
  await change((list) => {
    free = !list.some((v) => v.name === name);
    if (!free) return [...list];
    const there = list.find((v) => v.name === view.name) ?? view;
    seen.set(name, there.updated);
    return [...list.filter((v) => v.name !== view.name), { ...there, name }];
  });
  return free;
}
