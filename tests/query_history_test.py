#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""The past in questions, over HTTP and from the command line: functions over a span of time, HISTORY, past worlds,
derived values that look back, and all of it after a restart."""
import json
import os
import sys
import tempfile
import time
import unittest
from datetime import datetime, timezone

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import Case, Server, run  # noqa: E402


def prop(name, schema):
    return {"@type": "Property", "name": name, "schema": schema}


PUMP = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:test:Pump;1", "@type": "Interface",
        "contents": [prop("flow", "double"), prop("count", "integer"), prop("state", "string"), prop("mean", "double")]}


def text_of(ns):
    t = datetime.fromtimestamp(ns // 10**9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return "%s.%07dZ" % (t, ns % 10**9 // 100)


class QueryHistory(Case):
    """A value a minute for ten minutes, up to half a minute ago."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.folder.name, "w.sosia")
        cls.server = Server("--http", "127.0.0.1:0", path=cls.path)
        case = cls("test_functions")
        case.ok("POST", "/models", [PUMP])
        cls.start = time.time_ns() // 10**9 * 10**9 - 630 * 10**9
        lines = []
        for name, k in (("p1", 1), ("p2", 2)):
            case.ok("PUT", "/digitaltwins/" + name, {"$metadata": {"$model": "dtmi:test:Pump;1"}})
            for i in range(11):
                for path, value in (("flow", k * i), ("count", i), ("state", "on" if i % 2 else "off")):
                    lines.append({"id": name, "property": path, "value": value,
                                  "time": text_of(cls.start + i * 60 * 10**9)})
        body = "\n".join(map(json.dumps, lines))
        done = json.loads(case.ok("POST", "/ingest?source=plc", body, {"Content-Type": "application/x-ndjson"}))
        assert done["accepted"] == len(lines), done

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def ok(self, method, path, body=None, headers=None):
        status, _, text = self.server.http(method, path, body, headers)
        self.assertIn(status, (200, 201, 204), text)
        return text

    def ask(self, text, world="", items=1000):
        rows, body = [], {"query": text}
        while True:
            answer = json.loads(self.ok("POST", world + "/query", body, {"max-items-per-page": str(items),
                                                                         "Content-Type": "application/json"}))
            rows += answer["value"]
            if not answer.get("continuationToken"):
                return rows
            body = {"continuationToken": answer["continuationToken"]}

    def test_functions(self):
        row, = self.ask("SELECT COUNT(flow, 1h) AS n, MAX(flow, 1h) AS most, DELTA(count, 1h) AS up, "
                        "LAST(flow, 2m) AS then, CHANGES(state, 1h) AS turns, AVG(flow, 2m) AS mean "
                        "FROM DIGITALTWINS WHERE $dtId = 'p1'")
        self.assertEqual(row, {"n": 11, "most": 10, "up": 10, "then": 8, "turns": 10, "mean": 9.5})
        rows = self.ask("SELECT $dtId FROM DIGITALTWINS WHERE MAX(flow, 1h) > 15 AND LAST(state, 2m) = 'off'")
        self.assertEqual(rows, [{"$dtId": "p2"}])

    def test_history(self):
        text = ("SELECT $dtId, flow, state AS s FROM DIGITALTWINS ORDER BY $dtId DESC HISTORY FROM '%s' TO '%s'"
                % (text_of(self.start + 60 * 10**9), text_of(self.start + 300 * 10**9)))
        want = [{"$dtId": name, "time": text_of(self.start + i * 60 * 10**9), "flow": k * i,
                 "s": "on" if i % 2 else "off"} for name, k in (("p2", 2), ("p1", 1)) for i in range(1, 5)]
        for items in (1, 3, 1000):
            self.assertEqual(self.ask(text, items=items), want)

    def test_steps(self):
        text = ("SELECT $dtId, flow FROM DIGITALTWINS WHERE $dtId = 'p1' HISTORY FROM '%s' TO '%s' STEP 5m FN avg, max"
                % (text_of(self.start), text_of(self.start + 600 * 10**9)))
        want = [{"$dtId": "p1", "time": text_of(self.start), "flow.avg": 2, "flow.max": 4},
                {"$dtId": "p1", "time": text_of(self.start + 300 * 10**9), "flow.avg": 7, "flow.max": 9}]
        self.assertEqual(self.ask(text), want)
        done = run("query", text, url=self.server.url)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.out.split("\n")[0].split(), ["$dtId", "time", "flow.avg", "flow.max"])

    def test_refused(self):
        text = "SELECT * FROM DIGITALTWINS HISTORY FROM '2026-01-01'"
        status, _, text = self.server.http("POST", "/query", {"query": text})
        self.assertEqual(status, 400, text)
        self.assertIn("name properties", text)

    def test_times_further_apart_than_a_number_counts(self):
        """1700 to 2200 is more ns than an int64 holds."""
        ask = "SELECT flow FROM DIGITALTWINS T WHERE T.$dtId = 'p1' HISTORY FROM '1700-01-01T00:00:00Z' "
        rows = self.ask(ask + "TO '2200-01-01T00:00:00Z' STEP 36500d FN avg FILL null")
        self.assertEqual([row["time"][:4] for row in rows], ["1700", "1799", "1899", "1999", "2099", "2199"])
        self.assertEqual([row["flow"] for row in rows], [None, None, None, 5, None, None])
        status, _, text = self.server.http("POST", "/query", {"query": ask + "STEP 1s FN avg"})
        self.assertEqual((status, "more than 100000 intervals" in text), (400, True), text)
        status, _, text = self.server.http("POST", "/query", {"query": ask.split(" FROM '1700")[0]})
        self.assertEqual((status, "HISTORY is followed by FROM, TO or STEP" in text), (400, True), text)

    def test_past_and_restart(self):
        """A past world knows what had arrived; a derived value looks back, also after a restart."""
        before = text_of(time.time_ns())
        time.sleep(0.01)
        self.ok("PUT", "/derived/mean", {"model": "dtmi:test:Pump;1", "property": "mean",
                                         "expression": "AVG(count, 1h)"})
        line = json.dumps({"id": "p1", "property": "count", "value": 100, "time": text_of(time.time_ns())})
        self.ok("POST", "/ingest", line, {"Content-Type": "application/x-ndjson"})
        count = "SELECT MAX(count, 1h) AS m FROM DIGITALTWINS WHERE $dtId = 'p1'"
        self.assertEqual(self.ask(count), [{"m": 100}])
        self.assertEqual(self.ask(count, world="/worlds/live@" + before), [{"m": 10}])
        self.settles(155 / 12)
        type(self).server.stop()
        type(self).server = Server("--http", "127.0.0.1:0", path=self.path)
        self.assertEqual(self.ask(count), [{"m": 100}])
        line = json.dumps({"id": "p1", "property": "count", "value": 9, "time": text_of(time.time_ns())})
        self.ok("POST", "/ingest", line, {"Content-Type": "application/x-ndjson"})
        self.settles(164 / 13)

    def settles(self, want):
        for _ in range(600):
            mean = json.loads(self.ok("GET", "/digitaltwins/p1")).get("mean")
            if mean is not None and abs(mean - want) < 1e-9:
                return
            time.sleep(0.05)
        self.fail("mean is %r, wanted %r" % (mean, want))


if __name__ == "__main__":
    unittest.main(verbosity=2)
