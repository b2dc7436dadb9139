#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""A stretch of the past again: as a stream, on the command line, into another world; and what history takes."""
import json
import os
import sys
import unittest
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case  # noqa: E402

ROOM = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:test:Room;1", "@type": "Interface",
        "contents": [{"@type": "Property", "name": "temperature", "schema": "double"},
                     {"@type": "Property", "name": "state", "schema": "string"},
                     {"@type": "Property", "name": "warm", "schema": "boolean"},
                     {"@type": "Relationship", "name": "feeds", "properties": [
                         {"@type": "Property", "name": "flow", "schema": "double"}]}]}


class Replay(Case):
    def setUp(self):
        super().setUp()
        self.server = self.serve(path=self.file("w.sosia"))
        self.expect(200, "POST", "/models", [ROOM], 201)
        for name in "abc":
            self.expect(200, "PUT", "/digitaltwins/" + name, {"$metadata": {"$model": ROOM["@id"]}, "temperature": 1.5})

    def expect(self, status, method, path, body=None, other=None, **headers):
        got = self.server.http(method, path, body, headers)
        self.assertIn(got[0], (status, other or status), got)
        return got[2]

    def live(self):
        """What happens: values, a text, relationships that come and go, a twin that dies, a late value."""
        for i in range(20):
            self.expect(200, "POST", "/ingest", json.dumps(
                {"id": "a", "property": "temperature", "value": 20 + i / 4, "time": 1790000000000 + 1000 * i}))
            self.expect(204, "PATCH", "/digitaltwins/b", [{"op": "add", "path": "/state", "value": "step %d" % i}],
                        **{"Content-Type": "application/json-patch+json"})
        self.expect(200, "PUT", "/digitaltwins/a/relationships/r", {"$targetId": "b", "$relationshipName": "feeds",
                                                                    "flow": 3.25})
        self.expect(200, "PUT", "/digitaltwins/b/relationships/s", {"$targetId": "a", "$relationshipName": "feeds"})
        self.expect(204, "DELETE", "/digitaltwins/b/relationships/s")
        self.expect(204, "DELETE", "/digitaltwins/c")
        self.expect(200, "POST", "/ingest", json.dumps(
            {"id": "a", "property": "temperature", "value": 7.5, "time": 1789999999000}))

    def now(self):
        return self.server.get("/worlds/live")["time"]

    def stream(self, **params):
        """Messages of a replay, to its end."""
        status, _, body = self.server.http("GET", "/changes?" + urllib.parse.urlencode(params))
        self.assertEqual(status, 200, body)
        events = [e.split("\n") for e in body.strip().split("\n\n")]
        self.assertEqual(events[-1][0], "event: end")
        datas = [json.loads(line[6:]) for e in events for line in e if line.startswith("data: ")]
        return [d for d in datas if d.get("changes")]

    def test_the_stream_tells_what_happened(self):
        begin = self.now()
        self.live()
        end = "now"
        for _ in range(2):
            messages = self.stream(**{"from": begin, "to": end, "speed": 0})
            changes = [c for m in messages for c in m["changes"]]
            ops = [c["op"] for c in changes if m_behind(messages, c, begin)]
            self.assertEqual(ops.count("link_put"), 2)
            self.assertEqual(ops.count("link_delete"), 1)
            self.assertEqual(ops.count("twin_delete"), 1)
            values = [c["value"] for c in changes if c.get("path") == "temperature" and c["twin"] == "a"]
            self.assertEqual(values[-21:], [20 + i / 4 for i in range(20)] + [7.5])
            self.assertTrue(changes[-1]["late"])
            texts = [c["value"] for c in changes if c.get("path") == "state"]
            self.assertEqual(texts, ["step %d" % i for i in range(20)])
            seqs = [m["seq"] for m in messages]
            self.assertEqual(seqs, sorted(set(seqs)))
            only = self.stream(**{"from": begin, "to": end, "speed": 0, "twin": "b"})
            self.assertEqual({c["twin"] for m in only for c in m["changes"] if c["op"] == "set"}, {"b"})
            self.server.stop()  # and once more after a restart
            self.server.start()

    def test_into_another_world(self):
        self.ok(self.server.run("worlds", "fork", "again"))
        begin = self.now()
        self.live()
        done = self.ok(self.server.run("replay", "--from", begin, "--speed", "max", "--into", "again"))
        self.assertIn("0 refused", done.out)
        for path in ("/digitaltwins/a", "/digitaltwins/b", "/digitaltwins/a/relationships/r"):
            here, there = self.server.get(path), self.server.get("/worlds/again" + path)
            for both in (here, there):
                both.pop("$etag"), both.pop("$metadata", None)
            self.assertEqual(here, there)
        self.assertEqual(self.server.http("GET", "/worlds/again/digitaltwins/c")[0], 404)
        self.assertEqual(self.server.http("GET", "/worlds/again/digitaltwins/b/relationships/s")[0], 404)

    def test_what_a_world_derives_it_derives_again(self):
        self.expect(200, "PUT", "/derived/warm", {"model": ROOM["@id"], "property": "warm",
                                                  "expression": "temperature > 22"})
        self.expect(200, "PUT", "/derived/state", {"twin": "c", "property": "state",
                                                   "expression": "IIF(warm, 'warm', 'cold')"})
        self.ok(self.server.run("worlds", "fork", "again"))
        begin = self.now()
        odd = urllib.parse.quote("it's new")
        for i in range(40):
            told = {name: 20 + (7 * i + at) % 5 for at, name in enumerate("abc")}
            for name, value in told.items():
                self.expect(200, "POST", "/ingest", json.dumps({"id": name, "property": "temperature", "value": value}))
        self.expect(200, "PUT", "/digitaltwins/" + odd, {"$metadata": {"$model": ROOM["@id"]}, "temperature": 30})
        done = self.ok(self.server.run("replay", "--from", begin, "--speed", "max", "--into", "again"))
        self.assertIn(" 0 refused; what it derives was left to it", done.out)
        for name in ("a", "b", "c", odd):
            here, there = (self.server.get(world + "/digitaltwins/" + name) for world in ("", "/worlds/again"))
            for both in (here, there):
                both.pop("$etag"), both.pop("$metadata", None)
            self.assertEqual(here, there)
            self.assertEqual(there["warm"], there["temperature"] > 22)

    def test_on_the_command_line(self):
        begin = self.now()
        self.live()
        lines = self.ok(self.server.run("replay", "--from", begin, "--speed", "max", "--twin", "b")).out.splitlines()
        self.assertEqual(sum("state" in line and "step" in line for line in lines), 20)
        messages = self.ok(self.server.run("replay", "--from", begin, "--speed", "max", "--json")).out.splitlines()
        self.assertEqual({json.loads(m)["source"] for m in messages}, {"local"})

    def test_what_cannot_be_is_refused(self):
        for query, status, word in (("from=2026-01-02&to=2026-01-01", 400, "behind"),
                                    ("from=-1h&to=2200-01-01", 400, "future"),
                                    ("from=soon&to=now", 400, "from"),
                                    ("from=-1h", 400, "to"),
                                    ("from=-1h&to=now&speed=-1", 400, "speed"),
                                    ("from=-1h&to=now&since=3", 400, "since")):
            got = self.server.http("GET", "/changes?" + query)
            self.assertEqual(got[0], status, got)
            self.assertIn(word, got[2])
        memory = self.serve()
        self.assertEqual(memory.http("GET", "/changes?from=-1h&to=now")[0], 400)
        wrong = self.server.run("replay", "--into", "x")
        self.assertEqual(wrong.code, 4)
        self.assertIn("--from", wrong.err)

    def test_what_history_takes(self):
        self.live()
        self.server.stop()  # everything is in blocks then
        self.server.start()
        told = self.ok(self.server.run("history", "stats", "--json")).json
        row = next(v for v in told["value"] if v.get("model") == ROOM["@id"] and v["property"] == "temperature")
        self.assertGreaterEqual(row["points"], 24)
        self.assertGreater(row["bytes"], 0)
        table = self.ok(self.server.run("history", "stats")).out
        self.assertRegex(table, r"Room +temperature +%d" % row["points"])


def m_behind(messages, change, begin):
    """Did it happen after `begin`? Whole seconds are enough: the scene is made before."""
    return any(change in m["changes"] and m["time"] > begin for m in messages)


if __name__ == "__main__":
    kit.main()
