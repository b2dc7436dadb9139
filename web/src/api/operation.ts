// SPDX-License-Identifier: Apache-2.0
// What all of it is: the root of what is part of what, when nearly everything hangs on one.
import { computed } from "@preact/signals";
import { entries } from "./catalogue";
import { modelName, models } from "./models";
import { tree } from "./tree";

const MOST = 0.5; // of all twins are below it, or nobody would call it by that name

export interface Operation {
  id: string;
  name: string;
  kind: string; // its model, in words
  about: string; // what the model says of itself
}

/** Roots are sorted: the largest is first. */
export const operation = computed<Operation | null>(() => {
  const { roots, size } = tree.value;
  const list = entries.value;
  const root = roots[0];
  if (root === undefined || !list[root] || size[root]! < 2 || size[root]! < list.length * MOST) return null;
  const { id, label, model } = list[root]!;
  return { id, name: label, kind: modelName(model), about: models.value.get(model)?.about ?? "" };
});
