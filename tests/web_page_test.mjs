// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// The main path of each view in a real browser against the demo: what an operations engineer does on the first day.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { axeFile, chromium, demo, open, shot, skip } from "./web_kit.mjs";

const VIEWS = ["overview", "graph", "twin", "whatif", "decisions", "ask", "models", "connections"];

describe("the browser app", { skip: skip || false }, () => {
  let server;
  let browser;
  before(async () => {
    [server, browser] = await Promise.all([demo(), chromium()]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const at = (hash, o = {}) => open(browser, server.url, { hash, ...o });
  const done = async (page) => {
    assert.deepEqual(page.wrong, []);
    await page.context().close();
  };

  test("the overview says what there is and that it lives", async () => {
    const page = await at("");
    await page.getByRole("treeitem", { name: /Montefalda/ }).waitFor();
    await page.getByText("Nothing needs you.").waitFor();
    await page.locator(".change").first().waitFor();
    assert.match(await page.title(), /^LIVE · Overview/);
    await done(page);
  });

  test("a twin is found by name, shown with units, changed and changed back", async () => {
    const page = await at("");
    await page.getByRole("treeitem").first().waitFor();
    await page.keyboard.press("Control+k");
    await page.keyboard.type("filler line 1");
    await page.getByRole("option", { name: /Filler, Line 1/ }).waitFor();
    await page.keyboard.press("Enter");
    const panel = page.getByRole("complementary");
    await panel.getByRole("heading", { name: "Filler, Line 1" }).waitFor();
    await panel.getByText(/rpm$/).waitFor();
    await panel.getByText("Maker").hover();
    await panel.getByRole("button", { name: "Change Maker" }).click();
    await panel.getByRole("textbox", { name: "Maker" }).fill("Another house");
    await page.keyboard.press("Enter");
    await panel.getByText("Another house").waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await panel.getByText("Corvani").waitFor();
    await done(page);
  });

  test("what does not fit is refused in words and nothing is lost", async () => {
    const page = await at("#/live/overview?sel=line-1-filler");
    const panel = page.getByRole("complementary");
    await panel.getByText("Valves").hover();
    await panel.getByRole("button", { name: "Change Valves" }).click();
    await panel.getByRole("textbox", { name: "Valves" }).fill("many");
    await page.keyboard.press("Enter");
    await panel.getByText("That is no whole number.").waitFor();
    assert.equal(await panel.getByRole("textbox", { name: "Valves" }).inputValue(), "many");
    await done(page);
  });

  test("history is drawn", async () => {
    const page = await at("#/live/twin?sel=line-1-filler&p=power,drive.temperature");
    await page.locator(".chart canvas").waitFor();
    await page.getByText("Drive: temperature").first().waitFor();
    await done(page);
  });

  test("the past opens in place, is told apart, and live is one key away", async () => {
    const page = await at("#/live/overview?sel=line-1-filler");
    await page.getByRole("complementary").getByText("Corvani").waitFor();
    const instant = await page.evaluate(() => new Date(Date.now() - 1000).toISOString().replace(/\.\d+Z/, "Z"));
    await page.evaluate((t) => (location.hash = `#/live@${t}/overview?sel=line-1-filler`), instant);
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.world), "past");
    await page.getByRole("complementary").getByText("Corvani").waitFor();
    assert.equal(await page.getByRole("button", { name: "Change Maker" }).count(), 0);
    await page.keyboard.press("l");
    await page.getByRole("button", { name: /^LIVE/ }).first().waitFor();
    await done(page);
  });

  test("the graph draws all twins and follows the selection", async () => {
    const page = await at("#/live/graph");
    await page.locator(".graph-stage canvas").first().waitFor();
    await page.getByText("Conveyor").waitFor();
    await page.getByLabel("Colour by").selectOption("power");
    await page.getByText("kW").last().waitFor();
    assert.match(page.url(), /colour=power/);
    await done(page);
  });

  test("a prepared what-if is one click and ends in a sentence with money", async () => {
    const page = await at("#/live/whatif");
    const card = page.locator("article", { hasText: "A filler of line 1 breaks down" });
    await card.getByRole("button", { name: "Try it" }).click();
    await page.getByText("done", { exact: true }).waitFor();
    await page
      .getByRole("row", { name: /Bottles made/ })
      .getByText("worse")
      .waitFor();
    await page.locator(".finding").filter({ hasText: /EUR/ }).waitFor();
    await page.locator(".course canvas").first().waitFor();
    await done(page);
  });

  test("one's own what-if: fork, plan a change, run, compare, drop", async () => {
    const page = await at("#/live/whatif");
    await page.getByLabel("Name", { exact: true }).fill("slow-market");
    await page.getByRole("button", { name: "Fork here" }).click();
    await page.getByRole("button", { name: /^WHAT-IF slow-market/ }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.world), "scenario");
    await page.getByLabel("Twin", { exact: true }).fill("market still");
    await page.getByRole("button", { name: /market-still-050/ }).click();
    await page.getByLabel("Property", { exact: true }).selectOption("factor");
    await page.getByLabel("Value", { exact: true }).fill("0.5");
    await page.getByRole("button", { name: "Plan it" }).click();
    await page.getByRole("button", { name: /^Run/ }).click();
    await page
      .getByRole("row", { name: /Contribution margin/ })
      .getByText("worse")
      .waitFor();
    page.once("dialog", (d) => d.accept());
    await page.getByRole("button", { name: "Drop", exact: true }).click();
    await page.getByRole("heading", { name: "What would happen if…" }).waitFor();
    await done(page);
  });

  test("the connection is lost and comes back", async () => {
    const page = await at("#/live/overview?sel=line-1-filler");
    await page.getByRole("complementary").getByText("Corvani").waitFor();
    await page.context().setOffline(true);
    await page.evaluate(() => fetch("/readyz").catch(() => {}));
    await page.getByText(/No connection|does not answer/).waitFor();
    await page.getByRole("complementary").getByText("Corvani").waitFor();
    await page.context().setOffline(false);
    await page.getByText(/No connection|does not answer/).waitFor({ state: "detached" });
    page.wrong = page.wrong.filter((w) => !/ERR_INTERNET_DISCONNECTED|Failed to load resource/.test(w));
    await done(page);
  });

  for (const dark of [false, true]) {
    for (const view of VIEWS) {
      test(`${view} is accessible and looks as it should, ${dark ? "dark" : "light"}`, async () => {
        const page = await at(`#/live/${view}`, { dark });
        await page.locator(".view").waitFor();
        await page.waitForFunction(() => !document.querySelector(".skeleton"));
        await page.evaluate(readFileSync(axeFile(), "utf8")); // not a script of the page: the policy would refuse it
        const found = await page.evaluate(async () => {
          const r = await window.axe.run(document, {
            runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
          });
          return r.violations.map(
            (v) =>
              `${v.id}: ${v.help}: ${v.nodes
                .slice(0, 3)
                .map((n) => n.target.join(" "))
                .join(", ")}`,
          );
        });
        for (const [width, height] of [
          [390, 844],
          [1280, 800],
          [2560, 1440],
        ]) {
          await page.setViewportSize({ width, height });
          await page.waitForTimeout(150);
          await shot(page, `${view}-${dark ? "dark" : "light"}-${width}`);
        }
        assert.deepEqual(found, []);
        await done(page);
      });
    }
  }
});
