// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial daytime
// Questions, models and connections in a real browser: what is typed, what is told where it is wrong, what comes of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { demo, demoWithPast, post, serve, shot, suite } from "./web_kit.mjs";

suite("the browser app: ask, models, connections", demo, ({ at, done, server }) => {
  const asking = (query, more = "") => at(`#/live/ask?q=${encodeURIComponent(query)}${more}`);

  test("an example is one click: rows with labels and units, a chart, a plan, and Back", async () => {
    const page = await at("#/live/ask");
    await page.getByRole("link", { name: /Who draws the most power/ }).click();
    await page.getByRole("button", { name: "Main meter" }).waitFor();
    await page.getByRole("columnheader", { name: /power kW/ }).waitFor();
    await page.getByRole("tab", { name: "Chart" }).click();
    await page.getByText(/Main meter has the most power: .*kW/).waitFor();
    await page.getByRole("tab", { name: "Plan" }).click();
    await page.getByRole("list", { name: "Plan" }).getByText("scan").waitFor();
    await page.goBack();
    await page.getByText(/has the most power/).waitFor();
    await page.getByRole("tab", { name: "Table" }).click();
    await page.getByRole("button", { name: "Main meter" }).click();
    await page.getByRole("complementary").getByRole("heading", { name: "Main meter" }).waitFor();
    await done(page);
  });

  test("a question in plain words is answered with how questions are asked, and with examples", async () => {
    const page = await at("#/live/ask");
    await page.locator(".ask-example").first().waitFor();
    await page.getByRole("textbox", { name: /Question/ }).fill("How many pumps are there?");
    await page.keyboard.press("Control+Enter");
    await page.getByText("Questions are asked in a query language: begin with one of these.").waitFor();
    await page.getByRole("link", { name: /^What is there\?/ }).click();
    await page.getByText(/^\d+ rows/).waitFor();
    assert.equal(await page.getByText("Questions are asked in a query language").count(), 0);
    await done(page, true);
  });

  test("an example is offered only where it has an answer", async () => {
    const of = (id, property) => ({
      "@context": "dtmi:dtdl:context;3",
      "@id": id,
      "@type": "Interface",
      contents: [{ "@type": "Property", name: property, schema: "double" }],
    });
    const own = await serve();
    try {
      // A model that could say how many wait, and no twin of it; power and state are never said by one and the same.
      const models = ["waiting", "power", "state"].map((p) => of(`dtmi:test:With${p};1`, p));
      await post(own.url, "/models", models);
      const twin = (id, $model, more) =>
        post(own.url, `/digitaltwins/${id}`, { $metadata: { $model }, ...more }, "PUT");
      await twin("a", "dtmi:test:Withpower;1", { power: 500 });
      const page = await at("#/live/ask", { url: own.url });
      const offered = (name) => page.getByRole("link", { name }).count();
      await page.getByRole("link", { name: /^How did power go/ }).first().waitFor();
      assert.equal(await offered(/^Where do they wait/), 0);
      assert.equal(await offered(/^Who draws the most power/), 0);
      await twin("b", "dtmi:test:Withwaiting;1", { waiting: 0 });
      await page.reload();
      await page.getByRole("link", { name: /^How did power go/ }).first().waitFor();
      assert.equal(await offered(/^Where do they wait/), 0, "nothing waits");
      await twin("c", "dtmi:test:Withwaiting;1", { waiting: 3 });
      await page.reload();
      await page.getByRole("link", { name: /^Where do they wait/ }).click();
      await page.getByRole("button", { name: "c", exact: true }).waitFor();
      await done(page);
    } finally {
      await own.stop();
    }
  });

  test("from an alert to what it affects: two clicks, and its rows are shown in the graph", async () => {
    const own = await demoWithPast(); // line 1's filler stands
    try {
      const page = await at("#/live/overview", { url: own.url });
      await page
        .locator("#canvas")
        .getByText(/Filler, Line 1/)
        .first()
        .click();
      await page.getByRole("complementary").getByText("jam at infeed star").first().waitFor();
      await page.getByRole("link", { name: "Ask", exact: true }).click();
      const first = page.locator(".ask-example").first();
      await first.getByText("What hangs on Filler, Line 1?").click();
      const row = (name) => page.locator("#canvas").getByRole("button", { name, exact: true });
      await row("Capper, Line 1").waitFor();
      await row("Palletiser, Line 1").waitFor(); // not a neighbour: far down the line
      assert.equal(await row("Capper, Line 2").count(), 0);
      await page.getByRole("link", { name: "Show in the graph" }).click();
      await page.getByText(/\d+ chosen twins|^\d+ twins$/).waitFor();
      await done(page);
    } finally {
      await own.stop();
    }
  });

  test("a KPI is read from its tile, refused under the word, saved, taken back, made anew and deleted", async () => {
    const page = await at("#/live/overview");
    const title = "Bottles an hour through the fillers";
    await page.getByRole("link", { name: `How “${title}” is counted` }).click();
    await page.getByRole("heading", { name: `KPI: ${title}` }).waitFor();
    await page.locator(".sentences").getByText("its mean").waitFor();
    const text = page.getByRole("textbox", { name: "Its text (JSON)" });
    const before = await text.inputValue();
    const save = page.getByRole("button", { name: "Save", exact: true });
    const refused = async (from, to, word, why) => {
      await text.fill(before.replace(from, to));
      await save.click();
      await page.getByRole("alert").filter({ hasText: why }).waitFor();
      assert.equal(await page.locator(".code-editor .mistake").innerText(), word);
    };
    await refused("valves > 0", "vales > 0", "vales", "no model at the other end has a property vales");
    await refused('"mean"', '"average"', '"over"', "over");
    await refused('"twin": "bottling-hall"', '"twin": "no-hall"', '"no-hall"', "no-hall");
    await text.fill(before.replace(title, "Bottles an hour"));
    await save.click();
    await page.getByText("Bottles an hour is saved.").waitFor();
    await page.getByRole("heading", { name: "KPI: Bottles an hour", exact: true }).waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("heading", { name: `KPI: ${title}` }).waitFor();
    await shot(page, "kpi-definition");
    await page.getByRole("link", { name: "New KPI" }).click();
    await page.getByLabel("Name", { exact: true }).fill("filler-speed");
    await text.fill(
      // 0, as of a filler that stands: it has its tile all the same.
      JSON.stringify(
        { title: "Speed of filler 1", twin: "line-1-filler", expression: "rate * 0", over: "mean" },
        null,
        2,
      ),
    );
    await page.locator(".sentences").getByRole("link", { name: "Filler, Line 1" }).waitFor();
    await page.getByRole("button", { name: "Make the KPI" }).click();
    await page.getByRole("heading", { name: "KPI: Speed of filler 1" }).waitFor();
    const stored = () => fetch(`${server.url}/kpis/filler-speed?api-version=2023-10-31`).then((r) => r.status);
    assert.equal(await stored(), 200);
    await page.getByRole("link", { name: "Key values" }).click();
    await page.getByRole("link", { name: "How “Speed of filler 1” is counted" }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    const sure = page.getByRole("dialog", { name: "Delete “Speed of filler 1”?" });
    await sure.getByRole("button", { name: "Delete" }).click();
    await page.getByText("Speed of filler 1 is deleted.").waitFor();
    assert.equal(await stored(), 404);
    await done(page, true);
  });

  test("how a model moves is read where the model is, and a behaviour is refused at its statement", async () => {
    const page = await at("#/live/models?m=dtmi:sosia:bottling:Filler;1");
    await page.getByRole("tab", { name: "How it moves" }).click();
    await page.getByText("speedFactor = SUM(in.contains.pace)", { exact: true }).waitFor();
    await page.getByText("from Line machine").first().waitFor(); // what it extends moves it as well
    await page.getByRole("link", { name: "Open the behaviour filler" }).click();
    const text = page.getByRole("textbox", { name: "Its text (JSON)" });
    const before = await text.inputValue();
    await text.fill(before.replace("SUM(in.contains.pace)", "SUM(in.contains.peace)"));
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByRole("alert").filter({ hasText: /peace/ }).waitFor();
    assert.equal(await page.locator(".code-editor .mistake").innerText(), "peace");
    await text.fill(before.replace("Sets the pace", "It sets the pace"));
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText(/^It sets the pace.* is saved\.$/).waitFor();
    await done(page, true);
  });

  test("a mistake is told under its word, and goes when it is mended", async () => {
    const page = await asking("SELECT $dtId FROM DIGITALTWINS\nWHERE STARTWITH($dtId, 'line')");
    await page.getByRole("alert").getByText("did you mean STARTSWITH?").waitFor();
    assert.equal(await page.locator(".mistake").innerText(), "STARTWITH");
    await page.getByRole("textbox", { name: /Question/ }).fill("SELECT $dtId FROM DIGITALTWINS WHERE temprature > 3");
    await page.keyboard.press("Control+Enter");
    await page.getByText("did you mean “temperature”?").or(page.getByText('did you mean "temperature"?')).waitFor();
    assert.equal(await page.locator(".mistake").count(), 0);
    await done(page, true);
  });

  test("completion knows functions, models, properties and relationships", async () => {
    const page = await at("#/live/ask");
    const list = page.getByRole("listbox");
    await page.locator(".ask-example").first().waitFor();
    await page.getByRole("textbox", { name: /Question/ }).click();
    await page.keyboard.type("SELECT * FROM DIGITALTWINS WHERE IS_OF");
    await list.getByRole("option", { name: /IS_OF_MODEL/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.type("'fill");
    await list.getByRole("option", { name: /dtmi:sosia:bottling:Filler;1/ }).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.type(") AND fillDev");
    await list.getByRole("option", { name: /fillDeviation/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.keyboard.type(" < 1000 AND COUNT(->co");
    await list.getByRole("option", { name: /contains/ }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+a");
    await page.keyboard.type("SELECT * FROM DIGITALTWINS WHERE IS_OF_MODEL('dtmi:sosia:bottling:Filler;1')");
    await page.keyboard.press("Control+Enter");
    await page.getByText(/^3 rows/).waitFor();
    await done(page);
  });

  test("rows are sorted, saved under a name, and shown in the graph", async () => {
    const page = await asking("SELECT $dtId, power FROM DIGITALTWINS WHERE power > 50");
    await page.getByRole("button", { name: "power kW" }).click();
    await page.getByRole("button", { name: "power kW" }).click();
    await page.locator("th[aria-sort=descending]").waitFor();
    assert.match(await page.locator(".ask-table tbody tr").first().innerText(), /Main meter/);
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByLabel("Name").fill("Large ones");
    await page.getByRole("button", { name: "Save the question" }).click();
    await page.getByRole("link", { name: "Large ones" }).waitFor();
    await page.reload();
    await page.getByRole("link", { name: "Large ones" }).waitFor();
    await page.getByRole("link", { name: "Show in the graph" }).click();
    await page.waitForURL(/\/graph\?where=/);
    await done(page);
  });

  test("a plain question goes to the graph as its condition, a large choice under a name of its own", async () => {
    const query = "SELECT T.$dtId FROM DIGITALTWINS T WHERE T.power > 50 AND T.$dtId != 'x' ORDER BY T.power";
    let page = await asking(query);
    const link = page.getByRole("link", { name: "Show in the graph" });
    await link.click();
    await page.waitForURL(/\/graph\?where=/);
    const where = new URLSearchParams(new URL(page.url()).hash.split("?")[1]).get("where");
    assert.equal(where, "power > 50 AND $dtId != 'x'");
    await page.getByText(/^\d+ twins?$/).waitFor();
    await done(page);
    // More than an address should carry, and no condition alone says which.
    const more = [..."abc"].flatMap((a) => Array.from({ length: 100 }, (_, i) => `${a}${i}`));
    const twin = { $metadata: { $model: "dtmi:sosia:bottling:Shelf;1" } };
    await Promise.all(more.map((id) => post(server.url, `/digitaltwins/many-${id}`, twin, "PUT")));
    page = await asking("SELECT TOP(900) $dtId FROM DIGITALTWINS");
    await page.getByText(/^\d{3} rows/).waitFor();
    await page.getByRole("link", { name: "Show in the graph" }).click();
    await page.waitForURL(/where=%40/);
    await page.getByText(/\d{3} chosen twins/).waitFor();
    await page.reload();
    await page.getByText(/\d{3} chosen twins/).waitFor();
    await done(page);
  });

  test("a question is saved for everybody: a colleague finds it, and deletes it; it comes back", async () => {
    const page = await asking("SELECT COUNT() AS n FROM DIGITALTWINS");
    await page.getByText(/^1 row/).waitFor();
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByLabel("Name").fill("How many");
    await page.getByLabel("For everybody, on the server").check();
    await page.getByRole("button", { name: "Save the question" }).click();
    await page.getByText("“How many” is saved for everybody.").waitFor();
    const colleague = await at("#/live/ask");
    await colleague.getByRole("link", { name: "How many", exact: true }).click();
    await colleague.getByText(/^1 row/).waitFor();
    const download = colleague.waitForEvent("download");
    await colleague.getByRole("button", { name: "Copy", exact: true }).click();
    await colleague.getByRole("button", { name: "Save as CSV" }).click();
    assert.equal((await download).suggestedFilename(), "answer.csv");
    await colleague.getByRole("link", { name: "How many", exact: true }).hover();
    await colleague.getByRole("button", { name: "Delete “How many”" }).click();
    await colleague.getByText("“How many” is deleted.").waitFor();
    await colleague.getByRole("button", { name: "Undo" }).click();
    await colleague.getByRole("link", { name: "How many", exact: true }).waitFor();
    await done(colleague);
    await done(page);
  });

  test("a long question is stopped; what the server refuses is told with what to do", async () => {
    const page = await at("#/live/ask");
    await page.locator(".ask-example").first().waitFor();
    let answer = () => {};
    await page.route(/\/query/, (r) => (answer = r));
    await page.getByRole("textbox", { name: /Question/ }).fill("SELECT * FROM DIGITALTWINS");
    await page.keyboard.press("Control+Enter");
    await page.getByText(/asking for/).waitFor();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByText("Stopped. What came until then stays.").waitFor();
    await page.unroute(/\/query/);
    await page.route(/\/query/, (r) =>
      r.fulfill({ status: 429, body: JSON.stringify({ error: { code: "QuotaReachedError", message: "Too much." } }) }),
    );
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    await page.getByText("Too much.").waitFor();
    await page.getByText(/Ask for less: TOP/).waitFor();
    await page.unroute(/\/query/);
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    await page.getByText(/^\d+ rows/).waitFor();
    assert.ok(answer);
    await done(page, true);
  });

  test("links of a model are drawn with how many there are; the past is read, not changed", async () => {
    const page = await at("#/live/models?m=dtmi:sosia:bottling:Pump;1&show=links");
    const drawing = page.getByRole("group", { name: /^What Pump is linked to/ });
    await drawing.getByText(/supplies × \d+/).first().waitFor();
    const first = drawing.getByRole("link").first();
    await first.focus();
    await page.keyboard.press("Enter");
    await page.waitForURL((u) => !/Pump;1/.test(decodeURIComponent(u.hash)));
    await page.getByRole("searchbox").fill("bowlPressure");
    await page.getByRole("treeitem", { name: "Filler" }).waitFor();
    await shot(page, "models-links");
    const now = new Date(Date.now() - 2000).toISOString();
    await page.goto(`${server.url}/#/live@${now}/models`);
    await page.getByText("You look at the past").waitFor();
    assert.equal(await page.getByRole("button", { name: "Upload models" }).count(), 0);
    await done(page);
  });

  test("a model tells what it has, whence, and who extends it", async () => {
    const page = await at("#/live/models");
    await page.getByRole("treeitem", { name: /^Line machine/ }).click();
    await page.getByRole("heading", { name: "Line machine" }).waitFor();
    await page.getByRole("link", { name: "Filler" }).click();
    const row = page.getByRole("row", { name: /bowlPressure/ });
    await row.getByText("bar", { exact: true }).waitFor();
    await page.getByRole("row", { name: /Serial number/ }).getByRole("link", { name: "Asset" }).waitFor();
    await page.getByRole("link", { name: "3 twins" }).click();
    await page.getByText(/^3 rows/).waitFor();
    await done(page);
  });

  test("models are uploaded, refused at the place, put out of use, deleted by name", async () => {
    const page = await at("#/live/models?new=1");
    const area = page.getByRole("textbox", { name: "DTDL text" });
    const text = (schema) =>
      JSON.stringify(
        {
          "@context": "dtmi:dtdl:context;3",
          "@id": "dtmi:test:Kettle;1",
          "@type": "Interface",
          contents: [{ "@type": "Property", name: "volume", schema }],
        },
        null,
        2,
      );
    await area.fill(text("doubel"));
    await page.getByRole("button", { name: "Upload", exact: true }).click();
    await page.getByText("One thing is wrong").waitFor();
    assert.equal(await page.locator(".mistake").innerText(), '"doubel"');
    await area.fill(text("double").slice(0, -1));
    await page.getByRole("button", { name: "Upload", exact: true }).click();
    await page.getByText("One thing is wrong").waitFor();
    await area.fill(text("double"));
    await page.getByRole("button", { name: "Upload", exact: true }).click();
    await page.getByRole("heading", { name: "Kettle" }).waitFor();
    await page.getByRole("button", { name: "Decommission" }).click();
    await page.getByText("Kettle takes no new twins.").waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("button", { name: "Decommission" }).waitFor();
    await page.getByRole("button", { name: "Delete Kettle" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete Kettle" }).click();
    await page.getByText("Kettle is deleted.").waitFor();
    await page.getByRole("treeitem", { name: "Kettle" }).waitFor({ state: "detached" });
    await done(page, true);
  });

  test("a connection is made from its form, told what is wrong, paused, resumed, deleted by name", async () => {
    const page = await at("#/live/connections");
    await page.getByRole("link", { name: "site" }).waitFor();
    await page.getByText("Events stay here").waitFor();
    await page.getByRole("button", { name: "New connection" }).click();
    await page.getByRole("link", { name: /^HTTP/ }).click();
    await page.getByLabel("Name", { exact: true }).fill("gate");
    await page.getByLabel("Address").fill("ftp://nowhere");
    await page.getByRole("button", { name: "Create and start" }).click();
    await page.locator(".field", { hasText: "Address" }).getByRole("alert").waitFor();
    await page.getByLabel("Address").fill("http://127.0.0.1:9");
    await page.getByLabel("Authorization").fill("Bearer hidden");
    await page.getByRole("button", { name: "Create and start" }).click();
    await page.getByRole("heading", { name: "gate" }).waitFor();
    await page.getByRole("tab", { name: "Document" }).click();
    assert.match(await page.getByRole("textbox", { name: "Document" }).inputValue(), /"set": true/);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("gate is paused.").waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    await page.getByRole("button", { name: "Delete gate" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete gate" }).click();
    await page.getByText("gate is deleted.").waitFor();
    await page.getByRole("link", { name: "gate" }).waitFor({ state: "detached" });
    await done(page, true);
  });

  test("what a broker says is tried before anything is stored", async () => {
    const page = await at("#/live/connections?new=mqtt");
    await page.getByLabel("Broker", { exact: true }).fill("mqtt://127.0.0.1:1");
    await page.getByRole("button", { name: "Listen" }).click();
    await page.getByRole("alert").getByText(/broker/).waitFor();
    await page.getByRole("tab", { name: "Document" }).click();
    assert.match(await page.getByRole("textbox", { name: "Document" }).inputValue(), /mqtt:\/\/127.0.0.1:1/);
    await done(page, true);
  });
});
