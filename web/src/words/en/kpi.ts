// SPDX-License-Identifier: Apache-2.0
// KPIs of worlds beside each other: the same words wherever they stand.
export const kpi = {
  interval: (low: string, high: string) => `95\u2009%: ${low} to ${high}`,
  plusMinus: (v: string, half: string) => `${v} ± ${half}`,
  points: "points",
  onePoint: "point",
  difference: "Difference",
  scale: (most: string, first: string) => `Bars reach ${most} of ${first} to both sides.`,
  reach: (most: string) => `±${most}`,
  noDifference: "No KPI differs.",
  still: (n: number) => (n === 1 ? "1 KPI that hardly differs" : `${n} KPIs that hardly differ`),
  moreColumns: (n: number) => (n === 1 ? "1 more column" : `${n} more columns`),
};
