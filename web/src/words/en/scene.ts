// SPDX-License-Identifier: Apache-2.0
// The 3D scene.
export const scene = {
  count: (n: number) => `A scene with ${n} twins`,
  title: "No scene yet",
  hint: "Drop a glTF model here, in one file. Nodes called as twins are bound to them. Or put files yourself:",
  choose: "Choose a model",
  none: 'No node of it is called as a twin. Say which is which in its scene.json: "nodes".',
  missing: (names: string) => `The model has no such nodes: ${names}`,
  bind: "Bind nodes to twins",
  binding: (n: number, of: number) =>
    `${n} of ${of} nodes of the model are twins. Nodes called as twins are by themselves.`,
  byName: "Bind by name",
  nothingByName: "No further node is called as a twin.",
  boundByName: (n: number) => (n === 1 ? "1 node is bound by its name." : `${n} nodes are bound by their names.`),
  isBound: (node: string, twin: string) => `${node} is ${twin} now.`,
  isLoose: (node: string) => `${node} is no twin any more.`,
  noTwin: (id: string) => `There is no twin “${id}” in this world.`,
  noneBound: "no twin",
  findNode: "Find a node",
  moreNodes: (n: number) => `${n} more: search for them.`,
  left: "Turn left",
  right: "Turn right",
  up: "Look from above",
  down: "Look from the side",
  noModel: (name: string) => `The model ${name} cannot be read. Drop it here to put it.`,
  external: (name: string) => `The model refers to ${name}, which is not inside it. Save it as one file (.glb).`,
  noWebgl: "This browser draws no WebGL, so there is no 3D here.",
};
