// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// A twin's page in a real browser: the first look, charts with zoom, comparison and export, edits and links with ten
// steps back, worlds, a twin that is gone, the list of 100,000.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { bigWorld, broken, demoWithPast, post, serve, shot, suite } from "./web_kit.mjs";

const FILLER = "#/live/twin?sel=line-1-filler";
const api = "api-version=2023-10-31";

const calmHour = () => demoWithPast("--past", "1", "--calm");

suite("the browser app: twins and charts", calmHour, ({ at: opened, done, server }) => {
  const at = async (hash, o = {}) => {
    const page = await opened(hash, o);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    return page;
  };
  const twin = async (id, world = "") => (await fetch(`${server.url}${world}/digitaltwins/${id}?${api}`)).json();
  const links = async (id) =>
    (await (await fetch(`${server.url}/digitaltwins/${id}/relationships?${api}`)).json()).value;
  const until = async (is, what) => {
    for (let i = 0; i < 150; i++) {
      if (await is()) return;
      await new Promise((r) => setTimeout(r, 100));
    }
    assert.fail(what);
  };
  const chart = (page) => page.locator(".chart canvas").first();
  const plot = async (page) => {
    await chart(page).waitFor();
    await page.locator(".chart-value").first().waitFor();
    return page.locator(".u-over").first().boundingBox();
  };
  const row = (page, name) => page.locator(".prop").filter({ has: page.getByRole("button", { name, exact: true }) });

  test("the first look: what it is part of, what it is, how it is, what it does", async () => {
    const page = await at(FILLER);
    await page.getByRole("heading", { name: "Filler, Line 1" }).waitFor();
    const crumbs = page.getByRole("navigation", { name: "What it is part of" });
    await crumbs.getByRole("link", { name: "Line 1, still PET" }).waitFor();
    await page.locator(".twin-facts").getByRole("link", { name: "Filler" }).waitFor();
    await page.getByText("up to date").waitFor();
    await page.getByText("feeds it").first().waitFor();
    await row(page, "Power").getByText(/kW/).waitFor();
    await page.getByRole("heading", { name: "Drive" }).waitFor();
    await row(page, "Power").getByRole("button", { name: "Power", exact: true }).click();
    await page.getByText("Set by").waitFor();
    await page.getByText("local", { exact: true }).waitFor();
    await plot(page);
    await shot(page, "twin");
    await crumbs.getByRole("link", { name: "Line 1, still PET" }).click();
    await page.getByRole("heading", { name: "Line 1, still PET" }).waitFor();
    await done(page);
  });

  test("who set a value is asked again when a newer one came", async () => {
    let asked = 0;
    // What a past brought has no setter: just after a start that is what is told first.
    const before = (page) =>
      page.route(/\/history\?.*with=source/, async (r) => {
        const answer = await r.fetch().catch(() => null);
        if (!answer) return; // the page is closed
        const body = await answer.json();
        if (!asked++) for (const v of body.value) v.source = "";
        await r.fulfill({ response: answer, json: body }).catch(() => {});
      });
    const page = await at(FILLER, { before });
    await row(page, "Power").getByRole("button", { name: "Power", exact: true }).click();
    const set = page.locator(".facts div").filter({ hasText: "Set by" });
    await set.getByText("not recorded", { exact: true }).waitFor();
    await set.getByText("local", { exact: true }).waitFor();
    assert.ok(asked >= 2, `asked ${asked} times`);
    await done(page);
  });

  test("the sentence over a chart can be checked: the legend's value less the median of the plot", async () => {
    // An hour at 3 kW, told in intervals of 8 s, and up for the last two minutes.
    const flat = async (r) => {
      const q = new URL(r.request().url()).searchParams;
      if (q.get("fn") !== "avg,min,max,count" || q.get("properties") !== "power") return r.continue().catch(() => {});
      const end = Math.floor(Date.parse(q.get("to")) / 8000) * 8;
      const time = Array.from({ length: 449 }, (_, i) => end - (448 - i) * 8);
      const value = time.map((t) => (t < end - 120 ? 3 : 32));
      const columns = { avg: value, min: value, max: value, count: value.map(() => 8) };
      const body = { property: "power", unit: "kilowatt", timeUnit: "ns", time: time.map((t) => t * 1e9), ...columns };
      await r.fulfill({ contentType: "application/x-ndjson", body: JSON.stringify(body) + "\n" }).catch(() => {});
    };
    const page = await at(FILLER + "&p=power", { before: (p) => p.route(/line-1-filler\/history\?/, flat) });
    const said = page.locator(".chart-title");
    await said.getByText(/^Power is [\d.]+\skW above its median of the last 1\sh \(3\skW\)$/).waitFor();
    const [text, exact] = await page.evaluate(() => [
      document.querySelector(".chart-title").textContent,
      document.querySelector(".chart-value").title,
    ]);
    const by = Number(/is ([\d.]+)\skW/.exec(text)[1]);
    const now = Number(/Power: ([\d.]+)\skW/.exec(exact)[1]);
    assert.ok(now > 20 && Math.abs(now - 3 - by) < 0.06, `${text}: ${exact}`);
    await done(page);
  });

  test("the pencil: its field has the focus and is selected, each time; on live it says what it does", async () => {
    const page = await at(FILLER);
    const pen = (name) => page.getByRole("button", { name: `Change ${name}` });
    const focused = () =>
      page.evaluate(() => {
        const e = document.activeElement;
        return [e.getAttribute("aria-label"), e.value?.slice(e.selectionStart, e.selectionEnd)];
      });
    for (const [name, text] of [
      ["Maker", "Corvani"],
      ["Speed limit", "36000"],
      ["Maker", "Corvani"],
    ]) {
      await row(page, name).hover();
      await pen(name).click();
      assert.deepEqual(await focused(), [name, text]);
      await page.locator(".prop-edit").getByText("This is live: it sets the twin’s value for everybody").waitFor();
      await page.keyboard.press("Escape");
      await page.locator(".prop-edit").waitFor({ state: "detached" });
      assert.equal((await focused())[0], `Change ${name}`, "whoever goes on by keys is where they were");
    }
    // Values end where the card does; the pencil stands left of them and moves nothing.
    const edges = () =>
      page.evaluate(() => {
        const right = (e) => e.getBoundingClientRect().right;
        return [...document.querySelectorAll(".twin-values .prop")].map((p) => {
          const v = p.querySelector(".prop-value");
          return right(p) - right(v) + parseFloat(getComputedStyle(v).paddingRight);
        });
      });
    for (const edge of await edges()) assert.equal(edge, 16);
    await done(page);
  });

  test("charts: brush, double click, wheel and keys; the plain wheel scrolls the page", async () => {
    const page = await at(FILLER + "&p=power,drive.temperature,bowlPressure&span=900");
    const b = await plot(page);
    assert.equal(await page.locator(".chart canvas").count(), 2, "a third unit has a plot of its own");
    await page.mouse.move(b.x + b.width * 0.5, b.y + 40);
    await page.mouse.wheel(0, 300);
    assert.ok(!/from=/.test(page.url()), "the plain wheel changes nothing");
    // It scrolls a moment later: where the plot lies is read when it stands still there.
    const place = () => page.locator(".u-over").first().boundingBox();
    let again = await place();
    await until(async () => {
      const was = again;
      again = await place();
      return again.y < b.y - 100 && again.y === was.y;
    }, "the page scrolls");
    await page.mouse.move(again.x + again.width * 0.5, again.y + 40);
    await page.mouse.down();
    await page.mouse.move(again.x + again.width - 2, again.y + 60, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/from=.*to=/);
    const when = page.locator(".chart-when").filter({ hasText: /\d\d:\d\d/ });
    // The chart of the shorter time may come under a hand that rests already.
    for (let i = 0; i < 100 && !(await when.count()); i++) {
      await page.mouse.move(again.x + again.width * 0.9 - (i % 5), again.y + 60);
      await page.waitForTimeout(100);
    }
    await when.waitFor();
    const short = new URL(page.url().replace("#/", "")).searchParams;
    const seconds = (Date.parse(short.get("to")) - Date.parse(short.get("from"))) / 1000;
    assert.ok(seconds > 200 && seconds < 500, `${seconds} s of 900`);
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -200);
    await page.keyboard.up("Control");
    await page.waitForURL((u) => u.hash !== new URL(page.url()).hash || !u.hash.includes(short.get("to")));
    await page.locator(".u-over").first().dblclick();
    await page.waitForURL((u) => !/from=/.test(u.hash));
    await page.locator(".chart-value:enabled").first().waitFor();
    await page.locator(".chart").first().focus();
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowLeft");
    await page
      .locator(".chart-box [aria-live]")
      .filter({ hasText: /Power .*kW/ })
      .waitFor({ state: "attached" });
    await page.keyboard.press("+");
    await page.waitForURL(/from=/);
    await page.keyboard.press("0");
    await page.waitForURL((u) => !/from=/.test(u.hash));
    await done(page);
  });

  test("a past world, more time than there is history: the empty part says so, the end is the instant", async () => {
    const at7 = new Date(Date.now() - 20 * 60_000).toISOString().replace(/\.\d+Z/, "Z");
    const q = "properties=power&from=-2d&limit=1&";
    const first = await (await fetch(`${server.url}/digitaltwins/line-1-filler/history?${q}${api}`)).json();
    const page = await at(`#/live@${at7}/twin?sel=line-1-filler&p=power&span=604800`);
    await plot(page);
    const t = new Date(first.value[0].time);
    const clock = t.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false });
    await page.locator(".chart-nothing").getByText(`nothing before`).waitFor();
    assert.match(await page.locator(".chart-nothing").textContent(), new RegExp(`^nothing before (.* )?${clock}$`));
    assert.match(await page.locator(".chart").first().getAttribute("aria-label"), /nothing before/);
    await page
      .locator(".state-none")
      .getByText(/^nothing before/)
      .waitFor();
    const then = await twin("line-1-filler", `/worlds/live@${at7}`);
    const exact = await page.locator(".chart-value").first().getAttribute("title");
    assert.ok(exact.startsWith(`Power: ${then.power} kW`), `${exact}: the value of that instant is ${then.power}`);
    const left = await page
      .locator(".state-piece")
      .last()
      .evaluate((e) => e.textContent || e.title.split("\n")[0]);
    assert.equal(left, then.state);
    await page.evaluate(() => (location.hash = location.hash.replace("span=604800", "span=900")));
    await page.locator(".chart-nothing").waitFor({ state: "hidden" });
    await done(page);
  });

  test("charts: a span by hand, other twins and other times, all in the address", async () => {
    const page = await at(FILLER + "&p=power");
    await plot(page);
    await page.getByRole("button", { name: "8 h", exact: true }).click();
    await page.waitForURL(/span=28800/);
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByRole("button", { name: "The span before" }).click();
    await page.waitForURL(/vs=prev/);
    await page.getByLabel("Find a twin that has these values").fill("filler line 2");
    await page.getByRole("option", { name: /Filler, Line 2/ }).click();
    await page.waitForURL(/with=line-2-filler/);
    await page.getByRole("option", { name: /Filler, Line 2/, checked: true }).waitFor();
    await page.keyboard.press("Escape");
    const entries = page.locator(".chart-entry");
    await until(async () => (await entries.count()) === 4, "two twins, two times");
    await page.locator(".chart-name").filter({ hasText: "Power · Filler, Line 2" }).first().waitFor();
    await shot(page, "twin-beside");
    await page.getByRole("button", { name: "From … to …" }).click();
    await page.getByLabel("From", { exact: true }).fill("2026-01-02T10:00");
    await page.getByLabel("To", { exact: true }).fill("2026-01-02T09:00");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.getByText("The end lies before the beginning.").waitFor();
    await page.getByLabel("To", { exact: true }).fill("2026-01-02T11:00");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.waitForURL(/from=2026-01-02/);
    await page.getByText("No value came in this time").waitFor();
    await page.goBack();
    await page.waitForURL(/span=28800/);
    await page.getByRole("button", { name: "No longer beside: Filler, Line 2" }).click();
    await until(async () => (await entries.count()) === 2, "one twin, two times");
    await done(page);
  });

  test("charts leave as picture and as values; a clipboard that is forbidden is told", async () => {
    const page = await at(FILLER + "&p=power,bowlLevel&span=900");
    await plot(page);
    const menu = page.getByRole("button", { name: /^Copy or save/ });
    const take = async (name) => {
      await menu.click();
      await page.locator(".popover").getByRole("button", { name, exact: true }).click();
    };
    const saved = async (name) => {
      const [d] = await Promise.all([page.waitForEvent("download"), take(name)]);
      return readFileSync(await d.path());
    };
    const csv = (await saved("Save values (CSV)")).toString();
    assert.match(csv, /^time,Power \(kW\) \[[^\]]+\](,[^\r\n]*)?,Bowl level[^\r\n]*\r\n\d{4}-\d\d-\d\dT[\d:.]+Z,/);
    const svg = (await saved("Save as SVG")).toString();
    assert.match(svg, /^<svg .*Filler, Line 1.*kW/s);
    assert.match(svg, /\(UTC\)|\(GMT/);
    assert.match(svg, />State: \w+ [\d.]+\s%/, "with the states of the time");
    const png = await saved("Save as PNG");
    assert.deepEqual([...png.subarray(1, 4)], [0x50, 0x4e, 0x47]);
    assert.ok(png.readUInt32BE(16) === 1920, "sharp on sharp screens");
    await take("Copy values (CSV)");
    await page.getByText("The values are in the clipboard.").waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^time,Power \(kW\)/);
    await take("Copy as picture");
    await page.getByText("The picture is in the clipboard.").waitFor();
    await page.evaluate(() => {
      navigator.clipboard.writeText = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    });
    await take("Copy values (CSV)");
    await page.getByText(/did not allow the clipboard/).waitFor();
    const [d] = await Promise.all([
      page.waitForEvent("download"),
      page.locator(".toast").getByRole("button", { name: "Save values (CSV)" }).click(),
    ]);
    assert.match(d.suggestedFilename(), /\.csv$/);
    await done(page);
  });

  test("edits: what does not fit is said, ten steps back and forth, nobody's change is overwritten", async () => {
    const page = await at("#/live/twin?sel=cold-room-2");
    const note = "Floor area";
    const edit = async (value) => {
      await row(page, note).hover();
      await page.getByRole("button", { name: `Change ${note}` }).click();
      const field = page.getByLabel(note, { exact: true });
      await field.fill(value);
      await field.press("Enter");
    };
    const area = async () => (await twin("cold-room-2")).floorArea;
    await page.getByRole("heading", { name: "Cold room 2" }).waitFor();
    const was = await area();
    await edit("much");
    await page.getByText("That is no number.").waitFor();
    await page.keyboard.press("Escape");
    for (let i = 1; i <= 11; i++) {
      await edit(String(1000 + i));
      await until(async () => (await area()) === 1000 + i, `set to ${1000 + i}`);
      await row(page, note)
        .getByText(format(1000 + i))
        .waitFor();
    }
    await page.locator("h1").click();
    for (let i = 10; i >= 1; i--) {
      await page.keyboard.press("Control+z");
      await until(async () => (await area()) === 1000 + i, `back at ${1000 + i}`);
      await page
        .getByText(`Floor area is ${format(1000 + i)} m² again.`)
        .first()
        .waitFor();
    }
    await page.keyboard.press("Control+z");
    assert.equal(await area(), 1001, "ten steps, no more");
    assert.notEqual(was, 1001);
    await page.keyboard.press("Control+Shift+z");
    await until(async () => (await area()) === 1002, "forth again");
    // Somebody else comes between.
    await post(server.url, "/digitaltwins/cold-room-2", [{ op: "replace", path: "/floorArea", value: 7 }], "PATCH");
    await row(page, note).getByText("7", { exact: false }).first().waitFor();
    await page.keyboard.press("Control+z");
    await page.getByText(/Not taken back.*Somebody else set Floor area to 7/).waitFor();
    assert.equal(await area(), 7);
    await page.getByRole("button", { name: "Undo and redo" }).click();
    await page.getByText("Nothing to take back yet").waitFor();
    // Sensors write between reading and writing: the page tries again, the console tells of it.
    page.wrong = page.wrong.filter((w) => !/412/.test(w));
    await done(page);
  });

  test("links: added and removed, with the way back", async () => {
    const page = await at("#/live/twin?sel=pump-1");
    await page.getByRole("button", { name: "Add a link" }).click();
    await page.getByLabel("Kind of link").selectOption("locatedIn");
    await page.getByLabel("To which twin").fill("bottling hall");
    await page.getByRole("option", { name: /Bottling hall/ }).first().waitFor();
    await page.keyboard.press("Enter"); // what fits best is a key away
    const has = async () => (await links("pump-1")).some((l) => l.$targetId === "bottling-hall");
    await until(has, "linked");
    await page.getByText("Linked: Located in → Bottling hall.").waitFor();
    await page.locator("h1").click();
    await page.keyboard.press("Control+z");
    await until(async () => !(await has()), "the link is taken back");
    await page.getByText("No longer linked: Located in → Bottling hall.").waitFor();
    const before = (await links("pump-1")).find((l) => l.$relationshipName === "supplies");
    await page.locator(".link-row").filter({ hasText: "aw water tank" }).first().hover();
    await page.getByRole("button", { name: /^Remove the link Supplies/ }).click();
    const there = async () => (await links("pump-1")).find((l) => l.$relationshipId === before.$relationshipId);
    await until(async () => !(await there()), "removed");
    await page
      .locator(".toast")
      .filter({ hasText: "No longer linked: Supplies" })
      .getByRole("button", { name: "Undo", exact: true })
      .click();
    await until(async () => await there(), "it is back");
    assert.deepEqual({ ...(await there()), $etag: 0 }, { ...before, $etag: 0 }, "with its own values");
    await done(page);
  });

  test("a scenario is edited apart, live drawn beside; the past cannot be changed; who is gone is told", async () => {
    await post(server.url, "/worlds", { name: "apart", from: "live" });
    const page = await at("#/apart/twin?sel=line-1-filler&p=power&beside=live");
    await plot(page);
    await until(async () => (await page.locator(".chart-entry").count()) === 2, "live is beside");
    await page.locator(".chart-name").filter({ hasText: "Power, live" }).waitFor();
    await row(page, "Speed limit").hover();
    await page.getByRole("button", { name: "Change Speed limit" }).click();
    await page.getByLabel("Speed limit", { exact: true }).fill("20 000");
    await page.keyboard.press("Enter");
    await until(async () => (await twin("line-1-filler", "/worlds/apart")).speedLimit === 20000, "changed apart");
    assert.notEqual((await twin("line-1-filler")).speedLimit, 20000);
    await shot(page, "twin-scenario");
    await post(
      server.url,
      "/digitaltwins/short-lived",
      { $metadata: { $model: "dtmi:sosia:bottling:Aisle;1" } },
      "PUT",
    );
    await fetch(`${server.url}/digitaltwins/short-lived?${api}`, { method: "DELETE" });
    await page.goto(server.url + "/#/live/twin?sel=short-lived");
    await page.getByText("There is no twin “short-lived” in this world.").waitFor();
    await page.getByText(/It was deleted/).waitFor();
    page.wrong = page.wrong.filter((w) => !/404/.test(w));
    await page.goto(`${server.url}/#/live@${new Date(Date.now() - 2000).toISOString()}/twin?sel=line-1-filler`);
    await plot(page);
    assert.equal(await page.getByRole("button", { name: "Change Speed limit" }).count(), 0);
    assert.equal(await page.getByRole("button", { name: "Add a link" }).count(), 0);
    await done(page);
  });

  test("key values: said as they are defined, with a course that is read by the pointer, in any world", async () => {
    const share = {
      title: "Raw water as a share",
      unit: "percent",
      twin: "raw-water-tank",
      expression: "level * 0.01",
    };
    await post(server.url, "/kpis/raw-share", { ...share, over: "last" }, "PUT");
    await post(server.url, "/worlds", { name: "ahead", from: "live" });
    await post(server.url, "/worlds/ahead/run", { for: "PT1H" });
    const then = new Date(Date.now() - 20 * 60_000).toISOString();
    for (const world of ["live", `live@${then}`, "ahead"]) {
      const page = await at(`#/${world}/overview`);
      // Then nobody had defined it.
      const title = world.includes("@") ? "Raw water, lowest" : share.title;
      const tile = page.locator(".tile.kpi").filter({ hasText: title });
      await tile.locator(".spark-dot").waitFor({ state: "attached" });
      const [, text] = /([\d.]+)\s+%/.exec(await tile.textContent());
      assert.ok(Number(text) > 1.5 && Number(text) <= 100, `${world}: ${text} %`);
      await tile.locator(".spark").hover();
      await tile
        .locator(".spark-tip")
        .getByText(/^[\d.]+\s%\s.*\d\d:\d\d$/)
        .waitFor();
      if (world === "live") {
        // The same is computed on its twin: said once, as the KPI is called.
        const warmest = page.locator(".tile.kpi").filter({ hasText: "Warmest cold room" });
        await warmest.getByText("Cold store").waitFor();
        await warmest.getByText("°C", { exact: true }).waitFor();
        assert.equal(await warmest.count(), 1);
      }
      await done(page);
    }
  });

  test("key values: while they are read their room is kept, and nothing of another world is shown", async () => {
    let hold = false;
    const before = (page) =>
      page.route(/\/(kpis|derived|query)\b/, async (r) => {
        while (hold) await new Promise((d) => setTimeout(d, 100));
        await r.continue().catch(() => {});
      });
    const page = await at("#/live/overview", { before });
    const tiles = page.locator("section.kpis[aria-label]");
    await tiles.locator(".spark-dot").last().waitFor({ state: "attached" });
    const room = await tiles.evaluate((e) => [e.children.length, e.offsetHeight]);
    hold = true;
    const then = new Date(Date.now() - 20 * 60_000).toISOString();
    await page.evaluate((t) => (location.hash = `#/live@${t}/overview`), then);
    const waiting = page.locator("section.kpis[aria-hidden]");
    await waiting.waitFor();
    assert.equal(await tiles.count(), 0, "the values of live are no values of then");
    assert.deepEqual(await waiting.evaluate((e) => [e.children.length, e.offsetHeight]), room);
    await page.reload();
    await waiting.waitFor();
    assert.deepEqual(
      await waiting.evaluate((e) => [e.children.length, e.offsetHeight]),
      room,
      "also at the next visit",
    );
    hold = false;
    await tiles.locator(".figure").first().waitFor();
    await done(page);
  });

  test("the list: found, of a model, sorted, by keys", async () => {
    const page = await at("#/live/twin");
    await page.getByPlaceholder("Find twins by name or id").fill("filler");
    await page.getByText(/of 1\d\d twins/).waitFor();
    await page.getByRole("button", { name: "Name" }).click();
    await page.waitForURL(/sort=name/);
    await page.getByRole("columnheader", { name: "Name" }).and(page.locator("[aria-sort=ascending]")).waitFor();
    const first = await page.locator("tbody .col-name").first().textContent();
    await page.getByPlaceholder("Find twins by name or id").press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: first }).waitFor();
    await page.goto(server.url + "/#/live/twin");
    await page.getByLabel("Only of a model").selectOption({ label: await optionOf(page, "Cold room") });
    await page.waitForURL(/model=/);
    await until(
      async () => (await page.locator("tbody .col-name").allTextContents()).every((t) => /room/i.test(t)),
      "",
    );
    await done(page);
  });

  test("a list of 100,000: only what is in sight is made", async () => {
    const big = await bigWorld();
    try {
      const page = await opened("#/live/twin", { url: big.url });
      await page.getByText("100\u2009000 twins").waitFor();
      const made = () => page.locator("tbody tr[data-row]").count();
      assert.ok((await made()) < 80, `${await made()} rows`);
      await page.locator("tbody .col-name a").first().focus();
      await page.keyboard.press("End");
      await page.locator('tr[data-row="99999"]').waitFor();
      const took = await page.evaluate(async () => {
        const begun = performance.now();
        [...document.querySelectorAll("th button")][0].click();
        await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
        return performance.now() - begun;
      });
      console.log(`# 100,000 rows sorted and shown in ${Math.round(took)} ms`);
      await page.getByRole("link", { name: "Area 0", exact: true }).waitFor();
      assert.ok((await made()) < 80);
      await page.getByPlaceholder("Find twins by name or id").fill("sensor 77777");
      await page.getByRole("link", { name: "Sensor 77777", exact: true }).waitFor();
      await done(page);
    } finally {
      await big.stop();
    }
  });

  test("nothing for axe to say, light and dark, small and large", async () => {
    for (const [dark, width, hash] of [
      [false, 1280, FILLER + "&p=power,drive.temperature&vs=prev"],
      [true, 390, FILLER],
      [false, 1280, "#/live/twin"],
      [true, 2560, "#/live/twin?sel=cold-room-2"],
    ]) {
      const page = await at(hash, { dark, width, height: width === 390 ? 844 : 1000 });
      if (/sel=/.test(hash)) await plot(page);
      else await page.locator("tbody tr").first().waitFor();
      assert.deepEqual(await broken(page), [], `${hash} ${width}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.ok(!wide, "nothing runs off the side");
      await shot(page, `twin-${width}-${dark ? "dark" : "light"}${/sel=/.test(hash) ? "" : "-list"}`);
      await done(page);
    }
  });
});

/** As the page writes whole numbers. */
const format = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u2009");

const optionOf = async (page, name) =>
  (await page.locator("option").allTextContents()).find((t) => t.startsWith(name + " ("));

const PRESS = "dtmi:trouble:Press;1";
const field = (name, schema, more = {}) => ({ name, schema, ...more });
const gear = {
  "@type": "Enum",
  valueSchema: "string",
  enumValues: [
    { name: "low", enumValue: "low" },
    { name: "high", enumValue: "high", displayName: "Fast" },
  ],
};

/** A press with two numbers, a fault, and commands that take nothing, a number, an object and something deeper. */
async function press() {
  const server = await serve();
  const property = (name, schema) => ({ "@type": "Property", ...field(name, schema) });
  const command = (name, request, more = {}) => ({ "@type": "Command", name, ...(request && { request }), ...more });
  const restart = [field("gear", gear), field("slowly", "boolean"), field("why", "string")];
  await post(server.url, "/models", [
    {
      "@context": "dtmi:dtdl:context;3",
      "@id": PRESS,
      "@type": "Interface",
      contents: [
        property("label", "string"),
        property("fault", "string"),
        property("heat", "double"),
        property("load", "double"),
        command("acknowledge", undefined, { displayName: "Acknowledge it" }),
        command("setSpeed", field("speed", "integer")),
        command("restart", field("how", { "@type": "Object", fields: restart })),
        command("plan", field("steps", { "@type": "Array", elementSchema: "integer" })),
      ],
    },
  ]);
  const twin = { $metadata: { $model: PRESS }, label: "Press 1", fault: "stuck", heat: 20, load: 5 };
  await post(server.url, "/digitaltwins/press-1", twin, "PUT");
  return server;
}

suite("a twin in trouble", press, ({ at, done }) => {
  test("what is wrong stands under its name, and the chart opens on what announced it", async () => {
    // Heat is as ever; load rises for the last two of eight hours, but for a stop of ten minutes.
    const asked = [];
    const told = async (r) => {
      const q = new URL(r.request().url()).searchParams;
      if (q.get("step") !== "120s" || q.get("fn") !== "avg") return r.continue().catch(() => {});
      asked.push(q.get("properties"));
      const end = Date.parse(q.get("to")) / 1000;
      const time = Array.from({ length: 240 }, (_, i) => end - (240 - i) * 120);
      const column = (property, avg) =>
        JSON.stringify({ property, timeUnit: "ns", time: time.map((t) => t * 1e9), avg: time.map(avg) }) + "\n";
      const stop = (t) => t > end - 4200 && t < end - 3600;
      const rising = (t, i) => (stop(t) ? 0 : 5 + (i % 2) * 0.02 + Math.max(0, t - (end - 7200)) / 1800);
      const body = column("heat", (t, i) => 20 + (i % 5)) + column("load", rising);
      await r.fulfill({ contentType: "application/x-ndjson", body }).catch(() => {});
    };
    const page = await at("#/live/twin?sel=press-1", { before: (p) => p.route(/press-1\/history\?/, told) });
    const strip = page.getByRole("region", { name: "What is wrong" });
    await strip.getByText("stuck", { exact: true }).waitFor();
    await strip.getByText(/^since \d\d:\d\d/).waitFor();
    await strip.getByRole("button", { name: "Before it began" }).waitFor();
    const said = page.locator(".chart-title");
    await said.filter({ hasText: /^Load rose from about .*\d\d:\d\d; “stuck” came at .*\d\d:\d\d$/ }).waitFor();
    const [from, came] = (await said.textContent()).match(/\d\d:\d\d/g).map((t) => t.slice(0, 2) * 60 + +t.slice(3));
    const before = (came - from + 1440) % 1440;
    assert.ok(before > 100 && before < 125, `${before} minutes before`);
    const chosen = page.getByRole("group", { name: "Choose properties to draw" });
    await chosen.getByRole("button", { name: "Load", exact: true, pressed: true }).waitFor();
    await page.getByRole("button", { name: /^8\sh$/, pressed: true }).waitFor();
    assert.deepEqual([...new Set(asked)], ["heat,load"]);
    // Who chooses something else has it.
    await page.getByRole("button", { name: /^1\sh$/ }).click();
    await page.getByRole("button", { name: /^1\sh$/, pressed: true }).waitFor();
    await strip.getByRole("link", { name: "Try the repair" }).click();
    await page.waitForURL(/whatif\?.*about=press-1/);
    await done(page);
  });

  test("commands ask in fields, and are called what they do", async () => {
    const sent = [];
    const take = async (r) => {
      sent.push([r.request().url().replace(/.*commands\/|\?.*/g, ""), JSON.parse(r.request().postData() || "null")]);
      await r.fulfill({ contentType: "application/json", body: "12" });
    };
    const page = await at("#/live/twin?sel=press-1", { before: (p) => p.route(/\/commands\//, take) });
    const asked = [];
    page.on("dialog", (d) => (asked.push(d.message()), void d.accept()));
    const form = (name) => page.getByRole("form", { name });
    const send = async (name, n) => {
      await form(name).getByRole("button", { name, exact: true }).click();
      for (let i = 0; i < 50 && sent.length < n; i++) await page.waitForTimeout(100);
      return sent[n - 1];
    };
    assert.deepEqual(await send("Acknowledge it", 1), ["acknowledge", null]);
    await form("Acknowledge it").getByText("Done: the device answered 12.").waitFor();

    const speed = form("Set speed");
    await speed.getByRole("button", { name: "Set speed" }).click();
    await speed.getByText("Give a value for “Speed”.").waitFor();
    await speed.getByLabel("Speed").fill("fast");
    await speed.getByRole("button", { name: "Set speed" }).click();
    await speed.getByText("That is no whole number.").waitFor();
    assert.equal(sent.length, 1);
    await speed.getByLabel("Speed").fill("20 000");
    assert.deepEqual(await send("Set speed", 2), ["setSpeed", 20000]);

    // Nothing of it must be said; what is, is sent as what it is.
    assert.deepEqual(await send("Restart", 3), ["restart", {}]);
    await form("Restart").getByLabel("Gear (optional)").selectOption("Fast");
    await form("Restart").getByLabel("Slowly (optional)").selectOption("yes");
    assert.deepEqual(await send("Restart", 4), ["restart", { gear: "high", slowly: true }]);
    await form("Restart").getByRole("button", { name: "Edit as text" }).click();
    const text = form("Restart").getByLabel("What it takes, as JSON");
    assert.deepEqual(JSON.parse(await text.inputValue()), { gear: "high", slowly: true });
    await text.fill('{ "why": "a test" }');
    await form("Restart").getByRole("button", { name: "Edit as fields" }).click();
    assert.equal(await form("Restart").getByLabel("Why (optional)").inputValue(), "a test");

    // What is deeper is JSON from the beginning.
    await form("Plan").getByLabel("What it takes, as JSON").fill("[1, 2");
    await form("Plan").getByRole("button", { name: "Plan" }).click();
    await form("Plan").getByText("That is no JSON.").waitFor();
    await form("Plan").getByLabel("What it takes, as JSON").fill("[1, 2]");
    assert.deepEqual(await send("Plan", 5), ["plan", [1, 2]]);
    assert.equal(asked.length, 5, "each is confirmed, and nothing that cannot be sent");
    await done(page);
  });

  test("a hyphen in text is narrow, and digits of numbers are of one width", async () => {
    const page = await at("#/live/twin?sel=press-1");
    await page.getByRole("heading", { name: "Press 1" }).waitFor();
    const [hyphen, digit, one, eight] = await page.evaluate(() => {
      const width = (text, name) => {
        const e = document.createElement("span");
        Object.assign(e, { className: name, textContent: text.repeat(20) });
        e.style.position = "absolute";
        document.querySelector(".twin-head").append(e);
        const w = e.getBoundingClientRect().width;
        e.remove();
        return w;
      };
      return [width("-", ""), width("8", ""), width("1", "num"), width("8", "num")];
    });
    assert.ok(hyphen < digit * 0.8, `a hyphen takes ${hyphen} of a digit's ${digit}`);
    assert.ok(Math.abs(one - eight) < 0.5, `1 takes ${one}, 8 takes ${eight}`);
    await done(page);
  });
});
