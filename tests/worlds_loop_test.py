# SPDX-License-Identifier: Apache-2.0
"""Loops within an instant between behaviours and an engine that is loaded and mapped: one that has a solution ends,
though it runs away when it is iterated; one that has none stops the run, whose error names what moves what."""

import json
import os
import unittest

import kit

HEAT = os.path.join(kit.BUILD, "examples", "engine_heat.so")
MODEL = [{"@id": "dtmi:t:Room;1", "@type": "Interface",
          "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
          "contents": [
              {"@type": ["Property", "Temperature"], "name": "temperature", "schema": "double", "unit": "kelvin"},
              {"@type": ["Property", "Power"], "name": "heating", "schema": "double", "unit": "watt"},
              {"@type": "Property", "name": "outside", "schema": "boolean"},
              {"@type": "Relationship", "name": "wallTo", "properties": [
                  {"@type": "Property", "name": "conductance", "schema": "double"}]}]}]
MAPPING = {"engine": "heat-network",
           "nodes": [{"model": "dtmi:t:Room;1", "roles": {"fixed": "outside", "given": "280", "heat": "heating",
                                                           "temperature": "temperature"}}],
           "edges": [{"relationship": "wallTo", "roles": {"conductance": "conductance"}}]}


@unittest.skipUnless(os.path.exists(HEAT), "the example engine is not built")
class Loops(kit.Case):
    def setUp(self):
        super().setUp()
        self.server = self.serve("--http", "127.0.0.1:0", "--engine", HEAT)
        self.call("POST", "/models", MODEL, 201)
        for name, outside in (("room", False), ("yard", True)):
            self.call("PUT", "/digitaltwins/" + name, {
                "$metadata": {"$model": "dtmi:t:Room;1"}, "temperature": 280.0, "heating": 0.0, "outside": outside})
        self.call("PUT", "/digitaltwins/room/relationships/w", {
            "$relationshipName": "wallTo", "$targetId": "yard", "conductance": 10.0})
        self.call("PUT", "/mappings/heat", MAPPING)

    def call(self, method, path, body=None, want=200):
        status, _, text = self.server.http(method, path, body)
        self.assertEqual(status, want, (method, path, text))
        return json.loads(text) if text else None

    def run_with(self, name, say):
        self.call("PUT", "/behaviours/heating", {"twin": "room", "say": [say]})
        self.call("POST", "/worlds", {"name": name}, 201)
        self.call("POST", "/worlds/%s/run" % name, {"for": "PT1H", "rtol": 1e-6}, 202)

        def look():
            status = self.call("GET", "/worlds/%s/run" % name)
            return status if status["state"] not in ("running", "starting") else None
        return kit.until(look, 60, "the end of a run")

    def test_with_a_solution(self):
        """T = 280 + heating / 10 and heating = 25 (300 - T): each round moves it 2.5 times as far, the other way."""
        ended = self.run_with("f", "heating = 25 'wattPerKelvin' * (300 'kelvin' - temperature)")
        self.assertEqual(ended["state"], "done", ended)
        room = self.call("GET", "/worlds/f/digitaltwins/room")
        self.assertAlmostEqual(room["temperature"], 280 + 50 / 3.5, delta=1e-6)
        self.assertAlmostEqual(room["heating"], 10 * (room["temperature"] - 280), delta=1e-5)

    def test_without_a_solution(self):
        """A heater that is on below 285 K and off above it, without a band: on it is 300 K, off 280 K."""
        ended = self.run_with("g", "heating = IF(temperature < 285, 200, 0)")
        self.assertEqual(ended["state"], "failed", ended)
        self.assertEqual(ended["error"]["code"], "AlgebraicLoop")
        for part in ("room.heating", "room.temperature", "heat-network", "micro-steps"):
            self.assertIn(part, ended["error"]["message"])

    def test_no_such_engine(self):
        r = self.server.run("serve", "--memory", "--http", "127.0.0.1:0", "--engine", "/nowhere.so")
        self.assertNotEqual(r.code, 0)
        self.assertIn("/nowhere.so", r.err)


if __name__ == "__main__":
    kit.main()
