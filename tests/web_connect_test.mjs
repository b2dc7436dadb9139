// SPDX-License-Identifier: Apache-2.0
// LABELS: process serial
// Ways in and out, in a real browser: endpoints and routes made, tried, changed and ended; a broker listened to before
// anything is stored; what is shown where nothing is connected, in the past and when the server refuses.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { broken, post, serve, shot, suite } from "./web_kit.mjs";

const MOSQUITTO = "/usr/sbin/mosquitto";
const MODEL = {
  "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
  "@id": "dtmi:test:Pump;1",
  "@type": "Interface",
  displayName: "Pump",
  contents: [{ "@type": ["Property", "Temperature"], name: "temperature", schema: "double", unit: "degreeCelsius" }],
};

/** An HTTP server that takes events, and says what it took. `status` is its answer. */
async function receiver() {
  const took = [];
  const r = { status: 200, took };
  r.http = createServer((q, a) => {
    let text = "";
    q.on("data", (d) => (text += d));
    q.on("end", () => {
      took.push(JSON.parse(text));
      a.writeHead(r.status).end();
    });
  });
  await new Promise((ready) => r.http.listen(0, "127.0.0.1", ready));
  r.url = `http://127.0.0.1:${r.http.address().port}/events`;
  return r;
}

/** A broker on a port of its own, once it listens. */
async function broker() {
  const probe = createServer();
  await new Promise((ready) => probe.listen(0, "127.0.0.1", ready));
  const { port } = probe.address();
  await new Promise((closed) => probe.close(closed));
  const child = spawn(MOSQUITTO, ["-p", String(port)], { stdio: "ignore" });
  for (let i = 0; i < 100; i++) {
    const up = await new Promise((is) => {
      const s = connect(port, "127.0.0.1", () => (s.destroy(), is(true)));
      s.on("error", () => is(false));
    });
    if (up) break;
    await new Promise((r) => setTimeout(r, 50));
  }
  return { child, url: `mqtt://127.0.0.1:${port}`, port };
}

/** A server with one pump. */
async function plant() {
  const server = await serve();
  await post(server.url, "/models", [MODEL]);
  await post(server.url, "/digitaltwins/pump-1", { $metadata: { $model: MODEL["@id"] }, temperature: 20 }, "PUT");
  return server;
}

suite("the browser app: connections, endpoints and routes", plant, ({ at, done, server }) => {
  let erp;
  before(async () => (erp = await receiver()));
  after(() => erp?.http.close());

  /** Of the view; the frame around it has tests of its own. */
  const wrong = async (page) => (await broken(page)).filter((x) => !/: \.(tl|frame|rail)-/.test(x));
  const until = async (is, what) => {
    for (let i = 0; i < 150; i++) {
      if (await is()) return;
      await new Promise((r) => setTimeout(r, 100));
    }
    assert.fail(what);
  };

  test("with nothing connected it teaches, with this server's address; what it teaches works", async () => {
    const page = await at("#/live/connections");
    await page.getByText("Nothing is connected yet").waitFor();
    const lesson = page.getByRole("group", { name: /Devices that speak HTTP/ });
    await lesson.getByText(`${server.url}/ingest`).waitFor();
    await lesson.getByText('"pump-1"').waitFor();
    const text = await lesson.innerText();
    const ran = spawn("sh", ["-c", text], { stdio: "ignore" });
    assert.equal(await new Promise((r) => ran.on("exit", r)), 0);
    const twin = await (await fetch(`${server.url}/digitaltwins/pump-1?api-version=2023-10-31`)).json();
    assert.equal(twin.temperature, 21.5);
    await page.getByRole("link", { name: /^Webhook/ }).waitFor();
    await shot(page, "connections-empty");
    await done(page);
  });

  test("an endpoint is made, tried, given a route; mistakes of filters are told; events arrive", async () => {
    const page = await at("#/live/connections");
    await page.getByRole("link", { name: /^Webhook/ }).click();
    await page.getByLabel("Name", { exact: true }).fill("erp");
    await page.getByLabel("Address").fill("nowhere");
    await page.getByRole("button", { name: "Create and start" }).click();
    await page.getByRole("alert").first().waitFor();
    await page.getByLabel("Address").fill(erp.url);
    await page.getByLabel("Signing key").fill("hidden");
    await page.getByLabel("Events in one request").fill("1");
    await page.getByRole("button", { name: "Create and start" }).click();
    await page.getByRole("heading", { name: "erp" }).waitFor();
    await page.getByText("No route leads here").first().waitFor();
    await page.getByRole("button", { name: "Send a test event" }).click();
    await page.getByText("The test event was taken (status 200).").waitFor();
    assert.equal(erp.took.at(-1).type, "Sosia.Test");

    await page.getByLabel("Name of the route").fill("all pumps");
    await page.getByRole("button", { name: "Make the route" }).click();
    await page.getByText("A name begins with a letter or a digit").waitFor(); // not a bubble of the browser
    assert.equal(await page.getByLabel("Name of the route").getAttribute("aria-invalid"), "true");
    await page.getByLabel("Name of the route").fill("pumps");
    const filter = page.getByRole("textbox", { name: "Which events" });
    await filter.fill("STARTWITH(subject, 'pump')");
    await page.getByRole("button", { name: "Make the route" }).click();
    await page.locator(".mistake").waitFor();
    assert.equal(await page.locator(".mistake").innerText(), "STARTWITH");
    await page.getByRole("button", { name: "twins by name" }).click();
    assert.match(await filter.inputValue(), /STARTS_WITH\(subject, 'pump'\)/);
    await page.getByRole("button", { name: "Make the route" }).click();
    await page.getByText("pumps leads here from the next change on.").waitFor();
    const patch = [{ op: "replace", path: "/temperature", value: 33 }];
    await post(server.url, "/digitaltwins/pump-1", patch, "PATCH");
    await until(() => erp.took.some((e) => e.subject === "pump-1"), "no event came");
    await page.locator(".conn-tiles").getByText("1", { exact: true }).first().waitFor();
    assert.deepEqual(await wrong(page), []);
    await shot(page, "endpoint");

    await page.getByRole("button", { name: "Change pumps" }).click();
    await filter.fill("true");
    await page.getByRole("button", { name: "Save the route" }).click();
    await page.getByText("all events").first().waitFor();
    await page.getByRole("button", { name: "Delete pumps" }).click();
    await page.getByText("pumps is deleted.").waitFor();
    await page.locator(".toast", { hasText: "pumps is deleted." }).getByRole("button", { name: "Undo" }).click();
    await page.getByRole("button", { name: "Change pumps" }).waitFor();
    await done(page, true);
  });

  test("what is not taken becomes a dead letter: looked at, sent again; the endpoint is paused, ended", async () => {
    erp.status = 422;
    const page = await at("#/live/connections?e=erp");
    await page.getByRole("button", { name: "Change pumps" }).waitFor();
    await post(server.url, "/digitaltwins/pump-1", [{ op: "replace", path: "/temperature", value: 44 }], "PATCH");
    await page.getByRole("tab", { name: "Dead letters (1)" }).click();
    await page.getByText(/tried once, by route pumps/).waitFor();
    erp.status = 200;
    await page.getByRole("button", { name: "Send all once more" }).click();
    await page.getByText("No dead letters").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("erp is paused.").waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    await page.getByRole("button", { name: "Delete erp" }).click();
    await page.getByRole("dialog").getByText("Its route is deleted with it.").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Delete erp" }).click();
    await page.getByText("erp is deleted.").waitFor();
    await page.getByText("Events stay here").waitFor();
    await done(page, true);
  });

  test("a broker is listened to before anything is stored: messages and what they would become", async (t) => {
    if (!existsSync(MOSQUITTO)) return t.skip(`${MOSQUITTO} not found`);
    const b = await broker();
    try {
      const page = await at("#/live/connections?new=mqtt");
      await page.getByLabel("Broker", { exact: true }).fill(b.url);
      await page.getByRole("button", { name: "Listen" }).click();
      const log = page.getByRole("log");
      const send = () =>
        spawn("mosquitto_pub", ["-p", String(b.port), "-t", "plant/pump-1/temperature", "-m", "55.5"]);
      const timer = setInterval(send, 500);
      await log.getByText("plant/pump-1/temperature").first().waitFor();
      clearInterval(timer);
      await log.getByText(/55\.5/).first().waitFor();
      const twin = await (await fetch(`${server.url}/digitaltwins/pump-1?api-version=2023-10-31`)).json();
      assert.equal(twin.temperature, 44, "nothing is applied");
      await page.getByLabel("Name", { exact: true }).fill("plant");
      await page.getByRole("button", { name: "Create and start" }).click();
      await page.getByText("connected", { exact: true }).waitFor();
      // What came and could not be used is told beside a connection that stands, with when and what to do.
      const last = page.locator(".conn-last-error");
      const useless = spawn("mosquitto_pub", ["-p", String(b.port), "-t", "plant/nobody/temperature", "-m", "x{"]);
      await new Promise((r) => useless.on("exit", r));
      await last.getByText("Last went wrong:").waitFor();
      const said = await (await fetch(`${server.url}/connections?api-version=2023-10-31`)).json();
      assert.equal(said.value[0].status.trouble, "");
      assert.ok((await last.textContent()).includes(said.value[0].status.lastError.error));
      await last.getByText(/under Errors/).waitFor();
      await page.getByRole("link", { name: "All connections" }).click();
      const inList = page.locator(".conn-trouble").filter({ hasText: "Last went wrong:" });
      assert.ok((await inList.textContent()).includes(said.value[0].status.lastError.error));
      await page.getByRole("link", { name: "plant", exact: true }).click();
      await last.waitFor();
      b.child.kill();
      await page.getByText("Nothing listens there: does it run, and is the port right?").waitFor();
      await shot(page, "connection-lost");
      await done(page);
    } finally {
      b.child.kill();
    }
  });

  test("in another world it is looked at, not changed; on a phone; when the server refuses", async () => {
    await post(server.url, "/worlds", { name: "trial", from: "live" });
    const page = await at("#/trial/connections", { width: 390, height: 844 });
    await page.getByText("Connections belong to the live world.").waitFor();
    assert.equal(await page.getByRole("button", { name: "New connection" }).count(), 0);
    const over = await page.locator(".view").evaluate((v) => v.scrollWidth - v.clientWidth);
    assert.ok(over <= 0, `${over} pixels too wide`);
    await page.route(/\/endpoints/, (r) =>
      r.fulfill({ status: 503, body: JSON.stringify({ error: { code: "ServiceBusy", message: "It is busy now." } }) }),
    );
    await page.getByText("It is busy now.").first().waitFor();
    await page.unroute(/\/endpoints/);
    await page.getByText("It is busy now.").first().waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Back to live" }).last().click();
    await page.getByRole("button", { name: "New connection" }).waitFor();
    await done(page, true);
  });
});
