// SPDX-License-Identifier: Apache-2.0
// Take what a scenario changed into the world it was forked of: which changes, what is in the way, and back again.
import { useEffect, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import { ChevronDown, ChevronRight, GitMerge, RadioTower } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import { timesOf } from "~/api/twin";
import { countOf, diff, merge, mergeTry, type Diff, type Difference, type Only } from "~/api/whatif";
import { Button, Dialog, Icon, Skeleton, Wrong } from "~/ui/basic";
import { Segment } from "~/ui/segment";
import { done } from "~/ui/toast";
import { words } from "~/words/en";
import { canRevert, revert, setValue } from "./edits";
import { DifferenceLine, nameOf, useTwins, valueText } from "./say";

const w = words.whatif;
const MOST = 500;

const keyOf = (d: Difference): string => [d.what, d.twin, d.property ?? "", d.relationship ?? ""].join("\n");
const isValue = (d: Difference): boolean => d.what === "value";

/** What was taken over while this page is open, by world and place: it is not offered as if it were to do. */
const taken = signal<ReadonlyMap<string, string>>(new Map());
const placeOf = (world: string, d: Difference): string => `${world}\n${keyOf(d)}`;
const whatOf = (d: Difference): string => JSON.stringify([d.change, d.after]);
const isTaken = (world: string, d: Difference): boolean => taken.value.get(placeOf(world, d)) === whatOf(d);

function noteTaken(world: string, list: readonly Difference[], is: boolean): void {
  const next = new Map(taken.peek());
  for (const d of list)
    if (is) next.set(placeOf(world, d), whatOf(d));
    else next.delete(placeOf(world, d));
  taken.value = next;
}

const NAMED = 3;

/** Of what is chosen, values that a source tells in live: its next message takes the place of what is merged. */
function Told({ list }: { list: readonly Difference[] }) {
  const values = list.filter(isValue);
  const there = useTwins(
    values.map((d) => d.twin),
    "live",
  );
  const told = values.filter((d) => timesOf(there.get(d.twin), d.property!).source !== undefined);
  if (!told.length) return null;
  const names = told.slice(0, NAMED).map((d) => `${nameOf(d.twin, d.property!)} (${labelOf(d.twin)})`);
  return (
    <p class="small merge-told" role="note">
      <Icon of={RadioTower} size={14} /> {w.toldBySource(names.join(", "), told.length - names.length, told.length)}
    </p>
  );
}

/** Values by their property; of a twin whose links are meant, everything. */
function onlyOf(list: readonly Difference[]): Only {
  const whole = new Set(list.filter((d) => !isValue(d)).map((d) => d.twin));
  return [
    ...[...whole].map((twin) => ({ twin })),
    ...list.filter((d) => isValue(d) && !whole.has(d.twin)).map((d) => ({ twin: d.twin, property: d.property })),
  ];
}

function Choice({
  list,
  on,
  set,
}: {
  list: readonly Difference[];
  on: ReadonlySet<string>;
  set: (k: ReadonlySet<string>) => void;
}) {
  return (
    <ul class="merge-list">
      {list.map((d) => {
        const k = keyOf(d);
        return (
          <li key={k}>
            <label>
              <input
                type="checkbox"
                checked={on.has(k)}
                onChange={() => {
                  const next = new Set(on);
                  if (!next.delete(k)) next.add(k);
                  set(next);
                }}
              />
              <ul class="grow">
                <DifferenceLine d={d} />
              </ul>
            </label>
          </li>
        );
      })}
    </ul>
  );
}

type Side = "theirs" | "ours";

function Conflicts({
  list,
  sides,
  set,
}: {
  list: readonly Difference[];
  sides: ReadonlyMap<string, Side>;
  set: (m: ReadonlyMap<string, Side>) => void;
}) {
  return (
    <div class="column" style={{ gap: 16 }}>
      <p>{w.conflicts(list.length)}</p>
      {list.map((d) => {
        const k = keyOf(d);
        const of = `${labelOf(d.twin)}, ${nameOf(d.twin, d.property ?? "")}`;
        const text = (v: Difference["before"]) => valueText(d.twin, d.property ?? "", v);
        return (
          <div class="column" key={k} style={{ gap: 4 }}>
            <div class="strong">{of}</div>
            {isValue(d) ? (
              <>
                <div class="small">{w.conflict(text(d.before), text(d.after), text(d.there))}</div>
                <Segment
                  label={of}
                  small
                  choices={[
                    { id: "theirs", title: w.keepTheirs(text(d.there)) },
                    { id: "ours", title: w.takeOurs(text(d.after)) },
                  ]}
                  on={sides.get(k) ?? "theirs"}
                  set={(s) => set(new Map(sides).set(k, s))}
                />
              </>
            ) : (
              <div class="small">{d.why}</div>
            )}
          </div>
        );
      })}
    </div>
  );
}

interface Props {
  name: string;
  edits: readonly Difference[]; // by hand: ticked from the beginning
  close: () => void;
}

/** What a merge could take, as far as somebody reads; what was changed by hand is in it, however much a run wrote. */
async function offer(name: string, byHand: ReadonlySet<string>, twins: readonly string[]): Promise<Diff> {
  const first = await diff(name, undefined, MOST);
  if (!first.nextLink) return first;
  const known = new Set(first.changes.map(keyOf));
  const own = await Promise.all([...new Set(twins)].map((t) => diff(name, undefined, MOST, t)));
  const rest = own.flatMap((d) => d.changes).filter((d) => byHand.has(keyOf(d)) && !known.has(keyOf(d)));
  return { ...first, changes: [...first.changes, ...rest] };
}

function Body({ name, edits, close }: Props) {
  const byHand = new Set(edits.map(keyOf));
  const [all, setAll] = useState<readonly Difference[]>();
  const [total, setTotal] = useState(0);
  const [on, choose] = useState<ReadonlySet<string>>(new Set(edits.filter((d) => !isTaken(name, d)).map(keyOf)));
  const [open, setOpen] = useState(false);
  const [conflicts, setConflicts] = useState<readonly Difference[]>();
  const [sides, setSides] = useState<ReadonlyMap<string, Side>>(new Map());
  const [busy, setBusy] = useState(false);
  const [error, fail] = useState<unknown>();
  useEffect(() => {
    const twins = edits.map((d) => d.twin);
    offer(name, byHand, twins).then((d) => (setAll(d.changes), setTotal(countOf(d))), fail);
  }, [name]);
  const mine = (all ?? []).filter((d) => byHand.has(keyOf(d)));
  const rest = (all ?? []).filter((d) => !byHand.has(keyOf(d)));
  const chosen = (all ?? []).filter((d) => on.has(keyOf(d)));

  async function take() {
    setBusy(true);
    fail(undefined);
    try {
      if (!conflicts) {
        const looked = await mergeTry(name, onlyOf(chosen));
        if (looked.conflicts.length) return setConflicts(looked.conflicts);
      }
      const stuck = new Set((conflicts ?? []).map(keyOf));
      const free = chosen.filter((d) => !stuck.has(keyOf(d)));
      const made = free.length ? (await merge(name, onlyOf(free))).changes : [];
      const forced = (conflicts ?? []).filter((d) => isValue(d) && sides.get(keyOf(d)) === "ours");
      for (const d of forced) await setValue("live", d.twin, d.property!, d.after ?? null);
      const back = [...made, ...forced.map((d) => ({ ...d, before: d.there }))].filter(canRevert);
      noteTaken(name, [...free, ...forced], true);
      done(w.merged(made.length + forced.length), async () => {
        for (const d of [...back].reverse()) await revert("live", d);
        noteTaken(name, [...free, ...forced], false);
      });
      close();
    } catch (e) {
      fail(e);
    } finally {
      setBusy(false);
    }
  }
  const count = conflicts
    ? chosen.length - conflicts.length + [...sides.values()].filter((s) => s === "ours").length
    : chosen.length;
  return (
    <Dialog
      class="merge"
      title={w.mergeTitle(name)}
      open
      close={close}
      footer={
        <>
          <Button onClick={() => (conflicts ? setConflicts(undefined) : close())}>
            {conflicts ? w.choiceBack : words.cancel}
          </Button>
          <Button look="primary" icon={GitMerge} busy={busy} disabled={count < 1} onClick={() => void take()}>
            {w.mergeN(count)}
          </Button>
        </>
      }
    >
      <div class="column" style={{ gap: 12 }}>
        {error !== undefined && <Wrong error={error} />}
        {conflicts ? (
          <Conflicts list={conflicts} sides={sides} set={setSides} />
        ) : !all ? (
          <Skeleton lines={4} />
        ) : !all.length ? (
          <p class="quiet">{w.nothingToMerge}</p>
        ) : (
          <>
            <p class="quiet">{w.mergeAbout}</p>
            {mine.length > 0 && <Choice list={mine} on={on} set={choose} />}
            {rest.length > 0 && (
              <>
                <Button
                  look="plain"
                  icon={open ? ChevronDown : ChevronRight}
                  aria-expanded={open}
                  onClick={() => setOpen(!open)}
                >
                  {w.ofTheRun(total - mine.length)}
                </Button>
                {open && <Choice list={rest} on={on} set={choose} />}
                {open && total > all.length && <p class="quiet small">{words.overview.andMore(total - all.length)}</p>}
              </>
            )}
            <Told list={chosen} />
          </>
        )}
      </div>
    </Dialog>
  );
}

export function Merge({ name, edits }: { name: string; edits: readonly Difference[] }) {
  const [open, set] = useState(false);
  const left = edits.filter((d) => !isTaken(name, d)).length;
  return (
    <>
      <Button icon={GitMerge} title={edits.length && !left ? w.allMerged : undefined} onClick={() => set(true)}>
        {left ? w.mergeNMore(left) : w.merge}
      </Button>
      {open && <Body name={name} edits={edits} close={() => set(false)} />}
    </>
  );
}
