// SPDX-License-Identifier: Apache-2.0
// What flows along links, as dashes that wander: faster and closer together where it is more, against the arrow where
// it is negative. On a canvas between links and twins, of what is in sight only. Who wants no motion sees arrows of
// different weight, which stand still.
import type Sigma from "sigma";
import type { Curve } from "./curves";

const STRIDE_S = 0.25; // between two looks at what is in sight
const LINKS_MAX = 1500; // that are drawn
const DASHES_MAX = 3000; // in one frame
const SPEED = [14, 78] as const; // pixels a second
const GAP = [64, 22] as const; // pixels between two dashes
const DASH = 7;
const GAP_END = 3;

/** The links along which something may flow, by number. */
export interface Source {
  links(): Iterable<number>;
  part(link: number): number; // -1 to 1 of the largest; 0: nothing flows
  /** On the screen, with the radius of the dot at each end; null: not shown. */
  curve(link: number): { curve: Curve; from: number; to: number } | null;
  colour(): string;
}

/** A curve as short straight pieces, with the way to the end of each. */
interface Run {
  x: Float32Array;
  y: Float32Array;
  way: Float32Array;
  part: number;
}

const PIECES = 14;

function runOf(c: Curve, from: number, to: number, part: number): Run | null {
  const n = PIECES + 1;
  const run: Run = { x: new Float32Array(n), y: new Float32Array(n), way: new Float32Array(n), part };
  const long = Math.hypot(c[6] - c[0], c[7] - c[1]);
  if (long - from - to < DASH) return null;
  // Both ends stay free: there stand dots.
  const [t0, t1] = [(from + GAP_END) / long, 1 - (to + GAP_END) / long];
  if (t1 <= t0) return null;
  for (let k = 0; k < n; k++) {
    const t = t0 + ((t1 - t0) * k) / PIECES;
    const u = 1 - t;
    const [a, b, d, e] = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t];
    run.x[k] = a * c[0] + b * c[2] + d * c[4] + e * c[6];
    run.y[k] = a * c[1] + b * c[3] + d * c[5] + e * c[7];
    if (k) run.way[k] = run.way[k - 1]! + Math.hypot(run.x[k]! - run.x[k - 1]!, run.y[k]! - run.y[k - 1]!);
  }
  return run;
}

export class Flow {
  private readonly canvas = document.createElement("canvas");
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");
  private runs: Run[] = [];
  private frame = 0;
  private looked = -Infinity;
  private dirty = true;
  private seen = "";
  private readonly rendered = () => this.still.matches && this.again();

  constructor(
    private readonly sigma: Sigma,
    private readonly source: Source,
  ) {
    this.canvas.className = "graph-flow";
    this.canvas.setAttribute("aria-hidden", "true");
    const box = sigma.getContainer();
    box.insertBefore(this.canvas, box.querySelector(".sigma-nodes"));
    sigma.on("afterRender", this.rendered);
    this.still.addEventListener("change", this.start);
    this.start();
  }

  private readonly start = () => {
    cancelAnimationFrame(this.frame);
    if (this.still.matches) this.draw(0);
    else this.frame = requestAnimationFrame(this.step);
  };

  /** Values changed: who sees arrows that stand still sees them change at once. */
  again(): void {
    this.dirty = true;
    if (this.still.matches) this.draw(0);
  }

  kill(): void {
    cancelAnimationFrame(this.frame);
    this.sigma.off("afterRender", this.rendered);
    this.still.removeEventListener("change", this.start);
    this.canvas.remove();
  }

  private readonly step = (now: number) => {
    this.draw(now / 1000);
    this.frame = requestAnimationFrame(this.step);
  };

  private fitCanvas(): { width: number; height: number } {
    const { width, height } = this.sigma.getDimensions();
    const scale = Math.min(2, devicePixelRatio);
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
    }
    return { width, height };
  }

  /** Which links are in sight, and where: anew when the camera moved, else a few times a second. */
  private look(width: number, height: number): void {
    const runs: Run[] = [];
    for (const link of this.source.links()) {
      if (runs.length >= LINKS_MAX) break;
      const part = this.source.part(link);
      const at = part ? this.source.curve(link) : null;
      if (!at) continue;
      const c = at.curve;
      if (Math.max(c[0], c[2], c[4], c[6]) < 0 || Math.min(c[0], c[2], c[4], c[6]) > width) continue;
      if (Math.max(c[1], c[3], c[5], c[7]) < 0 || Math.min(c[1], c[3], c[5], c[7]) > height) continue;
      const run = runOf(c, at.from, at.to, part);
      if (run) runs.push(run);
    }
    this.runs = runs;
  }

  private draw(t: number): void {
    const begin = performance.now();
    const { width, height } = this.fitCanvas();
    const { x, y, ratio } = this.sigma.getCamera();
    const seen = `${x} ${y} ${ratio} ${width} ${height}`;
    if (this.dirty || seen !== this.seen || t - this.looked > STRIDE_S) {
      this.look(width, height);
      this.dirty = false;
      this.seen = seen;
      this.looked = t;
    }
    const ctx = this.canvas.getContext("2d")!;
    const scale = this.canvas.width / width;
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    ctx.clearRect(0, 0, width, height);
    if (this.still.matches) this.arrows(ctx);
    else this.dashes(ctx, t);
    this.count(performance.now() - begin);
  }

  private dashes(ctx: CanvasRenderingContext2D, t: number): void {
    ctx.beginPath();
    let left = DASHES_MAX;
    for (const r of this.runs) {
      const much = Math.abs(r.part);
      const gap = GAP[0] + (GAP[1] - GAP[0]) * much;
      const speed = SPEED[0] + (SPEED[1] - SPEED[0]) * much;
      let at = (t * speed) % gap;
      if (r.part < 0) at = gap - at;
      const end = r.way[PIECES]! - DASH;
      for (let k = 1; at < end && left > 0; at += gap, left--) {
        while (k < PIECES && r.way[k]! < at) k++;
        const long = r.way[k]! - r.way[k - 1]! || 1;
        const [ux, uy] = [(r.x[k]! - r.x[k - 1]!) / long, (r.y[k]! - r.y[k - 1]!) / long];
        const into = at - r.way[k - 1]!;
        const [x, y] = [r.x[k - 1]! + into * ux, r.y[k - 1]! + into * uy];
        ctx.moveTo(x, y);
        ctx.lineTo(x + DASH * ux, y + DASH * uy);
      }
      if (!left) break;
    }
    ctx.strokeStyle = this.source.colour();
    ctx.lineWidth = 2.6;
    ctx.stroke();
  }

  /** One arrow a link, in its middle, as heavy as it is much. */
  private arrows(ctx: CanvasRenderingContext2D): void {
    ctx.beginPath();
    for (const r of this.runs) {
      const size = Math.min(3 + 7 * Math.abs(r.part), r.way[PIECES]! / 4);
      const sign = r.part < 0 ? -1 : 1;
      const m = PIECES / 2;
      const [mx, my] = [r.x[m]!, r.y[m]!];
      const long = Math.hypot(r.x[m + 1]! - mx, r.y[m + 1]! - my) || 1;
      const [ux, uy] = [((r.x[m + 1]! - mx) / long) * sign, ((r.y[m + 1]! - my) / long) * sign];
      ctx.moveTo(mx + ux * size, my + uy * size);
      ctx.lineTo(mx - ux * size - uy * size * 0.8, my - uy * size + ux * size * 0.8);
      ctx.lineTo(mx - ux * size + uy * size * 0.8, my - uy * size - ux * size * 0.8);
      ctx.closePath();
    }
    ctx.fillStyle = this.source.colour();
    ctx.fill();
  }

  private frames = 0;
  private spent = 0;

  /** What it costs, for the bench and the tests. */
  private count(ms: number): void {
    this.frames++;
    this.spent += ms;
    const { dataset } = this.canvas;
    const links = String(this.runs.length);
    if (dataset.links !== links) dataset.links = links;
    if (this.frames < 8 && !this.still.matches) return;
    dataset.work = (this.spent / this.frames).toFixed(2);
    this.frames = this.spent = 0;
  }
}
