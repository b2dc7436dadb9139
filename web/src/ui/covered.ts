// SPDX-License-Identifier: Apache-2.0
// What lies over a picture: no name is to stand below it.
import { useLayoutEffect, useState } from "preact/hooks";
import type { Box } from "./labels";

const OVER = [
  ".stage-tools > *, .stage-legend, .stage-scale, .stage-zoom, .plan-editor", // maps, plans, scenes
  ".float.top > *, .float.bottom-left > *, .float.bottom-right", // the graph
].join();

/** Of the view in which an element is, in its pixels. */
export function coveredOf(el: Element): Box[] {
  const at = el.getBoundingClientRect();
  return [...(el.closest(".view")?.querySelectorAll(OVER) ?? [])].flatMap((e) => {
    const b = e.getBoundingClientRect();
    const all = !b.width || (b.width >= at.width && b.height >= at.height);
    return all ? [] : [{ x: b.left - at.left, y: b.top - at.top, w: b.width, h: b.height }];
  });
}

const NONE: Box[] = [];

/** The same, looked at whenever something was drawn. */
export function useCovered(box: { current: Element | null }): Box[] {
  const [state, set] = useState({ key: "", list: NONE });
  useLayoutEffect(() => {
    const list = box.current ? coveredOf(box.current) : NONE;
    const key = list.map((b) => [b.x, b.y, b.w, b.h].map(Math.round).join()).join(" ");
    if (key !== state.key) set({ key, list });
  });
  return state.list;
}
