// SPDX-License-Identifier: Apache-2.0
// How a twin is, told without colour: a solid disc works, bars rest, a clock waits, an exclamation mark needs somebody,
// hatched is silent, hollow tells nothing. The same on plans, maps and in legends.
import type { Tone } from "./tint";

/** Strokes inside of a circle of radius 1. */
const STROKES: Partial<Record<Tone, string>> = {
  bad: "M0-.55V.1M0 .5V.52",
  attention: "M0-.5V.05L.38.3",
  rest: "M-.25-.4V.4M.25-.4V.4",
  stale: "M-.75.1L.1-.75M-.6.6L.6-.6M-.1.75L.75-.1",
};

export const hollow = (tone: Tone | undefined): boolean => tone === "none" || tone === "stale";

/** Around (0, 0), in an SVG. */
export function Glyph({ tone, colour, r }: { tone: Tone | undefined; colour: string; r: number }) {
  const d = tone && STROKES[tone];
  const empty = hollow(tone);
  return (
    <g class={empty ? "glyph hollow" : "glyph"} style={{ color: colour }}>
      <circle r={empty ? r - 0.75 : r} />
      {d && <path d={d} transform={`scale(${r})`} stroke-width={tone === "stale" ? 1.4 / r : 1.7 / r} />}
    </g>
  );
}

const paths = new Map<Tone, Path2D>();
function pathOf(tone: Tone): Path2D | undefined {
  const d = STROKES[tone];
  if (!d) return undefined;
  let p = paths.get(tone);
  if (!p) paths.set(tone, (p = new Path2D(d)));
  return p;
}

export interface Inks {
  colour: string;
  ground: string; // below the marks
}

/** The same on a canvas. */
export function drawGlyph(
  c: CanvasRenderingContext2D,
  tone: Tone | undefined,
  x: number,
  y: number,
  r: number,
  k: Inks,
) {
  const empty = hollow(tone);
  c.save();
  c.translate(x, y);
  c.beginPath();
  c.arc(0, 0, empty ? r - 0.5 : r, 0, 2 * Math.PI);
  c.fillStyle = empty ? k.ground : k.colour;
  c.fill();
  if (empty) {
    c.lineWidth = 2;
    c.strokeStyle = k.colour;
    c.stroke();
  }
  const p = tone && pathOf(tone);
  if (p) {
    c.scale(r, r);
    c.lineCap = "round";
    c.lineWidth = (tone === "stale" ? 1.4 : 1.8) / r;
    c.strokeStyle = empty ? k.colour : k.ground;
    c.stroke(p);
  }
  c.restore();
}

/** An arrow that points where a twin goes: degrees clockwise from north. */
export function drawArrow(c: CanvasRenderingContext2D, heading: number, x: number, y: number, r: number, k: Inks) {
  c.save();
  c.translate(x, y);
  c.rotate((heading * Math.PI) / 180);
  c.scale(r, r);
  c.beginPath();
  c.moveTo(0, -1.75);
  c.lineTo(1.15, 1.1);
  c.quadraticCurveTo(0, 0.55, -1.15, 1.1);
  c.closePath();
  c.lineJoin = "round";
  c.lineWidth = 3.6 / r;
  c.strokeStyle = k.ground;
  c.stroke();
  c.fillStyle = k.colour;
  c.fill();
  c.restore();
}
