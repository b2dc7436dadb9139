// SPDX-License-Identifier: Apache-2.0
// Much of everything, and odd names: what a page leaves out it says (docs/limits.md), and what people call their twins
// is no more to it than a name.
import { test } from "node:test";
import assert from "node:assert/strict";
import { post, serve, suite } from "./web_kit.mjs";

const MODEL = {
  "@id": "dtmi:t:Machine;1",
  "@type": "Interface",
  "@context": "dtmi:dtdl:context;3",
  contents: [
    { "@type": "Property", name: "state", schema: "string" },
    { "@type": "Property", name: "fault", schema: "string" },
    { "@type": "Property", name: "power", schema: "double" },
    { "@type": "Property", name: "toString", schema: "double" },
  ],
};
const ODD = ["constructor", "__proto__", "toString", "hasOwnProperty"];
const MANY = 45;

suite("much of everything, and odd names", () => serve(), ({ at, done, server }) => {
  const put = (id, values) =>
    post(server.url, `/digitaltwins/${id}`, { $metadata: { $model: MODEL["@id"] }, ...values }, "PUT");
  let made;
  /** Once: machines, each of which stood for a while, and twins of odd names. */
  const machines = () =>
    (made ??= (async () => {
      await post(server.url, "/models", [MODEL]);
      for (let i = 0; i < MANY; i++) await put(`m-${i}`, { state: "running", fault: "", power: i });
      for (const id of ODD) await put(id, { state: "running", fault: "", power: 1 });
      for (const fault of ["belt torn", ""]) {
        for (let i = 0; i < MANY; i++) {
          const patch = [{ op: "add", path: "/fault", value: fault }];
          const reply = await fetch(`${server.url}/digitaltwins/m-${i}?api-version=2023-10-31`, {
            method: "PATCH",
            headers: { "Content-Type": "application/json-patch+json" },
            body: JSON.stringify(patch),
          });
          assert.equal(reply.status, 204, await reply.text());
        }
        await new Promise((r) => setTimeout(r, 1200));
      }
    })());

  test("alerts of more twins than are marked: the timeline says so where one points", async () => {
    await machines();
    const page = await at("#/live/overview");
    await page.locator(".tl-mark.bad").first().waitFor();
    const box = await page.locator(".tl-track").boundingBox();
    // Where history is, which has only begun.
    const tip = page.locator(".tl-tip").getByText("Alerts of the first 40 twins are marked; more had some");
    for (let i = 0; i < 100 && !(await tip.isVisible()); i++) {
      await page.mouse.move(box.x + box.width * 0.995 - (i % 2), box.y + box.height - 4);
      await page.waitForTimeout(200);
    }
    await tip.waitFor();
    await done(page);
  });

  test("of more lines than a chart has, how many there would be", async () => {
    await machines();
    const query = `SELECT $dtId, power FROM DIGITALTWINS WHERE power >= 0 HISTORY FROM NOW() - 1h`;
    const page = await at(`#/live/ask?q=${encodeURIComponent(query)}&as=chart`);
    await page.getByText(`The first 8 of ${MANY + ODD.length} lines.`).waitFor();
    await done(page);
  });

  test("of many scenarios eight are compared at once: a ninth cannot be ticked, and says why", async () => {
    await machines();
    for (let i = 0; i < 9; i++) {
      await post(server.url, "/worlds", { name: `w${i}`, from: "live" });
      await post(server.url, `/worlds/w${i}/run`, { for: "PT1S" });
    }
    const page = await at("#/live/whatif");
    const ticks = page.getByRole("checkbox", { name: /w\d/ });
    for (let i = 0; i < 8; i++) await ticks.nth(i).check();
    assert.ok(await ticks.nth(8).isDisabled());
    assert.match(await ticks.nth(8).getAttribute("title"), /^8 at once/);
    await ticks.nth(0).uncheck();
    await ticks.nth(8).check();
    await done(page);
  });

  test("twins may be called as members of objects are, in every view", async () => {
    await machines();
    for (const id of ODD) {
      const page = await at(`#/live/twin?sel=${id}`);
      const main = page.locator("#canvas");
      await main.getByRole("heading", { name: id }).first().waitFor();
      // It has a property of such a name, without a value.
      await main.getByText("no value yet").first().waitFor();
      for (const view of ["map", "graph", "scene", "overview", "twins"]) {
        await page.evaluate(([v, s]) => (location.hash = `#/live/${v}?sel=${s}`), [view, id]);
        await page.waitForTimeout(300);
      }
      await done(page);
    }
    const page = await at("#/live/twin?sel=m-1&vs=__proto__&with=constructor");
    await page.getByRole("heading", { name: "m-1" }).first().waitFor();
    await page.evaluate(() => (location.hash = "#/live/overview"));
    await page.getByRole("treeitem").first().waitFor();
    await done(page);
  });
});
