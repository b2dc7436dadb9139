// SPDX-License-Identifier: Apache-2.0
// Keys that work everywhere but where one types. "g o": one after the other, within a second.
import { signal } from "@preact/signals";
import { redo, undo } from "~/ui/toast";
import { views } from "~/views";
import { words } from "~/words/en";
import { paletteOpen } from "./palette";
import { go, select, selected } from "./route";

export const helpOpen = signal(false);
export interface Shortcut {
  keys: string; // "Ctrl+k", "?", "g o", " "
  title: string;
  run: () => void;
  when?: () => boolean; // else the key is somebody else's
}

const WAIT_MS = 1000;
const own = new Set<Shortcut>();

/** Keys of a view or a panel; the function returned takes them away. */
export function addShortcuts(list: readonly Shortcut[]): () => void {
  for (const s of list) own.add(s);
  return () => list.forEach((s) => own.delete(s));
}

const general: readonly Shortcut[] = [
  { keys: "Ctrl+k", title: words.search, run: () => (paletteOpen.value = !paletteOpen.value) },
  { keys: "/", title: words.search, run: () => (paletteOpen.value = true) },
  { keys: "?", title: words.shortcuts, run: () => (helpOpen.value = !helpOpen.value) },
  { keys: "Ctrl+z", title: words.undo, run: () => void undo() },
  { keys: "Ctrl+y", title: words.undoing.redo, run: () => void redo() },
  { keys: "Escape", title: words.inspector.close, run: () => selected.peek() && select("") },
];

export const shortcuts = (): Shortcut[] => [
  ...general,
  ...views.filter((v) => v.key).map((v) => ({ keys: `g ${v.key}`, title: v.title, run: () => go({ view: v.id }) })),
  ...own,
];

const typing = (t: EventTarget | null): boolean =>
  t instanceof HTMLElement && (t.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(t.tagName));

let first = "";
let firstAt = 0;

function onKey(e: KeyboardEvent): void {
  if (e.defaultPrevented || e.altKey) return;
  const mod = e.ctrlKey || e.metaKey;
  const plain = (mod ? "Ctrl+" : "") + (e.key.length === 1 ? (mod ? e.key.toLowerCase() : e.key) : e.key);
  const one = plain === "Ctrl+z" && e.shiftKey ? "Ctrl+y" : plain; // both are "redo" to somebody
  if (typing(e.target) && one !== "Ctrl+k") return;
  if (document.querySelector("dialog[open], .popover") && !mod) return;
  if (e.target instanceof HTMLButtonElement && (e.key === " " || e.key === "Enter")) return;
  const two = performance.now() - firstAt < WAIT_MS && first ? `${first} ${one}` : "";
  const list = shortcuts()
    .reverse()
    .filter((s) => s.when?.() ?? true);
  const hit = (two && list.find((s) => s.keys === two)) || list.find((s) => s.keys === one);
  first = hit ? "" : one;
  firstAt = performance.now();
  if (!hit) return;
  e.preventDefault();
  hit.run();
}

export function startShortcuts(): void {
  document.addEventListener("keydown", onKey);
}
