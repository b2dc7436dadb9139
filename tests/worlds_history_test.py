#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""What a fork was told, as a whole process: its history, its past worlds and its feed after kill -9, on the command
line too."""
import http.client
import json
import os
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case  # noqa: E402

ROOM = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:test:Room;1", "@type": "Interface",
        "contents": [{"@type": "Property", "name": "temperature", "schema": "double"},
                     {"@type": "Property", "name": "count", "schema": "integer"},
                     {"@type": "Relationship", "name": "feeds"}]}


class Forks(Case):
    def setUp(self):
        super().setUp()
        self.server = self.serve(path=self.file("w.sosia"))
        self.ok("POST", "/models", [ROOM])
        for name in ("r1", "r2"):
            self.ok("PUT", "/digitaltwins/" + name, {"$metadata": {"$model": ROOM["@id"]}})
        for i in range(5):
            self.tell("", "r1", i)
        self.ok("POST", "/worlds", {"name": "f"})

    def ok(self, method, path, body=None, headers=None):
        status, _, text = self.server.http(method, path, body, headers)
        self.assertIn(status, (200, 201, 204), (method, path, text))
        return text

    def tell(self, world, twin, value):
        self.ok("POST", world + "/ingest?source=s%d" % (value % 3),
                json.dumps({"id": twin, "property": "count", "value": value}), {"Content-Type": "application/x-ndjson"})

    def rows(self, world, twin="r1", **params):
        return self.server.every("%s/digitaltwins/%s/history?%s" % (world, twin, urllib.parse.urlencode(params)))

    def again(self):
        self.server.kill()
        self.server.start()

    def test_history_and_instants_after_kill(self):
        at, was = [], []
        for i in range(5, 40):
            self.tell("/worlds/f", "r1", i)
            at.append(self.server.get("/worlds/f")["time"])
            was.append(self.server.get("/worlds/f/digitaltwins/r1"))
        self.tell("", "r1", -1)
        self.ok("POST", "/worlds", {"name": "child", "from": "f@" + at[10]})
        self.tell("/worlds/child", "r1", 99)
        before = {w: self.rows("/worlds/" + w, **{"with": "source,arrival"}) for w in ("f", "child")}
        self.assertEqual([r["value"] for r in before["f"]], list(range(40)))
        self.assertEqual([r["source"] for r in before["f"]], ["s%d" % (i % 3) for i in range(40)])
        self.assertEqual([r["value"] for r in before["child"]], list(range(16)) + [99])
        for _ in range(2):
            self.again()
            for w, want in before.items():
                self.assertEqual(self.rows("/worlds/" + w, **{"with": "source,arrival"}), want)
            for t, twin in zip(at[::5], was[::5]):
                self.assertEqual(self.server.get("/worlds/f@%s/digitaltwins/r1" % t), twin)
            self.assertEqual([r["value"] for r in self.rows("/worlds/f@" + at[3])], list(range(9)))
            self.assertEqual([r["value"] for r in self.rows("")], [0, 1, 2, 3, 4, -1])
        answer = json.loads(self.ok("POST", "/worlds/f/query?api-version=2023-10-31",
                                    {"query": "SELECT MAX(T.count, 1h) AS m FROM digitaltwins T WHERE T.$dtId = 'r1'"}))
        self.assertEqual(answer["value"], [{"m": 39}])

    def test_killed_while_it_is_told(self):
        acked = [4]

        def run():
            try:
                while True:
                    self.tell("/worlds/f", "r1", acked[0] + 1)
                    acked[0] += 1
            except (OSError, AssertionError):
                pass

        writer = threading.Thread(target=run)
        writer.start()
        end = time.monotonic() + 30 * kit.SLOW
        while acked[0] < 60 and time.monotonic() < end:
            time.sleep(0.005)
        self.server.kill()
        writer.join()
        self.server.start()
        values = [r["value"] for r in self.rows("/worlds/f")]
        self.assertEqual(values, list(range(len(values))))
        self.assertIn(len(values) - 1, (acked[0], acked[0] + 1))
        self.assertGreaterEqual(len(values), 60)

    def test_a_feed_is_resumed(self):
        begin = self.server.get("/worlds/f")["sequence"]
        for i in range(10):
            self.tell("/worlds/f", "r2", i)
        self.again()
        at = http.client.HTTPConnection(urllib.parse.urlsplit(self.server.url).netloc, timeout=30 * kit.SLOW)
        self.addCleanup(at.close)
        at.request("GET", "/worlds/f/changes?since=%d" % (begin + 4))
        answer, seqs = at.getresponse(), []
        self.assertEqual(answer.status, 200)
        while len(seqs) < 6:
            line = answer.readline().decode()
            if line.startswith("data:") and "\"changes\"" in line:
                doc = json.loads(line[5:])
                seqs.append((doc["seq"], doc["changes"][0]["value"]))
        self.assertEqual(seqs, [(begin + i, i - 1) for i in range(5, 11)])
        status, _, text = self.server.http("GET", "/worlds/f/changes?since=%d" % (begin - 1))
        self.assertEqual(status, 410, text)

    def test_command_line(self):
        for i in range(5, 12):
            self.tell("/worlds/f", "r1", i)
        times = [r["time"] for r in self.rows("/worlds/f")]
        self.again()
        got = self.server.run("history", "r1", "count", "--world", "f", "--from", "-1h", "--csv")
        self.assertEqual(got.code, 0, got)
        self.assertEqual([int(line.split(",")[-1]) for line in got.out.splitlines()[1:]], list(range(12)))
        got = self.server.run("worlds", "fork", "x", "--from", "f@" + times[7])
        self.assertEqual(got.code, 0, got)
        self.assertEqual(self.server.get("/worlds/x/digitaltwins/r1")["count"], 7)
        got = self.server.run("worlds", "fork", "y", "--from", "f@-0s")
        self.assertEqual(got.code, 0, got)
        got = self.server.run("worlds", "diff", "f", "f@" + times[7], "--json")
        self.assertEqual(got.code, 0, got)
        changes = got.json["changes"]
        self.assertEqual([(c["before"], c["after"]) for c in changes], [(7, 11)])
        got = self.server.run("replay", "--world", "f", "--from", times[5], "--to", "now", "--speed", "max")
        self.assertEqual(got.code, 0, got)
        self.assertEqual([line.split()[-1] for line in got.out.splitlines()], [str(i) for i in range(5, 12)])
        got = self.server.run("replay", "--world", "f", "--from", times[8], "--to", "now", "--speed", "max", "--into",
                              "x", "--json")
        self.assertEqual((got.code, got.json["batches"]), (0, 4), got)
        self.assertEqual(self.server.get("/worlds/x/digitaltwins/r1")["count"], 11)
        got = self.server.run("get", "r1", "--world", "f@-1d", "--json")
        self.assertNotEqual(got.code, 0)
        self.assertIn("nothing is known", got.err)
        status, _, text = self.server.http("GET", "/worlds/f@2099-01-01T00:00:00Z/digitaltwins/r1?"
                                           "api-version=2023-10-31")
        self.assertEqual(status, 400)
        self.assertIn("the clock of \\\"f\\\" stands at", text)


if __name__ == "__main__":
    kit.main()
