// SPDX-License-Identifier: Apache-2.0
// All ways in and out at a glance: what stands, how much passes, what was refused.
import { Plug } from "lucide-preact";
import { hrefOf } from "~/app/route";
import { Ago, Card, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { kindOf } from "./fields";
import { StateChip, Trouble, type Outside } from "./state";

const w = words.connections;

export function Count({ n, bad }: { n: number; bad?: boolean }) {
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
              const brings = c.kind !== "http" || s.messages > 0 || s.accepted > 0; // that kind only carries commands
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
                    <Trouble trouble={s.trouble} last={s.lastError} />
                  </td>
                  <td class="num">{rate === undefined || !brings ? "–" : `${format.number(rate)}${w.perSecond}`}</td>
                  <td class="num">{brings ? <Count n={s.accepted} /> : <span class="quiet">{w.onlyCommands}</span>}</td>
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
