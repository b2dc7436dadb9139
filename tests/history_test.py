#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""Reading history over HTTP and from the command line, against a plain list of what was sent."""
import csv
import io
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
import unittest
import urllib.parse
from datetime import datetime, timezone

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, Server, run  # noqa: E402

SEED = int(os.environ.get("SOSIA_SEED", random.randrange(1 << 32)))


def prop(name, schema, **more):
    return {"@type": "Property", "name": name, "schema": schema, **more}


THERMOSTAT = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:test:Thermostat;1", "@type": "Interface",
              "contents": [prop("setPoint", "double"), {"@type": "Telemetry", "name": "draw", "schema": "double"}]}
TAGS = {"@type": "Map", "mapKey": {"name": "k", "schema": "string"}, "mapValue": {"name": "v", "schema": "boolean"}}
ROOM = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:test:Room;1", "@type": "Interface",
        "contents": [{"@type": ["Property", "Temperature"], "name": "temperature", "schema": "double",
                      "unit": "degreeCelsius"},
                     prop("state", "string"), prop("count", "integer"), prop("on", "boolean"), prop("tags", TAGS),
                     {"@type": "Component", "name": "thermostat", "schema": "dtmi:test:Thermostat;1"},
                     {"@type": "Telemetry", "name": "power", "schema": "double"},
                     {"@type": "Relationship", "name": "feeds", "properties": [prop("flow", "double")]}]}
HALL = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:test:Hall;1", "@type": "Interface",
        "contents": [prop("temperature", "double"), prop("seats", "integer"),
                     {"@type": "Component", "name": "thermostat", "schema": "dtmi:test:Thermostat;1"}]}
T0 = 1790000000 * 10**9  # 2026-09-21T14:13:20Z


def text_of(ns):
    t = datetime.fromtimestamp(ns // 10**9, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return "%s.%0*dZ" % (t, 9 if ns % 100 else 7, ns % 10**9 // (1 if ns % 100 else 100))


def ns_of(text):
    head, _, fraction = text.rstrip("Z").partition(".")
    seconds = datetime.strptime(head, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    return int(seconds) * 10**9 + int((fraction or "0").ljust(9, "0"))


def path_of(twin, link="", world="", **params):
    params = {k.rstrip("_"): v for k, v in params.items()}
    base = world + "/digitaltwins/" + urllib.parse.quote(twin)
    if link:
        base += "/relationships/" + link
    return base + "/history" + ("?" + urllib.parse.urlencode(params) if params else "")


class HistoryCase(Case):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = Server("--http", "127.0.0.1:0", path=os.path.join(cls.folder.name, "w.sosia"))
        assert cls.server.http("POST", "/models", [THERMOSTAT, ROOM, HALL])[0] == 201

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def ok(self, method, path, body=None, headers=None, want=(200, 201, 204)):
        status, headers, text = self.server.http(method, path, body, headers)
        self.assertIn(status, want, text)
        return text

    def twin(self, id, model="dtmi:test:Room;1", **values):
        self.ok("PUT", "/digitaltwins/" + id,
                {"$metadata": {"$model": model}, "thermostat": {"$metadata": {}}, **values})

    def patch(self, path, *ops):
        body = json.dumps([{"op": o, "path": p, **({} if v is None else {"value": v})} for o, p, v in ops])
        self.ok("PATCH", path, body, {"Content-Type": "application/json-patch+json"})

    def ingest(self, rows, source="plc"):
        """rows of (twin, property, value, own time in ns)."""
        lines = "\n".join(json.dumps({"id": i, "property": p, "value": v, "time": text_of(t)}) for i, p, v, t in rows)
        done = json.loads(self.ok("POST", "/ingest?source=" + source, lines, {"Content-Type": "application/x-ndjson"}))
        self.assertEqual(done["rejected"], 0, done)

    def history(self, twin, **params):
        return self.server.every(path_of(twin, **params))

    def pairs(self, twin, **params):
        return [(ns_of(r["time"]), r["value"]) for r in self.history(twin, **params)]

    def refused(self, path, status, *words):
        got, _, body = self.server.http("GET", path)
        self.assertEqual(got, status, body)
        message = json.loads(body)["error"]["message"]
        for word in words:
            self.assertIn(word, message)


class Values(HistoryCase):
    """Random points, many of them late, in batches: what history says is the list of them in order."""

    PROPERTIES = ["temperature", "state", "count", "on", "thermostat.setPoint"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        print("seed %d" % SEED)
        cls.random = random.Random(SEED)
        cls.points = {}  # property -> own time -> value: the last to arrive counts

    def value(self, name):
        r = self.random
        if name == "state":
            return r.choice(["run", "idle", "fault, \"bad\"", "", "zwölf", " x "])
        if name == "on":
            return r.random() < 0.5
        return r.randrange(-10**6, 10**6) if name == "count" else r.randrange(-10**6, 10**6) / 8

    def send(self, n):
        r, rows = self.random, []
        for _ in range(n):
            name = r.choice(self.PROPERTIES)
            rows.append(("r1", name, self.value(name), T0 + r.randrange(40000) * 10**8 + r.choice([0, 0, 0, 7])))
        self.ingest(rows)
        for _, name, value, t in rows:
            self.points.setdefault(name, {})[t] = value

    def check(self):
        for name in self.PROPERTIES:
            want = sorted(self.points.get(name, {}).items())
            got = self.pairs("r1", properties=name)
            self.assertEqual(got, want, "%s, seed %d" % (name, SEED))

    def test_all(self):
        self.twin("r1")
        for _ in range(6):
            self.send(self.random.randrange(1, 400))
            self.check()
        self.server.stop()  # blocks, and what recovery finds
        self.server.start()
        self.check()
        self.send(200)
        self.server.kill()
        self.server.start()
        self.check()
        self.send(100)
        self.check()
        self.pages()
        self.formats()
        self.steps()

    def pages(self):
        whole = self.history("r1", limit=100000)
        self.assertEqual(len(whole), sum(map(len, self.points.values())))
        self.assertEqual([ns_of(w["time"]) for w in whole], sorted(ns_of(w["time"]) for w in whole))
        r = self.random
        for _ in range(6):
            span = sorted(T0 + r.randrange(40000) * 10**8 for _ in range(2))
            size, down = r.randrange(1, 300), r.random() < 0.5
            want = [w for w in whole if span[0] <= ns_of(w["time"]) < span[1]]
            got = self.history("r1", limit=size, order="desc" if down else "asc", from_=text_of(span[0]),
                               to=text_of(span[1]))
            self.assertEqual(got, want[::-1] if down else want, "seed %d, %d a page" % (SEED, size))

    def formats(self):
        want = self.history("r1", limit=100000)
        _, headers, text = self.server.http("GET", path_of("r1", format="csv"))
        self.assertTrue(headers["Content-Type"].startswith("text/csv"))
        rows = list(csv.reader(io.StringIO(text, newline="")))
        self.assertEqual(rows[0], ["time", "property", "value"])

        def cell(v):
            return json.dumps(v) if isinstance(v, bool) else v if isinstance(v, str) else repr(v)
        self.assertEqual([r[:2] for r in rows[1:]], [[w["time"], w["property"]] for w in want])
        for row, w in zip(rows[1:], want):
            if isinstance(w["value"], (bool, str)):
                self.assertEqual(row[2], cell(w["value"]))
            else:
                self.assertEqual(float(row[2]), w["value"])
        _, headers, text = self.server.http("GET", path_of("r1", format="columns"))
        self.assertEqual(headers["Content-Type"], "application/x-ndjson")
        columns = {}
        for line in text.splitlines():
            doc = json.loads(line)
            self.assertEqual(doc["timeUnit"], "ns")
            columns[doc["property"]] = list(zip(doc["time"], doc["value"]))
        for name, points in self.points.items():
            self.assertEqual(columns[name], sorted(points.items()))
        _, headers, first = self.server.http("GET", path_of("r1", format="csv", limit=10))
        link = headers["Link"]
        self.assertTrue(link.startswith("<") and link.endswith('>; rel="next"'), link)
        _, _, second = self.server.http("GET", link[1:link.index(">")][len(self.server.url):])
        whole = self.server.http("GET", path_of("r1", format="csv", limit=20))[2]
        self.assertEqual(first + second, whole)

    def steps(self):
        points = sorted(self.points["temperature"].items())
        step, fns = 300 * 10**9, "avg,min,max,sum,count,first,last,stddev,median,p90"
        for size in (1000, 7):
            rows = self.history("r1", properties="temperature", from_=text_of(T0), step="5m", fn=fns, limit=size)
            want = {}
            for t, v in points:
                want.setdefault(T0 + (t - T0) // step * step, []).append(v)
            self.assertEqual([ns_of(r["time"]) for r in rows], sorted(want), "seed %d" % SEED)
            for r in rows:
                v = want[ns_of(r["time"])]
                self.assertAlmostEqual(r["avg"], statistics.fmean(v), 6)
                self.assertEqual((r["min"], r["max"], r["count"]), (min(v), max(v), len(v)))
                self.assertEqual((r["first"], r["last"]), (v[0], v[-1]))
                self.assertAlmostEqual(r["sum"], math.fsum(v), 6)
                self.assertAlmostEqual(r["median"], statistics.median(v), 6)
                if len(v) > 1:
                    self.assertAlmostEqual(r["stddev"], statistics.stdev(v), 4)
                    self.assertAlmostEqual(r["p90"], statistics.quantiles(v, n=10, method="inclusive")[8], 6)
        up = self.history("r1", step="7m", fn="count,last", fill="previous")
        down = self.history("r1", step="7m", fn="count,last", fill="previous", order="desc", limit=13)
        self.assertEqual(up[:-9], down[::-1][:len(up) - 9])  # the last intervals of each property move with the clock


class Lives(HistoryCase):
    def test_deleted_made_again_and_changed_model(self):
        self.twin("v", temperature=1, **{"state": "a"})
        self.patch("/digitaltwins/v", ("add", "/temperature", 2))
        self.patch("/digitaltwins/v/components/thermostat", ("add", "/setPoint", 20))
        self.patch("/digitaltwins/v", ("replace", "/$metadata/$model", "dtmi:test:Hall;1"), ("remove", "/state", None))
        self.patch("/digitaltwins/v", ("add", "/temperature", 3), ("add", "/seats", 40))
        self.ok("DELETE", "/digitaltwins/v")
        self.twin("v", temperature=4)
        self.assertEqual([v for _, v in self.pairs("v", properties="temperature")], [1, 2, 3, None, 4])
        self.assertEqual([v for _, v in self.pairs("v", properties="state")], ["a", None])
        self.assertEqual([v for _, v in self.pairs("v", properties="seats")], [40, None])
        self.assertEqual([v for _, v in self.pairs("v", properties="thermostat.setPoint")], [20, None])
        self.assertEqual([v for _, v in self.pairs("v", properties="thermostat")], [20, None])
        rows = self.history("v", properties="temperature", fn="count,avg,first,last")
        self.assertEqual([rows[0][k] for k in ("count", "avg", "first", "last")], [4, 2.5, 1, 4])
        self.ok("DELETE", "/digitaltwins/v")
        for _ in range(2):
            self.assertEqual([v for _, v in self.pairs("v", properties="temperature")], [1, 2, 3, None, 4, None])
            self.assertEqual([v for _, v in self.pairs("v", properties="temperature", limit=2)],
                             [1, 2, 3, None, 4, None])
            self.server.stop()
            self.server.start()

    def test_relationships(self):
        for id in "abc":
            self.twin(id)
        link = "/digitaltwins/a/relationships/"
        for i, flow in enumerate((1.5, 2.5)):
            self.ok("PUT", link + "f%d" % i, {"$relationshipName": "feeds", "$targetId": "b", "flow": flow})
            self.patch(link + "f%d" % i, ("replace", "/flow", flow + 10))
        self.ok("DELETE", link + "f0")
        self.ok("PUT", link + "f0", {"$relationshipName": "feeds", "$targetId": "c", "flow": 7})
        self.assertEqual([v for _, v in self.pairs("a", link="f0")], [1.5, 11.5, None, 7])
        self.assertEqual([v for _, v in self.pairs("a", link="f1", properties="flow")], [2.5, 12.5])
        self.refused(path_of("a", link="f9"), 404, "never had", "f9")
        self.refused(path_of("a", link="f1", properties="flaw"), 400, "flaw", "flow")

    def test_documents_and_telemetry(self):
        self.twin("t", tags={"x": True})
        self.patch("/digitaltwins/t", ("replace", "/tags", {"x": False, "y": True}))
        for i, body in enumerate(({"power": 1.5}, {"power": 2}, {"other": 3})):
            self.ok("POST", "/digitaltwins/t/telemetry", body, {"Message-Id": "m%d" % i})
        self.ok("POST", "/digitaltwins/t/components/thermostat/telemetry", {"draw": 9}, {"Message-Id": "m"})
        self.assertEqual([v for _, v in self.pairs("t", properties="tags")], [{"x": True}, {"x": False, "y": True}])
        self.assertEqual([v for _, v in self.pairs("t", properties="power")], [1.5, 2])
        self.assertEqual([v for _, v in self.pairs("t", properties="thermostat.draw")], [9])
        self.assertEqual(self.history("t", properties="power", fn="max,count")[0]["max"], 2)
        rows = self.history("t", properties="tags", fn="count,last")
        self.assertEqual((rows[0]["count"], rows[0]["last"]), (2, {"x": False, "y": True}))

    def test_who_and_when(self):
        self.twin("w")
        self.ingest([("w", "temperature", 20, T0 + 10)], "plc-1")
        self.ingest([("w", "temperature", 19, T0)], "plc-2")
        rows = self.history("w", properties="temperature", with_="source")
        self.assertEqual([(r["value"], r["source"]) for r in rows], [(19, "plc-2"), (20, "plc-1")])
        rows = self.history("w", properties="temperature", with_="arrival,source")
        self.assertEqual([(r["value"], r["source"], r.get("late")) for r in rows],
                         [(20, "plc-1", None), (19, "plc-2", True)])
        self.assertEqual(ns_of(rows[0]["time"]), T0 + 10)
        self.assertLess(ns_of(rows[0]["arrival"]), ns_of(rows[1]["arrival"]))
        # of two values of one time the last to arrive counts, and by arrival both are told
        self.ingest([("w", "temperature", 21, T0 + 10)], "plc-3")
        self.assertEqual(self.pairs("w", properties="temperature"), [(T0, 19), (T0 + 10, 21)])
        self.assertEqual([r["value"] for r in self.history("w", properties="temperature", with_="arrival")],
                         [20, 19, 21])

    def test_pages_do_not_move(self):
        self.twin("p")
        self.ingest([("p", "count", i, T0 + i * 10**9) for i in range(100)])
        first = self.server.get(path_of("p", limit=30))
        self.ingest([("p", "count", 1000 + i, T0 + i * 10**9 + 5) for i in range(100)])
        self.ingest([("p", "count", -1, T0 + 50 * 10**9)])
        got = [r["value"] for r in first["value"]]
        while first["nextLink"]:
            link = first["nextLink"]
            self.assertTrue(link.startswith(self.server.url))
            link = link[len(self.server.url):].replace("&api-version=2023-10-31", "")
            first = self.server.get(link.replace("?api-version=2023-10-31&", "?"))
            got += [r["value"] for r in first["value"]]
        self.assertEqual(got, list(range(100)))
        self.assertEqual(len(self.history("p")), 200)


class Steps(HistoryCase):
    def rows(self, **params):
        return [{k: v for k, v in r.items() if k not in ("property", "time")} for r in
                self.history("s", properties=params.pop("properties", "count"), from_=text_of(T0),
                             to=text_of(T0 + 60 * 10**9), step="10s", **params)]

    def test_fill_and_time(self):
        self.twin("s")
        self.ingest([("s", "count", 10, T0 - 10**9), ("s", "count", 30, T0 + 5 * 10**9),
                     ("s", "count", 60, T0 + 35 * 10**9)])
        self.assertEqual(self.rows(fn="last"), [{"last": 30}, {"last": 60}])
        self.assertEqual(self.rows(fn="last,count", fill="null"),
                         [{"last": 30, "count": 1}, *[{"last": None, "count": 0}] * 2, {"last": 60, "count": 1},
                          *[{"last": None, "count": 0}] * 2])
        self.assertEqual(self.rows(fn="avg", fill="previous"), [{"avg": v} for v in (30, 30, 30, 60, 60, 60)])
        self.assertEqual(self.rows(fn="avg", fill="linear"),
                         [{"avg": v} for v in (30, 35, 45, 60, None, None)])
        self.assertEqual(self.rows(fn="twa", fill="null"), [{"twa": v} for v in (20, 30, 30, 45, 60, 60)])
        self.assertEqual(self.rows(fn="delta", fill="null"), [{"delta": v} for v in (20, None, None, 30, None, None)])
        self.assertEqual([r["rate"] for r in self.rows(fn="rate")], [2, 3])
        for limit in (1, 2, 5):
            self.assertEqual(self.rows(fn="avg", fill="linear", limit=limit), self.rows(fn="avg", fill="linear"))
            self.assertEqual(self.rows(fn="twa", fill="null", limit=limit, order="desc"),
                             self.rows(fn="twa", fill="null")[::-1])

    def test_states(self):
        self.twin("s2", state="idle")
        self.ingest([("s2", "state", v, T0 + t * 10**9) for v, t in (("run", 0), ("idle", 20), ("run", 30))])
        row = self.history("s2", properties="state", from_=text_of(T0), to=text_of(T0 + 40 * 10**9),
                           fn="mode,share,count,first,last")[0]
        self.assertEqual(row["share"], {"run": 0.75, "idle": 0.25})
        self.assertEqual([row[k] for k in ("mode", "count", "first", "last")], ["run", 3, "run", "run"])

    def test_refusals(self):
        self.twin("x", temperature=1, state="a")
        p = lambda **params: path_of("x", **params)  # noqa: E731
        self.refused(p(from_="yesterday"), 400, "from=yesterday")
        self.refused(p(to="25:00"), 400, "to=25:00")
        self.refused(p(step="1 fortnight", fn="avg"), 400, "step")
        self.refused(p(step="P1M", fn="avg"), 400, "step", "months")
        self.refused(p(step="1h"), 400, "step", "fn")
        self.refused(p(fn="mean"), 400, "mean", "avg")
        self.refused(p(fn="avg", fill="previous"), 400, "fill", "step")
        self.refused(p(fn="avg", step="1h", fill="cubic"), 400, "fill", "cubic")
        self.refused(p(fn="avg", properties="state"), 400, "state", "text")
        self.refused(p(properties="temprature"), 400, "temprature", "temperature")
        self.refused(p(propertys="state"), 400, "propertys")
        self.refused(p(order="up"), 400, "order")
        self.refused(p(limit="0"), 400, "limit")
        self.refused(p(limit="100001"), 400, "limit")
        self.refused(p(format="xml"), 400, "format")
        self.refused(p(with_="who"), 400, "with")
        self.refused(p(from_="2026-02-01", to="2026-01-01"), 400, "from", "to")
        self.refused(p(continuationToken="AAAA"), 400, "token")
        self.refused(path_of("nobody"), 404, "nobody")
        token = urllib.parse.parse_qs(urllib.parse.urlsplit(self.server.get(p(limit=1))["nextLink"]).query)
        self.refused(p(limit=1, properties="state", continuationToken=token["continuationToken"][0]), 400, "token")
        self.assertEqual([r["property"] for r in self.history("x", fn="max")], ["temperature"])  # the text left out
        self.assertEqual(len(self.history("x", from_="-1h", to="now")), 2)
        self.assertEqual(self.history("x", from_="2026-01-01", to="2026-01-02"), [])

    def test_memory(self):
        server = Server()
        try:
            self.assertEqual(server.http("GET", path_of("x"))[0], 400)
            self.assertIn("keeps no history", server.http("GET", path_of("x"))[2])
        finally:
            server.stop()


class Past(HistoryCase):
    def test_what_was_known_then(self):
        self.twin("k")
        self.ingest([("k", "count", i, T0 + i * 10**9) for i in range(10)])
        then = self.history("k", properties="count", with_="arrival")[-1]["arrival"]
        self.ingest([("k", "count", 100 + i, T0 + i * 10**9 + (i % 2)) for i in range(10)])
        self.twin("later")
        world = "/worlds/live@" + then
        self.assertEqual([v for _, v in self.pairs("k", properties="count", world=world)], list(range(10)))
        self.assertEqual([v for _, v in self.pairs("k", properties="count", world=world, limit=3)], list(range(10)))
        self.assertEqual(self.history("k", properties="count", world=world, fn="count")[0]["count"], 10)
        self.assertEqual(len(self.pairs("k", properties="count")), 15)
        self.refused(path_of("later", world=world), 404, "later")
        self.refused(path_of("k", world="/worlds/live@2099-01-01T00:00:00Z"), 400)
        self.refused(path_of("k", world="/worlds/nowhere"), 404, "nowhere")

    def test_times_further_apart_than_a_number_counts(self):
        """1700 to today is more ns than an int64 holds."""
        self.twin("far")
        self.ingest([("far", "temperature", i, T0 + i * 10**9) for i in range(5)])
        for order, first in (("desc", text_of(T0 + 4 * 10**9)[:19]), ("asc", "1700-01-01T00:00:00")):
            rows = self.server.get(path_of("far", properties="temperature", step="1s", fn="avg", order=order,
                                           from_="1700-01-01", to=text_of(T0 + 5 * 10**9), limit=3,
                                           fill="null"))["value"]
            self.assertEqual(rows[0]["time"][:19], first)
            self.assertEqual(rows[0]["time"][19:], ".0000000Z")

    def test_forks_have_the_past_of_their_parent(self):
        self.twin("f")
        self.ingest([("f", "count", i, T0 + i * 10**9) for i in range(5)])
        self.ok("POST", "/worlds", {"name": "what-if"})
        self.ingest([("f", "count", 9, T0 + 9 * 10**9)])
        self.assertEqual([v for _, v in self.pairs("f", properties="count", world="/worlds/what-if")], list(range(5)))
        self.assertEqual(len(self.pairs("f", properties="count")), 6)

    def test_forks_have_what_they_wrote_themselves(self):
        self.twin("g")
        self.ingest([("g", "count", i, T0 + i * 10**9) for i in range(5)])
        self.ok("POST", "/worlds", {"name": "own"})
        self.ok("PUT", "/worlds/own/digitaltwins/new", {"$metadata": {"$model": "dtmi:test:Room;1"},
                                                        "thermostat": {"$metadata": {}}})
        lines = [{"id": "g", "property": "count", "value": 10 + i, "time": (T0 + (4 + i) * 10**9) // 10**6}
                 for i in range(3)]
        self.ok("POST", "/worlds/own/ingest", "\n".join(map(json.dumps, lines)))
        self.assertEqual([v for _, v in self.pairs("g", properties="count", world="/worlds/own")],
                         [0, 1, 2, 3, 10, 11, 12])
        self.assertEqual([v for _, v in self.pairs("g", properties="count")], list(range(5)))
        self.assertEqual(self.history("new", world="/worlds/own"), [])
        self.refused(path_of("new"), 404, "new")
        self.refused("/worlds/own@1999-01-01T00:00:00Z/digitaltwins/g", 410, "nothing is known")


class CommandLine(HistoryCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls("test_table")
        case.twin("c", state="idle")
        case.ingest([("c", "temperature", 20 + i % 7 / 2, T0 + i * 10**10) for i in range(50)])

    def sosia(self, *args, **env):
        done = run("history", *args, url=self.server.url, TZ="Europe/Berlin", **env)
        self.assertEqual(done.code, 0, done)
        return done.out

    def test_table(self):
        out = self.sosia("c", "temperature", "--last", "3")
        self.assertIn("Time (CE", out)
        self.assertIn("°C", out)
        self.assertIn("2026-09-21 16:21:30", out)  # the last one, in Berlin
        self.assertEqual(len([line for line in out.splitlines() if line.startswith("2026-09-21")]), 3)
        self.assertIn("14:21:30", self.sosia("c", "temperature", "--last", "1", "--utc"))
        out = self.sosia("c", "temperature", "--from", text_of(T0), "--step", "100s", "--fn", "avg,max", "--utc")
        for word in ("avg", "max", "14:13:20", "▁", " to "):
            self.assertIn(word, out)
        out = self.sosia("c", "--last", "2", "--source", "--arrival")
        for word in ("Property", "Source", "Arrived"):
            self.assertIn(word, out)

    def test_machines(self):
        rows = json.loads(self.sosia("c", "temperature", "--json"))
        self.assertEqual(len(rows), 50)
        table = list(csv.reader(io.StringIO(self.sosia("c", "temperature", "--csv"))))
        self.assertEqual(table[0], ["time", "property", "value"])
        self.assertEqual([float(r[2]) for r in table[1:]], [r["value"] for r in rows])
        line = json.loads(self.sosia("c", "temperature", "--columns"))
        self.assertEqual(line["value"], [r["value"] for r in rows])
        self.assertEqual(line["unit"], "degreeCelsius")

    def test_refusals(self):
        done = run("history", "c", "temprature", url=self.server.url)
        self.assertEqual(done.code, 4)
        self.assertIn("temperature", done.err)
        self.assertEqual(run("history", "nobody", url=self.server.url).code, 3)
        self.assertIn("sosia history", run("history", "--help").out)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
