// SPDX-License-Identifier: Apache-2.0
// The operation at a glance: what is wrong, what it comes to, what there is, what changes, who is silent.
import { operation } from "~/api/operation";
import { entries, reading, readError, reload } from "~/api/catalogue";
import { Boxes } from "lucide-preact";
import { Forward } from "~/app/forward";
import { worldTitle } from "~/app/world";
import { hrefOf } from "~/app/route";
import { Empty, Skeleton, Wrong } from "~/ui/basic";
import { words } from "~/words/en";
import { Changes } from "./changes";
import { Connections, Counts, Needs, Silent } from "./health";
import { Kpis } from "./kpis";
import { Tree } from "./tree";

/** A server without anything: what to do next, in the order in which one would. */
function Nothing() {
  return (
    <Empty icon={Boxes} title={words.overview.nothing} hint={words.overview.nothingHint}>
      <ol class="steps">
        <li>
          <a class="button primary" href={hrefOf({ view: "models" })}>
            {words.overview.stepModels}
          </a>
        </li>
        <li>
          {words.overview.stepTwins} <code>sosia import FOLDER</code>
        </li>
        <li>
          <a class="button" href={hrefOf({ view: "connections", params: { new: "1" } })}>
            {words.connections.make}
          </a>
        </li>
      </ol>
      <p class="small">
        {words.overview.orDemo} <code>sosia demo</code>
      </p>
    </Empty>
  );
}

export function Overview() {
  // What was read stays while the next is read: who drags the timeline sees values change, not boxes.
  const nothing = !entries.value.length;
  const whole = operation.value;
  return (
    <div class="view page">
      <div class="page-inner wide">
        <div class="page-head">
          <h1 title={whole?.about}>{whole?.name ?? words.views.overview}</h1>
          {!nothing && <Counts kind={whole?.kind} />}
          <span class="grow" />
          <Forward class="head-forward" />
          <span class="chip world">{worldTitle()}</span>
        </div>
        {nothing && readError.value ? (
          <Wrong error={new Error(readError.value)} retry={reload} />
        ) : nothing && reading.value ? (
          <Skeleton lines={8} />
        ) : nothing ? (
          <Nothing />
        ) : (
          <>
            <Needs />
            <Kpis />
            <div class="overview-grid">
              <Tree />
              <Changes />
              <div class="column overview-side">
                <Silent />
                <Connections />
              </div>
            </div>
          </>
        )}
      </div>
    </div>
  );
}
