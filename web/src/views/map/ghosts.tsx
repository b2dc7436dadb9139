// SPDX-License-Identifier: Apache-2.0
// Twins that only the other one of two worlds has: outlines where they stand there, on a plan and on a map.
import { useEffect, useMemo, useState } from "preact/hooks";
import { byId, entries } from "~/api/catalogue";
import { api } from "~/api/client";
import type { Place } from "~/api/files";
import type { Value } from "~/api/types";
import { isDark } from "~/app/prefs";
import { select, selected } from "~/app/route";
import { cls } from "~/ui/basic";
import { differenceLook } from "~/ui/colour";
import { other, otherEntry, useOther } from "~/views/compare/other";
import type { Versus } from "~/views/compare/versus";
import { words } from "~/words/en";
import type { Spot } from "./geostage";
import { positions } from "./positions";
import { screenOf, type Size, type View2d } from "./view2d";

const DOT = 6; // px radius of what has no size
const MOST = 200; // on a map: asked for by name

/** Of some twins those that the shown world does not have, and the other one has. */
export function ghostsOf(ids: Iterable<string>, v: Versus | undefined): string[] {
  if (!v) return [];
  const kind = v.here === "a" ? "onlyB" : "onlyA";
  return [...ids].filter((id) => !byId.value.has(id) && v.differing.twins.get(id) === kind);
}

export const ghostColour = (v: Versus): string =>
  differenceLook(isDark())[v.here === "a" ? "onlyB" : "onlyA"];

export function Ghosts(p: {
  ids: readonly string[];
  at: Record<string, Place>;
  view: View2d;
  size: Size;
  versus: Versus | undefined;
  dragged: () => boolean;
}) {
  if (!p.versus) return null;
  const where = words.compare.onlyHere(p.versus.here === "a" ? "B" : "A");
  return (
    <g style={{ "--differs": ghostColour(p.versus) }}>
      {p.ids.map((id) => {
        const at = p.at[id]!;
        const { x, y } = screenOf(p.view, p.size, at.x, at.y);
        const s = at.size;
        const [w, h] = s === undefined ? [0, 0] : typeof s === "number" ? [s, s] : s;
        const [wide, high] = [w * p.view.k, h * p.view.k];
        return (
          <g
            key={id}
            class={cls("plan-ghost", selected.value === id && "chosen")}
            data-twin={id}
            role="button"
            tabindex={0}
            aria-label={`${otherEntry(id)?.label ?? id}: ${where}`}
            transform={`translate(${x} ${y})${at.angle ? ` rotate(${at.angle})` : ""}`}
            onClick={() => !p.dragged() && select(id)}
          >
            {Math.max(wide, high) > 2 * DOT && typeof s !== "number" ? (
              <rect x={-wide / 2} y={-high / 2} width={wide} height={high} rx={4} />
            ) : (
              <circle r={Math.max(DOT, wide / 2)} />
            )}
          </g>
        );
      })}
    </g>
  );
}

interface Columns {
  twins: { id: string[] };
  values?: Record<string, Value[]>;
}

/** Where they are on a map: only the other world knows. */
export function useGhostSpots(v: Versus | undefined): Spot[] {
  useOther();
  const ids = useMemo(() => {
    const of = positions();
    return ghostsOf(v?.differing.twins.keys() ?? [], v)
      .filter((id) => of.has(otherEntry(id)?.model ?? ""))
      .slice(0, MOST);
  }, [v?.differing, v?.here, other.value, entries.value]);
  const there = v ? (v.here === "a" ? v.b : v.a) : "";
  const [found, set] = useState<{ id: string; lat: number; lon: number }[]>([]);
  const key = ids.join("\n");
  useEffect(() => {
    set([]);
    if (!key || !there) return;
    const abort = new AbortController();
    const of = positions();
    const at = (id: string) => of.get(otherEntry(id)!.model)!;
    const paths = [...new Set(ids.flatMap((id) => [at(id).lat, at(id).lon]))];
    const twins = `$dtId IN [${ids.map((id) => `'${id.replaceAll("'", "''")}'`).join(", ")}]`;
    const query = { twins, values: paths.join(","), links: false };
    api.get<Columns>("/graph", { world: there, query, signal: abort.signal }).then(
      (g) =>
        set(
          g.twins.id.flatMap((id, i) => {
            const [lat, lon] = [g.values?.[at(id).lat]?.[i], g.values?.[at(id).lon]?.[i]];
            return typeof lat === "number" && typeof lon === "number" ? [{ id, lat, lon }] : [];
          }),
        ),
      () => {},
    );
    return () => abort.abort();
  }, [key, there]);
  return useMemo(() => {
    if (!v) return [];
    const colour = ghostColour(v);
    return found.map(({ id, lat, lon }) => ({
      id,
      lat,
      lon,
      colour,
      label: otherEntry(id)?.label ?? id,
      value: "",
      bad: false,
      r: DOT,
      glow: "",
      ghost: true,
    }));
  }, [found, v?.here, isDark()]);
}
