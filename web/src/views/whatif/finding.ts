// SPDX-License-Identifier: Apache-2.0
// What a comparison comes to: which way is best by money, by how much, and how sure that is; what comes next, and what
// other money says.
import { apart, type Samples } from "~/api/apart";
import { effectOf, moneyKpis, unequalDays } from "~/api/counted";
import { endsOf, isNumber, isSame, spansZero, verdictOf } from "~/api/verdict";
import type { ComparedKpi, ComparedValue, Comparison } from "~/api/whatif";
import { undecided } from "~/ui/rank";
import { unitOf } from "~/views/kpi/reading";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.whatif;

export { moved, unitOf } from "~/views/kpi/reading";

export interface Gain {
  index: number; // of the world
  name: string;
  gain: number; // more is better, costs taken off; against the first
  low?: number; // with an interval when it was run many times
  high?: number;
  cost: number;
  same: boolean; // as without anything, to the last digit
  doubt?: boolean; // nobody knows how sure it is, only that it is not
}

export function gainsOf(k: ComparedKpi, costs: readonly number[] = []): Gain[] {
  const sign = k.better === "less" ? -1 : 1;
  const first = k.values[0]!;
  return k.values.slice(1).flatMap((v, i) => {
    const difference = v.difference ?? (v.value !== null && first.value !== null ? v.value - first.value : null);
    if (difference === null) return [];
    const cost = (costs[i + 1] ?? 0) - (costs[0] ?? 0);
    const ends = endsOf(v)?.map((x) => sign * x - cost);
    return [
      {
        index: i + 1,
        name: v.world,
        gain: sign * difference - cost,
        low: ends && Math.min(...ends),
        high: ends && Math.max(...ends),
        cost,
        same: isSame(k, v),
        doubt: !ends && verdictOf(k, v) === "unclear",
      },
    ];
  });
}

/** Better beyond doubt, as far as that can be told. */
export const sure = (g: Gain): boolean => !unsure(g) && (g.low === undefined ? g.gain > 0 : g.low > 0);
/** It cannot be told from doing nothing. */
export const unsure = (g: Gain): boolean => g.doubt || undecided(g) || (!g.gain && !g.same);

const range = (g: Gain, k: ComparedKpi): string =>
  g.low === undefined ? "" : ` ${w.interval(format.number(g.low), `${format.number(g.high!)} ${unitOf(k)}`.trim())}`;

/** How long they ran, in words. */
export function spanText(c: Comparison): string {
  const first = c.worlds[0];
  const end = first?.now ?? first?.until;
  return first?.begin && end ? format.duration(Date.parse(end) - Date.parse(first.begin)) : "";
}

/** Of what is worse the interval goes with the words: by how much worse. */
const worse = (g: Gain, k: ComparedKpi): string =>
  range({ ...g, ...(g.low === undefined ? {} : { low: -g.high!, high: -g.low }) }, k);

const kpiName = (k: ComparedKpi): string => k.title || k.name;
const amountOf = (n: number, k: ComparedKpi): string => `${format.number(Math.abs(n))} ${unitOf(k)}`.trim();

/** How sure it is what it becomes more or less by: "404 to 438", or that it ran but once. */
function spread(v: ComparedValue, down: boolean): string {
  const ends = endsOf(v);
  if (!ends) return ` ${w.oneRun}`;
  const [low, high] = down ? [-ends[1], -ends[0]] : ends;
  return ` ${w.interval(format.number(low), format.number(high))}`;
}

/** Between which ends the difference lies, on both sides of zero. */
function around(k: ComparedKpi, v: ComparedValue): string {
  const ends = endsOf(v);
  if (!ends) return "";
  return ` ${w.interval(format.signed(ends[0]), `${format.signed(ends[1])} ${unitOf(k)}`.trim())}`;
}

/** One change against the world as it would be. */
function one(c: Comparison, k: ComparedKpi, g: Gain): string {
  const v = k.values[g.index]!;
  const name = w.nothing(g.name);
  const difference = v.difference ?? 0;
  const span = spanText(c);
  if (unsure(g)) return w.oneUnsure(name, kpiName(k), span, around(k, v));
  if (!difference) return w.oneSame(name, kpiName(k), span);
  const down = difference < 0;
  return w.one(name, !down, amountOf(difference, k), kpiName(k), span, spread(v, down), g.gain > 0);
}

const SIDE_LEAST = 0.005; // of what it was: less is not worth a sentence
const SIDE_MOST = 10; // of next to nothing it became something: a percentage says nothing

/** What else it does, the other way: the largest effect that is sure. */
function alongside(c: Comparison, told: ComparedKpi, g: Gain): string {
  const sign = Math.sign(effectOf(told, told.values[g.index]));
  const [most] = c.kpis
    .filter((k) => k !== told && k.better)
    .map((k) => ({ k, v: k.values[g.index], e: effectOf(k, k.values[g.index]) }))
    .filter(({ v, e }) => e * sign < 0 && isNumber(v?.relative))
    .filter(({ v }) => Math.abs(v!.relative!) >= SIDE_LEAST && Math.abs(v!.relative!) <= SIDE_MOST)
    .sort((a, b) => Math.abs(b.v!.relative!) - Math.abs(a.v!.relative!));
  if (!most) return "";
  const percent = format.number(Math.abs(most.v!.relative!) * 100);
  return w.alongside(kpiName(most.k), percent, most.v!.relative! > 0, most.e > 0);
}

/** What is known beside the comparison. */
export interface Besides {
  costs?: readonly number[]; // of each way, in money
  samples?: Samples; // of many runs
  part?: (kpi: string, whole: string) => boolean; // by their definitions
  counts?: (kpi: string, other: string) => string; // what one counts that the other does not
}

export interface But {
  text: string;
  why: string;
}

export interface Told {
  head: string;
  next: string;
  buts: readonly But[]; // where other money ranks otherwise
  beside?: string; // else what it does for that
}

const NOTHING: Gain = { index: 0, name: "", gain: 0, cost: 0, same: true };

/** All ways with that of doing nothing among them, the best first: the order of the sentence and of the list. */
export function ranked(c: Comparison, k: ComparedKpi, costs?: readonly number[]): Gain[] {
  return [{ ...NOTHING, name: c.worlds[0]!.name }, ...gainsOf(k, costs)].sort((a, b) => b.gain - a.gain);
}

/** One way less another, where every replication of both is known. */
function between(k: ComparedKpi, a: Gain, b: Gain, samples?: Samples): { low?: number; high?: number } {
  const of = samples?.get(k.name);
  const d = of && apart(of[a.index], of[b.index]);
  if (!d) return {};
  const ends = [d.low, d.high].map((x) => (k.better === "less" ? -x : x) - (a.cost - b.cost));
  return { low: Math.min(...ends), high: Math.max(...ends) };
}

/** Nobody can say which of two ways is better: by their runs, else because their intervals meet. */
function tied(k: ComparedKpi, a: Gain, b: Gain, samples?: Samples): boolean {
  const { low, high } = between(k, a, b, samples);
  if (low !== undefined && high !== undefined) return spansZero(low, high);
  if (a.doubt || b.doubt) return true;
  if (a.low === undefined || b.low === undefined) return a.gain === b.gain;
  return a.low <= b.high! && b.low <= a.high!;
}

/** Another way may be as good as the best one. */
const rivalled = (k: ComparedKpi, best: Gain, order: readonly Gain[], samples?: Samples): boolean =>
  order.some((g) => g.index > 0 && g !== best && !g.same && tied(k, best, g, samples));

/** The first of the list is best beyond doubt: better than doing nothing, or that, and than all other ways. */
export function isClear(k: ComparedKpi, order: readonly Gain[], samples?: Samples): boolean {
  const best = order[0]!;
  if (best.index === 0) return order.some((g) => !g.same) && !order.some(unsure);
  return sure(best) && !rivalled(k, best, order, samples);
}

/** The best against the next of the list; against doing nothing is said already. */
function nextOf(k: ComparedKpi, order: readonly Gain[], samples?: Samples): string {
  const [best, next] = order;
  if (!best || !next || best.index === 0 || next.index === 0) return "";
  const d = { ...NOTHING, gain: best.gain - next.gain, ...between(k, best, next, samples) };
  return w.next(next.name, amountOf(d.gain, k), range(d, k), tied(k, best, next, samples));
}

const costsIn = (k: ComparedKpi, told: ComparedKpi, costs?: readonly number[]) =>
  unitOf(k) === unitOf(told) ? costs : undefined;

/** Which is best by it beyond doubt; without a doubt none is better than doing nothing. */
function surelyBest(order: readonly Gain[]): Gain | undefined {
  const best = order[0]!;
  return best.index > 0 && sure(best) ? best : order.find((g) => g.index === 0);
}

/** What other money says against `best`, which is doing nothing where nothing is surely better. */
function against(c: Comparison, k: ComparedKpi, best: Gain, told: ComparedKpi, b: Besides): string {
  const order = ranked(c, k, costsIn(k, told, b.costs));
  const there = order.find((g) => g.index === best.index);
  const top = surelyBest(order);
  if (!there || !top) return "";
  const nothing = c.worlds[0]!.name;
  const better = top.index > 0 && top.index !== best.index ? top : undefined;
  const poor = best.index > 0 && !there.same && !unsure(there) && there.gain < 0;
  const by = amountOf(there.gain, k);
  const looks = !!better && rivalled(k, better, order, b.samples);
  if (poor) return w.butWorse(kpiName(k), there.name, by, nothing, worse(there, k), better?.name ?? "", looks);
  if (!better || (best.index > 0 && tied(k, better, there, b.samples))) return "";
  return w.butOther(kpiName(k), better.name, amountOf(better.gain, k), nothing, range(better, k), looks);
}

/** Why they do not agree, as their definitions say what they count. */
function why(c: Comparison, told: ComparedKpi, other: ComparedKpi, b: Besides): string {
  const here = b.counts?.(told.name, other.name);
  const there = b.counts?.(other.name, told.name);
  return here && there ? w.butWhy(kpiName(told), here, kpiName(other), there, spanText(c)) : "";
}

function butsOf(c: Comparison, told: ComparedKpi, best: Gain, b: Besides): But[] {
  // What is but a part of what decides is counted in it already: it is no other opinion.
  return moneyKpis(c)
    .filter((k) => k !== told && k.of === "money" && told.of === "money" && !b.part?.(k.name, told.name))
    .map((k) => ({ text: against(c, k, best, told, b), why: why(c, told, k, b) }))
    .filter((x) => x.text);
}

function headOf(c: Comparison, k: ComparedKpi, order: readonly Gain[], samples?: Samples): string {
  const nothing = c.worlds[0]!.name;
  const span = spanText(c);
  const moving = order.filter((g) => !g.same);
  const rest = order.length - 1 - moving.length;
  const same = rest ? " " + w.restSame(rest, nothing) : "";
  const best = moving[0]!;
  const amount = amountOf(best.gain, k);
  if (unsure(best)) return w.cannotTell(best.name, nothing, span, kpiName(k)) + range(best, k) + "." + same;
  if (best.gain > 0) {
    const looks = rivalled(k, best, order, samples);
    return w.best(best.name, amount, nothing, span, kpiName(k), looks) + range(best, k) + "." + same;
  }
  const open = moving.find(unsure)?.name ?? "";
  const told = w.nothingBest(nothing, amount, best.name, span, kpiName(k), !!open) + worse(best, k) + ".";
  return told + (open && " " + w.open(open, nothing)) + same;
}

const only = (head: string): Told => ({ head, next: "", buts: [] });

export function told(c: Comparison, k: ComparedKpi | undefined, b: Besides = {}): Told {
  const days = unequalDays(c);
  if (days) return only(w.unequal(days.map((d) => format.duration(d * 86_400_000)).join(", ")));
  const order = k && ranked(c, k, b.costs);
  if (!k || !order || order.length < 2) return only(format.told(c.sentence ?? ""));
  const moving = order.filter((g) => !g.same);
  const nothing = order.find((g) => g.index === 0)!;
  const best = moving[0] && moving[0].gain > 0 && sure(moving[0]) ? moving[0] : nothing;
  const buts = butsOf(c, k, best, b);
  if (!moving.length)
    return { head: w.allSame(order.length - 1, nothing.name, kpiName(k), spanText(c)), next: "", buts };
  const beside = buts.length ? "" : alongside(c, k, moving[0]!);
  if (order.length === 2 && !b.costs) return { head: one(c, k, moving[0]!), next: "", buts, beside };
  const next = best === order[0] ? nextOf(k, order, b.samples) : "";
  return { head: headOf(c, k, order, b.samples), next, buts, beside };
}
