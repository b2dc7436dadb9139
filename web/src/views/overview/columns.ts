// SPDX-License-Identifier: Apache-2.0
// Tiles in rows of the same length: none stands alone in a row that has room for more.
import { useEffect, useLayoutEffect, useState } from "preact/hooks";

const GAP = 12;
const WIDE = 1700; // of the window: tiles are larger there
const LEAST = { usual: 230, wide: 280 };
const PHONE = 640;

/** What the room of the view follows from, known without a layout: asked in a click, that would delay the paint. */
export const frameNow = (): string => `${innerWidth} ${document.querySelector(".inspector") ? "inspector" : ""}`;

const rooms = new Map<string, number>(); // pixels, by frame

/** As many columns as the rows that are needed take, of a width that holds `room` pixels. */
export function columnsOf(count: number, room: number, least: number): number {
  const most = Math.max(1, Math.floor((room + GAP) / (least + GAP)));
  const rows = Math.max(1, Math.ceil(count / most));
  return Math.max(1, Math.ceil(count / rows));
}

/** The style of a box of tiles; on a phone, where two stand beside each other, its own rules hold. */
export function useColumns(box: { current: HTMLElement | null }, count: number): Record<string, string> {
  const [room, set] = useState(0);
  const here = box.current;
  // Before it is painted for the first time: else tiles would stand in as many columns as the style sheet guesses.
  useLayoutEffect(() => set(box.current ? (rooms.get(frameNow()) ?? box.current.clientWidth) : 0), [here, count]);
  useEffect(() => {
    if (!box.current) return;
    const seen = new ResizeObserver(([e]) => {
      rooms.set(frameNow(), e!.contentRect.width);
      set(e!.contentRect.width);
    });
    seen.observe(box.current);
    return () => seen.disconnect();
  }, [here, count]);
  if (!room || innerWidth <= PHONE) return {};
  const n = columnsOf(count, room, innerWidth >= WIDE ? LEAST.wide : LEAST.usual);
  return { gridTemplateColumns: `repeat(${n}, minmax(0, 1fr))` };
}
