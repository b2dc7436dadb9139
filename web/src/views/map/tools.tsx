// SPDX-License-Identifier: Apache-2.0
// What maps, plans and scenes have in common around the picture: choosing a document, a colour, a value; the legend.
import type { ComponentChildren } from "preact";
import { ChevronDown, CircleDashed, Maximize, Palette, Tag, ZoomIn, ZoomOut } from "lucide-preact";
import type { LucideIcon } from "lucide-preact";
import { go, route } from "~/app/route";
import { cls, Icon, IconButton } from "~/ui/basic";
import { NoValue, Ramp } from "~/ui/ramp";
import { VersusLegend } from "~/views/compare/versus";
import { words } from "~/words/en";
import * as format from "~/format";
import { Glyph } from "./glyph";
import { usePropertiesOf, type Sizes, type Tint } from "./tint";
import "./stage.css";

export interface DocChoice {
  name: string;
  title: string;
}

/** A list as wide as what is chosen of it: the longest name among hundreds says nothing about this one. */
export function Choice(p: {
  id: string;
  icon: LucideIcon;
  label: string;
  value: string;
  set: (v: string) => void;
  options: { value: string; name: string }[];
}) {
  const chosen = p.options.find((o) => o.value === p.value)?.name ?? "";
  return (
    <label class="stage-choice">
      <Icon of={p.icon} size={15} />
      <span class="quiet">{p.label}</span>
      <span class="stage-select">
        <span aria-hidden="true" class="ellipsis">
          {chosen}
        </span>
        <Icon of={ChevronDown} size={13} />
        <select id={p.id} aria-label={p.label} value={p.value} onChange={(e) => p.set(e.currentTarget.value)}>
          {p.options.map((o) => (
            <option key={o.value} value={o.value}>
              {o.name}
            </option>
          ))}
        </select>
      </span>
    </label>
  );
}

/** Parameters that every such view has: `doc`, `colour`, `value`; some `size`. */
export function Tools(p: {
  docs: DocChoice[];
  doc: string;
  ids: readonly string[];
  sizes?: boolean;
  choices?: ComponentChildren; // more of them
  children?: ComponentChildren;
}) {
  const found = usePropertiesOf(p.ids);
  const properties = found.map((x) => ({ value: x.path, name: x.name }));
  const numbers = found.filter((x) => x.number).map((x) => ({ value: x.path, name: x.name }));
  const set = (name: string) => (v: string) => go({ params: { [name]: v || null }, replace: true });
  return (
    <div class="stage-tools">
      {p.docs.length > 1 && (
        <div class="stage-docs card" role="group" aria-label={words.map.docs}>
          {p.docs.map((d) => (
            <button
              key={d.name}
              type="button"
              class={cls("button plain", d.name === p.doc && "on")}
              aria-pressed={d.name === p.doc}
              onClick={() => go({ params: { doc: d.name, cam: null, pan: null } })}
            >
              {d.title}
            </button>
          ))}
        </div>
      )}
      <div class="stage-bar">
        <Choice
          id="stage-colour"
          icon={Palette}
          label={words.map.colour}
          value={route.value.params.colour ?? ""}
          set={set("colour")}
          options={[{ value: "", name: words.map.status }, { value: "model", name: words.graph.model }, ...properties]}
        />
        <Choice
          id="stage-value"
          icon={Tag}
          label={words.map.value}
          value={route.value.params.value ?? ""}
          set={set("value")}
          options={[{ value: "", name: words.map.noValue }, ...properties]}
        />
        {p.sizes && numbers.length > 0 && (
          <Choice
            id="stage-size"
            icon={CircleDashed}
            label={words.map.size}
            value={route.value.params.size ?? ""}
            set={set("size")}
            options={[{ value: "", name: words.map.sameSize }, ...numbers]}
          />
        )}
        {p.choices}
      </div>
      {p.children}
    </div>
  );
}

function SizeLegend({ sizes, most }: { sizes: Sizes; most: number }) {
  const shown = [...new Set([sizes.low + (sizes.high - sizes.low) / 4, sizes.high])];
  const r = (v: number) => Math.max(3, most * Math.sqrt((v - sizes.low) / (sizes.high - sizes.low || 1)));
  return (
    <div class="stage-sizes">
      <div class="tiny quiet">{words.map.sizeOf(sizes.title)}</div>
      <div class="row tiny num">
        {shown.map((v) => (
          <span class="row" key={v}>
            <svg width={2 * r(v) + 2} height={2 * r(v) + 2} aria-hidden="true">
              <circle cx={r(v) + 1} cy={r(v) + 1} r={r(v)} fill="none" stroke="var(--n7)" />
            </svg>
            {format.amount(v, sizes.unit)}
          </span>
        ))}
      </div>
    </div>
  );
}

export function StageLegend(p: {
  tint: Tint;
  quiet?: boolean;
  sizes?: Sizes | null;
  most?: number;
  children?: ComponentChildren;
}) {
  if (p.tint.versus) return <VersusLegend v={p.tint.versus} class="stage-legend card" />;
  const list = p.tint.ramp ? [] : p.tint.entries.filter((x) => (p.quiet ?? true) || !x.quiet);
  if (!p.tint.ramp && !list.length && !p.sizes) return null;
  return (
    <section class="stage-legend card small" aria-label={words.map.legend}>
      {p.tint.title && <div class="tiny quiet ellipsis">{p.tint.title}</div>}
      {p.tint.ramp && <Ramp {...p.tint.ramp} class="stage-ramp" />}
      <ul>
        {list.map((x) => (
          <li class="row" key={x.name}>
            <svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true">
              <Glyph tone={x.tone} colour={x.colour} r={6.5} />
            </svg>
            <span class="grow ellipsis">{x.name}</span>
            {x.count !== undefined && <span class="num quiet">{format.count(x.count)}</span>}
          </li>
        ))}
      </ul>
      {p.tint.unknown && <NoValue {...p.tint.unknown} name={words.noValue} />}
      {p.sizes && <SizeLegend sizes={p.sizes} most={p.most ?? 14} />}
      {p.children}
    </section>
  );
}

/** What stands at the lower left: the legend, and beside it how long a way is. */
export function Corner(p: { children: ComponentChildren }) {
  return <div class="stage-corner">{p.children}</div>;
}

export function Zoom(p: { closer: () => void; farther: () => void; fit: () => void; children?: ComponentChildren }) {
  return (
    <div class="stage-zoom card">
      {p.children}
      <IconButton name={words.graph.zoomIn} icon={ZoomIn} onClick={p.closer} />
      <IconButton name={words.graph.zoomOut} icon={ZoomOut} onClick={p.farther} />
      <IconButton name={words.graph.fit} icon={Maximize} onClick={p.fit} />
    </div>
  );
}
