# SPDX-License-Identifier: Apache-2.0
"""Recorded exchanges with the real Azure Digital Twins service, replayed step by step against a fresh server each:
status and error code must match exactly, bodies must have the same members and values; <...> matches what is well
formed; the wording of messages is free."""

import glob
import json
import os
import re
import unittest

from serve_lib import DATA, Server, main

FOLDER = os.path.join(DATA, "adt-rest")
SHAPES = [
    (r"<datetime\+00:00>", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00"),
    (r"<t\d?>", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z"),
    (r"<(?:new )?guid>", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
]


def pattern_of(text):
    """A regular expression for a text with <...> marks."""
    parts = re.split("(%s)" % "|".join(mark for mark, _ in SHAPES), text)
    return "".join(next((shape for mark, shape in SHAPES if re.fullmatch(mark, p)), re.escape(p)) for p in parts)


class Replay(unittest.TestCase):
    def same(self, want, got, where):
        if isinstance(want, dict):
            self.assertIsInstance(got, dict, where)
            self.assertEqual(set(want), set(got), where)
            for k in want:
                if k != "message":
                    self.same(want[k], got[k], where + "/" + k)
        elif isinstance(want, str) and want.startswith("<the twin as GET gives it"):
            self.assertEqual(got, self.server.get("/digitaltwins/" + got["$dtId"], version=self.version).json, where)
        elif isinstance(want, list):
            self.assertEqual(len(want), len(got), where)
            for i, (a, b) in enumerate(zip(want, got)):
                self.same(a, b, "%s/%d" % (where, i))
        elif isinstance(want, str) and "<" in want:
            self.assertRegex(got, "^" + pattern_of(want) + "$", where)
        else:
            self.assertEqual(type(want) is bool, type(got) is bool, where)
            self.assertEqual(want, got, where)

    def replay(self, path):
        with open(path, encoding="utf-8") as f:
            script = json.load(f)
        self.version = script["api-version"]
        self.server = server = Server()
        try:
            for i, step in enumerate(script["steps"]):
                where = "step %d %s %s" % (i, step["method"], step["path"])
                headers = dict(step.get("request_headers_inferred", {}))
                for k, v in headers.items():
                    if v.startswith("<"):
                        headers[k] = "not-an-etag"
                reply = server.ask(step["method"], step["path"], step.get("body"), headers, script["api-version"])
                self.assertEqual(reply.status, step["status"], "%s: %r" % (where, reply))
                if "response" in step:
                    self.same(step["response"], reply.json, where)
                    if reply.status >= 400:
                        self.assertEqual(reply.header("x-ms-error-code"), reply.code)
                if reply.status == 204:
                    self.assertEqual((reply.body, reply.header("content-length")), (b"", "0"), where)
                if "etag" in step.get("response_headers", {}):
                    self.assertRegex(reply.header("etag"), '^W/"[0-9a-f-]{36}"$')
                    if reply.body:
                        self.assertEqual(reply.header("etag"), reply.json["$etag"])
        finally:
            server.close()


def add(path):
    name = os.path.splitext(os.path.basename(path))[0]

    def test(self):
        self.replay(path)

    setattr(Replay, "test_" + name, test)


if __name__ == "__main__":
    scripts = [
        p for p in sorted(glob.glob(os.path.join(FOLDER, "*.json"))) if not p.endswith("swagger-examples.json")
    ]
    if not scripts:
        print("SKIP adt_replay: %s not found" % FOLDER)
    else:
        for p in scripts:
            add(p)
        main()
