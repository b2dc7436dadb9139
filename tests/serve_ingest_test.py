# SPDX-License-Identifier: Apache-2.0
"""POST /ingest: NDJSON and CSV, packed or not, what is late or said twice, and bodies that are not what they say."""

import gzip
import json

from serve_lib import Server, ServerCase, main

MODEL = [
    {
        "@id": "dtmi:i:T;1",
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;2",
        "contents": [
            {"@type": "Property", "name": "v", "schema": "double"},
            {"@type": "Property", "name": "s", "schema": "string"},
            {"@type": "Property", "name": "n", "schema": "integer"},
        ],
    }
]
CSV = "text/csv; charset=utf-8"


def line(id, property, value, time=None):
    return json.dumps({"id": id, "property": property, "value": value, "time": time}) + "\n"


class Ingest(ServerCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.server.post("/models", MODEL)
        for i in range(4):
            cls.server.put("/digitaltwins/t%d" % i, {"$metadata": {"$model": "dtmi:i:T;1"}})

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def send(self, body, type="application/x-ndjson", coding=None, status=200, path="/ingest"):
        headers = {"Content-Type": type}
        if coding:
            headers["Content-Encoding"] = coding
        return self.check(self.server.post(path, body, headers=headers, version=None), status)

    def twin(self, id):
        return self.server.get("/digitaltwins/" + id).json

    def test_late_and_twice(self):
        at = "2024-01-01T00:00:0%dZ"
        body = line("t0", "v", 1, at % 5) + line("t0", "v", 2, at % 4) + line("t0", "v", 1, at % 5)
        body += line("t0", "v", 3, at % 5) + line("t0", "v", 9, "2100-01-01T00:00:00Z")
        got = self.send(body).json
        self.assertEqual(
            got, {"accepted": 5, "rejected": 0, "late": 2, "duplicates": 1, "errors": []}
        )
        self.assertEqual(self.twin("t0")["v"], 3)
        text = self.server.get("/metrics", version=None).body.decode()
        self.assertRegex(text, r"(?m)^sosia_late(_total)? [2-9]")
        self.assertRegex(text, r"(?m)^sosia_duplicates(_total)? [1-9]")

    def test_csv(self):
        got = self.send("id,property,value,time\nt1,v,1.5,2024-01-01T00:00:00Z\nt1,s,7,\nt1,n,x,\n", CSV).json
        self.assertEqual((got["accepted"], got["rejected"], got["errors"][0]["line"]), (2, 1, 4))
        got = self.send("id,v,s,n\r\nt2,2,,3\r\nt3,,\"a\r\nb\",\r\n", CSV).json
        self.assertEqual((got["accepted"], got["rejected"]), (3, 0))
        self.assertEqual((self.twin("t1")["v"], self.twin("t1")["s"]), (1.5, "7"))
        self.assertEqual((self.twin("t2")["v"], self.twin("t2")["n"], self.twin("t3")["s"]), (2, 3, "a\r\nb"))
        self.assertEqual(self.send("t1,v,1\n", CSV, status=400).code, "InvalidArgument")

    def test_gzip(self):
        body = "".join(line("t%d" % (i % 4), "n", i) for i in range(20000)).encode()
        packed = gzip.compress(body)
        for coding in ("gzip", "GZIP", "x-gzip"):
            got = self.send(packed, coding=coding).json
            self.assertEqual((got["accepted"], got["rejected"]), (20000, 0))
        self.assertEqual(self.twin("t3")["n"], 19999)
        self.send(body, coding="identity")
        got = self.send(gzip.compress(b"id,n\nt0,5\n"), CSV, coding="gzip").json
        self.assertEqual(got["accepted"], 1)
        self.assertEqual(self.twin("t0")["n"], 5)

    def test_bad_gzip(self):
        packed = gzip.compress(line("t0", "v", 1).encode())
        for body in (b"", b"no gzip", packed[:-1], packed[:-5] + b"xxxxx", packed + b"tail"):
            self.assertEqual(self.send(body, coding="gzip", status=400).code, "InvalidArgument")
        self.assertEqual(self.send(packed, coding="br", status=400).code, "NotSupported")
        bomb = gzip.compress(b"\n" * (80 << 20))
        self.assertLess(len(bomb), 1 << 20)
        self.assertEqual(self.send(bomb, coding="gzip", status=413).code, "PayloadTooLarge")
        self.check(self.server.get("/healthz", version=None), 200)

    def test_import_packed(self):
        body = '{"Section":"Twins"}\n{"$dtId":"imp","$metadata":{"$model":"dtmi:i:T;1"},"v":4}\n'
        got = self.send(gzip.compress(body.encode()), coding="gzip", path="/import").json
        self.assertEqual((got["twins"], self.twin("imp")["v"]), (1, 4))


if __name__ == "__main__":
    main()
