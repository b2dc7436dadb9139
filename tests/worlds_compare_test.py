# SPDX-License-Identifier: Apache-2.0
"""KPIs over runs, and worlds side by side, as a whole process: over HTTP, on the command line, killed in between."""

import base64
import hashlib
import json
import re
import time
import unittest
import xml.dom.minidom

import kit

MODEL = [{"@id": "dtmi:t:Tank;1", "@type": "Interface",
          "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
          "contents": [
              {"@type": ["Property", "Length"], "name": "level", "schema": "double", "unit": "metre"},
              {"@type": ["Property", "VolumeFlowRate"], "name": "inflow", "schema": "double",
               "unit": "litrePerSecond"},
              {"@type": ["Property", "Area"], "name": "area", "schema": "double", "unit": "squareMetre"},
              {"@type": "Property", "name": "noise", "schema": "double"},
              {"@type": "Property", "name": "on", "schema": "boolean"},
              {"@type": "Property", "name": "label", "schema": "string"},
              {"@type": "Relationship", "name": "feeds"}]}]
SAY = ["der(level) = inflow / area", "every 10s do noise = RANDOM_NORMAL(0, 1)", "every 30m do on = NOT on"]
KPIS = {
    "water": {"title": "Water in", "unit": "m³", "twin": "t0", "expression": "inflow", "over": "integral",
              "better": "less", "of": "money"},
    "level": {"unit": "metre", "twin": "t0", "expression": "level", "over": "mean", "better": "more"},
    "top": {"unit": "centimetre", "twin": "t0", "expression": "level", "over": "max"},
    "noise": {"twin": "t1", "expression": "noise", "over": "mean"},
    "on": {"unit": "minute", "twin": "t0", "expression": "IF(on, 1, 0)", "over": "integral"},
    "high": {"unit": "hour", "twin": "t0", "expression": "level > 2", "over": "integral", "better": "less"},
    "fed": {"unit": "litrePerSecond", "twin": "t0", "expression": "SUM(out.feeds.inflow)", "over": "last"},
}


class Compare(kit.Case):
    def setUp(self):
        super().setUp()
        self.server = self.serve(path=self.file("w.sosia"))
        self.call("POST", "/models", MODEL, 201)
        for i in range(3):
            self.call("PUT", "/digitaltwins/t%d" % i,
                      {"$metadata": {"$model": "dtmi:t:Tank;1"}, "level": 1.0, "inflow": 1.0 + i, "area": 3.6,
                       "noise": 0.0, "on": False, "label": "<b>&\"'"}, 200)
        for i in (1, 2):
            self.call("PUT", "/digitaltwins/t0/relationships/r%d" % i,
                      {"$relationshipName": "feeds", "$targetId": "t%d" % i})
        self.call("PUT", "/behaviours/tank", {"model": "dtmi:t:Tank;1", "say": SAY})
        for name, kpi in KPIS.items():
            self.call("PUT", "/kpis/" + name, kpi)

    def call(self, method, path, body=None, want=200):
        status, _, text = self.server.http(method, path, body)
        self.assertEqual(status, want, (method, path, text))
        return json.loads(text) if text else None

    def fork(self, *names, **more):
        for name in names:
            self.call("POST", "/worlds", dict({"name": name, "seed": 5}, **more), 201)

    def run_it(self, world, **how):
        self.call("POST", "/worlds/%s/run" % world, dict({"for": "PT2H", "output": "PT1M"}, **how), 202)

    def ended(self, world):
        def look():
            status = self.call("GET", "/worlds/%s/run" % world)
            return status if status["state"] not in ("running", "starting") else None
        return kit.until(look, 60, "the end of a run")

    def kpis(self, world, **more):
        query = "&".join("%s=%s" % kv for kv in more.items())
        got = self.call("GET", "/worlds/%s/kpis%s" % (world, "?" + query if query else ""))
        return got, {k["name"]: k for k in got["kpis"]}

    # To the last bit; the times are those of worlds that were forked one after the other.
    def same(self, got, want):
        self.assertEqual(list(got), list(want))
        for name, k in want.items():
            self.assertEqual((name, got[name]["value"], got[name]["known"]), (name, k["value"], k["known"]))
            self.assertEqual((name, len(got[name]["values"])), (name, len(k["values"])))
            for i, v in enumerate(k["values"]):
                self.assertEqual((name, i, got[name]["values"][i]), (name, i, v))

    # What closed forms say, with units, and the course of it.
    def test_values(self):
        self.fork("f", purpose="to try <things>")
        before, none = self.kpis("f")
        self.assertEqual((before["state"], none), ("idle", {}))
        self.assertEqual(len(before["value"]), len(KPIS))
        self.run_it("f")
        self.assertEqual(self.ended("f")["state"], "done")
        got, k = self.kpis("f")
        self.assertEqual((got["world"], got["state"], got["purpose"]), ("f", "done", "to try <things>"))
        self.assertEqual(sorted(k), sorted(KPIS))
        self.assertAlmostEqual(k["water"]["value"], 7.2, delta=1e-9)
        self.assertAlmostEqual(k["level"]["value"], 2, delta=1e-9)  # 1 to 3 m
        self.assertAlmostEqual(k["top"]["value"], 300, delta=1e-7)
        self.assertAlmostEqual(k["on"]["value"], 60, delta=1e-9)
        self.assertAlmostEqual(k["high"]["value"], 1, delta=1e-9)
        self.assertEqual(k["fed"]["value"], 5)
        self.assertEqual((k["water"]["unit"], k["water"]["title"], k["water"]["better"], k["water"]["of"]),
                         ("m³", "Water in", "less", "money"))
        self.assertEqual({v["known"] for v in k.values()}, {7200})
        times, values = k["water"]["times"], k["water"]["values"]
        self.assertEqual((len(times), len(values)), (121, 121))
        self.assertEqual((times[0], times[-1]), (got["begin"], got["now"]))
        for i, v in enumerate(values):
            self.assertAlmostEqual(v, 0.06 * i, delta=1e-9)
        _, few = self.kpis("f", points=10, kpis="water,top")
        self.assertEqual(sorted(few), ["top", "water"])
        self.assertLessEqual(len(few["water"]["times"]), 10)
        self.assertEqual(few["water"]["times"][-1], got["now"])
        self.assertNotIn("times", self.kpis("f", points=0)[1]["water"])

    def test_refused(self):
        for kpi, want, part in (({"twin": "t0", "expression": "label"}, 400, "text"),
                                ({"twin": "t0", "expression": "level", "unit": "kilowatt"}, 400, "kilowatt"),
                                ({"twin": "t0", "expression": "inflow", "unit": "EUR"}, 400, "UNIT(x"),
                                ({"twin": "nobody", "expression": "1"}, 404, "nobody")):
            status, _, text = self.server.http("PUT", "/kpis/x", kpi)
            self.assertEqual(status, want, text)
            self.assertIn(part, text)
        self.fork("f")
        status, _, text = self.server.http("POST", "/worlds/f/run", {"for": "PT2H", "kpis": ["nothing"]})
        self.assertEqual(status, 400, text)
        self.assertIn("nothing", text)
        self.run_it("f", kpis=["water"])
        self.ended("f")
        self.assertEqual(list(self.kpis("f")[1]), ["water"])
        # One whose twin is gone is told, and the others are counted.
        self.fork("g")
        self.call("DELETE", "/worlds/g/digitaltwins/t2/relationships/none", want=404)
        self.call("PUT", "/worlds/g/kpis/lonely", {"twin": "t2", "expression": "level"})
        self.call("DELETE", "/worlds/g/digitaltwins/t0/relationships/r2", want=204)
        self.call("DELETE", "/worlds/g/digitaltwins/t2", want=204)
        self.run_it("g")
        self.assertEqual(self.ended("g")["state"], "done")
        k = self.kpis("g")[1]
        self.assertIn("t2", k["lonely"]["error"])
        self.assertIsNone(k["lonely"]["value"])
        self.assertEqual(k["fed"]["value"], 2)

    # Killed and taken up, paused and gone on: the same to the last bit.
    def test_killed_and_taken_up(self):
        self.fork("whole", "pieces", "paused")
        want = {"for": "P2D", "output": "PT1M"}
        self.run_it("whole", **want)
        self.assertEqual(self.ended("whole")["state"], "done")
        self.run_it("paused", **dict(want, speed=200000))
        until = self.call("GET", "/worlds/paused/run")["until"]
        for _ in range(3):
            time.sleep(0.1)
            self.call("POST", "/worlds/paused/pause")
            self.call("POST", "/worlds/paused/run", {"until": until, "output": "PT1M", "speed": 200000}, 202)
        self.run_it("pieces", **dict(want, speed=40000))
        for _ in range(3):
            time.sleep(0.4)
            self.server.kill()
            self.server.start()
        self.assertEqual(self.ended("pieces")["state"], "done")
        self.assertEqual(self.ended("paused")["state"], "done")
        whole = self.kpis("whole")[1]
        self.same(self.kpis("pieces")[1], whole)
        self.same(self.kpis("paused")[1], whole)
        self.assertLessEqual(len(whole["level"]["times"]), 2001)
        # It is there after a restart, and goes with its world.
        self.server.kill()
        self.server.start()
        self.same(self.kpis("whole")[1], whole)
        self.call("DELETE", "/worlds/whole", want=204)
        self.fork("whole")
        self.assertEqual(self.kpis("whole")[1], {})

    def two_runs(self):
        self.fork("a", purpose="as it is")
        self.fork("b", purpose="twice <i>as</i> much & more")
        self.call("PATCH", "/worlds/b/digitaltwins/t0", [{"op": "replace", "path": "/inflow", "value": 2.0}], 204)
        self.run_it("a")
        self.run_it("b", changes=[{"at": "PT1H", "twin": "t1", "property": "inflow", "value": 0}])
        self.ended("a")
        self.ended("b")

    def test_compare(self):
        self.two_runs()
        c = self.call("GET", "/compare?worlds=a,b")
        self.assertEqual([w["name"] for w in c["worlds"]], ["a", "b"])
        self.assertEqual(c["notes"], [])
        self.assertEqual(c["worlds"][0]["changes"], [])
        self.assertEqual(c["worlds"][1]["changes"], ["t0.inflow = 2", "after 1 h: t1.inflow = 0"])
        self.assertEqual(c["worlds"][1]["changeCount"], 2)
        k = {x["name"]: x["values"] for x in c["kpis"]}
        a, b = k["water"]
        self.assertAlmostEqual(a["value"], 7.2, delta=1e-9)
        self.assertAlmostEqual(b["difference"], 7.2, delta=1e-9)
        self.assertAlmostEqual(b["relative"], 1, delta=1e-9)
        self.assertEqual(b["verdict"], "worse")
        self.assertEqual(k["level"][1]["verdict"], "better")
        self.assertIsNone(k["top"][1]["verdict"])
        self.assertEqual((k["noise"][1]["difference"], k["noise"][1]["verdict"]), (0, "same"))  # one seed
        self.assertEqual(k["fed"][1]["value"], 3)
        self.assertNotIn("difference", a)
        only = self.call("GET", "/compare?worlds=a,b&kpis=top,water&points=20")
        self.assertEqual([x["name"] for x in only["kpis"]], ["top", "water"])
        self.assertLessEqual(len(only["kpis"][0]["values"][0]["times"]), 20)
        self.assertIn('No run counted a KPI "none".', self.call("GET", "/compare?worlds=a,b&kpis=top,none")["notes"])
        # What is not comparable is said.
        self.fork("c", "d")
        self.run_it("c", **{"for": "PT1H"})
        self.ended("c")
        notes = " ".join(self.call("GET", "/compare?worlds=a,c,d")["notes"])
        self.assertIn("different lengths", notes)
        self.assertIn("d has not been run", notes)
        for bad, want in (("", 400), ("worlds=a", 400), ("worlds=a,a", 400), ("worlds=a,none", 404),
                          ("worlds=a,b&format=pdf", 400), ("worlds=a,b&points=x", 400),
                          ("worlds=" + ",".join("w%d" % i for i in range(17)), 400)):
            self.call("GET", "/compare?" + bad, want=want)

    # A page and charts by themselves: well-formed, nothing of a world's texts as markup, no scripts, nothing from
    # elsewhere, and a policy that allows exactly its own styles.
    def test_page_and_charts(self):
        self.call("PUT", "/kpis/evil", {"twin": "t1", "expression": "noise", "title": "<script>alert(1)</script>&amp;",
                                        "unit": "</style><b>"})
        self.two_runs()
        for kind, mime in (("html", "text/html"), ("svg", "image/svg+xml")):
            status, headers, text = self.server.http("GET", "/compare?worlds=a,b&format=" + kind)
            headers = {k.lower(): v for k, v in dict(headers).items()}
            self.assertEqual(status, 200)
            self.assertTrue(headers["content-type"].startswith(mime))
            styles = re.findall("<style>(.*?)</style>", text, re.S)
            self.assertEqual(len(styles), 1)
            digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
            self.assertIn("style-src 'sha256-%s'" % digest, headers["content-security-policy"])
            self.assertIn("default-src 'none'", headers["content-security-policy"])
            for never in ("<script", "<b>", "<i>as", "style=", "href=", "src=", "url(", "@import", "onload"):
                self.assertNotIn(never, text.replace(styles[0], ""), kind)
            self.assertEqual(text.count("class=\"line s0\""), (len(KPIS) + 1) * 2 + (kind == "html"))
            if kind == "svg":
                xml.dom.minidom.parseString(text)
            else:
                for part in re.findall("<svg.*?</svg>", text, re.S):
                    xml.dom.minidom.parseString(part)
                self.assertIn("twice &lt;i&gt;as&lt;/i&gt; much &amp; more", text)
                self.assertIn("after 1 h: t1.inflow = 0", text)
                self.assertIn("worse", text)

    def test_command_line(self):
        self.two_runs()
        r = self.ok(self.server.run("worlds", "compare", "a", "b"))
        rows = {line.split("  ")[0]: line for line in r.out.splitlines()}
        self.assertRegex(rows["Water in"], r"7\.2 +14\.4 +\+7\.2 +↑ \+100\.0 % worse +m³")
        self.assertRegex(rows["level"], r"2 +3 +\+1 +↑ \+50\.0 % better")
        self.assertIn("b: t0.inflow = 2; after 1 h: t1.inflow = 0", r.err)
        r = self.ok(self.server.run("worlds", "compare", "a", "b", "--kpi", "top", "--json"))
        self.assertEqual([k["name"] for k in r.json["kpis"]], ["top"])
        page, charts = self.file("c.html"), self.file("c.svg")
        self.ok(self.server.run("worlds", "compare", "a", "b", "--html", page, "--svg", charts))
        with open(page) as f:
            self.assertIn("<!doctype html>", f.read())
        xml.dom.minidom.parse(charts)
        self.assertNotEqual(self.server.run("worlds", "compare", "a").code, 0)
        self.assertIn("none", self.server.run("worlds", "compare", "a", "none").err)
        r = self.ok(self.server.run("kpis", "--world", "b"))
        self.assertRegex(r.out, r"water +14\.4 +m³ +t0 +inflow +integral")
        kpi = self.file("kpi.json", {"twin": "t1", "expression": "level", "over": "max"})
        self.ok(self.server.run("define", "kpis", "most", kpi))
        self.assertIn("level", self.ok(self.server.run("define", "kpis", "most")).out)
        self.ok(self.server.run("define", "kpis", "most", "--rm"))
        self.assertNotEqual(self.server.run("define", "kpis", "most").code, 0)
        self.assertIn("behaviours", self.server.run("define", "things", "x").err)
        self.ok(self.server.run("worlds", "rm", "a", "b"))
        self.call("GET", "/worlds/a", want=404)


if __name__ == "__main__":
    kit.main()
