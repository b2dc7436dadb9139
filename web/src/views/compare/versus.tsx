// SPDX-License-Identifier: Apache-2.0
// Colours of the difference to another world (`vs` in the address): by how much where a number is looked at, else
// whether at all. `flip`: the shown world is A, the other one is B.
import { useMemo } from "preact/hooks";
import { expressionOf, useBoth, useDiffering, type Differing, type Kind } from "~/api/difference";
import { models } from "~/api/models";
import type { Value } from "~/api/types";
import { isDark } from "~/app/prefs";
import { route, worldName } from "~/app/route";
import { differenceLook, diverging } from "~/ui/colour";
import { words } from "~/words/en";
import * as format from "~/format";
import { nameOf, refOf } from "./names";
import "./versus.css";

const w = words.compare;
const LEAST = 0.3; // of a glow: what differs a little is seen to differ

export interface Versus {
  of(id: string): string;
  /** How strongly it differs in what is looked at, 0 to 1. */
  part(id: string): number;
  glows(id: string): boolean;
  glow(id: string): string; // in which colour
  /** All that glow. */
  ids: readonly string[];
  differing: Differing;
  counts: ReadonlyMap<Kind, number>;
  a: string;
  b: string;
  here: "a" | "b"; // which of them is shown
  property: string;
  name: string; // of what is looked at
  values(id: string): [a: Value | undefined, b: Value | undefined];
  numeric: boolean;
  most: number; // the ends of the scale
  unit: string;
}

function propertyOf(path: string): { name: string; unit: string } | undefined {
  if (expressionOf(path)) return { name: expressionOf(path), unit: "" };
  for (const m of models.value.values()) for (const p of m.properties) if (p.path === path) return p;
  return undefined;
}

function countsOf(d: Differing): ReadonlyMap<Kind, number> {
  const out = new Map<Kind, number>();
  for (const k of d.twins.values()) out.set(k, (out.get(k) ?? 0) + 1);
  return out;
}

/** Null without `vs`. `by`: the property that colours tell, "" or "model" for none. */
export function useVersus(by: string): Versus | null {
  const { vs = "", flip = "" } = route.value.params;
  const a = !vs ? "" : flip ? worldName.value : vs;
  const b = !vs ? "" : flip ? vs : worldName.value;
  const property = propertyOf(by) ? by : "";
  const differing = useDiffering(a, b);
  const both = useBoth(a, b, property);
  const dark = isDark();
  const version = both.version.value;
  return useMemo(() => {
    if (!vs) return null;
    const look = differenceLook(dark);
    const most = property ? both.most() : 0;
    const byKind = (id: string) => {
      const k = differing.twins.get(id);
      return k ? look[k] : look.same;
    };
    const byValue = (id: string) => {
      const d = both.of(id);
      if (d === undefined) return look.unknown;
      return both.numeric ? diverging(most ? d / most : 0, dark) : d ? look.changed : look.same;
    };
    const part = (id: string) => {
      if (!property) return differing.twins.has(id) ? 1 : 0;
      const d = both.of(id);
      return d ? (both.numeric && most ? Math.min(1, Math.max(LEAST, Math.abs(d) / most)) : 1) : 0;
    };
    const ids = property ? [...both.ids()].filter((id) => part(id) > 0) : [...differing.twins.keys()];
    return {
      of: property ? byValue : byKind,
      part,
      glows: (id) => part(id) > 0,
      glow: (id) => (property && both.numeric ? diverging(Math.sign(both.of(id) ?? 0), dark) : look.changed),
      ids,
      differing,
      counts: countsOf(differing),
      a,
      b,
      here: flip ? "a" : "b",
      property,
      name: propertyOf(property)?.name ?? property,
      values: (id) => [both.a.get(id), both.b.get(id)],
      numeric: both.numeric,
      most,
      unit: propertyOf(property)?.unit ?? "",
    };
  }, [a, b, vs, dark, differing, both, version, property]);
}

/** A ghost: an outline, as it is drawn where the other world has it. */
function Key({ colour, name, ghost }: { colour: string; name: string; ghost?: boolean }) {
  return (
    <li class="row">
      <svg width="10" height="10" aria-hidden="true">
        {ghost ? (
          <circle cx="5" cy="5" r="4" fill="none" stroke={colour} stroke-width="1.5" stroke-dasharray="2.5 1.7" />
        ) : (
          <circle cx="5" cy="5" r="5" fill={colour} />
        )}
      </svg>
      <span class="ellipsis">{name}</span>
    </li>
  );
}

/** How many there are of each, with the colours where those say it. */
function Counts({ v, a, b }: { v: Versus; a: string; b: string }) {
  const look = differenceLook(isDark());
  // More differ than were read: as many at least.
  const told = (n: number) => (v.differing.more ? w.atLeast(format.count(n)) : format.count(n));
  const n = (k: Kind) => v.counts.get(k) ?? 0;
  const changed = v.property ? format.count(v.ids.length) : told(n("changed"));
  return (
    <>
      {v.property && v.numeric ? (
        <li class="row tiny">{w.changedN(changed)}</li>
      ) : (
        <Key colour={look.changed} name={w.changedN(changed)} />
      )}
      {n("onlyB") > 0 && <Key colour={look.onlyB} name={w.onlyIn(b, told(n("onlyB")))} ghost />}
      {n("onlyA") > 0 && <Key colour={look.onlyA} name={w.onlyIn(a, told(n("onlyA")))} ghost />}
    </>
  );
}

/** What the colours say; in place of a view's own legend. */
export function VersusLegend({ v, class: more }: { v: Versus; class: string }) {
  const look = differenceLook(isDark());
  const [a, b] = [nameOf(refOf(v.a)), nameOf(refOf(v.b))];
  if (!v.property || !v.numeric)
    return (
      <ul class={more + " small"}>
        <Counts v={v} a={a} b={b} />
        <Key colour={look.same} name={w.same} />
      </ul>
    );
  const { name } = v;
  return (
    <div class={more + " versus-legend"}>
      <div role="img" aria-label={w.scale(name, b, a, format.amount(v.most, v.unit))}>
        <div class="tiny strong">{w.minus(name, b, a)}</div>
        <div class="versus-ramp" />
        <div class="versus-ends tiny">
          <span>{v.most ? format.amount(-v.most, v.unit) : ""}</span>
          <span>{w.zero}</span>
          <span>{v.most ? "+" + format.amount(v.most, v.unit) : ""}</span>
        </div>
        <div class="versus-ends tiny quiet">
          <span>{w.lessIn}</span>
          <span />
          <span>{w.moreIn}</span>
        </div>
      </div>
      <ul class="tiny">
        <Counts v={v} a={a} b={b} />
      </ul>
    </div>
  );
}
