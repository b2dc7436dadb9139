# SPDX-License-Identifier: Apache-2.0
"""Ensembles as a whole process: over HTTP and on the command line."""

import json

import kit

MODEL = [{"@id": "dtmi:t:Desk;1", "@type": "Interface", "@context": "dtmi:dtdl:context;3",
          "contents": [{"@type": "Property", "name": n, "schema": "double"} for n in ("pace", "count")]}]


class Ensembles(kit.Case):
    def setUp(self):
        super().setUp()
        self.server = self.serve(path=self.file("w.sosia"))
        self.call("POST", "/models", MODEL, 201)
        self.call("PUT", "/digitaltwins/d", {"$metadata": {"$model": "dtmi:t:Desk;1"}, "pace": 0.1, "count": 0.0})
        self.call("PUT", "/behaviours/desk", {"model": "dtmi:t:Desk;1", "say": ["at rate pace do count = count + 1"]})
        self.call("PUT", "/kpis/came", {"title": "Who came", "twin": "d", "expression": "count", "better": "more"})

    def call(self, method, path, body=None, want=200):
        status, _, text = self.server.http(method, path, body)
        self.assertEqual(status, want, (method, path, text))
        return json.loads(text) if text else None

    def ended(self, world):
        def look():
            status = self.call("GET", "/worlds/%s/ensemble" % world)
            return status if status["state"] not in ("running", "starting") else None
        return kit.until(look, 60, "the end of an ensemble")

    def test_http(self):
        self.assertEqual(self.call("GET", "/ensemble"), {"state": "idle"})
        begun = self.call("POST", "/worlds/live/ensemble", {
            "for": "100s", "replications": 100, "seed": 3, "cases": [
                {"name": "as is"},
                {"name": "twice", "changes": [{"twin": "d", "property": "pace", "value": 0.2}]}]}, 202)
        self.assertIn(begun["state"], ("starting", "running", "done"))
        done = self.ended("live")
        self.assertEqual((done["state"], done["replications"]), ("done", 100))
        first, second = (c["kpis"][0] for c in done["cases"])
        self.assertLess(first["low"], 10 + 2)
        self.assertGreater(first["high"], 10 - 2)
        self.assertEqual(second["difference"]["verdict"], "better")
        self.assertAlmostEqual(second["difference"]["mean"], second["mean"] - first["mean"], delta=1e-9)
        self.assertEqual(len(done["times"]), 101)
        self.assertEqual(self.call("GET", "/digitaltwins/d")["count"], 0)  # nothing is written
        for bad in ({}, {"for": "1m", "x": 1}, {"for": "1m", "replications": 0}, []):
            self.call("POST", "/ensemble", bad, 400)
        self.call("POST", "/worlds/none/ensemble", {"for": "1m"}, 404)
        self.call("POST", "/worlds/live@-1s/ensemble", {"for": "1m"}, 400)

    def test_at_work(self):
        self.call("POST", "/ensemble", {"for": "P10D", "output": "P1D", "replications": 100000}, 202)
        self.call("POST", "/ensemble", {"for": "1m", "replications": 2}, 202)  # beside it
        self.call("POST", "/ensembles/1/stop")
        self.assertEqual(self.ended("live")["state"], "done")
        one = self.call("GET", "/ensembles/1")
        self.assertEqual((one["state"], one["id"]), ("stopped", 1))
        self.call("POST", "/ensemble", {"for": "P10D", "output": "P1D", "replications": 100000}, 202)
        self.call("DELETE", "/ensemble")
        self.assertEqual(self.ended("live")["state"], "stopped")

    def test_command_line(self):
        case = self.file("twice.json", [{"twin": "d", "property": "pace", "value": 0.2}])
        r = self.ok(self.server.run("worlds", "ensemble", "live", "--for", "100s", "--replications", "50", case))
        self.assertIn("Who came", r.out)
        self.assertRegex(r.out, r"twice .*better")
        self.assertIn("50 replications", r.err)
        r = self.ok(self.server.run("worlds", "ensemble", "live", "--for", "100s", "--precision", "came", "--relative",
                                    "0.1", "--json"))
        kpi = r.json["cases"][0]["kpis"][0]
        self.assertLessEqual(kpi["high"] - kpi["mean"], 0.1 * kpi["mean"])
        self.assertNotEqual(self.server.run("worlds", "ensemble", "live").code, 0)
        self.assertNotEqual(self.server.run("worlds", "ensemble", "live", "--for", "1m", "--kpi", "none").code, 0)


if __name__ == "__main__":
    kit.main()
