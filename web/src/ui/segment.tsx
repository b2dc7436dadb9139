// SPDX-License-Identifier: Apache-2.0
// One of a few, all of them seen: radio buttons that look like one control.
import { useId } from "preact/hooks";
import { cls } from "./basic";
import "./segment.css";

export interface Choice<T extends string> {
  id: T;
  title: string;
  hint?: string;
  disabled?: boolean;
}

interface Props<T extends string> {
  label: string;
  choices: readonly Choice<T>[];
  on: T;
  set: (id: T) => void;
  small?: boolean;
}

export function Segment<T extends string>(p: Props<T>) {
  const name = useId();
  return (
    <div class={cls("segment", p.small && "small")} role="radiogroup" aria-label={p.label}>
      {p.choices.map((c) => (
        <label key={c.id} title={c.hint}>
          <input type="radio" name={name} checked={c.id === p.on} disabled={c.disabled} onChange={() => p.set(c.id)} />
          <span>{c.title}</span>
        </label>
      ))}
    </div>
  );
}
