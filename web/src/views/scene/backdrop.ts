// SPDX-License-Identifier: Apache-2.0
// What is around a scene: the light, the sky, and a ground that goes on around the model and fades into the horizon.
import * as three from "three";
import type { SceneLook } from "./stage";

const FLOOR = 6; // radii of the scene to which the ground goes on

export class Backdrop {
  private readonly sun = new three.DirectionalLight(0xffffff, 2.1);
  private readonly sky = new three.HemisphereLight(0xffffff, 0xb8c0c4, 1.7);
  private readonly floor = new three.Mesh(
    new three.CircleGeometry(1, 64),
    new three.MeshBasicMaterial({ depthWrite: false }),
  );
  private readonly fog = new three.Fog(0xffffff, 1, 2);
  private radius = 1; // of the model

  constructor(private readonly scene: three.Scene) {
    this.sun.castShadow = true;
    this.sun.shadow.mapSize.set(2048, 2048);
    this.sun.shadow.radius = 2.5;
    this.sun.shadow.bias = -0.0004;
    this.sun.shadow.normalBias = 0.06;
    this.floor.rotation.x = -Math.PI / 2;
    this.floor.renderOrder = -1;
    this.floor.visible = false;
    scene.fog = this.fog;
    scene.add(this.sun, this.sun.target, this.sky, this.floor);
  }

  /** Light and ground for a model that takes so much room; its radius. */
  around(box: three.Box3): number {
    const middle = box.getCenter(new three.Vector3());
    const r = (this.radius = Math.max(1, box.getSize(new three.Vector3()).length() / 2));
    this.sun.position.copy(middle).add(new three.Vector3(-0.55, 1, 0.42).multiplyScalar(r * 1.6));
    this.sun.target.position.copy(middle);
    const s = this.sun.shadow.camera;
    s.left = s.bottom = -r;
    s.right = s.top = r;
    s.near = r * 0.2;
    s.far = r * 4;
    s.updateProjectionMatrix();
    this.floor.visible = true;
    this.floor.position.set(middle.x, box.min.y - r / 2000, middle.z);
    this.floor.scale.setScalar(r * FLOOR);
    return r;
  }

  setLook(look: SceneLook): void {
    this.dispose();
    this.scene.background = gradient(look.sky, look.floor);
    this.fog.color.set(look.floor);
    this.floor.material.color.set(look.floor);
    this.sky.groundColor.set(look.dark ? 0x2a3236 : 0xb8c0c4);
    this.sky.intensity = look.dark ? 1.5 : 1.55;
    this.sun.intensity = look.dark ? 1.5 : 1.8;
  }

  /** The scene itself stays clear, from wherever one looks at it; only the ground fades. */
  fade(camera: three.Camera): void {
    const away = camera.position.distanceTo(this.floor.position);
    this.fog.near = away + this.radius * 1.3;
    this.fog.far = away + this.radius * (FLOOR - 1);
  }

  private dispose(): void {
    (this.scene.background as three.Texture | null)?.dispose();
  }

  kill(): void {
    this.floor.geometry.dispose();
    this.floor.material.dispose();
    this.dispose();
  }
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
