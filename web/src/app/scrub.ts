// SPDX-License-Identifier: Apache-2.0
// Going through time: showing an instant, not more often than it can be read, and playing at any speed.
import { effect, signal } from "@preact/signals";
import { reading } from "~/api/catalogue";
import * as format from "~/format";
import { pref } from "./prefs";
import { isNow, type Range } from "./range";
import { isStill, offerRun } from "./forward";
import { go, route } from "./route";

export const SPEEDS: readonly number[] = [1, 10, 60, 600, 3600];
const FRAME_MS = 250; // between two instants: a past world is a reading of the store
const PATIENCE_MS = 1500; // for a world that is still being read

export const playing = signal(false);
export const speed = pref("timeline.speed", 60);
/** Where the handle is while it is dragged: the world follows as fast as it can be read. */
export const dragged = signal<number | null>(null);

let last = 0;
let pending = 0;

const textOf = (t: number) => format.instant(Math.round(t / 1000) * 1000);

/** Show the world as it was at an instant; at its now (for a hand: near it), the world as it is. */
export function show(t: number, r: Range, force = false, exactly = false): void {
  clearTimeout(pending);
  const past = performance.now() - last;
  const wait = reading.peek() && past < PATIENCE_MS ? FRAME_MS / 2 : FRAME_MS - past;
  if (wait > 0 && !force) {
    pending = window.setTimeout(() => show(t, r), wait);
    return;
  }
  last = performance.now();
  const begin = r.begin === null ? -Infinity : r.begin + 1000;
  if (exactly ? t >= r.now - 500 : isNow(r, t)) go({ at: "", replace: true });
  else go({ at: textOf(Math.max(t, begin)), replace: true });
}

/** First the handle, then the world: a hand sees at once that it moved something. */
const afterPaint = (run: () => void) => void requestAnimationFrame(() => setTimeout(run));

export function drag(t: number, r: Range): void {
  dragged.value = t;
  afterPaint(() => dragged.peek() === t && show(t, r));
}

/** The end of a drag: whatever was on the way is shown now. */
export function settle(t: number, r: Range): void {
  afterPaint(() => {
    dragged.value = null;
    show(t, r, true);
  });
}

let range: Range | undefined;
/** The timeline tells what it shows; playing needs it. */
export const tellRange = (r: Range): void => void (range = r);

effect(() => {
  if (!playing.value) return;
  let shown = performance.now();
  const frame = Math.max(FRAME_MS, 1000 / speed.value);
  const timer = setInterval(() => {
    const { at } = route.peek();
    if (!at || !range) {
      playing.value = false;
      return;
    }
    if (reading.peek() && performance.now() - shown < PATIENCE_MS) return;
    const ms = performance.now() - shown;
    shown = performance.now();
    show(Date.parse(at) + Math.max(1000, ms * speed.peek()), range, true, true);
  }, frame);
  return () => clearInterval(timer);
});

export function toggle(r: Range): void {
  const { at } = route.peek();
  // A fork that nobody ran has nothing to play: it is run first.
  if (!playing.peek() && !at && isStill()) return offerRun();
  // The past before a fork is its parent's: who wants it drags there.
  const start = Math.max(r.from + (r.end - r.from) * 0.02, (r.fork ?? -Infinity) + 1000);
  if (!playing.peek() && !at) show(start, r, true, true);
  playing.value = !playing.peek();
}
