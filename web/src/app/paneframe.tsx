// SPDX-License-Identifier: Apache-2.0
// A view and nothing around it: one of two panes of a comparison. What it shows it is told; what somebody does in it it
// tells. The page around it owns the history, the palette and the keys.
import { useEffect } from "preact/hooks";
import { effect } from "@preact/signals";
import { toasts } from "~/ui/toast";
import { Canvas } from "./frame";
import { applyCamera, cardsThere, hoverThere, onCamera, pane, shareCamera, shareHover, tellParent } from "./pane";
import type { ToPane } from "./pane";
import { density, theme } from "./prefs";
import { parseRoute, route, visit } from "./route";
import "../styles/pane.css";

/** Keys that mean something to the whole page. */
const OUTER = new Set(["/", "?", "Escape", " ", "g"]);
const typing = (t: EventTarget | null) =>
  t instanceof HTMLElement && (t.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(t.tagName));

function take(m: ToPane): void {
  if (m.hash !== undefined && m.hash !== location.hash) {
    history.replaceState(null, "", m.hash);
    route.value = parseRoute(m.hash);
  }
  if (m.theme) theme.value = m.theme;
  if (m.density) density.value = m.density;
  if (m.over !== undefined) document.documentElement.toggleAttribute("data-over", m.over);
  if (m.camera !== undefined) applyCamera(m.camera);
  if (m.hover !== undefined) hoverThere.value = m.hover;
  if (m.cards !== undefined) cardsThere.value = m.cards;
}

let second = false; // the key before was "g"

function key(e: KeyboardEvent): void {
  tellParent({ lead: true });
  const ctrl = e.ctrlKey || e.metaKey;
  if (typing(e.target) && !(ctrl && e.key === "k")) return;
  const pressed = e.target instanceof HTMLButtonElement && (e.key === " " || e.key === "Enter");
  const outer = ctrl ? e.key === "k" || e.key === "z" : second || (OUTER.has(e.key) && !pressed);
  second = !ctrl && e.key === "g" && !second;
  if (!outer || e.altKey) return;
  if (!ctrl && OUTER.has(e.key) && e.key === "Escape" && document.querySelector("dialog[open],.popover")) return;
  e.preventDefault();
  e.stopImmediatePropagation();
  tellParent({ key: { key: e.key, ctrl } });
}

/** Links stay in the pane and are told; others open elsewhere as ever. */
function click(e: MouseEvent): void {
  const a = (e.target as Element).closest<HTMLAnchorElement>("a[href^='#/']");
  if (!a || e.button || e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  visit(a.getAttribute("href")!);
}

/** Pages that scroll scroll together. */
function scroll(e: Event): void {
  const el = e.target as HTMLElement;
  if (el.classList?.contains("page")) shareCamera(`scroll ${Math.round(el.scrollTop)}`);
}

function scrollTo(text: string): void {
  const el = document.querySelector(".canvas > .view.page");
  if (el && text.startsWith("scroll ")) el.scrollTop = Number(text.slice(7));
}

function hover(e: Event): void {
  const el = (e.target as Element | null)?.closest?.("[data-twin]");
  shareHover(e.type === "pointerover" ? (el?.getAttribute("data-twin") ?? "") : "");
}

/** Marks of the document that the other pane's pointer is on. */
function echo(): () => void {
  return effect(() => {
    for (const el of document.querySelectorAll("[data-twin].there")) el.classList.remove("there");
    const id = hoverThere.value;
    if (id) document.querySelector(`[data-twin="${CSS.escape(id)}"]`)?.classList.add("there");
  });
}

function start(): () => void {
  const lead = () => tellParent({ lead: true });
  const receive = (e: MessageEvent) => {
    if (e.origin !== location.origin || e.source !== window.parent) return;
    if ((e.data as ToPane | undefined)?.sosia === "to-pane") take(e.data as ToPane);
  };
  const on: [string, (e: never) => void, AddEventListenerOptions?][] = [
    ["keydown", key, { capture: true }],
    ["click", click],
    ["scroll", scroll, { capture: true }],
    ["pointerover", hover],
    ["pointerleave", hover],
    ["pointerdown", lead, { capture: true }],
    ["wheel", lead, { capture: true, passive: true }],
  ];
  for (const [type, f, o] of on) document.addEventListener(type, f as EventListener, o);
  window.addEventListener("message", receive);
  const off = [onCamera(scrollTo), echo(), told()];
  tellParent({ ready: true });
  return () => {
    for (const [type, f, o] of on) document.removeEventListener(type, f as EventListener, o);
    window.removeEventListener("message", receive);
    off.forEach((f) => f());
  };
}

/** Messages show once, in the page around. */
function told(): () => void {
  let seen = 0;
  return effect(() => {
    for (const t of toasts.value) {
      if (t.id <= seen) continue;
      seen = t.id;
      tellParent({ told: { text: t.text, bad: t.bad } });
    }
  });
}

export function PaneFrame() {
  useEffect(start, []);
  useEffect(() => {
    document.documentElement.dataset.pane = pane;
  }, []);
  return (
    <div class="frame pane">
      <Canvas />
    </div>
  );
}
