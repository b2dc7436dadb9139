// SPDX-License-Identifier: Apache-2.0
// The command palette (Ctrl K): twins, views, worlds, actions, one line to all of them. Views add their own actions.
import { effect, signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Box, CornerDownLeft, Globe, type LucideIcon } from "lucide-preact";
import { search } from "~/api/catalogue";
import { modelName } from "~/api/models";
import { worlds } from "~/api/worlds";
import { Icon } from "~/ui/basic";
import { views } from "~/views";
import { compareCommands } from "~/views/compare/ways";
import { words } from "~/words/en";
import { go, select } from "./route";

export interface Command {
  id: string;
  title: string;
  hint?: string;
  icon?: LucideIcon;
  keys?: string; // shown, and bound when it is one of shortcuts.ts
  run: () => void;
}

export const paletteOpen = signal(false);
const extra = signal<readonly Command[]>([]);

/** Add actions; the function returned takes them away again. */
export function addCommands(list: readonly Command[]): () => void {
  extra.value = [...extra.value, ...list];
  return () => (extra.value = extra.value.filter((c) => !list.includes(c)));
}

/** Actions of a view, as long as it is shown. */
export function useCommands(list: () => readonly Command[], deps: readonly unknown[]): void {
  useEffect(() => addCommands(list()), deps as unknown[]);
}

function fixed(): Command[] {
  return [
    ...views.filter((v) => v.key).map((v) => ({
      id: "view:" + v.id,
      title: v.title,
      hint: words.palette.view,
      icon: v.icon,
      keys: `g ${v.key}`,
      run: () => go({ view: v.id }),
    })),
    ...worlds.value.map((w) => ({
      id: "world:" + w.name,
      title: w.name,
      hint: words.palette.world,
      icon: Globe,
      run: () => go({ world: w.name, at: "" }),
    })),
    ...compareCommands(),
    ...extra.value,
  ];
}

function fits(c: Command, q: string): boolean {
  const text = `${c.title} ${c.hint ?? ""}`.toLowerCase();
  return q
    .toLowerCase()
    .split(/\s+/)
    .every((w) => text.includes(w));
}

const ROWS_MAX = 30; // who does not find it among these types on

function listOf(text: string): Command[] {
  const twins = search(text, 12).map((e) => ({
    id: "twin:" + e.id,
    title: e.label,
    hint: e.label === e.id ? modelName(e.model) : `${modelName(e.model)} · ${e.id}`,
    icon: Box,
    run: () => select(e.id),
  }));
  const rest = fixed().filter((c) => !text || fits(c, text));
  return (text ? [...twins, ...rest] : rest).slice(0, ROWS_MAX);
}

export function Palette() {
  const ref = useRef<HTMLDialogElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const open = paletteOpen.value;
  // At once and not with the next picture: whoever types on must find the field there.
  useEffect(
    () =>
      effect(() => {
        const d = ref.current!;
        if (paletteOpen.value && !d.open) {
          field.current!.value = "";
          setText("");
          setAt(0);
          d.showModal();
          field.current!.focus();
        } else if (!paletteOpen.value && d.open) d.close();
      }),
    [],
  );
  const list = useMemo<Command[]>(() => (open ? listOf(text) : []), [open, text, extra.value, worlds.value]);
  const choose = (c: Command | undefined) => {
    if (!c) return;
    paletteOpen.value = false;
    c.run();
  };
  const key = (e: KeyboardEvent) => {
    const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    if (step) {
      e.preventDefault();
      const next = (at + step + list.length) % Math.max(1, list.length);
      setAt(next);
      ref.current?.querySelectorAll("[role=option]")[next]?.scrollIntoView({ block: "nearest" });
    } else if (e.key === "Enter") {
      e.preventDefault();
      // Who types fast is ahead of what is drawn.
      const typed = (e.target as HTMLInputElement).value;
      choose(typed === text ? list[at] : listOf(typed)[0]);
    }
  };
  return (
    <dialog
      ref={ref}
      class="palette"
      aria-label={words.search}
      onClose={() => (paletteOpen.value = false)}
      onClick={(e) => e.target === ref.current && (paletteOpen.value = false)}
    >
      <div onKeyDown={key}>
        <input
          ref={field}
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={list[at] ? "palette-" + at : undefined}
          aria-label={words.search}
          placeholder={words.searchHint}
          value={text}
          onInput={(e) => {
            setText(e.currentTarget.value);
            setAt(0);
          }}
        />
        <div role="listbox" id="palette-list" aria-label={words.search}>
          {list.map((c, i) => (
            <div
              key={c.id}
              id={"palette-" + i}
              role="option"
              aria-selected={i === at}
              class="menu-item"
              onClick={() => choose(c)}
              onPointerMove={() => setAt(i)}
            >
              {c.icon && <Icon of={c.icon} />}
              <span class="ellipsis">{c.title}</span>
              <span class="grow ellipsis quiet small">{c.hint}</span>
              {c.keys?.split(" ").map((k) => <span class="key">{k}</span>)}
              {i === at && <Icon of={CornerDownLeft} size={13} />}
            </div>
          ))}
          {!list.length && <div class="menu-title">{words.nothingFound(text)}</div>}
        </div>
      </div>
    </dialog>
  );
}
