// SPDX-License-Identifier: Apache-2.0
// The first line: is anything wrong, how much moves, do the connections stand.
import { useEffect, useState } from "preact/hooks";
import { CircleAlert, CircleCheck, Plug } from "lucide-preact";
import { entries, labelOf, links } from "~/api/catalogue";
import { api } from "~/api/client";
import { listen } from "~/api/feed";
import { kind, select, worldName } from "~/app/route";
import { Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { attentionOf } from "./attention";

interface Connection {
  name: string;
  status?: { state?: string };
  state?: string;
}

function useRate(): number | null {
  const [rate, set] = useState<number | null>(null);
  const world = worldName.value;
  const past = kind.value === "past";
  useEffect(() => {
    set(null);
    if (past) return;
    let n = 0;
    const stop = listen({ world, interval: 1000 }, { changes: (list) => (n += list.length) });
    let since = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      set((n * 1000) / (now - since));
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

function useConnections(): Connection[] {
  const [list, set] = useState<Connection[]>([]);
  useEffect(() => {
    const read = () =>
      api.get<{ value: Connection[] }>("/connections").then(
        (r) => set(r.value),
        () => {},
      );
    void read();
    const timer = setInterval(read, 10_000);
    return () => clearInterval(timer);
  }, []);
  return list;
}

interface Stale {
  watched: number;
  stale: number;
  twins?: { twin?: string; id?: string }[];
}

/** Twins whose newest value is older than five minutes. */
function useStale(): Stale | null {
  const [s, set] = useState<Stale | null>(null);
  const world = worldName.value;
  useEffect(() => {
    set(null);
    const read = () => api.get<Stale>("/stale", { world, query: { older: "PT5M" } }).then(set, () => {});
    void read();
    const timer = kind.value === "live" ? setInterval(read, 10_000) : 0;
    return () => clearInterval(timer);
  }, [world]);
  return s;
}

const stateOf = (c: Connection) => c.status?.state ?? c.state ?? "";

export function Health() {
  const rate = useRate();
  const connections = useConnections();
  const stale = useStale();
  const wrong = [...attentionOf.value];
  const broken = connections.filter((c) => !["up", "paused"].includes(stateOf(c)));
  return (
    <>
      <div class={`notice ${wrong.length ? "bad" : ""} headline`} role="status">
        <Icon of={wrong.length ? CircleAlert : CircleCheck} size={20} />
        <div class="grow">
          <div class="strong">{wrong.length ? words.overview.wrong(wrong.length) : words.overview.fine}</div>
          {wrong.length > 0 && (
            <div class="chips" style={{ margin: "6px 0 0" }}>
              {wrong.slice(0, 8).map(([id, a]) => (
                <button
                  type="button"
                  class="chip bad"
                  key={id}
                  style={{ border: 0, cursor: "pointer" }}
                  onClick={() => select(id)}
                >
                  {labelOf(id)}: {a.text}
                </button>
              ))}
              {wrong.length > 8 && <span class="small">{words.overview.andMore(wrong.length - 8)}</span>}
            </div>
          )}
        </div>
      </div>
      <div class="tiles">
        <div class="card tile">
          <span class="small quiet">{words.overview.twins}</span>
          <span class="figure">{format.count(entries.value.length)}</span>
        </div>
        <div class="card tile">
          <span class="small quiet">{words.overview.links}</span>
          <span class="figure">{format.count(links.value.name.length)}</span>
        </div>
        <div class="card tile">
          <span class="small quiet">{words.overview.rate}</span>
          <span class="figure">
            {rate === null ? "–" : format.number(rate)} <small>{words.overview.perSecond}</small>
          </span>
        </div>
        {stale && stale.watched > 0 && (
          <div class="card tile">
            <span class="small quiet">{words.overview.stale}</span>
            <span class="figure">
              {format.count(stale.stale)} <small>{words.overview.staleOf(stale.watched)}</small>
            </span>
          </div>
        )}
        <div class="card tile">
          <span class="small quiet">{words.overview.connections}</span>
          <span class="figure">
            {connections.length ? format.count(connections.length - broken.length) : "–"}
            <small>
              {" "}
              {connections.length ? words.overview.ofConnections(connections.length) : words.overview.noConnections}
            </small>
          </span>
          {broken.length > 0 && (
            <span class="chip bad">
              <Icon of={Plug} size={13} /> {broken.map((c) => c.name).join(", ")}
            </span>
          )}
        </div>
      </div>
    </>
  );
}
