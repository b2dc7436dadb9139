// SPDX-License-Identifier: Apache-2.0
// A path between two twins: asked for, found, drawn, and told link by link.
import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { ArrowLeft, ArrowLeftRight, ArrowRight, Route, X } from "lucide-preact";
import { entries, labelOf, links, search, shape } from "~/api/catalogue";
import { wordsOfName } from "~/api/models";
import { go, route, select, selected } from "~/app/route";
import { Button, Icon, IconButton } from "~/ui/basic";
import { FindTwin } from "~/ui/find";
import { words } from "~/words/en";
import { net } from "./adjacency";
import { listOf, textOf } from "./params";
import { shortest, type Path, type Way } from "./path";
import type { Emphasis } from "./stage";

const w = words.graph.path;

/** From which twin a path is to lead to the one that is chosen next; "" while none is asked for. */
export const pathFrom = signal("");

export function setPath(from: string, to: string): void {
  pathFrom.value = "";
  if (from && to && from !== to) go({ params: { path: textOf([from, to]), cam: null } });
}

export const leavePath = () => go({ params: { path: null } });

export interface Told {
  from: string; // "": no path is asked for
  to: string;
  way: Way;
  path: Path | null;
  back: boolean; // there is none as asked, but one the other way
  emphasis: Emphasis | null;
}

const NOTHING: Told = { from: "", to: "", way: "along", path: null, back: false, emphasis: null };

export function usePath(): Told {
  const { path: text, way: wayText } = route.value.params;
  return useMemo(() => {
    const [from = "", to = ""] = listOf(text);
    if (!from || !to || !entries.peek().length) return NOTHING;
    const way: Way = wayText === "either" ? "either" : "along";
    const { adjacency, indexOf } = net();
    const [a, b] = [indexOf.get(from), indexOf.get(to)];
    const both = a !== undefined && b !== undefined;
    const path = both ? shortest(adjacency, a, b, way, indexOf.size) : null;
    const back = both && !path && way === "along" && shortest(adjacency, b, a, way, indexOf.size) !== null;
    const list = entries.peek();
    const twins = new Set(path ? path.twins.map((i) => list[i]!.id) : [from, to]);
    return { from, to, way, path, back, emphasis: { twins, links: new Set(path?.links) } };
  }, [text, wayText, shape.value]);
}

function Steps({ path }: { path: Path }) {
  const list = entries.value;
  const l = links.value;
  return (
    <ol class="path-steps scroll" aria-label={w.steps}>
      {path.twins.map((twin, i) => {
        const link = path.links[i - 1];
        const out = link !== undefined && l.to[link] === twin;
        const e = list[twin]!;
        return (
          <li key={e.id} class="row">
            {link !== undefined && (
              <span class="tiny quiet row path-link">
                {!out && <Icon of={ArrowLeft} size={12} />}
                {wordsOfName(l.names[l.name[link]!]!).toLowerCase()}
                {out && <Icon of={ArrowRight} size={12} />}
              </span>
            )}
            <button
              type="button"
              class="chip pick"
              aria-pressed={selected.value === e.id}
              title={e.id}
              onClick={() => select(e.id)}
            >
              {e.label}
            </button>
          </li>
        );
      })}
    </ol>
  );
}

function None({ told }: { told: Told }) {
  const [a, b] = [labelOf(told.from), labelOf(told.to)];
  return (
    <div class="row path-none">
      <span role="alert">{told.way === "along" ? w.noneAlong(a, b) : w.none(a, b)}</span>
      {told.back && <Button onClick={() => setPath(told.to, told.from)}>{w.turn(b, a)}</Button>}
    </div>
  );
}

export function PathBar({ told }: { told: Told }) {
  if (!told.from) return null;
  const either = told.way === "either";
  const n = told.path?.links.length ?? 0;
  return (
    <section class="told card" aria-label={w.title(labelOf(told.from), labelOf(told.to))}>
      <div class="row told-head">
        <Icon of={Route} size={15} />
        <span class="strong grow ellipsis">
          {told.path ? w.found(n) : w.title(labelOf(told.from), labelOf(told.to))}
        </span>
        <Button
          look="plain"
          icon={ArrowLeftRight}
          aria-pressed={either}
          title={w.eitherHint}
          onClick={() => go({ params: { way: either ? null : "either", cam: null } })}
        >
          {w.either}
        </Button>
        <IconButton name={w.leave} icon={X} onClick={leavePath} />
      </div>
      {told.path ? <Steps path={told.path} /> : <None told={told} />}
    </section>
  );
}

const coarse = matchMedia("(pointer: coarse)");

/** Where to? A click in the graph answers, or a name. */
export function PathAsk() {
  const from = pathFrom.value;
  return from ? <Ask key={from} from={from} /> : null;
}

function Ask({ from }: { from: string }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (!coarse.matches) field.current?.focus();
  }, []);
  const stop = () => (pathFrom.value = "");
  return (
    <section class="told card" aria-label={w.ask(labelOf(from))}>
      <div class="row told-head">
        <Icon of={Route} size={15} />
        <span class="grow strong ellipsis">{w.ask(labelOf(from))}</span>
        <IconButton name={words.cancel} icon={X} onClick={stop} />
      </div>
      <FindTwin
        id="path-to"
        label={w.askName}
        hint={w.askHint}
        field={field}
        leave={stop}
        among={(text, limit) => search(text, limit, (e) => e.id !== from)}
        take={(e) => setPath(from, e.id)}
      />
    </section>
  );
}
