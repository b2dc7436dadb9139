// SPDX-License-Identifier: Apache-2.0
// How a question was answered, step by step: what was expected, what came, and where the time went.
import { ArrowDown } from "lucide-preact";
import type { PlanStep } from "~/api/query";
import { Icon } from "~/ui/basic";
import { words } from "~/words/en";
import * as format from "~/format";

const micro = (us: number) => (us < 1000 ? `${us}\u2009µs` : `${format.number(us / 1000)}\u2009ms`);

export function Plan({ steps }: { steps: readonly PlanStep[] }) {
  const most = Math.max(1, ...steps.map((s) => s.rows));
  const slowest = Math.max(0, ...steps.slice(0, -1).map((s) => s.time_us ?? 0));
  // Widths by the logarithm: from one row to a million all stay to be seen.
  const width = (n: number) => (n <= 0 ? 0 : 6 + (94 * Math.log10(n + 1)) / Math.log10(most + 1));
  return (
    <ol class="ask-plan" aria-label={words.ask.plan}>
      {steps.map((s, i) => (
        <li key={i}>
          {i > 0 && (
            <div class="ask-plan-flow" aria-hidden="true">
              <Icon of={ArrowDown} size={14} />
            </div>
          )}
          <div class="ask-plan-step">
            <div class="ask-plan-name">
              <span class="strong">{s.step}</span>
              <span class="small quiet">{words.ask.steps[s.step as keyof typeof words.ask.steps] ?? ""}</span>
            </div>
            <code class="ask-plan-detail small">{s.detail}</code>
            <div class="ask-plan-rows">
              <span class="ask-plan-bar" aria-hidden="true">
                <span style={{ width: `${width(s.rows)}%` }} />
              </span>
              <span class="num">{words.ask.rowsOf(format.count(s.rows), s.rows)}</span>
              <span class="num tiny quiet">{words.ask.expected(format.count(s.estimated_rows))}</span>
            </div>
            <span class={s.time_us && s.time_us === slowest ? "num strong" : "num quiet"}>
              {s.time_us === undefined ? "" : micro(s.time_us)}
            </span>
          </div>
        </li>
      ))}
    </ol>
  );
}
