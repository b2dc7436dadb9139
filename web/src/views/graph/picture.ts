// SPDX-License-Identifier: Apache-2.0
// The two canvases beside WebGL: floors and links under the dots; clusters, marks and names over them. Drawn again only
// when the view or what they tell has changed, not with every value that arrives.
import type Sigma from "sigma";
import { coveredOf } from "~/ui/covered";
import { sameView, viewOf, type View } from "./camera";
import { drawBad, drawClusters, drawDot, drawRing, keepBadges, marked, nameFirst, nameTwin } from "./detail";
import type { Marked, Pen } from "./detail";
import type { DotLook } from "./dots";
import { drawFloors } from "./floors";
import { drawGhosts } from "./ghosts";
import { Room } from "./labels";
import { nameFew, nameMany } from "./names";
import type { Ink } from "./ink";
import type { Scene } from "./scene";
import type { Wires } from "./wires";

const NEAR_NAMED = 40;

function canvasOf(sigma: Sigma, id: string, where: { beforeLayer: string } | { afterLayer: string }) {
  const canvas = sigma.createCanvas(id, { ...where, style: { pointerEvents: "none", inset: "0" } });
  return canvas.getContext("2d")!;
}

export class Picture {
  private readonly under: CanvasRenderingContext2D;
  private readonly over: CanvasRenderingContext2D;
  readonly room = new Room();
  ghosts = 0; // drawn in the last frame
  private last: View | null = null;
  private dirty = { under: true, over: true };

  constructor(
    private readonly sigma: Sigma,
    private readonly dots: DotLook,
  ) {
    this.under = canvasOf(sigma, "floors", { beforeLayer: "edges" });
    this.over = canvasOf(sigma, "details", { afterLayer: "hoverNodes" });
  }

  /** Something other than the view has changed. */
  touch(which: "under" | "over" | "both"): void {
    if (which !== "over") this.dirty.under = true;
    if (which !== "under") this.dirty.over = true;
  }

  private fresh(ctx: CanvasRenderingContext2D, v: View, ratio: number): void {
    const { canvas } = ctx;
    const [w, h] = [Math.round(v.width * ratio), Math.round(v.height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    canvas.style.width = `${v.width}px`;
    canvas.style.height = `${v.height}px`;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, v.width, v.height);
  }

  draw(scene: Scene, wires: Wires, ink: Ink, ghost: string): View {
    const v = viewOf(this.sigma);
    const moved = !this.last || !sameView(v, this.last);
    this.last = v;
    const ratio = window.devicePixelRatio || 1;
    if (moved || this.dirty.under) {
      this.fresh(this.under, v, ratio);
      drawFloors(this.under, v, scene.clusters, ink);
      wires.draw(this.under, v, ink, this.dots, ratio);
    }
    if (moved || this.dirty.over) {
      this.fresh(this.over, v, ratio);
      this.ghosts = drawGhosts(this.over, scene, v, this.dots, ghost);
      this.details(scene, v, ink);
      if (scene.large) this.through(scene, wires, v, ink, ratio);
    }
    this.dirty = { under: false, over: false };
    return v;
  }

  private details(scene: Scene, v: View, ink: Ink): void {
    const { over: ctx, room } = this;
    room.clear();
    for (const b of coveredOf(ctx.canvas))
      room.take({ x0: b.x, y0: b.y, x1: b.x + b.w, y1: b.y + b.h, twin: -1, group: -1 });
    const pen: Pen = { ctx, v, c: scene.clusters, ink, room };
    const at = (i: number) => marked(v, i, scene.x[i]!, scene.y[i]!, scene.px(i, v, this.dots));
    const label = (i: number) => scene.list[i]!.label;
    const badges = keepBadges(pen);
    const shown = (i: number) => !scene.hidden?.[i] && scene.uncovered(i, v);
    const first: number[] = [scene.chosen, scene.hover].filter((i) => i >= 0);
    const bad: Marked[] = [];
    for (const [i, told] of scene.bad) {
      const m = shown(i) && at(i);
      if (!m) continue;
      drawBad(ctx, m, told, ink);
      if (m.r >= 3) bad.push(m);
    }
    for (const i of first) {
      const m = at(i);
      if (!m) continue;
      if (shown(i)) drawRing(ctx, m, ink.ring, i === scene.chosen ? 3 : 2, i === scene.chosen ? 4 : 3);
      nameFirst(pen, m, label(i));
    }
    for (const m of bad) if (!first.includes(m.twin)) nameTwin(pen, m, label(m.twin));
    if (scene.lit && scene.lit.size <= NEAR_NAMED) {
      for (const i of scene.lit) {
        const m = !first.includes(i) && shown(i) && at(i);
        if (m) nameTwin(pen, m, label(i));
      }
    }
    drawClusters(pen, scene.hoverGroup, badges);
    if (scene.clusters.few) nameFew(scene, pen, this.dots);
    else if (!scene.lit) nameMany(scene, pen, this.dots);
  }

  /** What is lit shows through closed clusters. */
  private through(scene: Scene, wires: Wires, v: View, ink: Ink, ratio: number): void {
    const covered = [...(scene.lit ?? [])].filter((i) => !scene.hidden?.[i] && !scene.uncovered(i, v));
    if (!covered.length) return;
    wires.drawBright(this.over, v, ink, ratio);
    for (const i of covered) {
      const m = marked(v, i, scene.x[i]!, scene.y[i]!, 2.5);
      if (m) drawDot(this.over, m, ink.ring);
      if (m && i === scene.chosen) drawRing(this.over, m, ink.ring, 3, 5);
    }
  }

  /** The twin or group whose name is at a place. */
  nameAt(x: number, y: number): { twin: number; group: number } | null {
    return this.room.boxes.find((b) => b.x0 <= x && x <= b.x1 && b.y0 <= y && y <= b.y1) ?? null;
  }

  view(): View {
    return this.last ?? viewOf(this.sigma);
  }
}
