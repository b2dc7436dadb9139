// SPDX-License-Identifier: Apache-2.0
// One camera for two panes: each stage tells where it looks as it moves and takes where the other one looks. Outside of
// a comparison nothing is told and nothing comes.
import type Sigma from "sigma";
import { onCamera, pane, shareCamera, shareHover } from "~/app/pane";
import { pointAt } from "./hint";
import type { MapLibreMap } from "~/views/map/maplibre";

const numbers = (text: string, n: number): number[] | null => {
  const list = text.split(",").map(Number);
  return list.length === n && list.every(Number.isFinite) ? list : null;
};
const NOTHING = () => {};

export function joinGraph(sigma: Sigma): () => void {
  if (!pane) return NOTHING;
  const camera = sigma.getCamera();
  camera.on("updated", (c) => shareCamera([c.x, c.y, c.ratio].join(",")));
  sigma.on("enterNode", (e) => {
    const r = sigma.getContainer().getBoundingClientRect();
    shareHover(e.node);
    pointAt(e.node, r.left + e.event.x, r.top + e.event.y);
  });
  sigma.on("leaveNode", () => (shareHover(""), pointAt("")));
  return onCamera((text) => {
    const c = numbers(text, 3);
    if (c) camera.setState({ x: c[0]!, y: c[1]!, ratio: c[2]! });
  });
}

export function joinMap(map: MapLibreMap): () => void {
  if (!pane) return NOTHING;
  const tell = () => {
    const { lng, lat } = map.getCenter();
    shareCamera([lng, lat, map.getZoom()].join(","));
  };
  map.on("move", tell);
  const stop = onCamera((text) => {
    const c = numbers(text, 3);
    if (c) map.jumpTo({ center: [c[0]!, c[1]!], zoom: c[2]! });
  });
  return () => (map.off("move", tell), stop());
}

/** Stages that say themselves when they move: `take` is given what another one of the kind told. */
export function joinNumbers(n: number, take: (c: number[]) => void): () => void {
  if (!pane) return NOTHING;
  return onCamera((text) => {
    const c = numbers(text, n);
    if (c) take(c);
  });
}

export const tellNumbers = (c: readonly number[]): void => shareCamera(c.join(","));
