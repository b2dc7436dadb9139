// SPDX-License-Identifier: Apache-2.0
// The finding: which way is best, then smaller what comes next and what other money says against it.
import { Info, TriangleAlert } from "lucide-preact";
import { cls, Icon } from "~/ui/basic";
import type { Told } from "./finding";

export function Finding({ t }: { t: Told }) {
  return (
    <div class="finding" role="status">
      {t.head} {t.beside} {t.next && <p class="finding-next">{t.next}</p>}
      {t.buts.map((b) => (
        // Where it is known why they differ nothing is wrong.
        <div class={cls("finding-but", b.why && "explained")} key={b.text}>
          <Icon of={b.why ? Info : TriangleAlert} size={16} />
          <div>
            <p class="strong">{b.text}</p> {b.why && <p class="quiet small">{b.why}</p>}
          </div>
        </div>
      ))}
    </div>
  );
}
