// SPDX-License-Identifier: Apache-2.0
// Choose a twin by typing a part of its name.
import { useState } from "preact/hooks";
import { X } from "lucide-preact";
import { labelOf, search } from "~/api/catalogue";
import { Field, IconButton } from "~/ui/basic";
import { words } from "~/words/en";

interface Props {
  id: string;
  label: string;
  twin: string;
  set: (twin: string) => void;
}

const SHOWN = 8;

export function TwinPicker({ id, label, twin, set }: Props) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const found = search(text, SHOWN);
  const choose = (t: string) => {
    set(t);
    setText("");
    setAt(0);
  };
  const key = (e: KeyboardEvent) => {
    const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    if (step && found.length) {
      e.preventDefault();
      setAt((at + step + found.length) % found.length);
    } else if (e.key === "Enter" && found[at]) {
      e.preventDefault();
      choose(found[at].id);
    } else if (e.key === "Escape" && text) {
      e.stopPropagation();
      setText("");
    }
  };
  return (
    <Field label={label} for={id}>
      {twin ? (
        <div class="picked row">
          <span class="grow ellipsis" title={twin}>
            {labelOf(twin)}
          </span>
          <IconButton name={words.whatif.another} icon={X} onClick={() => set("")} />
        </div>
      ) : (
        <div class="find">
          <input
            id={id}
            class="input"
            role="combobox"
            aria-expanded={found.length > 0}
            aria-controls={id + "-list"}
            aria-activedescendant={found[at] ? `${id}-${at}` : undefined}
            value={text}
            placeholder={words.whatif.findTwin}
            autocomplete="off"
            onInput={(e) => (setText(e.currentTarget.value), setAt(0))}
            onKeyDown={key}
          />
          <div id={id + "-list"} role="listbox" aria-label={label} class={found.length ? "find-list card" : ""}>
            {found.map((e, i) => (
              <div
                role="option"
                aria-selected={i === at}
                class="menu-item"
                id={`${id}-${i}`}
                key={e.id}
                onPointerDown={(x) => (x.preventDefault(), choose(e.id))}
              >
                <span class="ellipsis">{e.label}</span>
                <code class="tiny quiet ellipsis">{e.id}</code>
              </div>
            ))}
          </div>
        </div>
      )}
    </Field>
  );
}
