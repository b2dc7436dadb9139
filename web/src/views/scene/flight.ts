// SPDX-License-Identifier: Apache-2.0
// Where the camera of a scene goes: to all, to a thing, around what it looks at.
import * as three from "three";
import type { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";

const GO_MS = 350;

export class Flight {
  private flying = 0;

  constructor(
    private readonly camera: three.PerspectiveCamera,
    private readonly controls: OrbitControls,
  ) {}

  to(position: three.Vector3, target: three.Vector3, ms = GO_MS): void {
    const from = this.camera.position.clone();
    const at = this.controls.target.clone();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const begin = performance.now();
    this.stop();
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

  stop(): void {
    cancelAnimationFrame(this.flying);
  }

  all(box: three.Box3, animate: boolean): void {
    const { position, target } = around(box, this.camera);
    this.to(position, target, animate ? GO_MS : 0);
  }

  /** Looks at a box from where one stands now, as near as it takes. */
  near(box: three.Box3): void {
    const target = box.getCenter(new three.Vector3());
    const r = Math.max(0.5, box.getSize(new three.Vector3()).length() / 2);
    const away = this.camera.position.clone().sub(this.controls.target).normalize();
    away.y = Math.max(0.35, away.y);
    const distance = Math.max(r * 3, 24) / Math.min(1, this.camera.aspect);
    this.to(target.clone().add(away.normalize().multiplyScalar(distance)), target);
  }

  /** Turn, tilt (radians), nearer or farther (factor). */
  orbit(turn: number, tilt: number, factor: number): void {
    const { camera, controls } = this;
    const offset = camera.position.clone().sub(controls.target);
    const s = new three.Spherical().setFromVector3(offset);
    s.theta += turn;
    s.phi = Math.min(controls.maxPolarAngle, Math.max(0.05, s.phi + tilt));
    s.radius = Math.min(controls.maxDistance, Math.max(controls.minDistance, s.radius * factor));
    camera.position.copy(controls.target).add(offset.setFromSpherical(s));
    controls.update();
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
