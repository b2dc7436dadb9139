// SPDX-License-Identifier: Apache-2.0
// Twins and links as a picture: places by what is part of what, colours by model or by any value, live.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { effect } from "@preact/signals";
import { ChartNetwork, Maximize, PinOff, ZoomIn, ZoomOut } from "lucide-preact";
import { entries, links, readError, reading, reload, shape } from "~/api/catalogue";
import { NoTwins } from "~/app/begin";
import { go, route, select, selected } from "~/app/route";
import { isDark } from "~/app/prefs";
import { IconButton, Skeleton, Wrong } from "~/ui/basic";
import { categorical } from "~/ui/colour";
import { perTheme, token } from "~/ui/tokens";
import { VersusHint } from "~/views/compare/hint";
import { useOther } from "~/views/compare/other";
import { useVersus, VersusLegend } from "~/views/compare/versus";
import { attentionOf } from "~/views/overview/attention";
import { words } from "~/words/en";
import { familiesNow, useColours, useSizes } from "./colours";
import { useGraphCommands } from "./commands";
import { Controls } from "./controls";
import { useDiffers } from "./differs";
import { calm, fit, inSight, show } from "./fit";
import { useFlow } from "./flowing";
import { said, useKeys } from "./keys";
import { Legend } from "./legend";
import { knownKey } from "./measure";
import { expand, useNear } from "./near";
import { cameraOf } from "./params";
import { PathAsk, PathBar, pathFrom, setPath, usePath } from "./pathbar";
import { pinMarks } from "./pinmarks";
import { pinCount, pinned, Pins } from "./pins";
import { Stage, type Look } from "./stage";
import { NearBar, TwinTools } from "./toolbar";
import { union } from "./union";
import { useNamedView, ViewsMenu } from "./viewsmenu";
import { Nobody, useWhere, Where } from "./where";
import "./graph.css";

const lookOf = perTheme((dark): Look => {
  const of = (name: string) => token(name, dark);
  return { text: of("n9"), edge: of("n4"), faint: of("n3"), ring: of("teal"), dark };
});

/** The drawn graph: made once, loaded anew when twins or links come or go. */
function useStage(box: { current: HTMLDivElement | null }, by: "part" | "model") {
  const there = useOther();
  const { vs = "", flip = "" } = route.value.params;
  const stage = useRef<Stage | null>(null);
  const pins = useRef<Pins | null>(null);
  const [ready, setReady] = useState(0);
  const written = useRef(""); // the camera that this page put into the address
  const cam = route.value.params.cam ?? "";
  useEffect(() => {
    const to = cam !== written.current ? cameraOf(cam) : null;
    if (to && stage.current) void stage.current.sigma.getCamera().animate(to, { duration: calm() });
  }, [cam]);
  useEffect(() => {
    const s = new Stage(box.current!, lookOf(isDark()), {
      click: (id, more) => {
        if (pathFrom.peek()) setPath(pathFrom.peek(), id);
        else if (more && selected.peek()) setPath(selected.peek(), id);
        else select(id);
      },
      open: expand,
      empty: () => !pathFrom.peek() && selected.peek() && select(""),
      moved: (c) => {
        written.current = [c.x, c.y, c.ratio].map((v) => Number(v.toFixed(4))).join(",");
        go({ params: { cam: written.current }, replace: true });
      },
    });
    stage.current = s;
    pins.current = new Pins(s);
    // Where the selected twin stands, for whoever drives this page.
    s.onDraw(() => {
      const at = s.at(selected.peek());
      const text = at ? `${Math.round(at.x)},${Math.round(at.y)}` : "";
      if (box.current && box.current.dataset.chosen !== text) box.current.dataset.chosen = text;
    });
    const unmark = pinMarks(s, () => lookOf(isDark()).text);
    const cam = cameraOf(route.peek().params.cam);
    if (cam) s.sigma.getCamera().setState(cam);
    written.current = route.peek().params.cam ?? "";
    return () => {
      unmark();
      pins.current?.kill();
      stage.current = pins.current = null;
      pathFrom.value = "";
      s.kill();
    };
  }, []);
  useEffect(() => {
    const s = stage.current;
    if (!s || !entries.value.length) return;
    // Both panes are laid out once both worlds are known: not first so and then otherwise.
    if (vs && !there?.entries && !there?.error) return;
    const f = familiesNow();
    const { list, own, places } = union({ entries: entries.value, links: links.value }, there, flip !== "", by);
    s.load(list, links.value, places, (i) => categorical(f.of(list[i]!.model), isDark()), own);
    pins.current!.arranged(by);
    setReady((n) => n + 1);
    // An address that says who, but not where to look, looks there.
    if (route.peek().params.cam) s.choose(selected.peek(), false);
    else follow(s, selected.peek());
  }, [shape.value, by, vs, there?.entries, there?.error]);
  return { stage, pins, ready };
}

/** What is selected stands out, and is brought into sight when it was chosen elsewhere. */
function follow(stage: Stage | null, id: string): void {
  if (!stage) return;
  stage.choose(id, false);
  if (id && !inSight(stage, id)) show(stage, id);
}

/** Both conditions; null: all. */
function both(a: ReadonlySet<string> | null, b: ReadonlySet<string> | null): ReadonlySet<string> | null {
  return a && b ? new Set([...a].filter((id) => b.has(id))) : (a ?? b);
}

export default function GraphView() {
  const box = useRef<HTMLDivElement>(null);
  const dark = isDark();
  const { by: byParam, colour: colourParam = "", size: sizeParam = "", flow: flowKey = "" } = route.value.params;
  const [colourKey, sizeKey] = [knownKey(colourParam), knownKey(sizeParam)];
  const { stage, pins, ready } = useStage(box, byParam === "model" ? "model" : "part");
  useEffect(() => stage.current?.setLook(lookOf(dark)), [dark]);
  useEffect(() => effect(() => follow(stage.current, selected.value)), []);
  useEffect(() => effect(() => stage.current?.attention(attentionOf.value)), []);
  const versus = useVersus(colourKey);
  const differ = useDiffers(stage, ready, versus);
  const colour = useColours(stage, versus ? 0 : ready, colourKey, dark);
  const size = useSizes(stage, ready, sizeKey);
  const where = useWhere(ready);
  const near = useNear();
  const told = usePath();
  const shown = useMemo(() => both(where.ids, near.ids), [where.ids, near.ids]);
  useEffect(() => stage.current?.filter(shown), [shown, ready]);
  useEffect(() => stage.current?.emphasise(told.emphasis ?? differ), [told.emphasis, differ, ready]);
  // What was asked for comes into sight; an address with a camera says itself where to look.
  useEffect(() => {
    const ids = told.emphasis?.twins ?? near.ids;
    if (ready && ids && stage.current && !route.peek().params.cam) fit(stage.current, ids);
  }, [ready, told.emphasis, near.ids]);
  const look = lookOf(dark);
  useFlow(stage, ready, flowKey, told.emphasis, told.emphasis ? look.text : look.ring);
  useNamedView();
  useGraphCommands(() => pins.current);
  // A place that is pinned or not shows at once.
  const places = pinned();
  useEffect(() => void stage.current?.again(), [places]);
  useKeys(stage);
  const camera = () => stage.current?.sigma.getCamera();
  return (
    <div class="view graph-view">
      <div
        ref={box}
        class="graph-stage"
        role="group"
        tabIndex={0}
        aria-label={words.graph.label(entries.value.length)}
        aria-describedby="graph-keys"
      />
      <p id="graph-keys" class="unseen">
        {words.graph.keys}
      </p>
      <div class="unseen" role="status" aria-live="polite">
        {said.value}
      </div>
      <div class="float top column">
        <Controls colour={colour} size={size} filter={<Where found={where} />} end={<ViewsMenu />} />
        <PathAsk />
        <PathBar told={told} />
        <NearBar near={near} />
        <TwinTools near={near} pins={() => pins.current} />
      </div>
      <div class="float bottom-right column card zoom">
        <IconButton name={words.graph.zoomIn} icon={ZoomIn} onClick={() => void camera()?.animatedZoom(1.6)} />
        <IconButton name={words.graph.zoomOut} icon={ZoomOut} onClick={() => void camera()?.animatedUnzoom(1.6)} />
        <IconButton name={words.graph.fit} icon={Maximize} onClick={() => stage.current?.fit()} />
        {pinCount() > 0 && (
          <IconButton
            name={words.graph.pins.unpinAll(pinCount())}
            icon={PinOff}
            onClick={() => pins.current?.unpin()}
          />
        )}
      </div>
      <div class="float bottom-left">
        {versus ? <VersusLegend v={versus} class="legend card" /> : <Legend colour={colour} size={size} />}
      </div>
      <VersusHint v={versus} />
      <Nobody found={where} />
      <State />
    </div>
  );
}

/** What stands in the middle while there is no graph. */
function State() {
  if (entries.value.length && !reading.value) return null;
  return (
    <div class="float middle">
      {reading.value ? (
        <Skeleton />
      ) : readError.value ? (
        <Wrong error={new Error(readError.value)} retry={reload} />
      ) : (
        <NoTwins icon={ChartNetwork} />
      )}
    </div>
  );
}
