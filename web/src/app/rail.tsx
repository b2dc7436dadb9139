// SPDX-License-Identifier: Apache-2.0
// The views, down the side; on a phone the first of them along the bottom, and "more" for the others.
import { Ellipsis } from "lucide-preact";
import { cls, Icon, Menu } from "~/ui/basic";
import { views, type View } from "~/views";
import { words } from "~/words/en";
import { hrefOf, route } from "./route";

const FIRST = ["overview", "graph", "map", "whatif"]; // on a phone

const shown = () => views.filter((v) => !v.hidden);
const isHere = (v: View) => route.value.view === v.id;

function Badge({ n }: { n: number }) {
  return n > 0 ? <span class="badge">{n}</span> : null;
}

function More() {
  const rest = shown().filter((v) => !FIRST.includes(v.id));
  const here = rest.find(isHere);
  return (
    <Menu
      label={words.more}
      button={(open, on) => (
        <button type="button" class={cls("rail-more", here && "here")} onClick={open} aria-expanded={on}>
          <Icon of={here?.icon ?? Ellipsis} />
          {here?.title ?? words.more}
          <Badge n={rest.reduce((n, v) => n + (v.badge?.() ?? 0), 0)} />
        </button>
      )}
    >
      {(close) =>
        rest.map((v) => (
          <a key={v.id} class="menu-item" href={hrefOf({ view: v.id })} onClick={close}>
            <Icon of={v.icon} />
            <span class="grow">{v.title}</span>
            {v.badge && v.badge() > 0 && <span class="chip attention">{v.badge()}</span>}
          </a>
        ))
      }
    </Menu>
  );
}

export function Rail() {
  return (
    <nav class="rail" aria-label={words.rail}>
      <img class="logo" src="/favicon.svg" alt={words.product} />
      {shown().map((v) => (
        <a
          key={v.id}
          class={FIRST.includes(v.id) ? undefined : "rest"}
          href={hrefOf({ view: v.id })}
          aria-current={isHere(v) ? "page" : undefined}
          title={`${v.title} (g ${v.key})`}
        >
          <Icon of={v.icon} />
          {v.title}
          <Badge n={v.badge?.() ?? 0} />
        </a>
      ))}
      <More />
    </nav>
  );
}
