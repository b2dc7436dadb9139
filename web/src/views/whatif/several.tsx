// SPDX-License-Identifier: Apache-2.0
// Several worlds that ran, side by side: the first is what the others are compared with; columns can be taken out.
import { useState } from "preact/hooks";
import { X } from "lucide-preact";
import { worlds, worldsRead } from "~/api/worlds";
import { go, hrefOf, route } from "~/app/route";
import { Button, Card, Empty, IconButton, Progress, Skeleton } from "~/ui/basic";
import { words } from "~/words/en";
import { isBase } from "~/api/whatif";
import { costsOf } from "./asked";
import { Compare } from "./compare";
import { NextSteps } from "./next";

const w = words.whatif;

/** The rest of the costs when a column is taken out. */
const without = (list: readonly (string | number)[], i: number): string => list.filter((_, k) => k !== i).join(",");

function Columns({ names, costs }: { names: readonly string[]; costs?: readonly number[] }) {
  const [adding, add] = useState("");
  const others = worlds.value.filter((x) => x.name !== "live" && x.run && !names.includes(x.name) && !isBase(x));
  return (
    <ul class="columns" aria-label={w.columns}>
      {names.map((n, i) => {
        const x = worlds.value.find((y) => y.name === n);
        return (
          <li key={n} class="chip">
            {i === 0 ? (
              <span>{w.against(x?.purpose || n)}</span>
            ) : (
              <>
                <a href={hrefOf({ world: n, at: "", view: "whatif", fresh: true })} title={n}>
                  {x?.purpose && costs ? x.purpose : n}
                </a>
                {names.length > 2 && (
                  <IconButton
                    name={w.takeOut(n)}
                    icon={X}
                    onClick={() =>
                      go({ params: { compare: without(names, i), costs: costs ? without(costs, i) : null } })
                    }
                  />
                )}
              </>
            )}
          </li>
        );
      })}
      {others.length > 0 && (
        <li>
          <select
            class="select"
            aria-label={w.addColumn}
            value={adding}
            onChange={(e) => {
              add("");
              go({
                params: {
                  compare: [...names, e.currentTarget.value].join(","),
                  costs: costs ? [...costs, 0].join(",") : null,
                },
              });
            }}
          >
            <option value="">{w.addColumn}</option>
            {others.map((x) => (
              <option key={x.name} value={x.name}>
                {x.name}
              </option>
            ))}
          </select>
        </li>
      )}
    </ul>
  );
}

export function Several({ list }: { list: string }) {
  if (!worldsRead.value) return <Skeleton lines={8} />;
  const names = list.split(",").filter((n) => worlds.value.some((x) => x.name === n));
  const costs = costsOf(route.value.params.costs);
  const about = route.value.params.about;
  const shown = names.map((n) => worlds.value.find((x) => x.name === n)!);
  const running = shown.filter((x) => x.run?.state === "running" || x.run?.state === "starting");
  if (names.length < 2) {
    return (
      <Empty title={w.fewLeft}>
        <Button onClick={() => go({ view: "whatif", fresh: true })}>{w.all}</Button>
      </Empty>
    );
  }
  const titles = about ? Object.fromEntries(shown.map((x) => [x.name, x.purpose || x.name])) : {};
  return (
    <div class="column" style={{ gap: 16 }}>
      <Columns names={names} costs={costs} />
      {running.length > 0 && (
        <Card title={w.runningN(running.length)}>
          <Progress
            part={shown.reduce((a, x) => a + (x.run?.progress ?? 0), 0) / shown.length}
            label={w.runningN(running.length)}
          />
        </Card>
      )}
      <Compare
        names={names}
        moving={running.length > 0}
        version={shown.map((x) => x.run?.until ?? "").join(" ")}
        costs={costs}
        titles={titles}
        reference={about ? w.doNothing : w.without}
        about={about}
      />
      {about && running.length === 0 && <NextSteps twin={about} />}
    </div>
  );
}
