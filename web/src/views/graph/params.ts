// SPDX-License-Identifier: Apache-2.0
// What of the graph is in the address, and how lists of twins are written there: ids may hold commas.
export const VIEW_PARAMS = ["by", "colour", "size", "flow", "where", "path", "way", "near", "cam"] as const;
export type ViewParam = (typeof VIEW_PARAMS)[number];
export type ViewParams = Partial<Record<ViewParam, string>>;

export function listOf(text: string | undefined): string[] {
  if (!text) return [];
  try {
    return text.split(",").map(decodeURIComponent);
  } catch {
    return [];
  }
}

export const textOf = (list: readonly (string | number)[]): string =>
  list.map((x) => encodeURIComponent(String(x))).join(",");

/** What of the address is the view's: without the selection and what other views left there. */
export function viewParams(params: Readonly<Record<string, string>>): ViewParams {
  const out: ViewParams = {};
  for (const k of VIEW_PARAMS) if (params[k]) out[k] = params[k];
  return out;
}

const ONE = /^-?\d+(\.\d+)?$/;

/** A camera's place and ratio; null when the text is none. */
export function cameraOf(text: string | undefined): { x: number; y: number; ratio: number } | null {
  const parts = (text ?? "").split(",");
  if (parts.length !== 3 || !parts.every((p) => ONE.test(p))) return null;
  const [x, y, ratio] = parts.map(Number);
  return { x: x!, y: y!, ratio: ratio! };
}
