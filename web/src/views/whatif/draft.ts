// SPDX-License-Identifier: Apache-2.0
// A what-if that is being written, kept in this tab until it is saved: nothing typed is lost by looking elsewhere.
import { effect, signal } from "@preact/signals";
import type { WhatifText } from "~/api/whatif";
import { go } from "~/app/route";
import { nameOfTitle } from "./ways";

export interface Draft {
  name: string; // of the definition it is a change of; "*": a new one
  called: string; // the name it shall have
  text: WhatifText;
}

const KEY = "sosia.whatif.draft";

function kept(): Draft | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Draft | null;
  } catch {
    return null;
  }
}

export const draft = signal<Draft | null>(kept());

effect(() => {
  const text = JSON.stringify(draft.value);
  try {
    sessionStorage.setItem(KEY, text);
  } catch {
    // full or forbidden: it lasts as long as the page
  }
});

export const EMPTY: WhatifText = { title: "", for: "PT8H", output: "PT5M", changes: [] };

/** Open the form with what was planned elsewhere. */
export function define(text: WhatifText): void {
  draft.value = { name: "*", called: nameOfTitle(text.title), text };
  go({ world: "live", at: "", view: "whatif", params: { define: "*" }, fresh: true });
}
