// SPDX-License-Identifier: Apache-2.0
// Two worlds at once: A left, B right, one camera, one clock, what differs glowing, what it comes to between them.
import { useEffect, useMemo, useState } from "preact/hooks";
import {
  ArrowLeftRight,
  BarChart3,
  Clock,
  Columns2,
  History,
  SquareSplitHorizontal,
  type LucideIcon,
} from "lucide-preact";
import { readAgain, useDiffering, type Differing } from "~/api/difference";
import { useFigures, type FiguresState } from "~/api/figures";
import { ownPanel } from "~/app/inspector";
import { useCommands } from "~/app/palette";
import { go, route } from "~/app/route";
import { Button, cls, Icon, IconButton, Wrong } from "~/ui/basic";
import { useMedia } from "~/ui/media";
import { viewOf } from "~/views";
import { words } from "~/words/en";
import * as format from "~/format";
import { alike } from "./alike";
import { Curtain } from "./curtain";
import { AllFigures } from "./figures";
import { Kpis } from "./kpis";
import { Panes } from "./panes";
import { PaneName } from "./picker";
import { shares } from "./shares";
import { PANE_VIEWS, showView, shownView, sides, startSteps, swap, type Shown, type Sides } from "./sides";
import { Teach } from "./teach";
import { TwinInBoth } from "./twin";
import "./compare.css";

const w = words.compare;
const MANY = 100; // twins that differ clearly: that they do says little then
const NARROW = "(max-width: 759px)"; // two panes have no room beside each other

function Tab({ id, icon, title }: { id: Shown; icon: LucideIcon; title: string }) {
  const on = shownView.value === id;
  return (
    <button
      type="button"
      class={cls("button plain", on && "on")}
      aria-pressed={on}
      aria-label={title}
      title={title}
      onClick={() => showView(id)}
    >
      <Icon of={icon} />
      <span>{title}</span>
    </button>
  );
}

function Tools({ s, curtain }: { s: Sides; curtain: boolean }) {
  const figures = shownView.value === "figures";
  return (
    <div class="compare-tools">
      <div class="compare-tabs card" role="group" aria-label={w.what}>
        {PANE_VIEWS.map((id) => {
          const v = viewOf(id)!;
          return <Tab key={id} id={id} icon={v.icon} title={v.title} />;
        })}
        <Tab id="figures" icon={BarChart3} title={w.figures} />
      </div>
      <span class="grow" />
      {s.one && (
        <Button
          icon={s.own ? History : Clock}
          aria-pressed={!s.own}
          title={s.own ? w.clockOwnHint : w.clockOneHint}
          aria-label={s.own ? w.clockOwn : w.clockOne(format.time(Math.min(s.a.time, s.b.time)))}
          onClick={() => go({ params: { clock: s.own ? null : "own" } })}
        >
          <span class="compare-wide">{s.own ? w.clockOwn : w.clockOne(format.time(Math.min(s.a.time, s.b.time)))}</span>
        </Button>
      )}
      {!figures && (
        <div class="compare-tabs card" role="group" aria-label={w.how}>
          <IconButton
            name={w.split}
            icon={Columns2}
            aria-pressed={!curtain}
            onClick={() => go({ params: { mode: "split" }, replace: true })}
          />
          <IconButton
            name={w.curtain}
            icon={SquareSplitHorizontal}
            aria-pressed={curtain}
            onClick={() => go({ params: { mode: "curtain" }, replace: true })}
          />
        </div>
      )}
    </div>
  );
}

/** How much differs, in a sentence. */
function differText(d: Differing): string {
  if (!d.counts) return "";
  const twins = w.twins(format.count(d.twins.size), d.twins.size);
  if (!d.twins.size) return w.nothing;
  const text = d.counts.values ? w.differ(format.count(d.counts.values), d.counts.values, twins) : w.differTwins(twins);
  const clear = d.clear.size;
  const all = clear < d.twins.size ? `${text} ${w.differClear(format.count(clear), clear)}` : text;
  return clear > MANY && !route.value.params.colour ? `${all} ${w.many}` : all;
}

function Finding({ state, d, s }: { state: FiguresState; d: Differing; s: Sides }) {
  const sentence = state.figures?.sentence ?? "";
  const text = differText(d);
  return (
    <div class="compare-finding">
      <p role="status">
        {sentence && <span class="compare-sentence">{sentence}</span>}{" "}
        <span class={cls(sentence && "small quiet")}>{text}</span>
      </p>
      {d.error && (!s.moving || !d.counts) && (
        <Wrong error={new Error(d.error)} retry={() => readAgain(s.a.path, s.b.path)} />
      )}
    </div>
  );
}

function Two({ s }: { s: Sides }) {
  const narrow = useMedia(NARROW);
  const mode = route.value.params.mode ?? (narrow ? "curtain" : "split");
  const curtain = mode === "curtain";
  const figures = shownView.value === "figures";
  const [cut, setCut] = useState(50);
  const differing = useDiffering(s.a.path, s.b.path);
  const ensemble = Number(route.value.params.ensemble ?? 0) || 0;
  const [round, next] = useState(0); // somebody wants it read once more
  const again = () => next((n) => n + 1);
  const read = useFigures([s.a.ref.name, s.b.ref.name], [s.a.path, s.b.path], ensemble, s.moving, round);
  const state = useMemo(() => (read.figures ? { ...read, figures: shares(alike(read.figures)) } : read), [read]);
  useEffect(() => {
    ownPanel.value = { of: TwinInBoth };
    return () => (ownPanel.value = null);
  }, []);
  useCommands(() => [{ id: "compare:swap", title: w.swap, icon: ArrowLeftRight, run: swap }], []);
  return (
    <div class={cls("view compare", curtain && !figures && "over", figures && "all")}>
      <Tools s={s} curtain={curtain} />
      <Finding state={state} d={differing} s={s} />
      <div class="compare-body">
        <PaneName side="a" s={s.a} />
        <div class="compare-middle">
          <IconButton name={w.swap} icon={ArrowLeftRight} onClick={swap} />
        </div>
        <PaneName side="b" s={s.b} />
        <Panes s={s} cut={curtain && !figures ? cut : null} />
        {curtain && !figures && (
          <div class="compare-hang">
            <Curtain cut={cut} set={setCut} />
          </div>
        )}
        {figures ? (
          <AllFigures state={state} s={s} d={differing} again={again} />
        ) : (
          <section class="compare-kpis" aria-label={state.figures?.counted === false ? w.keyValues : w.kpis}>
            <Kpis state={state} s={s} d={differing} again={again} />
          </section>
        )}
      </div>
    </div>
  );
}

export default function CompareView() {
  useEffect(startSteps, []);
  const s = sides.value;
  return s ? <Two s={s} /> : <Teach />;
}
