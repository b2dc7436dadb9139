# SPDX-License-Identifier: Apache-2.0
"""The feed as server-sent events: completeness by seq and prev, filters, resuming, heartbeats, slow and lost
clients."""

import json
import socket
import time

from serve_lib import Server, ServerCase, main, wait_for

MODEL = [
    {
        "@id": "dtmi:c:T;1",
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;2",
        "contents": [
            {"@type": "Property", "name": "v", "schema": "double"},
            {"@type": "Property", "name": "s", "schema": "string"},
            {
                "@type": "Relationship",
                "name": "r",
                "properties": [{"@type": "Property", "name": "w", "schema": "double"}],
            },
        ],
    }
]
TWIN = {"$metadata": {"$model": "dtmi:c:T;1"}}


class Events:
    """A subscription read through a plain socket; chunked transfer decoded by http.client."""

    def __init__(self, server, query="", world="", headers=None, receive_buffer=0):
        self.connection = server.connect()
        if receive_buffer:
            self.connection.sock = socket.socket()
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.connection.sock.settimeout(120)
            self.connection.sock.connect(("127.0.0.1", server.port))
        self.connection.request("GET", world + "/changes" + query, headers=headers or {})
        self.reply = self.connection.getresponse()
        self.status = self.reply.status

    def next(self):
        """(event name, id, data) of the next event."""
        name, number, data = "message", None, ""
        while True:
            line = self.reply.readline()
            if not line:
                return None
            line = line.decode().rstrip("\n")
            if line == "" and data:
                return name, number, json.loads(data)
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "id":
                number = int(value)
            elif key == "data":
                data += value

    def message(self):
        name, number, data = self.next()
        assert name == "message" and number == (None if data.get("more") else data["seq"]), (name, number)
        return data

    def close(self):
        self.reply.close()
        self.connection.close()


class Changes(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        assert cls.server.post("/models", MODEL).status == 201

    def put(self, name, **values):
        return int(
            self.check(self.server.put("/digitaltwins/" + name, dict(TWIN, **values)), 200).header("sosia-sequence")
        )

    def set(self, name, value):
        return int(
            self.check(
                self.server.patch("/digitaltwins/" + name, [{"op": "add", "path": "/v", "value": value}]), 204
            ).header("sosia-sequence")
        )

    def test_every_kind_of_change_in_order(self):
        feed = Events(self.server)
        self.assertEqual(feed.reply.getheader("content-type"), "text/event-stream")
        name, _, ready = feed.next()
        self.assertEqual((name, ready["world"]), ("ready", "live"))
        s1 = self.put("k1", v=1)
        m = feed.message()
        self.assertEqual((m["seq"], m["prev"]), (s1, ready["since"]))
        self.assertEqual(m["changes"][0], {"op": "twin_put", "twin": "k1", "model": "dtmi:c:T;1"})
        self.assertIn({"op": "set", "twin": "k1", "model": "dtmi:c:T;1", "path": "v", "value": 1}, m["changes"])
        self.assertRegex(m["time"], r"^\d{4}-\d\d-\d\dT.*Z$")
        self.put("k2")
        feed.message()
        steps = [
            (
                lambda: self.server.patch("/digitaltwins/k1", [{"op": "add", "path": "/s", "value": 'a"\n\u00e9'}]),
                {"op": "set", "twin": "k1", "path": "s", "value": 'a"\n\u00e9'},
            ),
            (
                lambda: self.server.patch("/digitaltwins/k1", [{"op": "remove", "path": "/v"}]),
                {"op": "unset", "twin": "k1", "path": "v"},
            ),
            (
                lambda: self.server.put(
                    "/digitaltwins/k1/relationships/l", {"$relationshipName": "r", "$targetId": "k2"}
                ),
                {"op": "link_put", "twin": "k1", "link": "l", "name": "r", "target": "k2"},
            ),
            (
                lambda: self.server.patch(
                    "/digitaltwins/k1/relationships/l", [{"op": "add", "path": "/w", "value": 2}]
                ),
                {"op": "link_set", "twin": "k1", "link": "l", "path": "w", "value": 2},
            ),
            (
                lambda: self.server.patch("/digitaltwins/k1/relationships/l", [{"op": "remove", "path": "/w"}]),
                {"op": "link_unset", "twin": "k1", "link": "l", "path": "w"},
            ),
            (
                lambda: self.server.delete("/digitaltwins/k1/relationships/l"),
                {"op": "link_delete", "twin": "k1", "link": "l"},
            ),
            (
                lambda: self.server.post("/digitaltwins/k1/telemetry", {"a": [1]}, headers={"Message-Id": "m"}),
                {"op": "telemetry", "twin": "k1", "value": {"a": [1]}},
            ),
            (lambda: self.server.delete("/digitaltwins/k2"), {"op": "twin_delete", "twin": "k2"}),
        ]
        last = None
        for act, want in steps:
            reply = act()
            self.assertIn(reply.status, (200, 204), reply)
            m = feed.message()
            found = [c for c in m["changes"] if all(c.get(k) == v for k, v in want.items())]
            self.assertTrue(found, "%s not in %s" % (want, m["changes"]))
            self.assertTrue(last is None or m["prev"] == last)
            last = m["seq"]
        feed.close()

    def test_a_filter_keeps_the_proof(self):
        for name in ("f1", "f2"):
            self.put(name)
        feed = Events(self.server, "?twin=f1")
        last = feed.next()[2]["since"]
        for i in range(20):
            self.set("f2", i)
            self.set("f1", i)
        got = []
        while len(got) < 20:
            m = feed.message()
            self.assertEqual(m["prev"], last)
            last = m["seq"]
            got += [c["value"] for c in m["changes"]]
            self.assertTrue(all(c["twin"] == "f1" for c in m["changes"]))
        self.assertEqual(got, list(range(20)))
        feed.close()

    def test_resuming(self):
        since = self.put("again")
        for i in range(5):
            self.set("again", i)
        for options in ({"query": "?since=%d" % since}, {"headers": {"Last-Event-ID": str(since)}}):
            feed = Events(self.server, **options)
            self.assertEqual(feed.next()[2]["since"], since)
            seen, last = [], since
            while len(seen) < 5:
                m = feed.message()
                self.assertEqual(m["prev"], last)
                last = m["seq"]
                seen += [c["value"] for c in m["changes"]]
            self.assertEqual(seen, list(range(5)))
            feed.close()

    def test_errors(self):
        self.check(self.server.get("/changes?since=x", version=None), 400, "InvalidArgument")
        self.check(self.server.get("/changes?since=-1", version=None), 400, "InvalidArgument")
        self.check(self.server.get("/worlds/none/changes", version=None), 404, "WorldNotFound")

    def test_a_big_batch_comes_in_parts(self):
        for i in range(30):
            self.put("part%d" % i)
        feed = Events(self.server)
        feed.next()
        body = "".join('{"id":"part%d","property":"v","value":%d}\n' % (i % 30, i) for i in range(5000))
        self.check(self.server.post("/ingest?source=test", body, version=None), 200)
        values, last, parts = [], None, 0
        while len(values) < 5000:
            m = feed.message()
            self.assertEqual(m["source"], "test")
            self.assertLessEqual(len(m["changes"]), 1000)
            values += [c["value"] for c in m["changes"]]
            parts += 1
        self.assertEqual(values, list(range(5000)))
        self.assertNotIn("more", m)
        feed.close()

    def test_forks_have_their_own_feed(self):
        self.put("w")
        self.check(self.server.post("/worlds", {"name": "branch"}, version=None), 201)
        feed = Events(self.server, world="/worlds/branch")
        self.assertEqual(feed.next()[2]["world"], "branch")
        self.set("w", 1)
        self.check(self.server.patch("/worlds/branch/digitaltwins/w", [{"op": "add", "path": "/v", "value": 2}]), 204)
        self.assertEqual(feed.message()["changes"][0]["value"], 2)
        feed.close()
        self.check(self.server.delete("/worlds/branch", version=None), 204)

    def test_clients_that_leave_leave_nothing(self):
        before = self.server.descriptors()
        feeds = [Events(self.server) for _ in range(50)]
        self.assertGreaterEqual(self.server.descriptors(), before + 40)
        for f in feeds:
            f.close()
        self.assertTrue(wait_for(lambda: self.server.descriptors() <= before + 1))

    def test_many_subscribers_get_the_same(self):
        self.put("same")
        feeds = [Events(self.server, "?twin=same") for _ in range(40)]
        for f in feeds:
            f.next()
        for i in range(30):
            self.set("same", i)
        for f in feeds:
            seen = []
            while len(seen) < 30:
                seen += [c["value"] for c in f.message()["changes"]]
            self.assertEqual(seen, list(range(30)))
            f.close()


class Ends(ServerCase):
    def test_a_stalled_client_costs_one_buffer_and_is_told(self):
        """It sleeps while the engine's feed passes by, then reads: a cut with its reason is the last event."""
        server = self.server
        self.check(server.post("/models", MODEL), 201)
        self.check(server.put("/digitaltwins/x", TWIN), 200)
        text = "y" * 3000
        body = "".join('{"id":"x","property":"s","value":"%s%d"}\n' % (text, i) for i in range(4000))
        fill = lambda: [self.check(server.post("/ingest", body, version=None), 200) for _ in range(8)]
        fill()  # 96 MB of changes, more than the feed keeps: memory is as large as it gets
        feed = Events(server, receive_buffer=4096)
        feed.next()
        before = server.resident()
        fill()
        self.check_growth(before, 48 << 20)
        last = None
        while True:
            event = feed.next()
            self.assertIsNotNone(event, "ended without a reason; last was %s" % (last,))
            last = event[0]
            if last == "cut":
                self.assertIn("slow", event[2]["reason"])
                break
        self.assertIsNone(feed.next())
        feed.close()

    def test_stopping_ends_the_streams_in_order(self):
        """They do not hold it up as a request in work would, for five seconds; a busy machine gets more tries."""
        best = 60
        for _ in range(5):
            server = Server()
            feed = Events(server)
            feed.next()
            start = time.monotonic()
            self.assertEqual(server.stop(), 0)
            best = min(best, time.monotonic() - start)
            self.assertIsNone(feed.next())
            feed.close()
            server.close()
            if best < 4:
                return
        self.fail("stopping took %.1f s at best" % best)


if __name__ == "__main__":
    main()
