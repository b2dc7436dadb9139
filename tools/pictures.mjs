#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// tools/pictures.mjs   The README's pictures of the browser app, taken of the demo as it was built: docs/images/*.png.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium, demoWithPast, open, ROOT, skip } from "../tests/web_kit.mjs";

const OUT = join(ROOT, "docs", "images");

async function take(browser, url, name, hash, ready, o = {}) {
  const page = await open(browser, url, { hash, width: 1280, height: 800, ...o });
  await ready(page);
  await page.waitForTimeout(1500);
  await page.screenshot({ path: join(OUT, `${name}.png`) });
  await page.context().close();
}

/** The repair of what needs somebody, compared with leaving it: what a visitor finds in five minutes. */
async function repair(page) {
  await page.getByRole("link", { name: "Try the repair" }).click();
  await page.getByRole("button", { name: /^Try \d ways/ }).click();
  await page.locator(".finding").first().waitFor();
}

if (!skip) {
  mkdirSync(OUT, { recursive: true });
  const [server, browser] = await Promise.all([demoWithPast(), chromium()]);
  const url = server.url;
  const panel = (p) => p.getByRole("complementary").waitFor();
  try {
    await take(browser, url, "overview", "#/live/overview", (p) => p.getByText("jam at infeed star").first().waitFor());
    await take(browser, url, "plan", "#/live/map?sel=line-1-filler", panel);
    await take(browser, url, "graph", "#/live/graph?colour=power", (p) => p.getByText("kW").last().waitFor());
    await take(browser, url, "repair", "#/live/overview?sel=line-1-filler", repair);
    await take(browser, url, "decision", "#/live/decisions?id=1", (p) => p.locator(".finding").waitFor());
  } finally {
    await browser.close();
    await server.stop();
  }
}
