// SPDX-License-Identifier: Apache-2.0
// What a scenario changes, as a difference: was and is, now and later; each can be taken out as long as it has not run.
import { useEffect, useState } from "preact/hooks";
import { BookmarkPlus, Pencil } from "lucide-preact";
import { api } from "~/api/client";
import type { Value, World } from "~/api/types";
import { worlds } from "~/api/worlds";
import { BASE, countOf, diff, whatifs, type Comparison, type Difference, type Planned } from "~/api/whatif";
import { selected } from "~/app/route";
import { Button, Card, Empty, Wrong } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { canRevert, changed, revert, setValue } from "./edits";
import { define } from "./draft";
import { Editor, type Edited } from "./editor";
import { planOf, setPlan } from "./plans";
import { length } from "./running";
import { ChangeLine, DifferenceLine, isoOfMs, lengthOf, useTwins, wasOf } from "./say";

const w = words.whatif;

const MOST = 1000; // that are read; what has more is not kept as a what-if, which would be a part of it
const SHOWN = 100;
export const hasRun = (world: World): boolean => !!world.run && world.run.state !== "idle";

/** A world as it was at an instant; itself when its clock has not come so far. */
export const thenOf = (world: World, at: string | undefined): string =>
  at && world.time && at <= world.time ? `${world.name}@${at}` : world.name;

interface Edits {
  list?: readonly Difference[];
  unread: number; // more that were not read
  error?: unknown;
}

/**
 * What was changed by hand: of one that ran, as it was where its run began, against the one beside it where that began.
 * What a run writes at its first instant is no change, and is the same in both.
 */
function useEdits(world: World, base?: string): Edits {
  const [list, set] = useState<readonly Difference[]>();
  const [unread, setUnread] = useState(0);
  const [error, fail] = useState<unknown>();
  const ran = hasRun(world);
  const at = ran ? thenOf(world, world.run?.begin) : world.name;
  const parent = world.parent ?? "live";
  const origin = parent.includes("@") ? parent : `${parent}@${world.forkedFrom}`;
  const beside = worlds.value.find((x) => x.name === base && hasRun(x));
  const begun = beside && thenOf(beside, beside.run?.begin);
  const against = at === world.name ? undefined : begun && begun !== beside.name ? begun : origin;
  const version = ran ? `${at} ${against}` : `${at} ${world.sequence}`;
  useEffect(() => {
    const abort = new AbortController();
    diff(at, against, MOST, undefined, abort.signal).then(
      (d) => (set(d.changes), setUnread(d.nextLink ? countOf(d) - d.changes.length : 0), fail(undefined)),
      (e: unknown) => !abort.signal.aborted && fail(e),
    );
    return () => abort.abort();
  }, [version, changed.value]);
  return { list, unread, error };
}

/** "after 1 h: pump-1.speed = 20", as a comparison tells what a run had planned. */
function plannedOf(text: string): Planned | undefined {
  const m = /^after ([^:]+): (.+)\.([\w.]+) = (.*)$/s.exec(text);
  if (!m) return undefined;
  const at = m[1]!
    .replaceAll(/(\d+) d ?/g, "P$1D")
    .replaceAll(/(\d+) (h|min|s) ?/g, (_, n: string, u: string) => n + u[0]!.toUpperCase());
  const iso = at.startsWith("P") ? at.replace(/D(?=\d)/, "DT") : "PT" + at;
  let value: Value = m[4]!;
  try {
    value = JSON.parse(m[4]!) as Value;
  } catch {
    // a text without quotes
  }
  return { at: iso, twin: m[2]!, property: m[3]!, value };
}

/** What the newest run had planned: known here, or as the server tells it. */
export function useRan(world: World, base: string | undefined): readonly Planned[] {
  const known = planOf(world.name).ran;
  const [told, set] = useState<readonly Planned[]>([]);
  useEffect(() => {
    if (known.length || !hasRun(world) || !base) return;
    const abort = new AbortController();
    api
      .get<Comparison>("/compare", { query: { worlds: `${base},${world.name}`, points: 2 }, signal: abort.signal })
      .then(
        (c) => set(c.worlds[1]!.changes.flatMap((x) => plannedOf(x) ?? [])),
        () => {},
      );
    return () => abort.abort();
  }, [world.name, world.run?.begin, world.run?.state, known]);
  return known.length ? known : told;
}

/** A run began with it: it is told once, with the plan. */
const isPlanned = (d: Difference, plan: readonly Planned[]): boolean =>
  d.what === "value" && plan.some((p) => p.twin === d.twin && p.property === d.property);

/** What may be called a change, and be merged: in one that was made to be tried nothing was touched by hand. */
export function useOwn(world: World, base?: string): Edits {
  const { list, unread, error } = useEdits(world, base);
  const plan = useRan(world, base);
  const prepared = whatifs.value.some((d) => world.purpose === `what-if ${d.name}`);
  const made = prepared || (!!base && base !== world.name + BASE);
  return { list: made && hasRun(world) ? list?.filter((d) => isPlanned(d, plan)) : list, unread, error };
}

const OLD_MS = 60_000;

/** Of which instant it is a copy, when that was past already: "live@2026-11-23T05:00:00Z". */
function pastOf(world: World, base: string | undefined): string | undefined {
  const first = worlds.value.find((x) => x.name === base) ?? world;
  const { forkedFrom = "", created = "", parent } = first;
  return parent && Date.parse(created) - Date.parse(forkedFrom) > OLD_MS ? `${parent}@${forkedFrom}` : undefined;
}

/** What was changed by hand and what was planned, as a what-if that can be tried again; links are none of it. */
function keepPlan(world: World, base: string | undefined, byHand: readonly Difference[], plan: readonly Planned[]) {
  const { begin, until } = world.run ?? {};
  const ran = hasRun(world) && begin && until ? Date.parse(until) - Date.parse(begin) : 0;
  const { iso, output } = lengthOf(ran ? isoOfMs(ran) : length.value);
  const values = byHand.filter((d) => d.what === "value");
  const from = pastOf(world, base);
  define({
    title: "",
    for: iso,
    output,
    ...(from ? { from } : {}),
    changes: [
      ...values.map((d) => ({ at: "PT0S", twin: d.twin, property: d.property!, value: d.after ?? null })),
      ...plan,
    ],
  });
}

interface Props {
  world: World;
  base?: string;
  edits: Edits;
}

export function Changes({ world, base, edits }: Props) {
  const ran = hasRun(world);
  const before = useRan(world, base);
  const plan = ran ? before : planOf(world.name).next;
  const { list: found, unread, error } = edits;
  const first = plan.filter((p) => !format.isoDuration(p.at));
  const list = ran ? found?.filter((d) => !isPlanned(d, first)) : found;
  const twins = useTwins(
    plan.map((p) => p.twin),
    base ?? world.name,
  );
  const count = (list?.length ?? 0) + plan.length;
  const hidden = Math.max(0, (list?.length ?? 0) - SHOWN) + unread;
  const links = list?.filter((d) => d.what !== "value").length ?? 0;
  async function add(e: Edited): Promise<void> {
    if (e.at) {
      setPlan(world.name, { next: [...planOf(world.name).next, e] });
      return;
    }
    await setValue(world.name, e.twin, e.property, e.value);
    changed.value++;
  }
  const out = (d: Difference) => void revert(world.name, d).then(() => changed.value++, tellError);
  return (
    <Card
      title={count ? w.changesOf(count) : w.whatChanges}
      actions={
        count > links &&
        !unread && (
          <Button icon={BookmarkPlus} title={w.keepHint} onClick={() => keepPlan(world, base, list ?? [], plan)}>
            {w.keepAs}
          </Button>
        )
      }
    >
      <div class="column" style={{ gap: 16 }}>
        {count > links && links > 0 && <p class="small quiet">{w.linksStay(links)}</p>}
        {error !== undefined && <Wrong error={error} />}
        {count > 0 ? (
          <ul class="change-list-plain">
            {list?.slice(0, SHOWN).map((d) => (
              <DifferenceLine
                key={`${d.what} ${d.twin} ${d.property ?? d.relationship ?? ""}`}
                d={d}
                remove={!ran && canRevert(d) ? () => out(d) : undefined}
              />
            ))}
            {hidden > 0 && <li class="small quiet">{words.overview.andMore(hidden)}</li>}
            {plan.map((p, i) => (
              <ChangeLine
                key={`${p.at} ${p.twin} ${p.property} ${i}`}
                {...p}
                was={
                  list?.some((d) => d.twin === p.twin && d.property === p.property)
                    ? undefined
                    : wasOf(twins, p.twin, p.property)
                }
                remove={ran ? undefined : () => setPlan(world.name, { next: plan.filter((_, k) => k !== i) })}
              />
            ))}
          </ul>
        ) : ran ? (
          <p class="quiet">{w.ranUnchanged}</p>
        ) : (
          list && <Empty icon={Pencil} title={w.noChanges} hint={w.noChangesHint} />
        )}
        {!ran && (
          <>
            <Editor key={selected.value} world={world.name} twin={selected.value} add={add} links />
            <p class="quiet small">{w.inPlace}</p>
          </>
        )}
      </div>
    </Card>
  );
}
