// SPDX-License-Identifier: Apache-2.0
// How much time is shown, and how fast it plays: a few that are usual, and one's own.
import { useState } from "preact/hooks";
import { CalendarRange, Gauge } from "lucide-preact";
import { Button, Icon, Menu, TextField } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { begin, choose, chosen, span, SPANS, type Range } from "./range";
import { kind } from "./route";
import { playing, speed, SPEEDS } from "./scrub";

/** A time as inputs of the browser write it, in its zone. */
function localText(t: number): string {
  const d = new Date(t - new Date(t).getTimezoneOffset() * 60_000);
  return d.toISOString().slice(0, 16);
}

const spanText = (ms: number) => format.duration(Math.round(ms / 1000) * 1000);

/** What is wrong with a stretch, under the field that has it; "": nothing. */
function wrongOf(from: number, to: number, now: number): [from: string, to: string] {
  const begin = Number.isNaN(from) ? words.timeline.noFrom : from >= now ? words.timeline.notYet : "";
  const end = Number.isNaN(to) ? words.timeline.noTo : from >= to ? words.timeline.noStretch : "";
  return [begin, end];
}

function FromTo({ r, close }: { r: Range; close: () => void }) {
  const [from, setFrom] = useState(localText(r.from));
  const [to, setTo] = useState(localText(r.end));
  const [noFrom, noTo] = wrongOf(Date.parse(from), Date.parse(to), r.now);
  const time = { type: "datetime-local", required: true };
  return (
    <form
      class="column tl-form"
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        if (noFrom || noTo) return;
        choose(Date.parse(from), Math.min(r.now, Date.parse(to)), r.now);
        close();
      }}
    >
      <TextField {...time} id="tl-from" label={words.timeline.from} value={from} set={setFrom} wrong={noFrom} />
      <TextField {...time} id="tl-to" label={words.timeline.to} value={to} set={setTo} wrong={noTo} />
      <Button type="submit" look="primary" disabled={Boolean(noFrom || noTo)}>
        {words.timeline.showIt}
      </Button>
    </form>
  );
}

export function SpanMenu({ r }: { r: Range }) {
  const name = chosen.value ? spanText(chosen.value.to - chosen.value.from) : spanText(span.value);
  const set = (ms: number, close: () => void) => {
    chosen.value = null;
    span.value = ms;
    close();
  };
  return (
    <Menu
      label={words.timeline.span}
      button={(open, shown) => (
        <Button
          class="tl-choose"
          onClick={open}
          aria-expanded={shown}
          aria-label={`${words.timeline.span}: ${name}`}
          title={words.timeline.span}
        >
          <Icon of={CalendarRange} size={14} />
          <span class="tl-name">{name}</span>
        </Button>
      )}
    >
      {(close) => (
        <>
          <div class="menu-title">{words.timeline.span}</div>
          {SPANS.map((ms) => (
            <button
              type="button"
              key={ms}
              class="menu-item"
              aria-pressed={!chosen.value && span.value === ms}
              onClick={() => set(ms, close)}
            >
              <span class="grow">{words.timeline.last(spanText(ms))}</span>
              {!chosen.value && span.value === ms && "✓"}
            </button>
          ))}
          {begin.value !== null && (
            <button
              type="button"
              class="menu-item"
              onClick={() => set(Math.max(60_000, (r.now - begin.value!) * 1.02), close)}
            >
              <span class="grow">{words.timeline.sinceBegin}</span>
              <span class="tiny quiet">{format.time(begin.value)}</span>
            </button>
          )}
          <div class="menu-title">{words.timeline.stretch}</div>
          <FromTo r={r} close={close} />
        </>
      )}
    </Menu>
  );
}

export function SpeedMenu() {
  const [own, set] = useState(String(speed.value));
  const n = Number(own);
  const wrong = !(n > 0 && n <= 1e6);
  return (
    <Menu
      label={words.timeline.speed}
      button={(open, shown) => (
        <Button
          class="tl-choose"
          onClick={open}
          aria-expanded={shown}
          aria-label={`${words.timeline.speed}: ${speed.value}×`}
          title={words.timeline.speed}
        >
          <Icon of={Gauge} size={14} />
          {(kind.value !== "live" || playing.value) && <span class="tl-name">{speed.value}×</span>}
        </Button>
      )}
    >
      {(close) => (
        <>
          <div class="menu-title">{words.timeline.speed}</div>
          {SPEEDS.map((s) => (
            <button
              type="button"
              key={s}
              class="menu-item"
              aria-pressed={speed.value === s}
              onClick={() => ((speed.value = s), close())}
            >
              <span class="grow">{s}×</span>
              <span class="tiny quiet">{words.timeline.aSecond(format.duration(s * 1000))}</span>
              {speed.value === s && "✓"}
            </button>
          ))}
          <form
            class="column tl-form"
            onSubmit={(e) => {
              e.preventDefault();
              // Who types fast is ahead of what is drawn.
              const typed = Number(e.currentTarget.querySelector("input")!.value);
              if (!(typed > 0 && typed <= 1e6)) return;
              speed.value = typed;
              close();
            }}
          >
            <TextField
              id="tl-speed"
              label={words.timeline.ownSpeed}
              wrong={wrong ? words.timeline.noSpeed : ""}
              inputMode="decimal"
              value={own}
              set={set}
            />
          </form>
        </>
      )}
    </Menu>
  );
}
