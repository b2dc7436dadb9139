// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// Where things are, in a real browser: the plan and its editing, the map and its trails, the scene, files dropped.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { chromium, demo, open, ROOT, serve, shot, skip } from "./web_kit.mjs";

const asset = (name) => readFileSync(join(ROOT, "packs", "bottling", "files", name), "utf8");

describe("the browser app: map, plan and 3D", { skip: skip || false }, () => {
  let server;
  let browser;
  before(async () => {
    [server, browser] = await Promise.all([demo(), chromium()]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  const at = (hash, o = {}) => open(browser, server.url, { hash, ...o });
  const done = async (page) => {
    assert.deepEqual(page.wrong, []);
    await page.context().close();
  };
  const plan = async () => (await fetch(`${server.url}/files/plant.plan.json`)).json();
  const twin = (page, id) => page.locator(`[data-twin="${id}"]`);
  /** Until what the server keeps is so. */
  const until = async (is) => {
    for (let i = 0; i < 100; i++) {
      if (is(await plan())) return;
      await new Promise((r) => setTimeout(r, 100));
    }
    assert.fail("the plan did not become so");
  };

  test("the plan: a click selects, keys and wheel move, the address says where", async () => {
    const page = await at("#/live/map?doc=plant.plan.json");
    await twin(page, "line-1-filler").click();
    await page.getByRole("complementary").getByRole("heading", { name: "Filler, Line 1" }).waitFor();
    await page.waitForURL(/sel=line-1-filler/);
    await page.mouse.move(400, 400);
    await page.mouse.wheel(0, -500);
    await page.waitForURL(/pan=/);
    await page.keyboard.press("0");
    await page.waitForURL((u) => !/pan=/.test(u.hash));
    await twin(page, "pump-1").focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/sel=pump-1/);
    await page.locator("#stage-value").selectOption("power");
    await page.locator(".plan-labels .value").first().waitFor();
    await shot(page, "plan");
    await done(page);
  });

  test("placing: dragged, by keys, added, taken off, undone", async () => {
    const page = await at("#/live/map?doc=plant.plan.json");
    const was = (await plan()).at["weather-station"];
    await page.getByRole("button", { name: "Place twins" }).click();
    const b = await twin(page, "weather-station").boundingBox();
    await page.mouse.move(b.x + b.width / 2, b.y + b.height / 2);
    await page.mouse.down();
    await page.mouse.move(b.x + 60, b.y + 20, { steps: 4 });
    await page.mouse.up();
    await until((p) => p.at["weather-station"].x > was.x + 4);
    await page.keyboard.press("Control+z");
    await until((p) => p.at["weather-station"].x === was.x);
    await page.getByLabel("Add a twin").fill("truck-1");
    await page.locator(".plan-editor .menu-item").first().click();
    await until((p) => p.at["truck-1"]);
    await twin(page, "truck-1").focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Delete");
    await until((p) => !p.at["truck-1"]);
    await done(page);
  });

  test("the map: trucks and shops by themselves, over the country; a document is one click", async () => {
    const page = await at("#/live/map?doc=plant.plan.json");
    await page.getByRole("button", { name: "Montefalda", exact: true }).click();
    await page.getByRole("group", { name: "A map with 5 twins" }).waitFor();
    await page.keyboard.press("n");
    await page.waitForURL(/sel=/);
    await page.getByRole("button", { name: "Where they were in the last hour" }).click();
    await page.waitForURL(/trails=1/);
    await page.waitForTimeout(1500);
    await shot(page, "map");
    await done(page);
  });

  test("3D: nodes are twins, arrows turn it, a selection from elsewhere is brought near", async () => {
    const page = await at("#/live/scene");
    const many = Object.keys((await plan()).at).length;
    await page.getByRole("group", { name: `A scene with ${many} twins` }).waitFor();
    await page.keyboard.press("ArrowLeft");
    await page.waitForURL(/cam=/);
    const before = page.url();
    await page.keyboard.press("n");
    await page.waitForURL((u) => /sel=/.test(u.hash) && u.href !== before);
    await page.waitForTimeout(800);
    await shot(page, "scene");
    await done(page);
  });

  test("with nothing there it teaches; a dropped model becomes a scene, a picture a plan", async () => {
    const empty = await serve();
    try {
      const page = await open(browser, empty.url, { hash: "#/live/map" });
      await page.getByText("No plan and no map yet").waitFor();
      const drop = async (name, type) => {
        const data = await page.evaluateHandle(
          ([n, t, text]) => {
            const d = new DataTransfer();
            d.items.add(new File([text], n, { type: t }));
            return d;
          },
          [name, type, asset(name)],
        );
        await page.dispatchEvent(".stage", "drop", { dataTransfer: data });
      };
      await drop("plant.svg", "image/svg+xml");
      await page.waitForURL(/doc=plant\.plan\.json/);
      await page.locator(".plan image").waitFor();
      await drop("plant.gltf", "model/gltf+json");
      await page.waitForURL(/scene.*doc=plant\.scene\.json/);
      assert.deepEqual(page.wrong, []);
      await page.context().close();
    } finally {
      await empty.stop();
    }
  });
});
