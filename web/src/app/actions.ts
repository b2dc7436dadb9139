// SPDX-License-Identifier: Apache-2.0
// What can be done wherever one is, for the palette.
import { ArrowLeftRight, GitFork, Keyboard, Link, Moon, Radio, Rows3, Sun } from "lucide-preact";
import { forkName } from "~/api/worlds";
import { copyText } from "~/ui/chart/export";
import { tell, tellError } from "~/ui/toast";
import { words } from "~/words/en";
import { addCommands } from "./palette";
import { density, isDark, theme } from "./prefs";
import { go } from "./route";
import { helpOpen } from "./shortcuts";
import { forkHere } from "./world";

const copyLink = () => copyText(location.href).then(() => tell(words.actions.copied), tellError);

export function startActions(): void {
  const w = words.actions;
  const hint = w.hint;
  addCommands([
    {
      id: "do:live",
      title: words.world.backToLive,
      hint,
      icon: Radio,
      keys: "l",
      run: () => go({ world: "live", at: "" }),
    },
    { id: "do:fork", title: w.fork, hint, icon: GitFork, run: () => void forkHere(forkName()) },
    { id: "do:link", title: w.link, hint, icon: Link, run: () => void copyLink() },
    { id: "do:dark", title: w.dark, hint, icon: Moon, run: () => (theme.value = isDark() ? "light" : "dark") },
    { id: "do:system", title: w.system, hint, icon: Sun, run: () => (theme.value = "system") },
    {
      id: "do:density",
      title: w.density,
      hint,
      icon: Rows3,
      run: () => (density.value = density.value === "compact" ? "comfortable" : "compact"),
    },
    { id: "do:keys", title: words.shortcuts, hint, icon: Keyboard, keys: "?", run: () => (helpOpen.value = true) },
    { id: "do:compare", title: w.compare, hint, icon: ArrowLeftRight, run: () => go({ view: "compare" }) },
  ]);
}
