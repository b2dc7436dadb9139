# SPDX-License-Identifier: Apache-2.0
"""GET /graph: the structure in columns over HTTP: of live, forks and the past, packed, filtered, refused."""

import gzip
import json
import os
import tempfile
import time
import unittest
from urllib.parse import quote

from serve_lib import Server, ServerCase, main

MODELS = [
    {
        "@id": "dtmi:g:Pump;1",
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;2",
        "contents": [
            {"@type": "Property", "name": "name", "schema": "string"},
            {"@type": "Property", "name": "flow", "schema": "double"},
            {"@type": "Property", "name": "open", "schema": "boolean"},
            {"@type": "Relationship", "name": "feeds"},
        ],
    },
    {
        "@id": "dtmi:g:Tank;1",
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;2",
        "contents": [
            {"@type": "Property", "name": "level", "schema": "integer"},
            {"@type": "Relationship", "name": "drains"},
        ],
    },
]


def pump(i, **values):
    return {"$dtId": "p%d" % i, "$metadata": {"$model": "dtmi:g:Pump;1"}, **values}


class Graph(ServerCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        s = cls.server = Server(data=os.path.join(cls.folder.name, "g.sosia"))
        assert s.post("/models", MODELS).status == 201
        lines = [{"Section": "Header"}, {"fileVersion": "1.0.0"}, {"Section": "Twins"}]
        lines += [pump(i, flow=i / 2, open=i % 2 == 0, name="Pump %d" % i) for i in range(100)]
        lines += [{"$dtId": "t", "$metadata": {"$model": "dtmi:g:Tank;1"}, "level": 7}]
        lines += [{"Section": "Relationships"}]
        for i in range(100):
            lines.append(
                {"$sourceId": "p%d" % i, "$relationshipId": "r", "$targetId": "t", "$relationshipName": "feeds"}
            )
        body = "\n".join(json.dumps(x) for x in lines)
        assert s.post("/import", body, version=None).json["rejected"] == 0

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()

    def graph(self, query="", world="", **headers):
        path = (world and "/worlds/" + world) + "/graph" + (query and "?" + query)
        return self.server.get(path, headers=headers, version=None)

    def test_in_columns(self):
        g = self.check(self.graph("label=name&values=flow,open&values=level"), 200).json
        self.assertEqual(g["models"], ["dtmi:g:Pump;1", "dtmi:g:Tank;1"])
        self.assertEqual(g["twins"]["id"], ["p%d" % i for i in range(100)] + ["t"])
        self.assertEqual(g["twins"]["model"], [0] * 100 + [1])
        self.assertEqual(g["twins"]["label"], ["Pump %d" % i for i in range(100)] + [None])
        self.assertEqual(g["values"]["flow"], [i / 2 for i in range(100)] + [None])
        self.assertEqual(g["values"]["open"], [i % 2 == 0 for i in range(100)] + [None])
        self.assertEqual(g["values"]["level"], [None] * 100 + [7])
        self.assertEqual(g["names"], ["feeds"])
        self.assertEqual(g["links"], {"from": list(range(100)), "to": [100] * 100, "name": [0] * 100})
        self.assertIs(g["more"], False)
        self.assertGreater(g["sequence"], 0)

    def test_packed_when_that_is_taken(self):
        plain = self.check(self.graph("values=flow"), 200)
        packed = self.check(self.graph("values=flow", **{"Accept-Encoding": "gzip, br"}), 200)
        self.assertIsNone(plain.header("content-encoding"))
        self.assertEqual(packed.header("content-encoding"), "gzip")
        self.assertLess(len(packed.body), len(plain.body) / 3)
        a, b = json.loads(gzip.decompress(packed.body)), plain.json
        del a["time"], b["time"]
        self.assertEqual(a, b)
        self.assertIsNone(self.graph("limit=1", **{"Accept-Encoding": "gzip"}).header("content-encoding"))

    def test_only_some_twins(self):
        g = self.graph("values=flow&twins=" + quote("flow > 40 OR level = 7")).json
        self.assertEqual(g["twins"]["id"], ["p%d" % i for i in range(81, 100)] + ["t"])
        self.assertEqual(g["links"]["to"], [19] * 19)
        g = self.graph("limit=10&links=false").json
        self.assertEqual((len(g["twins"]["id"]), g["more"], g["links"]["from"]), (10, True, []))

    def test_forks_and_the_past(self):
        now = self.graph("values=flow").json
        time.sleep(0.01)  # the instant lies behind what was asked for
        self.check(self.server.post("/worlds", {"name": "other"}, version=None), 201)
        path = "/worlds/other/digitaltwins/p1"
        self.check(self.server.patch(path, [{"op": "replace", "path": "/flow", "value": 1000}]), 204)
        self.check(self.server.put("/worlds/other/digitaltwins/p100", pump(100)), 200)
        fork = self.graph("values=flow", "other").json
        self.assertEqual(fork["values"]["flow"][1], 1000)
        self.assertEqual((fork["twins"]["id"][100], fork["values"]["flow"][100]), ("p100", None))
        self.assertEqual(self.graph("values=flow").json["values"], now["values"])
        past = self.check(self.graph("values=flow", "live@" + quote(now["time"])), 200).json
        self.assertEqual(past["time"], now["time"])
        for key in ("models", "twins", "links", "values", "sequence"):
            self.assertEqual(past[key], now[key])
        self.check(self.server.delete("/worlds/other", version=None), 204)

    def expressions(self, *texts, world="", more=""):
        query = "&".join(["expression=" + quote(t) for t in texts] + ([more] if more else []))
        return self.check(self.graph(query, world), 200).json["values"]

    def test_expressions(self):
        text = "flow * 2 + 1"
        of = self.expressions(text, "open AND flow > 10", "CONCAT(name, '!')", "IS_NULL(level)")
        self.assertEqual(list(of), [text, "open AND flow > 10", "CONCAT(name, '!')", "IS_NULL(level)"])
        self.assertEqual(of[text], [i + 1 for i in range(100)] + [None])
        self.assertEqual(of["open AND flow > 10"], [i % 2 == 0 and i > 20 for i in range(100)] + [None])
        self.assertEqual(of["CONCAT(name, '!')"], ["Pump %d!" % i for i in range(100)] + [None])
        # As a question says, row by row.
        for text in ("level / 2", "COUNT(->feeds)", "COUNT(<-feeds)", "SUM(in.feeds.flow) - 1", "flow / 0", "flow % 3",
                     "flow > 20 ? 'much' : 'little'", "$dtId", "COALESCE(flow, level)", "IS_OF_MODEL('dtmi:g:Tank;1')",
                     "AVG(flow, 1h)", "1 + 1", "ROUND(flow)"):
            asked = "SELECT T.$dtId AS id, %s AS v FROM DIGITALTWINS T" % text
            rows = self.rows(asked)
            g = self.check(self.graph("expression=" + quote(text)), 200).json
            self.assertEqual(dict(zip(g["twins"]["id"], g["values"][text])), {r["id"]: r.get("v") for r in rows}, text)
        # Beside properties; said twice it is told once; only some twins.
        of = self.expressions("flow", "flow*2", "flow*2", more="values=flow,open&limit=3")
        self.assertEqual(of, {"flow": [0, 0.5, 1], "open": [True, False, True], "flow*2": [0, 1, 2]})
        of = self.expressions("flow + 1", more="twins=" + quote("flow > 49"))
        self.assertEqual(of["flow + 1"], [50.5])

    def rows(self, text):
        rows, token = [], None
        while True:
            body = {"query": text} if not token else {"continuationToken": token}
            reply = self.check(self.server.post("/query", body, headers={"max-items-per-page": "1000"}), 200).json
            rows += reply["value"]
            token = reply.get("continuationToken")
            if not token:
                return rows

    def test_expressions_of_forks_and_the_past(self):
        now = self.check(self.graph("expression=" + quote("flow + 1")), 200).json
        time.sleep(0.01)
        self.check(self.server.post("/worlds", {"name": "tried"}, version=None), 201)
        path = "/worlds/tried/digitaltwins/p1"
        self.check(self.server.patch(path, [{"op": "replace", "path": "/flow", "value": 1000}]), 204)
        self.assertEqual(self.expressions("flow + 1", world="tried")["flow + 1"][1], 1001)
        past = self.expressions("flow + 1", "COUNT(->feeds)", world="live@" + quote(now["time"]))
        self.assertEqual(past["flow + 1"], now["values"]["flow + 1"])
        self.assertEqual(past["COUNT(->feeds)"], [1] * 100 + [0])
        self.check(self.server.delete("/worlds/tried", version=None), 204)

    def test_expressions_that_are_none(self):
        for text, says in (
            ("flow +", "expression 1: column 7"),
            ("flow / (2", "expression 1: column"),
            ("flwo + 1", 'no model has a property \\"flwo\\"; did you mean \\"flow\\"'),
            ("NOSUCH(flow)", "expression 1: column 1"),
            ("", "expression 1: column 1"),
            ("flow + " * 1200 + "1", "expression 1"),
        ):
            self.assertIn(says.encode(), self.check(self.graph("expression=" + quote(text)), 400).body)
        reply = self.check(self.graph("expression=flow&expression=" + quote("open +")), 400)
        self.assertIn(b"expression 2: column", reply.body)
        many = lambda n: self.graph("&".join("expression=flow%%2B%d" % i for i in range(n)))
        self.check(many(4), 200)
        self.assertIn(b"at most 4 expressions", self.check(many(5), 400).body)

    def test_who_has_gone_silent(self):
        stale = lambda query="", world="": self.server.get(
            (world and "/worlds/" + world) + "/stale" + query, version=None
        )
        self.assertEqual(self.check(stale(), 200).json["watched"], 0)  # no source's clock spoke of them
        now = int(time.time() * 1000)
        values = [{"id": "p%d" % i, "property": "flow", "value": 1, "time": now - i * 60000} for i in (1, 7, 9)]
        body = "\n".join(json.dumps(v) for v in values)
        self.check(self.server.post("/worlds", {"name": "quiet"}, version=None), 201)
        self.check(self.server.post("/worlds/quiet/ingest", body, version=None), 200)
        told = self.check(stale(world="quiet"), 200).json
        self.assertEqual([t["id"] for t in told["twins"]], ["p7", "p9"])
        self.assertEqual(told["twins"][0]["property"], "flow")
        self.assertEqual((told["models"][0]["watched"], told["models"][0]["stale"], told["more"]), (3, 2, False))
        told = stale("?older=8m&limit=1", "quiet").json
        self.assertEqual(([t["id"] for t in told["twins"]], told["stale"]), (["p9"], 1))
        for query in ("?older=", "?older=x", "?older=-PT5M", "?limit=0", "?limit=1001", "?limit=x"):
            self.check(stale(query), 400)
        self.check(stale("", "nowhere"), 404)
        self.check(self.server.delete("/worlds/quiet", version=None), 204)

    def test_what_is_refused(self):
        for query, status, words in [
            ("limit=0", 400, "limit"),
            ("limit=x", 400, "limit"),
            ("limit=1000001", 400, "1000000"),
            ("values=nothing", 400, "nothing"),
            ("values=a,b,c,d,e,f,g,h,i", 400, "8"),
            ("twins=flow+%3E", 400, "column"),
        ]:
            reply = self.graph(query)
            self.assertEqual(reply.status, status, query)
            self.assertIn(words, reply.json["error"]["message"])
        self.check(self.graph("", "nowhere"), 404)
        self.check(self.server.post("/graph", b"{}", version=None), 405)


if __name__ == "__main__":
    main()
