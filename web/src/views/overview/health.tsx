// SPDX-License-Identifier: Apache-2.0
// Whether anything is wrong, who is silent, and whether the connections stand.
import { useEffect, useState } from "preact/hooks";
import { CircleCheck, Plug, Unplug, VolumeX } from "lucide-preact";
import { needs } from "~/api/attention";
import { entries, labelOf, links } from "~/api/catalogue";
import { api } from "~/api/client";
import { readConnections, type Connection } from "~/api/connections";
import { listen } from "~/api/feed";
import { modelName } from "~/api/models";
import { decisionsHere, DecisionRow, NeedRow } from "~/app/needs";
import { hrefOf, kind, select, worldName } from "~/app/route";
import { Ago, Card, Chip, cls, Empty, Icon, type Tone } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";

const NEEDS_MAX = 6;
const SILENT_MAX = 100;
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
  if (!list.length && !proposals.length)
    return (
      <div class="fine">
        <Icon of={CircleCheck} />
        {past ? words.overview.wasFine : words.overview.fine}
      </div>
    );
  return (
    <section class={cls("card needs", !list.length && "waits")} aria-label={words.needs.title}>
      <h2>{(past ? words.overview.wasWrong : words.overview.wrong)(list.length + proposals.length)}</h2>
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

const STATE_TONE: Record<string, Tone> = { up: "ok", connecting: "attention", failed: "bad", paused: "stale" };

export function Connections() {
  const [list, set] = useState<Connection[] | null>(null);
  useEffect(() => {
    const read = () => void readConnections().then(set, () => set((s) => s ?? []));
    read();
    const timer = setInterval(read, 10_000);
    return () => clearInterval(timer);
  }, []);
  if (!list) return null;
  const rank = (c: Connection) => ["failed", "connecting", "up", "paused"].indexOf(c.status.state);
  return (
    <Card title={words.overview.connections} bare>
      {!list.length ? (
        <Empty icon={Plug} title={words.connections.none} hint={words.connections.noneHint}>
          <a class="button" href={hrefOf({ view: "connections", params: { new: "1" } })}>
            {words.connections.make}
          </a>
        </Empty>
      ) : (
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
      )}
    </Card>
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
  const [s, set] = useState<Stale | null>(null);
  const [older, setOlder] = useState<string>("PT5M");
  const [model, setModel] = useState("");
  const world = worldName.value;
  const live = kind.value === "live";
  useEffect(() => {
    const abort = new AbortController();
    const read = () =>
      void api.get<Stale>("/stale", { world, query: { older, limit: 1000 }, signal: abort.signal }).then(set, () => {});
    read();
    const timer = live ? setInterval(read, 10_000) : 0;
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [world, older]);
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
