// SPDX-License-Identifier: Apache-2.0
// What is drawn beside: other twins that have the property, another time, and in a scenario live.
import { useMemo, useState } from "preact/hooks";
import { Check, Layers2, X } from "lucide-preact";
import { byId, entries, labelOf, offered, search, type Entry } from "~/api/catalogue";
import { modelName, models } from "~/api/models";
import { go, kind, route } from "~/app/route";
import { Button, Icon, Menu } from "~/ui/basic";
import { words } from "~/words/en";
import { LIVE, othersIn, periodName } from "./wanted";

const w = words.twin.beside;
const PERIODS = ["prev", "1d", "1w"] as const;
const SHOWN = 8;
const MOST = 5;

const setOthers = (list: readonly string[]) => go({ params: { with: list.slice(-MOST).join(",") || null } });

/** Twins that have one of these values, those of the same model first. */
function candidates(id: string, paths: readonly string[], text: string): Entry[] {
  const model = byId.peek().get(id)?.model;
  const able = new Set(
    [...models.peek().values()].filter((m) => m.properties.some((p) => paths.includes(p.path))).map((m) => m.id),
  );
  const may = (e: Entry) => e.id !== id && able.has(e.model);
  if (text) return search(text, SHOWN, may);
  const alike = offered("", SHOWN, (e) => may(e) && e.model === model);
  return [...alike, ...offered("", SHOWN - alike.length, (e) => may(e) && e.model !== model)];
}

function Choices({ id, paths }: { id: string; paths: readonly string[] }) {
  const [text, set] = useState("");
  const others = othersIn(route.value.params);
  const vs = route.value.params.vs ?? "";
  const found = useMemo(() => candidates(id, paths, text), [id, paths.join(), text, entries.value]);
  const toggle = (other: string) =>
    setOthers(others.includes(other) ? others.filter((o) => o !== other) : [...others, other]);
  return (
    <>
      <div class="menu-title">{w.time}</div>
      {PERIODS.map((p) => (
        <button
          key={p}
          type="button"
          class="menu-item"
          aria-pressed={vs === p}
          onClick={() => go({ params: { vs: vs === p ? null : p } })}
        >
          <span class="grow">{w.periods[p]}</span>
          {vs === p && <Icon of={Check} />}
        </button>
      ))}
      {kind.value === "scenario" && (
        <button
          type="button"
          class="menu-item"
          aria-pressed={route.value.params.beside === LIVE}
          onClick={() => go({ params: { beside: route.peek().params.beside === LIVE ? null : LIVE } })}
        >
          <span class="grow">{w.live}</span>
          {route.value.params.beside === LIVE && <Icon of={Check} />}
        </button>
      )}
      <div class="menu-title">{w.twins}</div>
      <div style={{ padding: "0 8px 4px" }}>
        <input
          class="input"
          placeholder={w.find}
          aria-label={w.find}
          value={text}
          onInput={(e) => set(e.currentTarget.value)}
        />
      </div>
      {found.map((e) => (
        <button
          key={e.id}
          type="button"
          class="menu-item"
          aria-pressed={others.includes(e.id)}
          onClick={() => toggle(e.id)}
        >
          <span class="ellipsis">{e.label}</span>
          <span class="grow tiny quiet ellipsis">{modelName(e.model)}</span>
          {others.includes(e.id) && <Icon of={Check} />}
        </button>
      ))}
      {!found.length && <div class="menu-title">{w.none}</div>}
    </>
  );
}

export function Beside({ id, paths }: { id: string; paths: readonly string[] }) {
  return (
    <Menu
      label={w.title}
      button={(open, shown) => (
        <Button icon={Layers2} aria-expanded={shown} aria-haspopup="dialog" onClick={open}>
          {w.title}
        </Button>
      )}
    >
      {() => <Choices id={id} paths={paths} />}
    </Menu>
  );
}

/** What is beside, each with a way to take it away. */
export function BesideChips() {
  const { vs = "", beside = "" } = route.value.params;
  const others = othersIn(route.value.params);
  const chips: [string, () => void][] = others.map((o) => [labelOf(o), () => setOthers(others.filter((x) => x !== o))]);
  if (vs) chips.push([periodName(vs), () => go({ params: { vs: null } })]);
  if (beside === LIVE && kind.value === "scenario") chips.push([w.live, () => go({ params: { beside: null } })]);
  if (!chips.length) return null;
  return (
    <>
      {chips.map(([title, drop]) => (
        <button
          key={title}
          type="button"
          class="chip pick"
          aria-label={w.drop(title)}
          title={w.drop(title)}
          onClick={drop}
        >
          {title}
          <Icon of={X} size={12} />
        </button>
      ))}
    </>
  );
}
