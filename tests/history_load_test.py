#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""Long histories and clients without patience: who leaves ends the work, and who comes when all readers are busy is
told so at once."""
import http.client
import json
import os
import re
import resource
import select
import socket
import struct
import sys
import tempfile
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, Server, until  # noqa: E402

METER = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:test:Meter;1", "@type": "Interface",
         "contents": [{"@type": "Property", "name": "v", "schema": "double"}]}
VALUES = 100000
WAITING = 1024  # requests that may wait for the two readers
LONG = "/digitaltwins/m/history?limit=100000&with=source,arrival"


class Load(Case):
    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 2 * WAITING:
            raise unittest.SkipTest("%d open files are too few" % hard)
        wanted = 4 * WAITING if hard == resource.RLIM_INFINITY else min(hard, 4 * WAITING)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        cls.files = tempfile.TemporaryDirectory()
        cls.server = Server("--http", "127.0.0.1:0", path=os.path.join(cls.files.name, "w.sosia"))
        assert cls.server.http("POST", "/models", [METER])[0] == 201
        assert cls.server.http("PUT", "/digitaltwins/m", {"$metadata": {"$model": METER["@id"]}})[0] == 200
        for part in range(0, VALUES, 50000):
            lines = "".join("m,v,%d.%03d,%d\n" % (i % 977, i % 1000, 1790000000000 + i * 1000)
                            for i in range(part, part + 50000))
            status, _, body = cls.server.http("POST", "/ingest", "id,property,value,time\n" + lines,
                                              {"Content-Type": "text/csv"})
            assert (status, json.loads(body)["rejected"]) == (200, 0), body

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.files.cleanup()

    def ask(self, path=LONG):
        """A socket with that request on its way."""
        at = urllib.parse.urlsplit(self.server.url)
        s = socket.create_connection((at.hostname, at.port), timeout=60 * kit.SLOW)
        s.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path, at.netloc)).encode())
        return s

    def leave(self, s):
        """At once: the connection breaks."""
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()

    def metric(self, name):
        text = self.server.http("GET", "/metrics")[2]
        return int(re.search(r"(?m)^%s (\d+)$" % name, text)[1])

    def alone(self):
        until(lambda: self.metric("sosia_http_connections") <= 1, 60, "the end of all other connections")

    def test_leaving_in_the_middle(self):
        self.alone()
        for read in (0, 1, 100, 10000, 1 << 20):
            s = self.ask()
            got = 0
            while got < read:
                more = len(s.recv(min(65536, read - got)))
                self.assertGreater(more, 0)
                got += more
            self.leave(s)
        self.alone()
        status, _, body = self.server.http("GET", LONG)  # as if nothing had been
        self.assertEqual((status, len(json.loads(body)["value"])), (200, VALUES))

    def test_all_readers_are_busy(self):
        self.alone()
        asked, refused = [], None
        self.addCleanup(lambda: [self.leave(s) for s in asked])
        end = time.monotonic() + 60 * kit.SLOW
        while refused is None and time.monotonic() < end:
            asked += [self.ask() for _ in range(100)]
            poll = select.poll()
            for s in asked[-100:]:
                poll.register(s, select.POLLIN)
            for s in [s for ready in [dict(poll.poll(50))] for s in asked[-100:] if s.fileno() in ready]:
                head = s.recv(4096)
                if head.startswith(b"HTTP/1.1 503"):
                    refused = head.decode()
                    break
            self.assertLess(len(asked), 3 * WAITING, "nobody was refused")
        self.assertGreater(len(asked), WAITING)
        head, _, body = refused.partition("\r\n\r\n")
        self.assertEqual(json.loads(body)["error"]["code"], "ServiceBusy")
        self.assertIn("retry-after: 1", head.lower())
        # What needs no reader is answered meanwhile.
        begun = time.monotonic()
        self.assertEqual(self.server.twin("m")["v"], (VALUES - 1) % 977 + 0.999)
        self.assertLess(time.monotonic() - begun, 10 * kit.SLOW)
        # All leave: what they wanted is not read any more. Reading it all would take more than a minute.
        while asked:
            self.leave(asked.pop())
        begun = time.monotonic()
        answer = lambda: self.server.http("GET", "/digitaltwins/m/history?fn=count")  # noqa: E731
        until(lambda: answer()[0] == 200, 60, "an answer")
        self.assertEqual(json.loads(answer()[2])["value"][0]["count"], VALUES)
        self.assertLess(time.monotonic() - begun, 20 * kit.SLOW)
        self.alone()


if __name__ == "__main__":
    kit.main()
