// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// The main path of each view in a real browser against the demo: what an operations engineer does on the first day.
import assert from "node:assert/strict";
import { test } from "node:test";
import { broken, demo, shots, suite } from "./web_kit.mjs";

const VIEWS = "overview graph map scene twin whatif compare decisions ask models connections".split(" ");

suite("the browser app", demo, ({ at, done }) => {
  test("the overview says what there is and that it lives", async () => {
    const page = await at("");
    await page.getByRole("treeitem", { name: /Montefalda/ }).waitFor();
    await page.getByText(/needs? you\.$/).first().waitFor(); // nothing does, or what failed by chance
    await page.locator(".change").first().waitFor();
    assert.equal(await page.title(), "LIVE · Overview · Montefalda");
    await page.getByRole("heading", { name: "Montefalda", level: 1 }).waitFor();
    await page.getByText(/^Site\s+·\s+\d+ twins/).waitFor();
    await done(page);
  });

  test("key values are there while time plays, and no tile stands alone", async () => {
    const page = await at("", { width: 1440, height: 900 });
    await page.locator(".kpis .figure").first().waitFor();
    await page.waitForTimeout(4000); // that there is something to play
    const rows = await page.locator(".kpis > .tile").evaluateAll((l) => {
      const tops = l.map((e) => Math.round(e.getBoundingClientRect().top));
      return [...new Set(tops)].map((t) => tops.filter((x) => x === t).length);
    });
    assert.ok(rows.length < 2 || Math.min(...rows) > 1, `tiles by row: ${rows}`);
    await page.evaluate(() => {
      window.blank = 0;
      const look = () => {
        if (document.querySelector(".tile.waiting") || !document.querySelector(".kpis .figure")) window.blank++;
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    await page.getByRole("button", { name: "Play", exact: true }).click();
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    const first = await page.evaluate(() => location.hash);
    await page.waitForFunction((h) => location.hash !== h, first);
    await page.waitForTimeout(1500);
    assert.equal(await page.evaluate(() => window.blank), 0);
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
    await page.getByRole("button", { name: /^Colour by/ }).click();
    await page.getByLabel("Colour by: find").fill("power");
    await page.getByRole("button", { name: "Power kW", exact: true }).click();
    await page.getByText("kW").last().waitFor();
    assert.match(page.url(), /colour=power/);
    await done(page);
  });

  test("the connection is lost and comes back", async () => {
    const page = await at("#/live/overview?sel=line-1-filler");
    await page.getByRole("complementary").getByText("Corvani").waitFor();
    await page.context().setOffline(true);
    await page.evaluate(() => fetch("/readyz").catch(() => {}));
    await page.locator(".lost-bar").getByText("The server does not answer.").waitFor();
    await page.getByRole("complementary").getByText("Corvani").waitFor();
    await page.context().setOffline(false);
    // The bar goes, and so does whatever could not be read meanwhile: it is asked for again by itself.
    await page.waitForFunction(() => !/does not answer/.test(document.body.innerText));
    page.wrong = page.wrong.filter((w) => !/ERR_INTERNET_DISCONNECTED|Failed to load resource/.test(w));
    await done(page);
  });

  test("a view whose part cannot be fetched says so in words, and how to go on", async () => {
    const page = await at("");
    await page.getByRole("treeitem").first().waitFor();
    await page.route(/\/assets\/.*\.js/, (r) => r.abort());
    await page.evaluate(() => (location.hash = "#/live/models"));
    await page.getByText("This view could not be loaded").waitFor();
    await page.unroute(/\/assets\/.*\.js/);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("heading", { name: "Models", exact: true }).waitFor();
    page.wrong = page.wrong.filter((w) => !/ERR_FAILED/.test(w));
    await done(page);
  });

  const asked = (p) => p.getByRole("heading", { name: /^What (could|if)/ }).first().waitFor();
  /** What opens over the page: where, how, and what is there then. */
  const OVER = [
    ["the palette", "overview", (p) => p.keyboard.press("Control+k"), ".palette[open]"],
    ["the shortcuts", "overview", (p) => p.keyboard.press("?"), "dialog[open]"],
    ["the worlds", "overview", (p) => p.getByRole("button", { name: /^LIVE/ }).first().click(), ".popover"],
    ["what needs somebody", "overview", (p) => p.locator(".bar .bell, .bar button").nth(2).click(), ".popover"],
    ["the span of time", "overview", (p) => p.getByRole("button", { name: /How much is shown/ }).click(), ".popover"],
    ["a twin's details", "overview?sel=line-1-filler", (p) => p.getByText("Corvani").waitFor(), ".inspector"],
    ["an upload of models", "models", (p) => p.getByText("Upload models").click(), ".view textarea"],
    ["a new connection", "connections?new=mqtt", (p) => p.locator("#conn-url").waitFor(), ".conn-form"],
    ["a new endpoint", "connections?new=to-webhook", (p) => p.locator("#conn-url").waitFor(), ".conn-form"],
    ["a new rule", "decisions?rule=*", (p) => p.getByLabel("Name", { exact: true }).waitFor(), ".view"],
    ["what could be done", "whatif?about=line-1-filler", asked, ".view"],
  ];
  for (const dark of [false, true])
    for (const [name, view, show, there] of OVER)
      test(`${name}: accessible, ${dark ? "dark" : "light"}`, async () => {
        const page = await at(`#/live/${view}`, { dark });
        await page.waitForFunction(() => document.querySelector(".canvas h1, .canvas h2"));
        await show(page);
        await page.locator(there).first().waitFor();
        assert.deepEqual(await broken(page), []);
        await done(page);
      });

  for (const dark of [false, true]) {
    for (const view of VIEWS) {
      test(`${view} is accessible and looks as it should, ${dark ? "dark" : "light"}`, async () => {
        const page = await at(`#/live/${view}`, { dark });
        await page.locator(".view").first().waitFor({ state: "attached" });
        await page.waitForFunction(() => !document.querySelector(".skeleton"));
        const found = await broken(page);
        await shots(page, `${view}-${dark ? "dark" : "light"}`);
        assert.deepEqual(found, []);
        await done(page);
      });
    }
  }
});
