#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// tools/pictures.mjs   The README's pictures of the browser app, taken of the demo as it was built: docs/images/*.png.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium, demo, open, ROOT, skip } from "../tests/web_kit.mjs";

const BUILD = process.env.SOSIA_BUILD ?? join(ROOT, "build");
const OUT = join(ROOT, "docs", "images");

async function take(browser, url, name, hash, ready, o = {}) {
  const page = await open(browser, url, { hash, width: 1280, height: 800, ...o });
  await ready(page);
  await page.waitForTimeout(1500);
  await page.screenshot({ path: join(OUT, `${name}.png`) });
  await page.context().close();
}

if (!skip) {
  mkdirSync(OUT, { recursive: true });
  const [server, browser] = await Promise.all([demo(), chromium()]);
  const url = server.url;
  try {
    execFileSync(join(BUILD, "sosia-site"), ["--jam", "line-1", "--url", url]);
    await new Promise((done) => setTimeout(done, 45_000)); // a course for the sparklines, and the rule's proposal
    await take(browser, url, "overview", "#/live/overview", (p) => p.getByText("jam at infeed star").first().waitFor());
    await take(browser, url, "plan", "#/live/map?sel=line-1-filler", (p) => p.getByRole("complementary").waitFor());
    await take(browser, url, "decision", "#/live/decisions?id=1", (p) => p.locator(".finding").waitFor());
  } finally {
    await browser.close();
    await server.stop();
  }
}
