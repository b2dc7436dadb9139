// SPDX-License-Identifier: Apache-2.0
// A course of a value in the space of a word: line, and the last point.
export function Spark({ values, label }: { values: readonly (number | null)[]; label: string }) {
  const W = 120;
  const H = 28;
  const known = values.filter((v): v is number => v !== null && Number.isFinite(v));
  if (known.length < 2) return <svg class="spark" viewBox={`0 0 ${W} ${H}`} role="img" aria-label={label} />;
  let low = Math.min(...known);
  let high = Math.max(...known);
  if (high === low) {
    low -= 1;
    high += 1;
  }
  const x = (i: number) => (i / (values.length - 1)) * (W - 4) + 1;
  const y = (v: number) => H - 3 - ((v - low) / (high - low)) * (H - 6);
  let path = "";
  let pen = false;
  values.forEach((v, i) => {
    if (v === null || !Number.isFinite(v)) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    pen = true;
  });
  const last = values.findLastIndex((v) => v !== null && Number.isFinite(v));
  return (
    <svg class="spark" viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <path d={path} fill="none" stroke="var(--world)" stroke-width="1.5" vector-effect="non-scaling-stroke" />
      <circle cx={x(last)} cy={y(values[last]!)} r="2" fill="var(--world)" />
    </svg>
  );
}
