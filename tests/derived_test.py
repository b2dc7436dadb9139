#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""Derived values over HTTP and from the command line."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402,F401
from kit import Case, Server, run  # noqa: E402

SENSOR = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:test:Sensor;1", "@type": "Interface",
          "contents": [{"@type": "Property", "name": "temperature", "schema": "double"}]}
ROOM = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:test:Room;1", "@type": "Interface",
        "contents": [{"@type": "Property", "name": "mean", "schema": "double"},
                     {"@type": "Property", "name": "count", "schema": "integer"},
                     {"@type": "Relationship", "name": "contains", "target": "dtmi:test:Sensor;1"}]}
MEAN = {"model": "dtmi:test:Room;1", "property": "mean", "expression": "AVG(out.contains.temperature)"}


class Derived(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        http = cls.server.http
        assert http("POST", "/models", [SENSOR, ROOM])[0] == 201
        assert http("PUT", "/digitaltwins/room", {"$metadata": {"$model": "dtmi:test:Room;1"}})[0] == 200
        for i, value in enumerate((10, 20)):
            twin = {"$metadata": {"$model": "dtmi:test:Sensor;1"}, "temperature": value}
            assert http("PUT", f"/digitaltwins/s{i}", twin)[0] == 200
            link = {"$relationshipName": "contains", "$targetId": f"s{i}"}
            assert http("PUT", f"/digitaltwins/room/relationships/s{i}", link)[0] == 200

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def http(self, *args):
        status, headers, body = self.server.http(*args)
        return status, headers, json.loads(body) if body else None

    def mean(self, world=""):
        return self.http("GET", world + "/digitaltwins/room")[2].get("mean")

    def sosia(self, *args):
        return run(*args, "--url", self.server.url)

    def test_http(self):
        http = self.http
        self.assertEqual(http("GET", "/derived/mean")[0], 404)
        status, _, body = http("PUT", "/derived/mean", MEAN)
        self.assertEqual((status, body), (200, {"name": "mean", **MEAN}))
        self.assertEqual(self.mean(), 15)
        self.assertEqual(http("GET", "/derived/mean")[2], body)
        self.assertEqual(http("GET", "/derived")[2]["value"], [body])
        patch = [{"op": "replace", "path": "/temperature", "value": 30}]
        self.assertEqual(http("PATCH", "/digitaltwins/s1", patch)[0], 204)
        self.assertEqual(self.mean(), 20)
        status, _, body = http("PATCH", "/digitaltwins/room", [{"op": "add", "path": "/mean", "value": 1}])
        self.assertEqual(status, 400)
        self.assertEqual(body["error"]["code"], "ValidationFailed")
        self.assertIn('derived by "mean"', json.dumps(body["error"]).replace('\\"', '"'))
        whole = http("GET", "/digitaltwins/room")[2]
        self.assertEqual(http("PUT", "/digitaltwins/room", whole)[0], 200)
        status, _, body = http("PUT", "/derived/loop", {**MEAN, "property": "count", "expression": "count + 1"})
        self.assertEqual((status, body["error"]["code"]), (400, "DerivedValueCycle"))
        self.assertIn("Room.count -> Room.count", body["error"]["message"])
        # In a world of its own.
        self.assertEqual(http("POST", "/worlds", {"name": "f"})[0], 201)
        self.assertEqual(http("DELETE", "/worlds/f/derived/mean")[0], 204)
        self.assertEqual(http("PATCH", "/digitaltwins/s1", [{"op": "replace", "path": "/temperature", "value": 0}])[0],
                         204)
        self.assertEqual((self.mean(), self.mean("/worlds/f")), (5, 20))
        self.assertEqual(http("DELETE", "/derived/mean")[0], 204)
        status, _, body = http("DELETE", "/derived/mean")
        self.assertEqual((status, body["error"]["code"]), (404, "DerivedValueNotFound"))

    def test_cli(self):
        self.assertEqual(self.sosia("derived", "set", "n", "count", "COUNT(out.contains)").code, 4)
        done = self.sosia("derived", "set", "n", "count", "COUNT(out.contains)", "--model", "dtmi:test:Room;1")
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(self.http("GET", "/digitaltwins/room")[2]["count"], 2)
        done = self.sosia("derived", "list")
        self.assertIn("COUNT(out.contains)", done.out)
        shown = json.loads(self.sosia("derived", "show", "n").out)
        self.assertEqual(shown["property"], "count")
        self.assertEqual(self.sosia("derived", "rm", "n").code, 0)
        done = self.sosia("derived", "show", "n")
        self.assertEqual(done.code, 3)
        self.assertIn("no derived value", done.err)


if __name__ == "__main__":
    unittest.main()
