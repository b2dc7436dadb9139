// SPDX-License-Identifier: Apache-2.0
// How many columns of a table lie to the right of what is seen.
import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

export function useHidden(box: RefObject<HTMLElement>, columns: number): number {
  const [hidden, set] = useState(0);
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const look = () => {
      const edge = el.getBoundingClientRect().right;
      set([...el.querySelectorAll("thead th")].filter((th) => th.getBoundingClientRect().right > edge + 2).length);
    };
    look();
    const watch = new ResizeObserver(look);
    watch.observe(el);
    el.addEventListener("scroll", look, { passive: true });
    return () => {
      watch.disconnect();
      el.removeEventListener("scroll", look);
    };
  }, [columns]);
  return hidden;
}
