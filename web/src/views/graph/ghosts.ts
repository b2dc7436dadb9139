// SPDX-License-Identifier: Apache-2.0
// Twins that only the other one of two worlds has: outlines at their places, and of groups of nothing else; and links
// that only it has.
import { inSight, px, py, type View } from "./camera";
import { curveOf, toldByDiscs } from "./curves";
import type { DotLook } from "./dots";
import type { Scene } from "./scene";

const DRAWN_MOST = 3000; // in a frame: more of them would be one grey
const DASH = [4, 3];

function outline(ctx: CanvasRenderingContext2D, x: number, y: number, r: number): void {
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.stroke();
}

/** Links, where the discs do not tell them. */
function drawLinks(ctx: CanvasRenderingContext2D, scene: Scene, v: View): void {
  const { from, to } = scene.places.ghosts!;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let i = 0; i < from.length && i < DRAWN_MOST; i++) {
    const [a, b] = [from[i]!, to[i]!];
    if (scene.hidden?.[a] || scene.hidden?.[b] || toldByDiscs(scene.groups, a, b)) continue;
    if (!scene.uncovered(a, v) && !scene.uncovered(b, v)) continue;
    const c = curveOf(scene.groups, scene.x, scene.y, a, b).map((n, k) => (k % 2 ? py(v, n) : px(v, n)));
    ctx.moveTo(c[0]!, c[1]!);
    ctx.bezierCurveTo(c[2]!, c[3]!, c[4]!, c[5]!, c[6]!, c[7]!);
  }
  ctx.stroke();
}

/** How many twins were drawn. */
export function drawGhosts(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  v: View,
  dots: DotLook,
  colour: string,
): number {
  const links = scene.places.ghosts?.from.length ?? 0;
  if (scene.own === scene.list.length && !links) return 0;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.setLineDash(DASH);
  if (links) drawLinks(ctx, scene, v);
  ctx.lineWidth = 1.5;
  const groups = new Set<number>();
  let drawn = 0;
  for (let i = scene.own; i < scene.list.length && drawn < DRAWN_MOST; i++) {
    if (scene.hidden?.[i]) continue;
    if (!scene.uncovered(i, v)) {
      const g = scene.emptyGroup(i, v);
      if (g >= 0) groups.add(g);
    } else if (inSight(v, scene.x[i]!, scene.y[i]!, scene.radius[i]!)) {
      drawn++;
      outline(ctx, px(v, scene.x[i]!), py(v, scene.y[i]!), Math.max(2.5, scene.px(i, v, dots) - 0.75));
    }
  }
  for (const k of groups) {
    const g = scene.groups.list[k]!;
    if (inSight(v, g.x, g.y, g.r)) drawn++, outline(ctx, px(v, g.x), py(v, g.y), Math.max(3, g.r * v.s * 0.97));
  }
  ctx.restore();
  return drawn;
}
