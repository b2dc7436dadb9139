// SPDX-License-Identifier: Apache-2.0
// What is said once, quietly: a computer whose clock is wrong, an address whose instant is none. And what is forgotten:
// edits of a world that is no more.
import { effect, untracked } from "@preact/signals";
import { ahead } from "~/api/now";
import { worlds, worldsRead } from "~/api/worlds";
import { forget, tell } from "~/ui/toast";
import { words } from "~/words/en";
import * as format from "~/format";
import { noInstant } from "./route";

const LARGE_MS = 60_000; // less is put right without a word

/** Another of the same name is another: when it was made says so. */
function forgetGone(): void {
  let seen: ReadonlyMap<string, string> = new Map();
  effect(() => {
    if (!worldsRead.value) return;
    const there = new Map(worlds.value.map((w) => [w.name, w.created ?? ""]));
    for (const [name, made] of seen) if (there.get(name) !== made) untracked(() => forget(name));
    seen = there;
  });
}

export function startNotes(): void {
  forgetGone();
  let told = false;
  effect(() => {
    const ms = ahead.value;
    if (told || Math.abs(ms) < LARGE_MS) return;
    told = true;
    untracked(() => tell(words.clockWrong(format.about(Math.abs(ms)), ms < 0)));
  });
  effect(() => {
    const text = noInstant.value.slice(0, 60);
    if (text) untracked(() => tell(words.world.noInstant(text)));
  });
}
