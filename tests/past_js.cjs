// SPDX-License-Identifier: Apache-2.0
// All that Azure's JavaScript client reads below the URL at argv[2], as JSON. Run by past_test.py.
"use strict";
const { DigitalTwinsClient } = require("@azure/digital-twins-core");

const credential = { getToken: async () => ({ token: process.argv[3], expiresOnTimestamp: Date.now() + 3600e3 }) };
const client = new DigitalTwinsClient(process.argv[2], credential);
const collect = async (pages) => {
  const all = [];
  for await (const item of pages) all.push(item);
  return all;
};

(async () => {
  const out = { models: (await collect(client.listModels([], true))).map((m) => m.id), twins: [] };
  for (let i = 0; i < 12; i++) {
    const id = `room-${i}`;
    const { etag, body } = await client.getDigitalTwin(id);
    const component = (await client.getComponent(id, "probe")).body;
    const links = await collect(client.listRelationships(id));
    for (const l of links) await client.getRelationship(id, l.$relationshipId);
    const incoming = await collect(client.listIncomingRelationships(id));
    out.twins.push({ twin: body, etag, component, links, incoming });
  }
  out.rows = await collect(client.queryTwins("SELECT * FROM DIGITALTWINS", 5));
  const e = await client.deleteDigitalTwin("room-1").then(() => null, (e) => e);
  out.refused = { status: e?.statusCode, code: e?.code ?? e?.details?.error?.code };
  console.log(JSON.stringify(out));
})();
