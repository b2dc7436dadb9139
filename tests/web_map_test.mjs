// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// Where things are, in a real browser: the plan and its editing, the map and its trails, the scene, files dropped.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { broken, demo, ROOT, serve, shot, SIZES, suite } from "./web_kit.mjs";

const asset = (name) => readFileSync(join(ROOT, "packs", "bottling", "files", name), "utf8");

suite("the browser app: map, plan and 3D", demo, ({ at, done, server }) => {
  /** Of the view; the frame around it has tests of its own. */
  const wrong = async (page) => (await broken(page)).filter((x) => !/: \.(tl|frame|rail)-/.test(x));
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
    await page
      .getByRole("option", { name: /truck-1/ })
      .first()
      .click();
    await until((p) => p.at["truck-1"]);
    await twin(page, "truck-1").focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Delete");
    await until((p) => !p.at["truck-1"]);
    await done(page);
  });

  test("two who place the same twin: the second is told, and what else was placed stays", async () => {
    const page = await at("#/live/map?doc=plant.plan.json");
    await page.getByRole("button", { name: "Place twins" }).click();
    await twin(page, "weather-station").focus();
    const theirs = await plan();
    theirs.at["weather-station"] = { x: 33, y: 44 };
    theirs.at["pump-1"].x += 1;
    const reply = await fetch(`${server.url}/files/plant.plan.json`, {
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(theirs),
    });
    assert.equal(reply.status, 200);
    await page.keyboard.press("ArrowLeft");
    await page.getByText("Somebody else placed Weather station meanwhile. Theirs stands.").waitFor();
    assert.deepEqual((await plan()).at["weather-station"], { x: 33, y: 44 });
    await page.getByRole("button", { name: "Put it where I did" }).click();
    await until((p) => p.at["weather-station"].x !== 33);
    assert.equal((await plan()).at["pump-1"].x, theirs.at["pump-1"].x);
    await done(page);
  });

  test("signs tell how a twin is without colour; flow goes along links; sizes say how much", async () => {
    const page = await at("#/live/map?doc=plant.plan.json&links=supplies");
    await page.locator(".plan-links path.flows").first().waitFor();
    const legend = page.getByRole("region", { name: "What the signs mean" });
    await legend.getByText("tells no state").waitFor();
    await legend.getByText("wide and fast: up to").waitFor();
    assert.match(await twin(page, "line-1-filler").getAttribute("aria-label"), /: (works|needs you|waits|at rest)$/);
    const dashes = page.locator(".plan-links path.flows").first();
    const still = await dashes.evaluate((e) => getComputedStyle(e).animationName);
    assert.equal(still, "none", "who wants less motion gets none");
    await page.locator("#stage-size").selectOption("power");
    await page.locator(".plan-bubble").first().waitFor();
    await legend.getByText("Size: Power").waitFor();
    await page.waitForURL(/size=power/);
    await shot(page, "plan-flow");
    await done(page);
  });

  /** Which of these parts of the page meet, and which names stand below what lies over the picture. */
  const meet = (page) =>
    page.evaluate(() => {
      const boxes = (css) =>
        [...document.querySelectorAll(css)].map((e) => ({
          e: e.className.baseVal ?? e.className,
          r: e.getBoundingClientRect(),
        }));
      const over = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
      const cards = boxes(".stage-tools > *, .stage-legend, .stage-scale, .stage-zoom, .tl, .topbar");
      const out = cards.flatMap((a, i) =>
        cards
          .slice(i + 1)
          .filter((b) => over(a.r, b.r))
          .map((b) => `${a.e} on ${b.e}`),
      );
      for (const t of document.querySelectorAll(".plan-labels text"))
        for (const c of cards) if (over(t.getBoundingClientRect(), c.r)) out.push(`${t.textContent} under ${c.e}`);
      return out;
    });

  test("legend, scale and tools stand beside each other on a phone, a desk and a wall; the scale is true", async () => {
    for (const doc of ["plant.plan.json", "montefalda.map.json"])
      for (const [width, height] of SIZES) {
        const page = await at(`#/live/map?doc=${doc}`, { width, height });
        const scale = page.getByRole("img", { name: /^Scale: the bar is .* long$/ });
        await scale.waitFor();
        await page.getByRole("region", { name: "What the signs mean" }).waitFor();
        await page.waitForTimeout(300);
        assert.deepEqual(await meet(page), [], `${doc}, ${width} px`);
        assert.ok((await scale.boundingBox()).x + (await scale.boundingBox()).width < width - 50, `${width} px`);
        if (doc === "plant.plan.json") {
          const [a, b] = [await twin(page, "well-1").boundingBox(), await twin(page, "well-2").boundingBox()];
          const middle = (r) => [r.x + r.width / 2, r.y + r.height / 2];
          const apart = Math.hypot(middle(a)[0] - middle(b)[0], middle(a)[1] - middle(b)[1]);
          const { x, y } = (await plan()).at["well-1"];
          const to = (await plan()).at["well-2"];
          const perPixel = Math.hypot(x - to.x, y - to.y) / apart;
          const told = Number.parseFloat(await scale.innerText());
          const long = (await scale.locator("span").last().boundingBox()).width;
          assert.ok(Math.abs(long * perPixel - told) < 0.03 * told, `${long} px for ${told} m`);
        }
        await done(page);
      }
  });

  test("where many stand close no dot covers another, and the one pointed at says its name at once", async () => {
    const page = await at("#/live/map?doc=plant.plan.json");
    await twin(page, "gateway-water").waitFor();
    const covering = await page.evaluate(() => {
      const dots = [...document.querySelectorAll(".plan-mark:not(.chosen) > circle.body")].map((e) => {
        const r = e.getBoundingClientRect();
        return {
          id: e.parentNode.dataset.twin,
          x: r.x + r.width / 2,
          y: r.y + r.height / 2,
          r: Number(e.getAttribute("r")),
        };
      });
      return dots.flatMap((a, i) =>
        dots
          .slice(i + 1)
          .filter((b) => Math.hypot(a.x - b.x, a.y - b.y) < a.r + b.r)
          .map((b) => `${a.id} on ${b.id}`),
      );
    });
    assert.deepEqual(covering, []);
    assert.equal(await page.locator(".plan-mark:not([aria-label])").count(), 0);
    const told = page.locator(".plan-told");
    for (const id of ["gateway-line-3", "gateway-water", "gateway-power"]) {
      const b = await twin(page, id).locator("circle.body").boundingBox();
      await page.mouse.move(b.x + b.width / 2, b.y + b.height / 2);
      const name = (await twin(page, id).getAttribute("aria-label")).split(":")[0];
      await told.getByText(name, { exact: true }).waitFor();
    }
    await shot(page, "plan-told");
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForURL(/sel=gateway-power/);
    await page.mouse.move(5, 5);
    await told.waitFor({ state: "detached" });
    // A house whose middle is that of a machine in it stands on nothing.
    assert.match(await twin(page, "pump-house").getAttribute("class"), /\bground\b/);
    assert.doesNotMatch(await twin(page, "pump-2").getAttribute("class"), /\bground\b/);
    await done(page);
  });

  test("fingers: a tap selects, one moves, two zoom", async () => {
    const page = await at("#/live/map?doc=plant.plan.json", { width: 390, height: 844, touch: true });
    const tank = twin(page, "cold-room-1");
    await tank.waitFor();
    const widthOf = async () => (await tank.boundingBox()).width;
    const was = await widthOf();
    const b = await page.locator(".plan").boundingBox();
    const cdp = await page.context().newCDPSession(page);
    const [x, y] = [b.x + b.width / 2, b.y + b.height / 2];
    const fingers = (type, list) => cdp.send("Input.dispatchTouchEvent", { type, touchPoints: list });
    await fingers("touchStart", [
      { x: x - 20, y },
      { x: x + 20, y },
    ]);
    for (const d of [40, 70, 110])
      await fingers("touchMove", [
        { x: x - d, y },
        { x: x + d, y },
      ]);
    await fingers("touchEnd", []);
    await page.waitForURL(/pan=/);
    assert.ok((await widthOf()) > was * 3, "two fingers bring it nearer");
    const at0 = await tank.boundingBox();
    await fingers("touchStart", [{ x, y }]);
    for (const d of [20, 40, 60]) await fingers("touchMove", [{ x: x - d, y: y + d }]);
    await fingers("touchEnd", []);
    const at1 = await tank.boundingBox();
    assert.ok(at1.x < at0.x - 30 && at1.y > at0.y + 30, "one finger moves it");
    await page.keyboard.press("0");
    await page.waitForFunction(
      (w) => document.querySelector("[data-twin=cold-room-1]").getBoundingClientRect().width < w * 1.2,
      was,
    );
    await twin(page, "dock-2").tap();
    await page.waitForURL(/sel=dock-2/);
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

  /** Where a camera (its place, what it looks at) sees corners of the ground, in parts of half the window. */
  const seenBy = (cam, aspect) => {
    const sub = (a, b) => a.map((v, i) => v - b[i]);
    const dot = (a, b) => a.reduce((n, v, i) => n + v * b[i], 0);
    const cross = (a, b) => [0, 1, 2].map((i) => a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3]);
    const unit = (a) => a.map((v) => v / Math.hypot(...a));
    const ahead = unit(sub(cam.slice(3), cam.slice(0, 3)));
    const right = unit(cross(ahead, [0, 1, 0]));
    const up = cross(right, ahead);
    const high = Math.tan((19 * Math.PI) / 180);
    return [-126, 126].flatMap((x) =>
      [-74, 74].map((z) => {
        const to = sub([x, 0, z], cam.slice(0, 3));
        const far = dot(to, ahead) * high;
        return [dot(to, right) / (far * aspect), dot(to, up) / far];
      }),
    );
  };

  test("3D: all of the plant is in the window and fills it, on a phone, a desk and a wall", async () => {
    for (const [width, height] of SIZES) {
      const page = await at("#/live/scene", { width, height });
      await page.waitForURL(/cam=/);
      const box = await page.locator(".stage.scene").boundingBox();
      const cam = new URLSearchParams(new URL(page.url()).hash.split("?")[1]).get("cam").split(",").map(Number);
      const corners = seenBy(cam, box.width / box.height).flat();
      const most = Math.max(...corners.map(Math.abs));
      assert.ok(most <= 1 && most > 0.8, `${width} px: ${corners.map((v) => v.toFixed(2))}`);
      await done(page);
    }
  });

  test("3D: nodes are bound to twins by hand and by name, for everybody, and loose again", async () => {
    const scene = async () => (await fetch(`${server.url}/files/plant.scene.json`)).json();
    const kept = async (is) => {
      for (let i = 0; i < 100; i++) {
        if (is(await scene())) return;
        await new Promise((r) => setTimeout(r, 100));
      }
      assert.fail("the scene did not become so");
    };
    const page = await at("#/live/scene", { dark: true });
    await page.getByRole("group", { name: /^A scene with [1-9]/ }).waitFor();
    await page.getByRole("button", { name: "Bind nodes to twins" }).click();
    await page.getByPlaceholder("Find a node").fill("well-2");
    const field = page.getByLabel("well-2", { exact: true });
    await field.fill("truck-1");
    await field.press("Enter");
    await page.getByText("well-2 is Truck 1 now.").waitFor();
    await kept((d) => d.nodes["truck-1"] === "well-2" && !("well-2" in d.nodes));
    await page.locator(".toast").getByRole("button", { name: "Undo" }).last().click();
    await kept((d) => !("truck-1" in d.nodes) && d.nodes["well-2"] === "well-2");
    await field.waitFor();
    assert.deepEqual(await wrong(page), []);
    await shot(page, "scene-bind");
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("region", { name: "What the signs mean" }).waitFor();
    await done(page);
  });

  test("in the past the plan follows; places are the same everywhere", async () => {
    const then = new Date(Date.now() - 1500).toISOString();
    const page = await at(`#/live@${then}/map?doc=plant.plan.json&value=power`, { width: 2560, height: 1440 });
    await page.locator(".plan-labels .value").first().waitFor();
    await page.getByRole("region", { name: "What the signs mean" }).waitFor();
    assert.deepEqual(await wrong(page), []);
    await page.getByRole("button", { name: "Place twins" }).click();
    await page.getByText("Places are the same in every world").waitFor();
    await shot(page, "plan-past-2560");
    await done(page);
  });

  test("with nothing there it teaches; a dropped model becomes a scene, a picture a plan", async () => {
    const empty = await serve();
    try {
      const page = await at("#/live/map", { url: empty.url });
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
      await done(page);
    } finally {
      await empty.stop();
    }
  });
});
