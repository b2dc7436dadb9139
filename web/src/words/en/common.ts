// SPDX-License-Identifier: Apache-2.0
// Words that every view uses.
export const common = {
  product: "Sosia",
  noValue: "no value yet",
  emptyText: "empty",
  yes: "yes",
  no: "no",
  now: "now",
  units: { ms: "ms", s: "s", min: "min", h: "h", d: "d" }, // of durations
  ago: (t: string) => `${t} ago`,
  inTime: (t: string) => `in ${t}`,
  old: (t: string) => `${t} old`,
  loading: "Reading…",
  clockWrong: (by: string, fast: boolean) =>
    `This computer’s clock is ${by} ${fast ? "ahead" : "behind"}; times are the server’s.`,
  close: "Close",
  cancel: "Cancel",
  copy: "Copy",
  copied: "Copied",
  undo: "Undo",
  retry: "Try again",
  search: "Search twins, views, actions",
  searchHint: "Search or type a command",
  fits: "What fits",
  nothingFound: (q: string) => `Nothing is called “${q}”.`,
  nameWrong: "A name begins with a letter or a digit; letters, digits, dots, dashes and _ may follow.",
  shortcuts: "Keyboard shortcuts",
  space: "Space", // the key
  theme: { title: "Appearance", system: "As the system", light: "Light", dark: "Dark" },
  density: { title: "Density", comfortable: "Comfortable", compact: "Compact" },
  rail: "Views",
  more: "More",
  skip: "To the content",
};
