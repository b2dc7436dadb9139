// SPDX-License-Identifier: Apache-2.0
// Between the panes: each KPI of A and of B, what differs most, and the ways to know more.
import { BarChart3, Dices, ListTree } from "lucide-preact";
import type { Differing } from "~/api/difference";
import { startSure, type Figures, type FiguresState } from "~/api/figures";
import { go } from "~/app/route";
import { Button, Empty, Progress, Skeleton, Wrong } from "~/ui/basic";
import { tellError } from "~/ui/toast";
import { KpiTable } from "~/views/kpi/table";
import { words } from "~/words/en";
import { Most } from "./most";
import { nameOf, refOf, titleOf } from "./names";
import { baseOf, showView, type Sides } from "./sides";

const w = words.compare;

/** Both many times over. */
function Sure({ f, s }: { f: Figures; s: Sides }) {
  const e = f.ensemble;
  const start = () =>
    void startSure(s.a.ref.name, s.b.ref.name).then(
      (r) => go({ params: { ensemble: String(r.id) }, replace: true }),
      tellError,
    );
  if (e?.state === "running")
    return (
      <div class="column small quiet">
        <Progress part={e.of ? e.replications / e.of : 0} label={w.sure} />
        {w.sureRuns(e.replications, e.of)}
      </div>
    );
  if (e && e.replications > 1) return <p class="tiny quiet">{w.sureDone(e.replications)}</p>;
  return (
    <Button icon={Dices} title={w.sureHint} onClick={start}>
      {w.sure}
    </Button>
  );
}

/** Another pair would say more: what was changed, beside the same without it. */
export function BetterPair({ s }: { s: Sides }) {
  const name = [s.b.ref.name, s.a.ref.name].find((n) => baseOf(n));
  if (!name || [s.a.ref.name, s.b.ref.name].includes(baseOf(name))) return null;
  return (
    <Button
      icon={ListTree}
      onClick={() => go({ world: baseOf(name), at: "", params: { with: name, clock: null, ensemble: null } })}
    >
      {w.withBase(name)}
    </Button>
  );
}

/** A and B as they are called over the panes. */
export const sideNames = (s: Sides): string[] => [`A ${titleOf(s.a.ref)}`, `B ${titleOf(s.b.ref)}`];

interface Props {
  state: FiguresState;
  s: Sides;
  d: Differing;
  again: () => void;
}

export function Kpis({ state, s, d, again }: Props) {
  const f = state.figures;
  if (!f) return state.error ? <Wrong error={state.error} retry={again} /> : <Skeleton lines={8} />;
  if (!f.kpis.length)
    return (
      <>
        <Most d={d} />
        <Empty icon={BarChart3} title={w.noKpis} hint={w.noKpisHint}>
          <BetterPair s={s} />
        </Empty>
      </>
    );
  return (
    <>
      {state.error !== undefined && !s.moving && <Wrong error={state.error} retry={again} />}
      <KpiTable kpis={f.kpis} names={sideNames(s)} list plain={!f.counted} />
      <Most d={d} />
      <div class="compare-foot">
        {!f.counted && <p class="tiny quiet">{f.without[0] ? w.notRun(nameOf(refOf(f.without[0]))) : w.standing}</p>}
        <BetterPair s={s} />
        {f.counted && <Sure f={f} s={s} />}
        {f.counted && (
          <Button icon={BarChart3} onClick={() => showView("figures")}>
            {w.all}
          </Button>
        )}
      </div>
    </>
  );
}
