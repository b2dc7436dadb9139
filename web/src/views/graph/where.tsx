// SPDX-License-Identifier: Apache-2.0
// Only the twins that fulfil a condition: typed here, or brought by a link (an answer of Ask).
import { useEffect, useState } from "preact/hooks";
import { Filter, X } from "lucide-preact";
import { shape } from "~/api/catalogue";
import { api, wordsOf } from "~/api/client";
import { go, route, worldName } from "~/app/route";
import { cls, Icon, IconButton } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import type { Stage } from "./stage";

const w = words.graph;
const CHOSEN = /^\$dtId IN \[/; // a list of twins says nothing to people

interface Found {
  count: number | null; // null: no condition
  error: string;
}

/** Hides the others; what became of the condition. */
export function useWhere(stage: { current: Stage | null }, ready: number): Found {
  const where = route.value.params.where ?? "";
  const world = worldName.value;
  const [found, set] = useState<Found>({ count: null, error: "" });
  useEffect(() => {
    if (!stage.current || !ready) return;
    if (!where) {
      stage.current.filter(null);
      return set({ count: null, error: "" });
    }
    const abort = new AbortController();
    api
      .get<{
        twins: { id: string[] };
      }>("/graph", { world, query: { twins: where, links: false }, signal: abort.signal })
      .then(
        (g) => {
          stage.current?.filter(new Set(g.twins.id));
          set({ count: g.twins.id.length, error: "" });
        },
        (e: unknown) => {
          if (abort.signal.aborted) return;
          const text = wordsOf(e).replace(/^.*Message=/, "");
          set({ count: null, error: text.charAt(0).toUpperCase() + text.slice(1) });
        },
      );
    return () => abort.abort();
  }, [where, world, ready, shape.value]);
  return found;
}

export function Where({ found }: { found: Found }) {
  const where = route.value.params.where ?? "";
  const chosen = CHOSEN.test(where);
  const [text, setText] = useState(where);
  useEffect(() => setText(where), [where]);
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
          {w.chosen(format.count(found.count ?? 0), found.count ?? 0)}
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
        {found.error || (found.count !== null && !chosen ? w.shown(format.count(found.count), found.count) : "")}
      </span>
    </form>
  );
}
