// SPDX-License-Identifier: Apache-2.0
// A small pin beside each twin that somebody pinned: what does not move by itself says so.
import { pinned } from "./pins";
import type { Stage } from "./stage";

/** Draws after every picture; the function returned ends it. */
export function pinMarks(stage: Stage, colour: () => string): () => void {
  const { sigma } = stage;
  const canvas = document.createElement("canvas");
  canvas.className = "graph-flow";
  canvas.setAttribute("aria-hidden", "true");
  const box = sigma.getContainer();
  box.insertBefore(canvas, box.querySelector(".sigma-mouse"));
  const draw = () => {
    const ids = Object.keys(pinned());
    canvas.hidden = ids.length === 0;
    if (!ids.length) return;
    const { width, height } = sigma.getDimensions();
    const scale = Math.min(2, devicePixelRatio);
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const ctx = canvas.getContext("2d")!;
    ctx.scale(scale, scale);
    ctx.fillStyle = ctx.strokeStyle = colour();
    ctx.lineWidth = 1.5;
    for (const id of ids) {
      const p = stage.at(id);
      if (!p || stage.hides(id)) continue;
      const [x, y] = [p.x - 0.7 * p.r, p.y - 0.7 * p.r];
      ctx.beginPath();
      ctx.moveTo(x, y);
      ctx.lineTo(x - 4, y - 5);
      ctx.stroke();
      ctx.beginPath();
      ctx.arc(x - 5, y - 6.5, 3, 0, 2 * Math.PI);
      ctx.fill();
    }
  };
  const stop = stage.onDraw(draw);
  return () => {
    stop();
    canvas.remove();
  };
}
