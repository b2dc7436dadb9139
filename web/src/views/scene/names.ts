// SPDX-License-Identifier: Apache-2.0
// Names and values of a scene's twins, above them, where they do not lie on each other.
import { Vector3, type Box3, type PerspectiveCamera } from "three";
import { drawGlyph } from "~/views/map/glyph";
import type { Tone } from "~/views/map/tint";
import { fit, type Label } from "~/ui/labels";
import type { SceneLook } from "./stage";

export interface Named {
  box: Box3;
  label: string;
  value: string;
  bad: boolean;
  tone: Tone;
  ink: string;
  ground: boolean;
  rank: number;
}

const FONT = "Inter Variable, system-ui, sans-serif";
const SMALLEST = 9; // pixels that a thing takes before its name is tried

const SIGN = 15; // pixels of a sign before a name
const signed = (n: Named): boolean => !n.ground && n.tone !== "ok" && n.tone !== "none";

export class Names {
  private readonly canvas = document.createElement("canvas");
  private readonly widths = new Map<string, number>();

  constructor(box: HTMLElement) {
    this.canvas.className = "stage-over";
    box.append(this.canvas);
  }

  private width(ctx: CanvasRenderingContext2D, font: string, text: string): number {
    const key = font + text;
    let w = this.widths.get(key);
    if (w === undefined) {
      ctx.font = font;
      if (this.widths.size > 5000) this.widths.clear();
      this.widths.set(key, (w = ctx.measureText(text).width));
    }
    return w;
  }

  draw(list: Iterable<Named>, camera: PerspectiveCamera, look: SceneLook): void {
    const ratio = devicePixelRatio;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    if (this.canvas.width !== Math.round(w * ratio) || this.canvas.height !== Math.round(h * ratio)) {
      this.canvas.width = Math.round(w * ratio);
      this.canvas.height = Math.round(h * ratio);
    }
    const ctx = this.canvas.getContext("2d")!;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, w, h);
    const labels: (Label & { of: Named })[] = [];
    const at = new Vector3();
    const size = new Vector3();
    const scale = h / (2 * Math.tan((camera.fov * Math.PI) / 360));
    for (const n of list) {
      n.box.getCenter(at);
      n.box.getSize(size);
      const far = at.distanceTo(camera.position);
      const seen = (Math.max(size.x, size.z) * scale) / far;
      if (n.rank < 7 && seen < SMALLEST) continue;
      at.y = n.box.max.y;
      if (n.ground) at.z = n.box.min.z;
      at.project(camera);
      if (at.z > 1 || Math.abs(at.x) > 1.05 || Math.abs(at.y) > 1.05) continue;
      labels.push({
        of: n,
        x: ((at.x + 1) / 2) * w,
        y: ((1 - at.y) / 2) * h,
        gap: 6,
        w:
          Math.max(
            this.width(ctx, `550 12px ${FONT}`, n.label) + (signed(n) ? SIGN : 0),
            this.width(ctx, `650 12px ${FONT}`, n.value),
          ) + 12,
        h: n.value ? 34 : 20,
        rank: n.rank + seen / 1e5,
        over: true,
      });
    }
    fit(labels, [], w, h).forEach((b, i) => b && this.label(ctx, labels[i]!.of, b, look));
  }

  private label(
    ctx: CanvasRenderingContext2D,
    n: Named,
    b: { x: number; y: number; w: number; h: number },
    look: SceneLook,
  ): void {
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    const x = b.x + b.w / 2;
    if (!n.ground) {
      ctx.globalAlpha = 0.86;
      ctx.fillStyle = look.halo;
      ctx.beginPath();
      ctx.roundRect(b.x + 1, b.y + 1, b.w - 2, b.h - 2, 5);
      ctx.fill();
      ctx.globalAlpha = 1;
      if (n.rank >= 7) {
        ctx.strokeStyle = n.bad ? look.bad : look.ring;
        ctx.lineWidth = 1.25;
        ctx.stroke();
      }
    }
    ctx.font = `${n.ground ? 650 : 550} 12px ${FONT}`;
    ctx.fillStyle = look.text;
    const shift = signed(n) ? SIGN / 2 : 0;
    if (n.ground) this.rim(ctx, n.label, x + shift, b.y + 10.5, look);
    ctx.globalAlpha = n.ground ? 0.8 : 1;
    ctx.fillText(n.label, x + shift, b.y + 10.5);
    ctx.globalAlpha = 1;
    if (shift) {
      const wide = ctx.measureText(n.label).width;
      drawGlyph(ctx, n.tone, x + shift - wide / 2 - SIGN / 2 - 1, b.y + 10, 5, { colour: n.ink, ground: look.halo });
    }
    if (!n.value) return;
    ctx.font = `650 12px ${FONT}`;
    ctx.fillStyle = look.ring;
    ctx.fillText(n.value, x, b.y + 24.5);
  }

  /** It stands on the picture itself. */
  private rim(ctx: CanvasRenderingContext2D, text: string, x: number, y: number, look: SceneLook): void {
    ctx.lineJoin = "round";
    ctx.lineWidth = 3;
    ctx.strokeStyle = look.halo;
    ctx.globalAlpha = 0.7;
    ctx.strokeText(text, x, y);
  }

  kill(): void {
    this.canvas.remove();
  }
}
