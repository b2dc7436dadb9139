# SPDX-License-Identifier: Apache-2.0
"""What unfriendly or unlucky clients do: garbage, slowness, size, haste, leaving. The server stays, in bounded
memory."""

import json
import os
import random
import re
import socket
import struct
import threading
import time
import unittest

from serve_lib import Server, ServerCase, main, wait_for

TWINS = [
    {
        "@id": "dtmi:r:T;1",
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;2",
        "contents": [
            {"@type": "Property", "name": "v", "schema": "double"},
            {"@type": "Property", "name": "s", "schema": "string"},
        ],
    }
]
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Robust(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        assert cls.server.post("/models", TWINS).status == 201
        assert cls.server.put("/digitaltwins/t", {"$metadata": {"$model": "dtmi:r:T;1"}}).status == 200

    def tearDown(self):
        self.assertTrue(self.server.alive())
        self.check(self.server.get("/digitaltwins/t"), 200)

    def raw(self, data, wait=5, shut=False):
        """Everything the server says to these bytes until it closes or `wait` passes."""
        s = self.server.socket(timeout=wait)
        out = b""
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            while True:
                got = s.recv(65536)
                if not got:
                    break
                out += got
        except (TimeoutError, ConnectionError):
            pass
        finally:
            s.close()
        return out

    def test_garbage(self):
        rng = random.Random(1)
        for i in range(300):
            n = rng.randrange(1, 400)
            kind = i % 4
            if kind == 0:
                data = bytes(rng.randrange(256) for _ in range(n))
            elif kind == 1:
                data = (
                    b"GET /"
                    + bytes(rng.randrange(33, 256) for _ in range(n))
                    + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
                )
            elif kind == 2:
                data = bytearray(
                    b"PUT /digitaltwins/g?api-version=2023-10-31 HTTP/1.1\r\n"
                    b"Host: localhost\r\nContent-Length: 5\r\n\r\nhello"
                )
                for _ in range(3):
                    data[rng.randrange(len(data))] = rng.randrange(256)
                data = bytes(data)
            else:
                data = b"POST /ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % n + bytes(
                    rng.randrange(256) for _ in range(n)
                )
            self.raw(data, wait=0.05, shut=True)

    def test_long_headers(self):
        ok = self.server.get("/digitaltwins/t", headers={"x-long": "a" * 10000})
        self.check(ok, 200)
        big = self.server.get("/digitaltwins/t", headers={"x-long": "a" * 20000})
        self.assertEqual((big.status, big.code), (431, "LimitExceeded"))
        self.assertEqual(self.server.get("/digitaltwins/" + "a" * 15000).status, 404)
        many = {"x-%d" % i: "v" for i in range(150)}
        self.assertEqual(self.server.get("/digitaltwins/t", headers=many).status, 400)
        out = self.raw(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 500000, wait=10)
        self.assertTrue(out == b"" or b" 400 " in out.split(b"\r\n")[0], out[:100])

    def test_oversized_bodies(self):
        out = self.raw(b"PUT /digitaltwins/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
        self.assertIn(b" 413 ", out.split(b"\r\n")[0])
        self.assertEqual(json.loads(out.split(b"\r\n\r\n", 1)[1])["error"]["code"], "PayloadTooLarge")
        chunk = b"%x\r\n" % 65536 + b"x" * 65536 + b"\r\n"
        out = self.raw(
            b"POST /ingest HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 400, wait=10
        )
        self.assertTrue(out == b"" or b" 413 " in out.split(b"\r\n")[0], out[:100])
        for length in [b"-1", b"x", b"1x", b"99999999999999999999999"]:
            out = self.raw(b"POST /ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + length + b"\r\n\r\n")
            self.assertRegex(out.split(b"\r\n")[0], rb" (400|413) ")

    def test_chunked_bodies(self):
        def gen():
            yield b'{"id":"t","property":"v",'
            yield b'"value":12}\n'

        c = self.server.connect()
        c.request("POST", "/ingest", gen(), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(json.loads(c.getresponse().read())["accepted"], 1)
        c.close()
        self.assertEqual(self.server.get("/digitaltwins/t").json["v"], 12)
        for bad in [b"zz\r\n", b"5\r\nabc\r\n0\r\n\r\n", b"ffffffffffffffffffff\r\n"]:
            out = self.raw(
                b"POST /ingest HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + bad,
                wait=1,
                shut=True,
            )
            self.assertNotIn(b" 200 ", out.split(b"\r\n")[0])
        out = self.raw(b"POST /ingest HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n")
        self.assertIn(b" 400 ", out.split(b"\r\n")[0])

    def test_expect_continue(self):
        s = self.server.socket()
        s.sendall(b"POST /ingest HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n")
        self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 100 "))
        s.sendall(b'{"id":"t","property":"v","value":1}     ')
        self.assertIn(b" 200 ", s.recv(4096).split(b"\r\n")[0])
        s.close()

    def test_pipelining(self):
        patch = b'[{"op":"add","path":"/v","value":%d}]'
        data = b""
        for i in range(100):
            body = patch % i
            data += (
                GET + b"PATCH /digitaltwins/t?api-version=2023-10-31 HTTP/1.1\r\n"
                b"Host: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
        data += b"GET /digitaltwins/t?api-version=2023-10-31 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        out = self.raw(data, wait=20)
        self.assertEqual(out.count(b"HTTP/1.1 200 "), 101)
        self.assertEqual(out.count(b"HTTP/1.1 204 "), 100)
        self.assertIn(b'"v":99', out)

    def test_http_1_0_and_absolute_form(self):
        out = self.raw(b"GET /healthz HTTP/1.0\r\n\r\n")
        self.assertIn(b" 200 ", out.split(b"\r\n")[0])
        out = self.raw(b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertIn(b" 200 ", out.split(b"\r\n")[0])
        out = self.raw(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertIn(b" 204 ", out.split(b"\r\n")[0])
        out = self.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.assertNotIn(b"HTTP/2", out)
        out = self.raw(
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
            wait=1,
        )
        self.assertIn(b" 200 ", out.split(b"\r\n")[0])
        for method in [b"TRACE", b"CONNECT", b"BREW", b"get"]:
            out = self.raw(method + b" /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.assertRegex(out.split(b"\r\n")[0], rb" 40[05] ")

    def test_clients_that_leave(self):
        before = self.server.descriptors()
        body = b'[{"op":"add","path":"/v","value":1}]'
        request = (
            b"PATCH /digitaltwins/t?api-version=2023-10-31 HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
            % len(body)
            + body
        )
        for i in range(300):
            s = self.server.socket()
            s.sendall([request, request[:50], request[:-5], GET * 50][i % 4])
            if i % 2:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset
            s.close()
        self.assertTrue(wait_for(lambda: self.server.descriptors() <= before + 1))

    def test_clients_that_do_not_read(self):
        long = "z" * 4000
        for i in range(300):
            self.server.put("/digitaltwins/long%d" % i, {"$metadata": {"$model": "dtmi:r:T;1"}, "s": long})
        before, sockets = self.server.resident(), []
        for _ in range(50):
            s = self.server.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.setblocking(False)
            try:
                for _ in range(20):
                    s.send(b"GET /digitaltwins HTTP/1.1\r\nHost: localhost\r\n\r\n")
            except BlockingIOError:
                pass
            sockets.append(s)
        time.sleep(1)
        self.check_growth(before, 400 << 20)  # one reply each, not twenty
        self.assertEqual(self.server.get("/healthz", version=None).status, 200)
        for s in sockets:
            s.close()

    def test_many_at_once(self):
        errors = []

        def work(k):
            try:
                c = self.server.connect()
                for i in range(100):
                    r = self.server.patch(
                        "/digitaltwins/t", [{"op": "add", "path": "/v", "value": k * 1000 + i}], connection=c
                    )
                    got = self.server.get("/digitaltwins/t", connection=c)
                    if r.status != 204 or got.status != 200:
                        errors.append((r, got))
                c.close()
            except Exception as e:  # noqa: BLE001
                errors.append(e)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(errors, [])

    def test_pages_and_documents(self):
        page = self.server.get("/", version=None)
        self.assertEqual((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", page.header("content-security-policy"))
        for link in re.findall(r'(?:src|href)="(/[^"]*)"', page.body.decode()):
            if link != "/changes":
                self.assertEqual(self.server.get(link, version=None).status, 200, link)
        for path, status in [("/healthz", "ok"), ("/readyz", "ready")]:
            self.assertEqual(self.check(self.server.get(path, version=None), 200).json["status"], status)

    def test_openapi_is_complete_and_true(self):
        doc = self.check(self.server.get("/openapi.json", version=None), 200).json
        schemas = doc["components"]["schemas"]
        refs = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(doc))
        self.assertEqual(set(refs) - set(schemas), set())
        self.assertEqual(set(schemas) - set(refs), set())
        ids = [op["operationId"] for path in doc["paths"].values() for op in path.values()]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertGreater(len(ids), 30)
        for path, operations in doc["paths"].items():
            names = set(re.findall(r"{(\w+)}", path))
            for op in operations.values():
                self.assertEqual(names, {p["name"] for p in op["parameters"] if p["in"] == "path"})
            url = re.sub(r"{\w+}", "none", path)
            reply = self.server.ask("OPTIONS", url, version=None)
            self.assertEqual(reply.status, 204, path)
            self.assertEqual({m.upper() for m in operations} - set(reply.header("allow").split(", ")), set(), path)

    def test_openapi_names_what_is_read(self):
        """Parameters come from the table that handlers are given them by; conditions and what comes of them too."""
        paths = self.check(self.server.get("/openapi.json", version=None), 200).json["paths"]

        def named(method, path, place):
            return {p["name"] for p in paths[path][method]["parameters"] if p["in"] == place}

        self.assertEqual(named("get", "/graph", "query"), {"label", "values", "expression", "twins", "limit", "links"})
        self.assertEqual(named("get", "/diff", "query"),
                         {"against", "model", "twin", "property", "tolerance", "relative", "continuationToken"})
        self.assertEqual(named("get", "/compare", "query"), {"worlds", "kpis", "points", "format"})
        self.assertEqual(named("get", "/changes", "header"), {"Last-Event-ID"})
        conditional = {}
        for path, operations in paths.items():
            for method, op in operations.items():
                parameters = [(p["name"], p["in"]) for p in op["parameters"]]
                self.assertEqual(len(parameters), len(set(parameters)), path)
                conditions = named(method, path, "header") & {"If-Match", "If-None-Match"}
                told = "304" if method == "get" else "412"
                self.assertEqual(bool(conditions), told in op["responses"], (method, path))
                conditional.update({(method, path): conditions} if conditions else {})
        both, etag = {"If-Match", "If-None-Match"}, {"If-Match"}
        twin, link = "/digitaltwins/{id}", "/digitaltwins/{id}/relationships/{sub}"
        self.assertEqual(conditional, {
            ("put", twin): both, ("patch", twin): etag, ("delete", twin): etag, ("put", link): both,
            ("patch", link): etag, ("delete", link): etag, ("patch", "/digitaltwins/{id}/components/{sub}"): etag,
            ("put", "/files/{id}"): both, ("get", "/files/{id}"): {"If-None-Match"},
            ("put", "/connections/{id}"): {"If-None-Match"}})
        json_file = {"If-Match": '"other"', "Content-Type": "application/json"}
        reply = self.server.ask("PUT", "/files/none", b"{}", json_file, version=None)
        self.assertEqual(reply.status, 412, reply)

    def test_metrics(self):
        self.server.get("/digitaltwins/none")
        reply = self.check(self.server.get("/metrics", version=None), 200)
        text = reply.body.decode()
        self.assertTrue(reply.header("content-type").startswith("text/plain; version=0.0.4"))
        samples = {}
        for line in text.splitlines():
            if line.startswith("#"):
                self.assertRegex(line, r"^# (HELP|TYPE) [a-z_:][a-z0-9_:]* .+")
                continue
            m = re.fullmatch(r"([a-z_:][a-z0-9_:]*(?:\{[^}]*\})?) (-?[0-9.eE+-]+|NaN|[+-]Inf)", line)
            self.assertTrue(m, line)
            self.assertNotIn(m.group(1), samples)
            samples[m.group(1)] = float(m.group(2))
        self.assertGreaterEqual(
            samples['sosia_http_requests_total{operation="DigitalTwins_GetById",status="404"}'], 1
        )
        self.assertGreater(samples["process_resident_memory_bytes"], 1 << 20)
        self.assertGreaterEqual(samples["sosia_twins"], 1)
        count = samples['sosia_http_request_duration_seconds_count{operation="DigitalTwins_GetById"}']
        self.assertEqual(
            samples['sosia_http_request_duration_seconds_bucket{operation="DigitalTwins_GetById",le="+Inf"}'], count
        )


class Descriptors(unittest.TestCase):
    def test_running_out_of_them_is_survived(self):
        """Connections wait in the backlog, without a spinning loop, until others end."""
        server = Server(files=60)
        sockets = []
        for _ in range(90):
            s = server.socket()
            s.sendall(GET)
            sockets.append(s)

        def calm():  # a second with little work; a spinning loop never has one
            before = self.cpu(server)
            time.sleep(1)
            return self.cpu(server) - before < 0.3

        self.assertTrue(wait_for(calm))
        for s in sockets[:30]:
            self.assertIn(b" 200 ", s.recv(4096).split(b"\r\n")[0])
        for s in sockets[:30]:
            s.close()
        for s in sockets[30:60]:
            self.assertIn(b" 200 ", s.recv(4096).split(b"\r\n")[0])
        for s in sockets[30:]:
            s.close()
        server.close()

    def cpu(self, server):
        with open("/proc/%d/stat" % server.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stopping(unittest.TestCase):
    def test_requests_in_work_are_finished(self):
        """Everything acknowledged before and during the stop is in the file."""
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "w.sosia")
            server = Server(data=data)
            self.assertEqual(server.post("/models", TWINS).status, 201)
            self.assertEqual(server.put("/digitaltwins/t", {"$metadata": {"$model": "dtmi:r:T;1"}}).status, 200)
            acknowledged = [0]

            def write():
                c = server.connect()
                try:
                    for i in range(1, 100000):
                        if (
                            server.patch(
                                "/digitaltwins/t", [{"op": "add", "path": "/v", "value": i}], connection=c
                            ).status
                            != 204
                        ):
                            return
                        acknowledged[0] = i
                except OSError:
                    pass
                except Exception:  # the connection was closed between two requests
                    pass

            t = threading.Thread(target=write)
            t.start()
            self.assertTrue(wait_for(lambda: acknowledged[0] > 10))
            server.close()
            t.join()
            server = Server(data=data)
            self.assertGreaterEqual(server.get("/digitaltwins/t").json["v"], acknowledged[0])
            server.close()

    def test_a_slow_loris_neither_blocks_nor_delays_the_end(self):
        server = Server()
        sockets = [server.socket() for _ in range(200)]
        for s in sockets:
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-")
        for s in sockets:
            s.sendall(b"a")
        start = time.monotonic()
        self.assertEqual(server.get("/healthz", version=None).status, 200)
        self.assertLess(time.monotonic() - start, 20)  # their requests may take a minute
        start = time.monotonic()
        server.close()
        self.assertLess(time.monotonic() - start, 40)
        for s in sockets:
            s.close()


if __name__ == "__main__":
    main()
