#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""Retention as a whole process: days pass by a clock that is ahead (test_clock.c), values become means, and what is
asked of them is answered, or refused with a reason. Then what means tell is erased."""
import json
import os
import random
import sqlite3
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, Server, run, until  # noqa: E402

CLOCK = os.path.join(kit.BUILD, "libtest_clock.so")
NDJSON = {"Content-Type": "application/x-ndjson"}
MODEL = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:test:Bed;1", "@type": "Interface", "contents": [
    {"@type": "Property", "name": "pulse", "schema": "double"},
    {"@type": "Property", "name": "name", "schema": "string"}]}
HOUR = 3600
MINUTES = 30


def instant(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Ahead(Server):
    """A server whose clock is some seconds ahead."""

    def __init__(self, seconds, path):
        self.seconds = seconds
        super().__init__("--http", "127.0.0.1:0", "--future", "off", "--retain", "200ms", path=path)

    def start(self):
        os.environ["LD_PRELOAD"], os.environ["SOSIA_CLOCK_AHEAD"] = CLOCK, str(self.seconds)
        try:
            return super().start()
        finally:
            del os.environ["LD_PRELOAD"], os.environ["SOSIA_CLOCK_AHEAD"]


@unittest.skipUnless(os.path.exists(CLOCK), "%s is not built, as in sanitizer builds" % CLOCK)
class Retention(Case):
    def ok(self, server, method, path, body=None, headers=None):
        status, _, text = server.http(method, path, body, headers)
        self.assertIn(status, (200, 201, 204), "%s %s: %s" % (method, path, text))
        return text

    def refused(self, server, path):
        status, _, text = server.http("GET", path)
        error = json.loads(text)["error"]
        return status, error["code"], error["message"]

    def days_later(self):
        """The values of half an hour (four a minute), and a server two days after them that has made means of them."""
        path, self.values = self.file("w.sosia"), {}
        begun = int(time.time()) // 60 * 60 - 2 * HOUR
        server = Ahead(0, path)
        self.addCleanup(server.stop)
        self.ok(server, "POST", "/models", [MODEL])
        for id in ("b1", "b2"):
            self.ok(server, "PUT", "/digitaltwins/" + id, {"$metadata": {"$model": MODEL["@id"]}, "name": "of " + id})
            rng, lines = random.Random(id), []
            self.values[id] = [[rng.uniform(50, 90) for _ in range(4)] for _ in range(MINUTES)]
            for m, four in enumerate(self.values[id]):
                lines += [json.dumps({"id": id, "property": "pulse", "value": v,
                                      "time": instant(begun + 60 * m + 15 * i)}) for i, v in enumerate(four)]
            done = json.loads(self.ok(server, "POST", "/ingest", "\n".join(lines), NDJSON))
            self.assertEqual(done["accepted"], len(lines), done)
        self.known = json.loads(self.ok(server, "GET", "/worlds/live"))["time"]
        r = run("retention", "put", "short", "--raw", "1h", "--step", "1m", "--keep", "P30D", url=server.url)
        self.assertEqual(r.code, 0, r)
        self.assertEqual(server.stop(), 0)
        server = Ahead(48 * HOUR, path)
        self.addCleanup(server.stop)
        until(lambda: all(self.only_means(server, id) for id in ("b1", "b2")), 60, "means")
        return server, begun

    def only_means(self, server, id):
        """The names, of which there are no means, are let go too, and so is what came before the means."""
        rows = server.get("/digitaltwins/%s/history" % id)["value"]
        return len(rows) == MINUTES and all("downsampled" in r for r in rows)

    def export_has_means(self, server):
        to = self.file("out.db")
        r = run("export", "--sqlite", to, url=server.url)
        self.assertEqual((r.code, "%d means" % (2 * MINUTES) in r.out), (0, True), r)
        db = sqlite3.connect(to)
        for id in ("b1", "b2"):
            rows = db.execute("SELECT property, step, mean, min, max, count, relationship FROM means WHERE twin = ? "
                              "ORDER BY time", (id,)).fetchall()
            self.assertEqual(len(rows), MINUTES)
            for row, four in zip(rows, self.values[id]):
                self.assertEqual((row[0], row[1], row[3:]), ("pulse", "PT1M", (min(four), max(four), 4, None)))
                self.assertAlmostEqual(row[2], sum(four) / 4, 12)
        db.close()

    def test_a_fork_holds(self):
        server = self.serve("--http", "127.0.0.1:0", path=self.file("held.sosia"))
        self.ok(server, "POST", "/models", [MODEL])
        self.ok(server, "PUT", "/digitaltwins/b1", {"$metadata": {"$model": MODEL["@id"]}})
        self.assertEqual(server.get("/retention"), {"value": [], "held": None, "nextLink": None})
        self.assertEqual(run("retention", "put", "short", "--raw", "1h", url=server.url).code, 0)
        r = run("retention", "list", url=server.url)
        self.assertEqual((r.code, r.err), (0, ""), r)
        for name in ("first", "second"):
            self.ok(server, "POST", "/worlds", {"name": name})
        held = server.get("/retention")["held"]
        self.assertEqual((held["world"], held["worlds"]), ("first", 2), held)
        self.assertEqual(held["since"], server.get("/worlds/live")["time"])
        r = run("retention", "list", url=server.url)
        self.assertIn("the fork first holds everything from " + held["since"][:19], r.err)
        metrics = self.ok(server, "GET", "/metrics")
        self.assertIn("sosia_history_holding_worlds 2", metrics)
        for name in ("first", "second"):
            self.ok(server, "DELETE", "/worlds/" + name)
        self.assertIsNone(server.get("/retention")["held"])

    def test_what_is_answered_of_means(self):
        server, begun = self.days_later()
        page = json.loads(self.ok(server, "GET", "/digitaltwins/b1/history?properties=pulse"))
        self.assertIs(page["downsampled"], True)
        self.assertRegex(page["singleValuesFrom"], r"^20\d\d-\d\d-\d\dT")
        rows = [r for r in page["value"] if "downsampled" in r]
        self.assertEqual(len(rows), MINUTES, page)
        for row, four, m in zip(rows, self.values["b1"], range(MINUTES)):
            told = (row["count"], row["min"], row["max"], row["downsampled"])
            self.assertEqual(told, (4, min(four), max(four), "PT1M"), row)
            self.assertAlmostEqual(row["value"], sum(four) / 4, 12)
        # The same whether over minutes, or over all of it.
        steps = server.get("/digitaltwins/b1/history?properties=pulse&step=5m&fn=avg,min,max,count&from=%s&to=%s" % (
            instant(begun), instant(begun + 60 * MINUTES)))
        self.assertIs(steps["downsampled"], True)
        for k, row in enumerate(steps["value"]):
            all20 = sum(self.values["b1"][5 * k:5 * k + 5], [])
            self.assertEqual((row["count"], row["min"], row["max"]), (20, min(all20), max(all20)))
            self.assertAlmostEqual(row["avg"], sum(all20) / 20, 10)
        for fn in ("median", "p95", "stddev"):
            status, code, message = self.refused(server, "/digitaltwins/b1/history?properties=pulse&fn=" + fn)
            self.assertEqual((status, code), (410, "HistoryGone"), message)
            self.assertIn("were let go", message)
            self.assertRegex(message, "avg.* min, max, sum, count, .* are all that can be told")
        csv = self.ok(server, "GET", "/digitaltwins/b1/history?properties=pulse&format=csv")
        self.assertEqual(len(csv.splitlines()), 1 + len(page["value"]))
        self.export_has_means(server)
        # A world of then is gone; the message tells from when on there are any.
        status, code, message = self.refused(server, "/worlds/live@%s/digitaltwins/b1" % self.known)
        self.assertEqual((status, code), (410, "HistoryGone"), message)
        self.assertRegex(message, "everything is known from 20.*Z on")
        self.assertEqual(server.twin("b1")["pulse"], self.values["b1"][-1][-1])  # what stood stands
        r = run("history", "b1", "pulse", "--fn", "p95", url=server.url)
        self.assertEqual(r.code, 6, r)
        self.assertIn("were let go", r.err)

    def test_means_are_erased(self):
        server, _ = self.days_later()
        neighbour = self.ok(server, "GET", "/digitaltwins/b2/history")
        receipt = json.loads(self.ok(server, "POST", "/erasures", {"twin": "b1", "property": "pulse"}))["receipt"]
        self.assertGreater(receipt["values"], 0)
        page = server.get("/digitaltwins/b1/history?properties=pulse")
        self.assertEqual([r for r in page["value"] if r["value"] is not None], [])
        self.assertEqual(self.ok(server, "GET", "/digitaltwins/b2/history"), neighbour)
        # No mean, smallest or largest of it is in the file as bytes.
        numbers = [f(four) for four in self.values["b1"] for f in (min, max, lambda x: x[0], lambda x: x[3])]
        self.assertEqual(server.stop(), 0)
        with open(server.path, "rb") as f:
            data = f.read()
        self.assertEqual([n for n in numbers if struct.pack("<d", n) in data or repr(n).encode() in data], [])
        r = run("check", "--json", server.path)
        self.assertEqual((r.code, r.json["findings"] if r.code == 0 else r), (0, []))
        again = Ahead(50 * HOUR, server.path)
        self.addCleanup(again.stop)
        page = again.get("/digitaltwins/b1/history?properties=pulse")
        self.assertEqual([r for r in page["value"] if r["value"] is not None], [])
        receipt = json.loads(self.ok(again, "POST", "/erasures", {"twin": "b1"}))["receipt"]
        self.assertEqual(again.http("GET", "/digitaltwins/b1/history")[0], 404)
        strip = lambda text: json.loads(text)["value"]  # noqa: E731
        self.assertEqual(strip(self.ok(again, "GET", "/digitaltwins/b2/history?properties=pulse")),
                         [r for r in strip(neighbour) if r["property"] == "pulse"])


if __name__ == "__main__":
    kit.main()
