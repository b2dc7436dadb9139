// SPDX-License-Identifier: Apache-2.0
// Twins as the tree that part-of and contains make of them; what hangs on nothing is by model below.
import { computed, signal } from "@preact/signals";
import { ChevronDown, ChevronRight } from "lucide-preact";
import { entries } from "~/api/catalogue";
import { tree } from "~/api/tree";
import { modelName } from "~/api/models";
import { select, selected } from "~/app/route";
import { Icon } from "~/ui/basic";
import { words } from "~/words/en";
import { attentionOf } from "./attention";

const parts = computed(() => {
  const t = tree.value;
  const whole = t.roots.filter((i) => t.children[i]!.length);
  const lone = new Map<string, number[]>();
  for (const i of t.roots) {
    if (t.children[i]!.length) continue;
    const m = entries.value[i]!.model;
    lone.set(m, [...(lone.get(m) ?? []), i]);
  }
  return { whole, lone };
});

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
  const e = entries.value[i]!;
  const children = tree.value.children[i]!;
  const start = depth < 1;
  out.push({ k: e.id, depth, title: e.label, hint: modelName(e.model), id: e.id, count: children.length, start });
  if (isOpen(e.id, start)) for (const c of children) rowsOf(c, depth + 1, out);
}

const ROWS_MAX = 2000;

export function Tree() {
  const { whole, lone } = parts.value;
  const rows: RowProps[] = [];
  for (const i of whole) rowsOf(i, 0, rows);
  for (const [model, list] of lone) {
    const k = "model:" + model;
    rows.push({ k, depth: 0, title: modelName(model), hint: "", count: list.length, start: false });
    if (!isOpen(k, false)) continue;
    for (const i of list) {
      const e = entries.value[i]!;
      rows.push({ k: e.id, depth: 1, title: e.label, hint: "", id: e.id, count: 0, start: false });
    }
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
