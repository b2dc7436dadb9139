#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files beside the worlds: kept as they came, over restarts, with bounds."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import serve_lib  # noqa: E402

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
TYPE = {"Content-Type": "image/svg+xml"}


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "w.sosia")
        self.server = serve_lib.Server(data=self.path)

    def tearDown(self):
        self.server.close()
        self.folder.cleanup()

    def put(self, name, body=SVG, headers=TYPE):
        return self.server.ask("PUT", "/files/" + name, body, headers)

    def test_as_it_came_over_restarts(self):
        blob = bytes(range(256)) * 4096
        self.assertEqual(self.put("plan.svg").status, 201)
        self.assertEqual(self.put("plant.glb", blob, {"Content-Type": "model/gltf-binary"}).status, 201)
        self.assertEqual(self.put("plan.svg", SVG + b"\n").status, 200)
        self.server.close()
        self.server = serve_lib.Server(data=self.path)
        listed = self.server.ask("GET", "/files").json["value"]
        self.assertEqual([(f["name"], f["type"], f["bytes"]) for f in listed],
                         [("plan.svg", "image/svg+xml", len(SVG) + 1), ("plant.glb", "model/gltf-binary", len(blob))])
        r = self.server.ask("GET", "/files/plant.glb")
        self.assertEqual((r.status, r.body), (200, blob))
        self.assertEqual(self.server.ask("GET", "/files/plan.svg").body, SVG + b"\n")

    def test_known_again_and_harmless(self):
        self.put("plan.svg")
        r = self.server.ask("GET", "/files/plan.svg")
        self.assertIn("sandbox", r.header("content-security-policy"))
        self.assertEqual(r.header("content-type"), "image/svg+xml")
        again = self.server.ask("GET", "/files/plan.svg", headers={"If-None-Match": r.header("etag")})
        self.assertEqual((again.status, again.body), (304, b""))

    def test_who_changes_says_what_it_was(self):
        new, old = {**TYPE, "If-None-Match": "*"}, {**TYPE, "If-Match": '"0"'}
        self.assertEqual(self.put("a.svg", SVG, {**TYPE, "If-Match": "*"}).status, 412)
        self.assertEqual(self.put("a.svg", SVG, new).status, 201)
        self.assertEqual(self.put("a.svg", SVG, new).status, 412)
        tag = self.server.ask("GET", "/files/a.svg").header("etag")
        refused = self.put("a.svg", SVG + b" ", old)
        self.assertEqual((refused.status, refused.code), (412, "PreconditionFailed"))
        self.assertEqual(self.server.ask("GET", "/files/a.svg").body, SVG)
        self.assertEqual(self.put("a.svg", SVG + b" ", {**TYPE, "If-Match": '"0", W/' + tag}).status, 200)
        self.assertEqual(self.put("a.svg", SVG, {**TYPE, "If-Match": tag}).status, 412)
        self.assertEqual(self.put("a.svg", SVG, {**TYPE, "If-Match": "*"}).status, 200)

    def test_names_that_begin_alike(self):
        for i, name in enumerate(("a", "a.b", "ab", "a-b")):
            self.put(name, b"%d" % i, {"Content-Type": "application/json"})
        for i, name in enumerate(("a", "a.b", "ab", "a-b")):
            self.assertEqual(self.server.ask("GET", "/files/" + name).body, b"%d" % i)
        self.assertEqual(self.server.ask("DELETE", "/files/a").status, 204)
        self.assertEqual(self.server.ask("GET", "/files/a").status, 404)
        self.assertEqual(self.server.ask("GET", "/files/ab").body, b"2")

    def test_what_is_refused(self):
        html = {"Content-Type": "text/html"}
        for name, body, headers in ((".hidden", SVG, TYPE), ("a%2Fb", SVG, TYPE), ("x" * 129, SVG, TYPE),
                                    ("a", b"", TYPE), ("a", SVG, html), ("a", SVG, {})):
            r = self.put(name, body, headers)
            self.assertEqual((r.status, r.code), (400, "InvalidArgument"), (name, headers))
        self.assertEqual(self.server.ask("DELETE", "/files/a").status, 404)
        self.assertEqual(self.server.ask("GET", "/files").json["value"], [])

    def test_no_more_than_there_is_room_for(self):
        for i in range(256):
            self.assertEqual(self.put("f%d.svg" % i).status, 201)
        r = self.put("one-more.svg")
        self.assertEqual((r.status, r.code), (400, "LimitExceeded"))
        self.assertEqual(self.put("f7.svg", b"<svg/>").status, 200)


if __name__ == "__main__":
    unittest.main()
