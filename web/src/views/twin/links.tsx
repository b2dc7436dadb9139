// SPDX-License-Identifier: Apache-2.0
// Relationships of a twin, both ways, by name; a click walks along.
import { useEffect, useState } from "preact/hooks";
import { ArrowLeft, ArrowRight, Unlink } from "lucide-preact";
import { labelOf, shape } from "~/api/catalogue";
import { wordsOfName } from "~/api/models";
import { fetchLinks, type LinksOf } from "~/api/twin";
import { select, worldName } from "~/app/route";
import { Empty, Icon, Skeleton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";

export function Links({ id }: { id: string }) {
  const [links, set] = useState<LinksOf>();
  const [error, fail] = useState<unknown>();
  const world = worldName.value;
  useEffect(() => {
    const abort = new AbortController();
    fetchLinks(id, world, abort.signal).then(
      (l) => (set(l), fail(undefined)),
      (e: unknown) => !abort.signal.aborted && fail(e),
    );
    return () => abort.abort();
  }, [id, world, shape.value]);
  if (error)
    return (
      <div style={{ padding: 16 }}>
        <Wrong error={error} />
      </div>
    );
  if (!links)
    return (
      <div style={{ padding: 16 }}>
        <Skeleton />
      </div>
    );
  if (!links.out.length && !links.in.length) return <Empty icon={Unlink} title={words.twin.noLinks} />;
  const groups = new Map<string, { id: string; out: boolean }[]>();
  const add = (name: string, id: string, out: boolean) => {
    const key = (out ? ">" : "<") + name;
    groups.set(key, [...(groups.get(key) ?? []), { id, out }]);
  };
  for (const l of links.out) add(l.$relationshipName, l.$targetId, true);
  for (const l of links.in) add(l.$relationshipName, l.$sourceId, false);
  return (
    <div style={{ padding: "4px 8px 16px" }}>
      {[...groups].map(([key, list]) => (
        <div key={key}>
          <div class="menu-title row">
            <Icon of={key[0] === ">" ? ArrowRight : ArrowLeft} size={13} />
            {key[0] === ">" ? wordsOfName(key.slice(1)) : words.twin.incoming(wordsOfName(key.slice(1)))}
          </div>
          {list.map((l) => (
            <button type="button" key={l.id} class="menu-item" onClick={() => select(l.id)}>
              <span class="ellipsis">{labelOf(l.id)}</span>
              {labelOf(l.id) !== l.id && <code class="tiny quiet ellipsis">{l.id}</code>}
            </button>
          ))}
        </div>
      ))}
    </div>
  );
}
