// SPDX-License-Identifier: Apache-2.0
// Pictures and values out of the page: to a file or to the clipboard. What a browser forbids is thrown in words.
import { words } from "~/words/en";

const SHARP = 2; // pixels of a picture a pixel of the drawing

export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** What a file may be called everywhere. */
export const fileName = (title: string): string =>
  title
    .normalize("NFKD")
    .replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 80) || "chart";

export async function pngOf(svg: string): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    await new Promise<void>((done, fail) => {
      image.onload = () => done();
      image.onerror = () => fail(new Error(words.chart.noPicture));
      image.src = url;
    });
    const canvas = document.createElement("canvas");
    canvas.width = image.width * SHARP;
    canvas.height = image.height * SHARP;
    canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise<Blob>((done, fail) =>
      canvas.toBlob((b) => (b ? done(b) : fail(new Error(words.chart.noPicture))), "image/png"),
    );
  } finally {
    URL.revokeObjectURL(url);
  }
}

function clipboard(): Clipboard {
  // Without https the browser has none, but on the same machine.
  if (!navigator.clipboard) throw new Error(words.chart.noClipboard);
  return navigator.clipboard;
}

const denied = (e: unknown): Error =>
  e instanceof DOMException ? new Error(words.chart.clipboardDenied) : e instanceof Error ? e : new Error(String(e));

export async function copyText(text: string): Promise<void> {
  const to = clipboard();
  await to.writeText(text).catch((e: unknown) => Promise.reject(denied(e)));
}

export async function copyPng(svg: string): Promise<void> {
  const to = clipboard();
  if (typeof ClipboardItem === "undefined") throw new Error(words.chart.noClipboardPicture);
  // The promise goes in as it is: some browsers ask whether the click is still the reason.
  await to.write([new ClipboardItem({ "image/png": pngOf(svg) })]).catch((e: unknown) => Promise.reject(denied(e)));
}
