// SPDX-License-Identifier: Apache-2.0
// What somebody set for this browser: theme, density, open panels. Never a token.
import { effect, signal, type Signal } from "@preact/signals";
import { token } from "~/ui/tokens";

export function pref<T>(name: string, initial: T): Signal<T> {
  const key = "sosia." + name;
  let value = initial;
  try {
    const text = localStorage.getItem(key);
    if (text !== null) value = JSON.parse(text) as T;
  } catch {
    // no storage, or not ours: the default
  }
  const s = signal(value);
  let first = true;
  effect(() => {
    const text = JSON.stringify(s.value);
    if (first) first = false;
    else
      try {
        localStorage.setItem(key, text);
      } catch {
        // full or forbidden: it lasts as long as the page
      }
  });
  return s;
}

export const theme = pref<"system" | "light" | "dark">("theme", "system");
export const density = pref<"comfortable" | "compact">("density", "comfortable");

const dark = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(dark.matches);
dark.addEventListener("change", () => (systemDark.value = dark.matches));

export const isDark = () => (theme.value === "system" ? systemDark.value : theme.value === "dark");

effect(() => {
  const root = document.documentElement;
  root.dataset.theme = isDark() ? "dark" : "light";
  root.dataset.density = density.value;
});

/** The browser's own edges: in the colour of the page, also where it is not the system's theme. */
effect(() => {
  const colour = token("n0", isDark());
  for (const m of document.querySelectorAll<HTMLMetaElement>("meta[name=theme-color]")) m.content = colour;
});
