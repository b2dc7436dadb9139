// SPDX-License-Identifier: Apache-2.0
// Links between twins of a plan. Where a number of the twin they leave tells how much goes along them, dashes wander
// at its speed and the line is as wide as it is much.
import { own } from "~/api/own";
import { useMemo } from "preact/hooks";
import { Spline, Waves, type LucideIcon } from "lucide-preact";
import { byId, entries, labelOf, links as allLinks } from "~/api/catalogue";
import { models } from "~/api/models";
import type { PlanDoc } from "~/api/files";
import type { Values } from "~/api/values";
import { go, route, selected } from "~/app/route";
import { cls } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { unitOf } from "./tint";
import { Choice } from "./tools";
import { screenOf, type Size, type View2d } from "./view2d";

export interface Pair {
  key: string;
  from: string;
  to: string;
}

/** Names of relationships that there are between twins of the plan. */
export function useLinkNames(doc: PlanDoc | undefined): string[] {
  return useMemo(() => {
    if (!doc) return [];
    const l = allLinks.value;
    const on = entries.value.map((e) => Object.hasOwn(doc.at, e.id));
    const seen = new Set<number>();
    for (let i = 0; i < l.name.length; i++) if (on[l.from[i]!] && on[l.to[i]!]) seen.add(l.name[i]!);
    return [...seen].map((n) => l.names[n]!).sort();
  }, [doc, allLinks.value, entries.value]);
}

export function usePairs(doc: PlanDoc | undefined, name: string): Pair[] {
  return useMemo(() => {
    if (!doc || !name) return [];
    const l = allLinks.value;
    const n = l.names.indexOf(name);
    const out: Pair[] = [];
    for (let i = 0; i < l.name.length; i++) {
      if (l.name[i] !== n) continue;
      const from = entries.value[l.from[i]!]!.id;
      const to = entries.value[l.to[i]!]!.id;
      if (own(doc.at, from) && own(doc.at, to)) out.push({ key: `${from} ${to}`, from, to });
    }
    return out;
  }, [doc, name, allLinks.value, entries.value]);
}

/** What probably says how much goes along a link, the likeliest first. */
const LIKELY = [/^flow/i, /^throughput/i, /^rate$/i, /^beltSpeed$/i, /^speed$/i, /^power$/i, /^current$/i];
export const NO_FLOW = "-";

interface FlowChoice {
  path: string;
  name: string;
}

/** Numbers that the twins have from which these links go. */
export function useFlows(pairs: readonly Pair[]): { list: FlowChoice[]; first: string } {
  return useMemo(() => {
    const out = new Map<string, string>();
    const of = new Set(pairs.map((p) => byId.value.get(p.from)?.model ?? ""));
    for (const m of of)
      for (const p of models.value.get(m)?.properties ?? [])
        if ((p.type === "number" || p.type === "integer") && !p.telemetry) out.set(p.path, p.name);
    const list = [...out].map(([path, name]) => ({ path, name })).sort((a, b) => a.name.localeCompare(b.name));
    const first = LIKELY.map((r) => list.find((x) => r.test(x.path))).find((x) => x !== undefined);
    return { list, first: first?.path ?? "" };
  }, [pairs, byId.value, models.value]);
}

export function LinkTools({ names, flows }: { names: readonly string[]; flows: ReturnType<typeof useFlows> }) {
  const { links = "", flow = "" } = route.value.params;
  if (!names.length) return null;
  const choice = (
    param: string,
    icon: LucideIcon,
    label: string,
    value: string,
    options: { path: string; name: string }[],
    reset: Record<string, null> = {},
  ) => (
    <Choice
      id={`stage-${param}`}
      icon={icon}
      label={label}
      value={value}
      set={(v) => go({ params: { ...reset, [param]: v || null }, replace: true })}
      options={options.map((o) => ({ value: o.path, name: o.name }))}
    />
  );
  return (
    <>
      {choice(
        "links",
        Spline,
        words.map.links,
        links,
        [{ path: "", name: words.map.noLinks }, ...names.map((n) => ({ path: n, name: n }))],
        { flow: null },
      )}
      {links &&
        flows.list.length > 0 &&
        choice("flow", Waves, words.map.flow, flow || flows.first, [
          { path: NO_FLOW, name: words.map.noFlow },
          ...flows.list,
        ])}
    </>
  );
}

const SLOW_S = 3; // a dash on its way, at a tenth of the most
const FAST_S = 0.45;

export function FlowLegend({ pairs, path, values }: { pairs: readonly Pair[]; path: string; values: Values }) {
  const high = mostOf(pairs, path, values);
  if (!path || high <= 0) return null;
  return (
    <div class="stage-flow">
      <svg width="28" height="8" aria-hidden="true" class="plan-links">
        <path d="M0 4H28" class="flows" style={{ strokeWidth: "3", animationDuration: "1s" }} />
      </svg>
      <span class="tiny quiet">
        {words.map.flowUpTo(
          format.amount(
            high,
            unitOf(
              path,
              pairs.map((x) => x.from),
            ),
          ),
        )}
      </span>
    </div>
  );
}

const numberOf = (values: Values, id: string, path: string): number | undefined => {
  const v = path ? values.get(id, path) : undefined;
  return typeof v === "number" && Number.isFinite(v) ? v : undefined;
};

const mostOf = (pairs: readonly Pair[], path: string, values: Values): number =>
  pairs.reduce((most, p) => Math.max(most, Math.abs(numberOf(values, p.from, path) ?? 0)), 0);

export function PlanLinks(p: {
  doc: PlanDoc;
  pairs: readonly Pair[];
  flow: string; // a property of the twin that a link leaves, or ""
  values: Values;
  view: View2d;
  size: Size;
}) {
  const { doc, view, size, values } = p;
  const chosen = selected.value;
  void values.version.value;
  const most = mostOf(p.pairs, p.flow, values) || 1;
  return (
    <g class="plan-links">
      <defs>
        <marker
          id="plan-arrow"
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="8"
          markerHeight="8"
          markerUnits="userSpaceOnUse"
          orient="auto"
        >
          <path d="M0 0.5 8 4 0 7.5z" fill="context-stroke" />
        </marker>
      </defs>
      {p.pairs.map(({ key, from, to }) => {
        const a = screenOf(view, size, doc.at[from]!.x, doc.at[from]!.y);
        const b = screenOf(view, size, doc.at[to]!.x, doc.at[to]!.y);
        const long = Math.hypot(b.x - a.x, b.y - a.y);
        if (long < 6) return null;
        const bend = Math.min(40, long * 0.12);
        const mx = (a.x + b.x) / 2 - ((b.y - a.y) / long) * bend;
        const my = (a.y + b.y) / 2 + ((b.x - a.x) / long) * bend;
        const near = chosen && (from === chosen || to === chosen);
        const v = numberOf(values, from, p.flow);
        const part = v === undefined ? 0 : Math.min(1, Math.abs(v) / most);
        const way = `${labelOf(from)} → ${labelOf(to)}`;
        return (
          <path
            key={key}
            d={`M${a.x} ${a.y}Q${mx} ${my} ${b.x} ${b.y}`}
            class={cls(near ? "near" : chosen && "far", part > 0 && "flows", v !== undefined && v < 0 && "back")}
            style={
              v === undefined
                ? undefined
                : {
                    strokeWidth: String(1.2 + 3.3 * part),
                    animationDuration: `${(SLOW_S + (FAST_S - SLOW_S) * Math.sqrt(part)).toFixed(2)}s`,
                  }
            }
            marker-end="url(#plan-arrow)"
          >
            <title>{v === undefined ? way : `${way}: ${format.amount(v, unitOf(p.flow, [from]))}`}</title>
          </path>
        );
      })}
    </g>
  );
}
