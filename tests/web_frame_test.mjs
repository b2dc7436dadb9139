// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// The frame of the browser app: what needs somebody, the timeline with its marks, worlds, the palette, the phone, and a
// server that goes away and comes back. A small world of its own, so that what happens is known.
import assert from "node:assert/strict";
import { test } from "node:test";
import { post, serve, suite } from "./web_kit.mjs";

const property = (name, schema, more = {}) => ({
  "@type": "Property",
  name,
  schema,
  ...more,
});
const model = (id, contents) => ({
  "@context": "dtmi:dtdl:context;3",
  "@id": id,
  "@type": "Interface",
  contents,
});
const patch = (server, path, value, twin = "pump-1") =>
  post(
    server.url,
    `/digitaltwins/${twin}`,
    [{ op: "add", path, value }],
    "PATCH",
  );

const pumps = (server) =>
  post(server.url, "/models", [
    model("dtmi:frame:Pump;1", [
      property("label", "string"),
      property("fault", "string"),
      property("flow", "double", { writable: true }),
    ]),
  ]);

async function plant(server) {
  await pumps(server);
  for (let i = 1; i <= 3; i++)
    await post(
      server.url,
      `/digitaltwins/pump-${i}`,
      {
        $metadata: { $model: "dtmi:frame:Pump;1" },
        label: `Pump ${i}`,
        fault: "",
        flow: 10 * i,
      },
      "PUT",
    );
}

/** The world of these tests, whichever of them runs first. */
async function planted(server) {
  const there = await fetch(`${server.url}/digitaltwins/pump-1?api-version=2023-10-31`);
  if (!there.ok) await plant(server);
}

/** Where something is, once it stands still: marks are joined as more of them is read. */
async function stillOf(page, locator) {
  let was = "";
  for (let i = 0; i < 50; i++) {
    const box = await locator.boundingBox();
    const now = JSON.stringify(box && [Math.round(box.x), Math.round(box.width)]);
    if (box && now === was) return box;
    was = now;
    await page.waitForTimeout(400);
  }
  assert.fail(`it does not stand still: ${was}`);
}

suite("the frame", serve, ({ at, done, server }) => {
  let wrongSince = 0;
  const hashOf = (page) => page.evaluate(() => location.hash);

  test("a server without anything says what comes next, and shows it when it comes", async () => {
    const page = await at("#/live/overview");
    await page.getByText("Nothing here yet").waitFor();
    await page.getByRole("link", { name: "Upload models" }).waitFor();
    await plant(server);
    await page.getByRole("treeitem", { name: /^Pump/ }).first().waitFor();
    await page.getByText("No KPIs yet").waitFor();
    await done(page);
  });

  test("what goes wrong is told at once, and one click goes back to before it began", async () => {
    const page = await at("#/live/overview");
    await page.getByText("Nothing needs you.").waitFor();
    // What is before has to be another second than what is after.
    await page.waitForTimeout(2500);
    await patch(server, "/fault", "worn bearing");
    wrongSince = Date.now();
    const needs = page.getByRole("region", { name: "What needs you" });
    await needs.getByText("worn bearing").waitFor();
    await page
      .getByRole("button", { name: "What needs you: 1 thing needs you" })
      .waitFor();
    await page
      .getByRole("status")
      .getByText("Pump 1: worn bearing")
      .waitFor({ state: "attached" });
    await needs.getByText(/since \d/).waitFor();
    await needs.getByRole("button", { name: "Before it began" }).click();
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    await page.getByText("Nothing was wrong then.").waitFor();
    assert.match(await hashOf(page), /sel=pump-1/);
    await page.keyboard.press("l");
    await needs.getByText("worn bearing").waitFor();
    await done(page);
  });

  test("the bell lists it in every view", async () => {
    const page = await at("#/live/models");
    await page
      .getByRole("button", { name: "What needs you: 1 thing needs you" })
      .click();
    const menu = page.getByRole("dialog", { name: "What needs you" });
    await menu.getByRole("button", { name: /Pump 1/ }).click();
    await page
      .getByRole("complementary")
      .getByRole("heading", { name: "Pump 1" })
      .waitFor();
    await done(page);
  });

  test("the timeline marks it: hovering tells, keys go from event to event", async () => {
    const page = await at("#/live/overview");
    const mark = page
      .getByRole("button", { name: /Pump 1: worn bearing/ })
      .and(page.locator(".tl-mark"));
    await mark.waitFor();
    await mark.hover();
    await page.locator(".tl-tip").getByText("Pump 1: worn bearing").waitFor();
    await page.mouse.move(400, 300);
    await page.waitForFunction((t) => Date.now() > t + 4000, wrongSince);
    await page.keyboard.press(",");
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    await page.getByText("One thing was wrong then.").waitFor();
    await page.keyboard.press(".");
    await page.getByRole("button", { name: /^LIVE/ }).first().waitFor();
    await done(page);
  });

  test("history begins where it begins: nobody is led to before it", async () => {
    const page = await at("#/live/overview");
    await page.locator(".tl-before").waitFor();
    const box = await page.locator(".tl-track").boundingBox();
    await page.mouse.move(box.x + 2, box.y + 14);
    await page.locator(".tl-tip").getByText("History begins here").waitFor();
    await page.mouse.down();
    await page.mouse.move(box.x + 30, box.y + 14);
    await page.mouse.up();
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    await page.keyboard.press("l");
    await page.getByRole("button", { name: /^LIVE/ }).first().waitFor();
    await done(page);
  });

  test("the handle is dragged by any part of it, and a drag may begin on a mark", async () => {
    await planted(server);
    // Something that happened, a while ago: its mark is not now.
    await patch(server, "/fault", "dry run", "pump-2");
    await new Promise((r) => setTimeout(r, 4000));
    await patch(server, "/fault", "", "pump-2");
    let told;
    const page = await at("#/live/overview", {
      before: (p) => void (told = p.waitForResponse((r) => /\/events\?/.test(r.url()))),
    });
    await page.locator(".tl-mark.bad").first().waitFor();
    await told;
    const box = await page.locator(".tl-track").boundingBox();
    const pull = async (from, to) => {
      await page.mouse.move(from, box.y + 15);
      await page.mouse.down();
      await page.mouse.move(from - 20, box.y + 15);
      await page.mouse.move(to, box.y + 15);
      await page.mouse.up();
      await page.getByRole("button", { name: /^PAST/ }).waitFor();
      const t = Date.parse((await hashOf(page)).match(/@([^/]+)/)[1]);
      await page.keyboard.press("l");
      await page.getByRole("button", { name: /^LIVE/ }).first().waitFor();
      return t;
    };
    // Everything is a minute old: what is dragged stands in the last of the history there is.
    await pull(box.x + box.width + 6, box.x + box.width - 60);
    const mark = await stillOf(page, page.locator(".tl-mark.bad").last());
    await pull(mark.x + mark.width / 2, box.x + 2);
    await stillOf(page, page.locator(".tl-mark.bad").last());
    await page.locator(".tl-mark.bad").last().click();
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    await done(page);
  });

  test("many that were made at once are told by how many", async () => {
    const own = await serve(); // where nothing else happens that the mark could be joined with
    try {
      await pumps(own);
      const lines = [{ Section: "Header" }, { fileVersion: "1.0.0" }, { Section: "Twins" }];
      for (let i = 0; i < 7; i++) lines.push({ $dtId: `spare-${i}`, $metadata: { $model: "dtmi:frame:Pump;1" } });
      const made = await fetch(`${own.url}/import`, {
        method: "POST",
        headers: { "Content-Type": "application/x-ndjson" },
        body: lines.map((l) => JSON.stringify(l) + "\n").join(""),
      });
      assert.equal(made.status, 200);
      const page = await at("#/live/overview", { url: own.url });
      await page.locator(".tl-mark").first().hover();
      await page.locator(".tl-tip").getByText("7 twins made (Pump)").waitFor();
      await done(page);
    } finally {
      await own.stop();
    }
  });

  test("how much is shown, and how fast it plays, is anybody's choice", async () => {
    const page = await at("#/live/overview");
    const span = page.getByRole("button", { name: /^How much is shown/ });
    await span.click();
    await page.getByRole("button", { name: /^Since the beginning/ }).click();
    await page.locator(".tl-before").waitFor();
    await span.click();
    await page.getByRole("button", { name: "Last 8\u2009h" }).click();
    const name = await span.getAttribute("aria-label");
    await page.locator(".tl-track").hover();
    await page.mouse.wheel(0, -300);
    await page.waitForFunction(
      (n) =>
        document.querySelector(".tl-choose").getAttribute("aria-label") !== n,
      name,
    );
    await page.getByRole("button", { name: /^Speed/ }).click();
    await page.getByLabel("Your own speed").fill("7");
    await page.getByLabel("Your own speed").press("Enter");
    await page.getByRole("button", { name: "Speed: 7×" }).waitFor();
    await page.waitForFunction(
      () =>
        !document.querySelector(".popover") &&
        document.activeElement === document.body,
    );
    await page.keyboard.press("Space");
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    const first = await hashOf(page);
    await page.waitForFunction((h) => location.hash !== h, first);
    await page.keyboard.press("l");
    await done(page);
  });

  test("worlds are found, and dropped by name", async () => {
    for (let i = 1; i <= 6; i++)
      await post(server.url, "/worlds", {
        name: `try-${i}`,
        from: "live",
        purpose: i === 4 ? "a smaller pump" : "",
      });
    const page = await at("#/live/overview");
    await page.getByTitle("Choose a world").click();
    await page.getByRole("searchbox", { name: "Find a world" }).fill("smaller");
    const menu = page.getByRole("dialog", { name: "Choose a world" });
    await menu.getByRole("button", { name: /^try-4/ }).waitFor();
    await menu
      .getByRole("button", { name: /^try-1/ })
      .waitFor({ state: "detached" });
    await menu.getByRole("button", { name: "Drop try-4" }).click();
    const sure = page.getByRole("dialog", { name: "Drop try-4?" });
    await sure.getByRole("button", { name: "Drop try-4" }).click();
    await page.getByText("try-4 is dropped.").waitFor();
    await done(page);
  });

  test("what a scenario foretells lies right of now, and where it was forked is marked", async () => {
    await post(server.url, "/worlds/try-2/run", { for: "PT8H" });
    const page = await at("#/live/overview");
    const bar = page.getByRole("button", { name: /^try-2: 8.h ahead/ });
    await page.getByTitle("Choose a world").click();
    const pin = page.getByRole("button", { name: "Show the future of try-2 in the timeline of live" });
    await pin.waitFor();
    assert.equal(await bar.count(), 0); // not for everybody
    await pin.click();
    await page.keyboard.press("Escape");
    await page.locator(".tl-future-name").getByText("try-2").waitFor();
    await bar.hover();
    await page
      .locator(".tl-tip")
      .getByText(/^try-2/)
      .waitFor();
    await bar.click();
    await page.getByRole("button", { name: /^WHAT-IF try-2/ }).waitFor();
    await page.locator(".tl-fork").waitFor();
    await done(page);
  });

  test("the past is forked where one looks, and a fork that nobody ran is run, not played", async () => {
    const page = await at("#/live/overview?sel=pump-1");
    const line = page.locator(".timeline");
    await page.getByRole("complementary").getByRole("button", { name: "Before it began" }).click();
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    const then = Date.parse((await hashOf(page)).match(/@([^/]+)/)[1]);
    assert.ok(then < wrongSince, `${then} is not before ${wrongSince}`);
    assert.equal(await line.getByRole("button", { name: "Run it…" }).count(), 0);
    await line.getByRole("button", { name: "Fork here" }).click();
    await page.getByRole("button", { name: /^WHAT-IF from-\d\d-\d\d.*\d\d:\d\d:\d\d/ }).waitFor();
    await page.getByRole("heading", { name: "Pump 1" }).waitFor();
    await line.getByRole("button", { name: "Play", exact: true }).click();
    await page.waitForFunction(() => document.activeElement.textContent.startsWith("Run "));
    const [, fork] = /^#\/(from-\d\d-\d\d)\/whatif/.exec(await hashOf(page));
    await page.getByRole("link", { name: "Overview" }).first().click();
    await line.getByRole("button", { name: "Run it…" }).click();
    await page.getByRole("heading", { name: `What-if: ${fork}` }).waitFor();
    await post(server.url, `/worlds/${fork}/run`, { for: "PT1H" });
    await page.getByRole("link", { name: "Overview" }).first().click();
    await line.getByRole("button", { name: "Its run" }).waitFor();
    await line.getByRole("button", { name: "Play", exact: true }).click();
    await page.getByRole("button", { name: /^PAST/ }).waitFor();
    const played = Date.parse((await hashOf(page)).match(/@([^/]+)/)[1]);
    assert.ok(played >= then, `it plays from ${played}, before the fork at ${then}`);
    await done(page);
  });

  test("what is over says after how long, and only what stands is red", async () => {
    const fault = (value) =>
      post(server.url, "/digitaltwins/pump-2", [{ op: "add", path: "/fault", value }], "PATCH");
    await fault("no water");
    const page = await at("#/live/overview");
    const row = page.locator(".change").filter({ hasText: "Pump 2: no water" });
    await row.getByText("still so").waitFor();
    await page.waitForTimeout(1500);
    await fault("");
    await row.getByText(/^over after \d/).waitFor();
    await page.locator(".change").filter({ hasText: "Pump 1: worn bearing" }).getByText("still so").waitFor();
    const faint = await page.locator(".tl-stretch.over").first().evaluate((e) => getComputedStyle(e).backgroundColor);
    const red = page.locator(".tl-stretch:not(.over)").first();
    assert.notEqual(faint, await red.evaluate((e) => getComputedStyle(e).backgroundColor));
    await done(page);
  });

  test("the list of twins is a click away while one is selected, which is marked in it", async () => {
    const page = await at("#/live/models?sel=pump-2");
    await page.locator(".rail").getByRole("link", { name: "Twins" }).click();
    await page.getByRole("row", { name: /Pump 3/ }).waitFor();
    const marked = page.locator(".list-table tr[aria-current=true]");
    assert.match(await marked.textContent(), /Pump 2/);
    await page.getByRole("complementary").getByRole("heading", { name: "Pump 2" }).waitFor();
    await marked.getByRole("link").click();
    await page.waitForFunction(() => /· Pump 2 ·/.test(document.title));
    await page.locator(".rail").getByRole("link", { name: "Twins" }).and(page.locator("[aria-current=page]")).waitFor();
    await done(page);
  });

  test("on a phone a what-if shows its clock uncut, and More stays More", async () => {
    await post(server.url, "/worlds", { name: "a-what-if-with-a-long-name-that-fits-nowhere", from: "live" });
    const page = await at("#/a-what-if-with-a-long-name-that-fits-nowhere/compare", { width: 390, height: 844 });
    const clock = page.locator(".world-more");
    await clock.getByText(/^\d\d:\d\d:\d\d$/).waitFor();
    const [own, around] = [await clock.boundingBox(), await page.locator(".world-switch").boundingBox()];
    assert.ok(own.x + own.width <= around.x + around.width, "the clock is cut");
    assert.ok(around.x + around.width < 390);
    await page.getByRole("button", { name: "More", exact: true }).waitFor();
    await done(page);
  });

  test("the palette finds twins, worlds and actions, and stays short", async () => {
    const page = await at("#/live/overview");
    await page.getByRole("treeitem").first().waitFor();
    await page.keyboard.press("Control+k");
    await page.getByRole("option").first().waitFor();
    assert.ok((await page.getByRole("option").count()) <= 30);
    await page.keyboard.type("pump 2");
    await page.getByRole("option", { name: /Pump 2/ }).waitFor();
    await page.keyboard.press("Enter");
    await page
      .getByRole("complementary")
      .getByRole("heading", { name: "Pump 2" })
      .waitFor();
    await page.keyboard.press("Control+k");
    await page.keyboard.type("dark or");
    await page.getByRole("option", { name: /Dark or light/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForFunction(
      () => document.documentElement.dataset.theme === "dark",
    );
    await done(page);
  });

  test("the timeline's marks say what happened, in the words of its kind", async () => {
    const own = await serve();
    try {
      await plant(own);
      await post(own.url, "/models", [model("dtmi:frame:Valve;1", [property("open", "boolean")])]);
      const valve = { $metadata: { $model: "dtmi:frame:Valve;1" }, open: false };
      await post(own.url, "/digitaltwins/valve-1", valve, "PUT");
      await patch(own, "/fault", "dry run");
      // What happens in one second is told by how many: each has one of its own.
      const second = () => new Promise((r) => setTimeout(r, 2100));
      await second();
      const pump = { $metadata: { $model: "dtmi:frame:Pump;1" }, label: "Pump 9", fault: "", flow: 1 };
      await post(own.url, "/digitaltwins/pump-9", pump, "PUT");
      await second();
      await fetch(`${own.url}/digitaltwins/valve-1?api-version=2023-10-31`, { method: "DELETE" });
      const page = await at("#/live/overview", { url: own.url });
      // Late, so that the pointer rests on the mark already when the others join it.
      await page.route(/\/events\?/, async (r) => {
        await new Promise((go) => setTimeout(go, 1500));
        await r.continue().catch(() => {});
      });
      await page.reload();
      await page.locator(".tl-mark").first().hover();
      const told = new Set();
      const wanted = [/^Pump 1: dry run$/, /^Pump 9 made \(Pump\)$/, /^valve-1 deleted$/, /^Model changed: Valve$/];
      // Marks lie together or apart, as wide as the page is: what each of them tells is told by one.
      for (let i = 0; i < 150 && !wanted.every((w) => [...told].some((t) => w.test(t))); i++) {
        await page.waitForTimeout(400);
        for (const mark of await page.locator(".tl-mark").all()) {
          await mark.hover({ timeout: 1000 }).catch(() => {});
          for (const t of await page.locator(".tl-tip .ellipsis").allTextContents()) told.add(t);
        }
      }
      for (const w of wanted) assert.ok([...told].some((t) => w.test(t)), `${w} is not among ${[...told]}`);
      await done(page);
    } finally {
      await own.stop();
    }
  });

  test("every menu of the frame says what it is, in its name and above its parts", async () => {
    await planted(server);
    const page = await at("#/live/overview");
    const menus = [
      [/^How much is shown/, "How much is shown", ["How much is shown", "From and to"]],
      [/^Speed/, "Speed", ["Speed"]],
      [/^LIVE/, "Choose a world", ["Fork what you see"]],
      [/^Appearance/, "Appearance", ["Appearance", "Density"]],
      [/^What needs you/, "What needs you", [/^(\d things? needs? you|Nothing needs you\.)$/]],
    ];
    for (const [button, name, titles] of menus) {
      await page.getByRole("button", { name: button }).first().click();
      const menu = page.getByRole("dialog", { name, exact: true });
      for (const t of titles) await menu.locator(".menu-title").getByText(t, { exact: true }).waitFor();
      await page.keyboard.press("Escape");
      await menu.waitFor({ state: "detached" });
    }
    await done(page);
  });

  test("what is missing in a field is told under it in our words, not in the browser's", async () => {
    const page = await at("#/live/overview");
    const under = (id) => page.locator(`#${id}-wrong`);
    const span = page.getByRole("button", { name: /^How much is shown/ });
    await span.click();
    await page.getByLabel("From", { exact: true }).fill("");
    await under("tl-from").getByText("Say when it begins.").waitFor();
    await page.getByLabel("From", { exact: true }).fill("2099-01-01T00:00");
    await under("tl-from").getByText("That has not come yet.").waitFor();
    await page.getByLabel("From", { exact: true }).fill("2026-01-02T10:00");
    await page.getByLabel("To", { exact: true }).fill("2026-01-02T09:00");
    await under("tl-to").getByText("It has to end after it begins.").waitFor();
    assert.equal(await page.getByLabel("To", { exact: true }).getAttribute("aria-describedby"), "tl-to-wrong");
    await page.getByLabel("To", { exact: true }).fill("");
    await under("tl-to").getByText("Say when it ends.").waitFor();
    assert.ok(await page.locator("form:has(#tl-to)").evaluate((f) => f.noValidate));

    await page.evaluate(() => (location.hash = "#/live/ask?q=SELECT%20*%20FROM%20DIGITALTWINS"));
    await page.getByRole("button", { name: "Save", exact: true }).first().click();
    await page.locator(".ask-save").getByRole("button").click();
    await under("ask-name").getByText("Give it a name: by it you find it again.").waitFor();
    await page.getByLabel("Name", { exact: true }).fill("all");
    await under("ask-name").waitFor({ state: "detached" });
    await page.locator(".ask-save").getByRole("button").click();
    await page.getByText("“all” is saved.").first().waitFor();

    await post(server.url, "/worlds", { name: "beside", from: "live" });
    await page.evaluate(() => (location.hash = "#/live/compare?with=beside"));
    await page.getByRole("button", { name: /^Choose world A/ }).click();
    await page.getByRole("button", { name: "Show it" }).click();
    await under("compare-instant").getByText("Say which day, and when on it.").waitFor();
    await done(page);
  });

  test("a view that is not there is said, and the overview is a click away", async () => {
    const page = await at("#/live/plan?sel=pump-1");
    await page.getByRole("heading", { name: "There is no view “plan”." }).waitFor();
    await page.getByRole("main").getByRole("link", { name: "To the overview" }).click();
    await page.getByRole("treeitem", { name: /^Pump/ }).first().waitFor();
    assert.equal(await hashOf(page), "#/live/overview?sel=pump-1");
    await done(page);
  });

  test("a twin is found by keys alone, wherever it is asked for by name", async () => {
    const page = await at("#/live/overview");
    const find = page.getByRole("searchbox", { name: "Find a twin" });
    await find.fill("pump");
    await find.press("ArrowDown");
    assert.match(await page.evaluate(() => document.activeElement.textContent), /^Pump \d/);
    await find.fill("pump 3");
    await find.press("Enter");
    await page.getByRole("complementary").getByRole("heading", { name: "Pump 3" }).waitFor();

    // The one field that all the others are.
    await page.evaluate(() => (location.hash = "#/live/graph?sel=pump-3"));
    await page.getByRole("button", { name: "Path to…" }).click();
    const path = page.getByRole("combobox", { name: "The twin to which the path leads" });
    await path.fill("pump");
    const chosen = page.getByRole("option", { selected: true });
    assert.match(await chosen.textContent(), /^Pump 1/);
    await path.press("ArrowUp"); // round, to the last
    assert.match(await chosen.textContent(), /^Pump 2/);
    assert.equal(await path.getAttribute("aria-activedescendant"), await chosen.getAttribute("id"));
    await path.fill("nobody");
    await page.getByText("Nothing is called “nobody”.").waitFor();
    assert.equal(await path.getAttribute("aria-expanded"), "false");
    await path.fill("pump 2");
    await path.press("Enter");
    await page.waitForURL(/path=pump-3(,|%2C)pump-2/);
    await done(page);
  });

  test("the tabs of the details are whole on a desk, on a wall and in larger letters", async () => {
    await planted(server);
    for (const width of [390, 1280, 2560]) {
      // Who is well: a glance at one in trouble is of what is wrong, and one pulls the sheet up.
      const page = await at("#/live/overview?sel=pump-3", { width, height: 1000 });
      const tabs = page.locator(".inspector [role=tablist]");
      await tabs.getByRole("tab", { name: "Commands" }).waitFor();
      const over = await tabs.evaluate((e) => e.scrollWidth - e.clientWidth);
      assert.ok(over <= 0, `${width}: ${over} pixels of the tabs are cut`);
      const large = width < 600 ? "18px" : "30px";
      await tabs.evaluate((e, size) => [...e.children].forEach((t) => (t.style.fontSize = size)), large);
      await tabs.getByRole("tab", { name: "Commands" }).click();
      const [tab, box] = [await tabs.getByRole("tab").last().boundingBox(), await tabs.boundingBox()];
      assert.ok(tab.x + tab.width <= box.x + box.width + 1, `${width}: it cannot be brought into sight`);
      await page.context().close();
    }
  });

  test("on a phone a table says how many columns more there are, and goes to them", async () => {
    await planted(server);
    const flow = { title: "Flow", unit: "", twin: "pump-1", expression: "flow", over: "last" };
    await post(server.url, "/kpis/flow", flow, "PUT");
    const names = ["side-a", "side-b", "side-c", "side-d"];
    for (const [i, name] of names.entries()) {
      await post(server.url, "/worlds", { name, from: "live" });
      const to = [{ op: "add", path: "/flow", value: 10 * i }];
      await post(server.url, `/worlds/${name}/digitaltwins/pump-1`, to, "PATCH");
      await post(server.url, `/worlds/${name}/run`, { for: "PT1M" });
    }
    const page = await at(`#/live/whatif?compare=${names}`, { width: 390, height: 844 });
    const table = page.getByRole("region", { name: "Side by side" });
    const more = table.getByRole("button", { name: /more columns?$/ });
    await more.waitFor();
    const hidden = async () => {
      const edge = await table.evaluate((e) => e.getBoundingClientRect().right);
      const ends = await table.locator("thead th").evaluateAll((l) => l.map((e) => e.getBoundingClientRect().right));
      return ends.filter((x) => x > edge + 2).length;
    };
    const n = await hidden();
    assert.ok(n > 0);
    assert.equal(await more.textContent().then((t) => t.trim()), n === 1 ? "1 more column" : `${n} more columns`);
    for (let i = 0; i < 8 && (await more.count()); i++) {
      await more.click();
      await page.waitForTimeout(300);
    }
    assert.equal(await hidden(), 0);
    await done(page);
  });

  test("on a phone the sheet's lowest stop ends with its tabs", async () => {
    await planted(server);
    const page = await at("#/live/overview?sel=pump-3", {
      width: 390,
      height: 844,
    });
    const tabs = page.locator(".inspector [role=tablist]");
    await tabs.waitFor();
    const bottom = (l) =>
      l.evaluate((e) => Math.round(e.getBoundingClientRect().bottom));
    const apart = async () =>
      (await bottom(page.locator(".inspector"))) - (await bottom(tabs));
    for (let i = 0; i < 50 && Math.abs(await apart()) > 2; i++)
      await page.waitForTimeout(100);
    const off = await apart();
    assert.ok(Math.abs(off) <= 2, `the tabs end ${off} pixels above the sheet`);
    await done(page);
  });

  test("on a phone the details are a sheet, and all views are within reach", async () => {
    const page = await at("#/live/overview", { width: 390, height: 844 });
    await page.getByRole("treeitem", { name: /^Pump/ }).first().waitFor();
    await page
      .getByRole("button", { name: /Pump 1/ })
      .first()
      .click();
    const sheet = page.getByRole("complementary");
    await sheet.getByRole("heading", { name: "Pump 1" }).waitFor();
    const low = (await sheet.boundingBox()).height;
    assert.ok(low < 140, `it hides ${low} pixels`);
    await sheet
      .getByRole("button", { name: "More or less of the details" })
      .click();
    await page.waitForFunction(
      (h) => document.querySelector(".inspector").offsetHeight > h * 1.5,
      low,
    );
    const handle = await sheet
      .getByRole("button", { name: "More or less of the details" })
      .boundingBox();
    await page.mouse.move(handle.x + 100, handle.y + 8);
    await page.mouse.down();
    await page.mouse.move(handle.x + 100, handle.y + 300, { steps: 6 });
    await page.mouse.move(handle.x + 100, 800, { steps: 4 });
    await page.mouse.up();
    await sheet.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "More", exact: true }).click();
    await page
      .getByRole("link", { name: "Models" })
      .and(page.locator(".menu-item"))
      .click();
    await page.waitForFunction(() => location.hash.includes("/models"));
    for (const view of [
      "overview",
      "graph",
      "whatif",
      "decisions",
      "ask",
      "models",
      "connections",
      "twin",
    ]) {
      await page.evaluate((v) => (location.hash = `#/live/${v}`), view);
      await page.locator(".view").first().waitFor();
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth,
      );
      assert.ok(wide <= 390, `${view} is ${wide} pixels wide`);
    }
    await done(page);
  });

  test("a world that is discarded elsewhere, or never was, is said in words, with the way back to live", async () => {
    await post(server.url, "/worlds", { name: "faster", from: "live" });
    const page = await at("#/faster/overview");
    await page.getByRole("button", { name: "WHAT-IF faster" }).waitFor();
    await page.getByRole("treeitem", { name: /^Pump/ }).first().waitFor();
    await fetch(`${server.url}/worlds/faster?api-version=2023-10-31`, {
      method: "DELETE",
    });
    await page.getByRole("heading", { name: "faster was discarded" }).waitFor();
    assert.equal(await page.locator(".lost-bar").count(), 0);
    await page.reload();
    await page
      .getByRole("heading", { name: "There is no world faster" })
      .waitFor();
    assert.equal(
      await page.locator(":root").getAttribute("data-world"),
      "missing",
    );
    await page
      .getByRole("main")
      .getByRole("button", { name: "Back to live" })
      .click();
    await page.getByRole("treeitem", { name: /^Pump/ }).first().waitFor();
    assert.equal(await hashOf(page), "#/live/overview");
    await page.context().close();
  });

  test("who comes first by a link stays where it leads, and is offered the tour", async () => {
    const page = await at("#/live/graph", { first: true });
    await page.locator(".toast").getByText("New here?").waitFor();
    assert.equal(await hashOf(page), "#/live/graph");
    assert.equal(await page.locator(".tour-card").count(), 0);
    await page
      .locator(".toast")
      .getByRole("button", { name: "Take the tour" })
      .click();
    await page.locator(".tour-card").waitFor();
    await done(page);
  });

  test("the server goes away and comes back: nothing typed is lost, and nothing loaded anew", async () => {
    const page = await at("#/live/overview?sel=pump-3");
    const panel = page.getByRole("complementary");
    await panel.getByText("30", { exact: true }).waitFor();
    await page.getByRole("searchbox", { name: "Find a twin" }).fill("pum");
    await page.evaluate(() => (window.same = true));
    await server.end("SIGKILL");
    await page.getByText(/No connection/).waitFor();
    await panel.getByText("30", { exact: true }).waitFor();
    const { port } = new URL(server.url);
    server.args = server.args.map((a) =>
      a.replace(/^127\.0\.0\.1:\d+$/, `127.0.0.1:${port}`),
    );
    await server.spawn(/"url":"(http[^"]+)"/);
    await page.getByText(/No connection/).waitFor({ state: "detached" });
    await post(
      server.url,
      "/digitaltwins/pump-3",
      [{ op: "add", path: "/flow", value: 31 }],
      "PATCH",
    );
    await panel.getByText("31", { exact: true }).waitFor();
    assert.equal(
      await page.getByRole("searchbox", { name: "Find a twin" }).inputValue(),
      "pum",
    );
    assert.equal(await page.evaluate(() => window.same), true);
    page.wrong = page.wrong.filter(
      (w) =>
        !/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|Failed to load resource/.test(
          w,
        ),
    );
    page.wrong = page.wrong.filter((w) => !/WebSocket connection/.test(w));
    await done(page);
  });
});
