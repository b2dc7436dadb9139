# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""What happens at bounds of docs/limits.md that only a whole server reaches: the one too many is refused with its code,
what was there stays and works."""
import json

import kit

MODEL = {"@context": "dtmi:dtdl:context;3", "@id": "dtmi:limit:T;1", "@type": "Interface",
         "contents": [{"@type": "Property", "name": "v%d" % i, "schema": "double"} for i in range(1001)]}


class Limits(kit.Case):
    def refused(self, answer, status, code):
        got, _, body = answer
        self.assertEqual((got, json.loads(body)["error"]["code"]), (status, code), body)
        self.assertTrue(json.loads(body)["error"]["message"])

    def fill(self, s, path, most, document):
        """`most` of them are taken, one more is refused, one of them can still be put and one less makes room."""
        for i in range(most):
            code, _, body = s.http("PUT", "%s/n%d" % (path, i), document)
            self.assertIn(code, (200, 201, 204), body)
        self.refused(s.http("PUT", "%s/more" % path, document), 400, "LimitExceeded")
        self.assertIn(s.http("PUT", "%s/n0" % path, document)[0], (200, 201, 204))
        self.assertEqual(len(s.every(path)), most)
        self.assertEqual(s.http("DELETE", "%s/n1" % path)[0], 204)
        self.assertIn(s.http("PUT", "%s/more" % path, document)[0], (200, 201, 204))

    def test_connections(self):
        s = self.serve()
        document = {"kind": "mqtt", "url": "mqtt://127.0.0.1:9", "paused": True,
                    "subscriptions": [{"topic": "{twin}/{property}"}]}
        self.fill(s, "/connections", 256, document)
        self.refused(s.http("PUT", "/connections/n0", dict(document, password="x" * (64 << 10 | 1))), 400,
                     "InvalidArgument")
        code, _, body = s.http("PUT", "/connections/n0", dict(document, username="x" * (256 << 10)))
        self.assertEqual(code, 413, body)
        self.refused(s.http("PUT", "/connections/" + "n" * 65, document), 400, "InvalidArgument")
        rules = [{"topic": "t%d/{twin}/{property}" % i} for i in range(257)]
        self.refused(s.http("PUT", "/connections/n0", dict(document, subscriptions=rules)), 400, "InvalidArgument")

    def test_endpoints_and_routes(self):
        s = self.serve()
        self.fill(s, "/endpoints", 64, {"kind": "webhook", "url": "http://127.0.0.1:9/", "paused": True})
        self.fill(s, "/eventroutes", 256, {"endpointName": "n0", "filter": "false"})
        many = {"kind": "webhook", "url": "http://127.0.0.1:9/", "headers": {"x-%d" % i: "1" for i in range(33)}}
        self.refused(s.http("PUT", "/endpoints/n0", many), 400, "InvalidArgument")
        self.refused(s.http("POST", "/endpoints/n0/replay", {"ids": ["a"] * 10001}), 400, "LimitExceeded")

    def test_definitions(self):
        s = self.serve()
        self.assertEqual(s.http("POST", "/models", [MODEL])[0], 201)
        one = {"model": MODEL["@id"], "expression": "1"}
        for i in range(1000):
            code, _, body = s.http("PUT", "/derived/d%d" % i, dict(one, property="v%d" % i))
            self.assertEqual(code, 200, body)
        more = dict(one, property="v1000")
        self.refused(s.http("PUT", "/derived/more", more), 400, "LimitExceeded")
        self.assertEqual(s.http("DELETE", "/derived/d7")[0], 204)
        self.assertEqual(s.http("PUT", "/derived/more", more)[0], 200)

    def test_snapshot_names(self):
        s = self.serve()
        twins = "&".join("twin=%d" % i for i in range(1001))
        self.refused(s.http("GET", "/changes?snapshot=true&" + twins), 400, "LimitExceeded")

    def test_kinds(self):
        """2,000 measurements get models; one more is refused, its line told, the others go on."""
        s = self.serve()
        code, _, body = s.http("POST", "/write", "\n".join("m%d v=1 1" % i for i in range(2000)))
        self.assertEqual(code, 204, body)
        code, _, body = s.http("POST", "/write", "more v=1 2\nm0 v=2 2")
        self.assertEqual(code, 400, body)
        self.assertIn("line 1: no model can be made for \\\"more\\\"", body)
        self.assertEqual((s.twin("m0")["v"], s.twin("m1999")["v"]), (2, 1))
        self.assertEqual(s.http("GET", "/digitaltwins/more")[0], 404)
        self.assertEqual(s.http("POST", "/models", [MODEL])[0], 201)  # the world has room for others

    def test_fields_of_a_kind(self):
        """4,000 fields of a measurement are taken in several requests; one more is refused, its line told."""
        s = self.serve()
        for at in range(0, 4000, 1000):
            code, _, body = s.http("POST", "/write", "m " + ",".join("f%d=1" % i for i in range(at, at + 1000)) + " 1")
            self.assertEqual(code, 204, body)
        code, _, body = s.http("POST", "/write", "m f4000=1 2\nm f0=2 3")
        self.assertEqual(code, 400, body)
        self.assertIn("line 1: no model can be made for \\\"m\\\"", body)
        self.assertEqual((s.twin("m")["f0"], s.twin("m")["f3999"]), (2, 1))


if __name__ == "__main__":
    kit.main()
