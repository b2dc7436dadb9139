// SPDX-License-Identifier: Apache-2.0
// What maps, plans and scenes have in common around the picture: choosing a document, a colour, a value; the legend.
import type { ComponentChildren } from "preact";
import { Maximize, ZoomIn, ZoomOut } from "lucide-preact";
import { go, route } from "~/app/route";
import { cls, IconButton } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { usePropertiesOf, type Tint } from "./tint";
import "./stage.css";

export interface DocChoice {
  name: string;
  title: string;
}

function Choice(p: {
  id: string;
  label: string;
  value: string;
  set: (v: string) => void;
  options: { value: string; name: string }[];
}) {
  return (
    <label class="stage-choice small">
      <span class="quiet">{p.label}</span>
      <select
        id={p.id}
        class="select"
        aria-label={p.label}
        value={p.value}
        onChange={(e) => p.set(e.currentTarget.value)}
      >
        {p.options.map((o) => (
          <option key={o.value} value={o.value}>
            {o.name}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Parameters that every such view has: `doc`, `colour`, `value`. */
export function Tools(p: { docs: DocChoice[]; doc: string; ids: readonly string[]; children?: ComponentChildren }) {
  const properties = usePropertiesOf(p.ids).map((x) => ({ value: x.path, name: x.name }));
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
      <Choice
        id="stage-colour"
        label={words.map.colour}
        value={route.value.params.colour ?? ""}
        set={set("colour")}
        options={[{ value: "", name: words.map.status }, { value: "model", name: words.graph.model }, ...properties]}
      />
      <Choice
        id="stage-value"
        label={words.map.value}
        value={route.value.params.value ?? ""}
        set={set("value")}
        options={[{ value: "", name: words.map.noValue }, ...properties]}
      />
      {p.children}
    </div>
  );
}

export function StageLegend({ tint, quiet = true }: { tint: Tint; quiet?: boolean }) {
  if (tint.ramp)
    return (
      <div class="stage-legend card">
        <div class="stage-ramp" />
        <div class="row tiny">
          <span class="grow">{format.amount(tint.ramp.low, tint.ramp.unit)}</span>
          <span>{format.amount(tint.ramp.high, tint.ramp.unit)}</span>
        </div>
      </div>
    );
  const list = tint.entries.filter((x) => quiet || !x.quiet);
  if (!list.length) return null;
  return (
    <ul class="stage-legend card small">
      {list.map((x) => (
        <li class="row" key={x.name}>
          <svg width="10" height="10" aria-hidden="true">
            <circle cx="5" cy="5" r="5" fill={x.colour} />
          </svg>
          <span class="ellipsis">{x.name}</span>
        </li>
      ))}
    </ul>
  );
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
