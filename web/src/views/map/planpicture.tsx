// SPDX-License-Identifier: Apache-2.0
// The ground of a plan: its picture.
import { useState } from "preact/hooks";
import { fileUrl, type PlanDoc } from "~/api/files";
import { isDark } from "~/app/prefs";
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
