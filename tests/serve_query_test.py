# SPDX-License-Identifier: Apache-2.0
"""POST /query: shapes, headers and errors of the REST dialect, pages of one instant, continuation with the text,
without it and twice, worlds, freshness over HTTP, and a server that stops while questions run."""

import json
import socket
import struct
import threading
import time

from serve_lib import Server, ServerCase, main, wait_for

CONTEXT = "dtmi:dtdl:context;2"
MODELS = [
    {
        "@id": "dtmi:q:Room;1",
        "@type": "Interface",
        "@context": CONTEXT,
        "contents": [
            {"@type": "Property", "name": "temp", "schema": "double"},
            {"@type": "Property", "name": "n", "schema": "integer"},
            {"@type": "Property", "name": "name", "schema": "string"},
            {"@type": "Relationship", "name": "contains"},
        ],
    },
    {
        "@id": "dtmi:q:Desk;1",
        "@type": "Interface",
        "@context": CONTEXT,
        "contents": [{"@type": "Property", "name": "n", "schema": "integer"}],
    },
]


def fill(server, rooms, world="", first=0):
    lines = ['{"Section":"Twins"}'] + [
        json.dumps({"$dtId": "r%d" % i, "$metadata": {"$model": "dtmi:q:Room;1"}, "temp": i + 0.5, "n": i})
        for i in range(first, first + rooms)
    ]
    reply = server.post(world + "/import", "\n".join(lines))
    assert reply.status == 200 and reply.json["rejected"] == 0, reply


class QueryCase(ServerCase):
    rooms = 250

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.post("/models", MODELS)
        fill(cls.server, cls.rooms)
        cls.server.put("/digitaltwins/d1", {"$metadata": {"$model": "dtmi:q:Desk;1"}, "n": 1})
        cls.server.put("/digitaltwins/r0/relationships/c1", {"$relationshipName": "contains", "$targetId": "d1"})

    def query(self, text=None, token=None, world="", size=None, version="2023-10-31", server=None, **more):
        body = dict(more)
        if text is not None:
            body["query"] = text
        if token is not None:
            body["continuationToken"] = token
        headers = {"max-items-per-page": str(size)} if size else {}
        return (server or self.server).post(world + "/query", body, headers=headers, version=version)

    def rows(self, text, size=None, world="", alone=False):
        """All rows and the number of pages."""
        rows, pages, token = [], 0, None
        while True:
            reply = self.check(self.query(text if not (alone and token) else None, token, world, size), 200)
            rows += reply.json["value"]
            pages += 1
            token = reply.json["continuationToken"]
            if not token:
                return rows, pages


class Answers(QueryCase):
    def test_a_page(self):
        reply = self.check(self.query("SELECT * FROM DIGITALTWINS T WHERE T.$dtId = 'r1'"), 200)
        self.assertEqual(set(reply.json), {"value", "continuationToken"})
        self.assertIsNone(reply.json["continuationToken"])
        self.assertEqual(reply.json["value"], [self.server.get("/digitaltwins/r1").json])
        self.assertGreater(float(reply.header("query-charge")), 0)
        self.assertGreater(int(reply.header("sosia-sequence")), 0)
        self.assertTrue(reply.header("content-type").startswith("application/json"))

    def test_shapes_of_rows(self):
        def rows(text):
            return self.check(self.query(text), 200).json["value"]

        self.assertEqual(rows("SELECT COUNT() FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:q:Room;1')"),
                         [{"COUNT": self.rooms}])
        self.assertEqual(rows("SELECT T.n, T.$dtId AS id FROM DIGITALTWINS T WHERE T.n = 7"), [{"n": 7, "id": "r7"}])
        twin = self.server.get("/digitaltwins/d1").json
        link = self.server.get("/digitaltwins/r0/relationships/c1").json
        self.assertEqual(rows("SELECT D, R FROM DIGITALTWINS T JOIN D RELATED T.contains R WHERE T.$dtId = 'r0'"),
                         [{"D": twin, "R": link}])
        self.assertEqual(rows("SELECT * FROM RELATIONSHIPS WHERE $targetId = 'd1'"), [link])
        self.assertEqual(rows("SELECT b.$dtId FROM DIGITALTWINS MATCH (a)-[:contains]->(b) WHERE a.$dtId = 'r0'"),
                         [{"$dtId": "d1"}])
        self.assertEqual(rows("SELECT T.name FROM DIGITALTWINS T WHERE T.$dtId = 'r3'"), [{}])
        self.assertEqual(rows("SELECT SUM(T.n) AS s FROM DIGITALTWINS T WHERE IS_OF_MODEL('dtmi:q:Room;1')"),
                         [{"s": sum(range(self.rooms))}])

    def test_dialects(self):
        old = self.check(self.query("SELECT * FROM DIGITALTWINS WHERE $dtId = 'r1'", version="2020-10-31"), 200)
        self.assertEqual(old.json["value"], [self.server.get("/digitaltwins/r1", version="2020-10-31").json])
        self.check(self.query("SELECT * FROM DIGITALTWINS", version=None), 400, "MissingApiVersionParameter")

    def test_errors(self):
        r = self.check(self.query("foo"), 400, "SqlQueryError")
        self.assertTrue(r.json["error"]["message"].startswith(
            "SQL query parse failed: SQL Parser Error, Line=1, Position=0, Message="), r)
        r = self.check(self.query("SELECT * FROM DIGITALTWINS\nWHERE n = "), 400, "SqlQueryError")
        self.assertIn("Line=2", r.json["error"]["message"])
        self.check(self.query("SELECT * FROM DIGITALTWINS WHERE " + "n = 1 AND " * 2000 + "n = 1"), 400)
        self.check(self.query(), 400, "BadRequest")
        self.check(self.query(text=""), 400, "BadRequest")
        for body in ("", "x", "[]", '{"query":5}', '{"query":"SELECT * FROM DIGITALTWINS","continuationToken":[]}'):
            self.check(self.server.post("/query", body), 400, "BadRequest")
        self.check(self.server.post("/query", '{"query":"' + "x" * 200000 + '"}'), 413, "PayloadTooLarge")
        self.check(self.query("SELECT * FROM DIGITALTWINS", world="/worlds/none"), 404, "WorldNotFound")
        for size in ("0", "-1", "x"):
            self.check(self.query("SELECT * FROM DIGITALTWINS", size=size), 400, "InvalidArgument")
        for token in ("x", "{}", "q" + "0" * 32 + "-64"):
            r = self.check(self.query("SELECT * FROM DIGITALTWINS", token), 400, "BadRequest")
            self.assertIn("gone", r.json["error"]["message"])

    def test_explain(self):
        reply = self.check(self.query("SELECT * FROM DIGITALTWINS", explain=True), 200)
        self.assertEqual(reply.json["value"], [])
        self.assertIsNone(reply.json["continuationToken"])
        self.assertTrue(reply.json["plan"]["plan"])
        self.assertTrue(reply.json["plan"]["text"])
        word = self.check(self.query("EXPLAIN SELECT * FROM DIGITALTWINS"), 200)
        self.assertTrue(word.json["plan"]["plan"])

    def test_columns(self):
        for text, names in (("SELECT $dtId, nothing, temp AS t FROM DIGITALTWINS", ["$dtId", "nothing", "t"]),
                            ("SELECT COUNT() FROM DIGITALTWINS WHERE temp > 1e9", ["COUNT"]),
                            ("SELECT * FROM DIGITALTWINS", []), ("SELECT T FROM DIGITALTWINS T", [])):
            self.assertEqual(self.check(self.query(text, columns=True), 200).json["columns"], names)
            self.assertNotIn("columns", self.query(text).json)

    def test_notes(self):
        reply = self.check(self.query("SELECT * FROM DIGITALTWINS T WHERE T.tmp > 5"), 200)
        self.assertEqual(reply.json["value"], [])
        self.assertTrue(any("temp" in note for note in reply.json["notes"]), reply)

    def test_metrics(self):
        self.query("SELECT * FROM DIGITALTWINS")
        text = self.server.get("/metrics", version=None).body.decode()
        values = dict(line.split(" ") for line in text.splitlines() if line.startswith("sosia_queries_"))
        self.assertGreater(float(values["sosia_queries_total"]), 0)
        for name in ("failed", "refused", "slow", "running", "waiting", "rows_looked_at", "time_ns", "cursors",
                     "cursor_bytes", "snapshots", "cache_bytes", "cache_hits"):
            self.assertIn("sosia_queries_" + name, values)


class Units(ServerCase):
    def test_too_many_models_meet(self):
        """Values with units of more combinations of models than are looked at are refused, never summed wrongly."""
        def model(i):
            power = {"@type": ["Property", "Power"], "name": "p", "schema": "double",
                     "unit": ("watt", "kilowatt")[i % 2]}
            plain = {"@type": "Property", "name": "n", "schema": "double"}
            return {"@id": "dtmi:u:M%d;1" % i, "@type": "Interface", "@context": "dtmi:dtdl:context;2",
                    "contents": [power, plain, {"@type": "Relationship", "name": "near"}]}
        self.check(self.server.post("/models", [model(i) for i in range(70)]), 201)
        for i in range(70):
            twin = {"$metadata": {"$model": "dtmi:u:M%d;1" % i}, "p": 1, "n": 1}
            self.check(self.server.put("/digitaltwins/t%d" % i, twin), 200)
        ask = ("SELECT SUM(IF(IS_OF_MODEL(a, 'dtmi:u:M0;1'), a.%s, IF(IS_OF_MODEL(b, 'dtmi:u:M1;1'), b.%s, 0))) AS s "
               "FROM DIGITALTWINS MATCH (a)-[:near]->(b)")
        refused = self.check(self.server.post("/query", {"query": ask % ("p", "p")}), 400, "SqlQueryError")
        self.assertIn("choose models by IS_OF_MODEL", refused.json["error"]["message"])
        self.check(self.server.post("/query", {"query": ask % ("n", "n")}), 200)


class Pages(QueryCase):
    rooms = 6200

    def test_all_pages(self):
        text = "SELECT T.$dtId FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:q:Room;1')"
        for size, pages in ((None, 62), (1000, 7), (5000, 7), (900, 7)):
            for alone in (False, True):
                rows, n = self.rows(text, size, alone=alone)
                self.assertEqual([r["$dtId"] for r in rows], ["r%d" % i for i in range(self.rooms)])
                self.assertEqual(n, pages)

    def test_an_empty_or_full_last_page(self):
        rows, pages = self.rows("SELECT TOP(200) T.n FROM DIGITALTWINS T", 100)
        self.assertEqual((len(rows), pages), (200, 2))
        self.assertEqual(self.rows("SELECT T.n FROM DIGITALTWINS T WHERE T.n < 0", 100), ([], 1))

    def test_one_instant(self):
        text = "SELECT T.$dtId, T.temp FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:q:Room;1')"
        before, _ = self.rows(text, 1000)
        page = self.query(text, size=1000)
        after = list(page.json["value"])
        while page.json["continuationToken"]:
            lines = [json.dumps({"id": "r%d" % i, "property": "temp", "value": -1.0}) for i in range(0, self.rooms, 7)]
            self.check(self.server.post("/ingest", "\n".join(lines)), 200)
            page = self.check(self.query(token=page.json["continuationToken"], size=1000), 200)
            after += page.json["value"]
        self.assertEqual(before, after)
        now, _ = self.rows(text, 1000)
        self.assertEqual(sum(r["temp"] == -1.0 for r in now), len(range(0, self.rooms, 7)))
        lines = [json.dumps({"id": "r%d" % i, "property": "temp", "value": i + 0.5}) for i in range(0, self.rooms, 7)]
        self.check(self.server.post("/ingest", "\n".join(lines)), 200)

    def test_the_same_token_twice(self):
        text = "SELECT T.n FROM DIGITALTWINS T"
        first = self.query(text, size=500)
        token = first.json["continuationToken"]
        second = self.query(text, token, size=500)
        self.assertEqual(self.query(text, token, size=500).body, second.body)
        third = self.query(None, second.json["continuationToken"], size=500)
        self.assertEqual(self.query(None, token, size=500).body, second.body)
        self.assertEqual(self.query(None, second.json["continuationToken"], size=500).body, third.body)
        self.check(self.query("SELECT T.m FROM DIGITALTWINS T", token), 400, "BadRequest")

    def test_a_world_that_is_dropped(self):
        self.check(self.server.post("/worlds", {"name": "w"}, version=None), 201)
        fill(self.server, 10, "/worlds/w", self.rooms)
        text = "SELECT COUNT() FROM DIGITALTWINS T WHERE IS_OF_MODEL(T, 'dtmi:q:Room;1')"
        self.assertEqual(self.rows(text, world="/worlds/w")[0], [{"COUNT": self.rooms + 10}])
        self.assertEqual(self.rows(text)[0], [{"COUNT": self.rooms}])
        page = self.query("SELECT T.n FROM DIGITALTWINS T", world="/worlds/w")
        token = page.json["continuationToken"]
        self.check(self.query(None, token), 400, "BadRequest")
        self.check(self.query(None, token, "/worlds/w"), 200)
        self.check(self.server.delete("/worlds/w", version=None), 204)
        self.check(self.query(None, token, "/worlds/w"), 400, "BadRequest")
        self.check(self.query("SELECT T.n FROM DIGITALTWINS T", world="/worlds/w"), 404, "WorldNotFound")


class Fresh(QueryCase):
    """Whoever has the acknowledgement of a write sees it in the next answer, whatever else goes on."""

    rooms = 3000
    clients, writes = 8, 40

    def client(self, i, failures):
        connection = self.server.connect()
        for k in range(1, self.writes + 1):
            patch = [{"op": "add", "path": "/n", "value": i * 1000000 + k}]
            headers = {"Content-Type": "application/json-patch+json"}
            reply = self.server.ask("PATCH", "/digitaltwins/r%d" % i, json.dumps(patch), headers, connection=connection)
            text = ["SELECT T.n FROM DIGITALTWINS T WHERE T.$dtId = 'r%d'" % i,
                    "SELECT T.n FROM DIGITALTWINS T WHERE T.n = %d" % (i * 1000000 + k),
                    "SELECT MAX(T.n) AS n FROM DIGITALTWINS T WHERE T.n >= %d AND T.n < %d"
                    % (i * 1000000, (i + 1) * 1000000)][k % 3]
            seen = self.server.ask("POST", "/query", {"query": text}, connection=connection)
            if reply.status != 204 or seen.status != 200 or seen.json["value"] != [{"n": i * 1000000 + k}]:
                failures.append((text, reply, seen))
                break
            if int(seen.header("sosia-sequence")) < int(reply.header("sosia-sequence")):
                failures.append(("sequence", reply, seen))
        connection.close()

    def test_acknowledged_is_seen(self):
        failures, stop = [], threading.Event()

        def load():
            k = 0
            connection = self.server.connect()
            while not stop.is_set():
                k += 1
                lines = [json.dumps({"id": "r%d" % i, "property": "temp", "value": float(k)})
                         for i in range(100, self.rooms)]
                self.server.ask("POST", "/ingest", "\n".join(lines), connection=connection)
            connection.close()

        loader = threading.Thread(target=load)
        loader.start()
        threads = [threading.Thread(target=self.client, args=(i, failures)) for i in range(1, self.clients + 1)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        stop.set()
        loader.join()
        self.assertEqual(failures, [])


class Ends(QueryCase):
    rooms = 100

    def test_slow_questions_are_logged(self):
        server = Server("--slow-query", "1ns")
        self.query("SELECT * FROM DIGITALTWINS WHERE secret = 1", server=server)
        self.assertTrue(wait_for(lambda: "secret = 1" in server.log))
        server.close()
        server = Server("--slow-query", "off")
        self.query("SELECT * FROM DIGITALTWINS WHERE secret = 1", server=server)
        self.assertNotIn("secret", server.log)
        server.close()

    def test_stop_with_open_cursors(self):
        server = Server()
        server.post("/models", MODELS)
        fill(server, 6200)
        page = self.check(self.query("SELECT * FROM DIGITALTWINS", server=server), 200)
        self.assertTrue(page.json["continuationToken"])
        server.close()

    # Over a graph of `dense`: minutes of work.
    LONG = ("SELECT COUNT() FROM DIGITALTWINS A JOIN B RELATED A.contains JOIN C RELATED B.contains "
            "JOIN D RELATED C.contains JOIN E RELATED D.contains")

    def dense(self, *options):
        server = Server(*options)
        server.post("/models", MODELS)
        fill(server, 3000)
        lines = ['{"Section":"Relationships"}'] + [
            json.dumps({"$sourceId": "r%d" % i, "$relationshipId": "x%d" % k, "$relationshipName": "contains",
                        "$targetId": "r%d" % ((i * 31 + k * 7 + 1) % 3000)})
            for i in range(3000) for k in range(30) if (i * 31 + k * 7 + 1) % 3000 != i
        ]
        self.check(server.post("/import", "\n".join(lines)), 200)
        return server

    def test_a_question_that_takes_too_long(self):
        server = self.dense("--query-timeout", "3s")
        reply = self.check(self.query(self.LONG, server=server), 400, "TimeoutError")
        self.assertIn("longer than allowed", reply.json["error"]["message"])
        self.check(self.query("SELECT COUNT() FROM DIGITALTWINS", server=server), 200)
        server.close()

    def leaver(self, server, text):
        """A socket that asked."""
        body = json.dumps({"query": text})
        s = server.socket()
        s.sendall(("POST /query?api-version=2023-10-31 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json"
                   "\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)).encode())
        return s

    def running(self, server):
        lines = server.get("/metrics", version=None).body.decode().splitlines()
        return int(next(line for line in lines if line.startswith("sosia_queries_running ")).split()[1])

    def test_a_client_that_leaves(self):
        server = self.dense("--query-timeout", "1h")  # only cancelling ends LONG
        few = "SELECT COUNT() FROM DIGITALTWINS A JOIN B RELATED A.contains JOIN C RELATED B.contains"
        edges = [[(i * 31 + k * 7 + 1) % 3000 for k in range(30)] for i in range(3000)]
        edges = [[t for t in targets if t != i] for i, targets in enumerate(edges)]
        paths = [{"COUNT": sum(len(edges[t]) for targets in edges for t in targets)}]

        closed, broken, half = (self.leaver(server, self.LONG) for _ in range(3))
        self.assertTrue(wait_for(lambda: self.running(server) == 3))
        closed.close()
        broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        broken.close()
        half.shutdown(socket.SHUT_WR)
        self.check(self.query("SELECT * FROM DIGITALTWINS T WHERE T.$dtId = 'r1'", server=server), 200)
        self.assertTrue(wait_for(lambda: self.running(server) == 0))
        answer = half.makefile("rb").read()
        half.close()
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
        self.assertIn(b"closed from the other side", answer)

        # Who stays gets a slow answer, and so does in time who only said that nothing more comes.
        self.assertEqual(self.check(self.query(few, server=server), 200).json["value"], paths)
        stays = self.leaver(server, self.LONG)
        self.assertTrue(wait_for(lambda: self.running(server) == 1))
        half = self.leaver(server, "SELECT COUNT() FROM DIGITALTWINS")
        half.shutdown(socket.SHUT_WR)
        self.assertTrue(half.makefile("rb").read().startswith(b"HTTP/1.1 200 "))
        half.close()
        self.assertTrue(wait_for(lambda: self.running(server) == 1))
        stays.close()
        self.assertTrue(wait_for(lambda: self.running(server) == 0))
        self.assertTrue(server.alive())
        server.close()

    def test_stop_while_a_question_runs(self):
        server = self.dense()
        replies = []

        def ask():
            try:
                replies.append(self.query(self.LONG, server=server))
            except OSError:  # the connection was cut
                replies.append(None)

        asker = threading.Thread(target=ask)
        asker.start()
        self.assertTrue(wait_for(lambda: b"sosia_queries_running 1" in server.get("/metrics", version=None).body))
        start = time.monotonic()
        server.close()
        self.assertLess(time.monotonic() - start, 40)  # it would run for minutes
        asker.join()
        self.assertTrue(replies[0] is None or replies[0].status in (400, 503), replies)


if __name__ == "__main__":
    main()
