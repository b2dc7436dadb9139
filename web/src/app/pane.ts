// SPDX-License-Identifier: Apache-2.0
// A page may be one of two panes in a page that compares worlds: then it has no frame of its own, its address is told
// to the page around it, and camera and pointer are those of the other pane too. What is here costs nothing elsewhere.
import { signal } from "@preact/signals";

export type Side = "a" | "b";

export interface ToPane {
  sosia: "to-pane";
  hash?: string; // what to show
  theme?: "system" | "light" | "dark";
  density?: "comfortable" | "compact";
  camera?: string; // where the other pane looks
  hover?: string; // the twin under its pointer
  cards?: string; // what stands in the other pane, where that is told
  over?: boolean; // one pane lies over the other: what is drawn at the same place in both is one thing
}

export interface FromPane {
  sosia: "from-pane";
  side: Side;
  ready?: boolean;
  hash?: string; // somebody went somewhere here
  push?: boolean; // a step that Back takes back
  elsewhere?: boolean; // to another world or instant
  lead?: boolean; // the hand is here
  camera?: string;
  hover?: string;
  cards?: string;
  key?: { key: string; ctrl: boolean }; // for the page around
  told?: { text: string; bad: boolean };
}

const asked = new URLSearchParams(location.search).get("pane");
/** Which pane this page is; "" for a page by itself. */
export const pane: Side | "" = window.parent !== window && (asked === "a" || asked === "b") ? asked : "";

export function tellParent(m: Omit<FromPane, "sosia" | "side">): void {
  if (pane) window.parent.postMessage({ sosia: "from-pane", side: pane, ...m } satisfies FromPane, location.origin);
}

let applying = false; // what moves now moves because the other pane did
let newest = "";
const cameras = new Set<(text: string) => void>();

/** The camera of this view moved; a text that the same view understands. */
export function shareCamera(text: string): void {
  if (pane && !applying && text !== newest) tellParent({ camera: (newest = text) });
}

/** Be told where the other pane looks. */
export function onCamera(take: (text: string) => void): () => void {
  cameras.add(take);
  return () => cameras.delete(take);
}

export function applyCamera(text: string): void {
  newest = text;
  applying = true;
  for (const take of cameras) take(text);
  applying = false;
}

/** The twin under the pointer of the other pane. */
export const hoverThere = signal("");
let hovered = "";

export function shareHover(id: string): void {
  if (!pane || id === hovered) return;
  hovered = id;
  tellParent({ hover: id });
}

/** Which cards the other pane has, as that view tells it. */
export const cardsThere = signal("");

export function shareCards(text: string): void {
  tellParent({ cards: text });
}
