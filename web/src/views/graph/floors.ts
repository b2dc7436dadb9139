// SPDX-License-Identifier: Apache-2.0
// What lies under the dots: the groups as floors, the links above them.
import type { Clusters } from "./clusters";
import { px, py, type View } from "./camera";
import { seen } from "./clusters";
import type { Curve } from "./curves";
import type { Ink } from "./ink";

export function outline(ctx: CanvasRenderingContext2D, v: View, hull: Float64Array): void {
  ctx.beginPath();
  for (let i = 0; i < hull.length; i += 2) ctx.lineTo(px(v, hull[i]!), py(v, hull[i + 1]!));
  ctx.closePath();
}

export function drawFloors(ctx: CanvasRenderingContext2D, v: View, c: Clusters, ink: Ink): void {
  for (const s of seen(c, v)) {
    const g = c.groups.list[s.group]!;
    if (s.open === 0) continue;
    const r = g.r * v.s;
    ctx.globalAlpha = s.alpha;
    if (g.hull) outline(ctx, v, g.hull);
    else {
      ctx.beginPath();
      ctx.arc(px(v, g.x), py(v, g.y), r, 0, 2 * Math.PI);
    }
    ctx.fillStyle = ink.floors[Math.min(3, g.depth)]!;
    ctx.fill();
    const bad = c.warns(s.group, v.s);
    ctx.strokeStyle = bad ? ink.bad : ink.rim;
    ctx.lineWidth = bad ? 1.5 : 1;
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
}

/** Curves as one path, in lengths of the graph. */
export function pathOf(curves: Iterable<Curve>): Path2D {
  const p = new Path2D();
  for (const c of curves) {
    p.moveTo(c[0], c[1]);
    p.bezierCurveTo(c[2], c[3], c[4], c[5], c[6], c[7]);
  }
  return p;
}

export function strokePath(
  ctx: CanvasRenderingContext2D,
  v: View,
  path: Path2D,
  colour: string,
  width: number,
  ratio: number,
): void {
  ctx.save();
  ctx.setTransform(v.s * ratio, 0, 0, -v.s * ratio, v.x * ratio, v.y * ratio);
  ctx.lineWidth = width / v.s;
  ctx.strokeStyle = colour;
  ctx.stroke(path);
  ctx.restore();
}

/** The point and the direction of a curve at its end, as much before it as a dot is large. */
export function drawHeads(
  ctx: CanvasRenderingContext2D,
  v: View,
  list: Iterable<{ curve: Curve; stop: number }>,
  colour: string,
): void {
  ctx.fillStyle = colour;
  for (const { curve: c, stop } of list) {
    const [ex, ey] = [px(v, c[6]), py(v, c[7])];
    const [cx, cy] = [px(v, c[4]), py(v, c[5])];
    const len = Math.hypot(ex - cx, ey - cy) || 1;
    const [dx, dy] = [(ex - cx) / len, (ey - cy) / len];
    const [tx, ty] = [ex - dx * stop, ey - dy * stop];
    ctx.beginPath();
    ctx.moveTo(tx, ty);
    ctx.lineTo(tx - dx * 8 - dy * 3.5, ty - dy * 8 + dx * 3.5);
    ctx.lineTo(tx - dx * 8 + dy * 3.5, ty - dy * 8 - dx * 3.5);
    ctx.closePath();
    ctx.fill();
  }
}
