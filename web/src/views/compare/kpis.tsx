// SPDX-License-Identifier: Apache-2.0
// Between the panes: each KPI of A and of B, what lies between them, and how sure that is.
import { BarChart3, Dices, ListTree } from "lucide-preact";
import type { Differing } from "~/api/difference";
import { startSure, type Figures, type FiguresState } from "~/api/figures";
import type { ComparedKpi, ComparedValue } from "~/api/whatif";
import { go } from "~/app/route";
import { Button, Chip, cls, Empty, Progress, Skeleton, Wrong, type Tone } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { unitOf } from "~/views/whatif/finding";
import { words } from "~/words/en";
import * as format from "~/format";
import { Most } from "./most";
import { nameOf, refOf } from "./names";
import { baseOf, showView, type Sides } from "./sides";

const w = words.compare;
const TONE: Record<string, Tone> = { better: "ok", worse: "bad" };
export const isNumber = (x: unknown): x is number => typeof x === "number";
const sure = (v: ComparedValue) => isNumber(v.differenceLow) && isNumber(v.differenceHigh);

const DIGITS = 4; // that a figure is told with
const DIGITS_PERCENT = 3; // as on the overview
const FAR = 1; // of A's value: what is farther ends at the edge
const NEAR = 0.01; // the scale goes so far at least: a hair's breadth is no full bar

/** Nothing lies between the two that is told: within the interval, or within the digits of a figure. */
export const isSame = (k: ComparedKpi): boolean => {
  const [a, b] = k.values;
  if (!isNumber(b?.difference)) return !isNumber(a?.value) && !isNumber(b?.value);
  if (sure(b)) return b.differenceLow! <= 0 && b.differenceHigh! >= 0;
  return isNumber(a?.value) && isNumber(b.value) && figure(k, a) === figure(k, b);
};

/** Ends of a difference as parts of A's value. */
function spanOf(k: ComparedKpi): { low: number; mid: number; high: number } | null {
  const [a, b] = k.values;
  if (!isNumber(b?.difference)) return null;
  const of = Math.abs(a?.value ?? 0) || Math.abs(b.difference) || 1;
  return {
    low: (sure(b) ? b.differenceLow! : Math.min(0, b.difference)) / of,
    mid: b.difference / of,
    high: (sure(b) ? b.differenceHigh! : Math.max(0, b.difference)) / of,
  };
}

/** How far the picture of all goes to both sides, on one scale. Of nothing there are no parts: that tells no reach. */
export function reachOf(kpis: readonly ComparedKpi[]): number {
  const all = kpis
    .filter((k) => k.values[0]?.value)
    .map(spanOf)
    .filter((s) => s !== null)
    .map((s) => Math.max(Math.abs(s.low), Math.abs(s.high)));
  return Math.min(FAR, Math.max(...all, NEAR));
}

/** The difference as a mark on a line around zero; its interval as a bar. */
export function Whisker({ k, reach }: { k: ComparedKpi; reach: number }) {
  const s = spanOf(k);
  const v = k.values[1];
  const x = (part: number) => 50 + 46 * Math.max(-1, Math.min(1, part / reach));
  const look = v?.verdict === "better" ? "ok" : v?.verdict === "worse" ? "bad" : "";
  return (
    <svg class={cls("whisker", look)} viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
      <line class="axis" x1="0" x2="100" y1="6" y2="6" />
      <line class="zero" x1="50" x2="50" y1="1" y2="11" />
      {s && (s.mid !== 0 || s.high !== s.low) && (
        <>
          <line class={v && sure(v) ? "band" : "bar"} x1={x(s.low)} x2={x(s.high)} y1="6" y2="6" />
          <line class="mid" x1={x(s.mid)} x2={x(s.mid)} y1="2.5" y2="9.5" />
        </>
      )}
    </svg>
  );
}

const figure = (k: ComparedKpi, v: ComparedValue | undefined) =>
  isNumber(v?.value) ? format.number(v.value, unitOf(k) === "%" ? DIGITS_PERCENT : DIGITS) : "–";

/** Percent are told apart in points; a percentage of a percentage would only puzzle. */
export const differenceUnit = (k: ComparedKpi): string => (unitOf(k) === "%" ? w.points : unitOf(k));
export const relativeOf = (k: ComparedKpi): string => {
  const r = k.values[1]?.relative;
  return isNumber(r) && unitOf(k) !== "%" ? `${format.signed(r * 100)} %` : "";
};

function Kpi({ k, reach }: { k: ComparedKpi; reach: number }) {
  const [a, b] = k.values;
  const unit = unitOf(k);
  const d = b?.difference;
  return (
    <li class="compare-kpi">
      <div class="row">
        <span class="grow small strong ellipsis" title={`${k.title} (${k.over})`}>
          {k.title || k.name}
        </span>
        {b?.verdict && <Chip tone={TONE[b.verdict] ?? ""}>{words.whatif.verdict[b.verdict]}</Chip>}
      </div>
      <div class="compare-pair">
        <span class="a" title={String(a?.value)}>
          {figure(k, a)}
        </span>
        <Whisker k={k} reach={reach} />
        <span class="b" title={String(b?.value)}>
          {figure(k, b)}
        </span>
      </div>
      <div class="row tiny quiet">
        <span class="grow ellipsis">
          {isNumber(d) ? `${format.signed(d)} ${differenceUnit(k)}`.trim() : unit}
          {b && sure(b) && (
            <span title={w.interval(String(b.differenceLow), String(b.differenceHigh))}>
              {" "}
              [{format.signed(b.differenceLow!)}, {format.signed(b.differenceHigh!)}]
            </span>
          )}
        </span>
        <span>{relativeOf(k)}</span>
      </div>
    </li>
  );
}

/** Both many times over. */
function Sure({ f, s }: { f: Figures; s: Sides }) {
  const e = f.ensemble;
  const start = () =>
    void startSure(s.a.ref.name, s.b.ref.name).then(
      (r) => go({ params: { ensemble: String(r.id) }, replace: true }),
      tellError,
    );
  if (e?.state === "running")
    return (
      <div class="column small quiet">
        <Progress part={e.of ? e.replications / e.of : 0} label={w.sure} />
        {w.sureRuns(e.replications, e.of)}
      </div>
    );
  if (e && e.replications > 1) return <p class="tiny quiet">{w.sureDone(e.replications)}</p>;
  return (
    <Button icon={Dices} title={w.sureHint} onClick={start}>
      {w.sure}
    </Button>
  );
}

/** Another pair would say more: what was changed, beside the same without it. */
export function BetterPair({ s }: { s: Sides }) {
  const name = [s.b.ref.name, s.a.ref.name].find((n) => baseOf(n));
  if (!name || [s.a.ref.name, s.b.ref.name].includes(baseOf(name))) return null;
  return (
    <Button
      icon={ListTree}
      onClick={() => go({ world: baseOf(name), at: "", params: { with: name, clock: null, ensemble: null } })}
    >
      {w.withBase(name)}
    </Button>
  );
}

/** What is known of two that are the same as far as it can be told. */
function sameText(k: ComparedKpi): string {
  const b = k.values[1];
  return b && sure(b) ? w.interval(format.signed(b.differenceLow!), format.signed(b.differenceHigh!)) : w.same;
}

export function Kpis({ state, s, d }: { state: FiguresState; s: Sides; d: Differing }) {
  const f = state.figures;
  if (!f) return state.error ? <Wrong error={state.error} /> : <Skeleton lines={8} />;
  if (!f.kpis.length)
    return (
      <>
        <Most d={d} />
        <Empty icon={BarChart3} title={w.noKpis} hint={w.noKpisHint}>
          <BetterPair s={s} />
        </Empty>
      </>
    );
  const reach = reachOf(f.kpis);
  const alike = f.kpis.filter(isSame);
  return (
    <>
      <ul class="compare-list">
        {f.kpis
          .filter((k) => !isSame(k))
          .map((k) => (
            <Kpi key={k.name} k={k} reach={reach} />
          ))}
      </ul>
      {alike.length > 0 && (
        <ul class="compare-same small quiet" aria-label={w.same}>
          {alike.map((k) => (
            <li key={k.name} title={sameText(k)}>
              <span class="grow ellipsis">{k.title || k.name}</span>
              <span>
                {figure(k, k.values[1])} {unitOf(k)}
              </span>
            </li>
          ))}
        </ul>
      )}
      <Most d={d} />
      <div class="compare-foot">
        {!f.counted && <p class="tiny quiet">{f.without[0] ? w.notRun(nameOf(refOf(f.without[0]))) : w.standing}</p>}
        <BetterPair s={s} />
        {f.counted && <Sure f={f} s={s} />}
        {f.counted && (
          <Button icon={BarChart3} onClick={() => showView("figures")}>
            {w.all}
          </Button>
        )}
      </div>
    </>
  );
}
