// SPDX-License-Identifier: Apache-2.0
// The drawn graph: Sigma draws the dots in WebGL and moves the camera; floors, links, clusters and names are drawn
// beside it. Colours change a few at a time, and nothing is laid out again for it.
import Graph from "graphology";
import Sigma from "sigma";
import type { Entry, Links } from "~/api/catalogue";
import type { Attention } from "~/views/overview/attention";
import type { Adjacency } from "./adjacency";
import { px, py, type View } from "./camera";
import { seen } from "./clusters";
import { dotProgram, LEAST, newDotLook } from "./dots";
import { Flight } from "./flight";
import { inkOf, type Ink } from "./ink";
import type { Places } from "./layout";
import { Picture } from "./picture";
import { Pointer, type Picked } from "./pointer";
import { Scene } from "./scene";
import { calmly, travel, type Frame } from "./travel";
import { Wires } from "./wires";
import type { Curve } from "./curves";

export interface Look {
  text: string;
  edge: string;
  faint: string;
  ring: string;
  dark: boolean;
}

/** What is told of (a path): it is drawn strongly, all else stands back. */
export interface Emphasis {
  twins: ReadonlySet<string>;
  links: ReadonlySet<number>; // numbers of links
}

type Attributes = { x: number; y: number; size: number; color: string };

const REST_MS = 250; // after which the camera has come to rest
const SIZED_PX = 48; // the largest radius, when sizes tell values
const PAD = 36; // pixels around what is drawn
/** In a box lower than its padding Sigma would turn the picture inside out. */
const padOf = (box: HTMLElement): number => Math.min(PAD, Math.min(box.clientWidth, box.clientHeight) / 4);
const BARS = 0.1; // of the height, for the bars at the top
const FADE = { chosen: 0.72, lit: 0.88 };
const NOTHING: Places = {
  x: new Float64Array(),
  y: new Float64Array(),
  radius: new Float64Array(),
  slot: 1,
  groups: { list: [], of: new Int32Array(), lone: [] },
  box: { x: [-1, 1], y: [-1, 1] },
};

export class Stage {
  graph = new Graph({ type: "undirected" });
  readonly sigma: Sigma;
  private scene: Scene;
  private wires: Wires;
  private readonly picture: Picture;
  private readonly dots = newDotLook();
  private ink: Ink;
  ghost = "#888888"; // in which colour ghosts are drawn
  private told: Emphasis | null = null;
  private readonly drawnBy = new Set<() => void>();
  private readonly flight: Flight;
  private readonly pointer: Pointer;
  private frame = 0;
  private saying = 0;
  private rest = 0;
  private stopTravel = () => {};

  constructor(
    private readonly box: HTMLElement,
    look: Look,
    private readonly on: Picked,
  ) {
    this.scene = new Scene([], undefined, NOTHING);
    this.wires = new Wires(this.scene);
    this.ink = inkOf(look.dark);
    this.sigma = new Sigma(this.graph, box, {
      allowInvalidContainer: true,
      nodeProgramClasses: { dot: dotProgram(this.dots) },
      defaultNodeType: "dot",
      defaultDrawNodeHover: () => {},
      renderLabels: false,
      enableCameraRotation: false,
      doubleClickZoomingRatio: 1,
      stagePadding: padOf(box),
      maxCameraRatio: 2.5,
      nodeReducer: (id, data) => this.reduce(id, data as Attributes),
    });
    this.flight = new Flight(this.sigma);
    this.picture = new Picture(this.sigma, this.dots);
    this.pointer = new Pointer(box, this.sigma, this.picture, this.dots, this.flight, on, {
      scene: () => this.scene,
      redraw: (which) => this.redraw(which),
    });
    this.setLook(look);
    this.listen();
  }

  private listen(): void {
    const { sigma } = this;
    sigma.on("afterRender", () => this.drawAround());
    sigma.on("resize", () => {
      const pad = padOf(this.box);
      if (pad !== sigma.getSetting("stagePadding")) sigma.setSetting("stagePadding", pad);
    });
    sigma.getCamera().on("updated", () => {
      clearTimeout(this.rest);
      this.rest = window.setTimeout(() => this.rested(), REST_MS);
    });
  }

  private rested(): void {
    const { x, y, ratio } = this.sigma.getCamera();
    this.on.moved({ x, y, ratio });
    if (this.wires.look(this.picture.view())) this.redraw("under");
  }

  /** What is to be seen, as numbers on the element: a canvas says nothing to anybody who asks. */
  private say(): void {
    this.saying = 0;
    const { scene } = this;
    const v = this.picture.view();
    let closed = 0;
    let needing = 0;
    for (const s of seen(scene.clusters, v)) {
      if (s.open >= 0.5 || s.alpha < 0.5) continue;
      closed++;
      needing += scene.clusters.bad[s.group]!;
    }
    const names = this.picture.room.boxes.filter((b) => b.twin >= 0).length;
    const { ghosts } = this.picture;
    const told = { clusters: closed, needing, links: this.wires.drawn().length, names, ghosts };
    for (const [k, n] of Object.entries(told)) this.box.dataset[k] = String(n);
  }

  /** Links of twins, both ways, also of those that are not drawn. */
  get links(): Adjacency {
    return this.scene.links;
  }

  /** Everything anew: twins, links, places. */
  load(
    list: readonly Entry[],
    links: Links,
    places: Places,
    colour: (i: number) => string,
    own = list.length, // those behind are ghosts
  ): void {
    this.stopTravel();
    const before = this.scene;
    const scene = (this.scene = new Scene(list, links, places, own));
    this.wires = new Wires(scene);
    const { x, y } = places.box;
    const box = { x, y: [y[0], y[1] + BARS * (y[1] - y[0])] as [number, number] };
    this.dots.unit = Math.max(box.x[1] - box.x[0], box.y[1] - box.y[0], 1e-9);
    this.dots.drawn = true;
    scene.clusters.begin();
    // Sigma would listen to each twin that comes: it is given all of them at once.
    const same = before.list === list;
    const graph = same ? this.graph : new Graph({ type: "undirected" });
    list.forEach((e, i) => {
      const color = colour(i);
      scene.clusters.paint(i, color);
      const a = { x: scene.x[i]!, y: scene.y[i]!, size: scene.radius[i]!, color };
      if (same) Object.assign(graph.getNodeAttributes(e.id), a);
      else graph.addNode(e.id, a);
    });
    if (before.hidden) scene.hide(Uint8Array.from(list, (e) => before.hidden![before.index.get(e.id) ?? -1] ?? 0));
    this.lookFew();
    scene.tell(before.attention);
    this.sigma.setCustomBBox(box);
    if (same) this.sigma.refresh();
    else {
      this.graph.clear();
      this.graph = graph;
      this.sigma.setGraph(graph);
    }
    this.flight.limit(this.picture.view());
    this.wires.look(this.picture.view());
    this.touchChosen();
    this.redraw("both");
    if (calmly(list.length, before.list.length)) this.stopTravel = travel(before, scene, this.stand);
  }

  private stand = (f: Frame): void => {
    this.scene.list.forEach((e, i) => {
      const a = this.graph.getNodeAttributes(e.id) as Attributes;
      [a.x, a.y] = [f.x[i]!, f.y[i]!];
    });
    this.sigma.refresh({ partialGraph: { nodes: this.graph.nodes() }, skipIndexation: true });
  };

  /** What Sigma gives is a copy already. */
  private reduce(id: string, data: Attributes): Record<string, unknown> {
    const i = this.scene.index.get(id);
    const { hidden, lit, own } = this.scene;
    // A ghost is drawn beside the dots, and pointed at like them: it is not hidden, but has less than no size.
    if (i !== undefined && i >= own) data.size = -1;
    return Object.assign(data, { hidden: i !== undefined && hidden?.[i] === 1, lit: i !== undefined && !!lit?.has(i) });
  }

  setLook(look: Look): void {
    this.ink = inkOf(look.dark);
    const n = parseInt(this.ink.ground.slice(1), 16);
    this.dots.ground = [(n >> 16) / 255, ((n >> 8) & 255) / 255, (n & 255) / 255];
    this.dots.rim = look.dark ? [1, 1, 1, 0.36] : [0, 0, 0, 0.22];
    this.sigma.scheduleRender();
    this.redraw("both");
  }

  /** Colours of some twins; the picture follows at the next frame. Dots under a closed cluster wait until it opens. */
  paint(list: Iterable<[id: string, colour: string]>): void {
    const { scene } = this;
    const all = Array.isArray(list) ? (list as [string, string][]) : [...list];
    if (all.length > scene.list.length / 2) scene.clusters.begin();
    const now: string[] = [];
    let covered = false;
    for (const [id, colour] of all) {
      const i = scene.index.get(id);
      if (i === undefined) continue;
      scene.clusters.paint(i, colour);
      const a = this.graph.getNodeAttributes(id) as Attributes;
      if (a.color === colour) continue;
      a.color = colour;
      const g = scene.groups.of[i]!;
      if (g < 0 || scene.open[g]) now.push(id);
      else scene.stale[i] = 1;
      covered ||= g >= 0;
    }
    if (now.length) this.repaint(now);
    if (covered && scene.open.includes(0)) this.redraw("over");
  }

  private repaint(nodes: string[]): void {
    this.sigma.refresh({ partialGraph: { nodes }, skipIndexation: true, schedule: true });
  }

  private repaintAll(): void {
    this.repaint(this.graph.nodes());
  }

  /** Sizes of some twins, as parts of the largest; null: as they were. */
  resize(list: Iterable<readonly [id: string, part: number]> | null): void {
    const { scene } = this;
    const most = list ? SIZED_PX : newDotLook().most;
    if (!list && this.dots.most === most) return;
    this.dots.most = most;
    const ids = scene.size(list).map((i) => {
      const { id } = scene.list[i]!;
      (this.graph.getNodeAttributes(id) as Attributes).size = scene.radius[i]!;
      return id;
    });
    scene.grid.resized();
    this.repaint(ids);
    this.redraw("over");
  }

  /** Who needs somebody. */
  attention(map: ReadonlyMap<string, Attention>): void {
    this.scene.tell(map);
    this.redraw("both");
  }

  choose(id: string, jump: boolean): void {
    this.scene.chosen = this.scene.index.get(id) ?? -1;
    this.touchChosen();
    if (jump) this.bring(id);
  }

  /** These strongly and all else faint; null: as the choice has it. */
  emphasise(e: Emphasis | null): void {
    this.told = e;
    this.wires.told = e?.links ?? null;
    this.touchChosen();
  }

  /** Who is lit follows from what is chosen; only those it concerns are drawn again. */
  private touchChosen(): void {
    const { scene, told } = this;
    const was = scene.lit;
    if (told) scene.lit = new Set([...told.twins].map((id) => scene.index.get(id) ?? -1).filter((i) => i >= 0));
    else if (scene.chosen >= 0) {
      const lit = (scene.lit = new Set([scene.chosen]));
      scene.links.around(scene.chosen, (_, other) => lit.add(other));
    } else scene.lit = null;
    this.dots.fade = told ? FADE.lit : scene.lit ? FADE.chosen : 0;
    this.wires.choose();
    const ids = [...new Set([...(was ?? []), ...(scene.lit ?? [])])].map((i) => scene.list[i]?.id);
    this.repaint(ids.filter((id): id is string => id !== undefined && this.graph.hasNode(id)));
    this.redraw("both");
  }

  /** Only these; null: all. */
  filter(ids: ReadonlySet<string> | null): void {
    const { scene } = this;
    scene.hide(ids ? Uint8Array.from(scene.list, (e) => (ids.has(e.id) ? 0 : 1)) : null);
    this.lookFew();
    this.wires.again();
    this.repaintAll();
    this.redraw("both");
  }

  /** Few twins are seen from afar too. */
  private lookFew(): void {
    this.dots.least = this.scene.clusters.few ? LEAST.few : LEAST.many;
  }

  /** The twin under a place of the box, in px; "": none. */
  pick(x: number, y: number): string {
    return this.pointer.pick(x, y);
  }

  /** Where a twin is drawn; null: not known, or under a closed cluster. */
  at(id: string): { x: number; y: number; r: number } | null {
    const { scene } = this;
    const i = scene.index.get(id);
    const v = this.picture.view();
    if (i === undefined || !scene.uncovered(i, v)) return null;
    return { x: px(v, scene.x[i]!), y: py(v, scene.y[i]!), r: scene.px(i, v, this.dots) };
  }

  /** Only another world has it. */
  isGhost(id: string): boolean {
    return (this.scene.index.get(id) ?? -1) >= this.scene.own;
  }

  /** It is filtered away. */
  hides(id: string): boolean {
    return this.scene.hidden?.[this.scene.index.get(id) ?? -1] === 1;
  }

  /** A link's Bézier curve on the screen, from its source to its target. */
  curve(link: number): Curve | null {
    const l = this.scene.links.links;
    if (link < 0 || link >= l.from.length) return null;
    const v = this.picture.view();
    return this.wires.curve(link).map((c, k) => (k % 2 ? py(v, c) : px(v, c))) as Curve;
  }

  /** Numbers of the links that are drawn. */
  drawn(): number[] {
    return this.wires.drawn();
  }

  /** Puts a twin somewhere, in lengths of the graph. */
  move(id: string, x: number, y: number): void {
    const i = this.scene.index.get(id);
    if (i === undefined) return;
    [this.scene.x[i], this.scene.y[i]] = [x, y];
    Object.assign(this.graph.getNodeAttributes(id), { x, y });
    this.scene.grid.build();
    this.wires.again();
    this.repaint([id]);
    this.redraw("both");
  }

  /** The camera to all. */
  fit(): void {
    this.flight.all();
  }

  /** The camera to a twin. */
  bring(id: string): void {
    const i = this.scene.index.get(id);
    if (i !== undefined) this.flight.twin(this.scene, this.picture.view(), i);
  }

  /** After each frame that was drawn. */
  onDraw(f: () => void): () => void {
    this.drawnBy.add(f);
    return () => this.drawnBy.delete(f);
  }

  /** Draws what lies over the dots once more. */
  again(): void {
    this.redraw("over");
  }

  private redraw(which: "under" | "over" | "both"): void {
    this.picture.touch(which);
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.drawAround();
    });
  }

  private drawAround(): void {
    const v = this.picture.draw(this.scene, this.wires, this.ink, this.ghost);
    this.uncover(v);
    for (const f of this.drawnBy) f();
    this.saying ||= window.setTimeout(() => this.say(), REST_MS);
  }

  /** Which groups show their dots; colours that waited for it are drawn now. */
  private uncover(v: View): void {
    const { scene } = this;
    scene.open.fill(0);
    const opened: number[] = [];
    for (const s of seen(scene.clusters, v)) {
      if (s.open === 0) continue;
      scene.open[s.group] = 1;
      opened.push(s.group);
    }
    const late: string[] = [];
    for (const g of opened)
      for (const i of scene.groups.list[g]!.leaves) {
        if (!scene.stale[i]) continue;
        scene.stale[i] = 0;
        late.push(scene.list[i]!.id);
      }
    if (late.length) this.repaint(late);
  }

  kill(): void {
    this.stopTravel();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.rest);
    clearTimeout(this.saying);
    this.sigma.kill();
  }
}
