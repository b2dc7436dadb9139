// SPDX-License-Identifier: Apache-2.0
// The operation at a glance: what is wrong, what it comes to, what there is, what changes.
import { entries, reading, readError } from "~/api/catalogue";
import { Boxes } from "lucide-preact";
import { Card, Empty, Skeleton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import { Changes } from "./changes";
import { Health } from "./health";
import { Kpis } from "./kpis";
import { Tree } from "./tree";
import { worldTitle } from "~/app/world";

export function Overview() {
  return (
    <div class="view page">
      <div class="page-inner">
        <div class="page-head">
          <h1>{words.views.overview}</h1>
          <span class="chip world">{worldTitle()}</span>
        </div>
        {readError.value && !entries.value.length ? (
          <Wrong error={new Error(readError.value)} />
        ) : reading.value ? (
          <Skeleton lines={8} />
        ) : !entries.value.length ? (
          <Empty icon={Boxes} title={words.twin.none} hint={words.twin.noneHint} />
        ) : (
          <>
            <Health />
            <Kpis />
            <div class="overview-grid">
              <Card title={words.overview.tree} bare>
                <Tree />
              </Card>
              <Card title={words.overview.changes} bare>
                <Changes />
              </Card>
            </div>
          </>
        )}
      </div>
    </div>
  );
}
