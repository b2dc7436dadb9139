# SPDX-License-Identifier: Apache-2.0
"""Runs of forks as a whole process: over HTTP and on the command line, killed in the middle and taken up."""

import json
import time
import unittest

import kit

MODEL = [{"@id": "dtmi:t:Tank;1", "@type": "Interface",
          "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
          "contents": [
              {"@type": ["Property", "Length"], "name": "level", "schema": "double", "unit": "metre"},
              {"@type": ["Property", "VolumeFlowRate"], "name": "inflow", "schema": "double",
               "unit": "litrePerSecond"},
              {"@type": ["Property", "Area"], "name": "area", "schema": "double", "unit": "squareMetre"},
              {"@type": "Property", "name": "noise", "schema": "double"}]}]
SAY = ["der(level) = inflow / area", "every 10s do noise = RANDOM_NORMAL(0, 1)"]


class Runs(kit.Case):
    def setUp(self):
        super().setUp()
        self.server = self.serve(path=self.file("w.sosia"))
        self.call("POST", "/models", MODEL, 201)
        for i in range(20):
            self.call("PUT", "/digitaltwins/t%d" % i,
                      {"$metadata": {"$model": "dtmi:t:Tank;1"}, "level": 1.0, "inflow": 1.0 + i, "area": 4.0,
                       "noise": 0.0}, 200)
        self.call("PUT", "/behaviours/tank", {"model": "dtmi:t:Tank;1", "say": SAY})

    def call(self, method, path, body=None, want=200):
        status, _, text = self.server.http(method, path, body)
        self.assertEqual(status, want, (method, path, text))
        return json.loads(text) if text else None

    def fork(self, *names):
        for name in names:
            self.call("POST", "/worlds", {"name": name, "seed": 5}, 201)

    def ended(self, world):
        def look():
            status = self.call("GET", "/worlds/%s/run" % world)
            return status if status["state"] not in ("running", "starting") else None
        return kit.until(look, 60, "the end of a run")

    def values(self, world):
        return {t: [self.call("GET", "/worlds/%s/digitaltwins/t%d" % (world, t))[p] for p in ("level", "noise")]
                for t in range(20)}

    def test_run_and_look(self):
        self.fork("f")
        begun = self.call("POST", "/worlds/f/run", {"for": "PT1H", "output": "PT1M"}, 202)
        self.assertIn(begun["state"], ("starting", "running", "done"))
        done = self.ended("f")
        self.assertEqual((done["state"], done["now"], done["progress"]), ("done", begun["until"], 1))
        for t, (level, _) in self.values("f").items():
            self.assertAlmostEqual(level, 1 + (1 + t) * 0.9, delta=1e-9)
        self.assertEqual(self.call("GET", "/worlds/f")["status"], "done")
        self.assertEqual(self.call("GET", "/digitaltwins/t3")["level"], 1)  # live stands
        # A question sees the end of the run, as any world's.
        rows = self.call("POST", "/worlds/f/query", {"query": "SELECT COUNT() FROM DIGITALTWINS T WHERE T.level > 5"})
        self.assertEqual(rows["value"][0]["COUNT"], 16)
        for bad in ({"for": "long"}, {"speed": -1, "for": "PT1H"}, {"nonsense": 1}, {}, {"changes": [1], "for": "P1D"}):
            self.call("POST", "/worlds/f/run", bad, 400)
        self.call("POST", "/run", {"for": "PT1H"}, 400)
        self.call("POST", "/worlds/none/run", {"for": "PT1H"}, 404)

    def line(self):
        """A line for the flow engine: a part every 10 s, a saw of 4 s, a press of 13 s."""
        texts = [{"@type": "Property", "name": name, "schema": "string"} for name in ("kind", "state")]
        self.call("POST", "/models", [{"@id": "dtmi:t:Station;1", "@type": "Interface",
                                       "@context": "dtmi:dtdl:context;3",
                                       "contents": texts + [{"@type": "Relationship", "name": "feeds"}]}], 201)
        names = ("parts", "saw", "press", "store")
        for name in names:
            self.call("PUT", "/digitaltwins/" + name, {"$metadata": {"$model": "dtmi:t:Station;1"}, "kind": name})
        for a, b in zip(names, names[1:]):
            self.call("PUT", "/digitaltwins/%s/relationships/%s" % (a, b),
                      {"$targetId": b, "$relationshipName": "feeds"})
        self.call("PUT", "/mappings/line", {
            "engine": "flow", "edges": [{"relationship": "feeds"}],
            "nodes": [{"model": "dtmi:t:Station;1", "roles": {"kind": "kind", "state": "state"}}],
            "config": {"nodes": {"parts": {"is": "source", "gap": 10}, "saw": {"is": "station", "service": 4},
                                 "press": {"is": "station", "service": 13}, "store": {"is": "sink"}}}})

    def trace(self, world, query=""):
        status, headers, text = self.server.http("GET", "/worlds/%s/trace%s" % (world, query))
        self.assertEqual((status, headers["content-type"]), (200, "application/x-ndjson"), text)
        return [json.loads(line) for line in text.splitlines()]

    def test_items_are_followed(self):
        self.line()
        self.fork("f")
        self.call("POST", "/worlds/f/run", {"for": "PT10M", "trace": {"items": 5}}, 202)
        done = self.ended("f")
        lines = self.trace("f")
        self.assertEqual(done["trace"], {"items": 5, "followed": 5, "events": len(lines), "full": False})
        self.assertEqual([line["n"] for line in lines], list(range(1, len(lines) + 1)))
        one = self.trace("f", "?item=3&source=parts")
        self.assertEqual([(line["twin"], line["what"]) for line in one],
                         [("parts", "made"), ("parts", "leave"), ("saw", "enter"), ("saw", "start"), ("saw", "done"),
                          ("saw", "leave"), ("press", "enter"), ("press", "start"), ("press", "done"),
                          ("press", "leave"), ("store", "out")])
        self.assertEqual(self.trace("f", "?after=4&limit=3"), lines[4:7])
        self.assertEqual(self.trace("f", "?twin=press"), [line for line in lines if line["twin"] == "press"])
        table = self.ok(self.server.run("worlds", "trace", "f", "--item", "3")).out
        self.assertIn("Source", table.splitlines()[0])
        self.assertEqual(len(table.splitlines()), 2 + len(one))
        again = self.ok(self.server.run("worlds", "trace", "f", "--json", "--twin", "saw")).out
        self.assertEqual([json.loads(line) for line in again.splitlines()],
                         [line for line in lines if line["twin"] == "saw"])
        for bad in ({"items": 0}, {"items": 100001}, {"items": "x"}, {}, {"items": 1, "more": 2}, 5):
            self.call("POST", "/worlds/f/run", {"for": "PT1M", "trace": bad}, 400)
        for bad in ("?item=x", "?limit=0", "?after=-1"):
            self.assertEqual(self.server.http("GET", "/worlds/f/trace" + bad)[0], 400, bad)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.trace("f"), lines)
        self.assertEqual(self.server.http("GET", "/trace")[0], 400)

    def test_killed_and_taken_up(self):
        self.fork("whole", "pieces")
        want = {"for": "P2D", "output": "PT1M"}
        self.call("POST", "/worlds/whole/run", want, 202)
        self.assertEqual(self.ended("whole")["state"], "done")
        self.call("POST", "/worlds/pieces/run", dict(want, speed=40000), 202)
        for _ in range(3):
            time.sleep(0.4)
            self.server.kill()
            self.server.start()
        self.assertEqual(self.ended("pieces")["state"], "done")
        self.assertEqual(self.values("pieces"), self.values("whole"))

    def test_killed_right_after_the_answer(self):
        """Who has the 202 finds the run again, with its changes, and a paused one goes on where it stood."""
        plan = [{"at": "PT12H", "twin": "t0", "property": "inflow", "value": 0}]
        self.fork("whole")
        self.call("POST", "/worlds/whole/run", {"for": "P1D", "output": "PT1M"}, 202)
        self.assertEqual(self.ended("whole")["state"], "done")
        self.call("POST", "/worlds/whole/run", {"for": "P1D", "output": "PT1M", "changes": plan}, 202)
        self.assertEqual(self.ended("whole")["state"], "done")
        for i in range(4):
            name = "f%d" % i
            self.fork(name)
            begun = self.call("POST", "/worlds/%s/run" % name, {"for": "P1D", "output": "PT1M"}, 202)
            if i % 2:
                self.assertEqual(self.ended(name)["state"], "done")
            else:
                self.server.kill()
                self.server.start()
                self.assertEqual(self.ended(name)["until"], begun["until"])
            begun = self.call("POST", "/worlds/%s/run" % name, {"for": "P1D", "output": "PT1M", "changes": plan}, 202)
            self.server.kill()
            self.server.start()
            done = self.ended(name)
            self.assertEqual((done["state"], done["until"]), ("done", begun["until"]))
            self.assertEqual(self.values(name), self.values("whole"))

    def test_pause_and_changes(self):
        self.fork("f")
        self.call("POST", "/worlds/f/run", {"for": "P30D", "speed": 3600}, 202)
        self.call("POST", "/worlds/f/run", {"for": "P30D"}, 409)
        paused = self.call("POST", "/worlds/f/pause")
        self.assertEqual(paused["state"], "paused")
        level = self.values("f")[0][0]
        self.call("POST", "/worlds/f/run", {"for": "PT1H", "changes": [
            {"at": "PT30M", "twin": "t0", "property": "inflow", "value": 0}]}, 202)
        self.assertEqual(self.ended("f")["state"], "done")
        self.assertAlmostEqual(self.values("f")[0][0], level + 0.45, delta=1e-6)

    def test_pace(self):
        """60 times real time: two minutes take two seconds, and half of it is not there before one has passed."""
        self.fork("f")
        begun = time.monotonic()
        self.call("POST", "/worlds/f/run", {"for": "PT2M", "speed": 60}, 202)
        while True:
            before = time.monotonic() - begun
            status = self.call("GET", "/worlds/f/run")
            after = time.monotonic() - begun
            if status["state"] == "done":
                break
            self.assertLessEqual(status["progress"], after / 2 + 0.1)
            time.sleep(0.05)
        self.assertGreaterEqual(after, 1.9)
        self.assertLess(before, 60)
        self.assertEqual(status["progress"], 1)

    def test_command_line(self):
        self.fork("f")
        r = self.ok(self.server.run("worlds", "run", "f", "--for", "1h", "--output", "10m"))
        self.assertRegex(r.err, r"f is done at 2\d\d\d-")
        self.assertIn("sosia worlds diff f", r.err)
        r = self.ok(self.server.run("worlds", "run", "f", "--for", "1h", "--json"))
        self.assertEqual(r.json["state"], "done")
        r = self.server.run("worlds", "run", "live", "--for", "1h")
        self.assertNotEqual(r.code, 0)
        self.assertIn("fork it", r.err)
        self.ok(self.server.run("worlds", "run", "f", "--for", "P30D", "--speed", "60", "--detach"))
        self.assertIn("paused", self.ok(self.server.run("worlds", "pause", "f")).err)
        bad = self.server.run("worlds", "run", "f", "--for", "1h", "--changes",
                              self.file("c.json", [{"at": "PT1M", "twin": "nobody", "property": "level", "value": 1}]))
        self.assertNotEqual(bad.code, 0)
        self.assertIn("nobody", bad.err)


if __name__ == "__main__":
    kit.main()
