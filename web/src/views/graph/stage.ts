// SPDX-License-Identifier: Apache-2.0
// The drawn graph: Sigma over graphology, kept small between the page and WebGL. Colours change a few at a time, and
// nothing is laid out again for it. Of a large graph links are drawn where one looks: of the chosen twin, and between
// the twins in sight once there are few of them.
import Graph from "graphology";
import forceAtlas2 from "graphology-layout-forceatlas2";
import Sigma from "sigma";
import { EdgeArrowProgram, EdgeRectangleProgram, NodeCircleProgram, NodePointProgram } from "sigma/rendering";
import type { Entry, Links } from "~/api/catalogue";
import { Adjacency } from "./adjacency";
import type { Places } from "./layout";

const PULLED_MAX = 3000; // twins up to which links pull
const LARGE = 5000; // twins from which on links are drawn only where one looks
const SIGHT_TWINS = 1500; // in sight, up to which the links between them are drawn
const SIGHT_LINKS = 4000;
const CHOSEN_LINKS = 500;

export interface Look {
  text: string;
  edge: string;
  faint: string;
  ring: string;
  dark: boolean;
}

export interface Picked {
  click(id: string): void;
  open(id: string): void; // a double click
  empty(): void;
  moved(camera: { x: number; y: number; ratio: number }): void;
}

const FEW = 60; // so many chosen ones all have their label

export class Stage {
  readonly graph = new Graph({ multi: true, type: "directed" });
  readonly sigma: Sigma;
  private chosen = "";
  private near = new Set<string>();
  private hidden: ReadonlySet<string> | null = null; // shown ones, when filtered
  private look: Look;
  private list: readonly Entry[] = [];
  private index = new Map<string, number>();
  private sparse: Adjacency | null = null; // of a large graph

  constructor(box: HTMLElement, look: Look, on: Picked) {
    this.look = look;
    this.sigma = new Sigma(this.graph, box, {
      allowInvalidContainer: true,
      defaultEdgeType: "line",
      nodeProgramClasses: { circle: NodeCircleProgram, point: NodePointProgram },
      edgeProgramClasses: { line: EdgeRectangleProgram, arrow: EdgeArrowProgram },
      labelFont: "Inter Variable, system-ui, sans-serif",
      labelSize: 12,
      labelWeight: "500",
      labelColor: { color: look.text },
      labelDensity: 0.6,
      labelGridCellSize: 90,
      labelRenderedSizeThreshold: 7,
      zIndex: true,
      minCameraRatio: 0.002,
      maxCameraRatio: 3,
      nodeReducer: (id, data) => this.reduceNode(id, data),
      edgeReducer: (id, data) => this.reduceEdge(id, data),
      defaultDrawNodeHover: (ctx, data, settings) => this.drawHover(ctx, data, settings),
    });
    this.sigma.on("clickNode", (e) => on.click(e.node));
    this.sigma.on("doubleClickNode", (e) => (e.preventSigmaDefault(), on.open(e.node)));
    this.sigma.on("clickStage", () => on.empty());
    let timer = 0;
    this.sigma.getCamera().on("updated", (s) => {
      clearTimeout(timer);
      timer = window.setTimeout(() => {
        on.moved({ x: s.x, y: s.y, ratio: s.ratio });
        this.linksInSight();
      }, 250);
    });
  }

  /** Everything anew: twins, links, places. */
  load(list: readonly Entry[], links: Links, places: Places, colour: (i: number) => string): void {
    const large = list.length > LARGE;
    this.graph.clear();
    list.forEach((e, i) => {
      this.graph.addNode(e.id, {
        x: places.x[i],
        y: places.y[i],
        label: e.label,
        color: colour(i),
        type: large ? "point" : "circle",
        size: Math.max(large ? 1.6 : 4, Math.min(large ? 8 : 14, 2.2 * Math.sqrt(places.radius[i]!))),
      });
    });
    this.list = list;
    this.index = new Map(list.map((e, i) => [e.id, i]));
    this.sparse = large ? new Adjacency(list.length, links) : null;
    if (!large) for (let i = 0; i < links.name.length; i++) this.draw(links, i);
    if (list.length > 1 && list.length <= PULLED_MAX) this.pull();
    this.sigma.setSetting("hideEdgesOnMove", large);
    this.sigma.setSetting("hideLabelsOnMove", large);
    this.sigma.setSetting("labelRenderedSizeThreshold", large ? 5 : 6);
    this.sigma.refresh();
  }

  private draw(links: Links, i: number): void {
    const id = `l${i}`;
    if (this.graph.hasEdge(id)) return;
    this.graph.addEdgeWithKey(id, this.list[links.from[i]!]!.id, this.list[links.to[i]!]!.id, {
      size: 1.1,
      type: "arrow",
      name: links.names[links.name[i]!],
    });
  }

  /** Of a large graph: the links of what is chosen, and those between the twins in sight when these are few. */
  private linksInSight(): void {
    const { sparse } = this;
    if (!sparse) return;
    const wanted = new Set(this.chosen ? sparse.linksOf(this.index.get(this.chosen) ?? -1, CHOSEN_LINKS) : []);
    const seen = this.twinsInSight();
    if (seen) for (const l of sparse.between(seen, SIGHT_LINKS)) wanted.add(l);
    const gone = this.graph.filterEdges((id) => !wanted.has(Number(id.slice(1))));
    if (!gone.length && [...wanted].every((l) => this.graph.hasEdge(`l${l}`))) return;
    for (const id of gone) this.graph.dropEdge(id);
    for (const l of wanted) this.draw(sparse.links, l);
  }

  /** Numbers of the twins in sight; null when they are many. */
  private twinsInSight(): Set<number> | null {
    if (this.sigma.getCamera().ratio > 0.5) return null;
    const { width, height } = this.sigma.getDimensions();
    const a = this.sigma.viewportToGraph({ x: 0, y: 0 });
    const b = this.sigma.viewportToGraph({ x: width, y: height });
    const [left, right] = [Math.min(a.x, b.x), Math.max(a.x, b.x)];
    const [low, high] = [Math.min(a.y, b.y), Math.max(a.y, b.y)];
    const seen = new Set<number>();
    let i = -1;
    for (const node of this.graph.nodeEntries()) {
      i++;
      const { x, y } = node.attributes as { x: number; y: number };
      if (x < left || x > right || y < low || y > high) continue;
      seen.add(i);
      if (seen.size > SIGHT_TWINS) return null;
    }
    return seen;
  }

  private pull(): void {
    forceAtlas2.assign(this.graph, {
      iterations: this.graph.order < 500 ? 220 : 90,
      settings: {
        gravity: 0.6,
        scalingRatio: 18,
        barnesHutOptimize: this.graph.order > 400,
        slowDown: 6,
        adjustSizes: false,
      },
    });
  }

  setLook(look: Look): void {
    this.look = look;
    this.sigma.setSetting("labelColor", { color: look.text });
    this.sigma.refresh({ skipIndexation: true });
  }

  /** Colours of some twins; the picture follows at the next frame. */
  paint(list: Iterable<[id: string, colour: string]>): void {
    const nodes: string[] = [];
    for (const [id, colour] of list) {
      if (!this.graph.hasNode(id) || this.graph.getNodeAttribute(id, "color") === colour) continue;
      (this.graph.getNodeAttributes(id) as { color: string }).color = colour;
      nodes.push(id);
    }
    if (nodes.length) this.sigma.refresh({ partialGraph: { nodes }, skipIndexation: true, schedule: true });
  }

  choose(id: string, jump: boolean): void {
    this.chosen = this.graph.hasNode(id) ? id : "";
    this.linksInSight();
    this.near = new Set(this.chosen ? this.graph.neighbors(this.chosen) : []);
    this.sigma.refresh({ skipIndexation: true });
    if (!this.chosen || !jump) return;
    const at = this.sigma.getNodeDisplayData(this.chosen);
    if (at)
      void this.sigma
        .getCamera()
        .animate({ x: at.x, y: at.y, ratio: Math.min(this.sigma.getCamera().ratio, 0.5) }, { duration: 300 });
  }

  /** Only these; null: all. */
  filter(ids: ReadonlySet<string> | null): void {
    this.hidden = ids;
    this.sigma.refresh({ skipIndexation: true });
  }

  private reduceNode(id: string, data: Record<string, unknown>): Record<string, unknown> {
    if (this.hidden && !this.hidden.has(id)) return { ...data, hidden: true };
    if (!this.chosen) return this.hidden && this.hidden.size <= FEW ? { ...data, forceLabel: true } : data;
    if (id === this.chosen) return { ...data, highlighted: true, zIndex: 2, forceLabel: true };
    if (this.near.has(id)) return { ...data, zIndex: 1, forceLabel: this.near.size < 40 };
    return { ...data, color: this.look.faint, label: "", zIndex: 0 };
  }

  private reduceEdge(id: string, data: Record<string, unknown>): Record<string, unknown> {
    const color = this.look.edge;
    if (!this.chosen) return { ...data, color };
    const on = this.graph.hasExtremity(id, this.chosen);
    return on
      ? { ...data, color: this.look.ring, size: 2, zIndex: 1 }
      : { ...data, color, hidden: this.graph.order > 500 };
  }

  private drawHover(
    ctx: CanvasRenderingContext2D,
    data: { x: number; y: number; size: number; label?: string | null },
    settings: { labelSize: number; labelFont: string },
  ): void {
    ctx.beginPath();
    ctx.arc(data.x, data.y, data.size + 3, 0, 2 * Math.PI);
    ctx.strokeStyle = this.look.ring;
    ctx.lineWidth = 2;
    ctx.stroke();
    if (!data.label) return;
    ctx.font = `600 ${settings.labelSize}px ${settings.labelFont}`;
    const w = ctx.measureText(data.label).width;
    ctx.fillStyle = this.look.dark ? "#12181bee" : "#ffffffee";
    ctx.fillRect(data.x + data.size + 6, data.y - 10, w + 10, 20);
    ctx.fillStyle = this.look.text;
    ctx.fillText(data.label, data.x + data.size + 11, data.y + 4);
  }

  kill(): void {
    this.sigma.kill();
  }
}
