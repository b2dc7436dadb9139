// SPDX-License-Identifier: Apache-2.0
// The ground of a plan: its picture, and the links that are drawn over it.
import { useMemo, useState } from "preact/hooks";
import { entries, links as allLinks } from "~/api/catalogue";
import { fileUrl, type PlanDoc } from "~/api/files";
import { isDark } from "~/app/prefs";
import { selected } from "~/app/route";
import { words } from "~/words/en";
import { screenOf, type Size, type View2d } from "./view2d";

export function Picture({ doc, view, size, stamp }: { doc: PlanDoc; view: View2d; size: Size; stamp: string }) {
  const [wrong, set] = useState("");
  const at = screenOf(view, size, 0, 0);
  const drawn = doc.image.endsWith(".svg");
  return (
    <>
      <image
        href={`${fileUrl(doc.image)}${stamp ? `?v=${encodeURIComponent(stamp)}` : ""}`}
        class={drawn && isDark() ? "plan-inverted" : undefined}
        x={at.x}
        y={at.y}
        width={doc.width * view.k}
        height={doc.height * view.k}
        preserveAspectRatio="none"
        onError={() => set(doc.image)}
        onLoad={() => set("")}
      />
      {wrong === doc.image && (
        <g>
          <rect
            x={at.x}
            y={at.y}
            width={doc.width * view.k}
            height={doc.height * view.k}
            fill="none"
            stroke="var(--n5)"
            stroke-dasharray="6 6"
          />
          <text x={size.w / 2} y={size.h / 2} text-anchor="middle" fill="var(--bad)">
            {words.map.noImage(doc.image)}
          </text>
        </g>
      )}
    </>
  );
}

interface Pair {
  key: string;
  from: string;
  to: string;
}

export function PlanLinks({ doc, name, view, size }: { doc: PlanDoc; name: string; view: View2d; size: Size }) {
  const pairs = useMemo(() => {
    const l = allLinks.value;
    const n = l.names.indexOf(name);
    const out: Pair[] = [];
    for (let i = 0; i < l.name.length; i++) {
      if (l.name[i] !== n) continue;
      const from = entries.value[l.from[i]!]!.id;
      const to = entries.value[l.to[i]!]!.id;
      if (doc.at[from] && doc.at[to]) out.push({ key: `${from} ${to}`, from, to });
    }
    return out;
  }, [doc, name, allLinks.value, entries.value]);
  const chosen = selected.value;
  return (
    <g class="plan-links">
      <defs>
        <marker id="plan-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
          <path d="M0 0.5 8 4 0 7.5z" fill="context-stroke" />
        </marker>
      </defs>
      {pairs.map((p) => {
        const a = screenOf(view, size, doc.at[p.from]!.x, doc.at[p.from]!.y);
        const b = screenOf(view, size, doc.at[p.to]!.x, doc.at[p.to]!.y);
        const long = Math.hypot(b.x - a.x, b.y - a.y);
        if (long < 6) return null;
        const bend = Math.min(40, long * 0.12);
        const mx = (a.x + b.x) / 2 - ((b.y - a.y) / long) * bend;
        const my = (a.y + b.y) / 2 + ((b.x - a.x) / long) * bend;
        const near = chosen && (p.from === chosen || p.to === chosen);
        return (
          <path
            key={p.key}
            d={`M${a.x} ${a.y}Q${mx} ${my} ${b.x} ${b.y}`}
            class={near ? "near" : chosen ? "far" : undefined}
            marker-end="url(#plan-arrow)"
          />
        );
      })}
    </g>
  );
}
