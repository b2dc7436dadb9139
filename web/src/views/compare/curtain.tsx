// SPDX-License-Identifier: Apache-2.0
// The handle between A and B where one lies over the other: dragged, or moved by arrow keys.
import { useRef } from "preact/hooks";
import { GripVertical } from "lucide-preact";
import { Icon } from "~/ui/basic";
import { words } from "~/words/en";

const STEPS: Record<string, number> = { ArrowLeft: -2, ArrowRight: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 };
const clamp = (v: number) => Math.min(100, Math.max(0, v));

export function Curtain({ cut, set }: { cut: number; set: (v: number) => void }) {
  const ref = useRef<HTMLDivElement>(null);
  const at = (e: PointerEvent) => {
    const r = ref.current!.parentElement!.getBoundingClientRect();
    set(clamp(((e.clientX - r.left) / r.width) * 100));
  };
  return (
    <div
      ref={ref}
      class="compare-curtain"
      role="slider"
      tabIndex={0}
      aria-label={words.compare.handle}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(cut)}
      aria-valuetext={words.compare.handleText(Math.round(cut))}
      style={{ left: `${cut}%` }}
      onPointerDown={(e) => ref.current!.setPointerCapture(e.pointerId)}
      onPointerMove={(e) => ref.current!.hasPointerCapture(e.pointerId) && at(e)}
      onKeyDown={(e) => {
        const d = STEPS[e.key];
        if (!d) return;
        e.preventDefault();
        e.stopPropagation();
        set(clamp(cut + d));
      }}
    >
      <span class="compare-grip">
        <Icon of={GripVertical} />
      </span>
    </div>
  );
}
