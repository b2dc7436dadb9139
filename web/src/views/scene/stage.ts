// SPDX-License-Identifier: Apache-2.0
// The drawn scene: three.js, drawn only when something moved or changed; names on a canvas above it, where they fit.
import * as three from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { perTheme, token } from "~/ui/tokens";
import type { Tone } from "~/views/map/tint";
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
const FLOOR = 6; // radii of the scene to which the ground goes on
const DAY = new three.Color(1, 1, 1);
const GO_MS = 350;
const DRAG = 4;

export class SceneStage {
  private readonly renderer: three.WebGLRenderer;
  private readonly scene = new three.Scene();
  private readonly camera = new three.PerspectiveCamera(38, 1, 0.5, 4000);
  private readonly controls: OrbitControls;
  private readonly sun = new three.DirectionalLight(0xffffff, 2.1);
  private readonly sky = new three.HemisphereLight(0xffffff, 0xb8c0c4, 1.7);
  private readonly frame = new three.Box3Helper(new three.Box3());
  private readonly hover = new three.Box3Helper(new three.Box3());
  // The ground goes on around the model and fades into the horizon.
  private readonly floor = new three.Mesh(
    new three.CircleGeometry(1, 64),
    new three.MeshBasicMaterial({ depthWrite: false }),
  );
  private radius = 1; // of the model
  private readonly fog = new three.Fog(0xffffff, 1, 2);
  private readonly names: Names;
  private parts: Parts | null = null;
  private readonly bodies = new Map<string, Body>();
  private ground = new Set<string>();
  private painted: ReadonlyMap<string, Painted> = new Map();
  private chosen = "";
  private hovered = "";
  private clicked = ""; // here: the camera stays where it is
  private asked = 0;
  private flying = 0;
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
    this.controls.addEventListener("change", () => this.moved());
    this.controls.addEventListener("start", () => cancelAnimationFrame(this.flying)); // the hand has it now
    this.frame.visible = this.hover.visible = false;
    this.sun.castShadow = true;
    this.sun.shadow.mapSize.set(2048, 2048);
    this.sun.shadow.radius = 2.5;
    this.sun.shadow.bias = -0.0004;
    this.sun.shadow.normalBias = 0.06;
    this.floor.rotation.x = -Math.PI / 2;
    this.floor.renderOrder = -1;
    this.floor.visible = false;
    this.scene.add(this.sun, this.sun.target, this.sky, this.floor, this.frame, this.hover);
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
    const size = parts.box.getSize(new three.Vector3());
    const middle = parts.box.getCenter(new three.Vector3());
    const r = Math.max(1, size.length() / 2);
    this.sun.position.copy(middle).add(new three.Vector3(-0.55, 1, 0.42).multiplyScalar(r * 1.6));
    this.sun.target.position.copy(middle);
    const s = this.sun.shadow.camera;
    s.left = s.bottom = -r;
    s.right = s.top = r;
    s.near = r * 0.2;
    s.far = r * 4;
    s.updateProjectionMatrix();
    this.floor.visible = true;
    this.floor.position.set(middle.x, parts.box.min.y - r / 2000, middle.z);
    this.floor.scale.setScalar(r * FLOOR);
    this.radius = r;
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
    (this.scene.background as three.Texture | null)?.dispose();
    this.scene.background = gradient(look.sky, look.floor);
    this.scene.fog = this.fog;
    this.fog.color.set(look.floor);
    this.floor.material.color.set(look.floor);
    this.sky.groundColor.set(look.dark ? 0x2a3236 : 0xb8c0c4);
    this.sky.intensity = look.dark ? 1.5 : 1.55;
    this.sun.intensity = look.dark ? 1.5 : 1.8;
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
    if (this.chosen && jump && id !== this.clicked) this.goTo(this.bodies.get(id)!.box);
    this.clicked = "";
    this.draw();
  }

  private frameOf(h: three.Box3Helper, id: string): void {
    const b = this.bodies.get(id);
    h.visible = Boolean(b);
    if (b) h.box.copy(b.box).expandByScalar(0.15);
  }

  /** Look at a box from where one stands now, as near as it takes. */
  private goTo(box: three.Box3): void {
    const target = box.getCenter(new three.Vector3());
    const r = Math.max(0.5, box.getSize(new three.Vector3()).length() / 2);
    const away = this.camera.position.clone().sub(this.controls.target).normalize();
    away.y = Math.max(0.35, away.y);
    const distance = Math.max(r * 3, 24) / Math.min(1, this.camera.aspect);
    this.fly(target.clone().add(away.normalize().multiplyScalar(distance)), target);
  }

  fitAll(animate = true): void {
    if (!this.parts) return;
    const { position, target } = around(this.parts.box, this.camera);
    this.fly(position, target, animate ? GO_MS : 0);
  }

  setCamera(c: readonly number[]): void {
    this.fly(new three.Vector3(c[0], c[1], c[2]), new three.Vector3(c[3], c[4], c[5]), 0);
  }

  private fly(position: three.Vector3, target: three.Vector3, ms = GO_MS): void {
    const from = this.camera.position.clone();
    const at = this.controls.target.clone();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const begin = performance.now();
    cancelAnimationFrame(this.flying);
    const step = () => {
      const part = still || !ms ? 1 : Math.min(1, (performance.now() - begin) / ms);
      const t = 1 - (1 - part) ** 3;
      this.camera.position.lerpVectors(from, position, t);
      this.controls.target.lerpVectors(at, target, t);
      this.controls.update();
      if (part < 1) this.flying = requestAnimationFrame(step);
    };
    step();
  }

  /** Keys: turn, tilt (radians), nearer or farther (factor). */
  orbit(turn: number, tilt: number, factor = 1): void {
    const offset = this.camera.position.clone().sub(this.controls.target);
    const s = new three.Spherical().setFromVector3(offset);
    s.theta += turn;
    s.phi = Math.min(this.controls.maxPolarAngle, Math.max(0.05, s.phi + tilt));
    s.radius = Math.min(this.controls.maxDistance, Math.max(this.controls.minDistance, s.radius * factor));
    this.camera.position.copy(this.controls.target).add(offset.setFromSpherical(s));
    this.controls.update();
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
      // The scene itself stays clear, from wherever one looks at it; only the ground fades.
      const away = this.camera.position.distanceTo(this.floor.position);
      this.fog.near = away + this.radius * 1.3;
      this.fog.far = away + this.radius * (FLOOR - 1);
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
    cancelAnimationFrame(this.flying);
    this.controls.dispose();
    if (this.parts) discard(this.parts.root);
    this.floor.geometry.dispose();
    this.floor.material.dispose();
    (this.scene.background as three.Texture | null)?.dispose();
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

/** A sky that grows lighter, or darker, towards the horizon. */
function gradient(top: string, bottom: string): three.Texture {
  const c = document.createElement("canvas");
  [c.width, c.height] = [2, 256];
  const ctx = c.getContext("2d")!;
  const g = ctx.createLinearGradient(0, 0, 0, 256);
  g.addColorStop(0, top);
  g.addColorStop(0.55, bottom);
  ctx.fillStyle = g;
  ctx.fillRect(0, 0, 2, 256);
  const t = new three.CanvasTexture(c);
  t.colorSpace = three.SRGBColorSpace;
  return t;
}

/** From where all of a box is seen, no farther than it takes, below the tools. */
function around(box: three.Box3, like: three.PerspectiveCamera) {
  const camera = like.clone();
  const target = box.getCenter(new three.Vector3());
  const away = new three.Vector3(-0.26, 0.85, 1).normalize();
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map(
    (k) =>
      new three.Vector3(k & 1 ? box.max.x : box.min.x, k & 2 ? box.max.y : box.min.y, k & 4 ? box.max.z : box.min.z),
  );
  const ends = (distance: number) => {
    camera.position.copy(target).addScaledVector(away, distance);
    camera.lookAt(target);
    camera.updateMatrixWorld();
    const seen = corners.map((c) => c.clone().project(camera));
    const of = (pick: (v: three.Vector3) => number) => [Math.min(...seen.map(pick)), Math.max(...seen.map(pick))];
    return { x: of((v) => v.x), y: of((v) => v.y) };
  };
  const most = box.getSize(new three.Vector3()).length() * 4;
  let near = most / 200;
  let far = most;
  for (let k = 0; k < 40; k++) {
    const d = (near + far) / 2;
    const e = ends(d);
    if (e.x[0]! < -0.96 || e.x[1]! > 0.96 || e.y[1]! - e.y[0]! > 1.72) near = d;
    else far = d;
    // The middle of what is seen into the middle of the window.
    const up = new three.Vector3(0, 1, 0).applyQuaternion(camera.quaternion);
    const shift = ((e.y[0]! + e.y[1]!) / 2 + 0.04) * d * Math.tan((camera.fov * Math.PI) / 360);
    if (k > 6 && k % 4 === 0) target.addScaledVector(up, shift).setY(Math.max(box.min.y, 0));
  }
  return { position: target.clone().addScaledVector(away, far), target };
}

/** Those in which others stand. */
function groundOf(bodies: readonly Body[]): Set<string> {
  const middles = bodies.map((b) => b.box.getCenter(new three.Vector3()));
  const inside = (b: Body, p: three.Vector3) =>
    p.x > b.box.min.x && p.x < b.box.max.x && p.z > b.box.min.z && p.z < b.box.max.z;
  return new Set(bodies.filter((b, i) => middles.some((p, k) => k !== i && inside(b, p))).map((b) => b.id));
}
