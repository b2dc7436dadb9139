// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// What would happen if, in a real browser against the demo: prepared what-ifs, one's own with changes that can be taken
// out, a run that is watched and goes on in the background, several side by side, merging with what is in the way, and
// the five minutes of somebody who has never seen it: what fails, since when, what to do about it, what that costs.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { chromium, demo, demoWithPast, open, PATIENCE, post, shot, skip } from "./web_kit.mjs";

const FILLER = "line-1-filler";
const FAULT = "main gear broken";

describe("what-ifs in the browser app", { skip: skip || false }, () => {
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
  const patch = async (world, twin, property, value) => {
    const where = world === "live" ? "" : `/worlds/${world}`;
    const reply = await fetch(`${server.url}${where}/digitaltwins/${twin}?api-version=2023-10-31`, {
      method: "PATCH",
      headers: { "Content-Type": "application/json-patch+json" },
      body: JSON.stringify([{ op: "add", path: `/${property}`, value }]),
    });
    assert.equal(reply.status, 204, await reply.text());
  };
  const fork = async (page, name) => {
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.getByRole("button", { name: "Fork here" }).click();
    await page.getByRole("button", { name: `WHAT-IF ${name}` }).waitFor();
  };
  const choose = async (page, text, id) => {
    await page.getByRole("combobox", { name: "Twin" }).fill(text);
    await page.getByRole("option", { name: id }).click();
  };

  test("a prepared what-if is one click and ends in a sentence with money", async () => {
    const page = await at("#/live/whatif");
    const card = page.locator("article", { hasText: "A filler of line 1 breaks down" });
    await card.getByText("after 1\u2009h").waitFor();
    await card.getByText(FAULT).first().waitFor();
    const [outer, inner] = await Promise.all([
      card.boundingBox(),
      card.getByRole("button", { name: "Try it" }).boundingBox(),
    ]);
    assert.ok(inner.x + inner.width <= outer.x + outer.width, "the button lies inside its card");
    await card.getByRole("button", { name: "Try it" }).click();
    await page.getByText("done", { exact: true }).waitFor();
    await page
      .getByRole("row", { name: /Bottles made/ })
      .getByText("worse")
      .waitFor();
    await page.locator(".finding").filter({ hasText: /EUR/ }).waitFor();
    await page.locator(".course canvas").first().waitFor();
    await page.getByRole("heading", { name: "2 changes" }).waitFor();
    await shot(page, "whatif-result");
    await done(page);
  });

  test("many times over it tells how sure one may be, and says so when one looks elsewhere", async () => {
    const page = await at("#/live/whatif");
    await page.getByRole("radio", { name: "30 times" }).check();
    await page
      .locator("article", { hasText: "A filler of line 1 breaks down" })
      .getByRole("button", { name: "Try it" })
      .click();
    await page.evaluate(async () => {
      while (!/ensemble=\d/.test(location.hash)) await new Promise(requestAnimationFrame);
      location.hash = "#/live/overview"; // at once: it may be over in a second
    });
    await page.getByText("it is tried.").waitFor({ timeout: 2 * PATIENCE });
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.locator(".finding").filter({ hasText: /95/ }).waitFor();
    await page.getByText(/30 runs of each/).waitFor();
    await done(page);
  });

  test("one's own: fork, change now and later, take one out, run, discard", async () => {
    const page = await at("#/live/whatif");
    await fork(page, "slow-market");
    assert.equal(await page.evaluate(() => document.documentElement.dataset.world), "scenario");
    await page.getByText("Nothing is changed yet").waitFor();
    await choose(page, "market still", /market-still-050/);
    await page.getByLabel("Property", { exact: true }).selectOption("factor");
    await page.getByText("now 1", { exact: true }).waitFor();
    await page.getByLabel("Value", { exact: true }).fill("much");
    await page.getByRole("button", { name: "Change it" }).click();
    await page.getByText("That is no number.").waitFor();
    await page.getByLabel("Value", { exact: true }).fill("0.5");
    await page.getByRole("button", { name: "Change it" }).click();
    await page.getByRole("heading", { name: "1 change" }).waitFor();
    await page.getByText("−50\u2009%").waitFor();
    await page.getByLabel("Value", { exact: true }).fill("0.7");
    await page.getByRole("radio", { name: "later" }).check();
    await page.getByRole("button", { name: "Plan it" }).click();
    await page.getByRole("heading", { name: "2 changes" }).waitFor();
    await page.reload(); // nothing typed is lost
    await page.getByText("after 1\u2009h").waitFor();
    await page
      .getByRole("button", { name: /^Take out/ })
      .last()
      .click();
    await page.getByRole("heading", { name: "1 change" }).waitFor();
    await shot(page, "whatif-own");
    await page.getByRole("button", { name: /^Run 8/ }).click();
    await page
      .getByRole("row", { name: /Contribution margin/ })
      .getByText("worse")
      .waitFor();
    await page.getByRole("button", { name: "Discard", exact: true }).click();
    const ask = page.getByRole("dialog");
    await ask.getByText(/slow-market is gone then, .* a run of 8\s?h\. This cannot be undone/).waitFor();
    await ask.getByRole("button", { name: "Discard slow-market" }).click();
    await page.getByRole("heading", { name: "What would happen if…" }).waitFor();
    await page.getByText("slow-market is gone.").waitFor();
    page.wrong = page.wrong.filter((w) => !/404.*slow-market/.test(w)); // what was asked of it while it went
    await done(page);
  });

  test("links can be changed, and taken back", async () => {
    const page = await at("#/live/whatif");
    await fork(page, "other-way");
    await page.getByRole("radio", { name: "A link" }).check();
    await page.getByRole("combobox", { name: "From" }).fill("filler line 1");
    await page.getByRole("option", { name: /line-1-filler/ }).click();
    await page.getByRole("button", { name: "Take away the link to Capper, Line 1" }).click();
    await page.getByText("is linked no more:").waitFor();
    await page.getByRole("button", { name: "Take out Filler, Line 1" }).click();
    await page.getByText("Nothing is changed yet").waitFor();
    await done(page);
  });

  test("a run is watched as it unfolds, stands, goes on, and the graph shows its world", async () => {
    const page = await at("#/live/whatif");
    await fork(page, "watched");
    await page.getByRole("radio", { name: "1\u2009h", exact: true }).check();
    await page.getByRole("radio", { name: "To watch" }).check();
    await page.getByRole("button", { name: /^Run 1/ }).click();
    await page.getByText(/It is .* there/).waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("heading", { name: "It stands" }).waitFor();
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByRole("heading", { name: "watched runs" }).waitFor();
    await page.getByRole("link", { name: "Graph" }).last().click();
    await page.locator(".graph-stage canvas").first().waitFor();
    assert.match(page.url(), /#\/watched\/graph/);
    await page.getByText("watched has run.").waitFor({ timeout: 60_000 });
    await done(page);
  });

  test("a run that cannot be is told in words", async () => {
    const page = await at("#/live/whatif");
    await fork(page, "broken");
    await post(server.url, "/worlds/broken/run", {
      for: "PT1H",
      changes: [{ at: "PT1M", twin: "nobody", property: "x", value: 1 }],
    });
    await page.getByText(/there is no twin with the id "nobody"/).waitFor();
    await page.getByRole("button", { name: "Change and run again" }).click();
    await page.getByRole("button", { name: "WHAT-IF broken-2" }).waitFor();
    await page.getByRole("heading", { name: "Let it run" }).waitFor();
    await done(page);
  });

  test("merging shows what is in the way, and can be undone", async () => {
    await post(server.url, "/worlds", { name: "merged", from: "live" });
    await patch("merged", "line-2-filler", "maker", "Ours");
    await patch("merged", "line-2-filler", "note", "from the what-if");
    await patch("live", "line-2-filler", "maker", "Theirs");
    const page = await at("#/merged/whatif?sel=line-2-filler");
    await page.getByRole("button", { name: "Merge 2 changes…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Merge 2 changes" }).click();
    await dialog.getByText(/is Ours in the what-if, and Theirs in live/).waitFor();
    await dialog.getByRole("radio", { name: "Take Ours" }).check();
    await shot(page, "whatif-merge");
    await dialog.getByRole("button", { name: "Merge 2 changes" }).click();
    await page.getByText("2 changes are live now.").waitFor();
    const read = () =>
      fetch(`${server.url}/digitaltwins/line-2-filler?api-version=2023-10-31`).then((r) => r.json());
    assert.equal((await read()).maker, "Ours");
    assert.equal((await read()).note, "from the what-if");
    await page.getByRole("button", { name: "Undo" }).click();
    await assert.doesNotReject(async () => {
      for (let i = 0; i < 50 && (await read()).maker !== "Theirs"; i++) await page.waitForTimeout(100);
      assert.equal((await read()).maker, "Theirs");
    });
    await done(page);
  });
});

describe("the repair of what failed, in the demo that has a past", { skip: skip || false }, () => {
  const JAM = "jam at infeed star"; // forty minutes ago, by the demo's story
  let server;
  let browser;
  before(async () => {
    [server, browser] = await Promise.all([demoWithPast(), chromium()]);
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

  test("the five minutes: what fails, since when, fork there, try the repair, which is cheaper", async () => {
    const page = await at("#/live/overview", { first: true });
    const tour = page.getByRole("dialog", { name: "One screen, three tenses" });
    await tour.waitFor();
    await page.keyboard.press("Escape");
    await tour.waitFor({ state: "detached" });
    await page
      .locator("#canvas")
      .getByText(/Filler, Line 1/)
      .first()
      .click();
    const panel = page.getByRole("complementary");
    await panel.getByText(JAM).first().waitFor();
    await panel.getByRole("button", { name: "See when it began" }).click();
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    await panel.getByRole("link", { name: "Try the repair" }).click();
    await page.getByRole("heading", { name: "What could be done about Filler, Line 1?" }).waitFor();
    await page.getByText(/as it was at/).waitFor();
    await page.getByRole("button", { name: /^Try \d ways/ }).click();
    const finding = page.locator(".finding").filter({ hasText: /cheapest|cannot be told/ });
    await finding.waitFor();
    assert.match(await finding.textContent(), /EUR|cannot be told/);
    await page.getByRole("heading", { name: "What it comes to" }).waitFor();
    await shot(page, "whatif-repair");
    await done(page);
  });

  test("ways tried once stay as worlds side by side; a column can be taken out", async () => {
    const page = await at(`#/live/whatif?about=${FILLER}`);
    await page.getByRole("radio", { name: "Once" }).check();
    await page.getByRole("button", { name: /^Try \d ways/ }).click();
    await page.waitForURL(/compare=/);
    await page.locator(".finding").filter({ hasText: /EUR/ }).waitFor();
    const columns = page.getByRole("list", { name: "What is compared" }).getByRole("link");
    const before = await columns.count();
    assert.ok(before >= 2);
    await page
      .getByRole("button", { name: /^Take out/ })
      .first()
      .click();
    await page.waitForFunction((n) => document.querySelectorAll(".columns a").length === n, before - 1);
    await page.goBack();
    await page.waitForFunction((n) => document.querySelectorAll(".columns a").length === n, before);
    await done(page);
  });
});
