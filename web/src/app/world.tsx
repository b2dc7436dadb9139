// SPDX-License-Identifier: Apache-2.0
// Which world one looks at, in words and colour, and the way to another one.
import { useState } from "preact/hooks";
import { ChevronDown, GitFork, History, Radio } from "lucide-preact";
import { drop, fork, freeName, worlds } from "~/api/worlds";
import { Ago, Button, Field, Icon, Menu } from "~/ui/basic";
import { tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { go, kind, route, worldName } from "./route";

export function worldTitle(): string {
  const r = route.value;
  if (kind.value === "live") return words.world.live;
  if (kind.value === "scenario") return words.world.scenario(r.world);
  const past = words.world.past(format.time(r.at), format.relative(r.at));
  return r.world === "live" ? past : `${past} · ${r.world}`;
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
  const [name, set] = useState(() => freeName("what-if"));
  return (
    <form
      class="column"
      style={{ padding: "8px 12px 12px" }}
      onSubmit={(e) => {
        e.preventDefault();
        close();
        void forkHere(name.trim());
      }}
    >
      <Field label={words.world.forkName} for="fork-name" help={words.world.forkAbout(worldTitle())}>
        <input
          id="fork-name"
          class="input"
          value={name}
          required
          pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
          onInput={(e) => set(e.currentTarget.value)}
        />
      </Field>
      <Button look="primary" type="submit" icon={GitFork}>
        {words.world.fork}
      </Button>
    </form>
  );
}

export function WorldSwitch() {
  const icon = kind.value === "live" ? undefined : kind.value === "past" ? History : GitFork;
  const forks = worlds.value.filter((w) => w.name !== "live");
  return (
    <>
      <Menu
        label={words.world.switch}
        button={(open, shown) => (
          <Button class="world-switch" onClick={open} aria-expanded={shown} title={words.world.switch}>
            {icon ? <Icon of={icon} /> : <span class="dot" />}
            <span class="ellipsis">{worldTitle()}</span>
            <Icon of={ChevronDown} size={14} />
          </Button>
        )}
      >
        {(close) => (
          <>
            <button type="button" class="menu-item" onClick={() => (go({ world: "live", at: "" }), close())}>
              <Icon of={Radio} />
              <span class="grow">
                <div class="strong">{words.world.live}</div>
                <div class="tiny quiet">{words.world.liveAbout}</div>
              </span>
            </button>
            {forks.length > 0 && <div class="menu-title">{words.world.scenarios}</div>}
            {forks.map((w) => (
              <div class="row" key={w.name}>
                <button type="button" class="menu-item grow" onClick={() => (go({ world: w.name, at: "" }), close())}>
                  <Icon of={GitFork} />
                  <span class="grow" style={{ minWidth: 0 }}>
                    <div class="strong ellipsis">{w.name}</div>
                    <div class="tiny quiet ellipsis">
                      {w.purpose || words.world.of(w.parent ?? "live")} {w.created && <Ago time={w.created} />}
                    </div>
                  </span>
                  {w.status && w.status !== "idle" && <span class="chip world">{w.status}</span>}
                </button>
                <Button
                  look="danger"
                  class="plain"
                  onClick={() => confirm(words.world.dropSure(w.name)) && void drop(w.name).catch(tellError)}
                >
                  {words.world.drop}
                </Button>
              </div>
            ))}
            <div class="menu-title">{words.world.newFork}</div>
            <ForkForm close={close} />
          </>
        )}
      </Menu>
      {kind.value !== "live" && (
        <Button onClick={() => go({ world: "live", at: "" })} icon={Radio}>
          {words.world.backToLive}
        </Button>
      )}
    </>
  );
}
