// SPDX-License-Identifier: Apache-2.0
// A field and what fits the text in it: the arrows go through, Enter takes, Escape leaves. Wherever a twin is found by
// its name it is this one, and so is the palette.
import type { ComponentChildren, RefObject } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { useSignal, type Signal } from "@preact/signals";
import { Check, CornerDownLeft, type LucideIcon } from "lucide-preact";
import { entries, search, type Entry } from "~/api/catalogue";
import { modelName } from "~/api/models";
import { words } from "~/words/en";
import { cls, Icon } from "./basic";
import "./find.css";

export interface Choice {
  id: string;
  title: string;
  hint?: ComponentChildren;
  icon?: LucideIcon;
  keys?: string; // of a shortcut that does the same
  on?: boolean; // where several may be taken: whether it is
  run: () => void;
}

interface FieldProps {
  id: string;
  label?: string; // where no <label> names the field
  hint?: string; // in the empty field
  none?: string; // said when nothing fits, also while nothing is typed
  text?: Signal<string>; // of who begins it anew
  field?: RefObject<HTMLInputElement>;
  leave?: () => void; // by Escape; without it the text goes first
  over?: boolean; // the list lies over what is below
  keep?: boolean; // what is typed stays when something is taken
  bare?: boolean; // the field looks as its place has it
  focus?: boolean;
}

interface Props extends FieldProps {
  list: (text: string) => readonly Choice[];
  deps?: readonly unknown[]; // what the list follows from, besides the text and the twins
}

function Row({ c, id, on, take, point }: { c: Choice; id: string; on: boolean; take: () => void; point: () => void }) {
  return (
    <div
      id={id}
      role="option"
      aria-selected={on}
      aria-checked={c.on}
      class="menu-item"
      onPointerDown={(e) => e.preventDefault()} // the field keeps the focus
      onPointerMove={point}
      onClick={take}
    >
      {c.icon && <Icon of={c.icon} />}
      <span class="ellipsis">{c.title}</span>
      <span class="grow ellipsis quiet small find-hint">{c.hint}</span>
      {c.keys?.split(" ").map((k) => <span class="key">{k}</span>)}
      {c.on && <Icon of={Check} />}
      {on && c.on === undefined && <Icon of={CornerDownLeft} size={13} />}
    </div>
  );
}

export function Find(p: Props) {
  const own = useSignal("");
  const text = p.text ?? own;
  const [at, setAt] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const list = useMemo(() => p.list(text.value), [text.value, entries.value, ...(p.deps ?? [])]);
  const type = (next: string) => ((text.value = next), setAt(0));
  const take = (c: Choice | undefined) => {
    if (!c) return;
    if (!p.keep) type("");
    c.run();
  };
  const go = (to: number) => {
    setAt(to);
    box.current?.querySelectorAll("[role=option]")[to]?.scrollIntoView({ block: "nearest" });
  };
  const key = (e: KeyboardEvent) => {
    const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    if (step && list.length) go((at + step + list.length) % list.length);
    else if (e.key === "Enter") {
      // Who types fast is ahead of what is drawn.
      const typed = (e.target as HTMLInputElement).value;
      take(typed === text.peek() ? list[at] : p.list(typed)[0]);
    } else if (e.key === "Escape" && p.leave) p.leave();
    else if (e.key === "Escape" && text.peek()) type("");
    else return;
    e.preventDefault();
    e.stopPropagation(); // of a menu or a form around it the key is not
  };
  const silent = !list.length && (p.none ?? (text.value.trim() && words.nothingFound(text.value)));
  const rows = (
    <div
      ref={box}
      id={p.id + "-list"}
      role="listbox"
      aria-label={words.fits}
      class={cls("find-list", p.over && "over card")}
      hidden={!list.length}
    >
      {list.map((c, i) => (
        <Row key={c.id} c={c} id={`${p.id}-${i}`} on={i === at} take={() => take(c)} point={() => setAt(i)} />
      ))}
    </div>
  );
  return (
    <div class={cls("find", p.over && "over")} onKeyDown={key}>
      <input
        ref={p.field}
        id={p.id}
        class={p.bare ? undefined : "input"}
        role="combobox"
        aria-expanded={list.length > 0}
        aria-controls={p.id + "-list"}
        aria-activedescendant={list[at] ? `${p.id}-${at}` : undefined}
        aria-autocomplete="list"
        aria-label={p.label}
        placeholder={p.hint}
        autocomplete="off"
        spellcheck={false}
        autoFocus={p.focus}
        value={text.value}
        onInput={(e) => type(e.currentTarget.value)}
      />
      {rows}
      {silent && <div class={cls("menu-title", p.over && "find-list over card")}>{silent}</div>}
    </div>
  );
}

const SHOWN = 8;

/** What a twin is called, and in the hint what it is and its id. */
export function choiceOf(e: Entry, run: () => void): Choice {
  const model = modelName(e.model);
  return { id: "twin:" + e.id, title: e.label, hint: e.label === e.id ? model : `${model} · ${e.id}`, run };
}

interface TwinProps extends FieldProps {
  take: (e: Entry) => void;
  among?: (text: string, limit: number) => readonly Entry[]; // all of them unless told
  more?: (e: Entry) => Partial<Choice>; // what there is to say of one
  deps?: readonly unknown[];
}

export function FindTwin({ take, among = search, more, ...rest }: TwinProps) {
  const list = (text: string) => among(text, SHOWN).map((e) => ({ ...choiceOf(e, () => take(e)), ...more?.(e) }));
  return <Find {...rest} list={list} />;
}
