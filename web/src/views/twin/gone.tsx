// SPDX-License-Identifier: Apache-2.0
// A twin that is not in the shown world: since when, and the way to where it was.
import { useEffect, useState } from "preact/hooks";
import { History, SearchX } from "lucide-preact";
import { all } from "~/api/client";
import { go, hrefOf, route } from "~/app/route";
import { Button, Empty } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.twin;
const BEFORE_MS = 1000;

interface Deleted {
  $dtId: string;
  deleted: string;
}

export function Gone({ id }: { id: string }) {
  const [deleted, set] = useState<string>();
  const { world, at } = route.value;
  useEffect(() => {
    set(undefined);
    if (world !== "live") return;
    const abort = new AbortController();
    all<Deleted>("/history/deleted", { signal: abort.signal }).then(
      (list) => set(list.find((d) => d.$dtId === id)?.deleted),
      () => {},
    );
    return () => abort.abort();
  }, [id, world]);
  const later = deleted && at && Date.parse(at) < Date.parse(deleted);
  const then = deleted && new Date(Date.parse(deleted) - BEFORE_MS).toISOString();
  return (
    <Empty
      icon={SearchX}
      title={words.inspector.gone(id)}
      hint={deleted && !later ? w.deleted(format.time(deleted), format.relative(deleted)) : words.inspector.goneHint}
    >
      <div class="row">
        {then && !later && (
          <Button look="primary" icon={History} onClick={() => go({ at: then })}>
            {w.seeBefore}
          </Button>
        )}
        {at && <Button onClick={() => go({ at: "" })}>{words.world.backToLive}</Button>}
        <a class="button" href={hrefOf({ fresh: true, params: { sel: null } })}>
          {w.pick}
        </a>
      </div>
    </Empty>
  );
}
