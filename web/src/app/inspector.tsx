// SPDX-License-Identifier: Apache-2.0
// What is selected, whatever view shows it: a twin with its values, links and commands. On a phone it is a sheet at the
// bottom that is dragged by its handle: a glance, half, all of it, or away.
import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import { TwinPanel } from "~/views/twin/panel";
import { words } from "~/words/en";
import { pref } from "./prefs";
import { select, selected } from "./route";

export const inspectorOpen = pref("inspector", true);

export type PanelOf = ComponentType<{ id: string; close: () => void }>;
/** A view may show the selected twin in its own way, as long as it is there. */
export const ownPanel = signal<{ of: PanelOf } | null>(null);

const narrow = matchMedia("(max-width: 640px)");
const isNarrow = signal(narrow.matches);
narrow.addEventListener("change", () => (isNarrow.value = narrow.matches));

const GLANCE = 144; // pixels: name, model and tabs, until it is known how high they are
const GLANCE_MOST = 150; // pixels: what has more above its tabs shows its name alone
const STOPS = [0, 0.5, 1] as const; // the glance, or part of the canvas
const AWAY = 70; // pulled below this it closes
const sheet = signal<0 | 1 | 2>(0);

/** Down to the end of the tabs, or of the head: nothing is cut through. */
function glanceOf(box: HTMLElement): number {
  const end = (selector: string) => {
    const e = box.querySelector(selector);
    return e ? Math.ceil(e.getBoundingClientRect().bottom - box.getBoundingClientRect().top) : Infinity;
  };
  return [end("[role=tablist]"), end(".panel-head")].find((h) => h <= GLANCE_MOST) ?? GLANCE;
}

const heightOf = (stop: number, whole: number, glance: number) => (stop ? STOPS[stop]! * whole : glance);

/** As high as the glance is now: what is selected comes later, and its name may wrap. */
function useGlance(box: { current: HTMLElement | null }): number {
  const [glance, set] = useState(GLANCE);
  useEffect(() => {
    const look = () => set(glanceOf(box.current!));
    const seen = new MutationObserver(look);
    seen.observe(box.current!, { childList: true, subtree: true });
    look();
    return () => seen.disconnect();
  }, []);
  return glance;
}

function Handle({ box }: { box: { current: HTMLElement | null } }) {
  const drag = useRef<{ y: number; h: number } | null>(null);
  const [height, set] = useState<number | null>(null);
  const glance = useGlance(box);
  const whole = () => (document.getElementById("canvas")?.clientHeight ?? innerHeight) - 8;
  useEffect(() => {
    box.current!.style.height = `${height ?? heightOf(sheet.value, whole(), glance)}px`;
  }, [height, sheet.value, glance]);
  const end = () => {
    const h = height;
    drag.current = null;
    set(null);
    if (h === null) return;
    if (h < AWAY) {
      select("");
      return;
    }
    const far = STOPS.map((_, i) => Math.abs(heightOf(i, whole(), glance) - h));
    sheet.value = far.indexOf(Math.min(...far)) as 0 | 1 | 2;
  };
  const step = (by: number) => {
    if (sheet.value + by < 0) select("");
    else sheet.value = Math.min(2, sheet.value + by) as 0 | 1 | 2;
  };
  return (
    <button
      type="button"
      class="sheet-handle"
      aria-label={words.inspector.resize}
      aria-expanded={sheet.value > 0}
      onPointerDown={(e) => {
        e.currentTarget.setPointerCapture(e.pointerId);
        drag.current = { y: e.clientY, h: box.current!.offsetHeight };
      }}
      onPointerMove={(e) => {
        const d = drag.current;
        if (d && (height !== null || Math.abs(e.clientY - d.y) > 4))
          set(Math.max(40, Math.min(whole(), d.h + d.y - e.clientY)));
      }}
      onPointerUp={end}
      onPointerCancel={end}
      onClick={(e) => {
        // A tap: up, and from the top back to a glance. What ended a drag is none.
        if (e.detail === 0 || height === null) sheet.value = ((sheet.value + 1) % 3) as 0 | 1 | 2;
      }}
      onKeyDown={(e) => {
        if (e.key !== "ArrowUp" && e.key !== "ArrowDown") return;
        e.preventDefault();
        step(e.key === "ArrowUp" ? 1 : -1);
      }}
    />
  );
}

export function Inspector() {
  const id = selected.value;
  const Panel = ownPanel.value?.of ?? TwinPanel;
  const box = useRef<HTMLElement>(null);
  const small = isNarrow.value;
  useEffect(() => {
    if (!small && box.current) box.current.style.height = "";
  }, [small]);
  return (
    <aside class="inspector" ref={box} aria-label={words.inspector.title}>
      {small && <Handle box={box} />}
      <Panel key={id} id={id} close={() => select("")} />
    </aside>
  );
}
