// SPDX-License-Identifier: Apache-2.0
// Relationships of a twin, both ways, by name; a click walks along. Its own can be added and removed, and that undone.
import { useState } from "preact/hooks";
import { ArrowLeft, ArrowRight, Plus, Unlink, X } from "lucide-preact";
import { labelOf, shape } from "~/api/catalogue";
import { models, wordsOfName } from "~/api/models";
import { fetchLinks, type LinksOf } from "~/api/twin";
import type { Relationship, Twin, Value } from "~/api/types";
import { kind, select, worldName } from "~/app/route";
import { Button, Empty, Icon, IconButton } from "~/ui/basic";
import { Read, useFetched } from "~/ui/read";
import { tellError } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { dropLink, linkName } from "./edits";
import { LinkForm } from "./linkform";

const FEW = 6;

interface One {
  id: string; // the twin at the other end
  link?: Relationship; // its own: it may be removed here
}

/** "bottles · capacity 36 000": what a link says of itself. */
function about(l: Relationship | undefined): string {
  if (!l) return "";
  return Object.entries(l)
    .filter(([k, v]) => !k.startsWith("$") && v !== null && v !== undefined)
    .map(([k, v]) => `${wordsOfName(k).toLowerCase()} ${format.value(v as Value)}`)
    .join(" · ");
}

function Entry({ one, name, out }: { one: One; name: string; out: boolean }) {
  const world = worldName.value;
  const label = labelOf(one.id);
  const title = linkName({ $relationshipName: name }, label);
  return (
    <div class="link-row">
      <button type="button" class="menu-item grow" title={one.id} onClick={() => select(one.id)}>
        <Icon of={out ? ArrowRight : ArrowLeft} size={13} />
        <span class="ellipsis">{label}</span>
        <span class="tiny quiet ellipsis">{about(one.link)}</span>
      </button>
      {one.link && kind.value !== "past" && (
        <IconButton
          class="link-drop"
          name={words.twin.dropLink(title)}
          icon={X}
          onClick={() => void dropLink(world, one.link!, title).catch(tellError)}
        />
      )}
    </div>
  );
}

/** Links of one kind; of many the first few, until they are asked for. */
function Group({ name, out, list }: { name: string; out: boolean; list: One[] }) {
  const [all, show] = useState(false);
  const shown = all || list.length <= FEW + 2 ? list : list.slice(0, FEW);
  return (
    <section>
      <h3 class="menu-title">
        {out ? wordsOfName(name) : words.twin.incoming(name, wordsOfName(name))}
        {list.length > 3 && <span class="quiet"> {list.length}</span>}
      </h3>
      {shown.map((l) => (
        <Entry key={(l.link?.$relationshipId ?? "") + l.id} one={l} name={name} out={out} />
      ))}
      {shown.length < list.length && (
        <Button look="plain" onClick={() => show(true)}>
          {words.overview.andMore(list.length - shown.length)}
        </Button>
      )}
    </section>
  );
}

export function Links({ id, twin }: { id: string; twin?: Twin }) {
  const world = worldName.value;
  const read = useFetched(`${world} ${id}`, (signal) => fetchLinks(id, world, signal), { deps: [shape.value] });
  return (
    <Read of={read} inset>
      {(links) => <Both links={links} twin={twin} />}
    </Read>
  );
}

function Both({ links, twin }: { links: LinksOf; twin?: Twin }) {
  const [adding, add] = useState(false);
  const kinds = (twin && models.value.get(twin.$metadata.$model)?.relationships) ?? [];
  const groups = new Map<string, One[]>();
  const put = (key: string, one: One) => groups.set(key, [...(groups.get(key) ?? []), one]);
  for (const l of links.out) put(">" + l.$relationshipName, { id: l.$targetId, link: l });
  for (const l of links.in) put("<" + l.$relationshipName, { id: l.$sourceId });
  return (
    <div class="links">
      {!groups.size && !adding && <Empty icon={Unlink} title={words.twin.noLinks} />}
      {[...groups].map(([key, list]) => (
        <Group key={key} name={key.slice(1)} out={key[0] === ">"} list={list} />
      ))}
      {twin && kinds.length > 0 && kind.value !== "past" && (
        <div class="link-add">
          {adding ? (
            <LinkForm twin={twin} kinds={kinds} there={links.out} close={() => add(false)} />
          ) : (
            <Button look="plain" icon={Plus} onClick={() => add(true)}>
              {words.twin.addLink}
            </Button>
          )}
        </div>
      )}
    </div>
  );
}
