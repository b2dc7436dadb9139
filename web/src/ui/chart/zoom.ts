// SPDX-License-Identifier: Apache-2.0
// Into the time: Ctrl and the wheel (as browsers tell a pinch of a touchpad, too) around the pointer, two fingers on a
// screen, + and - on the keyboard. The plain wheel scrolls the page.
import type uPlot from "uplot";

export type SetRange = (from: number, to: number) => void;
const SHORTEST = 1; // second

function around(u: uPlot, at: number, k: number, set: SetRange): void {
  const { min, max } = u.scales.x!;
  if (min == null || max == null) return;
  const from = at - (at - min) * k;
  const to = at + (max - at) * k;
  if (to - from >= SHORTEST) set(from, to);
}

export function zoomPlugin(set: SetRange, back: () => void): uPlot.Plugin {
  return {
    hooks: {
      ready: (u) => {
        u.over.addEventListener(
          "wheel",
          (e) => {
            if (!e.ctrlKey && !e.metaKey) return;
            e.preventDefault();
            const k = Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 250);
            around(u, u.posToVal(e.offsetX, "x"), k, set);
          },
          { passive: false },
        );
        u.over.addEventListener("dblclick", back);
        fingers(u, set);
      },
    },
  };
}

/** Two fingers spread or move; one alone scrolls the page and reads values. */
function fingers(u: uPlot, set: SetRange): void {
  let begin: { a: number; b: number } | null = null;
  const places = (e: TouchEvent) => {
    const left = u.over.getBoundingClientRect().left;
    return [...e.touches].map((t) => t.clientX - left).sort((a, b) => a - b) as [number, number];
  };
  u.over.addEventListener(
    "touchstart",
    (e) => {
      if (e.touches.length !== 2) {
        begin = null;
        if (e.touches.length === 1) read(e);
        return;
      }
      e.preventDefault();
      const [a, b] = places(e);
      begin = { a: u.posToVal(a, "x"), b: u.posToVal(b, "x") };
    },
    { passive: false },
  );
  const read = (e: TouchEvent) => {
    const box = u.over.getBoundingClientRect();
    u.setCursor({ left: e.touches[0]!.clientX - box.left, top: e.touches[0]!.clientY - box.top });
  };
  u.over.addEventListener(
    "touchmove",
    (e) => {
      if (e.touches.length === 1) return read(e);
      if (!begin || e.touches.length !== 2) return;
      e.preventDefault();
      const [a, b] = places(e);
      if (b - a < 10) return;
      // The instants under the two fingers stay under them.
      const perPixel = (begin.b - begin.a) / (b - a);
      const from = begin.a - a * perPixel;
      const to = from + u.over.clientWidth * perPixel;
      if (to - from >= SHORTEST) set(from, to);
    },
    { passive: false },
  );
}

/** Keys on a chart that has the focus; true: it was one of them. */
export function keyOn(u: uPlot, e: KeyboardEvent, set: SetRange, back: () => void): boolean {
  const { min, max } = u.scales.x!;
  if (min == null || max == null || e.ctrlKey || e.metaKey || e.altKey) return false;
  const at = u.cursor.left != null && u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : (min + max) / 2;
  const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[e.key];
  if (step && e.shiftKey) set(min + ((max - min) * step) / 10, max + ((max - min) * step) / 10);
  else if (step) moveCursor(u, step);
  else if (e.key === "Home") moveCursor(u, -Infinity);
  else if (e.key === "End") moveCursor(u, Infinity);
  else if (e.key === "+" || e.key === "=") around(u, at, 0.7, set);
  else if (e.key === "-") around(u, at, 1 / 0.7, set);
  else if (e.key === "0") back();
  else return false;
  return true;
}

/** From value to value; what is out of sight is not gone to. */
function moveCursor(u: uPlot, by: number): void {
  const time = u.data[0];
  const first = u.valToIdx(u.scales.x!.min!);
  const last = u.valToIdx(u.scales.x!.max!);
  const now = u.cursor.idx ?? (by > 0 ? first - 1 : last + 1);
  const to = Math.max(first, Math.min(last, by === -Infinity ? first : by === Infinity ? last : now + by));
  const t = time[to];
  if (t === undefined) return;
  u.setCursor({ left: u.valToPos(t, "x"), top: u.over.clientHeight / 2 });
}
