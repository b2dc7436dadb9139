// SPDX-License-Identifier: Apache-2.0
// A course of a value in the space of a word: line, and the last point. The pointer reads it: value and time.
import { useState } from "preact/hooks";
import * as format from "~/format";
import "./spark.css";

const W = 120;
const H = 28;

interface Props {
  values: readonly (number | null)[];
  label: string;
  time?: readonly number[]; // ms since 1970, of each value; without them they are evenly apart
  say?: (v: number) => string; // what the pointer is told
}

interface Places {
  x: (i: number) => number;
  y: (v: number) => number;
}

const isKnown = (v: number | null | undefined): v is number => typeof v === "number" && Number.isFinite(v);

function placesOf(values: readonly (number | null)[], time: readonly number[] | undefined): Places {
  const known = values.filter(isKnown);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const pad = high === low ? 1 : 0;
  const at = (i: number) => (time ? time[i]! : i);
  const first = at(0);
  const width = at(values.length - 1) - first || 1;
  return {
    x: (i) => ((at(i) - first) / width) * (W - 4) + 1,
    y: (v) => H - 3 - ((v - low + pad) / (high - low + 2 * pad)) * (H - 6),
  };
}

function lineOf(values: readonly (number | null)[], p: Places): string {
  let path = "";
  let pen = false;
  values.forEach((v, i) => {
    if (isKnown(v)) path += `${pen ? "L" : "M"}${p.x(i).toFixed(1)} ${p.y(v).toFixed(1)}`;
    pen = isKnown(v);
  });
  return path;
}

/** The known value that is nearest to a part of the width. */
function nearest(values: readonly (number | null)[], p: Places, part: number): number {
  let best = -1;
  values.forEach((v, i) => {
    if (isKnown(v) && (best < 0 || Math.abs(p.x(i) - part * W) < Math.abs(p.x(best) - part * W))) best = i;
  });
  return best;
}

export function Spark({ values, label, time, say }: Props) {
  const [part, look] = useState<number | null>(null);
  const few = values.filter(isKnown).length < 2;
  const timed = time?.length === values.length ? time : undefined;
  const p = few ? undefined : placesOf(values, timed);
  const at = p && part !== null && timed && say ? nearest(values, p, part) : -1;
  const dot = (i: number) => `M${p!.x(i).toFixed(1)} ${p!.y(values[i]!).toFixed(1)}h0.01`;
  const read = (e: PointerEvent) => {
    const box = (e.currentTarget as Element).getBoundingClientRect();
    look((e.clientX - box.left) / box.width);
  };
  const told = at < 0 ? 0 : p!.x(at) / W;
  return (
    <span class="spark" onPointerMove={timed && say && read} onPointerLeave={() => look(null)}>
      <svg viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label={label}>
        {p && <path d={lineOf(values, p)} />}
        {p && <path class="spark-dot" d={dot(at < 0 ? values.findLastIndex(isKnown) : at)} />}
        {at >= 0 && <path class="spark-at" d={`M${p!.x(at).toFixed(1)} 0v${H}`} />}
      </svg>
      {at >= 0 && (
        <span class="spark-tip num" style={{ left: `${told * 100}%`, transform: `translateX(${-told * 100}%)` }}>
          {say!(values[at]!)} <span class="quiet">{format.minute(timed![at]!)}</span>
        </span>
      )}
    </span>
  );
}
