// SPDX-License-Identifier: Apache-2.0
// By how much two ways that ran many times differ, and how sure that is: every replication ran with the same chances in
// each way, so that they are compared one by one.
export type Numbers = readonly (number | null)[];
/** Of a KPI what each replication came to, of each way. */
export type Samples = ReadonlyMap<string, readonly Numbers[]>;

const Z = 1.959964; // 97.5 of 100 of a normal distribution lie below

/** The same of a t distribution (Cornish and Fisher); good to the third digit from 5 degrees of freedom on. */
function quantile(n: number): number {
  const first = (Z ** 3 + Z) / (4 * n);
  const second = (5 * Z ** 5 + 16 * Z ** 3 + 3 * Z) / (96 * n ** 2);
  return Z + first + second + (3 * Z ** 7 + 19 * Z ** 5 + 17 * Z ** 3 - 15 * Z) / (384 * n ** 3);
}

const FEWEST = 6;

/** The mean of a less b, and where it lies in 95 of 100 cases. */
export function apart(a: Numbers = [], b: Numbers = []): { mean: number; low: number; high: number } | undefined {
  const d = a.flatMap((x, i) => (typeof x === "number" && typeof b[i] === "number" ? [x - b[i]] : []));
  if (d.length < FEWEST) return undefined;
  const mean = d.reduce((s, x) => s + x, 0) / d.length;
  const variance = d.reduce((s, x) => s + (x - mean) ** 2, 0) / (d.length - 1);
  const half = quantile(d.length - 1) * Math.sqrt(variance / d.length);
  return { mean, low: mean - half, high: mean + half };
}
