// SPDX-License-Identifier: Apache-2.0
// What is selected, whatever view shows it: a twin with its values, links and commands.
import { MousePointerClick, PanelRightClose } from "lucide-preact";
import { pref } from "./prefs";
import { select, selected } from "./route";
import { Empty, IconButton } from "~/ui/basic";
import { TwinPanel } from "~/views/twin/panel";
import { words } from "~/words/en";

export const inspectorOpen = pref("inspector", innerWidth > 1100);

export function Inspector() {
  const id = selected.value;
  return (
    <aside class="inspector" aria-label={words.inspector.title}>
      {id ? (
        <TwinPanel
          key={id}
          id={id}
          close={() => (select(""), (inspectorOpen.value = innerWidth > 900 && inspectorOpen.value))}
        />
      ) : (
        <>
          <div class="row" style={{ padding: "8px 8px 0 16px" }}>
            <h2 class="grow" />
            <IconButton name={words.close} icon={PanelRightClose} onClick={() => (inspectorOpen.value = false)} />
          </div>
          <Empty icon={MousePointerClick} title={words.inspector.nothing} hint={words.inspector.nothingHint} />
        </>
      )}
    </aside>
  );
}
