// SPDX-License-Identifier: Apache-2.0
// Where twins are on the earth: properties whose semantic type is Latitude and Longitude, or that are called so.
import { models, type Model } from "~/api/models";

export interface Position {
  lat: string; // paths of properties
  lon: string;
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

/** By model, for those that have both. */
export function positions(): Map<string, Position> {
  const out = new Map<string, Position>();
  for (const m of models.value.values()) {
    const lat = pathOf(m, "Latitude", /^lat(itude)?$/i);
    const lon = pathOf(m, "Longitude", /^(lon|lng|long|longitude)$/i);
    if (lat && lon) out.set(m.id, { lat, lon });
  }
  return out;
}
