// SPDX-License-Identifier: Apache-2.0
// Moving a flat picture: wheel, drag, two fingers, keys. Coordinates are of the picture (metres); k is pixels a metre.
import { useEffect, useRef, useState } from "preact/hooks";

export interface View2d {
  x: number; // of the picture, in the middle of the window
  y: number;
  k: number;
}

export interface Size {
  w: number;
  h: number;
}

export const screenOf = (v: View2d, s: Size, x: number, y: number) => ({
  x: (x - v.x) * v.k + s.w / 2,
  y: (y - v.y) * v.k + s.h / 2,
});
export const pictureOf = (v: View2d, s: Size, x: number, y: number) => ({
  x: (x - s.w / 2) / v.k + v.x,
  y: (y - s.h / 2) / v.k + v.y,
});

/** The whole picture in the window, below the tools. */
export function fitted(width: number, height: number, s: Size): View2d {
  const top = 52;
  const k = Math.max(0.01, Math.min((s.w - 24) / width, (s.h - top - 16) / height));
  return { x: width / 2, y: height / 2 - (top - 8) / 2 / k, k };
}

export function zoomed(v: View2d, s: Size, factor: number, at = { x: s.w / 2, y: s.h / 2 }, most = 200): View2d {
  const k = Math.min(most, Math.max(0.05, v.k * factor));
  const p = pictureOf(v, s, at.x, at.y);
  return { k, x: p.x - (at.x - s.w / 2) / k, y: p.y - (at.y - s.h / 2) / k };
}

export function useSize(box: { current: HTMLElement | null }): Size {
  const [size, set] = useState<Size>({ w: 0, h: 0 });
  useEffect(() => {
    const el = box.current!;
    const read = () => set({ w: el.clientWidth, h: el.clientHeight });
    const watch = new ResizeObserver(read);
    watch.observe(el);
    read();
    return () => watch.disconnect();
  }, []);
  return size;
}

const DRAG = 4; // pixels from which on a press is no click

/** Pointers and wheel move the view. `grab` may take a press for itself (dragging a mark). */
export function usePan(
  box: { current: HTMLElement | null },
  size: Size,
  view: View2d,
  set: (v: View2d) => void,
): { dragged: () => boolean } {
  const now = useRef({ view, size, set });
  now.current = { view, size, set };
  const moved = useRef(false);
  useEffect(() => {
    const el = box.current!;
    const at = new globalThis.Map<number, { x: number; y: number }>();
    let far = 0;
    const place = (e: { clientX: number; clientY: number }) => {
      const r = el.getBoundingClientRect();
      return { x: e.clientX - r.left, y: e.clientY - r.top };
    };
    const wheel = (e: WheelEvent) => {
      e.preventDefault();
      const { view: v, size: s } = now.current;
      now.current.set(zoomed(v, s, Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0016)), place(e)));
    };
    const down = (e: PointerEvent) => {
      if ((e.target as Element).closest("[data-grab]")) return;
      at.set(e.pointerId, place(e));
      far = 0;
      moved.current = false;
    };
    const move = (e: PointerEvent) => {
      const before = at.get(e.pointerId);
      if (!before) return;
      const p = place(e);
      const { view: v, size: s } = now.current;
      far += Math.abs(p.x - before.x) + Math.abs(p.y - before.y);
      if (far > DRAG && !moved.current) {
        moved.current = true;
        el.setPointerCapture(e.pointerId);
      }
      if (at.size === 2) {
        const other = [...at].find(([id]) => id !== e.pointerId)![1];
        const was = Math.hypot(before.x - other.x, before.y - other.y);
        const is = Math.hypot(p.x - other.x, p.y - other.y);
        now.current.set(zoomed(v, s, is / Math.max(1, was), { x: (p.x + other.x) / 2, y: (p.y + other.y) / 2 }));
      } else if (moved.current)
        now.current.set({ ...v, x: v.x - (p.x - before.x) / v.k, y: v.y - (p.y - before.y) / v.k });
      at.set(e.pointerId, p);
    };
    const up = (e: PointerEvent) => at.delete(e.pointerId);
    el.addEventListener("wheel", wheel, { passive: false });
    el.addEventListener("pointerdown", down);
    el.addEventListener("pointermove", move);
    el.addEventListener("pointerup", up);
    el.addEventListener("pointercancel", up);
    return () => {
      el.removeEventListener("wheel", wheel);
      el.removeEventListener("pointerdown", down);
      el.removeEventListener("pointermove", move);
      el.removeEventListener("pointerup", up);
      el.removeEventListener("pointercancel", up);
    };
  }, []);
  return { dragged: () => moved.current };
}
