#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Budgets of the browser app in a real Chromium that draws in software: first paint, bytes of the first view, script
// and layout a frame while 10,000 values a second arrive on a graph of 100,000 twins, interaction to next paint, growth
// of memory. WEB_SECONDS: how long memory is watched (600).
import { chromium, demo, open, post, serve, skip } from "../tests/web_kit.mjs";

const SECONDS = Number(process.env.WEB_SECONDS ?? 600);
const TWINS = 100_000;
const CHANGES = 10_000; // a second

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function tell(name, values, unit, goal, peer = {}) {
  const line = {
    name,
    value: median(values),
    unit,
    min: Math.min(...values),
    max: Math.max(...values),
    goal,
    better: "less",
    ...peer,
  };
  for (const k of ["value", "min", "max", "peer_value"])
    if (line[k] !== undefined) line[k] = Number(line[k].toPrecision(4));
  console.log(JSON.stringify(line));
}

async function firstPaint(browser, url) {
  const paints = [];
  let bytes = 0;
  for (let i = 0; i < 9; i++) {
    const page = await open(browser, url);
    await page.getByRole("treeitem").first().waitFor();
    await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length);
    paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
    bytes = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .reduce(
          (n, e) => n + (/\/assets\//.test(e.name) ? e.encodedBodySize : 0),
          performance.getEntriesByType("navigation")[0].encodedBodySize,
        ),
    );
    await page.context().close();
  }
  tell("web.first_paint", paints, "ms", 500);
  tell("web.bundle", [bytes / 1000], "kB", 600);
}

async function interaction(browser, url) {
  const page = await open(browser, url);
  await page.getByRole("treeitem").first().waitFor();
  await page.evaluate(() => {
    window.told = [];
    new PerformanceObserver((l) => window.told.push(...l.getEntries().map((e) => e.duration))).observe({
      type: "event",
      durationThreshold: 16,
    });
  });
  for (let i = 0; i < 5; i++) {
    await page
      .getByRole("treeitem")
      .nth(1 + i)
      .click();
    await page.getByRole("complementary").waitFor();
    await page.keyboard.press("Control+k");
    await page.keyboard.type("line");
    await page.locator("#palette-list [role=option]").first().waitFor();
    await page.keyboard.press("Escape");
  }
  const told = await page.evaluate(() => window.told);
  await page.context().close();
  // The worst of few interactions, as INP has it.
  tell("web.inp", [Math.max(16, ...told)], "ms", 100);
}

async function bigWorld() {
  const server = await serve();
  const property = (name, schema) => ({ "@type": "Property", name, schema });
  const model = (id, contents) => ({ "@context": "dtmi:dtdl:context;3", "@id": id, "@type": "Interface", contents });
  const partOf = { "@type": "Relationship", name: "partOf" };
  await post(server.url, "/models", [
    model("dtmi:bench:Area;1", [property("label", "string"), partOf]),
    model("dtmi:bench:Sensor;1", [property("label", "string"), property("flow", "double"), partOf]),
  ]);
  const areas = TWINS / 50;
  const twins = [];
  const links = [];
  for (let i = 0; i < areas; i++)
    twins.push({ $dtId: `a${i}`, $metadata: { $model: "dtmi:bench:Area;1" }, label: `Area ${i}` });
  for (let i = 0; i < TWINS - areas; i++) {
    twins.push({
      $dtId: `t${i}`,
      $metadata: { $model: "dtmi:bench:Sensor;1" },
      label: `Sensor ${i}`,
      flow: (i * 7919) % 1000,
    });
    links.push({ $dtId: `t${i}`, $relationshipId: "p", $relationshipName: "partOf", $targetId: `a${i % areas}` });
  }
  for (let i = 1; i < areas; i++)
    links.push({
      $dtId: `a${i}`,
      $relationshipId: "p",
      $relationshipName: "partOf",
      $targetId: `a${Math.floor((i - 1) / 20)}`,
    });
  for (const [section, list] of [
    ["Twins", twins],
    ["Relationships", links],
  ]) {
    for (let i = 0; i < list.length; i += 20_000) {
      const body = [{ Section: section }, ...list.slice(i, i + 20_000)].map((x) => JSON.stringify(x)).join("\n") + "\n";
      await fetch(`${server.url}/import`, {
        method: "POST",
        headers: { "Content-Type": "application/x-ndjson" },
        body,
      });
    }
  }
  return server;
}

/** 10,000 values a second until it is told to stop; how many were taken. */
function stream(url) {
  let on = true;
  let n = 0;
  const over = (async () => {
    let k = 0;
    while (on) {
      const due = performance.now() + 100;
      let body = "";
      for (let i = 0; i < CHANGES / 10; i++)
        body += `{"id":"t${(k * 7919) % 98000}","property":"flow","value":${(k++ * 31) % 1000}}\n`;
      await fetch(`${url}/ingest`, { method: "POST", headers: { "Content-Type": "application/x-ndjson" }, body });
      n += CHANGES / 10;
      await new Promise((done) => setTimeout(done, Math.max(0, due - performance.now())));
    }
  })();
  return async () => {
    on = false;
    await over;
    return n;
  };
}

async function frames(browser) {
  const server = await bigWorld();
  const page = await open(browser, server.url, { hash: "#/live/graph?colour=flow" });
  await page.locator(".ramp").waitFor();
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Performance.enable");
  const metrics = async () =>
    Object.fromEntries((await cdp.send("Performance.getMetrics")).metrics.map((m) => [m.name, m.value]));
  const heap = async () => {
    await cdp.send("HeapProfiler.collectGarbage");
    return (await metrics()).JSHeapUsedSize / 1e6;
  };
  const begun = performance.now();
  const stop = stream(server.url);
  await page.waitForTimeout(5000);
  const works = [];
  for (let i = 0; i < 5; i++) {
    const a = await metrics();
    const count = await page.evaluate(
      () =>
        new Promise((done) => {
          let n = 0;
          const end = performance.now() + 3000;
          const f = (t) => (++n, t < end ? requestAnimationFrame(f) : done(n));
          requestAnimationFrame(f);
        }),
    );
    const b = await metrics();
    const spent = ["ScriptDuration", "LayoutDuration", "RecalcStyleDuration"].reduce((s, k) => s + b[k] - a[k], 0);
    works.push((spent * 1000) / count);
  }
  tell("web.frame_work", works, "ms", 8);
  const before = await heap();
  await page.waitForTimeout(SECONDS * 1000);
  const after = await heap();
  const sent = await stop();
  tell("web.memory_growth", [after - before], "MB", 10, {
    peer: "values a second that arrived meanwhile",
    peer_value: (sent * 1000) / (performance.now() - begun),
    seconds: SECONDS,
    heap_mb: Math.round(after),
  });
  await page.context().close();
  await server.stop();
}

if (!skip) {
  const browser = await chromium();
  const plant = await demo();
  try {
    await firstPaint(browser, plant.url);
    await interaction(browser, plant.url);
    await plant.stop();
    await frames(browser);
  } finally {
    await browser.close();
    await plant.stop();
  }
}
