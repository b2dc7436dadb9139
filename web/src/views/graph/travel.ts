// SPDX-License-Identifier: Apache-2.0
// Twins that go to new places do so in a moment, so that one can follow them; not for many, and not for whoever asked
// for less motion.
import type { Scene } from "./scene";

const MS = 200;
const MOST = 2000;

export interface Frame {
  x: Float64Array;
  y: Float64Array;
}

export const calmly = (now: number, before: number): boolean =>
  before > 0 && now <= MOST && before <= MOST && !matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Calls `stand` with places on the way from one scene to the next; returns how to stop where all have arrived. */
export function travel(before: Scene, now: Scene, stand: (f: Frame) => void): () => void {
  const from = { x: now.x.slice(), y: now.y.slice() };
  // The old picture may be of another size: its places as parts of its box.
  const part = (box: readonly [number, number], v: number) => (v - box[0]) / (box[1] - box[0] || 1);
  const within = (box: readonly [number, number], p: number) => box[0] + p * (box[1] - box[0]);
  const [a, b] = [before.places.box, now.places.box];
  now.list.forEach((e, i) => {
    const k = before.index.get(e.id);
    if (k === undefined) return;
    from.x[i] = within(b.x, part(a.x, before.x[k]!));
    from.y[i] = within(b.y, part(a.y, before.y[k]!));
  });
  const begun = performance.now();
  let frame = 0;
  const step = () => {
    const t = Math.min(1, (performance.now() - begun) / MS);
    const u = 1 - (1 - t) * (1 - t);
    stand({
      x: now.x.map((v, i) => from.x[i]! + (v - from.x[i]!) * u),
      y: now.y.map((v, i) => from.y[i]! + (v - from.y[i]!) * u),
    });
    frame = t < 1 ? requestAnimationFrame(step) : 0;
  };
  // Not at once: who is pinned goes to its place first.
  frame = requestAnimationFrame(step);
  return () => {
    if (!frame) return;
    cancelAnimationFrame(frame);
    stand(now);
  };
}
