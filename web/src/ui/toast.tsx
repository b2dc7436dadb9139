// SPDX-License-Identifier: Apache-2.0
// Short messages at the edge, and the last ten edits that can be taken back.
import { signal } from "@preact/signals";
import { CircleAlert, CircleCheck, X } from "lucide-preact";
import { wordsOf } from "~/api/client";
import { words } from "~/words/en";
import { Button, Icon, IconButton } from "./basic";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
  action?: { title: string; run: () => void };
}

const toasts = signal<readonly Toast[]>([]);
let next = 1;

function drop(id: number) {
  toasts.value = toasts.value.filter((t) => t.id !== id);
}

export function tell(text: string, o: { bad?: boolean; action?: Toast["action"] } = {}): void {
  const id = next++;
  toasts.value = [...toasts.value.slice(-2), { id, text, bad: o.bad ?? false, action: o.action }];
  if (!o.bad) setTimeout(() => drop(id), o.action ? 8000 : 4000);
}

export function tellError(e: unknown): void {
  tell(wordsOf(e), { bad: true });
}

interface Edit {
  what: string;
  back: () => Promise<void>;
}

const UNDO_STEPS = 10;
const edits: Edit[] = [];

/** Something was done that `back` takes back: told with a button, and undone by Ctrl Z. */
export function done(what: string, back: () => Promise<void>): void {
  const edit = { what, back };
  edits.push(edit);
  if (edits.length > UNDO_STEPS) edits.shift();
  tell(what, { action: { title: words.undo, run: () => void undo(edit) } });
}

export async function undo(edit: Edit | undefined = edits[edits.length - 1]): Promise<void> {
  const i = edit ? edits.indexOf(edit) : -1;
  if (i < 0) return;
  edits.splice(i, 1);
  try {
    await edit!.back();
  } catch (e) {
    tellError(e);
  }
}

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
                t.action!.run();
                drop(t.id);
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
