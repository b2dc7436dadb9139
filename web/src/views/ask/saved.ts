// SPDX-License-Identifier: Apache-2.0
// Questions that somebody keeps, in this browser or on the server for everybody, and those asked last.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api } from "~/api/client";
import { changeDoc, fileUrl, useFiles } from "~/api/files";
import { pref } from "~/app/prefs";
import { tellError } from "~/ui/toast";

export interface Saved {
  name: string;
  query: string;
}

const RECENT = 12;

export const saved = pref<Saved[]>("ask.saved", []);
export const recent = pref<string[]>("ask.recent", []);

/** Those that the server keeps for everybody; null while they are not read. */
export const shared = signal<readonly Saved[] | null>(null);
const FILE = "questions.json";

interface Kept {
  questions: Saved[];
}

const sound = (d: Kept | undefined): Saved[] =>
  (Array.isArray(d?.questions) ? d.questions : []).filter(
    (q) => typeof q?.name === "string" && typeof q.query === "string",
  );
const named = (list: readonly Saved[]): Saved[] => [...list].sort((a, b) => a.name.localeCompare(b.name));

/** Read when they are shown, and again when somebody changed them. */
export function useShared(): readonly Saved[] | null {
  const list = useFiles();
  const stamp = list?.find((f) => f.name === FILE)?.updated;
  useEffect(() => {
    if (!list) return;
    if (stamp === undefined) return void (shared.value = []);
    const abort = new AbortController();
    api.get<Kept>(fileUrl(FILE), { signal: abort.signal }).then(
      (d) => (shared.value = named(sound(d))),
      (e: unknown) => !abort.signal.aborted && tellError(e),
    );
    return () => abort.abort();
  }, [list === null, stamp]);
  return shared.value;
}

/** Onto what stands: others may save at the same time. `query` undefined takes it away. What it was before. */
export async function share(name: string, query: string | undefined): Promise<string | undefined> {
  let before: string | undefined;
  const next = await changeDoc<Kept>(FILE, (d) => {
    const list = sound(d);
    before = list.find((q) => q.name === name)?.query;
    const others = list.filter((q) => q.name !== name);
    return { questions: named(query === undefined ? others : [...others, { name, query }]) };
  });
  shared.value = next.questions;
  return before;
}

export function remember(query: string): void {
  recent.value = [query, ...recent.peek().filter((q) => q !== query)].slice(0, RECENT);
}

export function keep(name: string, query: string): void {
  saved.value = [...saved.peek().filter((s) => s.name !== name), { name, query }].sort((a, b) =>
    a.name.localeCompare(b.name),
  );
}

export function forget(name: string): void {
  saved.value = saved.peek().filter((s) => s.name !== name);
}
