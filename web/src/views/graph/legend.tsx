// SPDX-License-Identifier: Apache-2.0
// What colours and sizes mean, with ranges and units. It folds away, and is folded on a phone.
import { entries } from "~/api/catalogue";
import { isDark } from "~/app/prefs";
import { categorical } from "~/ui/colour";
import { NoValue, Ramp } from "~/ui/ramp";
import { words } from "~/words/en";
import * as format from "~/format";
import { familiesNow, partOf, type Colouring, type Sizing } from "./colours";
import { nameOf, unitOf } from "./measure";

const w = words.graph;

function Scaled({ c }: { c: Colouring }) {
  const s = c.scale;
  return (
    <>
      {s?.low === undefined ? (
        <Categories c={c} />
      ) : (
        <Ramp low={s.low} high={s.high!} unit={unitOf(c.key)} reach={c.reach} class="ramp" />
      )}
      {s && c.reach && <NoValue colour={s.unknown} name={words.noValue} count={c.reach.none} />}
      {s && <NoValue colour={s.unknown} name={w.scale.without} count={c.without} />}
    </>
  );
}

function Categories({ c }: { c: Colouring }) {
  const dark = isDark();
  if (c.key && !c.scale) return <div class="tiny quiet">{words.loading}</div>;
  const list: readonly { name: string; colour: string; kinds?: string }[] =
    c.scale?.categories ?? familiesNow().list.map((x, i) => ({ ...x, colour: categorical(i, dark) }));
  if (!list.length) return null;
  return (
    <ul>
      {list.map((x) => (
        <li class="row" key={x.name} title={x.kinds}>
          <svg width="10" height="10" aria-hidden="true">
            <circle cx="5" cy="5" r="5" fill={x.colour} />
          </svg>
          <span class="ellipsis">{x.name}</span>
        </li>
      ))}
    </ul>
  );
}

const LARGEST = 14;

function Sizes({ s }: { s: Sizing }) {
  const unit = unitOf(s.key);
  if (!Number.isFinite(s.high))
    return <div class="tiny quiet">{s.settled === s.key ? words.noValue : words.loading}</div>;
  const values = s.low >= 0 ? [s.high / 10, s.high / 2, s.high] : [s.low, (s.low + s.high) / 2, s.high];
  return (
    <ul class="legend-sizes">
      {values.map((v) => {
        const r = 2 + (LARGEST - 2) * partOf(v, s.low, s.high);
        return (
          <li key={v}>
            <svg width={2 * LARGEST} height={2 * LARGEST} aria-hidden="true">
              <circle cx={LARGEST} cy={2 * LARGEST - r - 0.5} r={r - 0.5} />
            </svg>
            <span class="tiny">{format.amount(v, unit, 2)}</span>
          </li>
        );
      })}
    </ul>
  );
}

export function Legend({ colour, size }: { colour: Colouring; size: Sizing }) {
  if (!entries.value.length) return null;
  return (
    <details class="legend card small" open={innerWidth > 640}>
      <summary title={w.legend}>
        <span class="ellipsis">{w.colourOf(colour.key ? nameOf(colour.key) : w.model)}</span>
      </summary>
      {!colour.error && <Scaled c={colour} />}
      {size.key && !size.error && (
        <>
          <div class="legend-title ellipsis">{w.sizeOf(nameOf(size.key))}</div>
          <Sizes s={size} />
        </>
      )}
    </details>
  );
}
