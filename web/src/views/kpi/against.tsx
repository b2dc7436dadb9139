// SPDX-License-Identifier: Apache-2.0
// How far a world is from the first: in words, with its interval, as a bar on the scale of all, and whether that is
// better. Marks are the same wherever they stand.
import { ArrowDown, ArrowUp } from "lucide-preact";
import { endsOf, isTold, verdictOf } from "~/api/verdict";
import type { ComparedKpi, ComparedValue } from "~/api/whatif";
import { Chip, cls, type Tone } from "~/ui/basic";
import { words } from "~/words/en";
import { differenceText, intervalText, placeOf, relativeText, spanOf } from "./reading";

const TONES: { [verdict: string]: Tone } = { better: "ok", worse: "bad" };

interface Props {
  k: ComparedKpi;
  v: ComparedValue | undefined;
}

/** Better, worse, cannot be told apart. That it is more or less the sign says. */
export function Mark({ k, v }: Props) {
  const said = verdictOf(k, v);
  if (!said || said === "more" || said === "less") return null;
  const icon = !isTold(said) ? undefined : v!.difference! > 0 ? ArrowUp : ArrowDown;
  return (
    <Chip tone={TONES[said] ?? ""} icon={icon}>
      {words.whatif.verdict[said]}
    </Chip>
  );
}

/** The difference, and how much that is of the first. */
export function Difference({ k, v }: Props) {
  const relative = relativeText(k, v);
  return (
    <span class={cls("kpi-difference", !isTold(verdictOf(k, v)) && "quiet")} title={String(v?.difference ?? "")}>
      {differenceText(k, v)} {relative && <span class="quiet">({relative})</span>}
    </span>
  );
}

export function Interval({ v }: { v: ComparedValue | undefined }) {
  const text = intervalText(v);
  if (!text) return null;
  return (
    <div class="tiny quiet kpi-interval" title={`${v!.differenceLow} … ${v!.differenceHigh}`}>
      {text}
    </div>
  );
}

/** The difference as a mark on a line around zero; its interval as a bar. */
export function Bar({ k, v, reach }: Props & { reach: number }) {
  const s = spanOf(k, v);
  const x = (part: number) => placeOf(part, reach);
  const tone = TONES[verdictOf(k, v) ?? ""];
  return (
    <svg class={cls("kpi-bar", tone)} viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
      <line class="axis" x1="0" x2="100" y1="6" y2="6" />
      <line class="zero" x1="50" x2="50" y1="1" y2="11" />
      {s && (s.mid !== 0 || s.high !== s.low) && (
        <>
          <line class={endsOf(v) ? "band" : "run"} x1={x(s.low)} x2={x(s.high)} y1="6" y2="6" />
          <line class="mid" x1={x(s.mid)} x2={x(s.mid)} y1="2.5" y2="9.5" />
        </>
      )}
    </svg>
  );
}
