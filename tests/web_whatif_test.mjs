// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial daytime
// What would happen if, in a real browser against the demo: prepared what-ifs, one's own with changes that can be taken
// out, a run that is watched and goes on in the background, several side by side, merging with what is in the way, and
// the five minutes of somebody who has never seen it: what fails, since when, what to do about it, what that costs.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { bundled, demo, demoWithPast, noBundle, PATIENCE, post, shot, suite } from "./web_kit.mjs";

const FILLER = "line-1-filler";
const FAULT = "main gear broken";

suite("what-ifs in the browser app", demo, ({ at, done, server }) => {
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
    await page.locator("#canvas").getByRole("button", { name: "Fork here" }).click();
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
    const finding = page.locator(".finding").filter({ hasText: /95/ });
    await finding.waitFor();
    const said = await finding.textContent();
    await page.getByText(/30 runs of each/).waitFor();
    await page.getByRole("link", { name: "All what-ifs" }).click();
    const kept = page.locator(".many-kept tr").first();
    await kept.getByText("A filler of line 1 breaks down for two hours · begins").waitFor();
    const found = await kept.getByRole("link").textContent();
    // Its title is what was found, as it was said there.
    assert.match(found, /\d.*95/);
    assert.ok(said.includes(found.slice(0, found.indexOf("95"))), `${found}: ${said}`);
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

  test("values of devices in a what-if that went on: as at the fork, unless the run moved them", async () => {
    await post(server.url, "/worlds", { name: "stood", from: "live" });
    const marked = (page) => page.locator(".prop").filter({ hasText: "as at the fork" });
    const row = (page, name) => page.locator(".prop").filter({ has: page.locator(`[title="${name}"]`) });
    // Its clock stands at the fork: what holds there holds now.
    const page = await at("#/stood/twin?sel=line-1-filler&p=power");
    await row(page, "power").waitFor();
    await page.locator(".chart canvas").first().waitFor();
    assert.equal(await marked(page).count(), 0);
    const changes = [{ at: "PT1M", twin: FILLER, property: "bowlLevel", value: 44 }];
    await post(server.url, "/worlds/stood/run", { for: "PT10M", changes });
    await row(page, "power").getByText("as at the fork").waitFor();
    await row(page, "bowlLevel").getByText("44").waitFor();
    assert.equal(await row(page, "bowlLevel").getByText("as at the fork").count(), 0);
    assert.equal(await row(page, "serialNumber").getByText("as at the fork").count(), 0, "no device tells it");
    await page.getByText(/^Power: as at the fork\. No behaviour moves it/).waitFor();
    // By what the server says, all of them: told by a device, and not written since.
    const get = (path) => fetch(`${server.url}${path}?api-version=2023-10-31`).then((r) => r.json());
    let stood = {};
    while (stood.run?.state !== "done") stood = (await get("/worlds")).value.find((w) => w.name === "stood");
    const twin = await get("/worlds/stood/digitaltwins/line-1-filler");
    // As texts: the run begins a tick of 100 ns behind the fork.
    const times = [twin, ...Object.values(twin)].flatMap((x) => Object.values(x?.$metadata ?? {}));
    const stands = times.filter((m) => m.sourceTime !== undefined && m.lastUpdateTime <= stood.forkedFrom);
    assert.ok(stands.length > 3);
    for (let i = 0; (await marked(page).count()) !== stands.length; i++) {
      assert.ok(i < 100, `${await marked(page).count()} of ${stands.length} are marked`);
      await page.waitForTimeout(100);
    }
    await shot(page, "twin-at-fork");
    await page.goto(`${server.url}/#/live/twin?sel=line-1-filler&p=power`);
    await row(page, "power").waitFor();
    assert.equal(await marked(page).count(), 0);
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

  test("a value and links that were changed in place hold in the run, and in the copy alone", async () => {
    const page = await at("#/live/whatif");
    await fork(page, "rewired");
    await page.getByRole("radio", { name: "A link" }).check();
    await page.getByRole("combobox", { name: "From" }).fill("filler line 1");
    await page.getByRole("option", { name: /line-1-filler/ }).click();
    await page.getByRole("button", { name: "Take away the link to Bottling hall" }).click();
    await page.getByText("is linked no more:").waitFor();
    await page.getByLabel("Link", { exact: true }).selectOption("locatedIn");
    await page.getByRole("combobox", { name: "To" }).fill("pump house");
    await page.getByRole("option", { name: /pump-house/ }).first().click();
    await page.getByRole("button", { name: "Link them" }).click();
    await page.getByText("is linked:").waitFor();
    await page.getByRole("radio", { name: "A value" }).check();
    await page.getByRole("button", { name: "Choose another" }).click();
    await choose(page, "market still", /market-still-050/);
    await page.getByLabel("Property", { exact: true }).selectOption("factor");
    await page.getByLabel("Value", { exact: true }).fill("0.5");
    await page.getByRole("button", { name: "Change it" }).click();
    await page.getByRole("heading", { name: "3 changes" }).waitFor();
    await page.getByText("2 changes of links and twins cannot be saved in a what-if").waitFor();
    await page.getByRole("radio", { name: "1\u2009h", exact: true }).check();
    await page.getByRole("button", { name: /^Run 1/ }).click();
    await page
      .getByRole("row", { name: /Bottles an hour through the fillers/ })
      .getByText("worse")
      .waitFor(); // counted is what stands in the hall: one filler less
    await page.getByText("is linked no more:").waitFor();
    await page.getByText("is linked:").waitFor();
    const targets = async (world) => {
      const path = `${world}/digitaltwins/line-1-filler/relationships?api-version=2023-10-31`;
      const { value } = await fetch(server.url + path).then((r) => r.json());
      return value.map((l) => `${l.$relationshipName} ${l.$targetId}`).sort();
    };
    const [live, base, own] = await Promise.all(["", "/worlds/rewired.base", "/worlds/rewired"].map(targets));
    assert.deepEqual(base, live);
    const moved = (x) => (x === "locatedIn bottling-hall" ? "locatedIn pump-house" : x);
    assert.notDeepEqual(own, live);
    assert.deepEqual(own, live.map(moved).sort());
    await done(page);
  });

  test("a plan is kept as a what-if: saved under a name, changed, tried, deleted, and that undone", async () => {
    const stored = (name) =>
      fetch(`${server.url}/whatifs/${name}?api-version=2023-10-31`).then((r) => (r.ok ? r.json() : null));
    const page = await at("#/live/whatif");
    await fork(page, "planned");
    await choose(page, "market still", /market-still-050/);
    const add = async (value, button) => {
      await page.getByLabel("Property", { exact: true }).selectOption("factor");
      await page.getByLabel("Value", { exact: true }).fill(value);
      await page.getByRole("button", { name: button }).click();
    };
    await add("0.5", "Change it");
    await page.getByRole("heading", { name: "1 change" }).waitFor();
    await page.getByRole("radio", { name: "later" }).check();
    await add("0.7", "Plan it");
    await page.getByRole("heading", { name: "2 changes" }).waitFor();
    await page.getByRole("button", { name: "Save as a what-if…" }).click();
    await page.getByRole("heading", { name: "New what-if" }).waitFor();
    await page.getByLabel("Title", { exact: true }).fill("A slow market");
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "a-slow-market");
    await page.reload(); // nothing typed is lost
    await page.getByLabel("Name", { exact: true }).fill("slow market");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByRole("alert").getByText("Letters, digits, dots and dashes").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("a-slow-market");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByRole("heading", { name: "A slow market" }).waitFor();
    const twin = { twin: "market-still-050", property: "factor" };
    const changes = [
      { at: "PT0S", ...twin, value: 0.5 },
      { at: "PT1H", ...twin, value: 0.7 },
    ];
    assert.deepEqual((await stored("a-slow-market")).changes, changes);
    await page.getByRole("radio", { name: "1\u2009h", exact: true }).check();
    // What is tried is what is saved.
    assert.equal(await page.getByRole("button", { name: "Try it" }).isDisabled(), true);
    await page.getByRole("button", { name: /^Take out/ }).last().click();
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByRole("button", { name: "Try it" }).waitFor();
    await page.waitForFunction(() => !document.querySelector("button[title='Save it first']"));
    const text = await stored("a-slow-market");
    assert.deepEqual([text.for, text.changes], ["PT1H", changes.slice(0, 1)]);
    await shot(page, "whatif-definition");
    await page.getByRole("link", { name: "All what-ifs" }).click();
    await page.getByRole("link", { name: "Change “A slow market”" }).click();
    await page.getByRole("button", { name: "Try it" }).click();
    await page.getByRole("button", { name: "WHAT-IF a-slow-market" }).waitFor();
    await page.locator(".finding").filter({ hasText: /“/ }).waitFor(); // it has run, and says what came of it
    await page.goto(`${server.url}/#/live/whatif?define=a-slow-market`);
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByText("“A slow market” is deleted.").waitFor();
    assert.equal(await stored("a-slow-market"), null);
    await page.locator(".toast", { hasText: "is deleted" }).getByRole("button", { name: "Undo" }).click();
    await page.getByRole("heading", { name: "A slow market" }).waitFor();
    assert.deepEqual((await stored("a-slow-market")).changes, changes.slice(0, 1));
    page.wrong = page.wrong.filter((w) => !/404/.test(w));
    await done(page);
  });

  test("a run that was under way when the server was killed is taken up again before one's eyes", async () => {
    const own = await demo();
    try {
      const page = await at("#/live/whatif", { url: own.url });
      await fork(page, "survivor");
      await page.getByRole("radio", { name: "1\u2009h", exact: true }).check();
      await page.getByRole("radio", { name: "To watch" }).check();
      await page.getByRole("button", { name: /^Run 1/ }).click();
      const bar = page.getByRole("progressbar");
      const part = async () => Number(await bar.getAttribute("aria-valuenow"));
      const atLeast = (n) =>
        page.waitForFunction((x) => document.querySelector("[role=progressbar]")?.ariaValueNow >= x, n);
      await atLeast(10);
      await page.evaluate(() => (window.same = true));
      await own.end("SIGKILL");
      await page.getByText(/No connection/).waitFor();
      const left = await part();
      assert.ok(left >= 10, "how far it was stays to be seen");
      assert.equal(await page.locator(".toast").count(), 0);
      assert.equal(await page.getByRole("alert").count(), 0);
      const { port } = new URL(own.url);
      own.args = own.args.map((a) => a.replace(/^127\.0\.0\.1:\d+$/, `127.0.0.1:${port}`));
      await own.again(/is (?:running|open) at (http:\S+)/);
      await page.getByText(/No connection/).waitFor({ state: "detached" });
      await atLeast(left + 5);
      await page.getByRole("heading", { name: "It has run" }).waitFor({ timeout: 3 * PATIENCE });
      await page.getByText(/1\s?h were run/).waitFor();
      assert.equal(await page.evaluate(() => window.same), true, "the page was not loaded anew");
      assert.equal(await page.getByRole("alert").count(), 0);
      page.wrong = page.wrong.filter((w) => !/ERR_|Failed to load resource|WebSocket/.test(w));
      await done(page);
    } finally {
      await own.stop();
    }
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
      changes: [{ at: "PT1M", twin: "line-1-filler", property: "state", value: "running" }],
    });
    await page.getByText(/"state" is what a behaviour says: it cannot be changed/).waitFor();
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

  test("before a value is merged that a device tells, that is said; what is merged is not offered again", async () => {
    await post(server.url, "/worlds", { name: "limited", from: "live" });
    await patch("limited", "line-2-filler", "speedLimit", 20_000);
    await patch("limited", "line-2-filler", "maker", "Whoever");
    const page = await at("#/limited/whatif");
    await page.getByRole("button", { name: "Merge 2 changes…" }).click();
    const dialog = page.getByRole("dialog");
    const note = dialog.getByRole("note");
    await note.filter({ hasText: /Speed limit \(Filler, Line 2.*\): in live a device tells this value/ }).waitFor();
    await dialog.locator("label", { hasText: "Speed limit" }).getByRole("checkbox").uncheck();
    await note.waitFor({ state: "detached" });
    await dialog.getByRole("button", { name: "Merge 1 change" }).click();
    await page.getByText("1 change is live now.").waitFor();
    await page.getByRole("button", { name: "Merge 1 change…" }).waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("button", { name: "Merge 2 changes…" }).waitFor();
    await done(page);
  });

  test("what was changed by hand can be merged however much a run wrote; what is not shown is counted", async () => {
    await post(server.url, "/worlds", { name: "written", from: "live" });
    await patch("written", "line-2-filler", "maker", "By hand");
    await post(server.url, "/worlds/written/run", { for: "PT10M" });
    const over = async () => (await (await fetch(`${server.url}/worlds/written`)).json()).run?.state === "done";
    for (let i = 0; i < 300 && !(await over()); i++) await new Promise((r) => setTimeout(r, 100));
    const few = async (page, most) =>
      page.route(/\/worlds\/(written|filled)\/diff/, (route) =>
        route.continue({ headers: { ...route.request().headers(), "max-items-per-page": String(most) } }),
      );
    const page = await at("#/live/overview");
    await few(page, 5); // of hundreds: the pages of this server are as long as they are asked for
    await page.evaluate(() => (location.hash = "#/written/whatif"));
    await page.getByRole("button", { name: "Merge 1 change" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("By hand").waitFor();
    await dialog.getByRole("button", { name: "Merge 1 change" }).click();
    await page.getByText("1 change is live now.").waitFor();
    // Before it runs, what was written by others counts too.
    await post(server.url, "/worlds", { name: "filled", from: "live" });
    for (let i = 1; i < 4; i++) for (const p of ["maker", "note"]) await patch("filled", `line-${i}-filler`, p, "x");
    await page.evaluate(() => (location.hash = "#/filled/whatif"));
    await page.getByText("and 1 more").waitFor();
    assert.equal(await page.getByRole("button", { name: "Save as a what-if…" }).count(), 0);
    await done(page);
  });
});

suite("the repair of what failed, in the demo that has a past", demoWithPast, ({ at, done, server }) => {
  const JAM = "jam at infeed star"; // forty minutes ago, by the demo's story

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
    await panel.getByRole("button", { name: "Before it began" }).click();
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    await panel.getByRole("link", { name: "Try the repair" }).click();
    await page.getByRole("heading", { name: "What could be done about Filler, Line 1?" }).waitFor();
    await page.getByText(/as it was at/).waitFor();
    await page.getByText(/^Nobody does anything; what happens by itself goes on\. Bottles lie in the infeed/).waitFor();
    const alone = page.getByRole("checkbox", { name: "Line 1's filler is left alone until the shift ends" });
    assert.equal(await alone.isChecked(), false); // a way as well, which nobody tries unasked
    await page.getByRole("button", { name: /^Try \d ways/ }).click();
    const finding = page.locator(".finding").filter({ hasText: /cheapest|cannot be told/ });
    await finding.waitFor();
    assert.match(await finding.textContent(), /EUR|cannot be told/);
    await page.getByText(/^Tried in copies of LIVE from .* Nothing of it happened in live\.$/).waitFor();
    await page.getByRole("heading", { name: "What it comes to" }).waitFor();
    await shot(page, "whatif-repair");
    await done(page);
  });

  test("the tour forks the past, says so only when it has, and hides nothing that is wrong", async () => {
    const page = await at("#/live/overview", { first: true });
    const card = page.locator(".tour-card");
    const next = () => card.getByRole("button", { name: "Next" }).click();
    await card.waitFor();
    await page.waitForFunction(() => {
      const box = (s) => document.querySelector(s).getBoundingClientRect();
      const [a, b] = [box(".tour-card"), box(".needs")];
      return a.top >= b.bottom || a.bottom <= b.top || a.left >= b.right || a.right <= b.left;
    });
    await next();
    await card.getByRole("button", { name: /^Show / }).click();
    await next();
    await card.getByRole("button", { name: "Go to when it began" }).click();
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    await next();
    await card.getByRole("button", { name: "Fork here" }).waitFor();
    assert.equal(await card.getByText("Done. Go on.").count(), 0);
    await card.getByRole("button", { name: "Fork here" }).click();
    await card.getByText("Done. Go on.").waitFor();
    await page.getByRole("button", { name: /^WHAT-IF/ }).waitFor();
    await next();
    await page.getByRole("heading", { name: /^What could be done about/ }).waitFor();
    await page.getByRole("button", { name: /^Try (it|\d ways)/ }).first().waitFor();
    await done(page);
  });

  test("a fork from before the trouble says so, and leads to where it can be repaired", async () => {
    const page = await at(`#/live/overview?sel=${FILLER}`);
    const panel = page.getByRole("complementary");
    const asked = page.locator("#canvas").getByText(/A filler jams: waits/);
    await asked.first().waitFor(); // by the rule, later than what is forked
    await panel.getByRole("button", { name: "Before it began" }).click();
    await page.locator(".timeline").getByRole("button", { name: "Fork here" }).click();
    await page.getByRole("button", { name: /^WHAT-IF/ }).waitFor();
    await page.getByText("What changed").waitFor();
    assert.equal(await asked.count(), 0, "what came later in live is not of the fork");
    await panel.getByRole("link", { name: "What if…" }).click();
    await page.getByText(/^This copy was made before it went wrong/).waitFor();
    const copy = /#\/(from-\d\d-\d\d[^/]*)/.exec(page.url())[1]; // of what it is says its name
    const pen = panel.locator(".prop-pen").first();
    await pen.waitFor();
    await page.mouse.move(5, 5);
    assert.equal(await pen.evaluate((el) => getComputedStyle(el).opacity), "1", "what may be changed shows it");
    await page.getByRole("link", { name: /^Try the repair from/ }).click();
    await page.getByRole("heading", { name: "What could be done about Filler, Line 1?" }).waitFor();
    await page.getByText(`${copy} stays as it is: it was made before it went wrong`).waitFor(); // no litter unsaid
    await page.getByRole("button", { name: "Discard", exact: true }).click();
    await page.getByText(`${copy} is gone.`).waitFor();
    page.wrong = page.wrong.filter((w) => !/404/.test(w)); // what was asked of it while it went
    await done(page);
  });

  test("a repair is told alike on its page, in the list of what was tried, and to whoever else opens it", async () => {
    const page = await at(`#/live/whatif?about=${FILLER}`);
    await page.getByRole("radio", { name: "30 times" }).check();
    const cost = page.getByRole("listitem").filter({ hasText: "Clear the jam and run on at full speed" });
    await cost.getByLabel("costs once").fill("34");
    await page.getByRole("button", { name: /^Try \d ways/ }).click();
    const head = (p) => p.locator(".finding").evaluate((el) => el.firstChild.textContent.trim());
    await page.getByText(/^30 runs of each/).waitFor({ timeout: 2 * PATIENCE });
    await page.getByText(/its cost of 34 EUR taken off/).waitFor();
    const told = await head(page);
    assert.match(told, /^By “Value of what is made, less energy”/);
    await page.getByText(/^Tried in copies of LIVE from .* 1\s?h ahead, 30 runs each\./).waitFor();
    for (const name of await page.locator(".course .chart-name .ellipsis").all())
      assert.ok(await name.evaluate((el) => el.scrollWidth <= el.clientWidth + 1), "a way is named to its end");
    // At 1280 four columns have room: nothing is out of sight.
    await page.setViewportSize({ width: 1280, height: 800 });
    const table = page.locator(".kpi-table");
    assert.ok(await table.evaluate((el) => el.offsetWidth <= el.parentElement.clientWidth), "all columns are seen");
    // What is next stands beside it, not below all charts.
    const waits = page.getByRole("link", { name: /^A proposal waits/ }); // the rule may have been first
    const propose = await page.getByRole("button", { name: "Propose it" }).or(waits).first().boundingBox();
    assert.ok(propose.y < (await page.locator(".in-money").boundingBox()).y);
    const why = page.locator(".finding-but");
    for (const box of await why.all()) {
      assert.match(await box.textContent(), /Both hold: they count different things/);
      assert.ok(await box.evaluate((el) => el.classList.contains("explained")), "what is explained is no alarm");
    }
    await page.getByRole("link", { name: "All what-ifs" }).first().click();
    await page.locator(".many-kept").getByRole("link", { name: told }).first().waitFor();
    const [, id] = /ensemble=(\d+)/.exec(await page.locator(".many-kept a").first().getAttribute("href"));
    const other = await at(`#/live/whatif?ensemble=${id}`); // a browser that knows nothing of it
    await other.getByText(/its cost of 34 EUR taken off/).waitFor();
    assert.equal(await head(other), told);
    await done(other);
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

describe("what a comparison comes to, in a sentence and as a fan", { skip: noBundle || false }, () => {
  let f;
  before(async () => {
    f = await bundled({
      "views/whatif/finding.ts": "*",
      "views/whatif/lines.ts": "*",
      "views/whatif/besides.ts": "*",
      "views/whatif/asked.ts": "textOf, paramsOfText",
      "views/kpi/reading.ts": "* as kpi",
      "views/compare/alike.ts": "alike",
      "views/decisions/gain.ts": "* as gain",
      "api/counted.ts": "countedBy, effectOf",
      "api/verdict.ts": "verdictOf",
    });
  });

  test("how a run was asked for is kept as a text, and read back; other texts say nothing of it", () => {
    const asked = { about: "line-1-filler", kpi: "production-value", costs: [0, 12.5, 12] };
    assert.deepEqual(f.paramsOfText(f.textOf(asked)), {
      about: "line-1-filler",
      kpi: "production-value",
      costs: "0,12.5,12",
    });
    assert.deepEqual(f.paramsOfText(f.textOf({ about: "a; b", costs: [0] })), { about: "a; b", costs: "0" });
    for (const text of [undefined, "", "of the night shift", "twin x; costs much"])
      assert.deepEqual(f.paramsOfText(text), {});
  });

  const begin = "2026-11-23T08:00:00Z";
  const now = "2026-11-23T16:00:00Z";
  const kpi = (name, better, unit, by, [low, high], more = {}) => ({
    name: name.toLowerCase(),
    title: name,
    unit,
    over: "last",
    better,
    values: [
      { world: "as it would be", value: 1000 },
      {
        world: "third till",
        value: 1000 + by,
        difference: by,
        differenceLow: low,
        differenceHigh: high,
        relative: by / 1000,
        verdict: low <= 0 && high >= 0 ? "unclear" : by > 0 === (better === "more") ? "better" : "worse",
      },
    ],
    ...more,
  });
  const between = (...kpis) => ({
    worlds: ["as it would be", "third till"].map((name) => ({ name, state: "done", begin, now, changes: [] })),
    kpis,
  });
  const text = (t) => [t.head, t.beside, t.next, ...t.buts.flatMap((b) => [b.text, b.why])].filter(Boolean).join(" ");
  const told = (...kpis) => text(f.told(between(...kpis), kpis[0])).replaceAll(/\s/g, " ");
  const money = { of: "money" };

  test("an interval that leaves out zero tells by how much, and what it costs", () => {
    const profit = kpi("Profit", "more", "EUR", 421, [404, 438], money);
    const energy = kpi("Energy", "less", "kilowattHour", 30, [20, 40]);
    assert.equal(
      told(profit, energy),
      "Third till: 421 EUR more of “Profit” in 8 h (95 %: 404 to 438), which is better. " +
        "But “Energy” is 3 % more, which is worse.",
    );
    assert.match(f.titleOf(between(profit).kpis[0]), /421 EUR more/);
  });

  test("of what is better when it is less the interval goes with the words", () => {
    const less = kpi("Energy cost", "less", "EUR", -100, [-150, -50], money);
    assert.match(told(less), /100 EUR less of “Energy cost” in 8 h \(95 %: 50 to 150\), which is better\.$/);
    const more = kpi("Energy cost", "less", "EUR", 100, [50, 150], money);
    assert.match(told(more), /100 EUR more of “Energy cost” in 8 h \(95 %: 50 to 150\), which is worse\.$/);
  });

  test("an interval with zero in it: no difference can be told, by no word of the page", () => {
    for (const [by, ends] of [
      [30, [-50, 110]],
      [-30, [-110, 50]],
      [30, [0, 60]], // an end that is zero leaves nothing out
    ]) {
      const profit = kpi("Profit", "more", "EUR", by, ends, money);
      const sentence = told(profit, kpi("Energy", "less", "kilowattHour", 30, [-1, 61]));
      assert.match(sentence, /^Third till: no difference can be told in “Profit” in 8 h \(95 %: .* to .* EUR\)\.$/);
      assert.doesNotMatch(sentence, /better|worse|more|less/);
      assert.equal(f.titleOf(profit), "Profit");
      assert.equal(f.moved(profit), false);
      const [gain] = f.gainsOf(profit);
      assert.equal(f.unsure(gain), true);
      assert.equal(f.sure(gain), false);
      assert.match(text(f.told(between(profit), profit, { costs: [0, 5] })), /cannot be told from “as it would be”/);
    }
  });

  test("nothing at all is no difference, in words that claim no interval", () => {
    assert.match(told(kpi("Profit", "more", "EUR", 0, [0, 0], money)), /come[s]? to the same/);
  });

  const CASES = {
    "clear better": { by: 421, ends: [404, 438], claims: true, verdict: "better" },
    "clear worse": { by: -421, ends: [-438, -404], claims: true, verdict: "worse" },
    "spans zero": { by: 30, ends: [-50, 110], claims: false, verdict: "unclear" },
    "interval missing": { by: 421, ends: [undefined, null], claims: true, verdict: "better" },
    "of one run, unclear": { by: 421, ends: [null, null], claims: false, verdict: "unclear", said: "unclear" },
    "zero difference": { by: 0, ends: [0, 0], claims: false, verdict: "same" },
    "zero of one run": { by: 0, ends: [undefined, undefined], claims: false, verdict: "same" },
  };
  const CLAIM = /\b(better|worse|more|less|is best|is cheapest|behind)\b/;
  const space = (t) => t.replaceAll(/[\s\u2009]/g, " ");

  for (const [name, { by, ends, claims, verdict, said }] of Object.entries(CASES))
    test(`${name}: the same is said in sentence, title, table, mark, list and proposal`, () => {
      // What the server says of it does not stand above the interval: here it always says that it is better.
      const profit = { ...kpi("Profit", "more", "EUR", by, ends, money) };
      profit.values[1].verdict = said ?? "better";
      const way = profit.values[1];
      const c = between(profit);
      assert.equal(f.verdictOf(profit, way), verdict);
      assert.equal(f.effectOf(profit, way), claims ? by : 0);
      assert.equal(f.moved(profit), claims);
      assert.equal(f.titleOf(profit), claims ? `Profit: 421 EUR ${by > 0 ? "more" : "less"}` : "Profit");
      for (const besides of [{}, { costs: [0, 0] }]) {
        const sentence = space(text(f.told(c, profit, besides)));
        assert.equal(CLAIM.test(sentence), claims, sentence);
        if (verdict === "unclear") assert.match(sentence, /no difference can be told|cannot be told from/);
        if (verdict === "same") assert.match(sentence, /comes to the same/);
      }
      const [gain] = f.gainsOf(profit);
      assert.equal(f.sure(gain), claims && by > 0);
      assert.equal(f.unsure(gain), verdict === "unclear");
      assert.equal(f.isClear(profit, f.ranked(c, profit)), claims, "who is marked as the best");
      const d = { gain: by, gainLow: ends[0], gainHigh: ends[1], unit: "EUR" };
      if (said) return; // a rule tries many times: it always has an interval
      const [amount, interval] = {
        421: ["+421 EUR", "(95 %: 404 to 438)"],
        "-421": ["−421 EUR", "(95 %: −438 to −404)"],
        30: ["cannot be told", "(95 %: −50 to 110 EUR)"],
        0: ["0 EUR", ""],
      }[by];
      assert.equal(space(f.gain.gainText(d)), amount);
      assert.equal(space(f.gain.gainInterval(d)), ends[0] === undefined ? "" : interval);
    });

  const ways = (name, gains, unit = "EUR") => ({
    ...kpi(name, "more", unit, 0, [0, 0], money),
    values: [["do nothing", 0], ...gains].map(([world, by], i) => ({
      world,
      value: 1000 + by,
      ...(i ? { difference: by, differenceLow: by - 20, differenceHigh: by + 20 } : {}),
    })),
  });
  const side = (...kpis) => ({
    worlds: kpis[0].values.map((v) => ({ name: v.world, state: "done", begin, now, changes: [] })),
    kpis,
  });

  test("two ways of which nobody can say which is better: neither is called the best", () => {
    const value = ways("Value", [
      ["full", 110],
      ["gently", 100],
    ]); // each surely better than nothing, by 20 more or less
    const c = side(value);
    const told = space(text(f.told(c, value)));
    assert.match(told, /“full” looks cheapest: 110 EUR better than “do nothing”/);
    assert.match(told, /Next comes “gently”, 10 EUR behind: the two cannot be told apart\.$/);
    assert.equal(f.isClear(value, f.ranked(c, value)), false);
    // With the same chances in both it may be known all the same.
    const samples = new Map([["value", [0, 110, 100].map((by) => noise().map((x) => 1000 + by + x))]]);
    assert.match(space(text(f.told(c, value, { samples }))), /“full” is cheapest/);
    assert.equal(f.isClear(value, f.ranked(c, value), samples), true);
  });

  test("doing nothing is not called the cheapest as long as a way cannot be told from it", () => {
    const value = ways("Value", [
      ["dear", -100],
      ["open", -10],
    ]);
    assert.match(space(text(f.told(side(value), value))), /“open” looks best, but it cannot be told from “do nothing”/);
    value.values[1] = { ...value.values[1], difference: -5, differenceLow: -6, differenceHigh: -4 };
    const told = space(text(f.told(side(value), value)));
    assert.match(told, /“do nothing” looks cheapest: even “dear” costs 5 EUR more than it brings/);
    assert.match(told, /“open” cannot be told from “do nothing”\./);
    assert.equal(f.isClear(value, f.ranked(side(value), value)), false);
  });

  test("a rule's choice is the best only where that is beyond doubt", () => {
    const alternative = (action, by, half, more = {}) => ({
      action,
      objective: { mean: 1000 + by, gain: by, gainLow: by - half, gainHigh: by + half },
      samples: noise().map((x) => 1000 + by + x * half),
      limits: [],
      ...more,
    });
    const nothing = alternative("nothing", 0, 0);
    const full = alternative("full", 100, 5);
    const { surelyBest } = f.gain;
    assert.equal(surelyBest([nothing, full, alternative("gently", 20, 5)], full), true);
    assert.equal(surelyBest([nothing, alternative("full", 100, 150)], alternative("full", 100, 150)), false);
    const other = noise().map((x, i) => 1099 + (i % 2 ? 9 : -9) + x);
    const near = alternative("gently", 99, 5, { samples: other });
    assert.equal(surelyBest([nothing, full, near], full), false, "the next may be as good");
    assert.equal(surelyBest([nothing, full, { ...near, dropped: "it breaks a limit" }], full), true);
    assert.equal(surelyBest([nothing, alternative("full", -100, 5)], nothing), true);
    assert.equal(surelyBest([nothing, alternative("full", -10, 50)], nothing), false);
  });

  test("figures: points of percent, one scale for all bars, the interval in one wording, what hardly differs", () => {
    const yields = kpi("Yield", "more", "percent", -1.5, [-2, -1]);
    yields.values[0] = { world: "a", value: 99.5, low: 99.4, high: 99.6 };
    yields.values[1] = { ...yields.values[1], value: 98, relative: -0.0151 };
    const profit = kpi("Profit", "more", "EUR", 420, [400, 440]);
    const [b, p] = [yields.values[1], profit.values[1]];
    assert.equal(f.kpi.differenceText(yields, b), "−1.5 points");
    assert.equal(f.kpi.differenceText(yields, { ...b, difference: 1 }), "+1 point");
    assert.equal(f.kpi.relativeText(yields, b), "", "no percentage of a percentage");
    assert.equal(f.kpi.ownText(yields, yields.values[0]), "99.5 ± 0.1");
    assert.equal(f.kpi.ownText(yields, b), "98", "what is exact has no spread");
    assert.equal(space(f.kpi.differenceText(profit, p)), "+420 EUR");
    assert.equal(space(f.kpi.relativeText(profit, p)), "+42 %");
    assert.equal(space(f.kpi.intervalText(p)), "95 %: +400 to +440");
    assert.equal(f.kpi.intervalText({ ...p, differenceHigh: null }), "", "of one end nothing is said");
    // 44 % of the first value is the farthest end of all: every bar is on that scale.
    const reach = f.kpi.reachOf([yields, profit]);
    assert.ok(Math.abs(reach - 0.44) < 1e-9);
    const end = (k) => f.kpi.placeOf(f.kpi.spanOf(k, k.values[1]).high, reach);
    assert.equal(end(profit), 96);
    assert.ok(Math.abs(end(yields) - (50 - (46 * 1) / 99.5 / 0.44)) < 1e-9);
    assert.equal(f.kpi.placeOf(-7, reach), 4, "what is farther ends at the edge");
    // Of more worlds than two the farthest of all of them.
    const three = { ...profit, values: [...profit.values, { ...p, world: "c", differenceHigh: 900 }] };
    assert.ok(Math.abs(f.kpi.reachOf([three]) - 0.9) < 1e-9);
    assert.equal(f.kpi.reachOf([kpi("Nothing", "more", "EUR", 0, [0, 0])]), 0.01);
    assert.equal(f.kpi.reachOf([kpi("Much", "more", "EUR", 9000, [8000, 9999])]), 1);
    const hardly = kpi("Bottles", "more", "unity", 0.01, [undefined, undefined]);
    assert.equal(f.moved(hardly), false, "1000 and 1000.01 are told as 1 000");
    const more = { ...hardly.values[1], value: 1010, difference: 10 };
    assert.equal(f.moved({ ...hardly, values: [hardly.values[0], more] }), true);
    assert.equal(f.kpi.differenceText(profit, { world: "b", value: null, difference: null }), "");
  });

  test("runs of other lengths: what adds up is told a day, and nobody says which is better", () => {
    const profit = kpi("Profit", "more", "EUR", 1000, [900, 1100], money);
    const least = { ...kpi("Least", "more", "bar", 2, [1, 3]), over: "min" };
    const counted = { counted: true, days: [1, 4], without: [], notes: [] };
    const out = f.alike({ ...counted, kpis: [profit, least], sentence: "It is better." });
    assert.match(space(out.sentence), /^A ran 1 d, B 4 d: what adds up is told per day/);
    const [p, l] = out.kpis;
    assert.deepEqual([p.values[1].value, p.values[1].difference], [500, -500]);
    assert.equal(f.verdictOf(p, p.values[1]), "less");
    assert.equal(f.kpi.intervalText(p.values[1]), "", "an interval of other spans holds no more");
    assert.equal(f.verdictOf(l, l.values[1]), undefined);
  });

  test("where other money ranks otherwise the finding says so, whichever of them counts", () => {
    const value = ways("Value", [
      ["full", 1700],
      ["gently", -4000],
    ]);
    const margin = ways("Margin", [
      ["full", -60],
      ["gently", 150],
    ]);
    const c = side(value, margin);
    const costs = [0, 12, 12];
    const [but, ...more] = f.told(c, value, { costs }).buts;
    assert.equal(
      but.text.replaceAll(/\s/g, " "),
      "But by “Margin” “full” is 72 EUR worse than “do nothing” (95 %: 52 to 92 EUR); by it “gently” is best.",
    );
    assert.deepEqual(more, []);
    const back = f.told(c, margin, { costs });
    assert.match(back.head, /^By “Margin”, “gently” is cheapest/);
    assert.match(back.buts[0].text, /^But by “Value” “gently” is 4.012 EUR worse .* by it “full” is best\.$/);
    // What agrees is no "but"; neither is what cannot be told.
    const agrees = ways("Margin", [
      ["full", 15],
      ["gently", -500],
    ]);
    assert.deepEqual(f.told(side(value, agrees), value).buts, []);
  });

  test("the next of the sentence is the next of the list, with the interval between the two", () => {
    const value = ways("Value", [
      ["full", 1700],
      ["fitter", 1300],
      ["late", -100],
    ]);
    const c = side(value);
    const samples = new Map([["value", [0, 1700, 1300, -100].map((by) => noise().map((x) => 1000 + by + x))]]);
    const wobbly = (by, i) => noise().map((x, n) => 1000 + by + x + (i === 2 ? (n % 2 ? 30 : -30) : 0));
    const t = f.told(c, value, { samples });
    assert.match(t.next.replaceAll(/\s/g, " "), /^Next comes “fitter”, 400 EUR behind \(95 %: 400 to 400 EUR\)\.$/);
    samples.set("value", [0, 1700, 1300, -100].map(wobbly));
    const [, low, high] = /95 %: (\d+) to (\d+) EUR/.exec(f.told(c, value, { samples }).next.replaceAll(/\s/g, " "));
    const half = (2.2622 * 30 * Math.sqrt(10 / 9)) / Math.sqrt(10); // t of 9 degrees of freedom
    assert.ok(Math.abs(Number(low) - (400 - half)) < 1 && Math.abs(Number(high) - (400 + half)) < 1, `${low} ${high}`);
    assert.deepEqual(
      f.ranked(c, value).map((g) => g.name),
      ["full", "fitter", "do nothing", "late"],
    );
    const second = ways("Value", [
      ["full", 1700],
      ["late", -100],
    ]);
    assert.equal(f.told(side(second), second).next, ""); // doing nothing is next: that is said already
  });
  const noise = () => [5, -3, 8, 1, -9, 4, 2, -6, 7, 0];

  test("courses that lie on each other are shown by how far they are apart", () => {
    const line = (label, value) => ({ label, unit: "EUR", time: [0, 10, 20], value });
    const lines = [line("a", [0, 500, 1000]), line("b", [0, 510, 1020]), { ...line("c", [0, 1020]), time: [0, 20] }];
    const apart = f.apartFrom(lines);
    assert.deepEqual(
      apart.map((l) => l.value),
      [
        [0, 0, 0],
        [0, 10, 20],
        [0, 20],
      ],
    );
    assert.equal(f.near(lines, apart), true);
    const far = [lines[0], line("d", [0, 200, 300])];
    assert.equal(f.near(far, f.apartFrom(far)), false);
  });

  test("each world has its own fan, the bands nested and around zero too; many worlds one band each", () => {
    const course = (shift) => ({
      times: [begin, now],
      values: [0, shift],
      lows: [-2, shift - 2],
      highs: [2, shift + 2],
      fan: [0.5, 0.8, 0.95].map((part) => ({ part, lows: [0, shift - 4 * part], highs: [0, shift + 4 * part] })),
    });
    const profit = kpi("Profit", "more", "EUR", 1, [-1, 3]);
    profit.values = profit.values.map((v, i) => ({ ...v, ...course(i) }));
    const lines = f.linesOf(between(profit), profit);
    assert.deepEqual(
      lines.map((l) => l.bands.map((b) => b.level)),
      [
        [50, 80, 95],
        [50, 80, 95],
      ],
    );
    for (const l of lines)
      l.bands.forEach((b, i) => {
        assert.ok(b.low[1] < l.value[1] && l.value[1] < b.high[1]);
        assert.ok(b.low[1] < 0 && b.high[1] > 0, "what spans zero is drawn on both sides of it");
        if (i > 0) assert.ok(b.low[1] < l.bands[i - 1].low[1] && b.high[1] > l.bands[i - 1].high[1]);
      });
    const worlds = ["a", "b", "c", "d"].map((name) => ({ name, begin, now, changes: [] }));
    const many = { ...between(profit), worlds };
    const four = { ...profit, values: [0, 1, 2, 3].map((i) => ({ ...profit.values[1], ...course(i) })) };
    assert.deepEqual(
      f.linesOf(many, four).map((l) => [l.bands, l.level]),
      Array.from({ length: 4 }, () => [undefined, 90]),
    );
  });
});
