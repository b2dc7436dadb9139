// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial daytime
// The tour of a first visit, and decisions in a real browser: a jammed filler is proposed about, approved with a note,
// watched and computed again; rules are read, changed and refused at their place; the hospital's are shown as well.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { axeFile, bundled, demo, noBundle, post, shot, SOSIA, suite } from "./web_kit.mjs";

const get = (url, path) => fetch(`${url}${path}?api-version=2023-10-31`).then((r) => r.json());

async function until(what, holds, seconds = 30) {
  for (let i = 0; i < 10 * seconds; i++) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.fail(`not in time: ${what}`);
}

/** What axe finds in a part of the page, as lines. */
async function axe(page, part) {
  await page.evaluate(readFileSync(axeFile(), "utf8"));
  return page.evaluate(async (selector) => {
    const r = await window.axe.run(selector, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] });
    return r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`);
  }, part);
}

suite("the tour and decisions in the browser app", demo, ({ at, done, server }) => {

  test("a first visit is led through the app, does what it is told, and is not led again", async () => {
    const page = await at("", { first: true });
    const card = page.locator(".tour-card");
    await card.getByRole("heading", { name: "One screen, three tenses" }).waitFor();
    assert.deepEqual(await axe(page, ".tour-card"), []);
    await shot(page, "tour-first");
    await card.getByRole("button", { name: "Next" }).click();
    await card.getByRole("heading", { name: "What is wrong comes first" }).waitFor();
    await page.getByRole("treeitem").first().click(); // by hand: that is noticed
    await card.getByText("Done. Go on.").waitFor();
    await card.getByRole("button", { name: "Next" }).click();
    await card.getByRole("button", { name: /^Go (back 10 minutes|to when it began)/ }).waitFor();
    await card.getByRole("button", { name: "Back", exact: true }).click();
    await card.getByRole("heading", { name: "What is wrong comes first" }).waitFor();
    await page.keyboard.press("Escape");
    await card.waitFor({ state: "detached" });
    await page.reload();
    await page.getByRole("treeitem").first().waitFor();
    await page.waitForTimeout(1500); // it would have begun by then
    assert.equal(await card.count(), 0);
    await page.keyboard.press("?");
    await page.getByRole("button", { name: "Take the tour" }).click();
    await card.getByText("Tour, step 1 of 6").waitFor();
    await done(page);
  });

  test("on a phone the tour fits; in a pane there is none", async () => {
    const page = await at("", { first: true, width: 390, height: 844 });
    const card = page.locator(".tour-card");
    await card.waitFor();
    for (let i = 0; i < 5; i++) {
      await page.waitForFunction(() => {
        const r = document.querySelector(".tour-card").getBoundingClientRect();
        return r.left >= 0 && r.top >= 0 && r.right <= innerWidth && r.bottom <= innerHeight;
      });
      await card.getByRole("button", { name: "Next" }).click();
    }
    await card.getByRole("button", { name: "Done" }).click();
    await done(page);
    const pane = await at("?pane#/live/overview", { first: true });
    await pane.waitForTimeout(2000);
    assert.equal(await pane.locator(".tour-card").count(), 0);
    await done(pane);
  });

  test("a jam is proposed about, approved with a note, watched, and computed again", async () => {
    const jam = spawn(join(dirname(SOSIA), "sosia-site"), ["--jam", "line-1", "--url", server.url]);
    await new Promise((over) => jam.on("exit", over));
    await until("the jam", async () => (await get(server.url, "/digitaltwins/line-1-filler")).fault);
    const page = await at("#/live/decisions");
    await page.getByLabel("For which twin").selectOption("line-1-filler");
    await page.getByRole("button", { name: "Try now" }).click();
    await page.getByText("It waits for your approval.").waitFor();
    await page.locator(".finding").filter({ hasText: /EUR more/ }).waitFor();
    await page
      .getByRole("listitem")
      .filter({ hasText: "Clear the jam and run on at full speed" })
      .getByText("best")
      .waitFor();
    await page.getByText(/It must keep: Water of line 1/).waitFor();
    await page.getByRole("heading", { name: /^Tried as if done at .*: 30 runs each, 1\s?h ahead/ }).waitFor();
    await page.getByText("Nine of ten of its 30 runs lay in the band.").waitFor();
    assert.deepEqual(await axe(page, "#canvas"), []);
    await shot(page, "decision-waits");
    await page.getByRole("link", { name: "All decisions" }).click();
    const card = page.getByRole("article").filter({ hasText: "to decide" }).first();
    await card.getByText(/\+.* EUR/).waitFor();
    await card.getByText(/^more than doing nothing, over 1.h, if done at once$/).waitFor();
    await shot(page, "decisions-waiting");
    await card.getByRole("link", { name: "Look at it" }).click();
    await page.getByLabel("A note, for the record").fill("seen by the shift leader");
    await page.getByRole("button", { name: "Approve and send" }).click();
    const sure = page.getByRole("dialog", { name: /^Send “Clear jam” to Filler, Line 1/ });
    await sure.getByText(/cannot be undone|sends the command that undoes it/).waitFor();
    await page.keyboard.press("Enter"); // the focus is where nothing is sent
    await sure.waitFor({ state: "detached" });
    await page.getByText("It waits for your approval.").waitFor();
    await page.getByRole("button", { name: "Approve and send" }).click();
    await sure.getByRole("button", { name: "Approve and send" }).click();
    await page.getByText(/^Approved\. Filler, Line 1 took the command at .* is being watched\.$/).waitFor();
    await page.getByText(/^Filler, Line 1 took the command at/).waitFor();
    await page.getByText(/^(Awaited|Seen): Filler, Line 1, Fault/).waitFor();
    assert.equal(await page.getByText(/clearJam|answered 200/).count(), 0); // by their names, in words
    await page.getByText("taken by the device").waitFor();
    await page.getByText("being watched", { exact: true }).waitFor();
    await page.getByText("“seen by the shift leader”").waitFor();
    await page.getByRole("heading", { name: /^Foretold and happened: Bottles an hour/ }).waitFor();
    await page.locator(".chart canvas").first().waitFor();
    await page.getByRole("button", { name: "Compute it again" }).click();
    await page.getByText("the same, to the last bit").waitFor();
    await shot(page, "decision-watched");
    await done(page);
  });

  test("a cause that is gone is told where one decides, and what the device says to it in its own words", async () => {
    const jam = spawn(join(dirname(SOSIA), "sosia-site"), ["--jam", "line-2", "--url", server.url]);
    await new Promise((over) => jam.on("exit", over));
    const fault = async () => (await get(server.url, "/digitaltwins/line-2-filler")).fault;
    await until("the jam", fault);
    const d = await post(server.url, "/rules/filler-jams/try", { twin: "line-2-filler" });
    const page = await at(`#/live/decisions?id=${d.id}`);
    await page.getByText("It waits for your approval.").waitFor();
    await page.getByRole("button", { name: "Approve and send" }).waitFor();
    assert.equal(await page.getByText("It no longer holds").count(), 0);
    await post(server.url, "/digitaltwins/line-2-filler/commands/clearJam", {});
    await until("no jam", async () => !(await fault()), 90); // the star is reversed for half a minute
    const ended = /It no longer holds: Fault is none since (\d\d:\d\d:\d\d)/;
    const said = async () => ended.exec(await page.locator(".no-longer").first().innerText())?.[1];
    await page.getByText(ended).first().waitFor();
    assert.equal(await page.getByRole("button", { name: "Approve and send" }).count(), 0);
    const first = await said();
    await shot(page, "decision-gone");
    // It needs nobody any more: it is not counted, and stands last.
    const waiting = async () => (await get(server.url, "/decisions")).value.filter((x) => x.state === "waiting");
    assert.ok((await waiting()).length, "it still waits");
    assert.equal(await page.locator(".rail a", { hasText: "Decisions" }).locator(".badge").count(), 0);
    await page.getByRole("link", { name: "All decisions" }).click();
    await page.getByRole("heading", { name: "No longer needed: refuse it, or let it lapse" }).waitFor();
    const row = page.getByRole("article").filter({ hasText: "Filler, Line 2" }).first();
    await row.getByText(ended).waitFor();
    await row.getByRole("button", { name: "Refuse" }).waitFor();
    assert.equal(await page.getByRole("region", { name: "Proposals that wait for you" }).count(), 0);
    await page.waitForTimeout(25_000); // the source tells it again and again meanwhile
    await row.getByText(`Fault is none since ${first}`).waitFor();
    await page.goto(`${server.url}/#/live/overview`);
    await page.locator(".fine:not(.asking, .in-card), .needs").waitFor(); // a machine may have a fault of its own
    assert.equal(await page.locator(".needs .need.waits").count(), 0);
    await page.goto(`${server.url}/#/live/decisions?id=${d.id}`);
    await page.getByRole("button", { name: "Approve anyway" }).click();
    const sure = page.getByRole("dialog", { name: /^Send “Clear jam” to Filler, Line 2/ });
    await sure.getByText(/^It no longer holds: /).waitFor();
    await sure.getByRole("button", { name: "Approve anyway" }).click();
    await page.getByRole("alert").getByText("The device refused: there is no jam").waitFor();
    await done(page);
  });

  test("what another decision sent already, and what waits already, is said instead of asked again", async () => {
    const jam = spawn(join(dirname(SOSIA), "sosia-site"), ["--jam", "line-3", "--url", server.url]);
    await new Promise((over) => jam.on("exit", over));
    await until("the jam", async () => (await get(server.url, "/digitaltwins/line-3-filler")).fault);
    const made = [];
    for (let i = 0; i < 2; i++) made.push(await post(server.url, "/rules/filler-jams/try", { twin: "line-3-filler" }));
    const state = async (d) => (await get(server.url, `/decisions/${d.id}`)).state;
    for (const d of made) await until("it waits", async () => (await state(d)) === "waiting");
    const about = await at("#/live/whatif?about=line-3-filler");
    await about.getByRole("link", { name: "A proposal waits: look at it" }).click();
    await about.waitForURL(/decisions\?.*id=\d+/);
    await done(about);
    const page = await at("#/live/decisions");
    const cards = page.getByRole("region", { name: "Proposals that wait for you" }).getByRole("article");
    await until("two wait", async () => (await cards.filter({ hasText: "Filler, Line 3" }).count()) === 2);
    await post(server.url, `/decisions/${made[1].id}/approve`, {});
    const row = page.locator(".lapses").filter({ hasText: "Filler, Line 3" });
    await row.getByText(`Decision ${made[1].id} sent the same to Filler, Line 3 at`).waitFor();
    assert.equal(await cards.filter({ hasText: "Filler, Line 3" }).count(), 0);
    await post(server.url, `/decisions/${made[0].id}/refuse`, {});
    await row.waitFor({ state: "detached" });
    await until("no jam", async () => !(await get(server.url, "/digitaltwins/line-3-filler")).fault, 90);
    await done(page);
  });

  test("in another world it is said whose decisions these are; refusing is asked, with a reason", async () => {
    const jam = spawn(join(dirname(SOSIA), "sosia-site"), ["--jam", "line-3", "--url", server.url]);
    await new Promise((over) => jam.on("exit", over));
    await until("the jam", async () => (await get(server.url, "/digitaltwins/line-3-filler")).fault);
    const d = await post(server.url, "/rules/filler-jams/try", { twin: "line-3-filler" });
    const state = async () => (await get(server.url, `/decisions/${d.id}`)).state;
    await until("it waits", async () => (await state()) === "waiting");
    const then = new Date(Date.now() - 2000).toISOString();
    const page = await at(`#/live@${then}/decisions?id=${d.id}`);
    await page.getByText(/^These are the decisions of the live world/).waitFor();
    assert.equal(await page.getByRole("button", { name: /^(Refuse|Approve)/ }).count(), 0);
    await page.getByRole("button", { name: "Go to live to answer" }).waitFor();
    await page.getByRole("button", { name: "Go to live", exact: true }).click();
    await page.getByText(/^These are the decisions of the live world/).waitFor({ state: "detached" });
    assert.match(page.url(), /#\/live\/decisions/);
    await page.getByRole("button", { name: "Refuse" }).click();
    const sure = page.getByRole("dialog", { name: /^Refuse “.*” for Filler, Line 3\?$/ });
    await sure.getByLabel(/^Why, for the record/).fill("it runs");
    assert.equal(await state(), "waiting"); // not by one tap
    await sure.getByRole("button", { name: "Refuse" }).click();
    await page.getByText("Refused: nothing is sent.").waitFor();
    assert.equal((await get(server.url, `/decisions/${d.id}`)).approval.by[0].note, "it runs");
    await page.getByRole("link", { name: "All decisions" }).click();
    await page.getByRole("cell", { name: "Filler, Line 3" }).first().click(); // the whole row leads there
    await page.waitForURL(new RegExp(`id=${d.id}`));
    await done(page);
  });

  test("the repair leads to a proposal", async () => {
    const page = await at("#/live/whatif?about=line-2-filler");
    await page.getByRole("button", { name: "Propose it" }).click();
    await page.waitForURL(/decisions\?.*id=\d+/);
    await page.getByRole("heading", { name: "A filler jams: Filler, Line 2" }).waitFor();
    await page
      .locator(".chip")
      .filter({ hasText: /no sure gain|all break a limit|waits for approval/ })
      .first()
      .waitFor();
    await done(page);
  });

  test("a rule is read in words, refused at its place, made bolder only when asked twice", async () => {
    const page = await at("#/live/decisions?rule=filler-jams");
    await page.getByText("every Filler").waitFor();
    const text = page.getByRole("textbox", { name: "Its text (JSON)" });
    const before = await text.inputValue();
    await text.fill(before.replace('"min": 5', '"least": 5'));
    await page.getByRole("button", { name: "Save" }).click();
    await page
      .getByRole("alert")
      .filter({ hasText: /a limit/ })
      .waitFor();
    assert.equal(await page.locator(".code-editor .mistake").count() > 0, true);
    await text.fill(before.replace('"A filler jams"', '"A filler stands"'));
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { name: "A filler stands" }).waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("heading", { name: "A filler jams" }).waitFor();
    await page.getByRole("radio", { name: "By itself" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    assert.equal((await get(server.url, "/rules/filler-jams")).mode, "approve");
    await page.getByRole("radio", { name: "Record only" }).check();
    await until("shadow", async () => (await get(server.url, "/rules/filler-jams")).mode === "shadow");
    page.wrong = page.wrong.filter((w) => !/400/.test(w)); // the refused one
    await done(page);
  });

  test("a rule is made from nothing and deleted", async () => {
    const page = await at("#/live/decisions?rule=*");
    await page.getByLabel("Name", { exact: true }).fill("mine");
    const rule = await get(server.url, "/rules/filler-jams");
    delete rule.name;
    await page
      .getByRole("textbox", { name: "Its text (JSON)" })
      .fill(JSON.stringify({ ...rule, title: "Mine", mode: "shadow" }));
    await page.getByRole("button", { name: "Make the rule" }).click();
    await page.getByRole("heading", { name: "Mine" }).waitFor();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Mine is deleted.").waitFor();
    await done(page);
  });

  test("rules and decisions that could not be read are not said to be none; once more reads them", async () => {
    const refused = { status: 503, json: { error: { code: "Busy", message: "The disk is being mended." } } };
    let on = true;
    const before = async (page) => {
      for (const what of [/\/rules\?/, /\/decisions\?/])
        await page.route(what, (r) => (on ? r.fulfill(refused) : r.continue()));
    };
    const page = await at("#/live/decisions", { before });
    const card = (title) => page.locator(".card").filter({ has: page.getByRole("heading", { name: title }) });
    const told = ["Rules", "What was proposed and decided"].map((title) =>
      card(title).getByRole("alert").filter({ hasText: "The disk is being mended." }),
    );
    for (const alert of told) await alert.waitFor();
    assert.equal(await page.getByText(/No rules yet|Nothing was proposed yet/).count(), 0);
    assert.equal(await page.getByRole("alert").count(), 2);
    await shot(page, "decisions-refused");
    on = false;
    for (const alert of told) {
      await alert.getByRole("button", { name: "Try again" }).click();
      await alert.waitFor({ state: "detached" });
    }
    await card("Rules").getByRole("link", { name: "A filler jams" }).waitFor();
    const { value } = await get(server.url, "/decisions");
    const list = card("What was proposed and decided");
    if (value.length) await list.getByRole("row").nth(value.length).waitFor();
    else await list.getByText("Nothing was proposed yet").waitFor();
    await done(page, true);
  });

  test("sending is stopped and resumed", async () => {
    const page = await at("#/live/decisions");
    await page.getByRole("button", { name: "Stop all sending" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Stop all sending" }).click();
    await page.getByText("Sending is stopped").waitFor();
    await page.getByRole("button", { name: "Resume sending" }).click();
    await page.getByText("Sending is stopped").waitFor({ state: "detached" });
    await done(page);
  });

  test("the hospital: a rule's actions tried, in its own money", async () => {
    const hospital = await demo("--pack", "hospital");
    try {
      await post(hospital.url, "/rules/nurses-short/try", { twin: "nurses" });
      const page = await at("#/live/decisions?id=1", { url: hospital.url });
      await page.getByRole("heading", { name: "Too few nurses: Emergency nurses" }).waitFor();
      await page.locator(".finding").filter({ hasText: /GBP/ }).waitFor();
      await page.getByText("Call two nurses of the staff bank").first().waitFor();
      await shot(page, "decision-hospital");
      await page.goto(hospital.url + "/#/live/whatif?about=nurses");
      await page.getByRole("heading", { name: "What if Emergency nurses were otherwise?" }).waitFor();
      await page.getByRole("radio", { name: "30 times" }).check();
      await page.getByRole("button", { name: /^Try \d ways/ }).click();
      await page
        .locator(".finding")
        .filter({ hasText: /cheapest|cannot be told/ })
        .waitFor();
      await shot(page, "whatif-hospital");
      await done(page);
    } finally {
      await hospital.stop();
    }
  });
});

describe("what became of a decision", { skip: noBundle || false }, () => {
  test("a course that left its band on the good side is no alarm", async () => {
    const { sideOf } = await bundled({ "views/decisions/side.ts": "sideOf" });
    const band = { low: [1, 1, 1, null], high: [2, 2, 2, null] };
    const of = (seen, better) => sideOf({ ...band, seen }, better);
    assert.equal(of([1.5, 3, 4], "more"), "better");
    assert.equal(of([1.5, 3, 4], "less"), "worse");
    assert.equal(of([1.5, 0.5], "more"), "worse");
    assert.equal(of([1.5, 0.5], "less"), "better");
    assert.equal(of([3, 0.5, 1.5, 9], "less"), "better"); // the newest outside counts, where a band is
    assert.equal(of([1.5, 3], undefined), "out");
    assert.equal(of([1, 2, null], "more"), "out"); // on its edge it is in it
  });
});
