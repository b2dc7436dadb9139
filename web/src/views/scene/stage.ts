// SPDX-License-Identifier: Apache-2.0
// The drawn scene: three.js, drawn only when something moved or changed; names on a canvas above it, where they fit.
import * as three from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { Names, type Named } from "./names";
import type { Body, Parts } from "./parts";

export interface SceneLook {
  dark: boolean;
  sky: string;
  text: string;
  halo: string;
  ring: string;
  bad: string;
}

export const lookOf = (dark: boolean): SceneLook =>
  dark
    ? { dark, sky: "#12171a", text: "#e4e9ec", halo: "#12171a", ring: "#4fd1c5", bad: "#ff7062" }
    : { dark, sky: "#eef2f3", text: "#1d262b", halo: "#ffffff", ring: "#0c7c74", bad: "#c62f2a" };

export interface Painted {
  colour: string | null; // null: as the model has it
  label: string;
  value: string;
  bad: boolean;
}

export interface Picked {
  click(id: string): void;
  open(id: string): void;
  empty(): void;
  moved(camera: number[]): void; // position, target
}

const DIM = 0.42; // of colours of things that are no twins, in the dark
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
    this.controls.addEventListener("change", () => this.moved());
    this.frame.visible = this.hover.visible = false;
    this.sun.castShadow = true;
    this.sun.shadow.mapSize.set(2048, 2048);
    this.sun.shadow.bias = -0.0004;
    this.sun.shadow.normalBias = 0.06;
    this.scene.add(this.sun, this.sun.target, this.sky, this.frame, this.hover);
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
    if (this.parts) this.scene.remove(this.parts.root);
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
    this.scene.background = new three.Color(look.sky);
    this.sky.groundColor.set(look.dark ? 0x2a3236 : 0xb8c0c4);
    this.sky.intensity = look.dark ? 1.5 : 1.9;
    this.sun.intensity = look.dark ? 1.5 : 2.1;
    for (const s of this.parts?.still ?? []) s.material.color.copy(s.own).multiplyScalar(look.dark ? DIM : 1);
    (this.frame.material as three.LineBasicMaterial).color.set(look.ring);
    (this.hover.material as three.LineBasicMaterial).color.set(look.text);
    this.repaint();
  }

  paint(painted: ReadonlyMap<string, Painted>): void {
    this.painted = painted;
    this.repaint();
  }

  private repaint(): void {
    for (const [id, b] of this.bodies) {
      const p = this.painted.get(id);
      b.meshes.forEach((m, i) => {
        if (p?.colour && !this.ground.has(id)) m.material.color.set(p.colour);
        else m.material.color.copy(b.own[i]!).multiplyScalar(this.look.dark ? DIM : 1);
        m.material.emissive.set(p?.bad ? this.look.bad : "#000000").multiplyScalar(p?.bad ? 0.5 : 0);
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
    const step = () => {
      const part = still || !ms ? 1 : Math.min(1, (performance.now() - begin) / ms);
      const t = 1 - (1 - part) ** 3;
      this.camera.position.lerpVectors(from, position, t);
      this.controls.target.lerpVectors(at, target, t);
      this.controls.update();
      if (part < 1) requestAnimationFrame(step);
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
    clearTimeout(this.timer);
    this.timer = window.setTimeout(
      () => this.parts && this.on.moved([...this.camera.position.toArray(), ...this.controls.target.toArray()]),
      300,
    );
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
      this.renderer.render(this.scene, this.camera);
      this.names.draw(this.named(), this.camera, this.look);
    });
  }

  private *named(): Generator<Named> {
    for (const [id, b] of this.bodies) {
      const p = this.painted.get(id);
      if (!p) continue;
      const rank =
        id === this.chosen ? 9 : id === this.hovered ? 8 : p.bad ? 7 : this.ground.has(id) ? 4 : p.value ? 5 : 3;
      yield { box: b.box, label: p.label, value: p.value, bad: p.bad, ground: this.ground.has(id), rank };
    }
  }

  kill(): void {
    this.watch.disconnect();
    clearTimeout(this.timer);
    cancelAnimationFrame(this.asked);
    this.controls.dispose();
    this.parts?.root.traverse((o) => {
      const m = o as three.Mesh;
      if (!m.isMesh) return;
      m.geometry.dispose();
      (m.material as three.Material).dispose();
    });
    this.renderer.dispose();
    this.renderer.domElement.remove();
    this.names.kill();
  }
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
