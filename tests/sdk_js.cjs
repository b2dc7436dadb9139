// SPDX-License-Identifier: Apache-2.0
// Every operation of Azure's JavaScript client against the server at argv[2], as TAP. Run by sdk_js_test.py, which
// says where the packages are (NODE_PATH) and which certificate to trust (NODE_EXTRA_CA_CERTS).
"use strict";
const assert = require("node:assert/strict");
const http = require("node:http");
const { DigitalTwinsClient } = require("@azure/digital-twins-core");

const credential = { getToken: async () => ({ token: "secret-of-the-test", expiresOnTimestamp: Date.now() + 3600e3 }) };
const client = new DigitalTwinsClient(process.argv[2], credential);
const collect = async (pages) => {
  const all = [];
  for await (const item of pages) all.push(item);
  return all;
};
const fails = async (promise, status, code) => {
  const e = await promise.then(() => assert.fail("no error"), (e) => e);
  assert.equal(e.statusCode, status, e.message);
  assert.equal(e.code ?? e.details?.error?.code, code);
};

const probe = { "@id": "dtmi:js:Probe;1", "@type": "Interface", "@context": "dtmi:dtdl:context;2",
  contents: [{ "@type": "Property", name: "setPoint", schema: "double" }] };
const room = { "@id": "dtmi:js:Room;1", "@type": "Interface", "@context": "dtmi:dtdl:context;2", displayName: "Room",
  contents: [{ "@type": "Property", name: "temperature", schema: "double" }, { "@type": "Property", name: "note", schema: "string" },
    { "@type": "Component", name: "probe", schema: "dtmi:js:Probe;1" },
    { "@type": "Relationship", name: "next", properties: [{ "@type": "Property", name: "weight", schema: "integer" }] },
    { "@type": "Telemetry", name: "motion", schema: "boolean" }] };
const twin = (more) => JSON.stringify({ $metadata: { $model: room["@id"] }, probe: { $metadata: {} }, ...more });
const odd = "a/b c;d(e)'*!~\u00e9";

const steps = [
  ["createModels", async () => {
    const made = await client.createModels([room, probe]);
    assert.deepEqual(made.map((m) => m.id), [room["@id"], probe["@id"]]);
    assert.ok(made[0].uploadTime instanceof Date && !isNaN(made[0].uploadTime));
    await fails(client.createModels([room]), 409, "ModelIdAlreadyExists");
  }],
  ["getModel", async () => {
    const m = await client.getModel(room["@id"], true);
    assert.deepEqual(m.model.contents, room.contents);
    assert.deepEqual(m.displayName, { en: "Room" });
    await fails(client.getModel("dtmi:js:None;1"), 404, "ModelNotFound");
  }],
  ["listModels", async () => {
    const ids = async (...args) => (await collect(client.listModels(...args))).map((m) => m.id).sort();
    assert.deepEqual(await ids([], true), [probe["@id"], room["@id"]]);
    assert.deepEqual(await ids([room["@id"], probe["@id"]], false, 1), [probe["@id"], room["@id"]]);
    assert.deepEqual(await ids([probe["@id"]]), [probe["@id"]]);
  }],
  ["upsertDigitalTwin", async () => {
    const made = await client.upsertDigitalTwin("r1", twin({ temperature: 1 }), { ifNoneMatch: "*" });
    assert.equal(made.etag, made.body.$etag);
    await fails(client.upsertDigitalTwin("r1", twin(), { ifNoneMatch: "*" }), 412, "PreconditionFailed");
    await client.upsertDigitalTwin("r2", twin());
    const other = await client.upsertDigitalTwin(odd, twin());
    assert.equal(other.body.$dtId, odd);
    await fails(client.upsertDigitalTwin("r9", twin({ none: 1 })), 400, "ValidationFailed");
  }],
  ["getDigitalTwin", async () => {
    const got = await client.getDigitalTwin("r1");
    assert.equal(got.body.temperature, 1);
    assert.equal(got.etag, got.body.$etag);
    assert.equal((await client.getDigitalTwin(odd)).body.$dtId, odd);
    await fails(client.getDigitalTwin("none"), 404, "DigitalTwinNotFound");
  }],
  ["updateDigitalTwin", async () => {
    const before = await client.getDigitalTwin("r1");
    const done = await client.updateDigitalTwin("r1", [{ op: "add", path: "/note", value: "x" }], { ifMatch: before.etag });
    assert.notEqual(done.etag, before.etag);
    await fails(client.updateDigitalTwin("r1", [{ op: "replace", path: "/note", value: "y" }], { ifMatch: before.etag }), 412, "PreconditionFailed");
    await client.updateDigitalTwin("r1", [{ op: "replace", path: "/note", value: "y" }], { ifMatch: "*" });
    assert.equal((await client.getDigitalTwin("r1")).body.note, "y");
  }],
  ["getComponent, updateComponent", async () => {
    await client.updateComponent("r1", "probe", [{ op: "add", path: "/setPoint", value: 5 }]);
    const got = await client.getComponent("r1", "probe");
    assert.equal(got.body.setPoint, 5);
    await fails(client.getComponent("r1", "none"), 404, "ComponentNotFound");
  }],
  ["upsertRelationship, getRelationship", async () => {
    const made = await client.upsertRelationship("r1", "l1", { $relationshipId: "l1", $sourceId: "r1", $relationshipName: "next", $targetId: "r2" });
    assert.equal(made.body.$targetId, "r2");
    const got = await client.getRelationship("r1", "l1");
    assert.deepEqual(got.body, made.body);
    assert.equal(got.etag, got.body.$etag);
    await fails(client.upsertRelationship("r1", "l2", { $relationshipName: "next", $targetId: "none" }), 404, "TargetDigitalTwinNotFound");
  }],
  ["updateRelationship", async () => {
    await client.updateRelationship("r1", "l1", [{ op: "add", path: "/weight", value: 7 }]);
    assert.equal((await client.getRelationship("r1", "l1")).body.weight, 7);
  }],
  ["listRelationships, listIncomingRelationships", async () => {
    for (let i = 0; i < 120; i++) {
      await client.upsertRelationship("r2", "m" + i, { $relationshipName: "next", $targetId: "r1" });
    }
    assert.equal((await collect(client.listRelationships("r2"))).length, 120);
    const incoming = await collect(client.listIncomingRelationships("r1"));
    assert.equal(incoming.length, 120);
    assert.equal(incoming[0].sourceId, "r2");
    assert.match(incoming[0].relationshipLink, /^https:/);
  }],
  ["publishTelemetry, publishComponentTelemetry", async () => {
    await client.publishTelemetry("r1", { motion: true });
    await client.publishTelemetry("r1", { motion: true }, "my-id");
    await client.publishComponentTelemetry("r1", "probe", '{"temp":1}', "msg-2");
  }],
  ["event routes", async () => {
    assert.deepEqual(await collect(client.listEventRoutes()), []);
    await fails(client.getEventRoute("x"), 404, "EventRouteNotFound");
    await fails(client.upsertEventRoute("x", "endpoint", "true"), 400, "EventRouteEndpointInvalid");
    await fails(client.deleteEventRoute("x"), 404, "EventRouteNotFound");
    const events = [];
    const hook = http.createServer((request, answer) => {
      let text = "";
      request.on("data", (part) => (text += part)).on("end", () => { events.push(JSON.parse(text)); answer.end(); });
    });
    await new Promise((done) => hook.listen(0, "127.0.0.1", done));
    const headers = { Authorization: "Bearer secret-of-the-test" };
    const document = JSON.stringify({ kind: "webhook", url: `http://127.0.0.1:${hook.address().port}/` });
    const made = await fetch(process.argv[2] + "/endpoints/hook", { method: "PUT", headers, body: document });
    assert.equal(made.status, 201);
    await fails(client.upsertEventRoute("x", "hook", "type ="), 400, "EventRouteFilterInvalid");
    const legacy = "$eventType = 'DigitalTwinTelemetryMessages' or $eventType = 'DigitalTwinLifecycleNotification'";
    await client.upsertEventRoute("js-route", "hook", legacy);
    const route = await client.getEventRoute("js-route");
    assert.deepEqual([route.id, route.endpointName, route.filter], ["js-route", "hook", legacy]);
    for (let i = 0; i < 120; i++) await client.upsertEventRoute("none" + i, "hook", "false");
    assert.equal((await collect(client.listEventRoutes())).length, 121);
    await client.publishTelemetry("r1", { motion: true }, "over-a-route");
    for (let i = 0; i < 3000 && events.length < 1; i++) await new Promise((done) => setTimeout(done, 20));
    assert.equal(events[0].id, "over-a-route");
    assert.equal(events[0].type, "microsoft.iot.telemetry");
    assert.deepEqual(events[0].data, { motion: true });
    for (const r of await collect(client.listEventRoutes())) await client.deleteEventRoute(r.id);
    assert.deepEqual(await collect(client.listEventRoutes()), []);
    assert.equal((await fetch(process.argv[2] + "/endpoints/hook", { method: "DELETE", headers })).status, 204);
    hook.close();
    hook.closeAllConnections?.();
  }],
  ["queryTwins", async () => {
    const one = await collect(client.queryTwins("SELECT * FROM digitaltwins T WHERE T.$dtId = 'r1'"));
    assert.deepEqual(one, [(await client.getDigitalTwin("r1")).body]);
    const joined = await collect(client.queryTwins("SELECT R.weight, B.$dtId AS id FROM DIGITALTWINS A JOIN B RELATED A.next R WHERE A.$dtId = 'r1'"));
    assert.deepEqual(joined, [{ weight: 7, id: "r2" }]);
    await fails(collect(client.queryTwins("foo")), 400, "SqlQueryError");
    await fails(client.queryTwins("SELECT * FROM digitaltwins").byPage({ continuationToken: "nothing" }).next(), 400, "BadRequest");
    // A name no model knows is told of beside the rows; the client does not mind.
    assert.deepEqual(await collect(client.queryTwins("SELECT * FROM digitaltwins T WHERE T.tmperature = 1")), []);
  }],
  ["queryTwins, page by page", async () => {
    const ids = Array.from({ length: 250 }, (_, i) => "q" + i);
    for (const id of ids) await client.upsertDigitalTwin(id, twin());
    const text = "SELECT T.$dtId FROM digitaltwins T WHERE STARTSWITH(T.$dtId, 'q')";
    assert.deepEqual((await collect(client.queryTwins(text))).map((t) => t.$dtId), ids);
    assert.deepEqual((await collect(client.queryTwins(text, 33))).map((t) => t.$dtId), ids);
    const sizes = [];
    let token;
    for await (const page of client.queryTwins(text, 100).byPage()) {
      sizes.push(page.value.length);
      assert.ok(Number(page.queryCharge) > 0);
      if (sizes.length === 1) token = page.continuationToken;
    }
    assert.deepEqual(sizes, [100, 100, 50]);
    const rest = [];
    for await (const page of client.queryTwins(text, 100).byPage({ continuationToken: token })) rest.push(...page.value);
    assert.deepEqual(rest.map((t) => t.$dtId), ids.slice(100));
    for (const id of ids) await client.deleteDigitalTwin(id);
  }],
  ["deleteRelationship, deleteDigitalTwin", async () => {
    await fails(client.deleteDigitalTwin("r1"), 400, "RelationshipsNotDeleted");
    for (const r of await collect(client.listRelationships("r2"))) await client.deleteRelationship("r2", r.$relationshipId);
    await client.deleteRelationship("r1", "l1");
    await fails(client.deleteRelationship("r1", "l1"), 404, "RelationshipNotFound");
    for (const id of ["r1", "r2", odd]) await client.deleteDigitalTwin(id);
    await fails(client.deleteDigitalTwin("r1"), 404, "DigitalTwinNotFound");
  }],
  ["decomissionModel, deleteModel", async () => {
    await client.decomissionModel(room["@id"]);
    assert.equal((await client.getModel(room["@id"])).decommissioned, true);
    await fails(client.upsertDigitalTwin("late", twin()), 400, "ModelDecommissioned");
    await fails(client.deleteModel(probe["@id"]), 409, "ModelReferencesNotDeleted");
    await client.deleteModel(room["@id"]);
    await client.deleteModel(probe["@id"]);
  }],
  ["a world is an endpoint", async () => {
    const fork = new DigitalTwinsClient(process.argv[2] + "/worlds/js-fork", credential);
    await client.createModels([probe]);
    const headers = { Authorization: "Bearer secret-of-the-test" };
    const made = await fetch(process.argv[2] + "/worlds", { method: "POST", headers, body: '{"name":"js-fork"}' });
    assert.equal(made.status, 201);
    await fork.upsertDigitalTwin("only-there", JSON.stringify({ $metadata: { $model: probe["@id"] }, setPoint: 1 }));
    assert.equal((await fork.getDigitalTwin("only-there")).body.setPoint, 1);
    await fails(client.getDigitalTwin("only-there"), 404, "DigitalTwinNotFound");
    assert.deepEqual((await collect(fork.listModels())).map((m) => m.id), [probe["@id"]]);
  }],
];

// What there is of a server, not of a world.
const ofServer = ["event routes", "a world is an endpoint"];
if (process.argv[3] === "fork") steps.splice(0, steps.length, ...steps.filter(([name]) => !ofServer.includes(name)));

(async () => {
  let bad = 0;
  console.log(`1..${steps.length}`);
  for (const [i, [name, run]] of steps.entries()) {
    try {
      await run();
      console.log(`ok ${i + 1} - ${name}`);
    } catch (e) {
      bad++;
      console.log(`not ok ${i + 1} - ${name}\n${String(e.stack).replace(/^/gm, "# ")}`);
    }
  }
  process.exit(bad ? 1 : 0);
})();
