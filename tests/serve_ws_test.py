# SPDX-License-Identifier: Apache-2.0
"""WebSockets of the server: the protocol and its abuses, who may open one, values in, and what a subscription promises:
every filter against a naive one, snapshots without a gap, the newest of each value, clients that stall by the thousand,
resuming over a restart."""

import json
import os
import random
import re
import resource
import socket
import tempfile
import urllib.parse

from serve_lib import Server, ServerCase, main, sanitized, wait_for
from ws_client import BINARY, CLOSE, PING, PONG, TEXT, Refused, WebSocket

CONTEXT = "dtmi:dtdl:context;2"
MODELS = [
    {
        "@id": "dtmi:w:Base;1",
        "@type": "Interface",
        "@context": CONTEXT,
        "contents": [
            {"@type": "Property", "name": "v", "schema": "double"},
            {"@type": "Property", "name": "s", "schema": "string"},
        ],
    },
    {"@id": "dtmi:w:Part;1", "@type": "Interface", "@context": CONTEXT,
     "contents": [{"@type": "Property", "name": "x", "schema": "double"}]},
    {
        "@id": "dtmi:w:Pump;1",
        "@type": "Interface",
        "@context": CONTEXT,
        "extends": "dtmi:w:Base;1",
        "contents": [
            {"@type": "Component", "name": "part", "schema": "dtmi:w:Part;1"},
            {"@type": "Relationship", "name": "feeds",
             "properties": [{"@type": "Property", "name": "flow", "schema": "double"}]},
            {"@type": "Relationship", "name": "near"},
        ],
    },
]


def twin(model="Pump", **values):
    body = dict({"$metadata": {"$model": "dtmi:w:%s;1" % model}}, **values)
    if model == "Pump":
        body["part"] = {"$metadata": {}}
    return body


def lines(values):
    return "".join('{"id":"%s","property":"%s","value":%s}\n' % (t, p, json.dumps(v)) for t, p, v in values)


class Case(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        assert cls.server.post("/models", MODELS).status == 201

    def put(self, name, model="Pump", **values):
        self.check(self.server.put("/digitaltwins/" + name, twin(model, **values)), 200)

    def ingest(self, values):
        self.check(self.server.post("/ingest", lines(values), version=None), 200)

    def open(self, path, **more):
        return WebSocket(self.server.port, path, **more)

    def streams(self):
        text = self.server.get("/metrics", version=None).body.decode()
        return int(re.search(r"(?m)^sosia_http_streams (\d+)$", text).group(1))


class Protocol(Case):
    def test_the_same_messages_as_by_events(self):
        self.put("p1")
        ws = self.open("/changes?twin=p1")
        ready = ws.next()
        self.assertEqual((ready["event"], ready["world"]), ("ready", "live"))
        self.ingest([("p1", "v", 1.5)])
        m = ws.next()
        self.assertEqual(m["prev"], ready["since"])
        self.assertEqual(
            m["changes"], [{"op": "set", "twin": "p1", "model": "dtmi:w:Pump;1", "path": "v", "value": 1.5}]
        )
        self.assertTrue(ws.close())

    def test_ping_pong_and_fragments(self):
        self.put("p2")
        ws = self.open("/ingest")
        ws.send(b"hello", PING)
        self.assertEqual(ws.frame(), (PONG, b"hello"))
        text = lines([("p2", "s", "\u00e9" * 40)]).encode()
        ws.send(text[:60], TEXT, fin=False)  # cut inside of a character
        ws.send(b"between", PING)
        ws.send(text[60:61], 0, fin=False)
        ws.send(text[61:], 0)
        self.assertEqual(ws.frame(), (PONG, b"between"))
        self.assertEqual(ws.next()["accepted"], 1)
        for size in (125, 126, 127, 65535, 65536):  # every form of a length
            pad = lines([("p2", "v", size)]).encode()
            ws.send(pad + b"\n" * (size - len(pad)) if size > len(pad) else pad)
            self.assertEqual(ws.next()["accepted"], 1, size)
        self.assertTrue(ws.close())

    def test_what_is_no_websocket_is_closed_with_a_code(self):
        cases = [
            ("garbage", lambda w: w.sock.sendall(b"GET / HTTP/1.1\r\n\r\n" * 4), 1002),
            ("not masked", lambda w: w.send("{}", mask=False), 1002),
            ("reserved bit", lambda w: w.send("{}", rsv=4), 1002),
            ("opcode 3", lambda w: w.send("{}", 3), 1002),
            ("opcode 11", lambda w: w.send("{}", 11), 1002),
            ("continuation of nothing", lambda w: w.send("{}", 0), 1002),
            ("two messages at once", lambda w: (w.send("a", TEXT, fin=False), w.send("b", TEXT)), 1002),
            ("ping in parts", lambda w: w.send("a", PING, fin=False), 1002),
            ("long ping", lambda w: w.send("a" * 126, PING), 1002),
            ("close of one byte", lambda w: w.send(b"\x03", CLOSE), 1002),
            ("close with 1005", lambda w: w.send(b"\x03\xed", CLOSE), 1002),
            ("length in too many bytes", lambda w: w.sock.sendall(b"\x81\xfe\x00\x05mmmmhello"), 1002),
            ("text that is none", lambda w: w.send(b"\xff\xfe", TEXT), 1007),
            ("too large", lambda w: w.sock.sendall(b"\x81\xff\x00\x00\x00\x00\x7f\xff\xff\xffmmmm"), 1009),
            ("length beyond 63 bits", lambda w: w.sock.sendall(b"\x81\xff" + b"\xff" * 8 + b"mmmm"), 1002),
            ("binary", lambda w: w.send(b"{}", BINARY), 1003),
        ]
        before = self.server.descriptors()
        for name, act, code in cases:
            ws = self.open("/ingest")
            act(ws)
            self.assertIsNone(ws.next(), name)
            self.assertEqual(ws.closed[0], code, name)
            ws.drop()
        ws = self.open("/changes")
        ws.next()
        ws.send("{}")
        self.assertIsNone(ws.next())
        self.assertEqual(ws.closed[0], 1003)
        ws.drop()
        self.assertTrue(wait_for(lambda: self.server.descriptors() <= before + 1 and self.streams() == 0))

    def test_noise_breaks_nothing(self):
        seed = int(os.environ.get("SOSIA_SEED", random.randrange(1 << 30)))
        r = random.Random(seed)
        for _ in range(60):
            ws = self.open(r.choice(["/ingest", "/changes"]))
            try:
                for _ in range(r.randrange(1, 6)):
                    op = r.choice([0, 1, 1, 1, 2, 8, 9, 10, r.randrange(16)])
                    frame = ws.encode(r.randbytes(r.randrange(200)), op, fin=r.random() < 0.8)
                    if r.random() < 0.3:
                        frame = bytearray(frame)
                        frame[r.randrange(len(frame))] ^= 1 << r.randrange(8)
                    ws.sock.sendall(bytes(frame))
            except OSError:
                pass
            ws.drop()
        self.assertTrue(wait_for(lambda: self.streams() == 0), "seed %d" % seed)
        self.check(self.server.get("/healthz", version=None), 200)

    def test_asking_in_the_wrong_way(self):
        for headers in (
            {"Sec-WebSocket-Version": "8"},
            {"Sec-WebSocket-Key": None},
            {"Sec-WebSocket-Key": "short"},
            {"Sec-WebSocket-Version": None},
        ):
            with self.assertRaises(Refused) as e:
                self.open("/changes", headers=headers)
            self.assertEqual((e.exception.status, e.exception.headers["sec-websocket-version"]), (426, "13"))
        self.check(self.server.get("/ingest", version=None), 426, "UpgradeRequired")
        for path, status in (
            ("/changes?since=abc", 400),
            ("/changes?mode=some", 400),
            ("/changes?slow=down", 400),
            ("/changes?rate=0", 400),
            ("/changes?rate=101", 400),
            ("/changes?heartbeat=61", 400),
            ("/changes?op=sets", 400),
            ("/changes?where=v+%3E", 400),
            ("/changes?where=NOPE(v)", 400),
            ("/changes?since=1&snapshot=true", 400),
            ("/changes?since=99999999", 410),
            ("/worlds/none/changes", 404),
            ("/worlds/none/ingest", 404),
        ):
            with self.assertRaises(Refused, msg=path) as e:
                self.open(path)
            self.assertEqual(e.exception.status, status, path)
        with self.assertRaises(Refused) as e:
            self.open("/changes?since=99999999")
        self.assertIsInstance(e.exception.json["oldest"], int)
        self.assertEqual(e.exception.json["error"]["code"], "CursorGone")

    def test_a_client_that_pings_and_reads_nothing_is_not_fed_for_ever(self):
        ws = self.open("/ingest", receive_buffer=4096)
        ws.sock.settimeout(0.2)
        before, frame = self.server.resident(), ws.encode(b"x" * 100, PING) * 1000
        sent = 0
        try:
            while sent < (64 << 20):
                sent += ws.sock.send(frame)
        except (socket.timeout, BlockingIOError):
            pass
        self.assertLess(sent, 64 << 20)  # it is not read any more
        self.check_growth(before, 8 << 20)
        ws.drop()

    def test_browsers_of_other_origins_may_not(self):
        for path in ("/changes", "/ingest"):
            with self.assertRaises(Refused) as e:
                self.open(path, headers={"Origin": "http://evil.example"})
            self.assertEqual(e.exception.status, 403)
            self.assertTrue(self.open(path, headers={"Origin": "http://127.0.0.1:%d" % self.server.port}))

    def test_tokens(self):
        with tempfile.NamedTemporaryFile("w", suffix=".tokens") as f:
            f.write("sesame-7\n")
            f.flush()
            server = Server("--token-file", f.name)
            try:
                for path, headers in (
                    ("/changes", {}),
                    ("/changes?access_token=wrong", {}),
                    ("/changes?access_token=sesame-7", {"Authorization": "Bearer wrong"}),
                ):
                    with self.assertRaises(Refused) as e:
                        WebSocket(server.port, path, headers=headers)
                    self.assertEqual(e.exception.status, 401)
                ws = WebSocket(server.port, "/changes?access_token=sesame-7")
                self.assertEqual(ws.next()["event"], "ready")
                self.assertTrue(ws.close())
                ws = WebSocket(server.port, "/ingest", headers={"Authorization": "Bearer sesame-7"})
                self.assertTrue(ws.close())
                # nowhere else is a token in the address taken
                self.assertEqual(server.get("/digitaltwins/x?access_token=sesame-7").status, 401)
            finally:
                server.stop()
                self.assertNotIn("sesame-7", server.log)
                server.close()

    def test_stopping_says_so(self):
        server = Server()
        sockets = [WebSocket(server.port, "/changes") for _ in range(5)] + [WebSocket(server.port, "/ingest")]
        for ws in sockets[:5]:
            ws.next()
        server.child.terminate()
        for ws in sockets:
            while ws.next() is not None:
                pass
            self.assertEqual(ws.closed[0], 1001)
            ws.drop()
        server.close()


class Ingest(Case):
    def test_answers_come_in_order_and_say_what_became_of_it(self):
        for i in range(10):
            self.put("i%d" % i)
        ws = self.open("/ingest?source=line")
        bodies = []
        r = random.Random(7)
        for k in range(300):  # more than may be under way; some so long that a worker parses them
            n = 2000 if k % 50 == 7 else r.randrange(1, 20)
            bodies.append(n)
            ws.send(lines([("i%d" % r.randrange(12), "v", r.random()) for _ in range(n)]))
        last = 0
        for k, n in enumerate(bodies):
            a = ws.next()
            self.assertEqual(a["n"], k + 1)
            if "error" in a:
                continue
            self.assertEqual(a["accepted"] + a["rejected"], n)
            self.assertTrue(all(e["code"] == "DigitalTwinNotFound" for e in a["errors"]))
            self.assertGreaterEqual(a["seq"], last)
            last = a["seq"]
        ws.send("not json")
        a = ws.next()
        self.assertEqual((a["n"], a["rejected"], len(a["errors"])), (301, 1, 1))
        ws.send("")
        self.assertEqual(ws.next()["n"], 302)
        self.assertTrue(ws.close())

    def test_csv(self):
        """Each message is a CSV text of its own, header and all."""
        self.put("c1")
        self.put("c2")
        ws = self.open("/ingest?format=csv")
        ws.send("id,property,value\nc1,v,1.5\nc2,v,2.5\n")
        ws.send("id,v\nc1,3.5\nc2,\nnobody,1\n")
        first, second = ws.next(), ws.next()
        self.assertEqual((first["n"], first["accepted"], first["rejected"]), (1, 2, 0))
        self.assertEqual((second["n"], second["accepted"], second["rejected"]), (2, 1, 1))
        values = [self.server.get("/digitaltwins/" + id).json["v"] for id in ("c1", "c2")]
        self.assertEqual(values, [3.5, 2.5])
        self.assertTrue(ws.close())

    def test_a_million_values_through_one_socket(self):
        n, batch = (50_000 if sanitized() else 1_000_000), 1000
        for i in range(100):
            self.put("m%d" % i)
        ws = self.open("/ingest")
        sent = got = accepted = 0
        k = 0
        while got < n // batch:
            if sent < n // batch and sent - got < 40:
                body = []
                for _ in range(batch):
                    body.append('{"id":"m%d","property":"v","value":%d}' % (k % 100, k))
                    k += 1
                ws.send("\n".join(body))
                sent += 1
                continue
            a = ws.next()
            got += 1
            self.assertEqual((a["n"], a["rejected"]), (got, 0))
            accepted += a["accepted"]
        self.assertEqual(accepted, n)
        for i in range(100):
            self.assertEqual(self.server.get("/digitaltwins/m%d" % i).json["v"], n - 100 + i)
        self.assertTrue(ws.close())

    def test_a_client_that_reads_no_answers_is_pushed_back(self):
        self.put("b")
        ws = self.open("/ingest", receive_buffer=4096)
        ws.sock.settimeout(1)
        before = self.server.resident()
        frame = ws.encode("\n" * 60000 + lines([("b", "v", 1)]))
        sent = 0
        try:
            while sent < 400 << 20:
                sent += ws.sock.send(frame)
        except (socket.timeout, BlockingIOError):
            pass
        self.assertLess(sent, 400 << 20)
        self.check_growth(before, 96 << 20)
        ws.drop()
        self.assertTrue(wait_for(lambda: self.streams() == 0))


def query(**filters):
    pairs = [(k, v) for k, vs in filters.items() for v in (vs if isinstance(vs, list) else [vs])]
    return urllib.parse.urlencode(pairs)


class Filters(Case):
    """Every filter gives what a naive client makes of the full stream."""

    SUPER = {"dtmi:w:Pump;1": {"dtmi:w:Pump;1", "dtmi:w:Base;1"}, "dtmi:w:Base;1": {"dtmi:w:Base;1"}}

    def wanted(self, f, c):
        values = lambda k: f[k] if isinstance(f[k], list) else [f[k]]
        if "twin" in f:
            ends = [c.get("target")] if c["op"] in ("link_put", "link_delete") else []
            if c["op"] == "model" or not set([c["twin"]] + ends) & set(values("twin")):
                return False
        if "model" in f and not self.SUPER.get(c.get("model") if c["op"] != "model" else None, set()) & set(
            values("model")
        ):
            return False
        if "property" in f:
            if c["op"] not in ("set", "unset", "link_set", "link_unset"):
                return False
            if not any(c["path"] == p or c["path"].startswith(p + ".") for p in values("property")):
                return False
        if "relationship" in f and c.get("name") not in values("relationship"):
            return False
        return "op" not in f or c["op"] in values("op")

    def act(self, r, k):
        t = "f%d" % r.randrange(6)
        kind = r.randrange(12)
        s = self.server
        if kind < 5:
            self.ingest([("f%d" % r.randrange(6), "v", k + i) for i in range(r.randrange(1, 5))])
        elif kind == 5:
            s.patch("/digitaltwins/" + t, [{"op": "add", "path": "/s", "value": "t%d" % k}])
        elif kind == 6:
            s.patch("/digitaltwins/%s/components/part" % t, [{"op": "add", "path": "/x", "value": k}])
        elif kind == 7:
            s.put("/digitaltwins/%s/relationships/l%d" % (t, r.randrange(3)),
                  {"$relationshipName": r.choice(["feeds", "near"]), "$targetId": "f%d" % r.randrange(6)})
        elif kind == 8:
            s.patch("/digitaltwins/%s/relationships/l%d" % (t, r.randrange(3)),
                    [{"op": "add", "path": "/flow", "value": k}])
        elif kind == 9:
            s.delete("/digitaltwins/%s/relationships/l%d" % (t, r.randrange(3)))
        elif kind == 10:
            s.post("/digitaltwins/%s/telemetry" % t, {"a": k}, headers={"Message-Id": "m%d" % k})
        else:
            name = "g%d" % r.randrange(3)
            if s.delete("/digitaltwins/" + name).status == 404:
                self.put(name, r.choice(["Pump", "Base"]), v=k)

    def test_any_filter_is_the_full_stream_filtered(self):
        seed = int(os.environ.get("SOSIA_SEED", random.randrange(1 << 30)))
        r = random.Random(seed)
        for i in range(6):
            self.put("f%d" % i, "Pump" if i < 4 else "Base")
        filters = [
            {},
            {"twin": "f1"},
            {"twin": ["f0", "f5", "g1"]},
            {"model": "dtmi:w:Base;1"},
            {"model": "dtmi:w:Pump;1"},
            {"model": ["dtmi:w:Pump;1", "dtmi:w:Base;1"], "op": "set"},
            {"property": "v"},
            {"property": "part"},
            {"property": ["part.x", "part", "flow"]},
            {"relationship": "feeds"},
            {"relationship": ["near", "feeds"], "op": ["link_put", "link_set"]},
            {"op": ["twin_put", "twin_delete"]},
            {"op": "telemetry", "twin": "f2"},
            {"property": "flow", "relationship": "feeds"},
            {"twin": ["f1", "f2"], "property": "v"},
            {"model": "dtmi:w:Pump;1", "property": "s"},
            {"where": "STARTS_WITH($dtId, 'f')"},
            {"where": "IS_OF_MODEL('dtmi:w:Pump;1') AND STARTS_WITH($dtId, 'f')", "property": "v"},
        ]
        begun = self.open("/changes")
        start = begun.next()["since"]
        subs = [self.open("/changes?" + query(heartbeat=1, since=start, **f)) for f in filters]
        late = []
        for k in range(150):
            self.act(r, k)
            if k == 75:  # some begin in the middle of it, from the past
                late = [self.open("/changes?" + query(heartbeat=1, since=start, **f)) for f in filters]
        self.put("end")
        full, last = [], start
        while not any(c["op"] == "twin_put" and c["twin"] == "end" for c in (full[-1][1] if full else [])):
            m = begun.next()
            self.assertEqual(m["prev"], last)
            last = m["seq"]
            full.append((m["seq"], m["changes"]))
        for f, ws in list(zip(filters, subs)) + list(zip(filters, late)):
            want = [(s, c) for s, cs in full for c in cs if self.naive(f, c)]
            got, prev = [], ws.next()["since"]
            while prev < last:  # at last a message without changes tells how far it is
                m = ws.next()
                self.assertIsNotNone(m, (f, ws.closed))
                self.assertEqual(m["prev"], prev, (seed, f))
                prev = m["seq"]
                got += [(m["seq"], c) for c in m["changes"]]
            self.assertEqual(got, want, "seed %d, filter %s" % (seed, f))
            ws.close()
        begun.close()

    def naive(self, f, c):
        """The conditions are about what does not change: twins f* stay, and keep their models."""
        rest = {k: v for k, v in f.items() if k != "where"}
        if "where" in f and (c["op"] == "model" or not c["twin"].startswith("f")):
            return False
        if "IS_OF_MODEL" in f.get("where", ""):
            rest["model"] = "dtmi:w:Pump;1"
        return self.wanted(rest, c)

    def test_a_condition_is_looked_at_when_the_change_is_sent(self):
        self.put("c1", v=1)
        self.put("c2", v=100)
        ws = self.open("/changes?" + query(where="v > 10", op="set"))
        prev = ws.next()["since"]
        self.ingest([("c1", "v", 5), ("c2", "v", 50)])
        m = ws.next()
        self.assertEqual([(c["twin"], c["value"]) for c in m["changes"]], [("c2", 50)])
        self.ingest([("c1", "v", 11), ("c2", "v", 9)])
        m = ws.next()
        self.assertEqual([(c["twin"], c["value"]) for c in m["changes"]], [("c1", 11)])
        self.assertTrue(ws.close())

    def test_a_model_that_comes_later(self):
        ws = self.open("/changes?" + query(model="dtmi:w:Base;1", op="twin_put"))
        ws.next()
        new = {"@id": "dtmi:w:Fan;1", "@type": "Interface", "@context": CONTEXT, "extends": "dtmi:w:Pump;1"}
        self.check(self.server.post("/models", [new]), 201)
        self.put("other", "Part")
        self.check(self.server.put("/digitaltwins/fan", {"$metadata": {"$model": "dtmi:w:Fan;1"},
                                                         "part": {"$metadata": {}}}), 200)
        self.assertEqual(ws.next()["changes"][0]["twin"], "fan")
        self.assertTrue(ws.close())


class Latest(Case):
    def test_the_last_value_always_arrives(self):
        for i in range(20):
            self.put("n%d" % i)
        ws = self.open("/changes?mode=latest&rate=20&property=v")
        ws.next()
        final = {}
        for k in range(200):
            values = [("n%d" % (k * 7 % 20), "v", k), ("n%d" % (k % 20), "v", k + 0.5)]
            self.ingest(values)
            final.update({t: v for t, _, v in values})
        seen, messages = {}, 0
        while seen != final:
            m = ws.next()
            messages += 1
            keys = [c["twin"] for c in m["changes"]]
            self.assertEqual(len(keys), len(set(keys)))  # each thing once a message
            seen.update({c["twin"]: c["value"] for c in m["changes"]})
        self.assertLessEqual(messages, 201)
        self.assertTrue(ws.close())

    def test_things_that_come_and_go(self):
        ws = self.open("/changes?mode=latest&rate=1&" + query(twin=["z1", "z2"]))
        ws.next()
        self.put("z1", v=1)
        self.check(self.server.delete("/digitaltwins/z1"), 204)
        self.put("z1", v=2)  # another twin of that name
        self.put("z2", v=3)
        self.check(self.server.delete("/digitaltwins/z2"), 204)
        state = {}
        while state.get("z1", {}).get("v") != 2 or "z2" in state:
            for c in ws.next()["changes"]:
                if c["op"] == "twin_put":
                    state[c["twin"]] = {}
                elif c["op"] == "twin_delete":
                    state.pop(c["twin"], None)
                elif c["op"] == "set":
                    state.setdefault(c["twin"], {})[c["path"]] = c["value"]
        self.assertTrue(ws.close())

    def test_a_slow_client_may_choose_to_conflate(self):
        for i in range(10):
            self.put("q%d" % i)
        ws = self.open("/changes?slow=conflate&property=s", receive_buffer=4096)
        last, text, final = ws.next()["since"], "y" * 2000, {}
        for k in range(40):
            values = [("q%d" % (i % 10), "s", "%s%d" % (text, k * 100 + i)) for i in range(100)]
            self.ingest(values)
            final.update({t: v for t, _, v in values})
        seen, changes = {}, 0
        while seen != final:
            m = ws.next()
            self.assertIsNotNone(m, ws.closed)
            self.assertEqual(m["prev"], last)
            last = m["seq"]
            changes += len(m["changes"])
            seen.update({c["twin"]: c["value"] for c in m["changes"]})
        self.assertLess(changes, 4000)  # much was left out
        self.ingest([("q1", "s", "plain"), ("q1", "s", "again")])  # and then it gets everything again
        got = []
        while len(got) < 2:
            got += [c["value"] for c in ws.next()["changes"]]
        self.assertEqual(got, ["plain", "again"])
        self.assertTrue(ws.close())


class Snapshots(Case):
    def test_values_first_then_changes_without_a_gap(self):
        for i in range(30):
            self.put("s%d" % i, v=i, s="x")
        values = {}
        ws = self.open("/changes?snapshot=true&property=v&model=dtmi:w:Pump;1")
        self.ingest([("s%d" % i, "v", 1000 + i) for i in range(30)])
        prev, done = ws.next()["since"], False
        while not done or any(v < 1000 for v in values.values()):
            m = ws.next()
            self.assertEqual(m["prev"], prev)
            prev = m["seq"]
            done |= m.get("snapshot", False) and not m.get("more")
            for c in m["changes"]:
                self.assertEqual((c["op"], c["path"]), ("set", "v"))
                values[c["twin"]] = c["value"]
        self.assertEqual(values, {"s%d" % i: 1000 + i for i in range(30)})
        self.assertTrue(ws.close())

    def test_a_large_one_under_fire(self):
        """A table kept by the client equals the world's at the end, whatever was written meanwhile."""
        n = 2500  # more than two pages
        body = ['{"Section":"Header"}', '{"fileVersion":"1.0.0","author":"t","organization":"t"}']
        body += ['{"Section":"Twins"}']
        body += [json.dumps({"$dtId": "u%d" % i, "$metadata": {"$model": "dtmi:w:Base;1"}, "v": i}) for i in range(n)]
        self.check(self.server.post("/import", "\n".join(body), version=None), 200)
        ws = self.open("/changes?snapshot=true&property=v&where=" + urllib.parse.quote("STARTS_WITH($dtId,'u')"))
        final = {}
        for k in range(20):
            values = [("u%d" % ((k * 131 + i * 17) % n), "v", -(k * 100 + i + 1)) for i in range(100)]
            self.ingest(values)
            final.update({t: v for t, _, v in values})
        state, prev, snapshot = {}, ws.next()["since"], True
        want = {"u%d" % i: final.get("u%d" % i, i) for i in range(n)}
        while state != want:
            m = ws.next()
            self.assertEqual(m["prev"], prev)
            prev = m["seq"]
            if not m.get("snapshot"):
                snapshot = False
            self.assertEqual(bool(m.get("snapshot")), snapshot)  # never again behind the first change
            state.update({c["twin"]: c["value"] for c in m["changes"]})
        self.assertTrue(ws.close())


class Restart(ServerCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_resuming_over_a_restart(self):
        path = os.path.join(self.folder.name, "r.sosia")
        server = Server(data=path)
        self.check(server.post("/models", MODELS), 201)
        self.check(server.put("/digitaltwins/r", twin()), 200)
        ws = WebSocket(server.port, "/changes?property=v")
        last, got, k = ws.next()["since"], [], 0
        for round in range(3):
            for _ in range(50):
                self.check(server.post("/ingest", lines([("r", "v", k)]), version=None), 200)
                k += 1
            while len(got) < k - 25:  # the rest is read after the restart
                m = ws.next()
                self.assertEqual(m["prev"], last)
                last = m["seq"]
                got += [c["value"] for c in m["changes"]]
            ws.drop()
            if round == 1:
                server.kill()
            else:
                self.assertEqual(server.stop(), 0)
            server.stderr.close()
            server.child.stdout.close()
            server = Server(data=path)
            ws = WebSocket(server.port, "/changes?property=v&since=%d" % last)
            self.assertEqual(ws.next()["since"], last)
        self.check(server.post("/ingest", lines([("r", "v", k)]), version=None), 200)
        while len(got) < k + 1:
            m = ws.next()
            self.assertEqual(m["prev"], last)
            last = m["seq"]
            got += [c["value"] for c in m["changes"]]
        self.assertEqual(got, list(range(k + 1)))
        ws.drop()
        server.close()


class Crowd(Case):
    def test_a_thousand_listen_and_a_thousand_sleep(self):
        """Those that sleep cost neither the writer nor the listeners anything, and little memory."""
        count = 100 if sanitized() else 1000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2 * count + 200:
            self.skipTest("%d descriptors are too few" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * count + 200), hard))
        for i in range(count):
            self.put("k%d" % i, "Base")
        text = "z" * 500
        values = lambda k: [("k%d" % i, "v", k) for i in range(count)]
        fat = lambda k: [("k%d" % i, "s", text + str(k)) for i in range(count)]
        self.ingest(fat(0))
        before = self.server.resident()
        asleep = [self.open("/changes?op=set", receive_buffer=4096) for _ in range(count)]
        awake = [self.open("/changes?property=v&twin=k%d" % i) for i in range(count)]
        rounds = 20
        for k in range(rounds):
            self.ingest(values(k))
            if k % 2:
                self.ingest(fat(k))
        for i, ws in enumerate(awake):
            prev, got = ws.next()["since"], []
            while len(got) < rounds:
                m = ws.next()
                self.assertEqual(m["prev"], prev)
                prev = m["seq"]
                got += [c["value"] for c in m["changes"]]
            self.assertEqual(got, list(range(rounds)), i)
        self.assertEqual(self.streams(), 2 * count)
        self.check_growth(before, 700 << 20)
        ws = asleep[0]  # one wakes up and has missed nothing
        prev, got = ws.next()["since"], 0
        while got < rounds * count + rounds // 2 * count:
            m = ws.next()
            self.assertIsNotNone(m, ws.closed)
            self.assertIn(m["prev"], (prev, m["seq"]))
            prev = m["seq"]
            got += len(m["changes"])
        self.assertEqual(got, rounds * count + rounds // 2 * count)
        for ws in asleep + awake:
            ws.drop()
        self.assertTrue(wait_for(lambda: self.streams() == 0))


if __name__ == "__main__":
    main()
