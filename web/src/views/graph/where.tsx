// SPDX-License-Identifier: Apache-2.0
// Only the twins that fulfil a condition: typed here, or brought by a link (an answer of Ask).
import { useEffect, useState } from "preact/hooks";
import { Filter, X } from "lucide-preact";
import { shape } from "~/api/catalogue";
import { chosenOf, isChosen } from "~/api/chosen";
import { api, wordsOf } from "~/api/client";
import { go, route, worldName } from "~/app/route";
import { Button, cls, Empty, Icon, IconButton } from "~/ui/basic";
import { words } from "~/words/en";
import { useKept } from "~/ui/kept";
import * as format from "~/format";

const w = words.graph;
const CHOSEN = /^\$dtId IN \[/; // a list of twins says nothing to people

const NOBODY: ReadonlySet<string> = new Set();

export interface Found {
  ids: ReadonlySet<string> | null; // null: no condition
  error: string;
  asking?: boolean;
}

/** The twins that fulfil the condition of the address; what is wrong with it. */
export function useWhere(ready: number): Found {
  const where = route.value.params.where ?? "";
  const world = worldName.value;
  const [found, set] = useKept<Found>(`${route.value.world} ${where}`);
  useEffect(() => {
    if (!ready) return;
    if (!where) return set({ ids: null, error: "" });
    if (isChosen(where)) {
      const ids = chosenOf(where);
      return set({ ids, error: ids ? "" : w.chosenGone });
    }
    const abort = new AbortController();
    const query = { twins: where, links: false };
    api.get<{ twins: { id: string[] } }>("/graph", { world, query, signal: abort.signal }).then(
      (g) => set({ ids: new Set(g.twins.id), error: "" }),
      (e: unknown) => {
        if (abort.signal.aborted) return;
        const text = wordsOf(e).replace(/^.*Message=/, "");
        set({ ids: null, error: text.charAt(0).toUpperCase() + text.slice(1) });
      },
    );
    return () => abort.abort();
  }, [where, world, ready, shape.value]);
  // Until it is known who they are, there is nobody.
  return found ?? { ids: where ? NOBODY : null, error: "", asking: true };
}

export function Where({ found }: { found: Found }) {
  const where = route.value.params.where ?? "";
  const chosen = CHOSEN.test(where) || (isChosen(where) && found.ids !== null);
  const [text, setText] = useState(where);
  useEffect(() => setText(where), [where]);
  const count = found.ids?.size ?? null;
  const clear = () => go({ params: { where: null } });
  return (
    <form
      class="graph-where"
      onSubmit={(e) => {
        e.preventDefault();
        go({ params: { where: text.trim() || null } });
      }}
    >
      {chosen ? (
        <span class="chip world">
          <Icon of={Filter} size={13} />
          {w.chosen(format.count(count ?? 0), count ?? 0)}
        </span>
      ) : (
        <input
          class={cls("input", found.error && "wrong")}
          aria-label={w.where}
          aria-invalid={found.error ? true : undefined}
          aria-describedby="graph-where-told"
          placeholder={w.whereHint}
          spellcheck={false}
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
        />
      )}
      {where && <IconButton name={w.showAll} icon={X} onClick={clear} />}
      <span id="graph-where-told" class={cls("tiny", found.error ? "wrong graph-where-wrong" : "quiet")} role="status">
        {found.error || (count !== null && !chosen ? w.shown(format.count(count), count) : "")}
      </span>
    </form>
  );
}

/** Where nobody fulfils it there is nothing to see: said in the middle, since on a phone the field is put away. */
export function Nobody({ found }: { found: Found }) {
  const { where } = route.value.params;
  if (!where || found.asking || found.ids?.size !== 0) return null;
  return (
    <div class="float middle card">
      <Empty icon={Filter} title={w.nobody} hint={isChosen(where) ? undefined : `\`${where}\``}>
        <Button onClick={() => go({ params: { where: null } })}>{w.showAll}</Button>
      </Empty>
    </div>
  );
}
