#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""What `sosia` says when something is wrong: the reason in plain words, the place, the right exit code."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, run  # noqa: E402


class Serve(Case):
    def refused(self, code, part, *arguments):
        r = run("serve", *arguments, timeout=20)
        self.assertEqual(r.code, code, r)
        self.assertIn(part, r.err)
        self.assertNotIn("OpenSSL", r.err)
        self.assertNotIn("error:0", r.err)
        return r

    def test_world_file(self):
        r = self.refused(9, "No such file or directory", "--data", "/nowhere/plant.sosia")
        self.assertEqual(r.err.count("/nowhere/plant.sosia"), 1, r)
        server = self.serve(path=self.file("w.sosia"))
        r = self.refused(9, "another process has the store open", "--data", server.path, "--http", "127.0.0.1:0")
        self.assertEqual(r.err.count(server.path), 1, r)

    @unittest.skipIf(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), "needs another user")
    def test_world_file_that_cannot_be_written(self):
        path = self.file("ro.sosia")
        self.serve(path=path).stop()
        os.chmod(os.path.dirname(path), 0o755)
        os.chmod(path, 0o444)
        drop = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
        done = subprocess.run([*drop, kit.SOSIA, "serve", "--data", path, "--http", "127.0.0.1:0"], timeout=20,
                              capture_output=True, text=True, env=kit.environment())
        self.assertEqual(done.returncode, 9, done)
        self.assertIn("cannot be written", done.stderr)

    def test_certificate_and_key(self):
        made = []
        for name in ("a", "b"):
            cert, key = self.file(name + "-cert.pem"), self.file(name + "-key.pem")
            done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                   "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"],
                                  capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            made.append((cert, key))
        notes = self.file("notes.txt", "no certificate")
        (cert, key), (_, other) = made
        for part, c, k in [("certificate /nowhere: No such file", "/nowhere", key),
                           ("key /nowhere: No such file", cert, "/nowhere"),
                           ("nothing usable", notes, key), ("nothing usable", cert, notes),
                           ("nothing usable", cert, cert), ("does not belong to the certificate", cert, other)]:
            self.refused(4, part, "--memory", "--https", "127.0.0.1:0", "--cert", c, "--key", k)

    def test_bounds_are_told(self):
        self.refused(4, "between 1 and 2", "--memory", "--io-threads", "3")
        self.refused(5, "more than 16 times", "--memory", "--http", "127.0.0.1:0", *["--host", "a"] * 17)


if __name__ == "__main__":
    kit.main()
