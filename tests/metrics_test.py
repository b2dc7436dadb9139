#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""Every number of GET /metrics is in docs/metrics.md, and every number of docs/metrics.md that a server with a file has
is in GET /metrics."""
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402

# Numbers of parts that come with their first use, or of another kind of server.
ELSEWHERE = re.compile(r"^(process_|sosia_http_|sosia_(tls|log)_)")


def snake(name):
    return "sosia_" + re.sub(r"([A-Z])", lambda m: "_" + m[1].lower(), name).replace(".", "_")


class Metrics(kit.Case):
    def documented(self):
        with open(os.path.join(kit.ROOT, "docs", "metrics.md"), encoding="utf-8") as file:
            text = file.read()
        names = set()
        for section in text.split("\n## "):
            before = "connect." if re.match("Event routes|Connections|Commands", section) else ""
            for row in re.findall(r"^\| (`[^|]*) \|", section, re.M):
                for name in re.findall(r"`([^`]+)`", row):
                    name = name.split("{")[0]
                    names.add(name if name.startswith(("sosia_", "process_")) else snake(before + name))
        return names

    def test_documents_and_numbers_agree(self):
        server = self.serve(path=self.file("w.sosia"))
        told = {line.split("{")[0].split(" ")[0] for line in server.http("GET", "/metrics")[2].splitlines()
                if line and not line.startswith("#")}
        told = {re.sub(r"_(bucket|sum|count)$", "", n) if n.startswith("sosia_http_request_duration") else n
                for n in told}
        documented = self.documented()
        self.assertEqual(sorted(told - documented), [])
        for name in ("sosia_store_history_rows", "sosia_store_readers", "sosia_history_points"):
            self.assertIn(name, told)
        missing = {n for n in documented - told if not ELSEWHERE.match(n)}
        self.assertEqual(sorted(missing), [])


if __name__ == "__main__":
    unittest.main()
