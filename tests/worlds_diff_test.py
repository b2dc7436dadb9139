# SPDX-License-Identifier: Apache-2.0
"""Differences between worlds and merging, over HTTP and on the command line, with an unmodified server and a store."""

import json
import unittest

import kit

MODEL = [{"@id": "dtmi:t:Pump;1", "@type": "Interface",
          "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
          "contents": [
              {"@type": ["Property", "AngularVelocity"], "name": "speed", "schema": "double",
               "unit": "revolutionPerMinute"},
              {"@type": "Property", "name": "state", "schema": "string"},
              {"@type": "Relationship", "name": "feeds"}]}]


class WorldsDiff(kit.Case):
    def setUp(self):
        super().setUp()
        self.server = self.serve(path=self.file("w.sosia"))
        self.call("POST", "/models", MODEL, 201)
        for i in range(3):
            self.call("PUT", "/digitaltwins/p%d" % i,
                      {"$metadata": {"$model": "dtmi:t:Pump;1"}, "speed": 1000.0 + i, "state": "running"}, 200)
        self.call("POST", "/worlds", {"name": "try"}, 201)

    def call(self, method, path, body=None, want=200):
        status, _, text = self.server.http(method, path, body)
        self.assertEqual(status, want, (method, path, text))
        return json.loads(text) if text else None

    def change(self, world, twin, name, value):
        self.call("PATCH", world + "/digitaltwins/" + twin, [{"op": "add", "path": "/" + name, "value": value}], 204)

    def cli(self, *args, code=0):
        r = self.server.run(*args)
        self.assertEqual(r.code, code, r)
        return r

    def test_refusals_in_words(self):
        """What cannot be is said in a sentence about what was asked for."""
        def refused(method, path, body, want, words):
            error = self.call(method, path, body, want)["error"]
            self.assertIn(words, error["message"], (method, path, body))

        for body, want, words in (
                ({"name": "x y"}, 400, "a world's name is 1 to 64 letters"),
                ({"name": "n", "from": "live@2001-01-01T00:00:00Z"}, 410, "it began at "),
                ({"name": "n", "from": "live@2200-01-01T00:00:00Z"}, 400, "has not come yet"),
                ({"name": "n", "from": "live@yesterday"}, 404, "as in live@2026-11-01T08:00:00Z"),
                ({"name": "n", "from": "nobody"}, 404, 'there is no world "nobody"'),
                ({"name": "n", "purpose": "p" * 5000}, 400, "at most 4096 bytes"),
                ({"name": "try"}, 409, 'there is a world "try" already')):
            refused("POST", "/worlds", body, want, words)
        refused("DELETE", "/worlds/live@2026-01-01T00:00:00Z", None, 400, "is the past")
        refused("POST", "/worlds/try/merge", {"into": "try"}, 400, "cannot be merged into itself")
        refused("POST", "/worlds/try/merge", {"tolerance": -1}, 400, "tolerances are not less than 0")
        change = {"twin": "nobody", "property": "speed", "value": 1}
        for changes, want, words in (([change], 404, "changes[0].twin: there is no twin"),
                                     ([dict(change, twin="p1", value="x")], 400, "changes[0].value: "),
                                     ([dict(change, twin="p1", property="no")], 400, "changes[0].property: ")):
            refused("POST", "/worlds/try/run", {"for": "PT1M", "changes": changes}, want, words)
            refused("POST", "/ensemble", {"for": "PT1M", "cases": [{"name": "a", "changes": changes}]}, want,
                    'case "a": ' + words)
            refused("PUT", "/whatifs/w", {"for": "PT1M", "changes": changes}, want, words)
        refused("PUT", "/whatifs/w", {"for": "PT1M", "kpis": ["none"]}, 404, 'kpis[0]: there is no KPI "none"')
        self.call("PUT", "/whatifs/w", {"for": "PT1M"})
        refused("POST", "/whatifs/w/run", {"name": "x y"}, 400, "a world's name is")
        refused("POST", "/worlds/none/whatifs/w/run", {}, 404, 'there is no world "none"')

    def test_http(self):
        self.change("/worlds/try", "p0", "speed", 1200.0)
        self.change("/worlds/try", "p1", "state", "off")
        diff = self.call("GET", "/worlds/try/diff")
        self.assertEqual(diff["counts"]["values"], 2)
        self.assertEqual(diff["changes"][0], {
            "what": "value", "twin": "p0", "model": "dtmi:t:Pump;1", "property": "speed", "before": 1000,
            "after": 1200, "unit": "revolutionPerMinute"})
        self.assertIsNone(diff["nextLink"])
        self.assertEqual(self.call("GET", "/worlds/try/diff?relative=0.5")["counts"]["values"], 1)
        self.assertEqual(self.call("GET", "/worlds/try/diff?twin=p2")["changes"], [])
        self.call("GET", "/worlds/try/diff?tolerance=some", None, 400)
        self.call("GET", "/diff", None, 400)
        self.assertEqual(self.call("GET", "/diff?against=try")["counts"]["values"], 2)
        # Conflicts are told, one detail each, and change nothing.
        self.change("", "p1", "state", "down")
        answer = self.call("POST", "/worlds/try/merge", {}, 409)
        self.assertEqual(answer["error"]["code"], "WorldConflict")
        self.assertEqual(answer["error"]["details"][0]["conflict"]["there"], "down")
        self.assertEqual(self.call("GET", "/digitaltwins/p0")["speed"], 1000)
        for bad in ({"only": [{}]}, {"into": 5}, {"nonsense": 1}, {"only": []}):
            self.call("POST", "/worlds/try/merge", bad, 400)
        done = self.call("POST", "/worlds/try/merge", {"only": [{"twin": "p0"}]})
        self.assertEqual((done["done"], done["merged"], done["conflictCount"]), (True, 1, 0))
        self.assertEqual(self.call("GET", "/digitaltwins/p0")["speed"], 1200)
        self.assertEqual(self.call("GET", "/digitaltwins/p1")["state"], "down")

    def test_against_the_past(self):
        now = self.call("GET", "/worlds/live")["time"]
        self.change("", "p2", "speed", 1.5)
        diff = self.call("GET", "/diff?against=live@" + now)
        self.assertEqual([(c["twin"], c["before"], c["after"]) for c in diff["changes"]], [("p2", 1002, 1.5)])
        self.call("POST", "/worlds/try/merge", {"into": "live@" + now}, 400)

    def test_pages(self):
        for i in range(60):
            self.call("PUT", "/worlds/try/digitaltwins/n%02d" % i, {"$metadata": {"$model": "dtmi:t:Pump;1"}}, 200)
        seen, path = [], "/worlds/try/diff"
        while path:
            status, _, text = self.server.http("GET", path, headers={"max-items-per-page": "25"})
            self.assertEqual(status, 200, text)
            page = json.loads(text)
            self.assertLessEqual(len(page["changes"]), 25)
            seen += [c["twin"] for c in page["changes"]]
            path = page["nextLink"] and "/" + page["nextLink"].split("/", 3)[3].replace("api-version=2023-10-31", "x=1")
        self.assertEqual(seen, ["n%02d" % i for i in range(60)])

    def test_command_line(self):
        self.change("/worlds/try", "p0", "speed", 1200.0)
        self.change("/worlds/try", "p1", "state", "off")
        r = self.cli("worlds", "diff", "try")
        self.assertRegex(r.out, r"p0 +speed +1000 +1200 +revolutionPerMinute")
        self.assertRegex(r.out, r"p1 +state +running +off")
        self.assertIn("2 values", r.err)
        self.assertEqual(len(self.cli("worlds", "diff", "try", "--json").json["changes"]), 2)
        self.assertIn("no difference", self.cli("worlds", "diff", "try", "--property", "none").err)
        # Nobody to ask: it is shown and left.
        r = self.cli("worlds", "merge", "try", code=4)
        self.assertIn("2 to merge", r.err)
        self.assertIn("--yes", r.err)
        self.assertEqual(self.call("GET", "/digitaltwins/p0")["speed"], 1000)
        self.cli("worlds", "merge", "try", "p0/speed", "--yes")
        self.assertEqual(self.call("GET", "/digitaltwins/p0")["speed"], 1200)
        self.change("", "p1", "state", "down")
        r = self.cli("worlds", "merge", "try", code=4)
        self.assertIn("it has changed there too", r.out)
        self.assertIn("--skip-conflicts", r.err)
        r = self.cli("worlds", "merge", "try", "--yes", "--json", code=4)
        self.assertEqual(json.loads(r.err)["error"]["code"], "WorldConflict")
        self.cli("worlds", "merge", "try", "--yes", "--skip-conflicts")
        self.assertEqual(self.call("GET", "/digitaltwins/p1")["state"], "down")


if __name__ == "__main__":
    kit.main()
