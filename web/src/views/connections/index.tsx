// SPDX-License-Identifier: Apache-2.0
// Connections: how values come in and commands go out; and where events go.
import { Cable, Plus } from "lucide-preact";
import { useCommands } from "~/app/palette";
import { go, hrefOf, route } from "~/app/route";
import { Button, Card, Empty, Skeleton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import { Detail } from "./detail";
import { Edit, Kinds } from "./edit";
import { Connections, Endpoints } from "./list";
import { useOutside, type Outside } from "./state";
import "./connections.css";

const w = words.connections;

function Body({ o, changed }: { o: Outside; changed: () => void }) {
  const { c = "", edit = "", new: making = "" } = route.value.params;
  const one = o.connections.find((x) => x.name === c);
  if (making === "1") return <Kinds />;
  if (making) return <Edit key={making} kind={making} saved={changed} />;
  if (!o.read) return <Skeleton lines={8} />;
  if (o.error !== undefined && !o.connections.length) return <Wrong error={o.error} retry={changed} />;
  if (one && edit) return <Edit key={one.name} kind={one.kind} old={one} saved={changed} />;
  if (one) return <Detail key={one.name} c={one} rate={o.rates.get(one.name)} changed={changed} />;
  if (c) return <Wrong error={new Error(w.gone(c))} />;
  return (
    <div class="column conn-all">
      {o.connections.length ? (
        <Connections o={o} />
      ) : (
        <Card bare>
          <Empty icon={Cable} title={w.none} hint={w.noneHint} />
          <Kinds />
        </Card>
      )}
      <Endpoints o={o} />
    </div>
  );
}

export default function ConnectionsView() {
  const [o, changed] = useOutside();
  const { c = "", edit = "", new: making = "" } = route.value.params;
  const make = () => go({ params: { new: "1", c: null, edit: null, show: null } });
  useCommands(() => [{ id: "connections:new", title: w.make, icon: Plus, run: make }], []);
  const title = making ? w.make : edit && c ? w.change(c) : words.views.connections;
  return (
    <div class="view page">
      <div class="page-inner">
        <div class="page-head">
          <h1>{title}</h1>
          {(c || making) && (
            <a class="button" href={hrefOf({ params: { c: null, new: null, edit: null, show: null } })}>
              {w.all}
            </a>
          )}
          {!making && !edit && (
            <Button icon={Plus} look={c ? "" : "primary"} onClick={make}>
              {w.make}
            </Button>
          )}
        </div>
        <Body o={o} changed={changed} />
      </div>
    </div>
  );
}
