// SPDX-License-Identifier: Apache-2.0
// What is drawn beside: other twins that have the property, another time, and in a scenario live.
import { Check, Layers2, X } from "lucide-preact";
import { byId, labelOf, offered, search, type Entry } from "~/api/catalogue";
import { models } from "~/api/models";
import { go, kind, route } from "~/app/route";
import { Button, Icon, Menu } from "~/ui/basic";
import { FindTwin } from "~/ui/find";
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
  const others = othersIn(route.value.params);
  const vs = route.value.params.vs ?? "";
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
      <FindTwin
        id="beside"
        label={w.find}
        hint={w.find}
        none={w.none}
        keep
        among={(text) => candidates(id, paths, text)}
        deps={[id, paths.join(), others.join()]}
        more={(e) => ({ on: others.includes(e.id) })}
        take={(e) => toggle(e.id)}
      />
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
