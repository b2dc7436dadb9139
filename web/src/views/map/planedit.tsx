// SPDX-License-Identifier: Apache-2.0
// Placing twins on a plan: dragged, by arrow keys, added from a list, taken off. Each step is written and can be
// undone.
import { own } from "~/api/own";
import { useEffect, useRef, useState } from "preact/hooks";
import { Plus } from "lucide-preact";
import { labelOf } from "~/api/catalogue";
import { changeDoc, type Place, type PlanDoc } from "~/api/files";
import { isLive, select } from "~/app/route";
import { Button, Field } from "~/ui/basic";
import { FindTwin } from "~/ui/find";
import { done, tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";

export interface Editing {
  doc: PlanDoc | undefined; // with what is being dragged
  on: boolean;
  start: () => void;
  stop: () => void;
  grab: (e: PointerEvent, id: string, k: number) => void;
  key: (e: KeyboardEvent, id: string, k: number) => boolean;
  add: (id: string, at: { x: number; y: number }) => void;
}

const round = (x: number) => Math.round(x * 100) / 100;

const withPlace = (doc: PlanDoc, id: string, place: Place | undefined): PlanDoc => {
  const at = { ...doc.at };
  if (place) at[id] = place;
  else delete at[id];
  return { ...doc, at };
};

const samePlace = (a: Place | undefined, b: Place | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.x === b.x && a.y === b.y && a.angle === b.angle);

/** Somebody else placed the twin meanwhile. */
class Placed extends Error {
  constructor(readonly place: Place | undefined) {
    super();
  }
}

const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function useEditing(name: string, read: PlanDoc | undefined): Editing {
  const [on, setOn] = useState(false);
  const [doc, set] = useState<PlanDoc | undefined>(read);
  const now = useRef<PlanDoc | undefined>(read);
  const saving = useRef(Promise.resolve());
  const show = (d: PlanDoc | undefined) => set((now.current = d));
  // What is under way is newer than what was read; when the last of it is written it is read again.
  const pending = useRef(0);
  useEffect(() => {
    if (!pending.current) show(read);
  }, [read]);

  /** Written in the order in which it was done, onto what stands; what somebody else placed meanwhile stays. */
  const write = (id: string, place: Place | undefined, before: Place | undefined, force = false): Promise<void> => {
    show(withPlace(now.current!, id, place));
    pending.current++;
    saving.current = saving.current.then(async () => {
      try {
        await changeDoc<PlanDoc>(name, (d) => {
          if (!d) throw new Error(words.map.planGone(name));
          if (!force && !samePlace(own(d.at, id), before)) throw new Placed(own(d.at, id));
          return withPlace(d, id, place);
        });
      } catch (e) {
        show(withPlace(now.current!, id, e instanceof Placed ? e.place : before));
        if (!(e instanceof Placed)) return tellError(e);
        const mine = { title: words.map.mine, run: () => void write(id, place, undefined, true) };
        tell(words.map.theirs(labelOf(id)), { bad: true, action: mine });
      } finally {
        pending.current--;
      }
    });
    return saving.current;
  };
  const change = (id: string, place: Place | undefined, before: Place | undefined, what: string) => {
    void write(id, place, before);
    done(what, () => write(id, before, place));
  };

  const grab = (e: PointerEvent, id: string, k: number) => {
    const before = own(now.current?.at, id);
    const el = e.currentTarget as Element;
    if (!on || !before || e.button !== 0 || !el.hasAttribute("data-grab")) return;
    e.stopPropagation();
    el.setPointerCapture(e.pointerId);
    let last = before;
    pending.current++;
    const move = (m: Event) => {
      const { clientX, clientY } = m as PointerEvent;
      last = {
        ...before,
        x: round(before.x + (clientX - e.clientX) / k),
        y: round(before.y + (clientY - e.clientY) / k),
      };
      show(withPlace(now.current!, id, last));
    };
    const up = () => {
      el.removeEventListener("pointermove", move);
      el.removeEventListener("pointerup", up);
      el.removeEventListener("pointercancel", up);
      pending.current--;
      if (last.x !== before.x || last.y !== before.y) change(id, last, before, words.map.moved(labelOf(id)));
    };
    el.addEventListener("pointermove", move);
    el.addEventListener("pointerup", up);
    el.addEventListener("pointercancel", up);
  };

  const key = (e: KeyboardEvent, id: string, k: number): boolean => {
    const place = own(now.current?.at, id);
    if (!on || !place) return false;
    const step = STEPS[e.key];
    if (step) {
      const by = (e.shiftKey ? 10 : 2) / k;
      const next = { ...place, x: round(place.x + step[0] * by), y: round(place.y + step[1] * by) };
      change(id, next, place, words.map.moved(labelOf(id)));
    } else if (e.key === "Delete") change(id, undefined, place, words.map.takenOff(labelOf(id)));
    else return false;
    e.preventDefault();
    e.stopPropagation();
    return true;
  };

  return {
    doc,
    on,
    start: () => setOn(true),
    stop: () => setOn(false),
    grab,
    key,
    add: (id, at) => {
      if (!now.current) return;
      change(id, { x: round(at.x), y: round(at.y) }, own(now.current.at, id), words.map.placed(labelOf(id)));
      select(id);
    },
  };
}

/** What is not on the plan yet, to be put into its middle. */
export function Editor({ edit, middle }: { edit: Editing; middle: { x: number; y: number } }) {
  const isHere = (id: string) => Boolean(own(edit.doc?.at, id));
  return (
    <section class="plan-editor card column" aria-label={words.map.edit}>
      <div class="row">
        <p class="small quiet grow">{words.map.editing}</p>
        <Button look="primary" onClick={edit.stop}>
          {words.map.done}
        </Button>
      </div>
      {!isLive.value && <p class="small quiet">{words.map.everyWorld}</p>}
      <Field label={words.map.add} for="plan-add">
        <FindTwin
          id="plan-add"
          more={(e) => (isHere(e.id) ? { hint: words.map.isHere } : { icon: Plus })}
          deps={[edit.doc]}
          take={(e) => (isHere(e.id) ? select(e.id) : edit.add(e.id, middle))}
        />
      </Field>
    </section>
  );
}
