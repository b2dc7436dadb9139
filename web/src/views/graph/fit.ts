// SPDX-License-Identifier: Apache-2.0
// The camera of the graph: some twins brought into sight, or left where they are when they are seen already.
import type { Stage } from "./stage";

const EDGE = 36; // pixels at the border that do not count as in sight
const ROOM = 1.35;

const still = matchMedia("(prefers-reduced-motion: reduce)");
export const calm = () => (still.matches ? 0 : 300);

/** How far the bars reach down over the picture, in pixels. */
function covered(stage: Stage): number {
  const box = stage.sigma.getContainer();
  const bars = box.parentElement?.querySelector(".float.top")?.lastElementChild;
  if (!bars) return EDGE;
  const down = bars.getBoundingClientRect().bottom - box.getBoundingClientRect().top;
  return Math.min(down, box.clientHeight / 2);
}

export function inSight(stage: Stage, id: string): boolean {
  const p = stage.at(id);
  if (!p) return false;
  const { width, height } = stage.sigma.getDimensions();
  return p.x > EDGE && p.x < width - EDGE && p.y > covered(stage) && p.y < height - EDGE;
}

/** Brings all of some twins into sight. */
export function fit(stage: Stage, ids: Iterable<string>): void {
  const { sigma } = stage;
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const id of ids) {
    const at = sigma.getNodeDisplayData(id);
    if (!at) continue;
    left = Math.min(left, at.x);
    right = Math.max(right, at.x);
    low = Math.min(low, at.y);
    high = Math.max(high, at.y);
  }
  if (left > right) return;
  const { width, height } = sigma.getDimensions();
  const top = covered(stage);
  const unit = unitOf(stage);
  const span = Math.max((right - left) / width, (high - low) / (height - top)) * ROOM; // a pixel's, afterwards
  const ratio = Math.max(sigma.getCamera().minRatio ?? 0, Math.min(1.2, span / unit));
  const to = { x: (left + right) / 2, y: (low + high) / 2 + (top / 2) * unit * ratio, ratio };
  void sigma.getCamera().animate(to, { duration: calm() });
}

/** How much of the picture a pixel is when the camera's ratio is 1. */
function unitOf({ sigma }: Stage): number {
  const a = sigma.viewportToFramedGraph({ x: 0, y: 0 });
  const b = sigma.viewportToFramedGraph({ x: 1, y: 0 });
  return Math.hypot(b.x - a.x, b.y - a.y) / sigma.getCamera().ratio;
}

/** Moves so that a twin is in the middle, as near as one is, or as it needs to be seen. */
export const show = (stage: Stage, id: string): void => stage.bring(id);
