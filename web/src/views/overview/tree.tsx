// SPDX-License-Identifier: Apache-2.0
// Twins as the tree that part-of and contains make of them; what hangs on nothing is by model below.
import { computed, signal } from "@preact/signals";
import { ChevronDown, ChevronRight } from "lucide-preact";
import { entries, links, type Entry } from "~/api/catalogue";
import { modelName } from "~/api/models";
import { select, selected } from "~/app/route";
import { Icon } from "~/ui/basic";
import { words } from "~/words/en";
import { attentionOf } from "./attention";

/** Names of relationships that say what a thing is part of: from the part (up) or from the whole (down). */
const UP = ["partOf", "isPartOf", "locatedIn", "hasParent", "isIn", "inside", "of"];
const DOWN = ["contains", "hasPart", "has", "hosts", "includes"];

interface Node {
  entry: Entry;
  children: number[];
}

const tree = computed(() => {
  const list = entries.value;
  const l = links.value;
  const parent = new Int32Array(list.length).fill(-1);
  const rank = new Uint8Array(list.length).fill(255);
  const up = l.names.map((n) => UP.indexOf(n));
  const down = l.names.map((n) => DOWN.indexOf(n));
  for (let i = 0; i < l.name.length; i++) {
    const name = l.name[i]!;
    const set = (child: number, of: number, r: number) => {
      if (r < rank[child]! && child !== of) {
        rank[child] = r;
        parent[child] = of;
      }
    };
    // The whole knows its parts better than a part its place.
    if (down[name]! >= 0) set(l.to[i]!, l.from[i]!, down[name]!);
    else if (up[name]! >= 0) set(l.from[i]!, l.to[i]!, 10 + up[name]!);
  }
  const nodes: Node[] = list.map((entry) => ({ entry, children: [] }));
  const roots: number[] = [];
  list.forEach((_, i) => {
    if (parent[i]! >= 0 && !loops(parent, i)) nodes[parent[i]!]!.children.push(i);
    else roots.push(i);
  });
  const size = (i: number): number => nodes[i]!.children.reduce((n, c) => n + size(c), 1);
  const whole = roots
    .filter((i) => nodes[i]!.children.length)
    .map((i) => ({ i, n: size(i) }))
    .sort((a, b) => b.n - a.n)
    .map((w) => w.i);
  const lone = new Map<string, number[]>();
  for (const i of roots) {
    if (nodes[i]!.children.length) continue;
    const m = list[i]!.model;
    lone.set(m, [...(lone.get(m) ?? []), i]);
  }
  return { nodes, whole, lone };
});

function loops(parent: Int32Array, i: number): boolean {
  for (let at = parent[i]!, n = 0; at >= 0; at = parent[at]!) if (at === i || ++n > 64) return true;
  return false;
}

const openNodes = signal<ReadonlySet<string>>(new Set());
const toggle = (key: string) => {
  const next = new Set(openNodes.value);
  if (!next.delete(key)) next.add(key);
  openNodes.value = next;
};

interface RowProps {
  k: string;
  depth: number;
  title: string;
  hint: string;
  id?: string;
  count: number;
  start: boolean; // open unless closed
}

function Row(p: RowProps) {
  const open = isOpen(p.k, p.start);
  const tone = p.id ? attentionOf.value.get(p.id) : undefined;
  return (
    <button
      type="button"
      class="tree-row"
      role="treeitem"
      aria-level={p.depth + 1}
      aria-expanded={p.count ? open : undefined}
      aria-selected={p.id !== undefined && p.id === selected.value}
      style={{ paddingLeft: 8 + p.depth * 18 }}
      onClick={(e) => {
        const arrow = (e.target as Element).closest(".tree-arrow");
        if (p.id && !arrow) select(p.id);
        else if (p.count) toggle(p.k);
      }}
      onKeyDown={(e) => {
        if (p.count && ((e.key === "ArrowRight" && !open) || (e.key === "ArrowLeft" && open))) toggle(p.k);
        const to =
          e.key === "ArrowDown"
            ? e.currentTarget.nextElementSibling
            : e.key === "ArrowUp"
              ? e.currentTarget.previousElementSibling
              : null;
        if (to instanceof HTMLElement) {
          e.preventDefault();
          to.focus();
        }
      }}
    >
      <span class="tree-arrow" style={{ width: 16, display: "inline-flex" }}>
        {p.count > 0 && <Icon of={open ? ChevronDown : ChevronRight} size={14} />}
      </span>
      <span class="ellipsis">{p.title}</span>
      <span class="grow ellipsis tiny quiet">{p.hint}</span>
      {tone && <span class={`chip ${tone.tone}`}>{tone.text}</span>}
      {p.count > 0 && <span class="tiny quiet">{p.count}</span>}
    </button>
  );
}

const isOpen = (k: string, start: boolean) => openNodes.value.has(k) !== start;

function rowsOf(i: number, depth: number, out: RowProps[]): void {
  const { nodes } = tree.value;
  const n = nodes[i]!;
  const k = n.entry.id;
  const start = depth < 1;
  out.push({ k, depth, title: n.entry.label, hint: modelName(n.entry.model), id: k, count: n.children.length, start });
  if (isOpen(k, start)) for (const c of n.children) rowsOf(c, depth + 1, out);
}

const ROWS_MAX = 2000;

export function Tree() {
  const { nodes, whole, lone } = tree.value;
  const rows: RowProps[] = [];
  for (const i of whole) rowsOf(i, 0, rows);
  for (const [model, list] of lone) {
    const k = "model:" + model;
    rows.push({ k, depth: 0, title: modelName(model), hint: "", count: list.length, start: false });
    if (isOpen(k, false))
      for (const i of list)
        rows.push({
          k: nodes[i]!.entry.id,
          depth: 1,
          title: nodes[i]!.entry.label,
          hint: "",
          id: nodes[i]!.entry.id,
          count: 0,
          start: false,
        });
  }
  return (
    <div class="tree" role="tree" aria-label={words.overview.tree}>
      {rows.slice(0, ROWS_MAX).map((r) => (
        <Row key={r.k} {...r} />
      ))}
      {rows.length > ROWS_MAX && <div class="menu-title">{words.overview.tooMany}</div>}
    </div>
  );
}
