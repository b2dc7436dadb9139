// SPDX-License-Identifier: Apache-2.0
// Where events go: endpoints with their routes, what they delivered and what not.
import { Fragment } from "preact";
import { Plus, Send } from "lucide-preact";
import { go, hrefOf, isLive } from "~/app/route";
import { Ago, Button, Card, Chip, Empty } from "~/ui/basic";
import { words } from "~/words/en";
import { Kinds } from "./edit";
import { END_KINDS } from "./endfields";
import { Count } from "./list";
import { StateChip, Trouble, type Outside } from "./state";

const w = words.connections;

export const NEW_END = "to"; // of the parameter "new": an endpoint is made

export function Endpoints({ o }: { o: Outside }) {
  const may = isLive.value;
  if (!o.endpoints.length)
    return (
      <Card title={w.events} bare class="conn-list">
        <Empty icon={Send} title={w.noEndpoints} hint={w.noEndpointsHint} />
        {may && <Kinds of={END_KINDS} prefix={NEW_END + "-"} />}
      </Card>
    );
  const make = (
    <Button icon={Plus} onClick={() => go({ params: { new: NEW_END } })}>
      {w.endMake}
    </Button>
  );
  return (
    <Card title={w.events} actions={may ? make : undefined} bare class="conn-list">
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
                    <a class="strong" href={hrefOf({ params: { e: e.name } })}>
                      {e.name}
                    </a>
                    <div class="tiny quiet ellipsis">{e.description || e.url || e.connection}</div>
                  </td>
                  <td>
                    <StateChip state={e.status.state} trouble={e.status.trouble} />
                    <Trouble trouble={e.status.trouble} />
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
    </Card>
  );
}
