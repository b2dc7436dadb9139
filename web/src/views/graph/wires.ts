// SPDX-License-Identifier: Apache-2.0
// Which links are drawn, and their curves: of a small graph all but those the discs tell; of a large one those of the
// chosen twin, and those between the twins in sight once there are few.
import { inSight, type View } from "./camera";
import { calm, curveOf, toldByDiscs, type Curve } from "./curves";
import { drawHeads, pathOf, strokePath } from "./floors";
import type { DotLook } from "./dots";
import type { Ink } from "./ink";
import type { Scene } from "./scene";

const SIGHT_TWINS = 1500;
const SIGHT_LINKS = 4000;
const CHOSEN_LINKS = 500;
const NEAR_HEADS = 600; // of calm ones, once one is so near
const NEAR_PX = 26;
const CROWD = 200;
const FEW = 12;
const HEADS = 60; // links up to which each shows where it goes

interface Calm {
  links: number[];
  inner: Path2D;
  outer: Path2D;
}

export class Wires {
  private all: Calm | null = null;
  private bright: { links: number[]; path: Path2D } | null = null;
  private hovered: { twin: number; path: Path2D } | null = null;
  told: ReadonlySet<number> | null = null; // of a path

  constructor(private readonly scene: Scene) {
    if (!scene.large) this.all = this.calm(null);
  }

  curve(link: number): Curve {
    const { links, groups, x, y } = this.scene;
    return curveOf(groups, x, y, links.links.from[link]!, links.links.to[link]!);
  }

  private visible = (l: number): boolean => {
    const { hidden, links } = this.scene;
    return !hidden || (!hidden[links.links.from[l]!] && !hidden[links.links.to[l]!]);
  };

  private path(links: readonly number[]): Path2D {
    return pathOf(links.filter(this.visible).map((l) => this.curve(l)));
  }

  private calm(only: readonly number[] | null): Calm {
    const { links, groups } = this.scene;
    const all = links.links;
    if (!only) {
      const { inner, outer } = calm(all, groups);
      return { links: [...inner, ...outer], inner: this.path(inner), outer: this.path(outer) };
    }
    const part = {
      from: Uint32Array.from(only, (l) => all.from[l]!),
      to: Uint32Array.from(only, (l) => all.to[l]!),
      name: Uint16Array.from(only, (l) => all.name[l]!),
      names: all.names,
    };
    const { inner, outer } = calm(part, groups);
    const of = (list: number[]) => list.map((k) => only[k]!);
    return { links: [...of(inner), ...of(outer)], inner: this.path(of(inner)), outer: this.path(of(outer)) };
  }

  /** Curves anew: somebody has moved, or is hidden. */
  again(): void {
    if (!this.scene.large) this.all = this.calm(null);
    else if (this.all) this.all = this.calm(this.all.links);
    this.hovered = null;
    this.choose();
  }

  /** Of a large graph: the links between the twins in sight, when these are few. True: others than before. */
  look(v: View): boolean {
    const { scene } = this;
    if (!scene.large) return false;
    const sight = new Set<number>();
    const [x0, x1] = [-v.x / v.s, (v.width - v.x) / v.s];
    const [y0, y1] = [(v.y - v.height) / v.s, v.y / v.s];
    let many = scene.places.slot * v.s < 4;
    if (!many) {
      for (const i of scene.grid.within(x0, y0, x1, y1)) {
        if (sight.size > SIGHT_TWINS) break;
        sight.add(i);
      }
      many = sight.size > SIGHT_TWINS;
    }
    const was = this.all;
    this.all = many ? null : this.calm(scene.links.between(sight, SIGHT_LINKS));
    return was !== null || this.all !== null;
  }

  /** Links of what is chosen or lit. */
  choose(): void {
    const { told } = this;
    const links = told ? [...told] : this.chosen();
    this.bright = links.length ? { links, path: this.path(links) } : null;
  }

  /** Links of who is chosen; when they are many, without those that the discs tell. */
  private chosen(): number[] {
    const { chosen, links, groups } = this.scene;
    if (chosen < 0) return [];
    const all = links.linksOf(chosen, CHOSEN_LINKS);
    return all.length <= FEW ? all : all.filter((l) => !toldByDiscs(groups, links.links.from[l]!, links.links.to[l]!));
  }

  drawn(): number[] {
    return [...new Set([...(this.all?.links ?? []), ...(this.bright?.links ?? [])])];
  }

  drawBright(ctx: CanvasRenderingContext2D, v: View, ink: Ink, ratio: number): void {
    if (this.bright) strokePath(ctx, v, this.bright.path, ink.ring, this.told ? 3 : 2, ratio);
  }

  draw(ctx: CanvasRenderingContext2D, v: View, ink: Ink, dots: DotLook, ratio: number): void {
    const dim = this.scene.lit !== null;
    if (this.all) {
      // The more there are, the fainter each is.
      ctx.globalAlpha = Math.max(0.45, Math.min(1, CROWD / this.all.links.length));
      strokePath(ctx, v, this.all.outer, dim ? ink.dim : ink.outer, 1, ratio);
      ctx.globalAlpha = 1;
      strokePath(ctx, v, this.all.inner, dim ? ink.dim : ink.inner, 1, ratio);
    }
    const near = this.all && !dim && this.all.links.length <= NEAR_HEADS && this.scene.places.slot * v.s > NEAR_PX;
    if (near) this.heads(ctx, v, this.all!.links, ink.inner, dots);
    const { hover } = this.scene;
    if (hover >= 0 && hover !== this.scene.chosen) {
      if (this.hovered?.twin !== hover)
        this.hovered = { twin: hover, path: this.path(this.scene.links.linksOf(hover, CHOSEN_LINKS)) };
      strokePath(ctx, v, this.hovered.path, ink.ring, 1.2, ratio);
    }
    if (!this.bright) return;
    this.drawBright(ctx, v, ink, ratio);
    if (this.bright.links.length > HEADS) return;
    this.heads(ctx, v, this.bright.links, ink.ring, dots);
  }

  /** Where links go, at the ends that are in sight. */
  private heads(ctx: CanvasRenderingContext2D, v: View, links: readonly number[], colour: string, dots: DotLook): void {
    const { to } = this.scene.links.links;
    const list = links
      .filter((l) => this.visible(l) && inSight(v, this.scene.x[to[l]!]!, this.scene.y[to[l]!]!, 1))
      .map((l) => ({ curve: this.curve(l), stop: this.scene.px(to[l]!, v, dots) + 2 }));
    drawHeads(ctx, v, list, colour);
  }
}
