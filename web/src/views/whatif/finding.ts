// SPDX-License-Identifier: Apache-2.0
// What a comparison comes to: which way is best by money, by how much, and how sure that is, in one sentence.
import { contrary, effectOf, isSame, unequalDays } from "~/api/counted";
import type { ComparedKpi, ComparedValue, Comparison } from "~/api/whatif";
import { undecided } from "~/ui/rank";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.whatif;

export const unitOf = (k: { symbol?: string; unit: string }): string => k.symbol || format.unitSymbol(k.unit);

export interface Gain {
  index: number; // of the world
  name: string;
  gain: number; // more is better, costs taken off; against the first
  low?: number; // with an interval when it was run many times
  high?: number;
  cost: number;
  same: boolean; // as without anything, to the last digit
}

export function gainsOf(k: ComparedKpi, costs: readonly number[] = []): Gain[] {
  const sign = k.better === "less" ? -1 : 1;
  const first = k.values[0]!;
  return k.values.slice(1).flatMap((v, i) => {
    const difference = v.difference ?? (v.value !== null && first.value !== null ? v.value - first.value : null);
    if (difference === null) return [];
    const cost = (costs[i + 1] ?? 0) - (costs[0] ?? 0);
    const ends = [v.differenceLow, v.differenceHigh].map((x) =>
      x === undefined || x === null ? undefined : sign * x - cost,
    );
    const known = ends[0] !== undefined && ends[1] !== undefined;
    return [
      {
        index: i + 1,
        name: v.world,
        gain: sign * difference - cost,
        low: known ? Math.min(ends[0]!, ends[1]!) : undefined,
        high: known ? Math.max(ends[0]!, ends[1]!) : undefined,
        cost,
        same: isSame(k, v),
      },
    ];
  });
}

/** Better beyond doubt, as far as that can be told. */
export const sure = (g: Gain): boolean => (g.low === undefined ? g.gain > 0 : g.low > 0);
export const unsure: (g: Gain) => boolean = undecided;

const range = (g: Gain, k: ComparedKpi): string =>
  g.low === undefined ? "" : ` ${w.interval(format.number(g.low), `${format.number(g.high!)} ${unitOf(k)}`.trim())}`;

/** How long they ran, in words. */
export function spanText(c: Comparison): string {
  const first = c.worlds[0];
  const end = first?.now ?? first?.until;
  return first?.begin && end ? format.duration(Date.parse(end) - Date.parse(first.begin)) : "";
}

const isNumber = (x: unknown): x is number => typeof x === "number";
const kpiName = (k: ComparedKpi): string => k.title || k.name;
const amountOf = (n: number, k: ComparedKpi): string => `${format.number(Math.abs(n))} ${unitOf(k)}`.trim();

/** What it becomes more or less by, with its interval: "421 EUR", "404 to 438". */
function spread(v: ComparedValue, down: boolean): string {
  if (!isNumber(v.differenceLow) || !isNumber(v.differenceHigh)) return "";
  const [low, high] = down ? [-v.differenceHigh, -v.differenceLow] : [v.differenceLow, v.differenceHigh];
  return ` ${w.interval(format.number(low), format.number(high))}`;
}

/** One change against the world as it would be. */
function one(c: Comparison, k: ComparedKpi, g: Gain): string {
  const v = k.values[g.index]!;
  const name = w.nothing(g.name);
  const difference = v.difference ?? 0;
  const span = spanText(c);
  if (unsure(g)) {
    const [low, high] = [format.signed(v.differenceLow!), format.signed(v.differenceHigh!)];
    return w.oneUnsure(name, kpiName(k), span, low, high, unitOf(k));
  }
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
  return " " + w.alongside(kpiName(most.k), percent, most.v!.relative! > 0, most.e > 0);
}

/** Where other money says the contrary; else what it does for that. */
function but(c: Comparison, k: ComparedKpi, g: Gain): string {
  const other = contrary(c, k, g.index);
  if (!other) return alongside(c, k, g);
  const v = other.values[g.index];
  return " " + w.contrary(kpiName(other), amountOf(v?.difference ?? 0, other), effectOf(other, v) > 0);
}

export function sentenceOf(c: Comparison, k: ComparedKpi | undefined, costs?: readonly number[]): string {
  const days = unequalDays(c);
  if (days) return w.unequal(days.map((d) => format.duration(d * 86_400_000)).join(", "));
  if (!k) return format.told(c.sentence ?? "");
  const gains = gainsOf(k, costs).sort((a, b) => b.gain - a.gain);
  if (!gains.length) return format.told(c.sentence ?? "");
  const nothing = c.worlds[0]!.name;
  const span = spanText(c);
  const moving = gains.filter((g) => !g.same);
  if (!moving.length) return w.allSame(gains.length, nothing, kpiName(k), span);
  const best = moving[0]!;
  if (gains.length === 1 && !costs) return one(c, k, best) + but(c, k, best);
  const by = kpiName(k);
  const amount = amountOf(best.gain, k);
  const rest = gains.length > moving.length ? " " + w.restSame(gains.length - moving.length, nothing) : "";
  if (best.gain <= 0 && !unsure(best)) return w.nothingBest(nothing, amount, best.name, span, by) + rest;
  if (unsure(best)) return w.cannotTell(best.name, nothing, span, by) + range(best, k) + "." + rest;
  const next = moving[1];
  return (
    w.best(best.name, amount, nothing, span, by) +
    range(best, k) +
    "." +
    but(c, k, best) +
    (next ? " " + w.next(next.name, amountOf(best.gain - next.gain, k)) : "") +
    rest
  );
}

/** What hardly differs anywhere is told apart from what does. */
export function moved(k: ComparedKpi): boolean {
  return k.values.some((v, i) => {
    if (i === 0) return false;
    if (v.verdict) return v.verdict !== "same" && v.verdict !== "unclear";
    return !!v.difference && Math.abs(v.relative ?? 1) > 0.0005;
  });
}
