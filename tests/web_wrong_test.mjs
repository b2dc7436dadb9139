// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// Every view while things go wrong: the server refuses whatever it is asked, answers late, is gone, or has nothing. No
// list says then that there is nothing in it, and each says what went wrong, with a way to ask again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { broken, demo, shot, suite } from "./web_kit.mjs";

const VIEWS = [
  "overview",
  "overview?sel=line-1-filler",
  "graph",
  "map",
  "scene",
  "twin",
  "twin?sel=line-1-filler",
  "whatif",
  "whatif?about=line-1-filler",
  "compare",
  "decisions",
  "ask?q=SELECT%20*%20FROM%20DIGITALTWINS",
  "models",
  "connections",
];
/** What pages say of what is empty, fine or gone: nobody can say so who was told nothing. */
const CLAIMS = new RegExp(
  [
    "Nothing here yet|Nothing needs you|Nothing is connected yet|Nothing has changed|Nothing in it|Events stay here",
    "No (KPIs|what-ifs|scenarios|rules|twins|models|links|history|routes|messages|errors|decisions) yet",
    "Nothing was proposed",
    "There is no twin|No links|No history|No rows|Everybody spoke|nobody|None yet",
  ].join("|"),
);
const asset = (url) => /^\/$|^\/assets\/|\.(js|css|svg|png|woff2|ico)$/.test(new URL(url).pathname);
const structure = (url) => /\/(graph|models)$/.test(new URL(url).pathname);
const ERROR = JSON.stringify({ error: { code: "InternalError", message: "The store is broken." } });
const refuse = (r) => r.fulfill({ status: 500, contentType: "application/json", body: ERROR });
const textOf = (page) => page.locator("body").innerText();

/** No view goes on saying what it does not know; somewhere there is a way to ask again. */
async function saysSo(page, view) {
  await page.getByText("The store is broken.").first().waitFor();
  await page.waitForTimeout(1500); // also what is asked later
  const claim = CLAIMS.exec(await textOf(page));
  assert.equal(claim, null, `${view} says “${claim?.[0]}”`);
  const wrongs = page.locator(".notice.bad").filter({ hasText: "The store is broken." });
  for (const one of await wrongs.all()) {
    const name = await one.getByRole("button").textContent();
    assert.equal(name, "Try again", `${view}: ${await one.innerText()}`);
  }
  assert.ok((await wrongs.count()) > 0);
}

/** Whatever way on there is, until none is left. */
async function goOn(page, view) {
  const again = page.getByRole("button", { name: /Try again$/ });
  for (let i = 0; i < 40 && (await again.count()); i++) {
    await again.first().click({ timeout: 1500 }).catch(() => {});
    await page.waitForTimeout(250);
  }
  assert.equal(await page.getByText("The store is broken.").count(), 0, view);
}

suite("the browser app while the server refuses everything", demo, ({ at, done }) => {
  for (const [what, spared] of [
    ["everything is refused", asset],
    ["all but what there is is refused", (url) => asset(url) || structure(url)],
  ])
    for (const view of VIEWS)
      test(`${view}: ${what}`, async () => {
        let on = true;
        const page = await at(`#/live/${view}`, {
          dark: view.length % 2 === 1,
          before: (p) => p.route("**/*", (r) => (on && !spared(r.request().url()) ? refuse(r) : r.fallback())),
        });
        const whole = what.startsWith("everything");
        if (whole || !/^(graph|twin|models)$/.test(view)) await saysSo(page, view);
        if (whole) assert.deepEqual(await broken(page), [], view);
        await shot(page, `refused-${whole ? "all" : "most"}-${view.replaceAll(/\W+/g, "-")}`);
        on = false;
        await goOn(page, view);
        await done(page, true);
      });

  test("the bell, the worlds and the timeline say so too", async () => {
    let on = true;
    const page = await at("#/live/models", {
      before: (p) =>
        p.route("**/*", (r) => {
          const url = r.request().url();
          return on && !asset(url) && !structure(url) ? refuse(r) : r.fallback();
        }),
    });
    await page.getByRole("button", { name: "What needs you: What needs you could not be asked" }).click();
    const bell = page.getByRole("dialog", { name: "What needs you" });
    await bell.getByText("The store is broken.").waitFor();
    assert.equal(await bell.getByText("Nothing needs you.").count(), 0);
    await page.keyboard.press("Escape");
    await page.getByTitle("Choose a world").click();
    const worlds = page.getByRole("dialog", { name: "Choose a world" });
    await worlds.getByText("The worlds could not be read").waitFor();
    await page.keyboard.press("Escape");
    const marks = page.getByRole("button", { name: "What happened could not be read. Try again" });
    await marks.waitFor();
    on = false;
    await marks.click();
    await marks.waitFor({ state: "detached" });
    await page.getByRole("button", { name: /^What needs you/ }).click();
    await bell.getByRole("button", { name: "Try again" }).click();
    await bell.getByText(/^Nothing needs you\.$|^\d things? needs? you$/).waitFor();
    await done(page, true);
  });
});

suite("the browser app while the server is late or gone", demo, ({ at, done }) => {
  for (const view of VIEWS)
    test(`${view}: late, it says nothing that it does not know`, async () => {
      let hold = true;
      const page = await at(`#/live/${view}`, {
        before: (p) =>
          p.route("**/*", async (r) => {
            while (hold && !asset(r.request().url())) await new Promise((d) => setTimeout(d, 100));
            await r.fallback().catch(() => {});
          }),
      });
      await page.locator(".canvas > *").first().waitFor();
      await page.waitForTimeout(1500);
      const claim = CLAIMS.exec(await textOf(page));
      assert.equal(claim, null, `${view} says “${claim?.[0]}”`);
      hold = false;
      await page.waitForFunction(() => !document.querySelector(".skeleton"));
      await done(page);
    });

  test("gone: what was read stays, a view that was not loaded waits for the server, and comes with it", async () => {
    const page = await at("#/live/overview");
    await page.getByRole("treeitem", { name: /Montefalda/ }).waitFor();
    await page.evaluate(() => (location.hash = "#/live/connections"));
    await page.getByRole("heading", { name: "Connections" }).waitFor();
    await page.context().setOffline(true);
    await page.evaluate(() => (location.hash = "#/live/models"));
    await page.getByText("This view could not be loaded").waitFor();
    await page.evaluate(() => (window.same = true));
    await page.getByRole("main").getByRole("button", { name: "Try again" }).click();
    await page.getByText(/No connection|does not answer/).first().waitFor();
    assert.equal(await page.evaluate(() => window.same), true, "the page is not thrown away for an answer that fails");
    await page.evaluate(() => (location.hash = "#/live/overview"));
    await page.getByRole("treeitem", { name: /Montefalda/ }).waitFor();
    // What was known stays said; of what is asked anew nothing is.
    const text = (await page.locator(".canvas").innerText()).replace("Nothing needs you.", "");
    assert.equal(CLAIMS.exec(text)?.[0] ?? "", "");
    await page.evaluate(() => (location.hash = "#/live/ask"));
    await page.getByText("This view could not be loaded").waitFor();
    await page.context().setOffline(false); // it comes by itself
    await page.locator("#ask-query").waitFor();
    assert.equal(await page.evaluate(() => window.same), true, "it is loaded without the page anew");
    page.wrong = page.wrong.filter((w) => !/ERR_INTERNET_DISCONNECTED|ERR_FAILED|Failed to (load|fetch)/.test(w));
    await done(page, true);
  });
});
