// SPDX-License-Identifier: Apache-2.0
// Changing a world, and taking that back: values and links, one at a time.
import { signal } from "@preact/signals";
import { api } from "~/api/client";
import type { Value } from "~/api/types";
import type { Difference } from "~/api/whatif";

/** Counts up when the page itself changed a scenario: what differs is read anew. */
export const changed = signal(0);

const twinPath = (id: string) => `/digitaltwins/${encodeURIComponent(id)}`;
const linkPath = (id: string, link: string) => `${twinPath(id)}/relationships/${encodeURIComponent(link)}`;

/** `null` takes the value away. "add" replaces what is there, too. */
export function setValue(world: string, twin: string, path: string, value: Value): Promise<unknown> {
  const pointer = "/" + path.replaceAll(".", "/");
  const patch = value === null ? { op: "remove", path: pointer } : { op: "add", path: pointer, value };
  return api.patch(twinPath(twin), [patch], { world, type: "application/json-patch+json" });
}

interface Link {
  relationshipName?: string;
  target?: string;
  relationship?: string; // its id
  values?: Readonly<Record<string, Value>>;
}

export const putLink = (world: string, twin: string, l: Link): Promise<unknown> =>
  api.put(
    linkPath(twin, l.relationship ?? `${l.relationshipName}-${l.target}`),
    { $targetId: l.target, $relationshipName: l.relationshipName, ...l.values },
    { world },
  );

export const cutLink = (world: string, twin: string, link: string) => api.delete(linkPath(twin, link), { world });

/** A whole twin that came or went cannot be taken back here. */
export const canRevert = (d: Difference): boolean => d.what === "value" || d.what === "relationship";

export async function revert(world: string, d: Difference): Promise<void> {
  if (d.what === "value") await setValue(world, d.twin, d.property!, d.before ?? null);
  else if (d.change === "made") await cutLink(world, d.twin, d.relationship!);
  else await putLink(world, d.twin, d);
}

/** The same change in another world. */
export async function apply(world: string, d: Difference): Promise<void> {
  if (d.what === "value") await setValue(world, d.twin, d.property!, d.after ?? null);
  else if (d.what !== "relationship") return;
  else if (d.change === "made") await putLink(world, d.twin, d);
  else await cutLink(world, d.twin, d.relationship!);
}
