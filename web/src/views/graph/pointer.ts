// SPDX-License-Identifier: Apache-2.0
// What lies under the pointer, and what a click or a look at it does: twins, their names, closed clusters, the ground.
import type Sigma from "sigma";
import type { DotLook } from "./dots";
import type { Flight } from "./flight";
import { closedAt } from "./pick";
import type { Picture } from "./picture";
import type { Scene } from "./scene";

export interface Picked {
  click(id: string, more: boolean): void; // more: with shift
  open(id: string): void; // a double click
  empty(): void;
  moved(camera: { x: number; y: number; ratio: number }): void;
  hover?(id: string): void; // "": nobody
  cluster?(title: string, count: number): void; // one was opened
}

interface Stage {
  scene(): Scene; // another one after each load
  redraw(which: "over" | "both"): void;
}

export class Pointer {
  constructor(
    private readonly box: HTMLElement,
    sigma: Sigma,
    private readonly picture: Picture,
    private readonly dots: DotLook,
    private readonly flight: Flight,
    private readonly on: Picked,
    private readonly stage: Stage,
  ) {
    // Sigma asks the graphics card which dot is under the pointer; we know without asking.
    (sigma as unknown as { getNodeAtPosition(p: { x: number; y: number }): string | null }).getNodeAtPosition = (p) =>
      this.pick(p.x, p.y) || null;
    sigma.on("clickNode", (e) => on.click(e.node, e.event.original.shiftKey));
    sigma.on("doubleClickNode", (e) => (e.preventSigmaDefault(), on.open(e.node)));
    sigma.on("clickStage", (e) => this.clickGround(e.event.x, e.event.y));
    sigma.on("enterNode", (e) => this.setHover(stage.scene().index.get(e.node) ?? -1));
    sigma.on("leaveNode", () => this.setHover(-1));
    sigma.on("moveBody", (e) => this.overGround(e.event.x, e.event.y));
  }

  /** The twin under a place of the box, in px; "": none. */
  pick(x: number, y: number): string {
    const scene = this.stage.scene();
    const name = this.picture.nameAt(x, y);
    const i = name ? name.twin : scene.pick(this.picture.view(), this.dots, x, y);
    return scene.list[i]?.id ?? "";
  }

  private groupAt(x: number, y: number): number {
    const name = this.picture.nameAt(x, y);
    if (name && name.twin < 0) return name.group;
    return closedAt(this.stage.scene().clusters, this.picture.view(), x, y);
  }

  private clickGround(x: number, y: number): void {
    const scene = this.stage.scene();
    const g = this.groupAt(x, y);
    if (g < 0) return this.on.empty();
    this.flight.group(scene, this.picture.view(), g);
    this.on.cluster?.(scene.groups.list[g]!.title, scene.groups.list[g]!.count);
  }

  private overGround(x: number, y: number): void {
    const scene = this.stage.scene();
    const { width, height } = this.picture.view();
    const inside = x >= 0 && y >= 0 && x <= width && y <= height;
    const g = inside && scene.hover < 0 ? this.groupAt(x, y) : -1;
    this.box.style.cursor = g >= 0 || scene.hover >= 0 ? "pointer" : "";
    if (g === scene.hoverGroup) return;
    scene.hoverGroup = g;
    this.stage.redraw("over");
  }

  private setHover(i: number): void {
    const scene = this.stage.scene();
    scene.hover = i;
    if (i >= 0) this.box.style.cursor = "pointer";
    this.on.hover?.(scene.list[i]?.id ?? "");
    this.stage.redraw("both");
  }
}
