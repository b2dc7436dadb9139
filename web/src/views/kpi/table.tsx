// SPDX-License-Identifier: Apache-2.0
// KPIs of worlds side by side, wherever they are compared: what each comes to, how far that is from the first, how sure
// that is, and better or worse. Of two worlds a column for each of these, of more a column for each world; where there
// is no room for columns, one below the other. What does not differ stands apart.
import { useRef, useState } from "preact/hooks";
import { ArrowRight, ChevronDown, ChevronRight } from "lucide-preact";
import type { ComparedKpi } from "~/api/whatif";
import { hrefOf } from "~/app/route";
import { Button, cls, Icon } from "~/ui/basic";
import { useMedia } from "~/ui/media";
import { words } from "~/words/en";
import { Bar, Difference, Interval, Mark } from "./against";
import { useHidden } from "./hidden";
import { figure, intervalText, moved, ownText, reachOf, reachText, unitOf } from "./reading";
import "./kpi.css";

const w = words.kpi;
const NARROW = "(max-width: 759px)"; // as where two panes have no room beside each other

interface Props {
  kpis: readonly ComparedKpi[]; // in the order in which they stand
  names: readonly string[]; // of worlds; the others are compared with the first
  label?: string;
  list?: boolean; // one below the other
  every?: boolean; // also what does not differ
  plain?: boolean; // no KPIs: nobody defined them
}

const titleOf = (k: ComparedKpi) => k.title || k.name;
const hintOf = (k: ComparedKpi) => [k.name, k.over, k.error].filter(Boolean).join("\n");

function Name({ k, plain }: { k: ComparedKpi; plain?: boolean }) {
  if (plain) return <span>{titleOf(k)}</span>;
  const href = hrefOf({ view: "models", world: "live", at: "", params: { kpi: k.name }, fresh: true });
  return (
    <a class="kpi-name" href={href}>
      {titleOf(k)}
    </a>
  );
}

interface RowProps {
  k: ComparedKpi;
  reach: number;
  plain?: boolean;
  columns: number; // behind its name
}

/** Of one other world what lies between is spread over columns of its own. */
function Cells({ k, reach }: RowProps) {
  const [a, ...others] = k.values;
  const wide = others.length === 1;
  return (
    <>
      <td class="num quiet" title={String(a?.value)}>
        {ownText(k, a)}
      </td>
      {others.map((v) => (
        <td class="num" key={v.world} title={String(v.value)}>
          {ownText(k, v)}
          {!wide && (
            <div class="kpi-against">
              <Difference k={k} v={v} />
              <Interval v={v} />
              <Bar k={k} v={v} reach={reach} />
              <Mark k={k} v={v} />
            </div>
          )}
        </td>
      ))}
      {wide && (
        <>
          <td class="num">
            <Difference k={k} v={others[0]} />
            <Interval v={others[0]} />
          </td>
          <td class="kpi-bar-cell">
            <Bar k={k} v={others[0]} reach={reach} />
          </td>
          <td class="kpi-mark-cell">
            <Mark k={k} v={others[0]} />
          </td>
        </>
      )}
    </>
  );
}

function Row(p: RowProps) {
  const { k } = p;
  return (
    <tr>
      <th scope="row" title={hintOf(k)}>
        <Name k={k} plain={p.plain} /> <span class="quiet">{unitOf(k)}</span>
      </th>
      {k.error ? (
        <td class="quiet small" colSpan={p.columns}>
          {k.error}
        </td>
      ) : (
        <Cells {...p} />
      )}
    </tr>
  );
}

interface Rows {
  told: readonly ComparedKpi[];
  still: readonly ComparedKpi[];
}

function Wide(p: Props & Rows & { reach: number }) {
  const [open, set] = useState(false);
  const { names, told, still, reach } = p;
  const box = useRef<HTMLDivElement>(null);
  const hidden = useHidden(box, names.length);
  const onward = () => box.current?.scrollBy({ left: box.current.clientWidth / 2 });
  const columns = names.length + (names.length === 2 ? 3 : 0);
  const row = (k: ComparedKpi) => <Row key={k.name} k={k} reach={reach} plain={p.plain} columns={columns} />;
  return (
    <div class="scroll" ref={box} tabIndex={0} role="region" aria-label={p.label}>
      {hidden > 0 && (
        <Button look="plain" class="more-columns" onClick={onward}>
          {w.moreColumns(hidden)} <Icon of={ArrowRight} size={14} />
        </Button>
      )}
      <table class="table kpi-table">
        <thead>
          <tr>
            <th scope="col">{words.overview.kpi}</th>
            {names.map((n) => (
              <th scope="col" class="num kpi-world" key={n}>
                {n}
              </th>
            ))}
            {names.length === 2 && (
              <>
                <th scope="col" class="num">
                  {w.difference}
                </th>
                <th scope="col" class="kpi-reach" title={w.scale(reachText(reach), names[0]!)}>
                  {w.reach(reachText(reach))}
                </th>
                <th />
              </>
            )}
          </tr>
        </thead>
        <tbody>
          {told.map(row)}
          {open && still.map(row)}
        </tbody>
      </table>
      {!told.length && <p class="quiet kpi-none">{w.noDifference}</p>}
      {still.length > 0 && (
        <Button look="plain" icon={open ? ChevronDown : ChevronRight} aria-expanded={open} onClick={() => set(!open)}>
          {w.still(still.length)}
        </Button>
      )}
    </div>
  );
}

function Item({ k, reach }: { k: ComparedKpi; reach: number }) {
  const [a, b] = k.values;
  return (
    <li class="kpi-item">
      <div class="row">
        <span class="grow small strong ellipsis" title={hintOf(k)}>
          {titleOf(k)}
        </span>
        <Mark k={k} v={b} />
      </div>
      {k.error ? (
        <p class="small quiet">{k.error}</p>
      ) : (
        <>
          <div class="kpi-pair">
            <span class="quiet" title={String(a?.value)}>
              {figure(k, a)}
            </span>
            <Bar k={k} v={b} reach={reach} />
            <span title={String(b?.value)}>{figure(k, b)}</span>
          </div>
          <div class="tiny">{typeof b?.difference === "number" ? <Difference k={k} v={b} /> : unitOf(k)}</div>
          <Interval v={b} />
        </>
      )}
    </li>
  );
}

/** Of what does not differ its value is all there is to say; by how much it might, where one points. */
function Quiet({ list }: { list: readonly ComparedKpi[] }) {
  if (!list.length) return null;
  return (
    <ul class="kpi-quiet small quiet" aria-label={words.compare.same}>
      {list.map((k) => (
        <li key={k.name} title={intervalText(k.values[1]) || words.compare.same}>
          <span class="grow ellipsis">{titleOf(k)}</span>
          <span>{`${figure(k, k.values[1])} ${unitOf(k)}`.trim()}</span>
        </li>
      ))}
    </ul>
  );
}

function Narrow({ names, told, still, reach }: Props & Rows & { reach: number }) {
  return (
    <>
      <ul class="kpi-list">
        {told.map((k) => (
          <Item key={k.name} k={k} reach={reach} />
        ))}
      </ul>
      <Quiet list={still} />
      {told.length > 0 && <p class="tiny quiet kpi-scale">{w.scale(reachText(reach), names[0]!)}</p>}
    </>
  );
}

export function KpiTable(p: Props) {
  const small = useMedia(NARROW);
  const every = p.every || p.names.length < 2;
  const told = p.kpis.filter((k) => every || moved(k) || k.error);
  const still = p.kpis.filter((k) => !told.includes(k));
  const rows = { told, still, reach: reachOf(p.kpis) };
  const list = p.list || (small && p.names.length === 2);
  return list ? (
    <div class={cls("kpi-listed", !p.list && "in-card")}>
      <Narrow {...p} {...rows} />
    </div>
  ) : (
    <Wide {...p} {...rows} />
  );
}
