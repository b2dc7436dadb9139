// SPDX-License-Identifier: Apache-2.0
// Properties of a twin by component: value with unit, how old it is, a field in place where it may be changed, and all
// there is to say of it when its name is clicked.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ChevronRight, Pencil } from "lucide-preact";
import { models, wordsOfName } from "~/api/models";
import type { Twin } from "~/api/types";
import { kind } from "~/app/route";
import { cls, Flash, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { isAtFork, useClock } from "./clock";
import { copyValue, Detail, exactly } from "./detail";
import { Editor } from "./editor";
import { groupsOf, newestOf, shownOf, SILENT_MS, type Shown } from "./shown";

export { parseInput, shownOf, type Shown } from "./shown";

interface RowProps {
  twin: Twin;
  s: Shown;
  now: number;
  silent: boolean; // its device is
  draw?: (path: string) => void;
  drawn?: boolean;
}

function Row({ twin, s, now, silent, draw, drawn }: RowProps) {
  const [editing, edit] = useState(false);
  const pen = useRef<HTMLButtonElement>(null);
  const edited = useRef(false);
  // Whoever closed the field by a key goes on where they were.
  useLayoutEffect(() => {
    if (!editing && edited.current && document.activeElement === document.body) pen.current?.focus();
    edited.current = editing;
  }, [editing]);
  const [open, setOpen] = useState(false);
  const age = s.at && s.sensor ? now - Date.parse(s.at) : 0;
  const old = age > SILENT_MS;
  const atFork = isAtFork(s);
  const editable = s.property !== undefined && s.property.type !== "document" && kind.value !== "past";
  const unit = s.property?.unit ?? "";
  const option = s.property?.options.find((o) => o.value === s.value);
  const text = option ? option.name : format.value(s.value, unit);
  const exact = [s.known && `${exactly(s)} ${format.unitSymbol(unit)}`.trim(), s.at && format.exactTime(s.at)];
  return (
    <div class={cls("prop", ((silent && old) || atFork) && "stale", open && "open")}>
      <dt>
        <button type="button" class="prop-name" aria-expanded={open} title={s.path} onClick={() => setOpen(!open)}>
          <Icon of={ChevronRight} size={12} />
          <span class="ellipsis">{s.name}</span>
          {drawn && <span class="prop-drawn" title={words.twin.isDrawn} />}
        </button>
      </dt>
      {editing ? (
        <dd class="prop-field">
          <Editor twin={twin} s={s} close={() => edit(false)} />
        </dd>
      ) : (
        <dd>
          {atFork && (
            <span class="tiny quiet" title={`${words.twin.atForkHint}\n${format.exactTime(s.at!)}`}>
              {words.twin.atFork}
            </span>
          )}
          {old && !atFork && (
            <span class={cls("tiny", silent ? "prop-old" : "quiet")} title={format.exactTime(s.at!)}>
              {words.old(format.about(age))}
            </span>
          )}
          {s.known ? (
            <button
              type="button"
              class="prop-value"
              title={[...exact, words.twin.clickCopies].filter(Boolean).join("\n")}
              onClick={() => void copyValue(s)}
            >
              <Flash text={text} />
            </button>
          ) : (
            <span class="prop-value none">{words.noValue}</span>
          )}
          {editable && (
            <button
              ref={pen}
              type="button"
              class="prop-pen"
              aria-label={words.twin.edit(s.name)}
              title={words.twin.edit(s.name)}
              onClick={() => edit(true)}
            >
              <Pencil class="icon-svg" aria-hidden="true" />
            </button>
          )}
        </dd>
      )}
      {open && <Detail twin={twin} s={s} draw={draw} />}
    </div>
  );
}

interface Props {
  twin: Twin;
  draw?: (path: string) => void;
  drawn?: readonly string[];
}

/** A group; what has no value yet waits behind a button when there is much of it. */
function Group({ list, ...rest }: { list: Shown[] } & Props & { now: number; silent: boolean }) {
  const [all, show] = useState(false);
  const { drawn, ...more } = rest;
  const known = list.filter((s) => s.known);
  const empty = list.filter((s) => !s.known);
  const hide = !all && empty.length > 2 && known.length > 0;
  return (
    <>
      {(hide ? known : list).map((s) => (
        <Row key={s.path} s={s} drawn={drawn?.includes(s.path)} {...more} />
      ))}
      {empty.length > 2 && known.length > 0 && (
        <div class="prop-more">
          <dt>
            <button type="button" class="prop-name quiet" aria-expanded={all} onClick={() => show(!all)}>
              <Icon of={ChevronRight} size={12} />
              {words.twin.without(empty.length)}
            </button>
          </dt>
          <dd />
        </div>
      )}
    </>
  );
}

export function PropertyList(p: Props) {
  const list = shownOf(p.twin);
  const now = useClock();
  // In a what-if a value stands until a behaviour moves it: nobody is silent there.
  const silent = kind.value !== "scenario" && now - newestOf(list) > SILENT_MS;
  const titles = new Map(models.value.get(p.twin.$metadata.$model)?.components.map((c) => [c.name, c.title]));
  return (
    <div class="props">
      {groupsOf(list).map(([g, all]) => (
        <section key={g} aria-label={g ? (titles.get(g) ?? wordsOfName(g)) : words.inspector.properties}>
          {g && <h3 class="menu-title">{titles.get(g) ?? wordsOfName(g)}</h3>}
          <dl>
            <Group list={all} now={now} silent={silent} {...p} />
          </dl>
        </section>
      ))}
    </div>
  );
}
