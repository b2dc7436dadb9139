// SPDX-License-Identifier: Apache-2.0
// Connections: how values come in and commands go out; and where events go.
import { Cable, Plus, Radio, Send } from "lucide-preact";
import { link } from "~/api/client";
import { putEndpoint } from "~/api/connections";
import { useCommands } from "~/app/palette";
import { go, hrefOf, isLive, route } from "~/app/route";
import { Button, Card, Empty, Skeleton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import { Detail } from "./detail";
import { Edit, Kinds, type Way } from "./edit";
import { END_KINDS, endKindOf } from "./endfields";
import { EndpointDetail } from "./endpoint";
import { Endpoints, NEW_END } from "./endpoints";
import { brokers } from "./form";
import { Connections } from "./list";
import { useOutside, type Outside } from "./state";
import { Teach } from "./teach";
import "./connections.css";

const w = words.connections;

const endpointWay: Way = {
  kindOf: endKindOf,
  put: putEndpoint,
  to: (name) => ({ e: name, new: null, edit: null }),
};

function Making({ making, changed }: { making: string; changed: () => void }) {
  if (making === "1") return <Kinds />;
  if (making === NEW_END) return <Kinds of={END_KINDS} prefix={NEW_END + "-"} />;
  if (making.startsWith(NEW_END + "-"))
    return <Edit key={making} kind={making.slice(NEW_END.length + 1)} saved={changed} way={endpointWay} />;
  return <Edit key={making} kind={making} saved={changed} />;
}

function Nothing() {
  return (
    <Card bare>
      <Empty icon={Cable} title={w.none} hint={w.noneHint} />
      {isLive.value && <Kinds />}
      <div class="conn-teaches">
        <Teach kind="http" />
        <Teach kind="line" />
      </div>
    </Card>
  );
}

function Body({ o, changed }: { o: Outside; changed: () => void }) {
  const { c = "", e = "", edit = "", new: making = "" } = route.value.params;
  const one = o.connections.find((x) => x.name === c);
  const end = o.endpoints.find((x) => x.name === e);
  const may = isLive.value;
  if (making && may) return <Making making={making} changed={changed} />;
  if (!o.read) return <Skeleton lines={8} />;
  if (o.error !== undefined && !o.connections.length && !o.endpoints.length)
    return <Wrong error={o.error} retry={changed} />;
  if (one && edit && may) return <Edit key={one.name} kind={one.kind} old={one} saved={changed} />;
  if (end && edit && may) return <Edit key={end.name} kind={end.kind} old={end} saved={changed} way={endpointWay} />;
  if (one) return <Detail key={one.name} c={one} rate={o.rates.get(one.name)} changed={changed} />;
  if (end)
    return (
      <EndpointDetail
        key={end.name}
        e={end}
        routes={o.routes.filter((r) => r.endpointName === end.name)}
        changed={changed}
      />
    );
  if (c) return <Wrong error={new Error(w.gone(c))} />;
  if (e) return <Wrong error={new Error(w.endGone(e))} />;
  return (
    <div class="column conn-all">
      {o.error !== undefined && link.value !== "lost" && <Wrong error={o.error} retry={changed} />}
      {o.connections.length ? <Connections o={o} /> : <Nothing />}
      <Endpoints o={o} />
    </div>
  );
}

/** Connections are of the server, not of a world: elsewhere than live they are looked at. */
function ElsewhereNote() {
  if (isLive.value) return null;
  return (
    <div class="notice conn-elsewhere" role="note">
      <span class="grow">{w.elsewhere}</span>
      <Button icon={Radio} onClick={() => go({ world: "live", at: "" })}>
        {words.world.backToLive}
      </Button>
    </div>
  );
}

const NOWHERE = { c: null, e: null, new: null, edit: null, show: null };

export default function ConnectionsView() {
  const [o, changed] = useOutside();
  brokers.value = o.connections.filter((x) => x.kind === "mqtt").map((x) => x.name);
  const { c = "", e = "", edit = "", new: making = "" } = route.value.params;
  const may = isLive.value;
  const make = () => go({ params: { ...NOWHERE, new: "1" } });
  const makeEnd = () => go({ params: { ...NOWHERE, new: NEW_END } });
  useCommands(
    () =>
      may
        ? [
            { id: "connections:new", title: w.make, icon: Plus, run: make },
            { id: "connections:end", title: w.endMake, icon: Send, run: makeEnd },
          ]
        : [],
    [may],
  );
  const end = making.startsWith(NEW_END);
  const title =
    making && may ? (end ? w.endMake : w.make) : edit && (c || e) ? w.change(c || e) : words.views.connections;
  return (
    <div class="view page">
      <div class="page-inner">
        <div class="page-head">
          <h1>{title}</h1>
          {(c || e || making) && (
            <a class="button" href={hrefOf({ params: NOWHERE })}>
              {w.all}
            </a>
          )}
          {!making && !edit && may && (
            <Button icon={Plus} look={c || e ? "" : "primary"} onClick={make}>
              {w.make}
            </Button>
          )}
        </div>
        <ElsewhereNote />
        <Body o={o} changed={changed} />
      </div>
    </div>
  );
}
