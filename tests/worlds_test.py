#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""Forks as a whole process: a thousand of them, kill -9 while they are written, and all of them again."""
import concurrent.futures
import hashlib
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

WORLDS = 1000
TWINS = 60
ROOM = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:test:Room;1", "@type": "Interface",
        "contents": [{"@type": "Property", "name": "temperature", "schema": "double"},
                     {"@type": "Property", "name": "count", "schema": "integer"},
                     {"@type": "Relationship", "name": "feeds"}]}


class Line:
    """One kept-alive connection."""

    def __init__(self, url):
        self.at = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60 * kit.SLOW)

    def call(self, method, path, body=None, lines=False):
        text = body if lines or body is None else json.dumps(body)
        kind = "application/x-ndjson" if lines else "application/json"
        self.at.request(method, path + "?api-version=2023-10-31", text, {"Content-Type": kind} if text else {})
        answer = self.at.getresponse()
        return answer.status, answer.read().decode()


class Worlds(Case):
    def setUp(self):
        super().setUp()
        self.server = self.serve(path=self.file("w.sosia"))
        line = self.line()
        self.expect(line, "POST", "/models", [ROOM], 201)
        for i in range(TWINS):
            self.expect(line, "PUT", "/digitaltwins/r%d" % i, {"$metadata": {"$model": ROOM["@id"]}, "temperature": i})
        self.begin = self.server.get("/worlds/live")["time"]

    def line(self):
        line = Line(self.server.url)
        self.addCleanup(line.at.close)
        return line

    def expect(self, line, method, path, body=None, status=200, **more):
        got = line.call(method, path, body, **more)
        self.assertEqual(got[0], status, (method, path, got))
        return got[1]

    def many(self, jobs, job, threads=8):
        """job(line, j) for all jobs, by some threads with a connection each."""
        local = threading.local()

        def one(j):
            if not hasattr(local, "line"):
                local.line = self.line()
            return job(local.line, j)

        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, jobs))

    def parent_of(self, i):
        if i % 10 == 7:
            return "w%d" % (i - 7)
        return "live@" + self.begin if i % 3 == 1 else "live"

    def make(self, line, i):
        body = {"name": "w%d" % i, "from": self.parent_of(i), "seed": i}
        self.expect(line, "POST", "/worlds", body, 201)
        text = "\n".join(json.dumps({"id": "r%d" % ((i + k) % TWINS), "property": "count", "value": 1000 * i + k})
                         for k in range(10))
        self.expect(line, "POST", "/worlds/w%d/ingest" % i, text, lines=True)

    def digest(self, line, name):
        all = self.expect(line, "GET", "/worlds/%s/digitaltwins" % name)
        return hashlib.sha256(all.encode()).hexdigest()

    def write_on(self, stop, acked):
        """Writers that are cut: what was acknowledged in each of their worlds."""
        def one(i):
            line = self.line()
            n = 0
            try:
                while not stop.is_set():
                    n += 1
                    text = json.dumps({"id": "r0", "property": "count", "value": n})
                    if line.call("POST", "/worlds/w%d/ingest" % i, text, lines=True)[0] != 200:
                        return
                    acked[i] = n
            except (OSError, http.client.HTTPException):
                pass

        threads = [threading.Thread(target=one, args=(i,)) for i in acked]
        for t in threads:
            t.start()
        return threads

    def test_a_thousand_and_kill(self):
        line = self.line()
        self.many((i for i in range(WORLDS) if i % 10 != 7), self.make)
        self.many((i for i in range(WORLDS) if i % 10 == 7), self.make)  # forks of forks
        for i in range(20):
            self.expect(line, "POST", "/ingest", json.dumps({"id": "r1", "property": "count", "value": i}), lines=True)
        self.expect(line, "DELETE", "/worlds/w0", status=204)  # w7 needs it
        names = ["w%d" % i for i in range(1, WORLDS)]
        before = dict(zip(names, self.many(names, self.digest)))
        live = self.server.get("/digitaltwins/r1")["count"]
        stop, acked = threading.Event(), {i: 0 for i in (21, 22, 27)}
        writers = self.write_on(stop, acked)
        end = time.monotonic() + 30 * kit.SLOW
        while min(acked.values()) < 20 and time.monotonic() < end:
            time.sleep(0.01)
        self.server.kill()
        stop.set()
        for t in writers:
            t.join()
        self.assertGreater(min(acked.values()), 0)
        start = time.monotonic()
        self.server.start()
        self.assertLess(time.monotonic() - start, 5 * kit.SLOW)  # they are not made until somebody asks
        listed = {w["name"]: w for w in self.server.get("/worlds")["value"]}
        self.assertEqual(set(listed), set(names) | {"live"})
        self.assertTrue(all(w["kept"] and not w["loaded"] for n, w in listed.items() if n != "live"))
        after = dict(zip(names, self.many(names, self.digest)))
        wrong = [n for n in names if after[n] != before[n] and int(n[1:]) not in acked]
        self.assertEqual(wrong, [])
        for i, n in acked.items():
            self.assertIn(self.server.get("/worlds/w%d/digitaltwins/r0" % i)["count"], (n, n + 1))
        self.assertEqual(self.server.get("/digitaltwins/r1")["count"], live)
        self.assertEqual(self.server.get("/worlds/w5")["seed"], 5)
        # and they are forks as before: written, forked, dropped
        line = self.line()
        text = json.dumps({"id": "r2", "property": "count", "value": -1})
        self.expect(line, "POST", "/worlds/w7/ingest", text, lines=True)
        self.expect(line, "POST", "/worlds", {"name": "more", "from": "w7"}, 201)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.server.get("/worlds/more/digitaltwins/r2")["count"], -1)

    def test_told_what_came_since(self):
        line = self.line()
        at = self.begin
        for i in range(30):
            self.expect(line, "POST", "/ingest",
                        json.dumps({"id": "r%d" % (i % 7), "property": "temperature", "value": i / 3}), lines=True)
        self.expect(line, "PUT", "/digitaltwins/r1/relationships/f", {"$targetId": "r2", "$relationshipName": "feeds"})
        self.expect(line, "DELETE", "/digitaltwins/r9", status=204)
        done = self.server.run("worlds", "fork", "then", "--from", "live@" + at, "--purpose", "what if")
        self.assertEqual(done.code, 0, done)
        self.server.kill()
        self.server.start()
        done = self.server.run("replay", "--from", at, "--speed", "max", "--into", "then", "--json")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.json["refused"], 0)
        for path in ("/digitaltwins", "/digitaltwins/r1", "/digitaltwins/r1/relationships/f"):
            self.assertEqual(self.server.get("/worlds/then" + path), self.server.get(path))
        self.assertEqual(self.server.get("/worlds/then/diff?against=live")["changes"], [])
        listed = self.server.run("worlds").out
        self.assertRegex(listed, r"(?m)^then +live@.*what if")


if __name__ == "__main__":
    kit.main()
