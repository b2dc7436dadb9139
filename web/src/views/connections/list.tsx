// SPDX-License-Identifier: Apache-2.0
// All ways in and out at a glance: what stands, how much passes, what was refused; and where events go.
import { Fragment } from "preact";
import { Plug, Send } from "lucide-preact";
import { hrefOf } from "~/app/route";
import { Ago, Card, Chip, Empty, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { kindOf } from "./fields";
import { StateChip, type Outside } from "./state";

const w = words.connections;

function Count({ n, bad }: { n: number; bad?: boolean }) {
  return <span class={n && bad ? "wrong strong" : n ? "" : "quiet"}>{format.count(n)}</span>;
}

export function Connections({ o }: { o: Outside }) {
  return (
    <Card bare class="conn-list">
      <div class="scroll">
        <table class="table">
          <thead>
            <tr>
              <th>{w.name}</th>
              <th>{w.stands}</th>
              <th class="num">{w.rate}</th>
              <th class="num">{w.accepted}</th>
              <th class="num">{w.rejected}</th>
              <th class="num">{w.errors}</th>
              <th class="num">{w.commands}</th>
              <th>{w.last}</th>
            </tr>
          </thead>
          <tbody>
            {o.connections.map((c) => {
              const s = c.status;
              const rate = o.rates.get(c.name);
              return (
                <tr key={c.name}>
                  <td>
                    <div class="row conn-name">
                      <Icon of={kindOf(c.kind)?.icon ?? Plug} />
                      <div class="grow">
                        <a class="strong" href={hrefOf({ params: { c: c.name } })}>
                          {c.name}
                        </a>
                        <div class="tiny quiet ellipsis" title={c.url}>
                          {c.description || c.url || kindOf(c.kind)?.title}
                        </div>
                      </div>
                    </div>
                  </td>
                  <td>
                    <StateChip state={s.state} trouble={s.trouble} />
                    {s.trouble && <div class="tiny wrong conn-trouble">{s.trouble}</div>}
                  </td>
                  <td class="num">{rate === undefined ? "–" : `${format.number(rate)}${w.perSecond}`}</td>
                  <td class="num">
                    <Count n={s.accepted} />
                  </td>
                  <td class="num">
                    <Count n={s.rejected} bad />
                  </td>
                  <td class="num">
                    <Count n={s.errors} bad />
                  </td>
                  <td class="num">
                    <Count n={s.commands} />
                  </td>
                  <td class="small">{s.lastMessage ? <Ago time={s.lastMessage} /> : <span class="quiet">–</span>}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

export function Endpoints({ o }: { o: Outside }) {
  return (
    <Card title={w.events} bare class="conn-list">
      {!o.endpoints.length ? (
        <Empty icon={Send} title={w.noEndpoints} hint={w.noEndpointsHint}>
          <code class="small">{w.endpointExample}</code>
        </Empty>
      ) : (
        <div class="scroll">
          <table class="table">
            <thead>
              <tr>
                <th>{w.endpoint}</th>
                <th>{w.stands}</th>
                <th class="num">{w.delivered}</th>
                <th class="num">{w.failed}</th>
                <th class="num">{w.dead}</th>
                <th>{w.last}</th>
              </tr>
            </thead>
            <tbody>
              {o.endpoints.map((e) => (
                <Fragment key={e.name}>
                  <tr>
                    <td>
                      <div class="strong">{e.name}</div>
                      <div class="tiny quiet ellipsis">{e.description || e.url || e.connection}</div>
                    </td>
                    <td>
                      <StateChip state={e.status.state} trouble={e.status.trouble} />
                      {e.status.trouble && <div class="tiny wrong conn-trouble">{e.status.trouble}</div>}
                    </td>
                    <td class="num">
                      <Count n={e.status.delivered} />
                    </td>
                    <td class="num">
                      <Count n={e.status.failed} bad />
                    </td>
                    <td class="num">
                      <Count n={e.status.deadLetters} bad />
                    </td>
                    <td class="small">
                      {e.status.lastDelivery ? <Ago time={e.status.lastDelivery} /> : <span class="quiet">–</span>}
                    </td>
                  </tr>
                  {o.routes
                    .filter((r) => r.endpointName === e.name)
                    .map((r) => (
                      <tr key={r.id} class="conn-route">
                        <td colSpan={6}>
                          <Chip title={w.route}>{r.id}</Chip>{" "}
                          <span class="small quiet">{r.filter === "true" ? w.allEvents : w.where}</span>{" "}
                          {r.filter !== "true" && <code class="small">{r.filter}</code>}
                        </td>
                      </tr>
                    ))}
                </Fragment>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}
