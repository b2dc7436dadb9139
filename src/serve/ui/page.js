// SPDX-License-Identifier: Apache-2.0
// Numbers from /worlds every two seconds, changes from /changes as they come.
"use strict";
const ROWS = 12;
const at = (id) => document.getElementById(id);
const count = (n) => n.toLocaleString("en").replaceAll(",", "\u2009");
let changes = 0;
let since = performance.now();

function cell(row, text, className) {
  const td = row.insertCell();
  td.textContent = text;
  td.title = text;
  if (className) td.className = className;
}

function state(text, className) {
  at("state").textContent = text;
  at("state").className = "chip " + className;
}

function show(message) {
  const log = at("log");
  for (const empty of log.querySelectorAll(".empty")) empty.remove();
  changes += message.changes.length;
  for (const c of message.changes.slice(-ROWS)) {
    const row = log.insertRow(0);
    cell(row, new Date(message.time).toLocaleTimeString());
    cell(row, c.twin ?? c.model ?? "");
    cell(row, [c.op.replaceAll("_", " "), c.path ?? c.name ?? c.component ?? ""].join(" "));
    cell(row, c.value === undefined ? c.target ?? c.model ?? "" : JSON.stringify(c.value), "value");
  }
  while (log.rows.length > ROWS) log.deleteRow(-1);
  at("sequence").textContent = count(message.seq);
}

async function refresh() {
  const now = performance.now();
  if (now - since > 1000) at("rate").textContent = count(Math.round((changes * 1000) / (now - since)));
  changes = 0;
  since = now;
  try {
    const reply = await fetch("/worlds");
    if (!reply.ok) return;
    const worlds = (await reply.json()).value;
    at("worlds").replaceChildren();
    for (const w of worlds) {
      const row = at("worlds").insertRow();
      cell(row, w.name);
      cell(row, w.parent ?? "");
      cell(row, count(w.twins), "value");
      cell(row, count(w.sequence), "value");
      if (w.name !== "live") continue;
      at("twins").textContent = count(w.twins);
      at("relationships").textContent = count(w.relationships);
      at("sequence").textContent = count(w.sequence);
    }
  } catch {
    state("not reachable", "bad");
  }
}

function listen() {
  const feed = new EventSource("/changes");
  feed.onopen = () => state("live", "live");
  feed.onerror = () => state("connection lost, trying again", "bad");
  feed.onmessage = (e) => show(JSON.parse(e.data));
  feed.addEventListener("cut", (e) => state(JSON.parse(e.data).reason, "bad"));
}

at("try").textContent =
  `curl ${location.origin}/ingest -d '{"id":"TWIN","property":"PROPERTY","value":21.5}'`;
refresh();
setInterval(refresh, 2000);
listen();
