// SPDX-License-Identifier: Apache-2.0
// What each line is, and what it says where the pointer is: at first what it says last.
import { type Signal } from "@preact/signals";
import { cls } from "~/ui/basic";
import { tell } from "~/ui/toast";
import { wordsOf } from "~/api/client";
import { words } from "~/words/en";
import * as format from "~/format";
import { copyText } from "./export";
import { bandsOf, type Line } from "./model";
import { colourOf } from "./palette";

export interface Reading {
  time: number;
  rows: Map<string, number>; // by label: the row of the line's own columns
  mark?: string;
}

function lastRow(l: Line): number {
  for (let i = l.time.length - 1; i >= 0; i--) if (typeof l.value[i] === "number") return i;
  return -1;
}

/** "12.3 °C" with what its band says, and the exact words of it. */
function texts(l: Line, row: number | undefined): Record<"text" | "spread" | "exact" | "value", string> {
  const at = row ?? lastRow(l);
  const v = l.value[at];
  if (at < 0 || v === null || v === undefined)
    return { text: words.chart.gap, spread: "", exact: words.noValue, value: "" };
  const unit = format.unitSymbol(l.unit);
  const bands = bandsOf(l).filter((b) => typeof b.low[at] === "number" && typeof b.high[at] === "number");
  const band = bands[0];
  const spread =
    band && band.low[at] !== band.high[at]
      ? words.chart.between(format.number(band.low[at]!, 4), format.number(band.high[at]!, 4), band.level)
      : "";
  const exact = [
    `${l.label}: ${v} ${unit}`.trim(),
    ...bands.map((b) => words.chart.between(String(b.low[at]), String(b.high[at]), b.level)),
    format.exactTime(l.time[at]! * 1000),
  ];
  return {
    text: format.amount(v, l.unit, 4),
    spread,
    exact: exact.join("\n"),
    value: String(v),
  };
}

interface Props {
  lines: readonly Line[];
  hidden: ReadonlySet<string>;
  toggle: (label: string) => void;
  reading: Signal<Reading | null>;
}

export function Legend({ lines, hidden, toggle, reading }: Props) {
  const now = reading.value;
  const copy = (value: string) =>
    copyText(value).then(
      () => tell(words.chart.valueCopied(value)),
      (e: unknown) => tell(wordsOf(e), { bad: true }),
    );
  return (
    <div class="chart-legend" role="group" aria-label={words.chart.legend}>
      {lines.map((l, i) => {
        const off = hidden.has(l.label);
        const t = texts(l, now?.rows.get(l.label));
        return (
          <span key={l.label} class={cls("chart-entry", off && "off")}>
            <button
              type="button"
              class="chart-name"
              aria-pressed={!off}
              title={off ? words.chart.show(l.label) : words.chart.hide(l.label)}
              onClick={() => toggle(l.label)}
            >
              <svg width="16" height="8" aria-hidden="true">
                <line
                  x1="0"
                  x2="16"
                  y1="4"
                  y2="4"
                  stroke={colourOf(l, i)}
                  stroke-width="2.5"
                  stroke-dasharray={l.dash ? "5 3" : undefined}
                />
              </svg>
              <span class="ellipsis">{l.label}</span>
            </button>
            {!off && (
              <button
                type="button"
                class="chart-value num"
                title={t.exact}
                disabled={!t.value}
                onClick={() => copy(t.value)}
              >
                {t.text} {t.spread && <span class="chart-spread">{t.spread}</span>}
              </button>
            )}
          </span>
        );
      })}
      <span class="chart-when quiet tiny">
        {now ? format.time(now.time * 1000) : ""}
        {now?.mark ? ` · ${now.mark}` : ""}
      </span>
    </div>
  );
}
