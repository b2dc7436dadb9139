// SPDX-License-Identifier: Apache-2.0
// Things side by side by what they bring: the best first, each as a bar from zero with its interval.
import type { ComponentChildren } from "preact";
import { cls } from "./basic";
import { words } from "~/words/en";
import * as format from "~/format";
import "./rank.css";

export interface Ranked {
  key: string | number;
  name: ComponentChildren;
  gain: number | null; // null: not known
  low?: number | undefined;
  high?: number | undefined;
  best?: boolean;
  zero?: boolean; // what the others are compared with
  chips?: ComponentChildren;
  notes?: readonly string[];
}

/** Whether its interval leaves out zero. */
export const undecided = (g: { low?: number | undefined; high?: number | undefined }): boolean =>
  g.low !== undefined && g.high !== undefined && g.low <= 0 && g.high >= 0 && g.high > g.low;

function Bar({ g, low, high }: { g: Ranked; low: number; high: number }) {
  const part = (v: number) => ((v - low) / (high - low || 1)) * 100;
  const gain = g.gain ?? 0;
  const tone = undecided(g) || g.gain === null ? "unsure" : gain > 0 ? "good" : "poor";
  const known = g.low !== undefined && g.high !== undefined;
  return (
    <div class={cls("rank-bar", tone)} aria-hidden="true">
      <i style={{ left: `${Math.min(part(0), part(gain))}%`, width: `${Math.abs(part(gain) - part(0))}%` }} />
      {known && <b style={{ left: `${part(g.low!)}%`, width: `${Math.max(0.5, part(g.high!) - part(g.low!))}%` }} />}
      <u style={{ left: `${part(0)}%` }} />
    </div>
  );
}

export function Rank({ list, unit }: { list: readonly Ranked[]; unit: string }) {
  const low = Math.min(0, ...list.map((g) => g.low ?? g.gain ?? 0));
  const high = Math.max(0, ...list.map((g) => g.high ?? g.gain ?? 0));
  return (
    <ol class="rank">
      {list.map((g) => (
        <li key={g.key} class={cls(g.best && "best")}>
          <div class="rank-name">
            <span class="strong">{g.name}</span>
            {g.chips}
          </div>
          {g.zero ? <div class="tiny quiet">{words.rank.zero}</div> : <Bar g={g} low={low} high={high} />}
          <div class="rank-value num">
            <span class="strong">
              {g.gain === null ? words.noValue : `${g.zero ? "0" : format.signed(g.gain)} ${unit}`}
            </span>
            {!g.zero && g.low !== undefined && g.high !== undefined && (
              <div class="tiny quiet">{words.whatif.interval(format.number(g.low), format.number(g.high))}</div>
            )}
            {g.notes?.map((n) => (
              <div class="tiny quiet" key={n}>
                {n}
              </div>
            ))}
          </div>
        </li>
      ))}
    </ol>
  );
}
