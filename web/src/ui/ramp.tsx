// SPDX-License-Identifier: Apache-2.0
// The key to colours that tell a number: the ramp with its ends, which say when values go on beyond them; and the
// colour of who has no value.
import { words } from "~/words";
import * as format from "~/format";
import type { Reach } from "./colour";

const w = words.graph.scale;

export function Ramp(p: { low: number; high: number; unit: string; reach: Reach | null; class: string }) {
  const { unit, reach } = p;
  const beyond = reach ? reach.below + reach.above : 0;
  const told = beyond ? w.extremes(format.amount(reach!.least, unit), format.amount(reach!.most, unit)) : undefined;
  return (
    <div title={told}>
      <div class={p.class} />
      <div class="row tiny">
        {/* All have the same value: it is told once. */}
        <span class="grow">
          {reach?.below ? "≤ " : ""}
          {format.amount(p.low, unit)}
        </span>
        {p.high > p.low && (
          <span>
            {reach?.above ? "≥ " : ""}
            {format.amount(p.high, unit)}
          </span>
        )}
      </div>
      {beyond > 0 && <div class="tiny quiet">{w.beyond(format.count(beyond), beyond)}</div>}
    </div>
  );
}

export function NoValue({ colour, name, count }: { colour: string; name: string; count: number }) {
  if (!count) return null;
  return (
    <div class="row tiny quiet no-value">
      <svg width="10" height="10" aria-hidden="true">
        <circle cx="5" cy="5" r="5" fill={colour} />
      </svg>
      <span class="grow ellipsis">{name}</span>
      <span class="num">{format.count(count)}</span>
    </div>
  );
}
