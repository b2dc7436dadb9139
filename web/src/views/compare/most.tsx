// SPDX-License-Identifier: Apache-2.0
// What differs most between two worlds: the twins with the heaviest differences, each with one value of it.
import type { Differing } from "~/api/difference";
import { labelOf } from "~/api/catalogue";
import { propertyOf } from "~/api/models";
import type { Weighed } from "~/api/weight";
import { go, selected } from "~/app/route";
import { words } from "~/words/en";
import * as format from "~/format";

const w = words.compare;

function told(x: Weighed): string {
  const p = propertyOf(x.model, x.property);
  const [a, b] = [x.a, x.b].map((v) => format.value(v, p?.unit ?? ""));
  return w.mostOf(p?.name ?? x.property, a!, b!);
}

export function Most({ d }: { d: Differing }) {
  if (!d.most.length) return null;
  return (
    <section class="compare-most" aria-label={w.most}>
      <h3 class="small strong">{w.most}</h3>
      <ol>
        {d.most.map((x) => (
          <li key={x.twin}>
            <button
              type="button"
              aria-pressed={selected.value === x.twin}
              onClick={() => go({ params: { sel: x.twin } })}
            >
              <span class="small ellipsis">{labelOf(x.twin)}</span>
              <span class="tiny quiet ellipsis" title={told(x)}>
                {told(x)}
              </span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}
