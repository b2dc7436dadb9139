// SPDX-License-Identifier: Apache-2.0
// Arrow keys walk along links: to the linked twin that lies most in that direction of the screen.
import { entries } from "~/api/catalogue";
import { net } from "./adjacency";
import type { Stage } from "./stage";

export type Direction = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";
export const DIRECTIONS: readonly Direction[] = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

const AXIS: Record<Direction, [x: number, y: number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

interface At {
  x: number;
  y: number;
}

function placeOf(stage: Stage, id: string): At | null {
  const at = stage.sigma.getNodeDisplayData(id);
  return at && !at.hidden ? stage.sigma.framedGraphToViewport(at) : null;
}

/** The linked twin in that direction: near and straight ahead before far and aside; null when none lies there. */
export function neighbour(stage: Stage, id: string, d: Direction): string | null {
  const { adjacency, indexOf } = net();
  const from = placeOf(stage, id);
  const i = indexOf.get(id);
  if (!from || i === undefined) return null;
  const list = entries.peek();
  const [ax, ay] = AXIS[d];
  let best: string | null = null;
  let least = Infinity;
  adjacency.around(i, (_, other) => {
    const to = other === i ? null : placeOf(stage, list[other]!.id);
    if (!to) return;
    const ahead = (to.x - from.x) * ax + (to.y - from.y) * ay;
    const aside = Math.abs((to.x - from.x) * ay) + Math.abs((to.y - from.y) * ax);
    if (ahead <= 0 || aside > 2 * ahead) return;
    const cost = ahead + 2 * aside;
    if (cost < least) [least, best] = [cost, list[other]!.id];
  });
  return best;
}

/** Where a walk begins: the shown twin nearest to the middle of what one sees. */
export function middle(stage: Stage): string | null {
  const { width, height } = stage.sigma.getDimensions();
  let best: string | null = null;
  let least = Infinity;
  for (const e of entries.peek()) {
    const p = placeOf(stage, e.id);
    if (!p) continue;
    const far = (p.x - width / 2) ** 2 + (p.y - height / 2) ** 2;
    if (far < least) [least, best] = [far, e.id];
  }
  return best;
}
