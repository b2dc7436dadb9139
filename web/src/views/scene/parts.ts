// SPDX-License-Identifier: Apache-2.0
// A model taken apart: what shows a twin's colour stays a mesh of its own, everything else becomes one mesh a material,
// so that a scene of thousands of parts takes few draw calls.
import * as three from "three";
import { mergeGeometries } from "three/examples/jsm/utils/BufferGeometryUtils.js";

/** Meshes of this material show the colour of their twin; a twin without any shows it on all of its meshes. */
const STATUS = "status";

export interface Body {
  id: string;
  box: three.Box3;
  meshes: three.Mesh<three.BufferGeometry, three.MeshLambertMaterial>[];
  own: three.Color[]; // their colours when nothing is known
}

export interface Still {
  material: three.MeshLambertMaterial;
  own: three.Color;
}

export interface Parts {
  root: three.Group;
  bodies: Body[];
  still: Still[];
  box: three.Box3;
  missing: string[]; // twins whose nodes the model has not
}

/** Matt, lit, without reflections: quick in software too, and quiet. */
function matt(m: three.Material): three.MeshLambertMaterial {
  const s = m as three.MeshStandardMaterial;
  const out = new three.MeshLambertMaterial({
    name: m.name,
    color: s.color?.clone() ?? new three.Color(0xcccccc),
    map: s.map ?? null,
    transparent: m.transparent,
    opacity: m.opacity,
    side: m.side,
    vertexColors: s.vertexColors,
  });
  if (m.transparent) out.depthWrite = false;
  return out;
}

/** Triangles of a mesh in the world's place, with what merging needs and nothing else. */
function baked(mesh: three.Mesh, withUv: boolean): three.BufferGeometry {
  const g = mesh.geometry.index ? mesh.geometry.toNonIndexed() : mesh.geometry.clone();
  for (const name of Object.keys(g.attributes))
    if (name !== "position" && name !== "normal" && !(withUv && name === "uv")) g.deleteAttribute(name);
  if (!g.attributes.normal) g.computeVertexNormals();
  if (withUv && !g.attributes.uv)
    g.setAttribute("uv", new three.BufferAttribute(new Float32Array(g.attributes.position!.count * 2), 2));
  g.morphAttributes = {};
  return g.applyMatrix4(mesh.matrixWorld);
}

function bodyOf(id: string, node: three.Object3D): { body: Body; taken: Set<three.Mesh> } {
  const all: three.Mesh[] = [];
  node.traverse((o) => (o as three.Mesh).isMesh && all.push(o as three.Mesh));
  const marked = all.filter((m) => (m.material as three.Material).name === STATUS);
  const taken = new Set(marked.length ? marked : all);
  const meshes = [...taken].map((m) => {
    const mesh = new three.Mesh(baked(m, true), matt(m.material as three.Material));
    mesh.castShadow = mesh.receiveShadow = true;
    return mesh;
  });
  const body = {
    id,
    box: new three.Box3().setFromObject(node),
    meshes,
    own: meshes.map((m) => m.material.color.clone()),
  };
  return { body, taken };
}

export function partsOf(model: three.Object3D, twinOf: (name: string) => string | undefined): Parts {
  model.updateMatrixWorld(true);
  const root = new three.Group();
  const bodies: Body[] = [];
  const taken = new Set<three.Mesh>();
  model.traverse((o) => {
    const id = twinOf((o.userData.name as string | undefined) ?? o.name);
    if (id === undefined) return;
    const b = bodyOf(id, o);
    bodies.push(b.body);
    for (const m of b.taken) taken.add(m);
    root.add(...b.body.meshes);
  });
  const groups = new Map<three.Material, three.Mesh[]>();
  model.traverse((o) => {
    const m = o as three.Mesh;
    if (!m.isMesh || taken.has(m)) return;
    const material = m.material as three.Material;
    groups.set(material, [...(groups.get(material) ?? []), m]);
  });
  const still: Still[] = [];
  for (const [material, meshes] of groups) {
    const look = matt(material);
    const geometry = mergeGeometries(meshes.map((m) => baked(m, Boolean(look.map))));
    if (!geometry) continue;
    const mesh = new three.Mesh(geometry, look);
    mesh.castShadow = !material.transparent;
    mesh.receiveShadow = true;
    root.add(mesh);
    still.push({ material: look, own: look.color.clone() });
  }
  return { root, bodies, still, box: new three.Box3().setFromObject(root), missing: [] };
}

const NODES = 3000; // that are listed to be bound

/** Names of what a model is made of, as far as it says any: whole things before their parts. */
export function nodesOf(model: three.Object3D): string[] {
  const out = new Set<string>();
  const level: three.Object3D[] = [...model.children];
  while (level.length && out.size < NODES) {
    const o = level.shift()!;
    const name = (o.userData.name as string | undefined) ?? o.name;
    if (name) out.add(name);
    level.push(...o.children);
  }
  return [...out];
}
