// SPDX-License-Identifier: Apache-2.0
// A twin in the inspector: its values as they move, its links, its last hour.
import { useState } from "preact/hooks";
import { ExternalLink, SearchX, X } from "lucide-preact";
import { modelName } from "~/api/models";
import { useTwin } from "~/api/twin";
import { hrefOf } from "~/app/route";
import { Empty, Icon, IconButton, Skeleton, Tabs, Wrong } from "~/ui/basic";
import { Trouble } from "~/views/whatif/trouble";
import { words } from "~/words/en";
import { Commands } from "./commands";
import { Links } from "./links";
import { PropertyList } from "./properties";
import { QuickHistory } from "./quick";

type Tab = "properties" | "links" | "history" | "commands";
const w = words.inspector;

export function TwinPanel({ id, close }: { id: string; close: () => void }) {
  const live = useTwin(id);
  const [tab, setTab] = useState<Tab>("properties");
  const t = live.twin;
  return (
    <>
      <div class="panel-head">
        <div class="grow">
          <h2 class="ellipsis" title={id}>
            {(t?.label as string) || id}
          </h2>
          <div class="row small quiet">
            <span class="ellipsis">{t ? modelName(t.$metadata.$model) : ""}</span>
            {t?.label !== undefined && <code class="tiny ellipsis">{id}</code>}
          </div>
        </div>
        <a
          class="button plain icon"
          href={hrefOf({ view: "twin", params: { sel: id } })}
          title={w.open}
          aria-label={w.open}
        >
          <Icon of={ExternalLink} />
        </a>
        <IconButton name={words.close} icon={X} onClick={close} />
      </div>
      {live.gone ? (
        <Empty icon={SearchX} title={w.gone(id)} hint={w.goneHint} />
      ) : live.error && !t ? (
        <div style={{ padding: 16 }}>
          <Wrong error={new Error(live.error)} retry={live.again} />
        </div>
      ) : !t ? (
        <div style={{ padding: 16 }}>
          <Skeleton lines={8} />
        </div>
      ) : (
        <>
          <Trouble twin={t} />
          <Tabs
            label={w.title}
            on={tab}
            set={setTab}
            tabs={[
              { id: "properties", title: w.properties },
              { id: "links", title: w.links },
              { id: "history", title: w.history },
              { id: "commands", title: w.commands },
            ]}
          />
          <div class="scroll" role="tabpanel">
            {tab === "properties" && <PropertyList twin={t} />}
            {tab === "links" && <Links id={id} twin={t} />}
            {tab === "history" && <QuickHistory twin={t} />}
            {tab === "commands" && <Commands twin={t} />}
          </div>
        </>
      )}
    </>
  );
}
