// SPDX-License-Identifier: Apache-2.0
// Differences to another world on the graph: colours by how much, a glow behind each twin that differs at all, and few
// of them by name.
import { useEffect, useMemo, useRef } from "preact/hooks";
import { effect } from "@preact/signals";
import { hoverThere } from "~/app/pane";
import { isDark } from "~/app/prefs";
import { selected } from "~/app/route";
import { differenceLook } from "~/ui/colour";
import { joinGraph } from "~/views/compare/join";
import type { Versus } from "~/views/compare/versus";
import { Glow } from "./glow";
import type { Emphasis, Stage } from "./stage";

const NAMED_MOST = 40;
const NO_LINKS: ReadonlySet<number> = new Set();

/** Paints while there is another world to differ from; joins the cameras of two panes. Returns who is to stand out. */
export function useDiffers(stage: { current: Stage | null }, ready: number, versus: Versus | null): Emphasis | null {
  const glow = useRef<Glow | null>(null);
  useEffect(() => {
    if (!stage.current) return;
    const stop = joinGraph(stage.current.sigma);
    const off = effect(() => glow.current?.point(hoverThere.value) ?? void hoverThere.value);
    return () => {
      stop();
      off();
      glow.current?.kill();
      glow.current = null;
    };
  }, []);
  useEffect(() => {
    const s = stage.current;
    if (!s || !ready) return;
    if (versus) s.ghost = differenceLook(isDark())[versus.here === "a" ? "onlyB" : "onlyA"];
    if (versus || glow.current) (glow.current ??= new Glow(s)).show(versus);
    if (versus) s.paint(s.graph.nodes().map((id): [string, string] => [id, versus.of(id)]));
  }, [ready, versus]);
  const few = versus && versus.ids.length <= NAMED_MOST && !selected.value ? versus.ids : null;
  const key = few?.join("\n") ?? "";
  return useMemo(() => (key ? { twins: new Set(key.split("\n")), links: NO_LINKS } : null), [key]);
}
