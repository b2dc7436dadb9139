// SPDX-License-Identifier: Apache-2.0
// What is selected, whatever view shows it: a twin with its values, links and commands.
import { TwinPanel } from "~/views/twin/panel";
import { words } from "~/words/en";
import { pref } from "./prefs";
import { select, selected } from "./route";

export const inspectorOpen = pref("inspector", true);

export function Inspector() {
  const id = selected.value;
  return (
    <aside class="inspector" aria-label={words.inspector.title}>
      <TwinPanel key={id} id={id} close={() => select("")} />
    </aside>
  );
}
