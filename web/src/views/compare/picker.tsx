// SPDX-License-Identifier: Apache-2.0
// Which world stands in a pane: live, an instant of its past, a what-if with or without its changes.
import { useState } from "preact/hooks";
import { ChevronDown, GitFork, History, Radio } from "lucide-preact";
import { now } from "~/api/now";
import { worlds } from "~/api/worlds";
import type { Side as Name } from "~/app/pane";
import { Button, cls, Icon, Menu, TextField } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { kindOf, nameOf, partsOf, titleOf, type WorldRef } from "./names";
import { choose, type Side } from "./sides";

const w = words.compare;
const HOUR = 3600_000;
const AGO = [HOUR, 8 * HOUR, 24 * HOUR];

export const icons = { live: Radio, past: History, scenario: GitFork };
export const ago = (ms: number) => format.instant(Math.floor((now() - ms) / 1000) * 1000);

/** The form's own time is local and has no zone. */
function Instant({ set }: { set: (at: string) => void }) {
  const [text, setText] = useState("");
  const [wrong, complain] = useState(false);
  const time = Date.parse(text);
  return (
    <form
      class="column compare-instant"
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        if (Number.isFinite(time)) set(format.instant(time));
        else complain(true);
      }}
    >
      <TextField
        id="compare-instant"
        type="datetime-local"
        step="1"
        label={w.instant}
        wrong={wrong ? w.noInstant : ""}
        value={text}
        set={(t) => (setText(t), complain(false))}
      />
      <Button type="submit">{w.instantGo}</Button>
    </form>
  );
}

/** What can be chosen, as a list of buttons; `pin`: to stay as it is whatever the clock says. */
export function Choices({ set }: { set: (ref: WorldRef) => void }) {
  const forks = worlds.value.filter((x) => x.name !== "live");
  const item = (ref: WorldRef, title: string, hint: string) => {
    const kind = kindOf(ref);
    return (
      <button key={title} type="button" class="menu-item" data-kind={kind} onClick={() => set(ref)}>
        <Icon of={icons[kind]} />
        <span class="grow" style={{ minWidth: 0 }}>
          <div class="strong ellipsis">{title}</div>
          {hint && <div class="tiny quiet ellipsis">{hint}</div>}
        </span>
      </button>
    );
  };
  return (
    <>
      {item({ name: "live", at: "" }, words.world.live, words.world.liveAbout)}
      <div class="menu-title">{w.pasts}</div>
      {AGO.map((ms) => {
        const at = ago(ms);
        return item({ name: "live", at }, w.ago(format.duration(ms)), format.time(at));
      })}
      <Instant set={(at) => set({ name: "live", at })} />
      {forks.length > 0 && <div class="menu-title">{w.worlds}</div>}
      {forks.map((x) => item({ name: x.name, at: "" }, nameOf({ name: x.name, at: "" }), x.purpose ?? ""))}
    </>
  );
}

/** The name of a pane's world, in its colour, and the way to another one. */
export function PaneName({ side, s }: { side: Name; s: Side }) {
  const kind = kindOf(s.ref);
  const { word, name } = partsOf(s.ref);
  return (
    <div class={cls("compare-name", side)} data-kind={kind}>
      <span class="compare-letter" aria-hidden="true">
        {side.toUpperCase()}
      </span>
      <Menu
        label={w.choose(side.toUpperCase())}
        class="compare-menu"
        button={(open, shown) => (
          <Button
            class="compare-world"
            onClick={open}
            aria-expanded={shown}
            aria-label={w.pane(w.choose(side.toUpperCase()), titleOf(s.ref))}
            title={w.choose(side.toUpperCase())}
          >
            <Icon of={icons[kind]} />
            <span class="compare-title">
              <span>{word}</span> <span class="ellipsis">{name}</span>
            </span>
            <Icon of={ChevronDown} size={14} />
          </Button>
        )}
      >
        {(close) => <Choices set={(ref) => (choose(side, ref), close())} />}
      </Menu>
      <span
        class="tiny quiet ellipsis compare-when"
        title={Number.isNaN(s.time) ? "" : `${format.exactTime(s.time)} ${s.note}`}
      >
        {!Number.isNaN(s.time) && !(kind === "past") && w.as(format.time(s.time))}
        {s.note && <span class="compare-note"> {s.note}</span>}
      </span>
    </div>
  );
}
