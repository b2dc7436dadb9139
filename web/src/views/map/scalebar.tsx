// SPDX-License-Identifier: Apache-2.0
// How long a way is on the screen, beside the legend: a picture's own scale would lie under it, and know no zoom.
import { useEffect, useState } from "preact/hooks";
import { words } from "~/words/en";
import * as format from "~/format";
import type { MapLibreMap } from "./maplibre";

const MOST = 110; // pixels of the bar
const EQUATOR = 40_075_016.686; // metres
const TILE = 512; // pixels that the whole equator takes at zoom 0

/** A round number of metres that takes no more than so many pixels. */
export function roundWay(perPixel: number, most = MOST): number {
  const long = perPixel * most;
  const ten = 10 ** Math.floor(Math.log10(long));
  return ten * (long / ten >= 5 ? 5 : long / ten >= 2 ? 2 : 1);
}

const textOf = (metres: number): string =>
  metres >= 1000
    ? format.amount(metres / 1000, "kilometre")
    : metres >= 1
      ? format.amount(metres, "metre")
      : format.amount(metres * 100, "centimetre");

/** `perPixel`: metres. */
export function ScaleBar({ perPixel }: { perPixel: number }) {
  if (!(perPixel > 0) || !Number.isFinite(perPixel)) return null;
  const way = roundWay(perPixel);
  const text = textOf(way);
  return (
    <div class="stage-scale num" role="img" aria-label={words.map.scale(text)}>
      <span>{text}</span>
      <span style={{ width: `${Math.round(way / perPixel)}px` }} />
    </div>
  );
}

/** Metres a pixel in the middle of a map, in steps that nobody sees. */
function perPixelOf(map: MapLibreMap): number {
  const lat = (map.getCenter().lat * Math.PI) / 180;
  return Number(((EQUATOR * Math.cos(lat)) / (TILE * 2 ** map.getZoom())).toPrecision(3));
}

export function MapScaleBar({ map }: { map: MapLibreMap }) {
  const [perPixel, set] = useState(() => perPixelOf(map));
  useEffect(() => {
    const read = () => set(perPixelOf(map));
    map.on("move", read);
    read();
    return () => void map.off("move", read);
  }, [map]);
  return <ScaleBar perPixel={perPixel} />;
}
