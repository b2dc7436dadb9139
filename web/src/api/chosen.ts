// SPDX-License-Identifier: Apache-2.0
// Sets of twins that are too many for an address and no condition tells: kept by this tab under a short name, which
// the address carries ("@a1b2"). A reload finds them again; another browser does not, and says so.
const PREFIX = "sosia.chosen.";
const kept = new Map<string, ReadonlySet<string>>();

/** The name of a set, the same for the same twins. */
export function keepChosen(ids: readonly string[]): string {
  let h = 0x811c9dc5;
  const text = ids.join("\n");
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  const name = `@${(h >>> 0).toString(36)}`;
  kept.set(name, new Set(ids));
  try {
    sessionStorage.setItem(PREFIX + name, text);
  } catch {
    // full or forbidden: it lasts as long as the page
  }
  return name;
}

export const isChosen = (where: string): boolean => /^@[a-z0-9]+$/.test(where);

/** null: this tab knows nothing of it. */
export function chosenOf(name: string): ReadonlySet<string> | null {
  const here = kept.get(name);
  if (here) return here;
  let text: string | null = null;
  try {
    text = sessionStorage.getItem(PREFIX + name);
  } catch {
    // no storage
  }
  return text === null ? null : new Set(text.split("\n"));
}
