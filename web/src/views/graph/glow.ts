// SPDX-License-Identifier: Apache-2.0
// Beside the drawn graph while two worlds are compared: a glow behind each twin that differs, and a ring where the
// pointer is in the other pane.
import { isDark } from "~/app/prefs";
import { token } from "~/ui/tokens";
import type { Versus } from "~/views/compare/versus";
import type { Stage } from "./stage";

const GLOWS_MOST = 4000; // in sight: more of them would be one glow
const TRIED_MOST = 20_000; // of all that differ: beyond, colours alone tell
const SPRITE = 64;

/** A soft spot, drawn once and stamped many times. */
function spriteOf(colour: string): HTMLCanvasElement {
  const c = document.createElement("canvas");
  c.width = c.height = SPRITE;
  const ctx = c.getContext("2d")!;
  const r = SPRITE / 2;
  const g = ctx.createRadialGradient(r, r, 0, r, r, r);
  for (const [at, alpha] of [
    [0, "cc"],
    [0.45, "88"],
    [0.7, "33"],
    [1, "00"],
  ] as const)
    g.addColorStop(at, colour + alpha);
  ctx.fillStyle = g;
  ctx.fillRect(0, 0, SPRITE, SPRITE);
  return c;
}

export class Glow {
  private versus: Versus | null = null;
  private ring = "";
  private readonly sprites = new Map<string, HTMLCanvasElement>();
  private readonly ctx: CanvasRenderingContext2D;
  private readonly stop: () => void;

  constructor(private readonly stage: Stage) {
    const style = { pointerEvents: "none", inset: "0" } as const;
    this.ctx = stage.sigma.createCanvas("glow", { beforeLayer: "edges", style }).getContext("2d")!;
    this.stop = stage.onDraw(() => this.draw());
  }

  show(v: Versus | null): void {
    this.versus = v;
    this.draw();
  }

  point(id: string): void {
    this.ring = id;
    this.draw();
  }

  private clear(): { width: number; height: number } {
    const { ctx } = this;
    const { width, height } = this.stage.sigma.getDimensions();
    const ratio = devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (ctx.canvas.width !== w || ctx.canvas.height !== h) [ctx.canvas.width, ctx.canvas.height] = [w, h];
    ctx.canvas.style.width = `${width}px`;
    ctx.canvas.style.height = `${height}px`;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    return { width, height };
  }

  draw(): void {
    const { width, height } = this.clear();
    if (this.versus) this.glows(this.versus, width, height);
    const at = this.ring ? this.stage.at(this.ring) : null;
    if (!at) return;
    this.ctx.beginPath();
    this.ctx.arc(at.x, at.y, at.r + 6, 0, 2 * Math.PI);
    this.ctx.strokeStyle = token("n6", isDark());
    this.ctx.lineWidth = 2;
    this.ctx.stroke();
  }

  private glows(v: Versus, width: number, height: number): void {
    let left = GLOWS_MOST;
    if (v.ids.length > TRIED_MOST) return;
    for (const id of v.ids) {
      const at = this.stage.isGhost(id) ? null : this.stage.at(id);
      if (!at) continue;
      const r = (at.r * 1.6 + 8) * (0.6 + 0.4 * v.part(id));
      if (at.x < -r || at.y < -r || at.x > width + r || at.y > height + r) continue;
      this.ctx.drawImage(this.sprite(v.glow(id)), at.x - r, at.y - r, 2 * r, 2 * r);
      if (!--left) return;
    }
  }

  private sprite(colour: string): HTMLCanvasElement {
    let s = this.sprites.get(colour);
    if (!s) this.sprites.set(colour, (s = spriteOf(colour)));
    return s;
  }

  kill(): void {
    this.stop();
  }
}
