// SPDX-License-Identifier: Apache-2.0
// Colours of the difference to another world (`vs` in the address): by how much where a number is looked at, else
// whether at all. `flip`: the shown world is A, the other one is B.
import { useMemo } from "preact/hooks";
import { expressionOf, useBoth, useDiffering, type Differing, type Kind } from "~/api/difference";
import { entries } from "~/api/catalogue";
import { models } from "~/api/models";
import { CLEAR } from "~/api/weight";
import type { Value } from "~/api/types";
import { isDark } from "~/app/prefs";
import { go, route, worldName } from "~/app/route";
import { differenceLook, diverging } from "~/ui/colour";
import { mix } from "~/ui/tokens";
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
  /** Differs as far as that is shown: it glows, or is pale because it differs but a little. */
  marked(id: string): boolean;
  glow(id: string): string; // in which colour
  /** All that glow. */
  ids: readonly string[];
  differing: Differing;
  little: boolean; // who differs but a little is marked too
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

const PALE = 0.35; // of the colour of what differs, in that of what does not
const FEW = 1 / 3; // of all twins: where more differ, only those that clearly do are marked at first

/** Chosen in the address; else as long as it tells anything. */
function littleNow(d: Differing, said: string): boolean {
  return said ? said === "show" : d.twins.size <= entries.value.length * FEW;
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
  const little = littleNow(differing, route.value.params.little ?? "");
  return useMemo(() => {
    if (!vs) return null;
    const look = differenceLook(dark);
    const most = property ? both.most() : 0;
    const pale = mix(look.same, look.changed, PALE);
    const faint = (id: string) => differing.twins.get(id) === "changed" && !differing.clear.has(id);
    const byKind = (id: string) => {
      const k = differing.twins.get(id);
      if (k && faint(id)) return little ? pale : look.same;
      return k ? look[k] : look.same;
    };
    const byValue = (id: string) => {
      const d = both.of(id);
      if (d === undefined) return look.unknown;
      return both.numeric ? diverging(most ? d / most : 0, dark) : d ? look.changed : look.same;
    };
    const part = (id: string) => {
      if (!property) return differing.twins.has(id) && !faint(id) ? 1 : 0;
      const d = both.of(id);
      return d ? (both.numeric && most ? Math.min(1, Math.max(LEAST, Math.abs(d) / most)) : 1) : 0;
    };
    const ids = [...(property ? both.ids() : differing.twins.keys())].filter((id) => part(id) > 0);
    return {
      of: property ? byValue : byKind,
      part,
      glows: (id) => part(id) > 0,
      marked: (id) => part(id) > 0 || (!property && little && faint(id)),
      glow: (id) => (property && both.numeric ? diverging(Math.sign(both.of(id) ?? 0), dark) : look.changed),
      ids,
      differing,
      little,
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
  }, [a, b, vs, dark, differing, both, version, property, little]);
}

/** A ghost: an outline, as it is drawn where the other world has it. */
function Key({ colour, name, ghost, title }: { colour: string; name: string; ghost?: boolean; title?: string }) {
  return (
    <li class="row" title={title}>
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

function LinkKey({ colour, name }: { colour: string; name: string }) {
  return (
    <li class="row">
      <svg width="10" height="10" aria-hidden="true">
        <line x1="0" x2="10" y1="5" y2="5" stroke={colour} stroke-width="1.5" stroke-dasharray="3 2" />
      </svg>
      <span class="ellipsis">{name}</span>
    </li>
  );
}

/** Clearly and a little, told apart; and whether the latter are marked. */
function Weights({ v, told }: { v: Versus; told: (n: number) => string }) {
  const look = differenceLook(isDark());
  const clear = v.differing.clear.size;
  const faint = (v.counts.get("changed") ?? 0) - clear;
  const rule = w.clearRule(format.count(100 * CLEAR));
  return (
    <>
      <Key colour={look.changed} name={w.clearN(told(clear), clear)} title={rule} />
      {faint > 0 && (
        <>
          <Key colour={v.little ? mix(look.same, look.changed, PALE) : look.same} name={w.littleN(told(faint))} />
          <li>
            <label class="row" title={rule}>
              <input
                type="checkbox"
                checked={!v.little}
                onChange={() => go({ params: { little: v.little ? "hide" : "show" }, replace: true })}
              />
              {w.clearOnly}
            </label>
          </li>
          <li class="tiny quiet versus-rule">{rule}</li>
        </>
      )}
    </>
  );
}

/** How many there are of each, with the colours where those say it. */
function Counts({ v, a, b }: { v: Versus; a: string; b: string }) {
  const look = differenceLook(isDark());
  // More differ than were read: as many at least.
  const told = (n: number) => (v.differing.more ? w.atLeast(format.count(n)) : format.count(n));
  const n = (k: Kind) => v.counts.get(k) ?? 0;
  const changed = format.count(v.ids.length);
  const { relationshipsMade: made = 0, relationshipsDeleted: gone = 0 } = v.differing.counts ?? {};
  return (
    <>
      {!v.property && <Weights v={v} told={told} />}
      {v.property && v.numeric && <li class="row tiny">{w.changedN(changed)}</li>}
      {v.property && !v.numeric && <Key colour={look.changed} name={w.changedN(changed)} />}
      {n("onlyB") > 0 && <Key colour={look.onlyB} name={w.onlyIn(b, told(n("onlyB")))} ghost />}
      {n("onlyA") > 0 && <Key colour={look.onlyA} name={w.onlyIn(a, told(n("onlyA")))} ghost />}
      {made > 0 && <LinkKey colour={look.onlyB} name={w.linksOnlyIn(b, format.count(made))} />}
      {gone > 0 && <LinkKey colour={look.onlyA} name={w.linksOnlyIn(a, format.count(gone))} />}
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
