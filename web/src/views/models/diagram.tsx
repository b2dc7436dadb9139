// SPDX-License-Identifier: Apache-2.0
// What a model's twins are linked to, drawn: who leads to it on the left, where it leads on the right, with how many
// links there are. What models only allow is dashed.
import { useMemo } from "preact/hooks";
import { entries, links } from "~/api/catalogue";
import { modelName, models, type Model } from "~/api/models";
import { hrefOf } from "~/app/route";
import { cls, Empty } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { usesOf } from "./tree";

interface Edge {
  name: string;
  model: string; // at the other end; "": any
  count: number;
}

const MOST = 8; // of a side; the others are told in a line
const ROW = 40;
const WIDTH = 760;
const BOX = 190;

const isOf = (model: string, m: Model): boolean => models.value.get(model)?.ancestors.has(m.id) ?? model === m.id;

/** Links that there are, by name and the model at the other end; then those that are only allowed. */
function edgesOf(m: Model): { to: Edge[]; from: Edge[] } {
  const list = entries.value;
  const own = list.map((e) => isOf(e.model, m));
  const sides = { to: new Map<string, Edge>(), from: new Map<string, Edge>() };
  const add = (side: Map<string, Edge>, name: string, model: string, n: number) => {
    const known = side.get(name + " " + model);
    if (known) known.count += n;
    else side.set(name + " " + model, { name, model, count: n });
  };
  const l = links.value;
  for (let i = 0; i < l.name.length; i++) {
    const [a, b] = [l.from[i]!, l.to[i]!];
    const name = l.names[l.name[i]!]!;
    if (own[a]) add(sides.to, name, list[b]!.model, 1);
    if (own[b]) add(sides.from, name, list[a]!.model, 1);
  }
  const has = (side: Map<string, Edge>, name: string) => [...side.values()].some((e) => e.name === name);
  for (const r of m.relationships) if (!has(sides.to, r.name)) add(sides.to, r.name, r.target ?? "", 0);
  for (const u of usesOf(m.id)) if (u.how === "target" && !has(sides.from, u.name)) add(sides.from, u.name, u.by.id, 0);
  const sort = (side: Map<string, Edge>) =>
    [...side.values()].sort((a, b) => b.count - a.count || a.name.localeCompare(b.name));
  return { to: sort(sides.to), from: sort(sides.from) };
}

const short = (text: string, most: number) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

function Side({ list, right, height }: { list: readonly Edge[]; right: boolean; height: number }) {
  const shown = list.slice(0, MOST);
  const top = (height - shown.length * ROW) / 2;
  const x = right ? WIDTH - BOX : 0;
  const [near, far] = right ? [(WIDTH + BOX) / 2, x] : [(WIDTH - BOX) / 2, BOX];
  return (
    <>
      {shown.map((e, i) => {
        const y = top + (i + 0.5) * ROW;
        const bend = (far - near) * 0.55;
        const name = e.model ? modelName(e.model) : words.models.anything;
        const says = e.count ? `${e.name} × ${format.count(e.count)}` : e.name;
        const box = (
          <>
            <rect x={x} y={y - 14} width={BOX} height={28} rx={6} />
            <text x={x + BOX / 2} y={y + 4.5} text-anchor="middle">
              {short(name, 25)}
            </text>
          </>
        );
        return (
          <g key={e.name + e.model} class={cls("model-edge", !e.count && "allowed")}>
            <path
              d={
                right
                  ? `M${near} ${height / 2}C${near + bend} ${height / 2} ${far - bend} ${y} ${far} ${y}`
                  : `M${far} ${y}C${far - bend} ${y} ${near + bend} ${height / 2} ${near} ${height / 2}`
              }
              marker-end="url(#model-arrow)"
            />
            {e.model ? (
              <a href={hrefOf({ params: { m: e.model } })} aria-label={words.models.edge(name, says, right)}>
                {box}
              </a>
            ) : (
              box
            )}
            <text
              class="model-edge-name"
              x={right ? far - 10 : far + 10}
              y={y - 5}
              text-anchor={right ? "end" : "start"}
            >
              {short(says, 22)}
            </text>
          </g>
        );
      })}
    </>
  );
}

export function Diagram({ m }: { m: Model }) {
  const { to, from } = useMemo(() => edgesOf(m), [m, links.value, entries.value, models.value]);
  if (!to.length && !from.length) return <Empty title={words.models.alone} hint={words.models.aloneHint} />;
  const height = Math.max(2, Math.min(MOST, Math.max(to.length, from.length))) * ROW + 8;
  const more = (list: Edge[]) => Math.max(0, list.length - MOST);
  return (
    <div class="model-diagram">
      <div class="scroll" tabIndex={0} role="group" aria-label={words.models.diagram}>
        <svg viewBox={`0 0 ${WIDTH} ${height}`} role="group" aria-label={words.models.diagramOf(m.name)}>
          <defs>
            <marker id="model-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
              <path d="M0 0.5 8 4 0 7.5z" />
            </marker>
          </defs>
          <Side list={from} right={false} height={height} />
          <Side list={to} right height={height} />
          <g class="model-edge middle">
            <rect x={(WIDTH - BOX) / 2} y={height / 2 - 18} width={BOX} height={36} rx={8} />
            <text x={WIDTH / 2} y={height / 2 + 5} text-anchor="middle">
              {short(m.name, 24)}
            </text>
          </g>
        </svg>
      </div>
      <p class="small quiet">
        {words.models.diagramAbout} {more(from) + more(to) > 0 && words.models.diagramMore(more(from), more(to))}
      </p>
    </div>
  );
}
