// SPDX-License-Identifier: Apache-2.0
// Which values are drawn: all of them as switches while they are few, else those that are chosen and a list to search.
import { useState } from "preact/hooks";
import { Plus, X } from "lucide-preact";
import { propertyOf } from "~/api/models";
import { go } from "~/app/route";
import { Icon, Menu } from "~/ui/basic";
import { words } from "~/words/en";
import { BesideChips } from "./beside";
import { MOST_LINES } from "./wanted";

const FEW = 8;
const w = words.twin;

interface Props {
  model: string;
  numbers: readonly string[];
  chosen: readonly string[];
}

export function toggle(chosen: readonly string[], path: string): void {
  const next = chosen.includes(path) ? chosen.filter((x) => x !== path) : [...chosen, path].slice(-MOST_LINES);
  go({ params: { p: next.join(",") || null }, replace: true });
}

function More({ model, numbers, chosen }: Props) {
  const [text, set] = useState("");
  const name = (p: string) => propertyOf(model, p)?.name ?? p;
  const rest = numbers.filter((p) => !chosen.includes(p) && name(p).toLowerCase().includes(text.toLowerCase()));
  return (
    <Menu
      label={w.choose}
      button={(open, shown) => (
        <button type="button" class="chip pick" aria-expanded={shown} aria-haspopup="dialog" onClick={open}>
          <Icon of={Plus} size={13} />
          {w.moreValues(numbers.length - chosen.length)}
        </button>
      )}
    >
      {() => (
        <>
          <div style={{ padding: 8 }}>
            <input
              class="input"
              placeholder={w.findValue}
              aria-label={w.findValue}
              value={text}
              onInput={(e) => set(e.currentTarget.value)}
            />
          </div>
          {rest.map((p) => (
            <button key={p} type="button" class="menu-item" onClick={() => toggle(chosen, p)}>
              {name(p)}
            </button>
          ))}
          {!rest.length && <div class="menu-title">{words.nothingFound(text)}</div>}
        </>
      )}
    </Menu>
  );
}

export function Chosen(p: Props) {
  const few = p.numbers.length <= FEW;
  const name = (path: string) => propertyOf(p.model, path)?.name ?? path;
  return (
    <div class="chips" role="group" aria-label={w.choose}>
      {(few ? p.numbers : p.chosen).map((path) => (
        <button
          type="button"
          key={path}
          class="chip pick"
          aria-pressed={p.chosen.includes(path)}
          onClick={() => toggle(p.chosen, path)}
        >
          {name(path)}
          {!few && <Icon of={X} size={12} />}
        </button>
      ))}
      {!few && <More {...p} />}
      <BesideChips />
    </div>
  );
}
