// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// A graph of 100,000 twins in a real browser: clusters that open, names and links from near, the twin one points at,
// colours that follow the values, a filter, and how long the page works for a frame of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bigWorld, PATIENCE, post, shot, suite } from "./web_kit.mjs";

const FRAME_MS = 40; // the budget is 8, and the bench measures it; here nothing may hang on another's work
const ONE = "t4242";
// Two worlds of them at once, coloured and with ghosts: 16.9 s to open, 14.4 ms of work a frame and 121 MB on a machine
// that others were using too.
const TWO = { openMs: 60_000, heapMB: 350 };

suite("the browser app: 100,000 twins", bigWorld, ({ at, done, server }) => {
  const stage = (page) => page.locator(".graph-stage");
  /** Until the stage says of what it draws (clusters, needing, links, names) that it is so. */
  const drawn = async (page, is) => {
    let told = {};
    for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
      told = await stage(page).evaluate((e) => Object.fromEntries(Object.entries(e.dataset).map(([k, v]) => [k, +v])));
      if (told.names !== undefined && is(told)) return told;
      await new Promise((r) => setTimeout(r, 50));
    }
    return assert.fail(`it is drawn otherwise: ${JSON.stringify(told)}`);
  };
  const middle = async (page) => {
    const b = await stage(page).boundingBox();
    return { x: b.x + b.width / 2, y: b.y + b.height / 2 };
  };
  /** The picture of a few pixels around a place. */
  const patch = ({ page, x, y }) => page.screenshot({ clip: { x: x - 2, y: y - 2, width: 4, height: 4 } });
  const send = (lines) =>
    fetch(`${server.url}/ingest`, {
      method: "POST",
      headers: { "Content-Type": "application/x-ndjson" },
      body: lines.map((l) => JSON.stringify(l)).join("\n") + "\n",
    });

  test("from afar: clusters with counts, and how many need somebody; a click opens one", async () => {
    for (const [name, o] of [
      ["", {}],
      ["-dark-wide", { dark: true, width: 2560, height: 1440, query: "?colour=flow" }],
      ["-phone", { width: 390, height: 844 }],
    ]) {
      const page = await at(`#/live/graph${o.query ?? ""}`, o);
      const { clusters } = await drawn(page, (d) => d.clusters > 10 && d.needing === 12);
      await shot(page, `graph-100k${name}`);
      if (name) {
        await done(page);
        continue;
      }
      // A place in the largest open group is a closed one or the ground between; one of a few clicks meets one.
      const b = await stage(page).boundingBox();
      for (let i = 0; i < 40 && !/cam=/.test(page.url()); i++) {
        const [x, y] = [b.x + b.width * (0.3 + 0.01 * i), b.y + b.height * 0.5];
        await page.mouse.move(x, y);
        if ((await stage(page).evaluate((e) => e.style.cursor)) !== "pointer") continue;
        await page.mouse.click(x, y);
        await page.waitForURL(/cam=/);
      }
      await drawn(page, (d) => d.clusters !== clusters);
      await done(page);
    }
  });

  test("from near: names and links; a click selects the twin one sees; its colour follows its value", async () => {
    const page = await at(`#/live/graph?colour=flow&sel=${ONE}`);
    await page.getByRole("complementary").waitFor();
    await page.waitForURL(/cam=/);
    await drawn(page, (d) => d.links > 0);
    for (let i = 0; i < 12; i++) await page.getByRole("button", { name: "Closer" }).click();
    await page.keyboard.press("Escape");
    await page.waitForURL((u) => !/sel=/.test(u.hash));
    await drawn(page, (d) => d.names > 3 && d.links > 3 && d.clusters === 0);
    await shot(page, "graph-100k-near");
    const box = await stage(page).boundingBox();
    const places = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    await page.mouse.click(places.x, places.y);
    await page.waitForURL(new RegExp(`sel=${ONE}\\b`));
    await page.getByRole("complementary").getByRole("heading", { name: "Sensor 4242" }).waitFor();
    const before = await patch({ page, ...(await middle(page)) });
    await send([{ id: ONE, property: "flow", value: 980 }]);
    for (let i = 0; ; i++) {
      if (!before.equals(await patch({ page, ...(await middle(page)) }))) break;
      assert.ok(i < 100, "the colour did not follow");
    }
    await done(page);
  });

  test("a condition leaves only those that fulfil it", async () => {
    const page = await at("#/live/graph");
    await drawn(page, (d) => d.clusters > 10);
    await page.getByLabel("Show only twins where").fill("fault = 'stuck'");
    await page.keyboard.press("Enter");
    await page.getByText("12 twins").first().waitFor();
    // So few that nothing covers them: they stand in two areas, and have names there as far as there is room.
    await drawn(page, (d) => d.clusters === 0 && d.names >= 4);
    await shot(page, "graph-100k-few");
    await done(page);
  });

  test("together by model, coloured and sized by an expression; one that is wrong is said", async () => {
    const page = await at("#/live/graph?by=model&colour=%3Dflow%2F2&size=%3Dflow%2F2");
    await drawn(page, (d) => d.clusters > 10 && d.needing === 12);
    const missing = page.locator(".legend .no-value");
    assert.match((await missing.innerText()).replace(/\s/g, ""), /novalueyet2000$/);
    await shot(page, "graph-100k-model");
    await page.evaluate(() => (location.hash = "#/live/graph?by=model&colour=%3Dflow%2F"));
    await page.getByRole("alert").first().waitFor();
    await drawn(page, (d) => d.clusters > 10);
    page.wrong = page.wrong.filter((x) => !/400/.test(x));
    await done(page);
  });

  test("values arriving cost a frame little", async () => {
    const page = await at("#/live/graph?colour=flow");
    await drawn(page, (d) => d.clusters > 10);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Performance.enable");
    const work = async () => {
      const m = Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map((x) => [x.name, x.value]));
      return m.ScriptDuration + m.LayoutDuration + m.RecalcStyleDuration;
    };
    const begin = await work();
    let frames = 0;
    for (let k = 0; k < 5; k++) {
      await send(
        Array.from({ length: 2000 }, (_, i) => ({ id: `t${(k * 2000 + i) * 7}`, property: "flow", value: i % 1000 })),
      );
      frames += await page.evaluate(
        () =>
          new Promise((over) => {
            let n = 0;
            const end = performance.now() + 500;
            const f = (t) => (++n, t < end ? requestAnimationFrame(f) : over(n));
            requestAnimationFrame(f);
          }),
      );
    }
    const each = ((await work()) - begin) * (1000 / frames);
    console.log(`script and layout work: ${each.toFixed(1)} ms a frame, ${frames} frames`);
    // Where hardly a frame is drawn the machine has other work, and a frame does that of many.
    assert.ok(each < FRAME_MS || frames < 60, `${each} ms a frame`);
    await done(page);
  });

  test("two worlds side by side: each read once for all frames; it opens, moves, and does not eat memory", async () => {
    await post(server.url, "/worlds", { name: "try", from: "live" });
    const of = "/worlds/try/digitaltwins/";
    for (let i = 0; i < 20; i++)
      await post(server.url, `${of}t${i * 1000 + 3}`, [{ op: "add", path: "/flow", value: 5000 + i }], "PATCH");
    const born = { $metadata: { $model: "dtmi:bench:Sensor;1" }, label: "New sensor", flow: 1 };
    await post(server.url, `${of}new`, born, "PUT");
    const whole = { $relationshipName: "partOf", $targetId: "a7" };
    await post(server.url, `${of}new/relationships/p`, whole, "PUT");
    const asked = [];
    const begin = Date.now();
    const page = await at("#/live/compare?with=try&clock=own&colour=flow", {
      before: (p) => p.on("request", (r) => asked.push(new URL(r.url(), server.url))),
    });
    const pane = (side) => page.frameLocator(`iframe.compare-pane.${side}`);
    const legend = pane("a").locator(".legend");
    for (const side of ["a", "b"])
      await pane(side).locator(".graph-stage[data-names]").waitFor({ timeout: TWO.openMs });
    await legend.getByText("differs: 20").waitFor({ timeout: TWO.openMs });
    await legend.getByText("only in try: 1", { exact: true }).waitFor({ timeout: TWO.openMs });
    const openMs = Date.now() - begin;
    const count = (path, query) => asked.filter((u) => u.pathname === path && u.searchParams.has(query)).length;
    const read = [count("/graph", "label"), count("/worlds/try/graph", "label"), count("/worlds/try/diff", "against")];
    assert.deepEqual(read.slice(0, 2), [1, 1], "each world is read once");
    // Again only after a while: the three frames would have asked three times at once.
    assert.ok(read[2] <= 1 + openMs / 5000, `${read[2]} differences asked for in ${openMs} ms`);
    assert.ok(count("/graph", "values") + count("/worlds/try/graph", "values") <= 4);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("Performance.enable");
    const metrics = async () =>
      Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map((x) => [x.name, x.value]));
    const work = (m) => m.ScriptDuration + m.LayoutDuration + m.RecalcStyleDuration;
    const box = await page.locator("iframe.compare-pane.a").boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const from = work(await metrics());
    let frames = 0;
    for (let i = 0; i < 10; i++) {
      await page.mouse.wheel(0, i < 7 ? -200 : 200);
      frames += await page.evaluate(
        () =>
          new Promise((over) => {
            let n = 0;
            const end = performance.now() + 300;
            const f = (t) => (++n, t < end ? requestAnimationFrame(f) : over(n));
            requestAnimationFrame(f);
          }),
      );
    }
    const each = (work(await metrics()) - from) * (1000 / frames);
    await cdp.send("HeapProfiler.collectGarbage");
    const heapMB = (await metrics()).JSHeapUsedSize / 1e6;
    const told = `${each.toFixed(1)} ms a frame of ${frames}, ${heapMB.toFixed(0)} MB`;
    console.log(`two worlds: open in ${openMs} ms, ${told}`);
    assert.ok(openMs < TWO.openMs, `${openMs} ms`);
    assert.ok(each < 2 * FRAME_MS || frames < 30, `${each} ms a frame`);
    assert.ok(heapMB < TWO.heapMB, `${heapMB} MB`);
    await shot(page, "compare-100k");
    await done(page);
  });
});
