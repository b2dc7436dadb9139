// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// The page when things are not as in the demo: nothing there yet, a server that refuses, one that wants a token.
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { broken, demo, post, serve, shots, suite } from "./web_kit.mjs";

const VIEWS = "overview graph map scene twin whatif compare decisions ask models connections".split(" ");
const still = (page) => page.waitForFunction(() => !document.querySelector(".skeleton"));

suite("the browser app without anything in it", serve, ({ at, done }) => {
  for (const dark of [false, true]) {
    for (const view of VIEWS) {
      test(`${view} teaches the next step, ${dark ? "dark" : "light"}`, async () => {
        const page = await at(`#/live/${view}`, { dark });
        await page.locator(".canvas > *").first().waitFor();
        await still(page);
        // Something to do or to read, not a blank canvas.
        await page.locator(".canvas").locator(".empty, form, textarea, [contenteditable]").first().waitFor();
        assert.deepEqual(await broken(page), []);
        await shots(page, `empty-${view}-${dark ? "dark" : "light"}`);
        await done(page, true);
      });
    }
  }

  for (const view of ["twin", "graph"])
    test(`${view}: without twins it leads to the steps that make some`, async () => {
      const page = await at(`#/live/${view}`);
      await page.getByRole("link", { name: "How to begin" }).click();
      await page.getByRole("heading", { name: "Nothing here yet" }).waitFor();
      await done(page);
    });
});

suite("the browser app and a server that refuses", demo, ({ at, done }) => {
  const FAILS = { code: "ServiceBusy", message: "The disk is full: free some space, then try again." };

  /** A page whose requests of a kind fail until it is told to let them through. */
  async function failing(hash, pattern, o = {}) {
    let on = true;
    const answer = (route) =>
      on
        ? route.fulfill({ status: 503, contentType: "application/json", body: JSON.stringify({ error: FAILS }) })
        : route.fallback();
    const page = await at(hash, { ...o, before: (p) => p.route(pattern, answer) });
    return { page, mend: () => (on = false) };
  }

  const CASES = [
    ["whatif", /\/whatifs(\?|\/|$)/],
    ["decisions", /\/rules(\?|\/|$)/],
    ["twin?sel=line-1-filler", /\/digitaltwins\/line-1-filler(\?|$)/],
    ["models", /\/models(\?|\/|$)/],
    ["connections", /\/connections(\?|\/|$)/],
    ["map", /\/files(\?|\/|$)/],
    ["scene", /\/files(\?|\/|$)/],
    ["ask?q=SELECT%20*%20FROM%20DIGITALTWINS", /\/query(\?|\/|$)/],
  ];
  for (const dark of [false, true]) {
    for (const [view, pattern] of CASES) {
      const name = view.split("?")[0];
      test(`${name} says in words what the server refused, ${dark ? "dark" : "light"}`, async () => {
        const { page, mend } = await failing(`#/live/${view}`, pattern, { dark });
        await page.getByText(/The disk is full: free some space/).first().waitFor();
        assert.deepEqual(await broken(page), []);
        await shots(page, `error-${name}-${dark ? "dark" : "light"}`);
        mend();
        // Each thing that could not be read has its own way on; some is asked for again by itself before.
        const again = page.getByRole("button", { name: /Try again$/ });
        for (let i = 0; i < 20 && (await again.count()); i++) {
          await again.first().click({ timeout: 2000 }).catch(() => {});
          await page.waitForTimeout(300);
        }
        await page.getByText(/The disk is full/).first().waitFor({ state: "detached" });
        await done(page, true);
      });
    }
  }

  test("a change that is refused stays in its field, with the reason", async () => {
    const page = await at("#/live/overview?sel=line-1-filler");
    const panel = page.getByRole("complementary");
    await panel.getByText("Corvani").waitFor();
    await page.route(/\/digitaltwins\/line-1-filler/, (route) =>
      route.request().method() === "PATCH"
        ? route.fulfill({ status: 503, contentType: "application/json", body: JSON.stringify({ error: FAILS }) })
        : route.fallback(),
    );
    await panel.getByText("Maker").hover();
    await panel.getByRole("button", { name: "Change Maker" }).click();
    await panel.getByRole("textbox", { name: "Maker" }).fill("Another house");
    await page.keyboard.press("Enter");
    await page.getByText(/The disk is full/).first().waitFor();
    assert.equal(await panel.getByRole("textbox", { name: "Maker" }).inputValue(), "Another house");
    await done(page, true);
  });
});

suite("the browser app while it does not know yet", demo, ({ at, done }) => {
  const WAITING = { id: 1, rule: "filler-jams", twin: "line-1-filler", state: "waiting", at: new Date().toISOString() };

  /** A page whose answers of a kind come only when they are let through; what it said meanwhile is remembered. */
  async function held(pattern, o = {}) {
    let free = () => {};
    const gate = new Promise((open) => (free = open));
    const page = await at("", {
      ...o,
      before: async (p) => {
        await p.addInitScript(() => {
          window.said = [];
          const look = () => {
            const tiles = [...document.querySelectorAll(".tiles")];
            const columns = tiles.map((e) => getComputedStyle(e).gridTemplateColumns);
            window.said.push({
              text: document.querySelector(".canvas")?.innerText ?? "",
              bell: document.querySelector(".bell")?.getAttribute("aria-label") ?? "",
              columns: columns.map((c) => c.split(" ").length).join(),
              tiles: document.querySelectorAll(".tiles > :not(.waiting)").length,
            });
            requestAnimationFrame(look);
          };
          requestAnimationFrame(look);
        });
        await p.route(pattern, async (route) => {
          await gate;
          await route.fallback().catch(() => {}); // the page may be gone
        });
        await o.more?.(p);
      },
    });
    const said = () => page.evaluate(() => window.said);
    return { page, free, said };
  }

  const CALM = /Nothing needs you|nothing needs you/;
  for (const [name, pattern] of [
    ["faults", /\/query(\?|$)/],
    ["decisions", /\/decisions(\?|$)/],
    ["models", /\/models(\?|$)/],
  ])
    test(`nothing is called fine before ${name} are read`, async () => {
      const { page, free, said } = await held(pattern);
      await page.waitForTimeout(3000); // everything else is there by then
      if (name !== "models") await page.getByText("Asking what needs you…").first().waitFor();
      for (const s of await said()) assert.doesNotMatch(s.text + s.bell, CALM);
      free();
      await page.locator(".fine").getByText("Nothing needs you.").waitFor();
      await done(page);
    });

  test("decisions alone are not shown as all that needs somebody", async () => {
    const answer = { revision: 1, stopped: false, more: false, value: [WAITING] };
    const waits = (p) =>
      p.route(/\/decisions\?/, (route) =>
        route.request().url().includes("wait=") ? new Promise(() => {}) : route.fulfill({ json: answer }),
      );
    const { page, free, said } = await held(/\/query(\?|$)/, { more: waits });
    await page.waitForTimeout(2000);
    for (const s of await said()) assert.doesNotMatch(s.text + s.bell, /thing needs you|a decision waits/i);
    free();
    await page.locator(".need.waits").first().waitFor();
    await done(page, true);
  });

  test("tiles come in the columns in which they stay", async () => {
    const { page, free, said } = await held(/nothing-is-held/);
    free();
    await page.locator(".tiles .spark").first().waitFor();
    await page.waitForTimeout(1500);
    const seen = (await said()).filter((s) => s.tiles > 1).map((s) => s.columns);
    assert.equal(new Set(seen).size, 1, [...new Set(seen)].join(" then "));
    await done(page);
  });
});

const SECRET = "a-token-of-some-length-0123456789";

function withToken() {
  const tokens = join(mkdtempSync(join(tmpdir(), "sosia-web-tokens-")), "tokens");
  writeFileSync(tokens, SECRET + "\n", { mode: 0o600 });
  return serve("--token-file", tokens);
}

suite("the browser app and a server that wants a token", withToken, ({ at, server }) => {
  test("a wrong token is told so, the right one lets in and is nowhere a script can read it", async () => {
    const page = await at("");
    const field = page.getByLabel("Access token");
    await field.fill("not-the-token-but-long-enough-0123");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("The server does not know this token.").waitFor();
    assert.deepEqual(await broken(page), []);
    await shots(page, "signin-light");
    await field.fill(SECRET);
    await page.getByRole("button", { name: "Sign in" }).click();
    await field.waitFor({ state: "detached" });
    await page.locator(".canvas .empty").first().waitFor();
    const readable = await page.evaluate(() =>
      JSON.stringify([location.href, document.cookie, { ...localStorage }, { ...sessionStorage }, history.state]),
    );
    assert.ok(!readable.includes(SECRET), readable);
    assert.ok(!/sosia_session/.test(readable), readable);
    const cookies = await page.context().cookies();
    assert.ok(cookies.length === 1 && cookies[0].httpOnly && cookies[0].sameSite === "Strict");
    await page.context().close();
  });

  test("the policy of the page allows nothing inline and nothing from elsewhere", async () => {
    const policy = (await fetch(server.url + "/")).headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'/);
    assert.ok(!/unsafe|\*|https?:/.test(policy), policy);
    const page = await at("");
    const ran = await page.evaluate(() => {
      const s = document.createElement("script");
      s.textContent = "window.inlineRan = true";
      document.body.append(s);
      return window.inlineRan === true;
    });
    assert.equal(ran, false);
    await page.context().close();
  });
});

const alerting = {
  "@context": "dtmi:dtdl:context;3",
  "@id": "dtmi:test:Pit;1",
  "@type": "Interface",
  contents: [
    { "@type": "Property", name: "label", schema: "string" },
    { "@type": "Property", name: "leaking", schema: "boolean", comment: "alert: water where none belongs" },
    { "@type": "Property", name: "error", schema: "double", comment: "no alert: what control makes up for" },
    { "@type": "Property", name: "alarm", schema: "string" },
    {
      "@type": "Property",
      name: "level",
      schema: {
        "@type": "Enum",
        valueSchema: "string",
        enumValues: [
          { name: "fine", enumValue: "fine" },
          { name: "high", enumValue: "high", comment: "alert", displayName: "high water" },
        ],
      },
    },
  ],
};

async function pits() {
  const server = await serve();
  await post(server.url, "/models", [alerting]);
  const pit = (id, more) =>
    post(server.url, `/digitaltwins/${id}`, { $metadata: { $model: alerting["@id"] }, label: id, ...more }, "PUT");
  await pit("leaks", { leaking: true, level: "fine" });
  await pit("controlled", { leaking: false, error: 0.7, level: "fine" });
  await pit("guessed", { alarm: "door open" });
  await pit("full", { level: "fine" });
  return server;
}

suite("the browser app and models that say what is wrong", pits, ({ at, done, server }) => {
  test("what a model calls an alert needs somebody; where it says nothing names are looked at", async () => {
    const page = await at("");
    await page.getByText("2 things need you.").waitFor();
    const needs = page.locator(".needs");
    await needs.getByText("leaks", { exact: true }).waitFor();
    await needs.getByText("door open").waitFor();
    assert.equal(await needs.getByText("controlled").count(), 0);
    await post(server.url, "/digitaltwins/full", [{ op: "replace", path: "/level", value: "high" }], "PATCH");
    await page.getByText("3 things need you.").waitFor();
    await needs.getByText("high water").waitFor();
    await post(server.url, "/digitaltwins/full", [{ op: "replace", path: "/level", value: "fine" }], "PATCH");
    await page.getByText("2 things need you.").waitFor();
    await done(page);
  });

  test("what clears is counted no more: in the sentence, at the bell, in the tree", async () => {
    const say = (id, path, value) =>
      post(server.url, `/digitaltwins/${id}`, [{ op: "add", path: `/${path}`, value }], "PATCH");
    const page = await at("");
    await page.getByRole("treeitem", { name: /^Pit/ }).click();
    const counted = async (n) => {
      const text = n === 0 ? "Nothing needs you." : n === 1 ? "One thing needs you." : `${n} things need you.`;
      await page.getByText(text, { exact: true }).first().waitFor();
      const bell = n === 0 ? "nothing needs you" : n === 1 ? "1 thing needs you" : `${n} things need you`;
      await page.getByRole("button", { name: `What needs you: ${bell}`, exact: true }).waitFor();
      assert.equal(await page.locator(".bell").getAttribute("title"), bell);
      assert.deepEqual(await page.locator(".bell .badge").allTextContents(), n ? [String(n)] : []);
      assert.equal(await page.locator(".needs .need").count(), n);
      assert.equal(await page.locator(".tree-row .chip.bad").count(), n);
    };
    const row = page.locator(".needs .need").filter({ hasText: "leaks" });
    await counted(2);
    // Of two values that say so one clears: it still needs somebody. Then the other: no more.
    await say("leaks", "alarm", "hatch open");
    await say("leaks", "leaking", false);
    await row.getByText("hatch open").waitFor();
    await counted(2);
    await say("leaks", "alarm", "");
    await counted(1);
    // It comes again: since now, not since the first time.
    await page.waitForTimeout(2100);
    const again = Date.now();
    await say("leaks", "leaking", true);
    await row.getByText(/since \d/).waitFor();
    const [h, m, sec] = /since (\d+):(\d+):(\d+)/.exec(await row.textContent()).slice(1).map(Number);
    const since = new Date(again).setHours(h, m, sec);
    assert.ok(Math.abs(since - again) < 1900, `since ${h}:${m}:${sec}, it came again at ${new Date(again)}`);
    await counted(2);
    await fetch(`${server.url}/digitaltwins/leaks?api-version=2023-10-31`, { method: "DELETE" });
    await counted(1);
    await say("guessed", "alarm", "");
    await counted(0);
    await done(page);
  });
});

suite("the browser app where answers are late, lost or of another clock", pits, ({ at, done, server }) => {
  const needs = (page) => page.locator(".needs .need");
  const go = (page, hash) => page.evaluate((h) => (location.hash = h), hash);
  const past = () => new Date(Date.now() - 1000).toISOString().replace(/\.\d+Z/, "Z");
  const shifted = (ms) => (page) =>
    page.addInitScript((by) => {
      const Own = Date;
      globalThis.Date = class extends Own {
        constructor(...a) {
          super(...(a.length ? a : [Own.now() + by]));
        }
        static now() {
          return Own.now() + by;
        }
      };
    }, ms);

  test("what was wrong at an instant is unknown until it is read, and is asked for again by itself", async () => {
    const page = await at("");
    await page.getByText("2 things need you.").waitFor();
    await page.waitForTimeout(1500);
    let lost = true;
    await page.route(/worlds\/live@.*\/query/, (r) => (lost ? r.abort() : r.fallback()));
    await go(page, `#/live@${past()}/overview`);
    await page.getByText("What needs you could not be asked").first().waitFor();
    assert.equal(await needs(page).count(), 0);
    lost = false;
    await page.getByText("2 things were wrong then.").waitFor();
    await done(page, true);
  });

  test("nothing of one world stands under another's name while that is read", async () => {
    await post(server.url, "/worlds", { name: "late", from: "live" });
    const dry = [{ op: "replace", path: "/leaking", value: false }];
    await post(server.url, "/worlds/late/digitaltwins/leaks", dry, "PATCH");
    const page = await at("#/live/overview");
    await page.getByText("2 things need you.").waitFor();
    let slow = true;
    const wait = async (r) => {
      if (slow) await new Promise((over) => setTimeout(over, 4000));
      await r.fallback().catch(() => {});
    };
    await page.route(/worlds\/late\//, wait);
    await go(page, "#/late/overview");
    await page.getByText("Reading WHAT-IF late").waitFor();
    assert.equal(await needs(page).count(), 0);
    const opacity = () => page.locator(".canvas > .view").evaluate((e) => Number(getComputedStyle(e).opacity));
    assert.ok((await opacity()) < 0.5);
    slow = false;
    await page.getByText("One thing needs you.").waitFor();
    assert.equal(await opacity(), 1);
    const q = encodeURIComponent("SELECT $dtId, leaking FROM DIGITALTWINS WHERE $dtId = 'leaks'");
    await go(page, `#/live/ask?q=${q}`);
    const row = page.locator(".ask-result");
    await row.getByText(/^(yes|true)$/).waitFor();
    slow = true;
    await go(page, `#/late/ask?q=${q}`);
    await page.waitForTimeout(800);
    assert.equal(await row.count(), 0);
    slow = false;
    await row.getByText(/^(no|false)$/).waitFor();
    await done(page);
  });

  test("what was changed in a world that was discarded cannot be taken back in another of its name", async () => {
    await post(server.url, "/worlds", { name: "again", from: "live" });
    const page = await at("#/again/twin?sel=guessed");
    const menu = page.getByRole("button", { name: "Undo and redo" }).first();
    const field = page.getByRole("button", { name: /^Change Label/ }).first();
    await field.click();
    await page.getByRole("textbox", { name: "Label" }).first().fill("otherwise");
    await page.keyboard.press("Enter");
    await page.locator(".toast").getByText(/otherwise/).waitFor();
    await fetch(`${server.url}/worlds/again?api-version=2023-10-31`, { method: "DELETE" });
    await page.waitForTimeout(50);
    await post(server.url, "/worlds", { name: "again", from: "live" });
    await page.locator(".toast").waitFor({ state: "detached", timeout: 7500 });
    await menu.click();
    await page.getByText("Nothing to take back yet").waitFor();
    page.wrong = page.wrong.filter((one) => !/WebSocket/.test(one)); // of the world that is no more
    await done(page, true);
  });

  for (const hours of [2, -2])
    test(`a computer's clock that is ${hours} h off leaves the page true, and is said`, async () => {
      await post(server.url, "/digitaltwins/full", [{ op: "replace", path: "/level", value: "high" }], "PATCH");
      const page = await at("", { before: shifted(hours * 3600_000) });
      await page.getByText(`clock is 2\u2009h ${hours > 0 ? "ahead" : "behind"}`).waitFor();
      const row = needs(page).filter({ hasText: "high water" });
      await row.getByText(/since \d.*(now|\d+\u2009(s|min) ago)/).waitFor();
      const slider = page.getByRole("slider", { name: /time|instant/i }).or(page.locator(".tl-slider")).first();
      const end = Number(await slider.getAttribute("aria-valuenow"));
      assert.ok(Math.abs(end - Date.now()) < 5000, `the timeline ends ${(end - Date.now()) / 1000} s off`);
      await post(server.url, "/digitaltwins/full", [{ op: "replace", path: "/level", value: "fine" }], "PATCH");
      await done(page);
    });

  test("a clock that is well set is taken as it is, also where answers take long", async () => {
    const page = await at("", {
      before: (p) => p.route(/\/(models|graph|query)\?/, (r) => setTimeout(() => r.fallback().catch(() => {}), 4500)),
    });
    await page.getByText("2 things need you.").waitFor();
    assert.equal(await page.locator(".toast").count(), 0);
    const end = Number(await page.locator(".tl-slider").getAttribute("aria-valuenow"));
    assert.ok(Math.abs(end - Date.now()) < 2500, `the timeline ends ${end - Date.now()} ms off`);
    await done(page);
  });

  for (const text of ["1", "foo%201", "2026-11-23T15:00:00", "2026-11-23"])
    test(`live@${text} is no instant: the world as it is, and a word`, async () => {
      const page = await at(`#/live@${text}/overview`);
      await page.getByText(/is no instant such as/).waitFor();
      await page.getByRole("button", { name: /^LIVE/ }).first().waitFor();
      await page.getByText("2 things need you.").waitFor();
      await done(page);
    });

  test("what no twin has is nothing to colour by: nothing is asked, and it is said", async () => {
    const page = await at("#/live/graph?colour=nonsense&size=%3Cb%3E");
    await page.getByText("No twin here has “nonsense”.").waitFor();
    await page.getByText("No twin here has “<b>”.").waitFor();
    const chooser = page.getByRole("button", { name: /^Colour by/ });
    assert.doesNotMatch(await chooser.evaluate((e) => e.textContent + e.ariaLabel), /nonsense/);
    await done(page);
  });

  test("a view that is first opened without a connection comes when it is back, whole", async () => {
    const page = await at("");
    await page.getByText("2 things need you.").waitFor();
    await page.evaluate(() => (window.same = 1));
    await page.context().setOffline(true);
    await go(page, "#/live/ask");
    await page.getByText(/This view could not be loaded/).waitFor();
    await page.waitForTimeout(2500);
    await page.context().setOffline(false);
    await page.getByRole("heading", { name: "Ask", level: 1 }).waitFor();
    assert.equal(await page.evaluate(() => window.same), 1);
    const styled = () => [...document.querySelectorAll('link[rel="stylesheet"]')].every((l) => l.sheet);
    await page.waitForFunction(styled);
    await done(page, true);
  });
});
