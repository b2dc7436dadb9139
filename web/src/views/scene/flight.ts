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

const SIDES = [
  [-0.26, 0.85, 1], // from the front
  [1, 0.85, 0.26], // and from the side, if that is nearer: a long plant on a phone that is held upright
].map(([x, y, z]) => new three.Vector3(x, y, z).normalize());
const NEARER = 0.85; // of the way: less is worth another side
const SEEN = { x: 1.9, y: 1.72, down: 0.04 }; // of the window's 2 by 2, below the tools

/** From where all of a box is seen, no farther than it takes. */
function around(box: three.Box3, like: three.PerspectiveCamera): { position: three.Vector3; target: three.Vector3 } {
  const [front, side] = SIDES.map((away) => viewFrom(box, like, away));
  const { position, target } = side!.far < NEARER * front!.far ? side! : front!;
  return { position, target };
}

/** The same from one side: as far as it takes, the middle of what is seen in the middle of the window. */
function viewFrom(box: three.Box3, like: three.PerspectiveCamera, away: three.Vector3) {
  const camera = like.clone();
  const target = box.getCenter(new three.Vector3());
  target.y = Math.max(box.min.y, 0);
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
  const high = Math.tan((camera.fov * Math.PI) / 360);
  let far = 0;
  for (let round = 0; round < 6; round++) {
    let near = box.getSize(new three.Vector3()).length() / 50;
    far = near * 200;
    for (let k = 0; k < 24; k++) {
      const d = (near + far) / 2;
      const { x, y } = ends(d);
      if (x[1]! - x[0]! > SEEN.x || y[1]! - y[0]! > SEEN.y) near = d;
      else far = d;
    }
    const { x, y } = ends(far);
    // Along the ground: to the right, and away from whoever looks.
    const right = new three.Vector3(1, 0, 0).applyQuaternion(camera.quaternion);
    const up = new three.Vector3(0, 1, 0).applyQuaternion(camera.quaternion);
    const [level, steep] = [up.clone().setY(0).normalize(), Math.hypot(up.x, up.z)];
    target.addScaledVector(right, ((x[0]! + x[1]!) / 2) * far * high * camera.aspect);
    target.addScaledVector(level, (((y[0]! + y[1]!) / 2 + SEEN.down) * far * high) / steep);
  }
  return { position: target.clone().addScaledVector(away, far), target, far };
}
