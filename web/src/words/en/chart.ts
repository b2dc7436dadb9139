// SPDX-License-Identifier: Apache-2.0
// Charts, their menus and the bars of a ranking.
export const chart = {
  take: (name: string) => `Copy or save “${name}”`,
  copyPng: "Copy as picture",
  copySvg: "Copy as SVG",
  savePng: "Save as PNG",
  saveSvg: "Save as SVG",
  copyCsv: "Copy values (CSV)",
  saveCsv: "Save values (CSV)",
  darkPicture: "Dark picture",
  pictureCopied: "The picture is in the clipboard.",
  valuesCopied: "The values are in the clipboard.",
  valueCopied: (v: string) => `${v} is in the clipboard.`,
  saved: (file: string) => `${file} is saved.`,
  noPicture: "The browser could not make a picture of it.",
  noClipboard: "The browser has no clipboard for pages without https. Save it instead.",
  noClipboardPicture: "This browser cannot copy pictures. Save it instead.",
  clipboardDenied: "The browser did not allow the clipboard. Save it instead, or allow it for this page.",
  legend: "Lines of the chart",
  show: (name: string) => `Show ${name}`,
  hide: (name: string) => `Hide ${name}`,
  gap: "no value",
  whole: "All of the time",
  between: (low: string, high: string, level?: number) =>
    level ? `(${level}\u2009%: ${low} to ${high})` : `(${low} to ${high})`,
  csv: {
    time: "time",
    low: "low",
    high: "high",
    every: (s: number) => (s ? `thinned: mean of ${s} s` : "each value as it came"),
  },
};

export const rank = { zero: "what the others are compared with" };
