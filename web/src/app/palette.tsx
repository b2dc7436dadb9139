// SPDX-License-Identifier: Apache-2.0
// The command palette (Ctrl K): twins, views, worlds, actions, one line to all of them. Views add their own actions.
import { effect, signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Box, Globe } from "lucide-preact";
import { search } from "~/api/catalogue";
import { worlds } from "~/api/worlds";
import { choiceOf, Find, type Choice } from "~/ui/find";
import { views } from "~/views";
import { compareCommands } from "~/views/compare/ways";
import { words } from "~/words/en";
import { go, select } from "./route";

/** Its keys are bound where they are one of shortcuts.ts. */
export interface Command extends Choice {
  hint?: string;
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

function listOf(text: string): readonly Choice[] {
  const twins = search(text, 12).map((e) => ({ ...choiceOf(e, () => select(e.id)), icon: Box }));
  const rest = fixed().filter((c) => !text || fits(c, text));
  return (text ? [...twins, ...rest] : rest).slice(0, ROWS_MAX);
}

const closed = (c: Choice): Choice => ({ ...c, run: () => ((paletteOpen.value = false), c.run()) });

export function Palette() {
  const ref = useRef<HTMLDialogElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const text = useSignal("");
  const open = paletteOpen.value;
  // At once and not with the next picture: whoever types on must find the field there.
  useEffect(
    () =>
      effect(() => {
        const d = ref.current!;
        if (paletteOpen.value && !d.open) {
          field.current!.value = "";
          text.value = "";
          d.showModal();
          field.current!.focus();
        } else if (!paletteOpen.value && d.open) d.close();
      }),
    [],
  );
  return (
    <dialog
      ref={ref}
      class="palette"
      aria-label={words.search}
      onClose={() => (paletteOpen.value = false)}
      onClick={(e) => e.target === ref.current && (paletteOpen.value = false)}
    >
      <Find
        id="palette"
        label={words.search}
        hint={words.searchHint}
        text={text}
        field={field}
        bare
        keep
        leave={() => (paletteOpen.value = false)}
        list={(typed) => (paletteOpen.peek() ? listOf(typed).map(closed) : [])}
        deps={[open, extra.value, worlds.value]}
      />
    </dialog>
  );
}
