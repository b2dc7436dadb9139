// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// The graph as one works with it: paths, neighbourhoods, pins, saved views, colour and size by values, flow, keys,
// a phone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { demo, post, serve, shot, suite } from "./web_kit.mjs";

suite("the browser app: the graph", demo, ({ at: open, done, server }) => {
  const at = async (params, o = {}) => {
    const page = await open(`#/live/graph?${params}`, o);
    await page.locator(".graph-stage canvas").first().waitFor();
    await page.locator(".legend").waitFor();
    return page;
  };
  const params = (page) => new URLSearchParams(new URL(page.url()).hash.split("?")[1] ?? "");
  const until = async (page, name, value) => {
    await page.waitForFunction(
      ([n, v]) => (new URLSearchParams(location.hash.split("?")[1] ?? "").get(n) ?? "") === v,
      [name, value],
    );
  };
  /** Where the selected twin is drawn, once it rests, in the window. */
  const chosen = async (page) => {
    const place = await page.waitForFunction(() => {
      const box = document.querySelector(".graph-stage");
      const now = `${box.dataset.chosen}@${box.clientWidth}`;
      const rests = box.dataset.chosen && window.wasAt === now ? performance.now() - window.wasSince > 700 : false;
      if (window.wasAt !== now) [window.wasAt, window.wasSince] = [now, performance.now()];
      if (!rests) return null;
      const r = box.getBoundingClientRect();
      const [x, y] = box.dataset.chosen.split(",").map(Number);
      return { x: r.x + x, y: r.y + y };
    });
    return place.jsonValue();
  };
  const select = (page, id) =>
    page.evaluate((sel) => {
      const [path, query] = location.hash.split("?");
      const p = new URLSearchParams(query);
      p.set("sel", sel);
      location.hash = `${path}?${p}`;
    }, id);
  const choose = async (page, what, value) => {
    await page.getByRole("button", { name: new RegExp(`^${what}`) }).click();
    await page.getByLabel(`${what}: find`).fill(value);
    await page.keyboard.press("Enter");
  };
  const steps = (page) => page.getByRole("list", { name: "The twins on the path" }).getByRole("button");

  test("a path is asked for, told link by link, turned round, and left", async () => {
    const page = await at("sel=well-1");
    await page.getByRole("button", { name: "Path to…" }).click();
    await page.getByLabel("The twin to which the path leads").fill("line-1-filler");
    await page.keyboard.press("Enter");
    await until(page, "path", "well-1,line-1-filler");
    await page.getByText("Path of 5 links").waitFor();
    assert.equal(await steps(page).count(), 6);
    assert.match(await page.locator(".path-steps").innerText(), /Well 1\s+supplies\s+Well pump 1/);
    await shot(page, "graph-path");
    await page.evaluate(() => (location.hash = "#/live/graph?path=line-1-filler,well-1"));
    await page.getByText(/No path along the arrows leads from Filler, Line 1 to Well 1/).waitFor();
    await page.getByRole("button", { name: "Either way" }).click();
    await page.getByText(/^Path of \d links/).waitFor();
    await page.getByRole("button", { name: "Either way" }).click();
    await page.getByRole("button", { name: "One leads from Well 1 to Filler, Line 1" }).click();
    await page.getByText("Path of 5 links").waitFor();
    await page.goBack();
    await page.getByText(/No path along/).waitFor();
    await page.keyboard.press("Escape");
    await until(page, "path", "");
    await done(page);
  });

  test("a click with shift asks for the path from the selected twin", async () => {
    const page = await at("sel=line-1-filler", { width: 1600 });
    let there;
    for (const id of ["well-1", "line-1-filler", "well-1"]) {
      await select(page, id);
      await page.waitForFunction((x) => document.querySelector(".twin-tools a").href.endsWith(x), id);
      const now = await chosen(page); // until both are in sight, and nothing moves any more
      if (id === "line-1-filler") there = now;
    }
    await page.keyboard.down("Shift");
    await page.mouse.click(there.x, there.y);
    await page.keyboard.up("Shift");
    await until(page, "path", "well-1,line-1-filler");
    await done(page);
  });

  test("a neighbourhood grows by steps, is expanded, and Back leaves it", async () => {
    const page = await at("sel=line-1-filler");
    await page.getByRole("button", { name: "Only its neighbourhood" }).click();
    await until(page, "near", "line-1-filler,1");
    const bar = page.getByRole("region", { name: "Neighbourhood" });
    await bar.getByText("1 step", { exact: true }).waitFor();
    const few = Number.parseInt(await bar.getByText(/twins$/).innerText(), 10);
    await page.getByRole("button", { name: "One step more" }).click();
    await bar.getByText("2 steps").waitFor();
    const more = Number.parseInt(await bar.getByText(/twins$/).innerText(), 10);
    assert.ok(few > 3 && more > few, `${few} and ${more} twins`);
    await page.goBack();
    await bar.getByText("1 step", { exact: true }).waitFor();
    await select(page, "line-1");
    await page.getByRole("button", { name: "Show its neighbours" }).waitFor();
    await page.keyboard.press("e");
    await until(page, "near", "line-1-filler,1,line-1,1");
    await shot(page, "graph-near");
    await page.getByRole("button", { name: "Show the whole graph" }).click();
    await until(page, "near", "");
    await done(page);
  });

  test("a twin that is dragged stays there, also after a reload; undone and unpinned", async () => {
    const page = await at("sel=line-1-filler", { width: 1600 });
    const from = await chosen(page);
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(from.x + 60, from.y + 40, { steps: 6 });
    await page.mouse.up();
    const all = page.getByRole("button", { name: "Unpin the one pinned twin" });
    await all.waitFor();
    const to = await chosen(page);
    assert.ok(Math.abs(to.x - from.x - 60) < 6 && Math.abs(to.y - from.y - 40) < 6, JSON.stringify([from, to]));
    await page.reload();
    await all.waitFor();
    const again = await chosen(page);
    assert.ok(Math.hypot(again.x - to.x, again.y - to.y) < 6, JSON.stringify([to, again]));
    await all.click();
    await all.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Undo" }).click();
    await all.waitFor();
    await page.getByRole("button", { name: "Unpin it" }).click();
    await all.waitFor({ state: "detached" });
    await done(page);
  });

  const views = (page) => page.getByRole("button", { name: /^Views/ });
  const kept = async () => (await (await fetch(`${server.url}/files/graph-views.json`)).json()).views;
  const save = async (page, name) => {
    await views(page).click();
    await page.getByLabel("Name of the view").fill(name);
    await page.getByRole("button", { name: "Save", exact: true }).click();
  };

  test("a view is named, opened by a colleague, renamed, deleted and brought back", async () => {
    const page = await at("colour=power&near=line-1,1");
    await save(page, "Power of line 1");
    await page.getByText("“Power of line 1” is saved.").waitFor();
    await until(page, "view", "Power of line 1");
    const other = await at("view=Power+of+line+1", { dark: true });
    await until(other, "colour", "power");
    await until(other, "near", "line-1,1");
    await other.getByRole("button", { name: /^Colour by: Power/ }).waitFor();
    await shot(other, "graph-view");
    await views(page).click();
    await page.getByRole("button", { name: "Rename “Power of line 1”" }).click();
    await page.getByLabel("New name of “Power of line 1”").fill("Line 1");
    await page.getByRole("button", { name: "Rename", exact: true }).click();
    await until(page, "view", "Line 1");
    await page.getByRole("button", { name: "Delete “Line 1”" }).click();
    await page.getByText("“Line 1” is deleted.").waitFor();
    assert.deepEqual(await kept(), []);
    await page.getByRole("button", { name: "Undo" }).last().click();
    await page.getByText("“Line 1” is there again.").waitFor();
    assert.deepEqual(
      (await kept()).map((v) => [v.name, v.params.colour]),
      [["Line 1", "power"]],
    );
    await done(other);
    await done(page);
  });

  test("two save one view at once: both are kept, and it is said", async () => {
    const a = await at("colour=power");
    await save(a, "Ours");
    await a.getByText("“Ours” is saved.").waitFor();
    const b = await at("view=Ours");
    await until(b, "colour", "power");
    await choose(a, "Size by", "valves");
    await choose(b, "Size by", "battery");
    await a.getByRole("button", { name: "Views: Ours, changed since it was saved" }).click();
    await a.getByRole("button", { name: "Save the changes of Ours" }).click();
    await a.getByRole("button", { name: "Views: Ours", exact: true }).waitFor();
    await b.getByRole("button", { name: "Views: Ours, changed since it was saved" }).click();
    await b.getByRole("button", { name: "Save the changes of Ours" }).click();
    await b.getByText("Somebody else saved “Ours” meanwhile. Theirs stays; yours is saved as “Ours 2”.").waitFor();
    const sizes = Object.fromEntries((await kept()).map((v) => [v.name, v.params.size]));
    assert.deepEqual([sizes.Ours, sizes["Ours 2"]], ["valves", "battery"]);
    await done(a);
    await done(b);
  });

  test("without the right to write a view is kept in this browser, and that is said", async () => {
    const page = await at("by=model");
    await page.route("**/files/graph-views.json?*", (r) =>
      r.request().method() === "PUT"
        ? r.fulfill({
            status: 403,
            json: {
              error: { code: "Forbidden", message: "You may only read." },
            },
          })
        : r.continue(),
    );
    await save(page, "Mine");
    await page.getByText("“Mine” is kept in this browser only. You may only read.").waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Views: Mine" }).waitFor();
    page.wrong = page.wrong.filter((x) => !/403/.test(x));
    await done(page);
  });

  test("a condition that nobody fulfils is said in the middle, also on a phone, and left from there", async () => {
    const page = await at("where=power+%3E+1000000", { width: 390, height: 844 });
    await page.getByRole("heading", { name: "No twin fulfils this condition" }).waitFor();
    await page.getByText("power > 1000000", { exact: true }).waitFor();
    await shot(page, "graph-nobody");
    await page.getByRole("button", { name: "Show all" }).click();
    await until(page, "where", "");
    await page.getByRole("heading", { name: "No twin fulfils this condition" }).waitFor({ state: "detached" });
    await done(page);
  });

  test("the link of what one sees is copied, with pins", async () => {
    const page = await at("sel=line-1-filler&flow=auto");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Pin it where it stands" }).click();
    await page.getByRole("button", { name: "Unpin the one pinned twin" }).waitFor();
    await page.getByRole("button", { name: "Copy the link to what I see" }).click();
    await page.getByText("The link is copied.").waitFor();
    const text = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(text, /flow=auto.*pins=line-1-filler/);
    const other = await open(new URL(text).hash);
    await other.getByRole("button", { name: "Unpin the one pinned twin" }).waitFor();
    await done(other);
    await done(page);
  });

  test("colour and size by a property: found by name, with ranges and units", async () => {
    const page = await at("");
    await choose(page, "Colour by", "power");
    await choose(page, "Size by", "power");
    await until(page, "colour", "power");
    await until(page, "size", "power");
    const legend = page.locator(".legend");
    await legend.getByText("Colour: Power").waitFor();
    await legend.getByText("Size: Power").waitFor();
    assert.ok((await legend.getByText(/kW$/).count()) >= 4);
    await shot(page, "graph-power");
    await done(page);
  });

  /** A server that has no expressions yet is helped out: what the page does with the answer is tested all the same. */
  const expressions = async (page) => {
    const url = (e) => `${server.url}/graph?api-version=2023-10-31&links=false&expression=${encodeURIComponent(e)}`;
    if ("power * 2" in (await (await fetch(url("power * 2"))).json()).values) return;
    await page.route("**/graph?*expression=*", async (r) => {
      const name = new URL(r.request().url()).searchParams.get("expression");
      if (name.endsWith("("))
        return r.fulfill({
          status: 400,
          json: {
            error: { code: "BadRequest", message: "an operand is missing" },
          },
        });
      const g = await (await fetch(`${server.url}/graph?api-version=2023-10-31&links=false&values=power`)).json();
      return r.fulfill({
        json: {
          ...g,
          values: { [name]: g.values.power.map((v) => v && v * 1000) },
        },
      });
    });
  };

  test("colour by an expression; a mistake is said in words", async () => {
    const page = await at("");
    await expressions(page);
    await page.getByRole("button", { name: /^Colour by/ }).click();
    const field = page.getByLabel("Colour by: Or an expression");
    await field.fill("power / (");
    await page.keyboard.press("Enter");
    await page.locator(".choice-expression .wrong").waitFor();
    await field.fill("power * 1000");
    await page.keyboard.press("Enter");
    await until(page, "colour", "=power * 1000");
    await page.locator(".legend").getByText("Colour: power * 1000").waitFor();
    await page.locator(".legend .ramp").waitFor();
    page.wrong = page.wrong.filter((x) => !/400/.test(x));
    await done(page);
  });

  test("flow wanders along links, and stands still for who wants no motion", async () => {
    const page = await at("flow=auto");
    const flow = page.locator(".graph-flow[data-links]");
    await flow.waitFor({ state: "attached" });
    await page.waitForFunction(() => Number(document.querySelector(".graph-flow").dataset.links) > 20);
    const many = Number(await flow.getAttribute("data-links"));
    const picture = () => flow.evaluate((c) => c.toDataURL().length + ":" + c.toDataURL().slice(-4000));
    await shot(page, "graph-flow-still");
    await page.emulateMedia({ reducedMotion: "no-preference" });
    const first = await picture();
    await page.waitForFunction(
      ([f]) => {
        const c = document.querySelector(".graph-flow[data-links]");
        return c.toDataURL().length + ":" + c.toDataURL().slice(-4000) !== f;
      },
      [first],
    );
    await shot(page, "graph-flow");
    // Eight frames that moved, on a machine that does other things too.
    const still = await flow.getAttribute("data-work");
    await page.waitForFunction((was) => document.querySelector(".graph-flow[data-links]").dataset.work !== was, still);
    const work = Number(await flow.getAttribute("data-work"));
    console.log(`flow: ${many} links, ${work} ms a frame`);
    assert.ok(work < 8, `${work} ms`);
    await choose(page, "Flow along links", "capacity");
    await until(page, "flow", "link:capacity");
    const query = "SELECT COUNT() AS n FROM RELATIONSHIPS WHERE IS_NUMBER(capacity)";
    const [{ n }] = (await post(server.url, "/query", { query })).value;
    // Some are too short to hold a dash.
    await page.waitForFunction((all) => {
      const drawn = Number(document.querySelector(".graph-flow[data-links]")?.dataset.links);
      return drawn > all / 2 && drawn <= all;
    }, n);
    await done(page);
  });

  test("keys: arrows walk along links, Enter opens, Escape takes back, ? lists", async () => {
    const page = await at("");
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => /sel=/.test(location.hash));
    const first = params(page).get("sel");
    await page
      .locator(".graph-view [role=status]")
      .filter({ hasText: /, \d+ links?$/ })
      .first()
      .waitFor();
    for (const k of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]) {
      await page.keyboard.press(k);
      if (params(page).get("sel") !== first) break;
    }
    const second = params(page).get("sel");
    assert.notEqual(second, first);
    const linked = await page.evaluate(
      async ([a, b]) => {
        const of = async (x, y) =>
          (await (await fetch(`/digitaltwins/${x}/relationships?api-version=2023-10-31`)).json()).value.some(
            (r) => r.$targetId === y,
          );
        return (await of(a, b)) || (await of(b, a));
      },
      [first, second],
    );
    assert.ok(linked, `${first} and ${second} are linked`);
    await page.keyboard.press("e");
    await until(page, "near", `${second},1`);
    await page.keyboard.press("Escape");
    await until(page, "near", "");
    assert.equal(params(page).get("sel"), second);
    await page.keyboard.press("Escape");
    await until(page, "sel", "");
    await page.keyboard.press("?");
    await page.getByRole("dialog").getByText("Along a link to the left").waitFor();
    await page.keyboard.press("Escape");
    await select(page, second);
    await page.getByRole("toolbar", { name: /^What to do with/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/live\/twin\?sel=/);
    await done(page);
  });

  test("on a phone everything is behind one button, and nothing overlaps", async () => {
    const page = await at("near=line-1-filler,1", { width: 390, height: 844 });
    await page.getByRole("region", { name: "Neighbourhood" }).waitFor();
    const overlaps = await page.evaluate(() => {
      const boxes = [...document.querySelectorAll(".float.top > *, .float.bottom-left > *, .float.bottom-right")].map(
        (e) => ({ e: e.className, r: e.getBoundingClientRect() }),
      );
      const out = [];
      for (const [i, a] of boxes.entries()) {
        if (a.r.left < 0 || a.r.right > innerWidth) out.push(`${a.e} is outside`);
        for (const b of boxes.slice(i + 1))
          if (a.r.left < b.r.right && b.r.left < a.r.right && a.r.top < b.r.bottom && b.r.top < a.r.bottom)
            out.push(`${a.e} over ${b.e}`);
      }
      return out;
    });
    assert.deepEqual(overlaps, []);
    await shot(page, "graph-phone");
    await page.getByRole("button", { name: "What is shown" }).click();
    await page.getByRole("button", { name: /^Colour by/ }).waitFor();
    await shot(page, "graph-phone-sheet");
    await done(page);
  });
});

/** Remembers every text that is written over the dots: those of the last frame, and which ever stood over another. */
function watchNames() {
  window.overlaps = [];
  const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
  const over = (ctx) => ctx.canvas.classList.contains("sigma-details");
  CanvasRenderingContext2D.prototype.clearRect = function (...a) {
    if (over(this)) window.names = [];
    return clearRect.apply(this, a);
  };
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    // A mark at a dot is no name.
    if (over(this) && text !== "!") {
      const m = this.measureText(text);
      const box = {
        text,
        x0: x - m.actualBoundingBoxLeft,
        x1: x + m.actualBoundingBoxRight,
        y0: y - m.actualBoundingBoxAscent,
        y1: y + m.actualBoundingBoxDescent,
      };
      for (const o of window.names)
        if (o.x0 < box.x1 && box.x0 < o.x1 && o.y0 < box.y1 && box.y0 < o.y1)
          window.overlaps.push(`${text}, ${o.text}`);
      window.names.push(box);
    }
    return fillText.call(this, text, x, y);
  };
}

/** Stations and their pumps: one is far above all others, two have no value, stations no such property. */
async function pumps() {
  const server = await serve();
  const put = (path, body) => post(server.url, path, body, "PUT");
  const context = ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"];
  const model = (id, contents) => ({ "@context": context, "@id": id, "@type": "Interface", contents });
  const label = { "@type": "Property", name: "label", schema: "string" };
  const fault = { "@type": "Property", name: "fault", schema: "string" };
  const power = { "@type": ["Property", "Power"], name: "power", schema: "double", unit: "kilowatt" };
  await post(server.url, "/models", [
    model("dtmi:small:Station;1", [label]),
    model("dtmi:small:Pump;1", [label, fault, power, { "@type": "Relationship", name: "partOf" }]),
  ]);
  const twin = (id, kind, more) =>
    put(`/digitaltwins/${id}`, { $metadata: { $model: `dtmi:small:${kind};1` }, ...more });
  for (let i = 0; i < 3; i++) await twin(`s${i}`, "Station", { label: `Station ${i}` });
  for (let i = 0; i < 32; i++) {
    const value = i < 30 ? { power: i === 29 ? 9000 : i + 1 } : {};
    await twin(`p${i}`, "Pump", { label: `Pump ${i}`, ...value });
    const whole = { $relationshipName: "partOf", $targetId: `s${i % 3}` };
    await put(`/digitaltwins/p${i}/relationships/p`, whole);
  }
  return server;
}

suite("the browser app: names and scales of the graph", pumps, ({ at: open, done, server }) => {
  const at = async (hash, o = {}) => {
    const page = await open(hash, { before: (p) => p.addInitScript(watchNames), ...o });
    await page.locator(".legend").waitFor();
    await page.waitForFunction(() => window.names?.length > 3);
    return page;
  };

  test("one that is far above all others does not hide what lies between them, and the legend says so", async () => {
    const page = await at("#/live/graph?colour=power");
    const legend = page.locator(".legend");
    await legend.getByText("1 twin lies beyond an end").waitFor();
    assert.equal((await legend.locator(".ramp + .row").innerText()).replace(/\s+/g, " "), "1 kW ≥ 29 kW");
    const told = (await legend.getByTitle(/^In truth/).getAttribute("title")).replace(/\s/g, " ");
    assert.match(told, /from 1 kW to 9 ?000 kW/);
    const count = async (name) => (await legend.locator(".no-value", { hasText: name }).innerText()).match(/\d+$/)[0];
    assert.deepEqual([await count("no value yet"), await count("do not have it")], ["2", "3"]);
    // A value that comes is no longer missing; one more goes beyond the ends.
    const body = [{ op: "add", path: "/power", value: 800 }];
    await post(server.url, "/digitaltwins/p30", body, "PATCH");
    await legend.getByText("2 twins lie beyond the ends").waitFor();
    assert.equal(await count("no value yet"), "1");
    await shot(page, "graph-outlier");
    await done(page);
  });

  test("colour by an expression: who has nothing to compute from has no value yet; a mistake is said", async () => {
    const page = await at("#/live/graph?colour=%3Dpower%2F2");
    await page.locator(".legend .no-value", { hasText: "no value yet" }).waitFor();
    assert.equal(await page.locator(".legend .ramp + .row span").count(), 2);
    // Where all have the same value it is told once.
    await page.evaluate(() => (location.hash = "#/live/graph?colour=%3Dpower*0%2B7"));
    await page.locator(".legend .ramp + .row").getByText(/^7$/).waitFor();
    assert.equal(await page.locator(".legend .ramp + .row").innerText(), "7");
    await page.evaluate(() => (location.hash = "#/live/graph?colour=%3Dpower%2F"));
    await page.getByRole("alert").first().waitFor();
    assert.equal(await page.locator(".legend .ramp").count(), 0);
    page.wrong = page.wrong.filter((x) => !/400/.test(x));
    await done(page);
  });

  test("of few twins every one has its name, and no name stands over another one, from near or from afar", async () => {
    const page = await at("#/live/graph");
    const all = [...Array.from({ length: 32 }, (_, i) => `Pump ${i}`), "Station 0", "Station 1", "Station 2"];
    const missing = () => page.evaluate((list) => list.filter((t) => !window.names.some((n) => n.text === t)), all);
    assert.deepEqual(await missing(), []);
    // Of those that a condition leaves too, though they stand far from each other.
    await page.evaluate(() => (location.hash = "#/live/graph?where=power%20%3E%2020%20AND%20power%20%3C%2028"));
    await page.getByText(/^\d twins$/).waitFor();
    await page.waitForFunction(() => window.names.filter((n) => n.text.startsWith("Pump")).length === 7);
    assert.deepEqual(await page.evaluate(() => window.overlaps), []);
    await shot(page, "graph-few");
    await done(page);
  });

  test("the red rim of a group that warns does not strike its name through, from afar or from near", async () => {
    await post(server.url, "/digitaltwins/p3", [{ op: "add", path: "/fault", value: "seal leaks" }], "PATCH");
    /** Of the pixels of the name: whether the rim goes below them, and whether they let it through. */
    const name = (page) =>
      page.evaluate(() => {
        const n = window.names.find((x) => x.text === "Station 0");
        if (!n) return null;
        const [x, y, w, h] = [n.x0, n.y0, n.x1 - n.x0, n.y1 - n.y0].map(Math.round);
        const pixels = (layer) => {
          const { data } = document.querySelector(`canvas.sigma-${layer}`).getContext("2d").getImageData(x, y, w, h);
          return Array.from({ length: w * h }, (_, i) => data.slice(4 * i, 4 * i + 4));
        };
        const red = pixels("floors").some(([r, g, , a]) => a > 100 && r > 2 * g);
        return { red, through: pixels("details").filter((p) => p[3] < 250).length };
      });
    for (const dark of [false, true]) {
      const page = await at("#/live/graph", { dark });
      await page.waitForFunction(() => window.names.some((n) => n.text === "Station 0"));
      const box = await page.locator(".graph-stage").boundingBox();
      await page.mouse.move(box.x + box.width / 2, box.y + 150);
      let crossed = 0;
      for (let i = 0; i < 5; i++) {
        const n = await name(page);
        if (n) assert.equal(n.through, 0, `zoom ${i}: ${n.through} pixels of the name let the rim through`);
        if (n?.red) crossed++;
        await page.mouse.wheel(0, i < 2 ? 150 : -200);
        await page.waitForTimeout(300);
      }
      assert.ok(crossed >= 2, `the rim went below the name ${crossed} times`);
      await shot(page, `graph-warns${dark ? "-dark" : ""}`);
      await done(page);
    }
  });

  test("names never stand over each other while one goes nearer, points and chooses", async () => {
    const own = await demo();
    const page = await at("#/live/graph?sel=line-1", { url: own.url });
    const box = await page.locator(".graph-stage").boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    for (let i = 0; i < 14; i++) {
      await page.mouse.wheel(0, i < 7 ? 150 : -250);
      await page.mouse.move(x + 6 * i, y + 3 * i);
      await page.waitForTimeout(120);
      if (i === 9) await page.keyboard.press("Escape");
    }
    assert.ok((await page.evaluate(() => window.names.length)) > 3);
    assert.deepEqual([...new Set(await page.evaluate(() => window.overlaps))], []);
    // Nor below the tools and the legend.
    const under = await page.evaluate(() => {
      const at = document.querySelector(".graph-stage").getBoundingClientRect();
      const cards = [...document.querySelectorAll(".float.top > *, .float.bottom-left > *, .float.bottom-right")];
      return cards.flatMap((c) => {
        const b = c.getBoundingClientRect();
        const over = (n) => n.x0 < b.right - at.x && b.x - at.x < n.x1 && n.y0 < b.bottom - at.y && b.y - at.y < n.y1;
        return window.names.filter(over).map((n) => `${n.text} under ${c.className}`);
      });
    });
    assert.deepEqual(under, []);
    await done(page);
    await own.stop();
  });
});
