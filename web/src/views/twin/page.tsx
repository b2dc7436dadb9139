// SPDX-License-Identifier: Apache-2.0
// The page of a twin: how it is, how that went, what it is linked to and what it can be told.
import { Fragment } from "preact";
import { models } from "~/api/models";
import { useTwin } from "~/api/twin";
import { route } from "~/app/route";
import { Card, Skeleton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import { Charts } from "./charts";
import { toggle } from "./chosen";
import { Commands } from "./commands";
import { Gone } from "./gone";
import { Head } from "./head";
import { Incident } from "./incident";
import { Links } from "./links";
import { PropertyList } from "./properties";
import { pathsIn } from "./wanted";

export function Page({ id }: { id: string }) {
  const live = useTwin(id);
  const t = live.twin;
  if (live.gone) return <Gone id={id} />;
  if (live.error && !t) return <Wrong error={new Error(live.error)} retry={live.again} />;
  if (!t) return <Skeleton lines={10} />;
  const drawn = pathsIn(route.value.params);
  const commands = models.value.get(t.$metadata.$model)?.commands.length ?? 0;
  return (
    <Fragment>
      <Head twin={t} />
      <Incident twin={t} />
      <div class="twin-grid">
        <div class="twin-main">
          <Charts twin={t} />
        </div>
        <div class="twin-values">
          <Card title={words.inspector.properties} bare>
            <PropertyList twin={t} drawn={drawn} draw={(path) => toggle(drawn, path)} />
          </Card>
        </div>
        <div class="twin-rest">
          <Card title={words.inspector.links} bare>
            <Links id={id} twin={t} />
          </Card>
          {commands > 0 && (
            <Card title={words.inspector.commands} bare>
              <Commands twin={t} />
            </Card>
          )}
        </div>
      </div>
    </Fragment>
  );
}
