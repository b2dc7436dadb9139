// SPDX-License-Identifier: Apache-2.0
// Whether anything is wrong, who is silent, and whether the connections stand.
import { useEffect, useRef, useState } from "preact/hooks";
import { CircleCheck, LoaderCircle, Plug, Unplug, VolumeX } from "lucide-preact";
import { needs } from "~/api/attention";
import { entries, labelOf, links } from "~/api/catalogue";
import { api } from "~/api/client";
import { readConnections, type Connection } from "~/api/connections";
import { listen } from "~/api/feed";
import { modelName } from "~/api/models";
import { askNeeds, decisionsHere, DecisionRow, NeedRow, needsError, needsRead } from "~/app/needs";
import { hrefOf, kind, select, worldName } from "~/app/route";
import { Ago, Card, Chip, cls, Empty, Icon, Wrong, type Tone } from "~/ui/basic";
import { Read, useFetched } from "~/ui/read";
import { words } from "~/words/en";
import * as format from "~/format";

const NEEDS_MAX = 6;
const SILENT_MAX = 100;
const AGAIN_MS = 10_000;
const RATE_OF = 5; // stretches of two seconds

function useRate(): number | null {
  const [rate, set] = useState<number | null>(null);
  const world = worldName.value;
  const past = kind.value === "past";
  useEffect(() => {
    set(null);
    if (past) return;
    let n = 0;
    const seen: { n: number; ms: number }[] = []; // the last ones: a few values come in bursts
    const stop = listen({ world, interval: 1000 }, { changes: (list) => (n += list.length) });
    let since = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      seen.push({ n, ms: now - since });
      if (seen.length > RATE_OF) seen.shift();
      set((seen.reduce((sum, s) => sum + s.n, 0) * 1000) / seen.reduce((sum, s) => sum + s.ms, 0));
      n = 0;
      since = now;
    }, 2000);
    return () => {
      stop();
      clearInterval(timer);
    };
  }, [world, past]);
  return rate;
}

/** As people say it: "3 values a minute", not "0.05 values a second". */
function rateText(rate: number): string {
  if (rate >= 1) return words.overview.rateN(format.count(Math.round(rate)), Math.round(rate));
  const minute = Math.round(rate * 60);
  return minute ? words.overview.rateMinuteN(format.count(minute), minute) : words.overview.noRate;
}

/** How much there is, in one quiet line. */
export function Counts({ kind }: { kind?: string }) {
  const rate = useRate();
  const parts = [
    ...(kind ? [kind] : []),
    words.overview.twinsN(format.count(entries.value.length), entries.value.length),
    words.overview.linksN(format.count(links.value.name.length), links.value.name.length),
  ];
  if (rate !== null) parts.push(rateText(rate));
  return <p class="quiet">{parts.join("  ·  ")}</p>;
}

/** What is wrong comes first, each with since when and the way back. */
export function Needs() {
  const [every, showAll] = useState(false);
  const list = needs.value;
  const proposals = decisionsHere();
  const past = kind.value === "past";
  const known = useRef(false);
  known.current ||= needsRead.value;
  const error = needsError.value;
  const asking = useLate(!needsRead.value);
  if (error !== undefined && !list.length)
    return <Wrong title={words.needs.notAsked} error={error} retry={askNeeds} />;
  if (!known.current || (!list.length && !proposals.length)) return <Fine past={past} />;
  return (
    <section class={cls("card needs", !list.length && "waits", asking && "asking")} aria-label={words.needs.title}>
      <h2>
        {asking
          ? words.needs.asking
          : (past ? words.overview.wasWrong : words.overview.wrong)(list.length + proposals.length)}
      </h2>
      {(every ? list : list.slice(0, NEEDS_MAX)).map((n) => (
        <NeedRow key={n.id} need={n} />
      ))}
      {!every && list.length > NEEDS_MAX && (
        <button type="button" class="need-more" onClick={() => showAll(true)}>
          {words.overview.andMore(list.length - NEEDS_MAX)}
        </button>
      )}
      {proposals.map((d) => (
        <DecisionRow key={d.id} d={d} />
      ))}
    </section>
  );
}

const ASKING_MS = 700; // shorter is not worth a word: who drags the timeline would see it flicker

function useLate(waits: boolean): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (!waits) return;
    const timer = setTimeout(() => setLate(true), ASKING_MS);
    return () => clearTimeout(timer);
  }, [waits]);
  return late;
}

/** Nothing is wrong: said only once faults and decisions are read. Of the past the word stays while one drags on. */
function Fine({ past }: { past: boolean }) {
  const read = needsRead.value;
  const wasPast = useRef(false); // what was read last was of the past
  if (read) wasPast.current = past;
  const late = useLate(!read);
  const asking = !read && (late || !past || !wasPast.current);
  return (
    <div class={cls("fine", asking && "asking")}>
      <Icon of={asking ? LoaderCircle : CircleCheck} />
      {asking ? words.needs.asking : past ? words.overview.wasFine : words.overview.fine}
    </div>
  );
}

const STATE_TONE: Record<string, Tone> = { up: "ok", connecting: "attention", failed: "bad", paused: "stale" };

export function Connections() {
  const read = useFetched("", readConnections, { every: AGAIN_MS });
  if (!read.value && read.error === undefined) return null;
  return (
    <Card title={words.overview.connections} bare>
      <Read of={read} inset>
        {(list) => <ConnectionList list={list} />}
      </Read>
    </Card>
  );
}

function ConnectionList({ list }: { list: readonly Connection[] }) {
  const rank = (c: Connection) => ["failed", "connecting", "up", "paused"].indexOf(c.status.state);
  if (!list.length)
    return (
      <Empty icon={Plug} title={words.connections.none} hint={words.connections.noneHint}>
        <a class="button" href={hrefOf({ view: "connections", params: { new: "1" } })}>
          {words.connections.make}
        </a>
      </Empty>
    );
  return (
    <div class="plain-list">
      {[...list]
        .sort((a, b) => rank(a) - rank(b))
        .map((c) => (
          <a key={c.name} class="plain-row" href={hrefOf({ view: "connections", params: { c: c.name } })}>
            <Icon of={c.status.state === "failed" ? Unplug : Plug} />
            <span class="grow ellipsis">
              <span class="strong">{c.name}</span> <span class="small quiet">{c.description ?? c.kind}</span>
            </span>
            {c.status.trouble && <span class="small quiet ellipsis">{c.status.trouble}</span>}
            <Chip tone={STATE_TONE[c.status.state] ?? ""}>
              {words.connections.states[c.status.state] ?? c.status.state}
            </Chip>
          </a>
        ))}
    </div>
  );
}

interface Stale {
  watched: number;
  stale: number;
  models: { model: string; stale: number; watched: number; oldest?: string }[];
  twins: { id: string; model: string; property: string; newest: string }[];
}

const OLDER = ["PT1M", "PT5M", "PT1H", "P1D"] as const;

/** Twins whose newest value is older than what somebody finds old. */
export function Silent() {
  const [older, setOlder] = useState<string>("PT5M");
  const [model, setModel] = useState("");
  const world = worldName.value;
  const ask = (signal: AbortSignal) => api.get<Stale>("/stale", { world, query: { older, limit: 1000 }, signal });
  const read = useFetched("stale", ask, { every: kind.value === "live" ? AGAIN_MS : 0, deps: [world, older] });
  const s = read.value;
  if (!s && read.error !== undefined)
    return (
      <Card title={words.overview.stale}>
        <Wrong error={read.error} retry={read.again} />
      </Card>
    );
  if (!s?.watched) return null;
  const some = s.models.filter((m) => m.stale > 0);
  const picked = some.some((m) => m.model === model) ? model : "";
  const list = s.twins.filter((t) => !picked || t.model === picked);
  return (
    <Card
      title={
        <>
          {words.overview.stale}{" "}
          <span class="small quiet">
            {format.count(s.stale)} {words.overview.staleOf(s.watched)}
          </span>
        </>
      }
      actions={
        <select
          class="select slim"
          aria-label={words.overview.olderThan}
          value={older}
          onChange={(e) => setOlder(e.currentTarget.value)}
        >
          {OLDER.map((o) => (
            <option key={o} value={o}>
              {words.overview.forOver(format.duration(format.isoDuration(o)))}
            </option>
          ))}
        </select>
      }
      bare
    >
      {!list.length ? (
        <div class="fine in-card">
          <Icon of={CircleCheck} />
          {words.overview.allSpeak(format.duration(format.isoDuration(older)))}
        </div>
      ) : (
        <>
          {some.length > 1 && (
            <div class="chips in-card">
              {some.map((m) => (
                <button
                  type="button"
                  key={m.model}
                  class="chip pick"
                  aria-pressed={picked === m.model}
                  onClick={() => setModel(picked === m.model ? "" : m.model)}
                >
                  {modelName(m.model)} {m.stale}
                </button>
              ))}
            </div>
          )}
          <div class="plain-list scroll">
            {list.slice(0, SILENT_MAX).map((t) => (
              <button type="button" key={t.id} class="plain-row" onClick={() => select(t.id)}>
                <Icon of={VolumeX} />
                <span class="grow ellipsis">
                  <span class="strong">{labelOf(t.id)}</span> <span class="small quiet">{modelName(t.model)}</span>
                </span>
                <Chip tone="stale">
                  <Ago time={t.newest} />
                </Chip>
              </button>
            ))}
            {s.stale > SILENT_MAX && <div class="menu-title">{words.overview.andMore(s.stale - SILENT_MAX)}</div>}
          </div>
        </>
      )}
    </Card>
  );
}
