// SPDX-License-Identifier: Apache-2.0
// What needs somebody, as rows: what and who, since when, and the way back to when it began. On the overview and behind
// the bell in the bar; what is new is said once, politely.
import { computed } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { Bell, CircleAlert, History, Scale } from "lucide-preact";
import { askAttention, attentionError, attentionRead, needs, type Need } from "~/api/attention";
import { labelOf } from "~/api/catalogue";
import { askDecisions, decisionsError, ruleTitle, type DecisionShort } from "~/api/decisions";
import { needed, neededRead } from "~/api/holds";
import { Ago, Button, cls, Icon, Menu, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { beforeOf } from "./before";
import { worldNow } from "./clock";
import { go, hrefOf, isLive, kind, select, worldName } from "./route";

const MENU_MAX = 12;
const SAY_MS = 5000; // not oftener: a screen reader shall not chatter

export function NeedRow({ need: n, done }: { need: Need; done?: () => void }) {
  return (
    <div class="need">
      <Icon of={CircleAlert} />
      <button
        type="button"
        class="need-what"
        onClick={() => {
          select(n.id);
          done?.();
        }}
      >
        <span class="strong">{labelOf(n.id)}</span>
        <span class="need-text">{n.text}</span>
        {n.also.length > 0 && <span class="small quiet">{words.needs.also(n.also.map(labelOf).join(", "))}</span>}
      </button>
      <span class="need-when small quiet">
        {n.began ? (
          <>
            {words.needs.since(format.time(n.began))}, <Ago time={n.began} now={worldNow} />
          </>
        ) : n.began === null ? (
          words.needs.long
        ) : (
          ""
        )}
      </span>
      {n.began ? (
        <Button
          icon={History}
          class="need-back"
          title={words.needs.backAbout}
          onClick={() => {
            go({ at: beforeOf(n.began!), params: { sel: n.id } });
            done?.();
          }}
        >
          {words.needs.back}
        </Button>
      ) : null}
    </div>
  );
}

export function DecisionRow({ d, done }: { d: DecisionShort; done?: () => void }) {
  return (
    <div class="need waits">
      <Icon of={Scale} />
      <a
        class="need-what"
        href={hrefOf({ world: "live", view: "decisions", params: { id: String(d.id) } })}
        onClick={done}
      >
        <span class="strong">{labelOf(d.twin)}</span>
        <span class="need-text">{words.needs.decide(ruleTitle(d.rule))}</span>
      </a>
      <span class="need-when small quiet">{d.due ? words.needs.due(format.relative(d.due)) : <Ago time={d.at} />}</span>
    </div>
  );
}

/** What waits for people: only live has it. */
export const decisionsHere = () => (kind.value === "scenario" ? [] : isLive.value ? needed.value : []);

/** Faults and decisions were read: only then may anything be called fine, or be said to be all. */
export const needsRead = computed(
  () => attentionRead.value && !(kind.value === "live" && !neededRead.value && decisionsError.value === undefined),
);
/** Why it cannot be said that nothing needs somebody. */
export const needsError = computed(
  () => attentionError.value ?? (kind.value === "live" ? decisionsError.value : undefined),
);

/** Whichever of the two could not be read is asked again. */
export function askNeeds(): void {
  if (attentionError.peek() !== undefined) askAttention();
  if (decisionsError.peek() !== undefined) askDecisions();
}

/** Says what is new, not what is there already, and not more often than one can listen. */
function useNews(list: readonly Need[], proposals: readonly DecisionShort[]): string {
  const [said, say] = useState("");
  const known = useRef<{ world: string; keys: Set<string> } | null>(null);
  const last = useRef(0);
  const world = worldName.value;
  const keys = [...list.map((n) => `${n.id} ${n.text}`), ...proposals.map((d) => `#${d.id}`)];
  useEffect(() => {
    if (!attentionRead.value) return;
    const seen = known.current;
    if (!seen || seen.world !== world) {
      known.current = { world, keys: new Set(keys) };
      say("");
      return;
    }
    const fresh = list.filter((n) => !seen.keys.has(`${n.id} ${n.text}`));
    const asked = proposals.filter((d) => !seen.keys.has(`#${d.id}`));
    if (!fresh.length && !asked.length) {
      known.current = { world, keys: new Set(keys) };
      return;
    }
    const timer = setTimeout(
      () => {
        last.current = Date.now();
        known.current = { world, keys: new Set(keys) };
        const one = fresh.length + asked.length === 1;
        if (!one) say(words.needs.news(fresh.length + asked.length));
        else if (fresh[0]) say(words.timeline.alert(labelOf(fresh[0].id), fresh[0].text));
        else say(words.needs.decide(ruleTitle(asked[0]!.rule)));
      },
      Math.max(0, SAY_MS - (Date.now() - last.current)),
    );
    return () => clearTimeout(timer);
  }, [keys.join("\n"), world, attentionRead.value]);
  return said;
}

export function Alerts() {
  const known = useRef(false); // once: the next instant is asked for in a moment
  known.current ||= needsRead.value;
  const error = needsError.value;
  const told = known.current || error !== undefined;
  const list = told ? needs.value : [];
  const proposals = told ? decisionsHere() : [];
  const n = list.length + proposals.length;
  const said = useNews(list, proposals);
  const fine = needsRead.value || (known.current && kind.value === "past");
  const state = n ? "" : error !== undefined ? words.needs.notAsked : fine ? "" : words.needs.asking;
  return (
    <>
      <Menu
        label={words.needs.title}
        class="needs-menu"
        button={(open, shown) => (
          <Button
            look="plain"
            class={cls("bell", n > 0 && "on", !list.length && "waits")}
            onClick={open}
            aria-expanded={shown}
            aria-label={`${words.needs.title}: ${state || words.needs.count(n)}`}
            title={state || words.needs.count(n)}
          >
            <Icon of={Bell} />
            {n > 0 && <span class={cls("badge", !list.length && "waits")}>{n > 99 ? "99+" : n}</span>}
          </Button>
        )}
      >
        {(close) => (
          <>
            <div class="menu-title">{n ? words.needs.count(n) : state || words.overview.fine}</div>
            {error !== undefined && <Wrong error={error} retry={askNeeds} />}
            {list.slice(0, MENU_MAX).map((need) => (
              <NeedRow key={need.id} need={need} done={close} />
            ))}
            {proposals.map((d) => (
              <DecisionRow key={d.id} d={d} done={close} />
            ))}
            {list.length > MENU_MAX && <div class="menu-title">{words.overview.andMore(list.length - MENU_MAX)}</div>}
            {!n && !state && <div class="menu-about small quiet">{words.needs.about}</div>}
          </>
        )}
      </Menu>
      <div class="unseen" role="status" aria-live="polite">
        {said}
      </div>
    </>
  );
}
