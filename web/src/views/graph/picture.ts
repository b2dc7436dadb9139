// SPDX-License-Identifier: Apache-2.0
// The two canvases beside WebGL: floors and links under the dots; clusters, marks and names over them. Drawn again only
// when the view or what they tell has changed, not with every value that arrives.
import type Sigma from "sigma";
import { sameView, viewOf, type View } from "./camera";
import { drawBad, drawClusters, drawDot, drawRing, marked, nameTwin, type Marked, type Pen } from "./detail";
import type { DotLook } from "./dots";
import { drawFloors } from "./floors";
import { Room } from "./labels";
import type { Ink } from "./ink";
import type { Scene } from "./scene";
import type { Wires } from "./wires";

const NAMED = 5; // px radius from which on a dot may have its name
const TRIED = 1500; // names tried in a frame
const NEAR_NAMED = 40;

function canvasOf(sigma: Sigma, id: string, where: { beforeLayer: string } | { afterLayer: string }) {
  const canvas = sigma.createCanvas(id, { ...where, style: { pointerEvents: "none", inset: "0" } });
  return canvas.getContext("2d")!;
}

export class Picture {
  private readonly under: CanvasRenderingContext2D;
  private readonly over: CanvasRenderingContext2D;
  readonly room = new Room();
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

  draw(scene: Scene, wires: Wires, ink: Ink): View {
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
      this.details(scene, v, ink);
      if (scene.large) this.through(scene, wires, v, ink, ratio);
    }
    this.dirty = { under: false, over: false };
    return v;
  }

  private details(scene: Scene, v: View, ink: Ink): void {
    const { over: ctx, room } = this;
    room.clear();
    const pen: Pen = { ctx, v, c: scene.clusters, ink, room };
    const at = (i: number) => marked(v, i, scene.x[i]!, scene.y[i]!, scene.px(i, v, this.dots));
    const label = (i: number) => scene.list[i]!.label;
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
      nameTwin(pen, m, label(i), true);
    }
    for (const m of bad) if (!first.includes(m.twin)) nameTwin(pen, m, label(m.twin), false);
    if (scene.lit && scene.lit.size <= NEAR_NAMED) {
      for (const i of scene.lit) {
        const m = !first.includes(i) && shown(i) && at(i);
        if (m) nameTwin(pen, m, label(i), false);
      }
    }
    drawClusters(pen, scene.hoverGroup);
    if (!scene.lit) this.names(scene, pen, first);
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

  /** Names of the other twins, the largest dots first. */
  private names(scene: Scene, pen: Pen, done: readonly number[]): void {
    const { v } = pen;
    if (scene.places.slot * v.s < NAMED) return;
    const list: number[] = [];
    const [x0, x1] = [-v.x / v.s, (v.width - v.x) / v.s];
    const [y0, y1] = [(v.y - v.height) / v.s, v.y / v.s];
    for (const i of scene.grid.within(x0, y0, x1, y1)) {
      if (scene.hidden?.[i] || scene.px(i, v, this.dots) < NAMED || done.includes(i)) continue;
      list.push(i);
      if (list.length > TRIED) return;
    }
    // A name stands over no dot.
    const free = (a: number, b: number, c: number, d: number) => {
      const r = (scene.px(list[0]!, v, this.dots) * 0.6) / v.s;
      const [ax, cx] = [(a - v.x) / v.s - r, (c - v.x) / v.s + r];
      const [dy, by] = [(v.y - d) / v.s - r, (v.y - b) / v.s + r];
      for (const _ of scene.grid.within(ax, dy, cx, by)) return false;
      return true;
    };
    list.sort((a, b) => scene.radius[b]! - scene.radius[a]! || a - b);
    for (const i of list) {
      if (!scene.uncovered(i, v)) continue;
      const m = marked(v, i, scene.x[i]!, scene.y[i]!, scene.px(i, v, this.dots));
      if (m) nameTwin(pen, m, scene.list[i]!.label, false, free);
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
