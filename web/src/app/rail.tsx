// SPDX-License-Identifier: Apache-2.0
// The views, down the side; on a phone the first of them along the bottom, and "more" for the others.
import { CircleHelp, Ellipsis, Moon, Sun } from "lucide-preact";
import { cls, Icon, Menu } from "~/ui/basic";
import { views, type View } from "~/views";
import { words } from "~/words/en";
import { isDark, theme } from "./prefs";
import { hrefOf, route } from "./route";
import { helpOpen } from "./shortcuts";

const FIRST = ["overview", "graph", "map", "whatif"]; // on a phone

const shown = () => views.filter((v) => !v.hidden);
/** The page of one of them stands where their list does. */
const isHere = (v: View) => route.value.view === v.id || (v.pages ?? "") === route.value.view;

function Badge({ n }: { n: number }) {
  return n > 0 ? <span class="badge">{n}</span> : null;
}

/** What the bar of a phone has no room for. */
function Rest({ close }: { close: () => void }) {
  const dark = isDark();
  return (
    <>
      <div class="menu-line" />
      <button type="button" class="menu-item" onClick={() => (theme.value = dark ? "light" : "dark")}>
        <Icon of={dark ? Sun : Moon} />
        <span class="grow">{dark ? words.theme.light : words.theme.dark}</span>
      </button>
      <button type="button" class="menu-item" onClick={() => (close(), (helpOpen.value = true))}>
        <Icon of={CircleHelp} />
        <span class="grow">{words.shortcuts}</span>
      </button>
    </>
  );
}

function More() {
  const rest = shown().filter((v) => !FIRST.includes(v.id));
  const here = rest.some(isHere);
  return (
    <Menu
      label={words.more}
      button={(open, on) => (
        <button type="button" class={cls("rail-more", here && "here")} onClick={open} aria-expanded={on}>
          <Icon of={Ellipsis} />
          {words.more}
          <Badge n={rest.reduce((n, v) => n + (v.badge?.() ?? 0), 0)} />
        </button>
      )}
    >
      {(close) => (
        <>
          {rest.map((v) => (
            <a
              key={v.id}
              class="menu-item"
              href={hrefOf({ view: v.id })}
              aria-current={isHere(v) ? "true" : undefined}
              onClick={close}
            >
              <Icon of={v.icon} />
              <span class="grow">{v.title}</span>
              {v.badge && v.badge() > 0 && <span class="chip attention">{v.badge()}</span>}
            </a>
          ))}
          <Rest close={close} />
        </>
      )}
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
