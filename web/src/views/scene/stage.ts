// SPDX-License-Identifier: Apache-2.0
// The drawn scene: three.js, drawn only when something moved or changed; names on a canvas above it, where they fit.
import * as three from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { perTheme, token } from "~/ui/tokens";
import type { Tone } from "~/views/map/tint";
import { Backdrop } from "./backdrop";
import { Flight } from "./flight";
import { Names, type Named } from "./names";
import type { Body, Parts } from "./parts";

export interface SceneLook {
  dark: boolean;
  sky: string; // above
  floor: string; // the ground around the scene, and the horizon
  text: string;
  halo: string;
  ring: string;
  bad: string;
}

export const lookOf = perTheme((dark): SceneLook => {
  const of = (name: string) => token(name, dark);
  return {
    dark,
    sky: of(dark ? "n0" : "n3"),
    floor: of("n2"),
    text: of("n9"),
    halo: of("n1"),
    ring: of("teal"),
    bad: of("bad"),
  };
});

export interface Painted {
  colour: string | null; // null: as the model has it
  label: string;
  value: string;
  bad: boolean;
  glow: string; // a colour, where it differs from another world
  tone: Tone; // its sign stands before its name
  ink: string; // of the sign
}

const LOOKS = ["colour", "label", "value", "bad", "glow", "tone", "ink"] as const;
const alike = (a: Painted | undefined, b: Painted): boolean => a !== undefined && LOOKS.every((k) => a[k] === b[k]);

export interface Picked {
  click(id: string): void;
  open(id: string): void;
  empty(): void;
  moved(camera: number[]): void; // position, target
  moving?(camera: number[]): void; // at once
}

const NIGHT = new three.Color(0.34, 0.4, 0.45); // through which things that are no twins are seen in the dark
const DAY = new three.Color(1, 1, 1);
const DRAG = 4;

export class SceneStage {
  private readonly renderer: three.WebGLRenderer;
  private readonly scene = new three.Scene();
  private readonly camera = new three.PerspectiveCamera(38, 1, 0.5, 4000);
  private readonly controls: OrbitControls;
  private readonly flight: Flight;
  private readonly backdrop = new Backdrop(this.scene);
  private readonly frame = new three.Box3Helper(new three.Box3());
  private readonly hover = new three.Box3Helper(new three.Box3());
  private readonly names: Names;
  private parts: Parts | null = null;
  private readonly bodies = new Map<string, Body>();
  private ground = new Set<string>();
  private painted: ReadonlyMap<string, Painted> = new Map();
  private chosen = "";
  private hovered = "";
  private clicked = ""; // here: the camera stays where it is
  private asked = 0;
  private timer = 0;
  private readonly watch: ResizeObserver;

  constructor(
    private readonly box: HTMLElement,
    private look: SceneLook,
    private readonly on: Picked,
  ) {
    this.renderer = new three.WebGLRenderer({ antialias: true, powerPreference: "high-performance" });
    this.renderer.setPixelRatio(Math.min(2, devicePixelRatio));
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = three.PCFSoftShadowMap;
    this.renderer.shadowMap.autoUpdate = false;
    const canvas = this.renderer.domElement;
    canvas.className = "scene-canvas";
    box.append(canvas);
    this.names = new Names(box);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.maxPolarAngle = Math.PI / 2 - 0.03;
    this.controls.screenSpacePanning = false;
    this.controls.zoomToCursor = true;
    this.flight = new Flight(this.camera, this.controls);
    this.controls.addEventListener("change", () => this.moved());
    this.controls.addEventListener("start", () => this.flight.stop()); // the hand has it now
    this.frame.visible = this.hover.visible = false;
    this.scene.add(this.frame, this.hover);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(box);
    this.resize();
    this.listen(canvas);
    this.setLook(look);
  }

  private listen(canvas: HTMLCanvasElement): void {
    let from = { x: 0, y: 0 };
    canvas.addEventListener("pointerdown", (e) => (from = { x: e.clientX, y: e.clientY }));
    canvas.addEventListener("pointerup", (e) => {
      if (Math.hypot(e.clientX - from.x, e.clientY - from.y) > DRAG || e.button !== 0) return;
      const id = this.at(e);
      this.clicked = id;
      if (id) this.on.click(id);
      else this.on.empty();
    });
    canvas.addEventListener("dblclick", (e) => {
      const id = this.at(e);
      if (id) this.on.open(id);
    });
    canvas.addEventListener("pointermove", (e) => {
      if (e.buttons || e.pointerType === "touch") return;
      const id = this.at(e);
      canvas.style.cursor = id ? "pointer" : "grab";
      if (id === this.hovered) return;
      this.hovered = id;
      this.frameOf(this.hover, id === this.chosen ? "" : id);
      this.draw();
    });
  }

  load(parts: Parts): void {
    if (this.parts) {
      this.scene.remove(this.parts.root);
      discard(this.parts.root);
    }
    this.parts = parts;
    this.bodies.clear();
    for (const b of parts.bodies) this.bodies.set(b.id, b);
    this.ground = groundOf(parts.bodies);
    this.scene.add(parts.root);
    const r = this.backdrop.around(parts.box);
    this.camera.near = r / 400;
    this.camera.far = r * 12;
    this.camera.updateProjectionMatrix();
    this.controls.maxDistance = r * 5;
    this.controls.minDistance = r / 150;
    this.renderer.shadowMap.needsUpdate = true;
    this.setLook(this.look);
  }

  setLook(look: SceneLook): void {
    this.look = look;
    this.backdrop.setLook(look);
    for (const s of this.parts?.still ?? []) s.material.color.copy(s.own).multiply(look.dark ? NIGHT : DAY);
    (this.frame.material as three.LineBasicMaterial).color.set(look.ring);
    (this.hover.material as three.LineBasicMaterial).color.set(look.text);
    this.repaint();
  }

  /** Draws only when it would look otherwise. */
  paint(painted: ReadonlyMap<string, Painted>): void {
    const was = this.painted;
    this.painted = painted;
    let same = was.size === painted.size;
    if (same) for (const [id, p] of painted) if (!(same &&= alike(was.get(id), p))) break;
    if (!same) this.repaint();
  }

  private repaint(): void {
    for (const [id, b] of this.bodies) {
      const p = this.painted.get(id);
      b.meshes.forEach((m, i) => {
        if (p?.colour && !this.ground.has(id)) m.material.color.set(p.colour);
        else m.material.color.copy(b.own[i]!).multiply(this.look.dark ? NIGHT : DAY);
        const light = p?.bad ? this.look.bad : p?.glow;
        m.material.emissive.set(light || 0).multiplyScalar(light && !this.ground.has(id) ? 0.5 : 0);
      });
    }
    this.draw();
  }

  choose(id: string, jump: boolean): void {
    this.chosen = this.bodies.has(id) ? id : "";
    this.frameOf(this.frame, this.chosen);
    this.frameOf(this.hover, "");
    if (this.chosen && jump && id !== this.clicked) this.flight.near(this.bodies.get(id)!.box);
    this.clicked = "";
    this.draw();
  }

  private frameOf(h: three.Box3Helper, id: string): void {
    const b = this.bodies.get(id);
    h.visible = Boolean(b);
    if (b) h.box.copy(b.box).expandByScalar(0.15);
  }

  fitAll(animate = true): void {
    if (this.parts) this.flight.all(this.parts.box, animate);
  }

  setCamera(c: readonly number[]): void {
    this.flight.to(new three.Vector3(c[0], c[1], c[2]), new three.Vector3(c[3], c[4], c[5]), 0);
  }

  /** Keys: turn, tilt (radians), nearer or farther (factor). */
  orbit(turn: number, tilt: number, factor = 1): void {
    this.flight.orbit(turn, tilt, factor);
  }

  private moved(): void {
    this.draw();
    const now = () => [...this.camera.position.toArray(), ...this.controls.target.toArray()];
    if (this.parts) this.on.moving?.(now());
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.parts && this.on.moved(now()), 300);
  }

  /** What lies under the pointer: the nearest box, those that others stand in last. */
  private at(e: { clientX: number; clientY: number }): string {
    const r = this.box.getBoundingClientRect();
    const p = new three.Vector2(((e.clientX - r.left) / r.width) * 2 - 1, 1 - ((e.clientY - r.top) / r.height) * 2);
    const ray = new three.Raycaster();
    ray.setFromCamera(p, this.camera);
    let best = "";
    let nearest = Infinity;
    const hit = new three.Vector3();
    for (const [id, b] of this.bodies) {
      if (!ray.ray.intersectBox(b.box, hit)) continue;
      const d = hit.distanceTo(this.camera.position) + (this.ground.has(id) ? 1e6 : 0);
      if (d < nearest) [best, nearest] = [id, d];
    }
    return best;
  }

  private resize(): void {
    const { clientWidth: w, clientHeight: h } = this.box;
    if (!w || !h) return;
    this.renderer.setSize(w, h, false);
    this.camera.aspect = w / h;
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  private draw(): void {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.backdrop.fade(this.camera);
      this.renderer.render(this.scene, this.camera);
      this.names.draw(this.named(), this.camera, this.look);
    });
  }

  private *named(): Generator<Named> {
    for (const [id, b] of this.bodies) {
      const p = this.painted.get(id);
      if (!p) continue;
      const rank =
        id === this.chosen
          ? 9
          : id === this.hovered
            ? 8
            : p.bad || p.glow
              ? 7
              : this.ground.has(id)
                ? 4
                : p.value
                  ? 5
                  : 3;
      yield {
        box: b.box,
        label: p.label,
        value: p.value,
        bad: p.bad,
        tone: p.tone,
        ink: p.ink,
        ground: this.ground.has(id),
        rank,
      };
    }
  }

  kill(): void {
    this.watch.disconnect();
    clearTimeout(this.timer);
    cancelAnimationFrame(this.asked);
    this.flight.stop();
    this.controls.dispose();
    if (this.parts) discard(this.parts.root);
    this.backdrop.kill();
    this.renderer.dispose();
    this.renderer.domElement.remove();
    this.names.kill();
  }
}

/** What it holds on the graphics card is given back. */
function discard(root: three.Object3D): void {
  root.traverse((o) => {
    const m = o as three.Mesh;
    if (!m.isMesh) return;
    m.geometry.dispose();
    for (const one of Array.isArray(m.material) ? m.material : [m.material]) {
      (one as three.MeshStandardMaterial).map?.dispose();
      one.dispose();
    }
  });
}

/** Those in which others stand. */
function groundOf(bodies: readonly Body[]): Set<string> {
  const all = bodies.map(({ id, box }) => {
    const size = box.getSize(new three.Vector3());
    return { id, box, middle: box.getCenter(new three.Vector3()), room: size.x * size.z };
  });
  type One = (typeof all)[number];
  const inside = ({ box }: One, { middle: p }: One) =>
    p.x > box.min.x && p.x < box.max.x && p.z > box.min.z && p.z < box.max.z;
  return new Set(all.filter((b) => all.some((o) => o.room < b.room && inside(b, o))).map((b) => b.id));
}
