// SPDX-License-Identifier: Apache-2.0
// Twins as the tree that part-of and contains make of them; what hangs on nothing is by model below. Only rows in sight
// are drawn. A row that is closed says how many below it need somebody.
import { computed, signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { ChevronDown, ChevronRight } from "lucide-preact";
import { attentionOf, needs } from "~/api/attention";
import { entries, search } from "~/api/catalogue";
import { modelName } from "~/api/models";
import { tree } from "~/api/tree";
import { select, selected } from "~/app/route";
import { Card, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";

const ROW = 28;
const AROUND = 12; // rows drawn beyond what is in sight

const parts = computed(() => {
  const t = tree.value;
  const whole = t.roots.filter((i) => t.children[i]!.length);
  const lone = new Map<string, number[]>();
  for (const i of t.roots) {
    if (t.children[i]!.length) continue;
    const m = entries.value[i]!.model;
    const list = lone.get(m);
    if (list) list.push(i);
    else lone.set(m, [i]);
  }
  return { whole, lone };
});

/** How many in a subtree need somebody, itself not counted: as many as are named above. */
const badBelow = computed(() => {
  const out = new Map<number, number>();
  const of = new Set(needs.value.map((n) => n.id));
  if (!of.size) return out;
  const { parent } = tree.value;
  entries.value.forEach((e, i) => {
    if (!of.has(e.id)) return;
    for (let at = parent[i]!; at >= 0; at = parent[at]!) out.set(at, (out.get(at) ?? 0) + 1);
  });
  return out;
});

const openNodes = signal<ReadonlySet<string>>(new Set());
const toggle = (key: string) => {
  const next = new Set(openNodes.value);
  if (!next.delete(key)) next.add(key);
  openNodes.value = next;
};
const isOpen = (k: string, start: boolean) => openNodes.value.has(k) !== start;

interface RowOf {
  k: string;
  depth: number;
  title: string;
  hint: string;
  id?: string;
  count: number;
  open: boolean;
  place: number; // in entries; -1: a model
}

function rowsOf(i: number, depth: number, out: RowOf[]): void {
  const e = entries.value[i]!;
  const children = tree.value.children[i]!;
  const open = isOpen(e.id, depth < 1);
  const hint = modelName(e.model);
  out.push({ k: e.id, depth, title: e.label, hint, id: e.id, count: children.length, open, place: i });
  if (open) for (const c of children) rowsOf(c, depth + 1, out);
}

const rows = computed(() => {
  const { whole, lone } = parts.value;
  const out: RowOf[] = [];
  for (const i of whole) rowsOf(i, 0, out);
  for (const [model, list] of lone) {
    const k = "model:" + model;
    const open = isOpen(k, false);
    out.push({ k, depth: 0, title: modelName(model), hint: "", count: list.length, open, place: -1 });
    if (!open) continue;
    for (const i of list) {
      const e = entries.value[i]!;
      out.push({ k: e.id, depth: 1, title: e.label, hint: "", id: e.id, count: 0, open: false, place: i });
    }
  }
  return out;
});

function found(text: string): RowOf[] {
  return search(text, Infinity).map((e) => ({
    k: e.id,
    depth: 0,
    title: e.label,
    hint: modelName(e.model),
    id: e.id,
    count: 0,
    open: false,
    place: -1,
  }));
}

interface RowProps {
  row: RowOf;
  top: number;
  first: boolean; // where Tab leads
  size: number;
  at: number;
}

function Row({ row: p, top, first, size, at }: RowProps) {
  const tone = p.id ? attentionOf.value.get(p.id) : undefined;
  const below = p.open || p.place < 0 ? 0 : (badBelow.value.get(p.place) ?? 0);
  return (
    <button
      type="button"
      class="tree-row"
      role="treeitem"
      aria-level={p.depth + 1}
      aria-setsize={size}
      aria-posinset={at + 1}
      aria-expanded={p.count ? p.open : undefined}
      aria-selected={p.id !== undefined && p.id === selected.value}
      tabIndex={first ? 0 : -1}
      style={{ top, paddingLeft: 8 + p.depth * 18 }}
      onClick={(e) => {
        const arrow = (e.target as Element).closest(".tree-arrow");
        if (p.id && !arrow) select(p.id);
        else if (p.count) toggle(p.k);
      }}
      onKeyDown={(e) => {
        if (p.count && ((e.key === "ArrowRight" && !p.open) || (e.key === "ArrowLeft" && p.open))) toggle(p.k);
        const step = e.key === "ArrowDown" ? "nextElementSibling" : e.key === "ArrowUp" ? "previousElementSibling" : "";
        const to = step && e.currentTarget[step];
        if (to instanceof HTMLElement) {
          e.preventDefault();
          to.focus();
        }
      }}
    >
      <span class="tree-arrow">{p.count > 0 && <Icon of={p.open ? ChevronDown : ChevronRight} size={14} />}</span>
      <span class="ellipsis">{p.title}</span>
      <span class="grow ellipsis tiny quiet">{p.hint}</span>
      {tone && <span class={`chip ${tone.tone}`}>{tone.text}</span>}
      {below > 0 && (
        <span class="chip bad" title={words.overview.below(below)}>
          {below}
        </span>
      )}
      {p.count > 0 && <span class="tiny quiet">{format.count(p.count)}</span>}
    </button>
  );
}

export function Tree() {
  const [text, set] = useState("");
  const [top, scrolled] = useState(0);
  const [height, setHeight] = useState(600);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const seen = new ResizeObserver(([e]) => setHeight(e!.contentRect.height));
    seen.observe(box.current!);
    return () => seen.disconnect();
  }, []);
  const q = text.trim();
  const list = q ? found(q) : rows.value;
  const from = Math.max(0, Math.floor(top / ROW) - AROUND);
  const to = Math.min(list.length, Math.ceil((top + height) / ROW) + AROUND);
  const chosen = list.findIndex((r) => r.id !== undefined && r.id === selected.value);
  const entry = chosen >= from && chosen < to ? chosen : from;
  return (
    <Card
      title={words.overview.tree}
      class="tree-card"
      actions={
        <input
          class="input slim"
          type="search"
          aria-label={words.overview.find}
          placeholder={words.overview.find}
          value={text}
          onInput={(e) => {
            set(e.currentTarget.value);
            box.current!.scrollTop = 0;
          }}
          onKeyDown={(e) => {
            if (e.key === "Enter" && q && list[0]?.id) select(list[0].id);
            else if (e.key === "ArrowDown") box.current!.querySelector<HTMLElement>("[tabindex='0']")?.focus();
            else return;
            e.preventDefault();
          }}
        />
      }
      bare
    >
      <div ref={box} class="tree scroll" onScroll={(e) => scrolled(e.currentTarget.scrollTop)}>
        {q && !list.length && <div class="menu-title">{words.nothingFound(q)}</div>}
        <div role="tree" aria-label={words.overview.tree} class="tree-rows" style={{ height: list.length * ROW }}>
          {list.slice(from, to).map((r, i) => (
            <Row key={r.k} row={r} top={(from + i) * ROW} first={from + i === entry} size={list.length} at={from + i} />
          ))}
        </div>
      </div>
    </Card>
  );
}
