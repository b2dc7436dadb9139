// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// The main path of each view in a real browser against the demo: what an operations engineer does on the first day.
import assert from "node:assert/strict";
import { test } from "node:test";
import { broken, demo, shots, suite } from "./web_kit.mjs";

const VIEWS = "overview graph map scene twin whatif decisions ask models connections".split(" ");

suite("the browser app", demo, ({ at, done }) => {
  test("the overview says what there is and that it lives", async () => {
    const page = await at("");
    await page.getByRole("treeitem", { name: /Montefalda/ }).waitFor();
    await page.getByText(/needs? you\.$/).first().waitFor(); // nothing does, or what failed by chance
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
