// SPDX-License-Identifier: Apache-2.0
// Which time is shown: the usual spans up to now, or from one instant to another.
import { useState } from "preact/hooks";
import { CalendarRange, ZoomOut } from "lucide-preact";
import { Button, Field, IconButton, Menu } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { showAll, showBetween, showLast, SPANS, type Span } from "./span";

const w = words.twin.span;

/** An instant as a field of the browser wants it: local, without a zone. */
function fieldOf(t: number): string {
  const d = new Date(t - new Date(t).getTimezoneOffset() * 60_000);
  return d.toISOString().slice(0, 19);
}

function Custom({ span, close }: { span: Span; close: () => void }) {
  const [from, setFrom] = useState(fieldOf(span.from));
  const [to, setTo] = useState(fieldOf(span.to));
  const [wrong, fail] = useState("");
  const set = (e: Event) => {
    e.preventDefault();
    const [a, b] = [Date.parse(from), Date.parse(to)];
    if (Number.isNaN(a) || Number.isNaN(b)) return fail(w.incomplete);
    if (b <= a) return fail(w.backwards);
    showBetween(a, b);
    close();
  };
  const field = (id: string, label: string, value: string, put: (v: string) => void, wrong = "") => (
    <Field label={label} for={id} wrong={wrong}>
      <input
        id={id}
        class="input"
        type="datetime-local"
        step="1"
        value={value}
        onInput={(e) => (put(e.currentTarget.value), fail(""))}
      />
    </Field>
  );
  return (
    <form class="column range-form" onSubmit={set}>
      {field("range-from", w.from, from, setFrom)}
      {field("range-to", w.to, to, setTo, wrong)}
      <Button look="primary" type="submit">
        {w.show}
      </Button>
    </form>
  );
}

export function RangePicker({ span }: { span: Span }) {
  const chosen = !span.moves;
  return (
    <div class="range" role="group" aria-label={words.twin.range}>
      {SPANS.map((s) => (
        <button
          key={s}
          type="button"
          class="range-one"
          aria-pressed={span.moves && span.seconds === s}
          onClick={() => showLast(s)}
        >
          {format.duration(s * 1000)}
        </button>
      ))}
      <Menu
        label={w.custom}
        button={(open, shown) => (
          <button
            type="button"
            class="range-one"
            aria-pressed={chosen}
            aria-expanded={shown}
            aria-haspopup="dialog"
            title={w.custom}
            aria-label={chosen ? undefined : w.custom}
            onClick={open}
          >
            <CalendarRange class="icon-svg" aria-hidden="true" />
            {chosen && <span class="num">{`${format.minute(span.from)} – ${format.minute(span.to)}`}</span>}
          </button>
        )}
      >
        {(close) => <Custom span={span} close={close} />}
      </Menu>
      {chosen && <IconButton name={w.back} icon={ZoomOut} onClick={showAll} />}
    </div>
  );
}
