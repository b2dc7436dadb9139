// SPDX-License-Identifier: Apache-2.0
// Where twins are on the earth: properties whose semantic type is Latitude and Longitude, or that are called so.
import { byId } from "~/api/catalogue";
import { models, type Model } from "~/api/models";

export interface Position {
  lat: string; // paths of properties
  lon: string;
  heading: string; // where it goes, in degrees clockwise from north; "" when nothing says so
}

function pathOf(m: Model, type: string, name: RegExp): string {
  for (const id of m.ancestors) {
    for (const c of models.value.get(id)?.data.model.contents ?? []) {
      const kinds = Array.isArray(c["@type"]) ? c["@type"] : [c["@type"]];
      if (kinds.includes("Property") && kinds.includes(type)) return c.name;
    }
  }
  return m.properties.find((p) => name.test(p.path) && p.type === "number")?.path ?? "";
}

/** Which property of a model says where its twins go. */
export const headingOf = (m: Model): string =>
  m.properties.find((p) => /^(heading|bearing|course)$/i.test(p.path) && p.type === "number")?.path ?? "";

/** By model, for those that have both. */
export function positions(): Map<string, Position> {
  const out = new Map<string, Position>();
  for (const m of models.value.values()) {
    const lat = pathOf(m, "Latitude", /^lat(itude)?$/i);
    const lon = pathOf(m, "Longitude", /^(lon|lng|long|longitude)$/i);
    const heading = headingOf(m);
    if (lat && lon) out.set(m.id, { lat, lon, heading });
  }
  return out;
}

/** Of these twins, those that say where they go, with the property that says it. */
export function headings(ids: readonly string[]): Map<string, string> {
  const of = new Map<string, string>();
  for (const m of models.value.values()) {
    const path = headingOf(m);
    if (path) of.set(m.id, path);
  }
  const out = new Map<string, string>();
  if (!of.size) return out;
  for (const id of ids) {
    const path = of.get(byId.value.get(id)?.model ?? "");
    if (path) out.set(id, path);
  }
  return out;
}
