// SPDX-License-Identifier: Apache-2.0
// A source that was silent for longer than it usually is leaves a gap: no line is drawn over what nobody measured.

const rank = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;

/** How long a source may be silent before that is a gap, by how it speaks otherwise; 0: it cannot be said. */
export function patience(time: readonly number[]): number {
  if (time.length < 4) return 0;
  const steps: number[] = [];
  for (let i = 1; i < time.length; i++) if (time[i]! > time[i - 1]!) steps.push(time[i]! - time[i - 1]!);
  if (steps.length < 3) return 0;
  steps.sort((a, b) => a - b);
  // Sources that speak by chance have a few long silences: they are usual for them.
  return Math.max(5 * rank(steps, 0.5), 3 * rank(steps, 0.9));
}

export interface Gapped {
  time: number[];
  columns: (number | null)[][];
}

/** Columns with an empty instant in each silence longer than `longest` seconds. */
export function withGaps(
  time: readonly number[],
  columns: readonly (readonly (number | null)[])[],
  longest: number,
): Gapped {
  const out: Gapped = { time: [], columns: columns.map(() => []) };
  for (let i = 0; i < time.length; i++) {
    if (i && longest > 0 && time[i]! - time[i - 1]! > longest) {
      out.time.push((time[i - 1]! + time[i]!) / 2);
      for (const c of out.columns) c.push(null);
    }
    out.time.push(time[i]!);
    columns.forEach((c, k) => out.columns[k]!.push(c[i] ?? null));
  }
  return out;
}

/** Of means of intervals: silent for longer than it is between two values, and than an interval is. */
export function patienceOfSteps(step: number, counts: readonly number[], time: readonly number[]): number {
  const full = counts.filter((n) => n > 0).sort((a, b) => a - b);
  const usual = rank(full, 0.5);
  if (usual >= 2) return step * 1.5;
  return Math.max(step * 1.5, patience(time));
}
