// SPDX-License-Identifier: Apache-2.0
// Short messages at the edge, and the last ten edits: each can be taken back, and done again.
import { signal } from "@preact/signals";
import { CircleAlert, CircleCheck, X } from "lucide-preact";
import { ApiError, wordsOf } from "~/api/client";
import { words } from "~/words/en";
import { Button, Icon, IconButton } from "./basic";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
  action?: { title: string; run: () => void };
}

export const toasts = signal<readonly Toast[]>([]);
let next = 1;

function drop(id: number) {
  toasts.value = toasts.value.filter((t) => t.id !== id);
}

interface Told {
  bad?: boolean;
  action?: Toast["action"];
}

function show(text: string, o: Told): number {
  const id = next++;
  toasts.value = [...toasts.value.slice(-2), { id, text, bad: o.bad ?? false, action: o.action }];
  if (!o.bad) setTimeout(() => drop(id), o.action ? 8000 : 4000);
  return id;
}

export function tell(text: string, o: Told = {}): void {
  show(text, o);
}

export function tellError(e: unknown): void {
  tell(wordsOf(e), { bad: true });
}

export interface Edit {
  what: string; // "Speed limit is 30 000 now."
  back: () => Promise<void>; // throws, in words, when somebody else changed it since
  again?: () => Promise<void>;
  undone?: string; // "Speed limit is 36 000 again."
  world?: string; // where, when that is not live
}

const UNDO_STEPS = 10;
/** The newest last. */
export const edits = signal<readonly Edit[]>([]);
export const takenBack = signal<readonly Edit[]>([]);

/** Which message offers a step of an edit: it goes when that step is taken in another way. */
const offers = new WeakMap<Edit, number>();

function offer(edit: Edit, text: string, title: string, run: (e: Edit) => Promise<void>): void {
  offers.set(edit, show(text, { action: { title, run: () => void run(edit) } }));
}

const push = (list: readonly Edit[], e: Edit) => [...list, e].slice(-UNDO_STEPS);
const without = (list: readonly Edit[], e: Edit) => list.filter((x) => x !== e);

/** Something was done that `back` takes back: told with a button, and undone by Ctrl Z. */
export function done(
  what: string,
  back: () => Promise<void>,
  more: { again?: () => Promise<void>; undone?: string; world?: string } = {},
): void {
  const edit: Edit = { what, back, ...more };
  edits.value = push(edits.value, edit);
  takenBack.value = [];
  offer(edit, what, words.undo, undo);
}

/** A world is no more: nothing can be taken back in it, nor in another of its name. */
export function forget(world: string): void {
  for (const e of [...edits.peek(), ...takenBack.peek()]) if (e.world === world) drop(offers.get(e) ?? 0);
  edits.value = edits.peek().filter((e) => e.world !== world);
  takenBack.value = takenBack.peek().filter((e) => e.world !== world);
}

/** One at a time: keys that are held down do not overtake the server. */
let busy = false;

async function step(edit: Edit | undefined, run: () => Promise<void>, away: () => void, then: () => void) {
  if (!edit || busy) return;
  busy = true;
  drop(offers.get(edit) ?? 0);
  try {
    await run();
    away();
    then();
  } catch (e) {
    // What was refused stays refused; what did not arrive may be tried again.
    if (!(e instanceof ApiError && e.status === 0)) away();
    tell(words.undoing.refused(edit.what, wordsOf(e)), { bad: true });
  } finally {
    busy = false;
  }
}

export const undo = (edit: Edit | undefined = edits.peek()[edits.peek().length - 1]): Promise<void> =>
  step(
    edit && edits.peek().includes(edit) ? edit : undefined,
    () => edit!.back(),
    () => (edits.value = without(edits.value, edit!)),
    () => {
      if (edit!.again) takenBack.value = push(takenBack.value, edit!);
      const said = edit!.undone ?? words.undoing.undone(edit!.what);
      if (edit!.again) offer(edit!, said, words.undoing.redo, redo);
      else tell(said);
    },
  );

export const redo = (edit: Edit | undefined = takenBack.peek()[takenBack.peek().length - 1]): Promise<void> =>
  step(
    edit && takenBack.peek().includes(edit) ? edit : undefined,
    () => edit!.again!(),
    () => (takenBack.value = without(takenBack.value, edit!)),
    () => {
      edits.value = push(edits.value, edit!);
      offer(edit!, edit!.what, words.undo, undo);
    },
  );

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((t) => (
        <div key={t.id} class="toast" role={t.bad ? "alert" : undefined}>
          <Icon of={t.bad ? CircleAlert : CircleCheck} />
          <span class="grow">{t.text}</span>
          {t.action && (
            <Button
              look="plain"
              onClick={() => {
                drop(t.id);
                t.action!.run();
              }}
            >
              {t.action.title}
            </Button>
          )}
          <IconButton name={words.close} icon={X} onClick={() => drop(t.id)} />
        </div>
      ))}
    </div>
  );
}
