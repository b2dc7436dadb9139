# SPDX-License-Identifier: Apache-2.0
"""GET /watch: interests that come and go on one WebSocket. What they are told, put together, is the state; nothing is
left out over reconnections, stalls, deletions, forks that run; and whoever misbehaves is told so."""

import json
import os
import random
import tempfile

from serve_lib import Server, ServerCase, main, wait_for
from ws_client import BINARY, Refused, WebSocket

MODELS = [
    {
        "@id": "dtmi:w:Base;1",
        "@type": "Interface",
        "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
        "contents": [{"@type": "Property", "name": n, "schema": "double"} for n in ("v", "x", "y")]
        + [{"@type": "Property", "name": "s", "schema": "string"}],
    },
    {
        "@id": "dtmi:w:Pump;1",
        "@type": "Interface",
        "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
        "extends": "dtmi:w:Base;1",
        "contents": [
            {"@type": ["Property", "Length"], "name": "level", "schema": "double", "unit": "metre"},
            {"@type": ["Property", "Velocity"], "name": "rise", "schema": "double", "unit": "metrePerSecond"},
            {
                "@type": "Relationship",
                "name": "feeds",
                "properties": [{"@type": "Property", "name": "flow", "schema": "double"}],
            },
        ],
    },
]
EVERYTHING = ["values", "twins", "links", "linkValues"]


def ndjson(rows):
    return "\n".join(json.dumps(row) for row in rows)


class Page:
    """A client: what it was told, folded. `sum[id]` is {"values": {(twin, path): value}, "twins": {}, "links": {}}."""

    def __init__(self, port, world="", since=None, **more):
        path = (world and "/worlds/" + world) + "/watch" + ("?since=%d" % since if since is not None else "")
        self.ws = WebSocket(port, path, **more)
        self.ready = self.ws.next()
        self.since = self.ready["since"]
        self.sum, self.messages, self.told = {}, [], {}

    def say(self, **what):
        self.ws.send(json.dumps(what))

    def until(self, kind):
        while True:
            m = self.next()
            if kind in m:
                return m

    def subscribe_all(self, wants):
        """In one message: nothing is read between them."""
        self.say(subscribe=[dict(want, id=id) for id, want in wants.items()])
        left = len(wants)
        while left:
            left -= "subscribed" in self.next()

    def subscribe(self, id, **more):
        self.say(subscribe=dict(more, id=id))
        m = self.until("subscribed")
        assert m["subscribed"] == id, m
        self.sum[id] = {"values": {}, "twins": {}, "links": {}}
        return m

    def next(self):
        m = self.ws.next()
        if m is None:
            raise EOFError(self.ws.closed)
        if "since" in m:
            assert m["since"] <= m["seq"] and m["since"] >= self.since, (m, self.since)
            self.since = m["since"]
        if "changes" in m:
            self.messages.append(m)
            for change in m["changes"]:
                self.fold(m["id"], change)
        return m

    def fold(self, id, c):
        s = self.sum.setdefault(id, {"values": {}, "twins": {}, "links": {}})
        self.told[id] = self.told.get(id, 0) + 1
        if isinstance(c, list):
            twin, path, value, time = c
            assert isinstance(time, int) and time > 1_500_000_000_000, c
            s["values"][twin, path] = value
            if value is None:
                del s["values"][twin, path]
        elif "twin" in c:
            s["twins"][c["twin"]] = c["model"]
        elif "gone" in c:
            s["twins"].pop(c["gone"], None)
            s["values"] = {k: v for k, v in s["values"].items() if k[0] != c["gone"]}
        elif "link" in c:
            twin, link, name, target = c["link"]
            s["links"][twin, link] = (name, target)
        elif "unlinked" in c:
            s["links"].pop(tuple(c["unlinked"][:2]), None)
        elif "linkValue" in c:
            twin, link, path, value, _ = c["linkValue"]
            s["values"][twin, link, path] = value
        else:
            assert "model" in c, c

    def reach(self, seq):
        """Read on until everything up to `seq` was told."""
        while self.since < seq:
            self.next()


class Case(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prepare(cls.server)

    @staticmethod
    def prepare(server):
        assert server.post("/models", MODELS).status == 201

    def put(self, id, world="", **values):
        body = {"$metadata": {"$model": "dtmi:w:Pump;1"}, **values}
        self.check(self.server.put("%s/digitaltwins/%s" % (world and "/worlds/" + world, id), body), 200)

    def ingest(self, values, world="", server=None):
        body = ndjson({"id": t, "property": p, "value": v} for t, p, v in values)
        path = (world and "/worlds/" + world) + "/ingest"
        server = server or self.server
        reply = self.check(server.post(path, body, version=None), 200)
        self.assertEqual(reply.json["rejected"], 0, reply)
        return server.get((world and "/worlds/" + world) + "/graph?limit=1", version=None).json["sequence"]

    def graph(self, world="", paths=("v", "x", "y", "level")):
        g = self.server.get((world and "/worlds/" + world) + "/graph?values=" + ",".join(paths), version=None).json
        ids = g["twins"]["id"]
        return {
            (ids[i], p): value for p in paths for i, value in enumerate(g["values"][p]) if value is not None
        }, g["sequence"]


class Talk(Case):
    def test_interests_come_and_go(self):
        for id in ("a1", "a2", "b1"):
            self.put(id)
        page = Page(self.server.port)
        self.assertEqual(page.ready["ready"], "live")
        page.subscribe("some", twins=["a1", "a2"], properties=["v"], interval_ms=50)
        page.subscribe("all", interval_ms=50)
        page.reach(self.ingest([("a1", "v", 1), ("a1", "x", 2), ("b1", "v", 3)]))
        self.assertEqual(page.sum["some"]["values"], {("a1", "v"): 1})
        self.assertEqual(page.sum["all"]["values"], {("a1", "v"): 1, ("a1", "x"): 2, ("b1", "v"): 3})
        page.subscribe("some", twins=["b1"], interval_ms=50)  # in place of the one before
        page.reach(self.ingest([("a1", "v", 4), ("b1", "v", 5), ("b1", "s", "text")]))
        self.assertEqual(page.sum["some"]["values"], {("b1", "v"): 5, ("b1", "s"): "text"})
        page.say(unsubscribe="all")
        self.assertEqual(page.until("unsubscribed")["unsubscribed"], "all")
        told = page.told["all"]
        page.reach(self.ingest([("b1", "v", 6), ("a1", "v", 7)]))
        self.assertEqual((page.sum["some"]["values"]["b1", "v"], page.told["all"]), (6, told))
        page.say(unsubscribe="some")
        page.until("unsubscribed")
        self.ingest([("b1", "v", 8)])
        begun = page.subscribe("later", interval_ms=50)  # what came while there was none is not told
        page.reach(self.ingest([("b1", "x", 9)]))
        self.assertEqual(page.sum["later"]["values"], {("b1", "x"): 9})
        self.assertGreater(begun["seq"], 0)
        self.assertTrue(page.ws.close())

    def test_the_newest_of_each_by_interval(self):
        self.put("c1")
        self.put("c2")
        page = Page(self.server.port)
        page.subscribe("slow", twins=["c1", "c2"], interval_ms=1500)
        page.subscribe("fast", twins=["c1", "c2"], interval_ms=50)
        page.reach(self.ingest([("c1", "v", -1)]))
        seq = 0
        for i in range(300):
            seq = self.ingest([("c1", "v", i), ("c2", "x", -i)])
        page.reach(seq)
        for id in ("slow", "fast"):
            self.assertEqual(page.sum[id]["values"], {("c1", "v"): 299, ("c2", "x"): -299})
        self.assertLess(page.told["slow"], 60)
        self.assertLess(page.told["slow"], page.told["fast"])
        page.ws.close()

    def test_conditions(self):
        self.put("d1", v=0.0)
        self.put("d2", v=100.0)
        page = Page(self.server.port)
        page.subscribe("hot", where="v > 50", what=EVERYTHING, interval_ms=50)
        page.reach(self.ingest([("d1", "x", 1), ("d2", "x", 2)]))
        self.assertEqual(page.sum["hot"]["values"], {("d2", "x"): 2})
        self.check(self.server.delete("/digitaltwins/d1"), 204)  # what goes is told in any case
        page.reach(self.ingest([("d2", "x", 3)]))
        self.assertIn({"gone": "d1"}, [c for m in page.messages for c in m["changes"]])
        page.subscribe("base", models=["dtmi:w:Base;1"], properties=["y"], interval_ms=50)
        page.subscribe("none", models=["dtmi:w:Other;1"], interval_ms=50)
        page.reach(self.ingest([("d2", "y", 4)]))
        self.assertEqual((page.sum["base"]["values"], page.told.get("none")), ({("d2", "y"): 4}, None))
        page.ws.close()

    def test_births_and_deaths_in_order(self):
        page = Page(self.server.port)
        page.subscribe("all", what=EVERYTHING, interval_ms=200)
        self.put("e1", v=1.0)
        self.put("e2")
        link = "/digitaltwins/e1/relationships/r"
        self.check(self.server.put(link, {"$relationshipName": "feeds", "$targetId": "e2", "flow": 2.5}), 200)
        self.ingest([("e1", "v", 2)])
        page.reach(self.ingest([("e2", "x", 1)]))
        self.assertEqual(page.sum["all"]["twins"], {"e1": "dtmi:w:Pump;1", "e2": "dtmi:w:Pump;1"})
        self.assertEqual(page.sum["all"]["links"], {("e1", "r"): ("feeds", "e2")})
        self.assertEqual(page.sum["all"]["values"]["e1", "r", "flow"], 2.5)
        self.check(self.server.delete(link), 204)
        self.ingest([("e1", "v", 3)])
        self.check(self.server.delete("/digitaltwins/e1"), 204)
        self.put("e1")  # another one of that name: nothing of the first may stay
        page.reach(self.ingest([("e2", "x", 2)]))
        self.assertEqual(page.sum["all"]["values"], {("e2", "x"): 2})
        self.assertEqual(set(page.sum["all"]["twins"]), {"e1", "e2"})
        self.assertEqual(page.sum["all"]["links"], {})
        page.ws.close()

    def test_what_cannot_be_said(self):
        page = Page(self.server.port)
        bad = [
            "",
            "[]",
            "{",
            "{}",
            '{"subscribe":{}}',
            '{"subscribe":[]}',
            '{"subscribe":%s}' % json.dumps([{"id": "a"}] * 33),
            '{"subscribe":{"id":""}}',
            '{"subscribe":{"id":"%s"}}' % ("x" * 65),
            '{"subscribe":{"id":"a","interval_ms":1}}',
            '{"subscribe":{"id":"a","interval_ms":60001}}',
            '{"subscribe":{"id":"a","what":[]}}',
            '{"subscribe":{"id":"a","what":["all"]}}',
            '{"subscribe":{"id":"a","twins":"t"}}',
            '{"subscribe":{"id":"a","twins":[1]}}',
            '{"subscribe":{"id":"a","twins":%s}}' % json.dumps(["t"] * 10001),
            '{"subscribe":{"id":"a","properties":%s}}' % json.dumps(["t"] * 65),
            '{"subscribe":{"id":"a","where":"v >"}}',
            '{"subscribe":{"id":"a","typo":1}}',
            '{"subscribe":{"id":"a"},"unsubscribe":"a"}',
            '{"unsubscribe":"nobody"}',
            '{"unsubscribe":1}',
            "x" * (1 << 20) + "y",
        ]
        for text in bad:
            page.ws.send(text)
            error = page.until("error")["error"]
            self.assertTrue(error["code"] and error["message"], text[:100])
        for i in range(32):
            page.subscribe("i%d" % i)
        page.say(subscribe={"id": "one more"})
        self.assertIn("32", page.until("error")["error"]["message"])
        page.subscribe("i7", twins=["in its place"])
        page.ws.send(b"bytes", BINARY)
        with self.assertRaises(EOFError):
            while True:
                page.next()
        self.assertEqual(page.ws.closed[0], 1003)

    def test_who_may_not(self):
        self.check(self.server.get("/watch", version=None), 426)
        for path, status in [("/watch?since=x", 400), ("/watch?since=99999999", 410), ("/worlds/none/watch", 404),
                             ("/worlds/live@-1h/watch", 400)]:
            with self.assertRaises(Refused) as e:
                WebSocket(self.server.port, path)
            self.assertEqual(e.exception.status, status, path)
        with self.assertRaises(Refused) as e:
            WebSocket(self.server.port, "/watch", headers={"Origin": "http://evil.example"})
        self.assertEqual(e.exception.status, 403)

    def test_a_dropped_world(self):
        self.check(self.server.post("/worlds", {"name": "gone"}, version=None), 201)
        page = Page(self.server.port, "gone")
        page.subscribe("all")
        self.check(self.server.delete("/worlds/gone", version=None), 204)
        with self.assertRaises(EOFError):
            while True:
                page.next()
        self.assertEqual(page.ws.closed[0], 1001)


class Random(Case):
    def test_folded_it_is_the_state(self):
        seed = int(os.environ.get("SOSIA_SEED", random.randrange(1 << 30)))
        rng = random.Random(seed)
        ids = ["r%d" % i for i in range(30)]
        for id in ids:
            self.put(id, v=0.0, x=0.0, y=0.0)
        wants = {
            "all": {},
            "few": {"twins": ids[:7]},
            "v": {"properties": ["v"]},
            "vx": {"properties": ["v", "x"], "twins": ids[5:20], "interval_ms": 400},
            "often": {"interval_ms": 50, "models": ["dtmi:w:Base;1"]},
        }
        page, expected, kept = None, {}, {}
        for _ in range(6):  # rounds; the page comes and goes
            if page:
                since, kept = page.since, page.sum
                page.ws.drop()
            page = Page(self.server.port, since=since if page else None)
            page.sum = kept
            page.subscribe_all(wants)
            for _ in range(rng.randrange(40)):
                values = [
                    (rng.choice(ids), rng.choice("vxy"), rng.randrange(1000) / 4) for _ in range(rng.randrange(1, 30))
                ]
                seq = self.ingest(values)
                expected.update({(t, p): v for t, p, v in values})
                if rng.random() < 0.3:
                    page.next()
            if rng.random() < 0.5 and expected:
                page.reach(seq)
        page.reach(self.ingest([("r0", "v", 1)]))
        expected["r0", "v"] = 1
        for id, want in wants.items():
            of = {
                k: v
                for k, v in expected.items()
                if k[0] in want.get("twins", ids) and k[1] in want.get("properties", "vxy")
            }
            self.assertEqual(page.sum[id]["values"], of, "seed %d, %s" % (seed, id))
        state, _ = self.graph()
        self.assertEqual({k: v for k, v in state.items() if k in expected}, expected, seed)
        page.ws.close()


class Forks(Case):
    def test_a_fork_that_runs(self):
        for i in range(20):
            self.put("t%d" % i, level=1.0, rise=0.001 * (i + 1))
        behaviour = {"model": "dtmi:w:Pump;1", "say": ["der(level) = rise"]}
        self.check(self.server.put("/behaviours/rise", behaviour, version=None), 200)
        self.check(self.server.post("/worlds", {"name": "run", "seed": 5}, version=None), 201)
        page = Page(self.server.port, "run")
        self.assertEqual(page.ready["ready"], "run")
        page.subscribe("all", properties=["level"], interval_ms=100)
        self.check(self.server.post("/worlds/run/run", {"for": "PT2H", "output": "PT1S"}, version=None), 202)
        status = lambda: self.server.get("/worlds/run/run", version=None).json["state"]
        lost = False
        while status() in ("running", "starting"):
            lost |= page.next().get("lost", False)
        self.assertEqual(status(), "done")
        state, seq = self.graph("run", ("level",))
        page.reach(seq)
        lost |= any(m.get("lost") for m in page.messages)
        if not lost:  # else it would read again
            self.assertEqual(page.sum["all"]["values"], state)
        self.assertAlmostEqual(state["t0", "level"], 1 + 0.001 * 7200, places=6)
        self.assertLess(len(page.messages), 2000)
        self.assertTrue(page.messages[-1]["time"])
        page.ws.close()


class Stalls(Case):
    def test_who_stalls_is_told_to_read_again(self):
        twins, paths = 21000, ["v", "x", "y", "level", "rise"]
        rows = [{"Section": "Twins"}]
        rows += [{"$dtId": "n%d" % i, "$metadata": {"$model": "dtmi:w:Pump;1"}} for i in range(twins)]
        reply = self.check(self.server.post("/import", ndjson(rows), version=None), 200)
        self.assertEqual(reply.json["accepted"], twins)
        page = Page(self.server.port, receive_buffer=4096)
        page.subscribe("all", interval_ms=50)
        page.subscribe("few", twins=["n0"], interval_ms=50)
        for path in paths + paths:
            self.ingest([("n%d" % i, path, i) for i in range(twins)])
        seq = self.ingest([("n0", "v", 0.5)])
        page.reach(seq)
        lost = [m for m in page.messages if m.get("lost")]
        self.assertTrue(lost and {m["id"] for m in lost} == {"all"})
        self.assertEqual(page.sum["few"]["values"], {("n0", p): 0.5 if p == "v" else 0 for p in paths})
        for m in page.messages:
            self.assertLessEqual(len(m["changes"]), 5000)
        page.reach(self.ingest([("n1", "v", 7.5)]))  # it goes on
        self.assertEqual(page.sum["all"]["values"]["n1", "v"], 7.5)
        page.ws.close()


class Restart(Case):
    def test_it_goes_on_over_a_restart(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "w.sosia")
            server = Server(data=data)
            self.prepare(server)
            body = {"$metadata": {"$model": "dtmi:w:Pump;1"}}
            self.check(server.put("/digitaltwins/a", body), 200)
            page = Page(server.port)
            page.subscribe("all", interval_ms=50)
            page.reach(self.ingest([("a", "v", 1)], server=server))
            self.ingest([("a", "x", 2)], server=server)
            since = page.since
            server.close()
            self.assertTrue(wait_for(lambda: page.ws.next() is None, 20))
            server = Server(data=data)
            page = Page(server.port, since=since)
            page.subscribe("all", interval_ms=50)
            page.reach(self.ingest([("a", "y", 3)], server=server))
            self.assertEqual(page.sum["all"]["values"]["a", "x"], 2)
            self.assertEqual(page.sum["all"]["values"]["a", "y"], 3)
            page.ws.close()
            server.close()


if __name__ == "__main__":
    main()
