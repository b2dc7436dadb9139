// SPDX-License-Identifier: Apache-2.0
// KPIs of worlds side by side: a column each, what it comes to and how far from the first, better or worse in icon and
// word. What does not differ is folded away.
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ArrowDown, ArrowRight, ArrowUp, ChevronDown, ChevronRight, Minus } from "lucide-preact";
import { unequalDays } from "~/api/counted";
import type { ComparedKpi, ComparedValue, Comparison } from "~/api/whatif";
import { hrefOf } from "~/app/route";
import { Button, cls, Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";
import { moved, unitOf } from "./finding";

const w = words.whatif;
const TONES: Record<string, string> = { better: "ok", worse: "bad" };

function Difference({ k, v }: { k: ComparedKpi; v: ComparedValue }) {
  if (v.difference === undefined || v.difference === null) return null;
  const icon = v.difference > 0 ? ArrowUp : v.difference < 0 ? ArrowDown : Minus;
  const verdict = v.verdict ?? (v.difference ? undefined : "same");
  const interval = v.differenceLow !== undefined && v.differenceLow !== null && v.differenceHigh != null;
  const percent = v.relative !== undefined && v.relative !== null && unitOf(k) !== "%" && Math.abs(v.relative) < 10;
  return (
    <div class="kpi-difference" title={`${v.difference} ${unitOf(k)}`}>
      <div class={cls("kpi-verdict", verdict && TONES[verdict])}>
        <Icon of={icon} size={13} />
        <span>
          {v.difference > 0 && "+"}
          {format.number(v.difference)}
          {percent && ` (${v.relative! > 0 ? "+" : ""}${format.number(v.relative! * 100)}\u2009%)`}
        </span>
        {verdict && <span class="strong">{w.verdict[verdict]}</span>}
      </div>
      {interval && v.difference !== 0 && (
        <div class="tiny quiet">{w.interval(format.number(v.differenceLow!), format.number(v.differenceHigh!))}</div>
      )}
    </div>
  );
}

function Row({ k, worlds }: { k: ComparedKpi; worlds: number }) {
  return (
    <tr>
      <th scope="row" title={[k.name, k.over, k.error].filter(Boolean).join("\n")}>
        <a
          class="kpi-name"
          href={hrefOf({ view: "models", world: "live", at: "", params: { kpi: k.name }, fresh: true })}
        >
          {k.title || k.name}
        </a>
        <span class="quiet"> {unitOf(k)}</span>
      </th>
      {k.error ? (
        <td class="quiet small" colSpan={worlds}>
          {k.error}
        </td>
      ) : (
        k.values.map((v, i) => (
          <td class="num" key={i} title={v.value === null ? undefined : String(v.value)}>
            <div class={cls(i === 0 && "quiet")}>{v.value === null ? words.noValue : format.number(v.value, 4)}</div>
            {i > 0 && <Difference k={k} v={v} />}
          </td>
        ))
      )}
    </tr>
  );
}

/** How many columns lie to the right of what is seen. */
function useHidden(box: RefObject<HTMLDivElement>, columns: number): number {
  const [hidden, set] = useState(0);
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const look = () => {
      const edge = el.getBoundingClientRect().right;
      set([...el.querySelectorAll("thead th")].filter((th) => th.getBoundingClientRect().right > edge + 2).length);
    };
    look();
    const watch = new ResizeObserver(look);
    watch.observe(el);
    el.addEventListener("scroll", look, { passive: true });
    return () => {
      watch.disconnect();
      el.removeEventListener("scroll", look);
    };
  }, [columns]);
  return hidden;
}

/** `head` is what the finding is about: it stands first. */
export function KpiTable({ c, head }: { c: Comparison; head?: string }) {
  const [open, set] = useState(false);
  const alone = c.worlds.length < 2;
  const rank = (k: ComparedKpi) => (k.name === head ? 2 : Number(k.of === "money"));
  const order = [...c.kpis].sort((a, b) => rank(b) - rank(a));
  const shown = alone ? order : order.filter((k) => moved(k) || k.error || unequalDays(c));
  const still = c.kpis.filter((k) => !shown.includes(k));
  const box = useRef<HTMLDivElement>(null);
  const hidden = useHidden(box, c.worlds.length);
  const onward = () => box.current?.scrollBy({ left: box.current.clientWidth / 2 });
  return (
    <div class="scroll" ref={box} tabIndex={0} role="region" aria-label={w.compared}>
      {hidden > 0 && (
        <Button look="plain" class="more-columns" onClick={onward}>
          {w.moreColumns(hidden)} <Icon of={ArrowRight} size={14} />
        </Button>
      )}
      <table class="table kpi-table">
        <thead>
          <tr>
            <th scope="col">{words.overview.kpi}</th>
            {c.worlds.map((x, i) => (
              <th scope="col" class="num" key={x.name}>
                {i === 0 && !alone ? w.nothing(x.name) : x.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((k) => (
            <Row key={k.name} k={k} worlds={c.worlds.length} />
          ))}
          {open && still.map((k) => <Row key={k.name} k={k} worlds={c.worlds.length} />)}
        </tbody>
      </table>
      {!shown.length && <p class="quiet kpi-still">{w.noDifference}</p>}
      {still.length > 0 && (
        <Button look="plain" icon={open ? ChevronDown : ChevronRight} aria-expanded={open} onClick={() => set(!open)}>
          {w.still(still.length)}
        </Button>
      )}
    </div>
  );
}
