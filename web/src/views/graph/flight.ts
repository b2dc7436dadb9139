// SPDX-License-Identifier: Apache-2.0
// Where the camera goes: to all, to a twin, into a group; how near it may come.
import type Sigma from "sigma";
import type { View } from "./camera";
import type { Scene } from "./scene";

const CHOSEN_PX = 6; // radius to which one comes near a chosen twin
const NEAREST = 36; // px of a dot's radius, if it grew with the picture
const OPEN_PX = { groups: 18, twins: 3.2 }; // of what is in a group that one enters

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Flight {
  constructor(private readonly sigma: Sigma) {}

  private fly(state: { x: number; y: number; ratio: number }): void {
    const camera = this.sigma.getCamera();
    if (still.matches) camera.setState(state);
    else void camera.animate(state, { duration: 200, easing: "quadraticOut" });
  }

  /** A place of the graph in the middle, a unit of it so many px. */
  private to(x: number, y: number, v: View, s: number): void {
    const at = this.sigma.viewportToFramedGraph(this.sigma.graphToViewport({ x, y }));
    this.fly({ x: at.x, y: at.y, ratio: (v.s * this.sigma.getCamera().ratio) / s });
  }

  all(): void {
    this.fly({ x: 0.5, y: 0.5, ratio: 1 });
  }

  /** As near as one is, but so near that it is to be seen. */
  twin(scene: Scene, v: View, i: number): void {
    const r = scene.places.radius[i]!;
    const near = scene.uncovered(i, v) && r * v.s >= CHOSEN_PX / 2;
    this.to(scene.x[i]!, scene.y[i]!, v, near ? v.s : CHOSEN_PX / r);
  }

  /** So far that it is open. */
  group(scene: Scene, v: View, group: number): void {
    const g = scene.groups.list[group]!;
    const whole = Math.min(v.width, v.height) / (2.2 * g.r);
    this.to(g.x, g.y, v, Math.max(whole, (g.kids.length ? OPEN_PX.groups : OPEN_PX.twins) / g.step));
  }

  /** Near enough that a dot's name has room, whatever the number of twins. */
  limit(v: View): void {
    const camera = this.sigma.getCamera();
    camera.minRatio = Math.min(0.5, (v.s * camera.ratio) / NEAREST);
  }
}
