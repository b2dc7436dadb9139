// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// Two worlds side by side in a real browser, under the policy that the server sends: panes in step, differences as the
// server counts them, figures between, all of it in the address.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { broken, chromium, demoWithPast, open, PATIENCE, post, shot, shots, skip } from "./web_kit.mjs";

const VERSION = "api-version=2023-10-31";
const [A, B] = ["filler-breaks.base", "filler-breaks"];
const HASH = `#/${A}/compare?with=${B}`;

describe("the browser app: two worlds side by side", { skip: skip || false }, () => {
  let server;
  let browser;
  const get = async (path) => (await fetch(`${server.url}${path}${path.includes("?") ? "&" : "?"}${VERSION}`)).json();
  /** Until something is so. */
  const until = async (is, what) => {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const last = await is();
      if (last) return last;
      if (Date.now() > end) assert.fail(`it did not come so: ${what}`);
      await new Promise((r) => setTimeout(r, 100));
    }
  };
  before(async () => {
    [server, browser] = await Promise.all([demoWithPast("--past", "1", "--calm"), chromium()]);
    await post(server.url, "/whatifs/filler-breaks/run", { again: true });
    const state = async () => (await get("/worlds")).value.filter((w) => w.run?.state === "done").length === 2;
    await until(state, "both have run");
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const at = (hash, o = {}) => open(browser, server.url, { hash, ...o });
  const wrongs = broken; // of a page, or of a pane
  const pane = (page, side) => page.frameLocator(`iframe.compare-pane.${side}`);
  const frame = (page, side) => page.frames().find((f) => f.url().includes(`?pane=${side}`));
  const hashOf = (page, side) => frame(page, side)?.evaluate(() => location.hash) ?? "";
  const legend = (page) => pane(page, "a").locator(".legend, .stage-legend").first();
  const done = async (page) => {
    assert.deepEqual(page.wrong, []);
    await page.context().close();
  };
  /** The twins that differ, as the server says. */
  const differing = async () => {
    const d = await get(`/worlds/${B}/diff?against=${A}&relative=1e-9`);
    assert.equal(d.nextLink, null);
    return { counts: d.counts, twins: new Set(d.changes.map((c) => c.twin)), clear: clearOf(d.changes) };
  };
  /** Of these the twins with another state or text, or a number off by a tenth of the largest among like twins. */
  const clearOf = (changes) => {
    const like = (c) => `${c.model} ${c.property}`;
    const most = {};
    const once = changes.filter((c) => c.before === undefined || c.after === undefined).map((c) => c.property);
    const both = new Set(changes.filter((c) => !once.includes(c.property)).map((c) => c.property));
    for (const c of changes)
      for (const v of [c.before, c.after])
        if (typeof v === "number") most[like(c)] = Math.max(most[like(c)] ?? 0, Math.abs(v));
    const clear = (c) => {
      if (c.what !== "value") return true;
      if (typeof c.before === "number" && typeof c.after === "number")
        return Math.abs(c.after - c.before) > 0.1 * most[like(c)];
      assert.ok(both.has(c.property), `both worlds tell ${c.property}: else this test knows too little`);
      return !/^\d{4}-\d\d-\d\d/.test(c.after);
    };
    return new Set(changes.filter(clear).map((c) => c.twin));
  };

  test("from the choice of pairs to two panes; what glows is what the server says differs", async () => {
    const page = await at("#/live/compare");
    await page.getByRole("link", { name: /^filler-breaks/ }).click();
    await page.waitForURL((u) => u.hash.startsWith(HASH));
    const d = await differing();
    assert.ok(d.twins.size > 3);
    const little = d.twins.size - d.clear.size;
    // How many are which depends on the hour at which the two days of the run end.
    const clearly = d.clear.size === 1 ? "differs clearly" : "differ clearly";
    await legend(page).getByText(`${d.clear.size} ${clearly}`, { exact: true }).waitFor();
    if (little) await legend(page).getByText(`${little} a little`, { exact: true }).waitFor();
    await page.getByText(`${d.counts.values} values differ, of ${d.twins.size} twins.`).waitFor();
    // Names of both worlds stand over their panes; nothing of them looks live.
    await page.locator('.compare-name.a[data-kind="scenario"]').getByText("WHAT-IF without filler-breaks").waitFor();
    await page.locator('.compare-name.b[data-kind="scenario"]').getByText("WHAT-IF filler-breaks").waitFor();
    assert.match(await hashOf(page, "a"), new RegExp(`^#/${A}/graph\\?vs=${B}&flip=1$`));
    assert.match(await hashOf(page, "b"), new RegExp(`^#/${B}/graph\\?vs=${A}$`));
    // On the plan the marks that glow can be counted, in both.
    await page.getByRole("button", { name: "Map", exact: true }).click();
    const plan = await (await fetch(`${server.url}/files/plant.plan.json`)).json();
    const placed = [...d.clear].filter((id) => id in plan.at).length;
    for (const side of ["a", "b"])
      await until(
        async () => (await pane(page, side).locator(".plan-mark.glows").count()) === placed,
        `${placed} marks glow in ${side}`,
      );
    await shot(page, "compare-plan");
    // Who differs but a little is marked, or looks like all others: as one likes, in both.
    const faint = [...d.twins].filter((id) => id in plan.at && !d.clear.has(id));
    const quiet = (side) =>
      pane(page, side).locator(faint.map((id) => `.plan-mark.quiet[data-twin="${id}"]`).join(", ")).count();
    const only = legend(page).getByRole("checkbox", { name: "Clear ones only" });
    const often = d.twins.size > 172 / 3;
    if (little) assert.equal(await only.isChecked(), often, "where a third of all differ, only the clear are marked");
    for (const checked of faint.length ? [!often, often] : []) {
      await only.setChecked(checked);
      await page.waitForURL(checked ? /little=hide/ : /little=show/);
      for (const side of ["a", "b"])
        await until(async () => (await quiet(side)) === (checked ? faint.length : 0), `${side}: ${checked}`);
    }
    // What differs most, by name: a click selects it.
    const most = page.getByRole("region", { name: "What differs most" }).getByRole("button");
    assert.equal(await most.count(), Math.min(10, d.clear.size));
    if (d.clear.size) {
      await most.first().click();
      await page.waitForURL(/sel=/);
      assert.ok(d.clear.has(new URLSearchParams(page.url().split("?").pop()).get("sel")));
      await page.goBack();
      await page.waitForURL((u) => !/sel=/.test(u.hash));
    }
    await page.goBack();
    await until(async () => /\/graph\?/.test(await hashOf(page, "a")), "back on the graph");
    await done(page);
  });

  test("colours tell B minus A around zero, with the numbers of the server", async () => {
    const page = await at(`${HASH}&colour=energy`);
    const column = async (world) => {
      const g = await get(`/worlds/${world}/graph?values=energy&links=false`);
      return new Map(g.twins.id.map((id, i) => [id, g.values.energy[i]]));
    };
    const [a, b] = [await column(A), await column(B)];
    const differences = [...a]
      .filter(([id, v]) => v !== null && typeof b.get(id) === "number")
      .map(([id, v]) => Math.abs(b.get(id) - v))
      .filter((x) => x > 1e-6)
      .sort((x, y) => x - y);
    const most = differences[Math.min(differences.length - 1, Math.ceil(differences.length * 0.98))];
    const ends = legend(page).locator(".versus-ends").first();
    await ends.getByText("kWh").last().waitFor();
    const [low, zero, high] = (await ends.locator("span").allTextContents()).map((t) => t.replaceAll("\u2009", ""));
    assert.equal(zero, "0, the same");
    assert.ok(Math.abs(parseFloat(high) - most) < 0.006 * most, `${high} is ${most} kWh`);
    assert.equal(low.replace("−", ""), high.replace("+", ""));
    await shot(page, "compare-colour");
    await done(page);
  });

  test("with the details open, and on a phone, the panes keep most of the room; a low pane draws", async () => {
    const heights = async (page) => {
      await pane(page, "a").locator(".sigma-mouse").waitFor();
      const of = (side) => page.locator(`iframe.compare-pane.${side}`).boundingBox();
      return Math.min((await of("a")).height, (await of("b")).height);
    };
    const page = await at(`${HASH}&sel=line-1-filler`);
    const rows = page.getByRole("complementary").getByRole("row");
    await page.getByRole("complementary").getByRole("button", { name: "Everything" }).click();
    await rows.nth(2).waitFor();
    assert.ok((await heights(page)) > 400, "of 800");
    // A number stays in one line.
    const lines = await rows.locator("td.number").evaluateAll((l) => l.map((td) => td.getClientRects().length));
    assert.ok(lines.length > 4 && lines.every((n) => n === 1));
    await page.setViewportSize({ width: 1280, height: 320 });
    await page.waitForTimeout(500);
    assert.deepEqual(await wrongs(page), []);
    await done(page);
    const phone = await at(HASH, { width: 390, height: 844 });
    assert.ok((await heights(phone)) > 380, "of 844");
    await done(phone);
  });

  test("one camera, one selection: what is done in a pane is done in both, and is in the address", async () => {
    const page = await at(`${HASH}&view=map`);
    const mark = (side, id) => pane(page, side).locator(`[data-twin="${id}"]`);
    const place = (side) => mark(side, "line-1-filler").getAttribute("transform");
    await mark("a", "line-1-filler").waitFor();
    await mark("b", "line-1-filler").waitFor();
    const box = await page.locator("iframe.compare-pane.b").boundingBox();
    const was = await place("a");
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.wheel(0, -600);
    await until(async () => (await place("a")) !== was && (await place("a")) === (await place("b")), "cameras in step");
    await page.waitForURL(/pan=/);
    // The other pane's pointer shows.
    await mark("b", "aisle-a").hover();
    await until(async () => (await pane(page, "a").locator('[data-twin="aisle-a"].there').count()) === 1, "an echo");
    await mark("b", "aisle-a").click();
    await page.waitForURL(/sel=aisle-a/);
    await pane(page, "a").locator('[data-twin="aisle-a"].chosen').waitFor();
    // The inspector has both values and what lies between them.
    const value = async (w) => (await get(`/worlds/${w}/digitaltwins/aisle-a`)).palletsStored;
    const [x, y] = [await value(A), await value(B)];
    const row = page.getByRole("complementary").getByRole("row", { name: /Pallets stored/ });
    await row.getByText(String(x), { exact: true }).waitFor();
    await row.getByText(String(y), { exact: true }).waitFor();
    await row.getByText(String(y - x).replace("-", "−"), { exact: true }).waitFor();
    // Everything again from the address alone.
    const pan = new URLSearchParams(page.url().split("?").pop()).get("pan");
    await page.reload();
    await row.getByText(String(y), { exact: true }).waitFor();
    for (const side of ["a", "b"]) {
      const hash = await until(() => hashOf(page, side), "a pane");
      assert.match(hash, /^#\/filler-breaks[^/]*\/map\?/);
      assert.equal(new URLSearchParams(hash.split("?")[1]).get("pan"), pan);
      await pane(page, side).locator('[data-twin="aisle-a"].chosen').waitFor();
    }
    await page.goBack();
    await page.waitForURL((u) => !/sel=/.test(u.hash));
    await done(page);
  });

  test("the graph's cameras too, while they move; keys of the page work from within a pane", async () => {
    const page = await at(HASH);
    for (const side of ["a", "b"]) await pane(page, side).locator(".graph-stage canvas").first().waitFor();
    await legend(page).getByText(/differs? clearly$/).waitFor();
    const box = await page.locator("iframe.compare-pane.a").boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.wheel(0, -300);
    const cam = async (side) => new URLSearchParams((await hashOf(page, side)).split("?")[1]).get("cam");
    await until(async () => (await cam("a")) && (await cam("a")) === (await cam("b")), "cameras in step");
    await pane(page, "a").locator(".graph-stage").first().focus();
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search twins, views, actions" }).waitFor();
    await page.keyboard.type("Swap A");
    await page.keyboard.press("Enter");
    await page.waitForURL((u) => u.hash.startsWith(`#/${B}/compare`) && u.hash.includes(`with=${A}`));
    await until(async () => (await hashOf(page, "a")).startsWith(`#/${B}/`), "A and B swapped");
    await done(page);
  });

  test("figures: pairs, intervals once both ran many times over, courses over each other", async () => {
    const e = await post(server.url, "/compare", { worlds: [A, B], replications: 4 });
    const over = async () => (await get("/ensembles")).value.find((x) => x.id === e.id)?.state === "done";
    await until(over, "the ensemble is done");
    const runs = await get(`/ensembles/${e.id}?format=runs`);
    const page = await at(`${HASH}&ensemble=${e.id}`);
    await page.getByText(runs.sentence).waitFor();
    const made = runs.kpis.find((k) => k.name === "bottles-made").values[1];
    const kpi = page.getByRole("region", { name: "What it comes to" }).locator("li", { hasText: "Bottles made" });
    await kpi.getByText(/^95\s%: −.* to −/).waitFor();
    assert.ok(made.differenceLow < made.difference && made.difference < made.differenceHigh);
    await page.getByText("4 runs of each").waitFor();
    await page.getByRole("button", { name: "Figures", exact: true }).click();
    const table = page.getByRole("region", { name: "What it comes to" });
    assert.equal(await table.locator("tbody tr").count(), runs.kpis.length);
    await page.getByRole("img", { name: /^Course of Bottles made/ }).waitFor();
    assert.deepEqual(await wrongs(page), []);
    await shots(page, "compare-figures");
    await done(page);
  });

  test("one clock: the past of both at once, live beside what it was, live beside a what-if", async () => {
    const page = await at(`#/live/compare?with=${B}`);
    // Live is not as far as the what-if: B is shown at live's time, and says how far it goes.
    await until(async () => (await hashOf(page, "b")).startsWith(`#/${B}@`), "B at live's time");
    await page.getByText(/goes on to/).waitFor();
    await page.locator('.compare-name.a[data-kind="live"]').getByText("LIVE").waitFor();
    await page.getByRole("button", { name: /^Both at/ }).click();
    await until(async () => (await hashOf(page, "b")).startsWith(`#/${B}/`), "each at its newest");
    await page.getByRole("button", { name: `Show what ${B} changes` }).click();
    await page.waitForURL((u) => u.hash.startsWith(HASH));
    await page.getByRole("button", { name: "Choose world B" }).click();
    await page.getByRole("dialog").getByRole("button", { name: /^LIVE/ }).click();
    await page.waitForURL(/with=live/);
    await done(page);
  });

  test("one over the other, with a curtain that keys move; a phone has it at once; axe is content", async () => {
    const page = await at(`${HASH}&view=map`, { width: 390, height: 844 });
    const handle = page.getByRole("slider", { name: "Curtain between A and B" });
    await handle.focus();
    await page.keyboard.press("PageDown");
    await page.keyboard.press("ArrowLeft");
    assert.equal(await handle.getAttribute("aria-valuenow"), "38");
    const clip = await page.locator("iframe.compare-pane.b").evaluate((el) => el.style.clipPath);
    assert.match(clip, /38%/);
    await pane(page, "b").locator(".plan-mark.glows").first().waitFor();
    assert.deepEqual(await wrongs(page), []);
    await shot(page, "compare-phone");
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole("button", { name: "Side by side" }).click();
    await page.waitForURL(/mode=split/);
    assert.deepEqual(await wrongs(page), []);
    for (const side of ["a", "b"]) assert.deepEqual(await wrongs(frame(page, side)), []);
    await shots(page, "compare");
    await done(page);
  });

  /** Away from a world, with all its links. */
  const remove = async (world, id) => {
    const of = `/worlds/${world}/digitaltwins/`;
    const drop = async (path) => {
      const r = await fetch(`${server.url}${path}?${VERSION}`, { method: "DELETE" });
      assert.ok(r.ok, `${path}: ${r.status} ${await r.text()}`);
    };
    for (const l of (await get(`${of}${id}/relationships`)).value)
      await drop(`${of}${id}/relationships/${l.$relationshipId}`);
    for (const l of (await get(`${of}${id}/incomingrelationships`)).value)
      await drop(`${of}${l.$sourceId}/relationships/${l.$relationshipId}`);
    await drop(of + id);
  };
  const set = (world, id, path, value) =>
    post(server.url, `/worlds/${world}/digitaltwins/${id}`, [{ op: "add", path: `/${path}`, value }], "PATCH");
  let made;
  /** Two forks of one instant: B has no labeller and no shop, one shop more, and another filler. */
  const unequal = () =>
    (made ??= (async () => {
      await post(server.url, "/worlds", { name: "had", from: "live" });
      await post(server.url, "/worlds", { name: "has", from: "had" });
      await remove("has", "line-1-labeller");
      await remove("has", "shop-lungofiume");
      const $model = (await get("/worlds/had/digitaltwins/shop-porta-alta")).$metadata.$model;
      const shop = { $metadata: { $model }, label: "New shop", latitude: 44.5, longitude: 11 };
      await post(server.url, "/worlds/has/digitaltwins/shop-new", shop, "PUT");
      await set("has", "line-1-filler", "power", 999);
      await set("has", "shop-porta-alta", "latitude", 44.7);
    })());
  const hint = (page, side) => pane(page, side).getByRole("tooltip");
  const NUMBERS = /[−-]?[\d.,\s]+/;

  test("twins that one world has alone: counted, and outlined at the same place in the other pane", async () => {
    await unequal();
    const page = await at("#/had/compare?with=has", { width: 1600 });
    await legend(page).getByText("only in had: 2", { exact: true }).waitFor();
    await legend(page).getByText("only in has: 1", { exact: true }).waitFor();
    for (const side of ["a", "b"]) {
      const ghosts = side === "a" ? "1" : "2";
      await pane(page, side).locator(`.graph-stage[data-ghosts="${ghosts}"]`).waitFor();
    }
    // Both stand where they stand in the other pane: the layout is one.
    for (const id of ["line-1-labeller", "shop-new", "line-1-filler"]) {
      await page.evaluate((x) => (location.hash = `#/had/compare?with=has&sel=${x}`), id);
      const place = (side) => pane(page, side).locator(".graph-stage").getAttribute("data-chosen");
      await until(async () => (await place("a")) && (await place("a")) === (await place("b")), `${id} in both`);
    }
    await page.evaluate(() => (location.hash = "#/had/compare?with=has"));
    await shots(page, "compare-ghosts");
    // Each pane asks its own world for the selected twin.
    page.wrong = page.wrong.filter((x) => !/404.*digitaltwins.(line-1-labeller|shop-new)/.test(x));
    await done(page);
  });

  test("links that one world has alone: counted, and drawn as ghosts in the other pane", async () => {
    await unequal();
    const { counts } = await get("/worlds/has/diff?against=had");
    assert.ok(counts.relationshipsDeleted > 2 && !counts.relationshipsMade, JSON.stringify(counts));
    // Curves that are drawn with dashes, since these were set last.
    const count = (page) =>
      page.addInitScript(() => {
        const pen = CanvasRenderingContext2D.prototype;
        const { bezierCurveTo, setLineDash } = pen;
        pen.setLineDash = function (dash) {
          if (dash.length) window.ghostLinks = 0;
          return setLineDash.call(this, dash);
        };
        pen.bezierCurveTo = function (...to) {
          if (this.getLineDash().length) window.ghostLinks++;
          return bezierCurveTo.apply(this, to);
        };
      });
    const page = await at("#/had/compare?with=has", { width: 1600, before: count });
    await legend(page).getByText(`links only in had: ${counts.relationshipsDeleted}`, { exact: true }).waitFor();
    const drawn = (side) => frame(page, side)?.evaluate(() => window.ghostLinks);
    await until(async () => (await drawn("b")) > 0, "links of had as ghosts");
    assert.ok((await drawn("b")) <= counts.relationshipsDeleted);
    await pane(page, "a").locator('.graph-stage[data-ghosts="1"]').waitFor();
    assert.equal(await drawn("a"), 0, "A has them: there they are no ghosts");
    await done(page);
  });

  test("the overview's cards stand in the same order in both panes, with a place for what one has alone", async () => {
    const page = await at(`#/live/compare?with=${B}&view=overview&clock=own`, { width: 1600 });
    const titles = (side) => pane(page, side).locator(".tiles.kpis .tile-name").allTextContents();
    for (const side of ["a", "b"]) await pane(page, side).locator(".tiles.kpis .figure").first().waitFor();
    const same = async () => {
      const [a, b] = [await titles("a"), await titles("b")];
      return a.length > 8 && JSON.stringify(a) === JSON.stringify(b) && a;
    };
    const list = await until(same, "the same cards");
    assert.equal(new Set(list).size, list.length);
    // Live computes values that no run counts; a run counts what live has no figure for.
    const card = (side, title) => pane(page, side).locator(".tile.kpi").filter({ hasText: title });
    await card("b", "Machines running").getByText("no value yet").waitFor();
    await card("a", "Bottles made").getByText("no value yet").waitFor();
    await card("b", "Bottles made").locator(".figure").waitFor();
    await done(page);
  });

  test("what all three frames of the page want to know is asked once", async () => {
    await post(server.url, "/worlds", { name: "ill-a", from: "live" });
    await post(server.url, "/worlds", { name: "ill-b", from: "ill-a" });
    for (const name of ["ill-a", "ill-b"]) await set(name, "line-2-filler", "fault", "stuck");
    const asked = [];
    const take = (r) => asked.push({ url: new URL(r.url()), body: r.postData() ?? "" });
    const listen = (page) => page.on("request", take);
    const page = await at("#/ill-a/compare?with=ill-b&view=overview", { width: 1600, before: listen });
    const begin = Date.now();
    for (const side of ["a", "b"])
      await pane(page, side).locator(".need").filter({ hasText: "stuck" }).getByText(/^since |for longer/).waitFor();
    await page.waitForTimeout(1500);
    const seconds = (Date.now() - begin) / 1000;
    const paths = asked.map((a) => a.url.pathname);
    const times = (path) => paths.filter((p) => p === path).length;
    assert.ok(times("/worlds") <= 2 + seconds / 5, `${times("/worlds")} times in ${seconds} s`);
    assert.ok(times("/decisions") <= 2, `decisions: ${times("/decisions")} times`); // as they are, then for news
    const hour = 3_600_000;
    const span = (q) => Math.round((Date.parse(q.get("to")) - Date.parse(q.get("from"))) / hour);
    const histories = asked
      .filter((a) => a.url.searchParams.get("fn") === "share")
      .map((a) => `${a.url.pathname} ${span(a.url.searchParams)}`);
    const faults = asked.filter((a) => / AS v0\b.* WHERE /.test(a.body)).map((a) => a.url.pathname);
    for (const name of ["ill-a", "ill-b"]) {
      const of = histories.filter((h) => h.startsWith(`/worlds/${name}/digitaltwins/line-2-filler/history`));
      assert.ok(of.length > 0);
      assert.equal(new Set(of).size, of.length, `histories of ${of.join(", ")}`);
      assert.equal(faults.filter((p) => p === `/worlds/${name}/query`).length, 1, `${name}: who needs somebody`);
    }
    await done(page);
  });

  test("what could not be read is said in words, not as if there were nothing; once more reads it", async () => {
    const refuse = (what) => async (page) => {
      page.refused = true;
      await page.route(what, (r) =>
        page.refused
          ? r.fulfill({ status: 503, json: { error: { code: "Busy", message: "The disk is being mended." } } })
          : r.continue(),
      );
    };
    const wrong = (place) => place.getByRole("alert").filter({ hasText: "The disk is being mended." });
    const over = async (page, place) => {
      await wrong(place).waitFor();
      assert.equal(await page.getByText(/No what-ifs yet|No figures to compare|not one value differs/).count(), 0);
      page.refused = false;
      await wrong(place).getByRole("button", { name: "Try again" }).click();
      await wrong(place).waitFor({ state: "detached" });
      page.wrong = page.wrong.filter((x) => !/503/.test(x));
    };
    const worlds = await at("#/live/compare", { before: refuse(/\/worlds\?/) });
    await over(worlds, worlds.locator("#canvas"));
    await worlds.getByRole("link", { name: /^filler-breaks/ }).waitFor();
    await done(worlds);
    for (const view of ["graph", "figures"]) {
      const page = await at(`${HASH}&view=${view}`, { before: refuse(/\/compare\?/) });
      await over(page, page.locator(".compare-body"));
      await page.getByRole("region", { name: "What it comes to" }).getByText("Bottles made").waitFor();
      await done(page);
    }
    await unequal();
    const differ = await at("#/had/compare?with=has", { before: refuse(/\/diff\?/) });
    await over(differ, differ.locator(".compare-finding"));
    await differ.getByText(/values? differ/).waitFor();
    await done(differ);
  });

  test("pointing at a twin tells its value in A, in B and what lies between them, on graph, plan and map", async () => {
    await unequal();
    const page = await at("#/had/compare?with=has&view=map&doc=plant.plan.json", { width: 1600 });
    const was = (await get("/worlds/had/digitaltwins/line-1-filler")).power;
    await pane(page, "b").locator('[data-twin="line-1-filler"]').hover();
    const cells = async (side) => (await hint(page, side).locator("tbody td").allTextContents()).map((t) => t.trim());
    await hint(page, "b").locator("tbody tr").waitFor();
    const [name, a, b, between] = await cells("b");
    assert.equal(name, "Power");
    assert.match(b, /^999\skW$/);
    assert.ok(Math.abs(parseFloat(NUMBERS.exec(a)[0]) - was) < 0.01 * was + 0.01, `${a} is ${was}`);
    assert.ok(Math.abs(parseFloat(between.slice(1)) - (999 - was)) < 5, `${between} is ${999 - was}`);
    assert.match(between, /^\+.*kW$/);
    // A ghost says whose it is.
    await pane(page, "b").locator('.plan-ghost[data-twin="line-1-labeller"]').hover();
    await hint(page, "b").getByText("It is only in had.").waitFor();
    await hint(page, "b").getByText("Labeller, Line 1").waitFor();
    assert.equal(await pane(page, "a").locator(".plan-ghost").count(), 0);
    await shot(page, "compare-ghost-plan");
    // Coloured by a property it is that one which is told, on the graph too.
    await page.evaluate(() => (location.hash = "#/had/compare?with=has&colour=power&sel=line-1-filler"));
    const stage = pane(page, "a").locator(".graph-stage");
    const place = await until(() => stage.getAttribute("data-chosen"), "the filler on the graph");
    const box = await page.locator("iframe.compare-pane.a").boundingBox();
    const [x, y] = place.split(",").map(Number);
    await page.mouse.move(box.x + x + 1, box.y + y + 1);
    await page.mouse.move(box.x + x, box.y + y);
    await until(async () => /999/.test((await cells("a"))[2] ?? ""), "the hint on the graph");
    await done(page);
  });

  test("the map of two worlds: one camera, what differs, an outline of who is gone, a layer of one's own", async () => {
    await unequal();
    const ring = [[10.8, 44.6], [11, 44.6], [11, 44.8], [10.8, 44.8], [10.8, 44.6]];
    const geometry = { type: "Polygon", coordinates: [ring] };
    const area = { type: "Feature", properties: { name: "Own area" }, geometry };
    const put = async (name, type, body) => {
      const headers = { "Content-Type": type };
      const asked = { method: "PUT", headers, body: JSON.stringify(body) };
      const r = await fetch(`${server.url}/files/${name}?${VERSION}`, asked);
      assert.ok(r.ok, `${name}: ${r.status} ${await r.text()}`);
    };
    await put("own.geojson", "application/geo+json", { type: "FeatureCollection", features: [area] });
    await put("own.map.json", "application/json", { layers: ["own.geojson"], centre: [10.9, 44.69], zoom: 9.5 });
    const page = await at("#/had/compare?with=has&view=map&doc=own.map.json", { width: 1600 });
    const map = (side) => pane(page, side).locator(".stage.geo");
    for (const side of ["a", "b"]) {
      await map(side).locator("canvas").first().waitFor();
      // Ghosts count among those the map shows.
      await pane(page, side).getByRole("group", { name: "A map with 6 twins" }).waitFor();
    }
    const box = await page.locator("iframe.compare-pane.a").boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.wheel(0, -100);
    const cam = async (side) => new URLSearchParams((await hashOf(page, side)).split("?")[1]).get("cam");
    await until(async () => (await cam("a")) && (await cam("a")) === (await cam("b")), "cameras in step");
    // The ghost of the shop stands in B where the shop stands in A: the camera is put over it.
    const shop = await get("/worlds/had/digitaltwins/shop-lungofiume");
    const over = `${shop.longitude.toFixed(5)},${shop.latitude.toFixed(5)},13.00`;
    await page.evaluate((c) => (location.hash = `#/had/compare?with=has&view=map&doc=own.map.json&cam=${c}`), over);
    await page.reload();
    for (const [side, text] of [["b", "It is only in had."], ["a", "It is only in had."]]) {
      await pane(page, side).getByRole("group", { name: "A map with 6 twins" }).waitFor();
      const b = await page.locator(`iframe.compare-pane.${side}`).boundingBox();
      await until(async () => {
        await page.mouse.move(b.x + 5, b.y + b.height / 2);
        await page.mouse.move(b.x + b.width / 2, b.y + b.height / 2);
        return (await hint(page, side).getByText(text).count()) > 0;
      }, `the shop in ${side}`);
    }
    await shot(page, "compare-map");
    await done(page);
  });

  test("runs that did not last equally long are told an hour, in words", async () => {
    await post(server.url, "/worlds", { name: "short", from: "live" });
    await post(server.url, "/worlds", { name: "long", from: "short" });
    await post(server.url, "/worlds/short/run", { for: "PT1H" });
    await post(server.url, "/worlds/long/run", { for: "PT3H" });
    const over = async () =>
      ["short", "long"].every((n) => worlds.find((w) => w.name === n)?.run?.state === "done");
    let worlds = [];
    await until(async () => ((worlds = (await get("/worlds")).value), over()), "both have run");
    const c = await get("/compare?worlds=short,long");
    const made = c.kpis.find((k) => k.name === "bottles-made").values.map((v) => v.value);
    assert.ok(made[1] > 1.5 * made[0], `${made}`);
    const page = await at("#/short/compare?with=long&clock=own");
    await page.getByText("A ran 1 h, B 3 h: what adds up is told per hour").first().waitFor();
    const kpi = page.getByRole("region", { name: "What it comes to" }).locator("li", { hasText: "Bottles made" });
    const told = (await kpi.locator(".kpi-pair > span").allTextContents()).map((t) => +t.replace(/[^\d.]/g, ""));
    assert.ok(Math.abs(told[0] - made[0]) < 0.01 * made[0], `${told} of ${made}`);
    assert.ok(Math.abs(told[1] - made[1] / 3) < 0.01 * made[1], `${told} of ${made}`);
    await kpi.getByText(/\/h/).first().waitFor();
    await shot(page, "compare-unequal");
    await done(page);
  });
});
