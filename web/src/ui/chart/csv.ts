// SPDX-License-Identifier: Apache-2.0
// The values of a chart as CSV (RFC 4180): one row an instant, the unit in the header, values as they are, and in
// square brackets whether they are all that came or means of intervals: a comment line is none of that format.
import { bandsOf, join, type Line } from "./model";

/** What bands are called in a header. */
export interface CsvWords {
  time: string;
  low: string;
  high: string;
  every?: (seconds: number) => string; // 0: each value as it came
}

const field = (s: string): string => (/[",\r\n]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s);

/** Formulas of a spreadsheet begin with these: a name that does must not become one. */
const name = (s: string): string => field(/^[=+@-]/.test(s) ? "'" + s : s);

export function csvOf(
  lines: readonly Line[],
  symbol: (unit: string) => string,
  w: CsvWords,
  from = -Infinity,
  to = Infinity,
): string {
  const { time, columns } = join(lines);
  const header = [w.time];
  lines.forEach((l) => {
    const unit = symbol(l.unit) ? ` (${symbol(l.unit)})` : "";
    const how = l.every !== undefined && w.every ? ` [${w.every(l.every)}]` : "";
    header.push(l.label + unit + how);
    for (const b of bandsOf(l)) {
      const level = b.level ? ` ${b.level} %` : "";
      header.push(`${l.label} ${w.low}${level}${unit}`, `${l.label} ${w.high}${level}${unit}`);
    }
  });
  const flat = columns.flat();
  const rows = [header.map(name).join(",")];
  time.forEach((t, i) => {
    if (t < from || t > to) return;
    const cells = flat.map((c) => {
      const v = c[i];
      return v === null || v === undefined ? "" : String(v);
    });
    if (cells.every((c) => c === "")) return; // a gap
    rows.push([instant(t), ...cells].join(","));
  });
  return rows.join("\r\n") + "\r\n";
}

function instant(t: number): string {
  const d = new Date(Math.round(t * 1000));
  return Number.isNaN(d.getTime()) ? "" : d.toISOString();
}
