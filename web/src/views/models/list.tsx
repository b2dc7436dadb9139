// SPDX-License-Identifier: Apache-2.0
// The tree of models: what extends what, with the number of twins.
import { useMemo, useRef, useState } from "preact/hooks";
import { ChevronDown, ChevronRight } from "lucide-preact";
import { go, route } from "~/app/route";
import { cls, Empty, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { branches, type Branch } from "./tree";

interface Line {
  b: Branch;
  depth: number;
  open: boolean;
  hit: boolean; // of the search, not only on the way to one
}

const OPEN_AT_FIRST = 250; // of more models only the roots and what they are

const INSIDE = 3; // letters from which on what a model says is searched too

function fits(b: Branch, q: string): boolean {
  const m = b.model;
  if (`${m.name} ${m.id}`.toLowerCase().includes(q)) return true;
  if (q.length < INSIDE) return false;
  return (m.data.model.contents ?? []).some((c) => c.name.toLowerCase().includes(q));
}

function linesOf(list: readonly Branch[], q: string, shut: ReadonlySet<string>, depth = 0): Line[] {
  return list.flatMap((b) => {
    const hit = !q || fits(b, q);
    const below = linesOf(b.children, q, shut, depth + 1);
    if (q && !hit && !below.length) return [];
    const open = q ? below.length > 0 : !shut.has(b.model.id);
    return [{ b, depth, open, hit }, ...(open ? below : [])];
  });
}

const deep = (list: readonly Branch[], depth = 0): string[] =>
  list.flatMap((b) => [...(depth > 0 && b.children.length ? [b.model.id] : []), ...deep(b.children, depth + 1)]);

export function List({ count }: { count: number }) {
  const q = (route.value.params.find ?? "").trim().toLowerCase();
  const here = route.value.params.m ?? "";
  const [shut, setShut] = useState<ReadonlySet<string>>(
    () => new Set(count > OPEN_AT_FIRST ? deep(branches.peek()) : []),
  );
  const box = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => linesOf(branches.value, q, shut), [branches.value, q, shut]);
  const focus = lines.some((l) => l.b.model.id === here) ? here : lines[0]?.b.model.id;
  const toggle = (id: string, open: boolean) => {
    const next = new Set(shut);
    if (open) next.delete(id);
    else next.add(id);
    setShut(next);
  };
  const key = (e: KeyboardEvent, i: number) => {
    const l = lines[i]!;
    const has = l.b.children.length > 0;
    let to = i;
    if (e.key === "ArrowDown") to = i + 1;
    else if (e.key === "ArrowUp") to = i - 1;
    else if (e.key === "Home") to = 0;
    else if (e.key === "End") to = lines.length - 1;
    else if (e.key === "ArrowRight" && has && !l.open) toggle(l.b.model.id, true);
    else if (e.key === "ArrowRight" && has) to = i + 1;
    else if (e.key === "ArrowLeft" && has && l.open) toggle(l.b.model.id, false);
    else if (e.key === "ArrowLeft") to = lines.findLastIndex((x, k) => k < i && x.depth < l.depth);
    else if (e.key === "Enter" || e.key === " ") go({ params: { m: l.b.model.id, new: null } });
    else return;
    e.preventDefault();
    box.current?.querySelectorAll<HTMLElement>("[role=treeitem]")[to]?.focus();
  };
  if (!lines.length) return <Empty title={words.nothingFound(route.value.params.find ?? "")} />;
  return (
    <div ref={box} class="model-tree" role="tree" aria-label={words.models.tree}>
      {lines.map((l, i) => {
        const m = l.b.model;
        const has = l.b.children.length > 0;
        return (
          <div
            key={m.id}
            role="treeitem"
            aria-level={l.depth + 1}
            aria-expanded={has ? l.open : undefined}
            aria-selected={m.id === here}
            tabIndex={m.id === focus ? 0 : -1}
            class={cls("model-line", !l.hit && "quiet")}
            style={{ paddingLeft: 8 + l.depth * 18 }}
            title={m.id}
            onKeyDown={(e) => key(e, i)}
            onClick={() => go({ params: { m: m.id, new: null } })}
          >
            <span
              class="model-fold"
              aria-hidden="true"
              onClick={(e) => has && (e.stopPropagation(), toggle(m.id, !l.open))}
            >
              {has && <Icon of={l.open ? ChevronDown : ChevronRight} size={14} />}
            </span>
            <span class={cls("grow ellipsis", m.data.decommissioned && "model-off")}>{m.name}</span>
            {m.data.decommissioned && <span class="tiny quiet">{words.models.off}</span>}
            <span class="num small quiet" title={words.models.countHint(l.b.own, l.b.all)}>
              {l.b.all ? format.count(l.b.all) : ""}
            </span>
          </div>
        );
      })}
    </div>
  );
}
