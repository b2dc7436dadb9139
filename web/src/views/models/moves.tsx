// SPDX-License-Identifier: Apache-2.0
// How twins of a model move when a world is run: behaviours of it, of what it extends, and of single twins of it.
import { Pencil, Plus, Waypoints } from "lucide-preact";
import { byId, labelOf } from "~/api/catalogue";
import { all } from "~/api/client";
import type { Behaviour } from "~/api/definitions";
import { modelName, type Model } from "~/api/models";
import { kind, worldName } from "~/app/route";
import { Empty, Icon } from "~/ui/basic";
import { Read, useFetched } from "~/ui/read";
import { words } from "~/words/en";
import { definitionHref } from "./definition";

const w = words.definitions.behaviour;

/** Its own first, then what holds for what it extends, then what is said of one twin alone. */
function fitting(list: readonly Behaviour[], m: Model): Behaviour[] {
  const rank = (b: Behaviour) => (b.model === m.id ? 0 : b.model ? 1 : 2);
  return list
    .filter((b) => (b.model ? m.ancestors.has(b.model) : byId.value.get(b.twin ?? "")?.model === m.id))
    .sort((a, b) => rank(a) - rank(b));
}

function One({ b, m }: { b: Behaviour; m: Model }) {
  const whose = b.twin ? w.of(labelOf(b.twin)) : b.model !== m.id ? w.from(modelName(b.model ?? "")) : "";
  return (
    <article class="behaviour">
      <header class="row">
        <h3 class="grow">
          {b.title || b.name} {whose && <span class="small quiet">{whose}</span>}
        </h3>
        <a
          class="button plain icon"
          href={definitionHref("behaviour", b.name)}
          aria-label={w.edit(b.name)}
          title={w.edit(b.name)}
        >
          <Icon of={Pencil} />
        </a>
      </header>
      <ul class="behaviour-says">
        {b.say.map((x, i) => (
          <li key={i}>
            <code class="small">{x}</code>
          </li>
        ))}
      </ul>
    </article>
  );
}

export function Moves({ m }: { m: Model }) {
  const world = worldName.value;
  const read = useFetched(world, (signal) => all<Behaviour>("/behaviours", { world, signal }));
  return (
    <Read of={read} lines={6}>
      {(list) => <Behaviours list={list} m={m} />}
    </Read>
  );
}

function Behaviours({ list, m }: { list: readonly Behaviour[]; m: Model }) {
  const fit = fitting(list, m);
  const make = kind.value !== "past" && (
    <a class="button" href={definitionHref("behaviour", "*")}>
      <Icon of={Plus} />
      {words.definitions.behaviour.fresh}
    </a>
  );
  if (!fit.length)
    return (
      <Empty icon={Waypoints} title={w.none} hint={w.noneHint}>
        {make}
      </Empty>
    );
  return (
    <div class="behaviours">
      {fit.map((b) => (
        <One key={b.name} b={b} m={m} />
      ))}
      <div>{make}</div>
    </div>
  );
}
