// SPDX-License-Identifier: Apache-2.0
// Which world one looks at, in words and colour, and the way to another one.
import { useState } from "preact/hooks";
import { ChevronDown, Columns2, GitFork, History, Pin, PinOff, Radio, Trash2 } from "lucide-preact";
import { current, drop, fork, forkName, readWorlds, worlds, worldsError } from "~/api/worlds";
import type { World } from "~/api/types";
import { withWorlds, worldText } from "~/api/worldtext";
import { Ago, Button, Chip, Dialog, Empty, Icon, IconButton, Menu, Progress, Wrong } from "~/ui/basic";
import { NameField, useName } from "~/ui/name";
import { tell, tellError } from "~/ui/toast";
import { pairOf } from "~/views/compare/ways";
import { words } from "~/words/en";
import * as format from "~/format";
import { clockOf } from "./clock";
import { isPinned, togglePin } from "./range";
import { go, hrefOf, isMissing, kind, missing, route, worldName } from "./route";

const SEARCH_FROM = 6; // fewer are seen at a glance

export function worldTitle(): string {
  const r = route.value;
  if (kind.value === "live") return words.world.live;
  if (isMissing.value) return words.world.missing(r.world);
  if (kind.value === "scenario") return words.world.scenario(r.world);
  const past = words.world.past(format.time(r.at), format.relative(r.at));
  return r.world === "live" ? past : `${past} · ${r.world}`;
}

/** The same in two parts: which world, and what goes beside or, on a phone, below it: its clock, or how long ago. */
function worldParts(): { name: string; more: string; hint: string } {
  const r = route.value;
  const clock = kind.value === "scenario" && !isMissing.value ? clockOf(current.value) : undefined;
  if (kind.value === "past") {
    const ago = format.relative(r.at);
    return {
      name: words.world.then(format.time(r.at)),
      more: r.world === "live" ? ago : `${ago} · ${r.world}`,
      hint: worldTitle(),
    };
  }
  return {
    name: worldTitle(),
    more: clock ? format.time(clock) : "",
    hint: clock ? words.world.clockIs(r.world, format.exactTime(clock)) : "",
  };
}

/** In place of a view: the world of the address is none. */
export function NoWorld() {
  const { name, had } = missing.value!;
  return (
    <div class="view page">
      <div class="page-inner" role="status">
        <Empty
          icon={GitFork}
          title={had ? words.world.discarded(name) : words.world.noWorld(name)}
          hint={had ? words.world.discardedHint : words.world.noWorldHint}
        >
          <div class="row">
            <Button look="primary" icon={Radio} onClick={() => go({ world: "live", at: "" })}>
              {words.world.backToLive}
            </Button>
            <a class="button" href={hrefOf({ world: "live", at: "", view: "whatif", fresh: true })}>
              {words.world.all}
            </a>
          </div>
        </Empty>
      </div>
    </div>
  );
}

/** Fork what is shown, and go there. */
export async function forkHere(name: string, purpose = ""): Promise<void> {
  try {
    const made = await fork({ name, from: worldName.peek(), ...(purpose ? { purpose } : {}) });
    tell(words.world.forked(made.name));
    go({ world: made.name, at: "" });
  } catch (e) {
    tellError(e);
  }
}

function ForkForm({ close }: { close: () => void }) {
  const naming = useName(forkName);
  return (
    <form
      class="column"
      style={{ padding: "8px 12px 12px" }}
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        const name = naming.ask();
        if (!name) return;
        close();
        void forkHere(name);
      }}
    >
      <NameField
        id="fork-name"
        label={words.world.forkName}
        help={words.world.forkAbout(worldTitle())}
        of={naming}
      />
      <Button look="primary" type="submit" icon={GitFork}>
        {words.world.fork}
      </Button>
    </form>
  );
}

/** What runs first, then the newest. */
function sorted(list: readonly World[]): World[] {
  const busy = (w: World) => (w.run?.state === "running" || w.run?.state === "starting" ? 1 : 0);
  const made = (w: World) => (w.created ? Date.parse(w.created) : 0);
  return list.filter((w) => w.name !== "live").sort((a, b) => busy(b) - busy(a) || made(b) - made(a));
}

function Fork({ w, open, ask }: { w: World; open: () => void; ask: () => void }) {
  const r = w.run;
  const runs = r?.state === "running" || r?.state === "starting";
  return (
    <div class="world-row">
      <button
        type="button"
        class="menu-item grow"
        aria-current={route.value.world === w.name ? "true" : undefined}
        onClick={open}
      >
        <Icon of={GitFork} />
        <span class="grow column world-text">
          <span class="row">
            <span class="strong ellipsis">{w.name}</span>
            {r && r.state !== "idle" && <Chip tone="world">{words.whatif.state[r.state] ?? r.state}</Chip>}
          </span>
          {w.purpose && <span class="tiny quiet ellipsis">{withWorlds(w.purpose)}</span>}
          <span class="tiny quiet" title={w.parent ?? ""}>
            {words.world.of(worldText(w.parent ?? "live"))} {w.created && <Ago time={w.created} />}
            {w.time && ` · ${words.world.clock(format.time(w.time))}`}
          </span>
          {runs && <Progress part={r.progress ?? 0} label={words.whatif.running(w.name)} />}
        </span>
      </button>
      {w.run?.until && (
        <IconButton
          name={(isPinned(w.name) ? words.world.unpin : words.world.pin)(w.name)}
          icon={isPinned(w.name) ? PinOff : Pin}
          aria-pressed={isPinned(w.name)}
          onClick={() => togglePin(w.name)}
        />
      )}
      <IconButton name={words.world.dropOf(w.name)} icon={Trash2} class="drop" onClick={ask} />
    </div>
  );
}

function Drop({ name, close }: { name: string; close: () => void }) {
  return (
    <Dialog
      title={words.world.dropTitle(name)}
      open={name !== ""}
      close={close}
      footer={
        <>
          <Button onClick={close}>{words.cancel}</Button>
          <Button
            look="danger"
            icon={Trash2}
            onClick={() => {
              close();
              drop(name).then(() => tell(words.world.dropped(name)), tellError);
            }}
          >
            {words.world.dropOf(name)}
          </Button>
        </>
      }
    >
      <p>{words.world.dropSure(name)}</p>
    </Dialog>
  );
}

function Worlds({ close, ask }: { close: () => void; ask: (name: string) => void }) {
  const [text, set] = useState("");
  const forks = sorted(worlds.value);
  const q = text.trim().toLowerCase();
  const found = forks.filter((w) => `${w.name} ${w.purpose ?? ""} ${w.parent ?? ""}`.toLowerCase().includes(q));
  const open = (world: string) => {
    go({ world, at: "" });
    close();
  };
  return (
    <>
      {forks.length >= SEARCH_FROM && (
        <div class="menu-field">
          <input
            class="input"
            type="search"
            aria-label={words.world.find}
            placeholder={words.world.find}
            value={text}
            onInput={(e) => set(e.currentTarget.value)}
          />
        </div>
      )}
      <button
        type="button"
        class="menu-item"
        aria-current={route.value.world === "live" ? "true" : undefined}
        onClick={() => open("live")}
      >
        <Icon of={Radio} />
        <span class="grow">
          <div class="strong">{words.world.live}</div>
          <div class="tiny quiet">{words.world.liveAbout}</div>
        </span>
      </button>
      {forks.length > 0 && <div class="menu-title">{words.world.scenarios}</div>}
      <div class="world-list">
        {found.map((w) => (
          <Fork
            key={w.name}
            w={w}
            open={() => open(w.name)}
            ask={() => {
              close();
              ask(w.name);
            }}
          />
        ))}
      </div>
      {worldsError.value !== undefined && (
        <Wrong
          title={words.world.notRead}
          error={worldsError.value}
          retry={() => void readWorlds().catch(() => {})}
        />
      )}
      {q && !found.length && <div class="menu-title">{words.nothingFound(text)}</div>}
      <button
        type="button"
        class="menu-item"
        onClick={() => {
          close();
          go(pairOf(route.peek().at ? "" : route.peek().world));
        }}
      >
        <Icon of={Columns2} />
        <span class="grow">{words.compare.compareWith}</span>
      </button>
      <div class="menu-title">{words.world.newFork}</div>
      <ForkForm close={close} />
    </>
  );
}

export function WorldSwitch() {
  const [dropping, ask] = useState("");
  const { name, more, hint } = worldParts();
  const icon = kind.value === "live" ? undefined : kind.value === "past" ? History : GitFork;
  return (
    <>
      <Menu
        label={words.world.switch}
        class="worlds"
        button={(open, shown) => (
          <Button
            class="world-switch"
            onClick={open}
            aria-expanded={shown}
            title={hint ? `${words.world.switch}. ${hint}` : words.world.switch}
          >
            {icon ? <Icon of={icon} /> : <span class="dot" />}
            <span class="world-title">
              <span class="ellipsis">{name}</span>
              {more && <span class="world-more">{more}</span>}
            </span>
            <Icon of={ChevronDown} size={14} />
          </Button>
        )}
      >
        {(close) => <Worlds close={close} ask={ask} />}
      </Menu>
      {kind.value !== "live" && (
        <Button
          class="back-live"
          onClick={() => go({ world: "live", at: "" })}
          icon={Radio}
          title={words.world.backToLive}
        >
          <span class="label">{words.world.backToLive}</span>
        </Button>
      )}
      <Drop name={dropping} close={() => ask("")} />
    </>
  );
}
