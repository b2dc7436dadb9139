// SPDX-License-Identifier: Apache-2.0
// A field in the place of a value. What does not fit is said before it is sent, what the server refuses beside it.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Check, Eraser, X } from "lucide-preact";
import { wordsOf } from "~/api/client";
import { models } from "~/api/models";
import type { Twin } from "~/api/types";
import { kind, worldName } from "~/app/route";
import { IconButton } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { changeValue } from "./edits";
import { parseInput, type Shown } from "./shown";

const EXAMPLE: Partial<Record<string, string>> = { duration: "PT15M", time: "2026-01-31T08:00:00Z" };

export function Editor({ twin, s, close }: { twin: Twin; s: Shown; close: () => void }) {
  const p = s.property!;
  // What stood there when somebody began to type: what they mean to change.
  const before = useRef(s.value).current;
  const [text, set] = useState(
    before === undefined || before === null ? "" : typeof before === "string" ? before : JSON.stringify(before),
  );
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const world = worldName.value;
  const field = useRef<HTMLInputElement & HTMLSelectElement>(null);
  // Browsers heed autofocus once a page: without this, what is typed next would be taken for one-key shortcuts.
  useLayoutEffect(() => {
    field.current?.focus();
    field.current?.select?.();
  }, []);
  const send = async (value: ReturnType<typeof parseInput>) => {
    setBusy(true);
    try {
      await changeValue({ world, twin: twin.$dtId, path: s.path, name: s.name, unit: p.unit, before, value });
      close();
    } catch (err) {
      setWrong(wordsOf(err));
      setBusy(false);
    }
  };
  const save = (e: Event) => {
    e.preventDefault();
    const v = parseInput(text, p);
    if (v === undefined) return setWrong(words.twin.notA(p.type));
    void send(v);
  };
  const options =
    p.type === "boolean"
      ? [
          { value: "true", name: words.yes },
          { value: "false", name: words.no },
        ]
      : p.options;
  const id = `edit-${s.path}`;
  const live = kind.value === "live";
  const commands = models.value.get(twin.$metadata.$model)?.commands.length ?? 0;
  return (
    <form class="prop-edit" onSubmit={save} onKeyDown={(e) => e.key === "Escape" && (e.stopPropagation(), close())}>
      <div class="row">
        {options.length ? (
          <select
            ref={field}
            id={id}
            class="select grow"
            aria-label={s.name}
            aria-invalid={wrong !== ""}
            value={text}
            onChange={(e) => (set(e.currentTarget.value), setWrong(""))}
          >
            <option value="" disabled />
            {options.map((o) => (
              <option key={o.value} value={String(o.value)}>
                {o.name}
              </option>
            ))}
          </select>
        ) : (
          <input
            ref={field}
            id={id}
            class="input grow"
            aria-label={s.name}
            aria-invalid={wrong !== ""}
            aria-describedby={[wrong && id + "-wrong", live && id + "-live"].filter(Boolean).join(" ") || undefined}
            inputMode={p.type === "number" || p.type === "integer" ? "decimal" : undefined}
            placeholder={EXAMPLE[p.type]}
            value={text}
            onInput={(e) => (set(e.currentTarget.value), setWrong(""))}
          />
        )}
        <span class="quiet small">{format.unitSymbol(p.unit)}</span>
        <IconButton name={words.twin.save} icon={Check} type="submit" busy={busy} />
        {s.known && <IconButton name={words.twin.clear(s.name)} icon={Eraser} onClick={() => void send(undefined)} />}
        <IconButton name={words.cancel} icon={X} onClick={close} />
      </div>
      {live && (
        <div id={id + "-live"} class="quiet tiny">
          {words.twin.editLive(commands > 0, s.sensor)}
        </div>
      )}
      {wrong && (
        <div id={id + "-wrong"} class="wrong tiny" role="alert">
          {wrong}
        </div>
      )}
    </form>
  );
}
