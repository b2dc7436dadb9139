# SPDX-License-Identifier: Apache-2.0
"""Ensembles as a whole process: over HTTP and on the command line."""

import json
import re
import xml.etree.ElementTree as ElementTree

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
        for bad in ({"kpis": ["came", "gone"]}, {"precision": {"kpi": "gone", "half": 1}}):
            said = self.call("POST", "/ensemble", dict(bad, **{"for": "1m"}), 400)
            self.assertIn('there is no KPI "gone"', json.dumps(said, ensure_ascii=False).replace('\\', ''))
        self.call("POST", "/ensemble", {"for": "1m", "kpis": ["came"], "precision": {"kpi": "pace", "half": 1}}, 400)
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


    def by_number(self, number):
        def look():
            one = self.call("GET", "/ensembles/%d" % number)
            return one if one["state"] not in ("running", "starting") else None
        return kit.until(look, 60, "the end of an ensemble")

    def test_kept(self):
        """Listed, as documents, the same after kill -9; forgotten when it is asked for."""
        self.assertEqual(self.call("GET", "/ensembles"), {"value": []})
        begun = self.call("POST", "/ensemble", {
            "title": "Twice as <many>", "for": "100s", "replications": 20, "seed": 3, "cases": [
                {"name": "as is"},
                {"name": "twice", "changes": [{"twin": "d", "property": "pace", "value": 0.2}]}]}, 202)
        number = begun["id"]
        self.by_number(number)
        before = self.server.http("GET", "/ensembles/%d?samples=true" % number)[2]
        self.assertEqual(len(json.loads(before)["cases"][1]["kpis"][0]["samples"]), 20)
        for style, kind, part in (("html", "text/html", "<h1>Twice as &lt;many&gt;</h1>"),
                                  ("svg", "image/svg", "<svg")):
            status, headers, text = self.server.http("GET", "/ensembles/%d?format=%s" % (number, style))
            self.assertEqual(status, 200)
            self.assertTrue(headers["content-type"].startswith(kind))
            self.assertIn("default-src 'none'; style-src 'sha256-", headers["content-security-policy"])
            self.assertIn(part, text)
            self.assertNotIn("<script", text)
            if style == "svg":
                self.assertEqual(ElementTree.fromstring(text).tag, "{http://www.w3.org/2000/svg}svg")
        runs = self.call("GET", "/ensembles/%d?format=runs" % number)
        one, two = runs["kpis"][0]["values"]
        whole = json.loads(before)["cases"][1]["kpis"][0]
        self.assertEqual((two["value"], two["low"], two["differenceHigh"], two["verdict"]),
                         (whole["mean"], whole["low"], whole["difference"]["high"], "better"))
        self.assertEqual([w["name"] for w in runs["worlds"]], ["as is", "twice"])
        self.assertEqual({len(one[k]) for k in ("times", "values", "lows", "highs")}, {101})
        self.assertTrue(all(a <= b for a, b in zip(two["lows"], two["highs"])))
        self.assertEqual([x["part"] for x in two["fan"]], [0.5, 0.8, 0.95])
        for inner, outer in zip(two["fan"], two["fan"][1:]):  # one in the other
            self.assertTrue(all(a >= b for a, b in zip(inner["lows"], outer["lows"])))
            self.assertTrue(all(a <= b for a, b in zip(inner["highs"], outer["highs"])))
        widest, kept = two["fan"][2], [two["lows"], two["highs"]]  # 95 of 100 around the 90 of 100 of lows and highs
        self.assertTrue(all(a <= b and d <= c for a, b, c, d in zip(widest["lows"], kept[0], widest["highs"], kept[1])))
        self.server.kill()
        self.server.start()
        self.assertEqual(self.server.http("GET", "/ensembles/%d?samples=true" % number)[2], before)
        listed = self.call("GET", "/ensembles")["value"]
        self.assertEqual([(x["id"], x["title"], x["state"], x["caseCount"]) for x in listed],
                         [(number, "Twice as <many>", "done", 2)])
        self.call("GET", "/ensembles/%d?format=pdf" % number, None, 400)
        for bad in ("0", "-1", "x", "99"):
            self.call("GET", "/ensembles/" + bad, None, 404)
        self.call("DELETE", "/ensembles/%d" % number, None, 204)
        self.call("DELETE", "/ensembles/%d" % number, None, 404)
        self.assertEqual(self.call("GET", "/ensembles"), {"value": []})

    def test_page_while_it_works(self):
        """It renews itself, and shows how far it is; Ctrl-C's way by HTTP."""
        begun = self.call("POST", "/ensemble", {"for": "P10D", "output": "P1D", "replications": 100000}, 202)
        path = "/ensembles/%d" % begun["id"]
        text = kit.until(lambda: (lambda t: t if "<h2>Course" in t else None)(
            self.server.http("GET", path + "?format=html")[2]), 60, "a course")
        self.assertIn('http-equiv="refresh"', text)
        self.assertIn("of 100000 so far", text)
        self.assertEqual(self.call("POST", path + "/stop")["state"], "stopped")
        self.assertNotIn("http-equiv", self.server.http("GET", path + "?format=html")[2])

    def test_worlds_side_by_side(self):
        for name, pace in (("a", 0.1), ("b", 0.3)):
            self.call("POST", "/worlds", {"name": name, "seed": 5}, 201)
            self.call("PATCH", "/worlds/%s/digitaltwins/d" % name,
                      [{"op": "replace", "path": "/pace", "value": pace}], 204)
            self.ok(self.server.run("worlds", "run", name, "--for", "100s", "--quiet"))
        begun = self.call("POST", "/compare", {"worlds": ["a", "b"], "replications": 30, "kpis": ["came"]}, 202)
        done = self.by_number(begun["id"])
        self.assertEqual(done["title"], "a and b")
        by = done["cases"][1]["kpis"][0]["difference"]
        self.assertTrue(by["low"] < 20 < by["high"], by)
        self.assertEqual(done["cases"][1]["told"], ["d.pace = 0.3"])
        for bad in ({}, {"worlds": "a"}, {"worlds": ["a", "b"]}, {"worlds": ["a"], "replications": 2},
                    {"worlds": ["a", "b"], "replications": 0}, {"worlds": ["a", "b"], "replications": 2, "x": 1},
                    {"worlds": ["a", "b"], "replications": 2, "level": 2},
                    {"worlds": ["a", "b"], "replications": 2, "for": "soon"}):
            self.call("POST", "/compare", bad, 400)
        said = self.call("POST", "/compare", {"worlds": ["a", "b"], "replications": 2, "kpis": ["gone"]}, 400)
        self.assertIn('"gone"', json.dumps(said).replace('\\', ''))
        r = self.ok(self.server.run("worlds", "compare", "a", "b", "--kpi", "came"))
        self.assertRegex(r.out, r"^In this one run, who came: \S+ more with b, which is better\.\n\n")
        r = self.ok(self.server.run("worlds", "compare", "a", "b", "--replications", "30", "--kpi", "came"))
        self.assertRegex(r.out, r"^Who came: \S+ more with b \(95 %: \S+ to \S+\), which is better\.\n\n")
        self.assertRegex(r.out, r"Who came +\S+ ± \S+ +\S+ ± \S+ +\+\S+ \[\+\S+, \+\S+\] +better")

    def test_sweep_on_the_command_line(self):
        page = self.file("sweep.html")
        r = self.ok(self.server.run("worlds", "ensemble", "live", "--for", "100s", "--replications", "20", "--sweep",
                                    "d/pace=0.1..0.4/4", "--title", "How many come?", "--html", page))
        self.assertRegex(r.out, r"^Of 5 cases pace = 0\.4 is best by who came\. ")
        self.assertEqual(re.findall(r"pace = (\S+) ", r.out)[1:], ["0.1", "0.2", "0.3", "0.4"])
        with open(page, encoding="utf-8") as f:
            text = f.read()
        for part in ("<h1>How many come?</h1>", "<h2>By value</h2>", "best</small>"):
            self.assertIn(part, text)
        r = self.ok(self.server.run("ensembles"))
        self.assertRegex(r.out, r"1 +live +done +20 +5 .*How many come\?: Of 5 cases")
        r = self.ok(self.server.run("ensembles", "1", "--json"))
        self.assertEqual(r.json["sweep"]["axes"][0]["values"], [0.1, 0.2, 0.3, 0.4])
        self.ok(self.server.run("ensembles", "1", "--rm"))
        self.assertIn("there are no ensembles yet", self.server.run("ensembles").err)
        r = self.server.run("worlds", "ensemble", "live", "--for", "1m", "--sweep", "d/nothing=1..2")
        self.assertIn('has no property "nothing"', r.err)  # known before it begins
        self.assertIn("there are no ensembles yet", self.server.run("ensembles").err)
        for bad in ("d/pace", "pace=1", "/pace=1", "d/=1", "d/pace="):
            r = self.server.run("worlds", "ensemble", "live", "--for", "1m", "--sweep", bad)
            self.assertIn("is no sweep", r.err)
        self.assertNotEqual(self.server.run("ensembles", "7").code, 0)
        self.assertNotEqual(self.server.run("ensembles", "x").code, 0)

    def test_whatif_many_times(self):
        self.call("PUT", "/whatifs/twice", {"title": "Twice the pace", "for": "PT100S", "seed": 7, "kpis": ["came"],
                                            "changes": [{"twin": "d", "property": "pace", "value": 0.2}]})
        begun = self.call("POST", "/whatifs/twice/run", {"replications": 40}, 202)
        self.assertEqual((begun["title"], begun["report"]), ("Twice the pace", "/ensembles/%d" % begun["ensemble"]))
        by = self.by_number(begun["ensemble"])["cases"][1]["kpis"][0]["difference"]
        self.assertTrue(by["low"] < 10 < by["high"], by)
        page = self.file("twice.html")
        r = self.ok(self.server.run("whatif", "twice", "--replications", "40", "--html", page))
        self.assertRegex(r.out, r"^Who came: \S+ more with the change \(95 %")
        self.assertRegex(r.out, r"KPI +as is +with the change +Difference")
        with open(page, encoding="utf-8") as f:
            self.assertIn("<h1>Twice the pace</h1>", f.read())
        r = self.ok(self.server.run("whatif", "twice", "--replications", "40", "--json"))
        self.assertEqual(r.json["cases"][1]["kpis"][0]["difference"], by)  # the same chances, the same answer
        self.assertEqual([w["name"] for w in self.call("GET", "/worlds")["value"]], ["live"])
        for bad in ({"replications": 0}, {"replications": "x"}, {"replications": 2, "level": 1}):
            self.call("POST", "/whatifs/twice/run", bad, 400)
        self.assertNotEqual(self.server.run("whatif", "twice", "--replications", "4", "--keep").code, 0)

    def test_percentages_differ_by_points(self):
        self.call("PUT", "/kpis/pace", {"title": "Pace", "twin": "d", "expression": "pace", "unit": "percent"})
        self.call("PUT", "/whatifs/faster", {"title": "Faster", "for": "PT10S", "kpis": ["pace"],
                                             "changes": [{"twin": "d", "property": "pace", "value": 0.15}]})
        page = self.file("faster.html")
        r = self.ok(self.server.run("whatif", "faster", "--html", page))
        self.assertRegex(r.out, r"^In this one run, pace: 5 points more with the change\.\n\n")
        self.assertRegex(r.out, r"Pace +10 +15 +\+5 points +%")
        with open(page, encoding="utf-8") as f:
            self.assertIn("+5<small>points</small>", f.read())
        r = self.ok(self.server.run("worlds", "compare", "faster.base", "faster"))
        self.assertRegex(r.out, r"Pace +10 +15 +\+5 +↑ \+5 points +%")
        cell = self.call("GET", "/compare?worlds=faster.base,faster&kpis=pace")["kpis"][0]["values"][1]
        self.assertAlmostEqual(cell["relative"], 0.5)
        self.call("PUT", "/kpis/gone", {"twin": "d", "expression": "pace"})
        self.call("PUT", "/whatifs/lost", {"title": "Lost", "for": "PT10S", "kpis": ["gone"], "changes": []})
        self.call("DELETE", "/kpis/gone", None, 204)
        for body in ({}, {"replications": 3}):
            said = self.call("POST", "/whatifs/lost/run", body, 404)
            self.assertIn('"gone"', json.dumps(said).replace('\\', ''))


if __name__ == "__main__":
    kit.main()
