#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""Copies of a world that is being written, and looking through files: `sosia backup` and `sosia check`."""
import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, run, until  # noqa: E402

METER = {"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Meter;1", "@type": "Interface", "contents": [
    {"@type": "Property", "name": "n", "schema": "long"}, {"@type": "Property", "name": "note", "schema": "string"}]}
TWINS = 50


class Writer(threading.Thread):
    """Sets n of all twins to 1, 2, 3 ..., a batch a number; `acked` is the newest that was acknowledged."""

    def __init__(self, server):
        super().__init__()
        self.server, self.acked, self.over = server, 0, False
        self.start()

    def run(self):
        while not self.over:
            n = self.acked + 1
            lines = "".join('{"id":"m%d","property":"n","value":%d}\n' % (i, n) for i in range(TWINS))
            try:
                status, _, body = self.server.http("POST", "/ingest", lines, {"Content-Type": "application/x-ndjson"})
            except OSError:
                return  # it was killed
            if status != 200:
                raise AssertionError("%d %s" % (status, body))
            self.acked = n

    def stop(self):
        self.over = True
        self.join()


class Files(Case):
    def plant(self, name="plant.sosia"):
        server = self.serve("--http", "127.0.0.1:0", "--checkpoint", "200ms", path=self.file(name))
        server.http("POST", "/models", [METER])
        for i in range(TWINS):
            server.http("PUT", "/digitaltwins/m%d" % i,
                        {"$metadata": {"$model": METER["@id"]}, "n": 0, "note": "a meter " * 20})
        return server

    def numbers(self, server):
        """Every twin's n."""
        rows = server.http("POST", "/query", {"query": "SELECT T.n FROM digitaltwins T"})
        self.assertEqual(rows[0], 200, rows)
        return [row["n"] for row in json.loads(rows[2])["value"]]

    def sound(self, path):
        r = run("check", "--json", path)
        self.assertEqual(r.code, 0, r)
        self.assertEqual((r.json["sound"], r.json["findings"]), (True, []))
        return r.json

    def beside(self, path):
        """What else lies there under that name."""
        folder, name = os.path.split(path)
        return sorted(f[len(name):] for f in os.listdir(folder) if f.startswith(name) and f != name)

    def test_copies_of_a_world_in_motion(self):
        server = self.plant()
        writer = Writer(server)
        copies = []
        for i in range(3):
            until(lambda: writer.acked >= 10 * (i + 1), 60, "writes")
            copy, before = self.file("copy%d.sosia" % i), writer.acked
            r = run("backup", "--store", server.path, copy, "--json")
            self.assertEqual(r.code, 0, r)
            self.assertEqual(r.json["bytes"], os.path.getsize(copy))
            self.assertEqual(stat.S_IMODE(os.stat(copy).st_mode), 0o600)
            self.assertEqual(self.beside(copy), [])
            copies.append((copy, before, writer.acked + 1))
        looked = self.sound(server.path)  # while it is written
        self.assertEqual(looked["twins"], TWINS)
        writer.stop()
        for copy, before, after in copies:
            self.assertEqual(self.sound(copy)["twins"], TWINS)
            restored = self.serve(path=copy)
            n = self.numbers(restored)
            self.assertEqual((len(n), len(set(n))), (TWINS, 1), "a batch is there whole or not at all")
            self.assertTrue(before <= n[0] <= after, (before, n[0], after))
            self.assertEqual(restored.http("PATCH", "/digitaltwins/m1",
                                           [{"op": "replace", "path": "/n", "value": -1}])[0], 204)
            self.assertEqual(restored.stop(), 0)
        self.assertEqual(set(self.numbers(server)), {writer.acked}, "the server knows nothing of all this")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.beside(server.path), [])
        self.sound(server.path)
        copy = self.file("closed.sosia")
        self.assertEqual(run("backup", server.path, copy).code, 0)  # nobody has it open
        self.assertEqual((self.beside(server.path), self.beside(copy)), ([], []))
        self.assertEqual(set(self.numbers(self.serve(path=copy))), {writer.acked})

    def test_overwriting(self):
        server = self.plant()
        copy = self.file("copy.sosia")
        self.assertEqual(run("backup", "--store", server.path, copy).code, 0)
        first = os.stat(copy).st_ino
        r = run("backup", "--store", server.path, copy)
        self.assertEqual(r.code, 6, r)
        self.assertIn("it exists already", r.err)
        self.assertIn("--force", r.err)
        self.assertEqual(os.stat(copy).st_ino, first)
        r = run("backup", "--store", server.path, "--force", copy)
        self.assertEqual(r.code, 0, r)
        self.assertIn("checked", r.out)
        self.assertNotEqual(os.stat(copy).st_ino, first)
        self.assertEqual(stat.S_IMODE(os.stat(copy).st_mode), 0o600)
        other = self.serve(path=copy)  # a file in use is not taken away from whoever has it
        r = run("backup", "--store", server.path, "--force", copy)
        self.assertEqual(r.code, 6, r)
        self.assertIn("is open, or was not closed", r.err)
        self.assertEqual(other.get("/digitaltwins/m0")["n"], 0)
        r = run("backup", "--store", server.path, server.path)
        self.assertEqual(r.code, 6, r)

    def test_a_killed_server_and_a_killed_copy(self):
        server = self.plant()
        # Weight, so that a copy takes a while.
        for i in range(40):
            note = "%08d" % i * 65536
            server.http("PATCH", "/digitaltwins/m%d" % i, [{"op": "replace", "path": "/note", "value": note}])
        writer = Writer(server)
        copy, half = self.file("copy.sosia"), self.file("half.sosia")
        p = subprocess.Popen([kit.SOSIA, "backup", "--store", server.path, copy], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=kit.environment())
        server.kill()
        out, err = p.communicate(timeout=60 * kit.SLOW)
        writer.stop()
        self.assertEqual(p.returncode, 0, out + err)  # it goes on by itself
        self.sound(copy)
        n = self.numbers(self.serve(path=copy))
        self.assertEqual(len(set(n)), 1)
        self.assertTrue(n[0] <= writer.acked + 1)
        for delay in (0.0, 0.005, 0.01, 0.02, 0.04, 0.08):
            p = subprocess.Popen([kit.SOSIA, "backup", "--store", server.path, half], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env=kit.environment())
            time.sleep(delay)  # any moment will do
            p.kill()
            p.wait()
            if os.path.exists(half):  # it was over before
                self.sound(half)
                os.unlink(half)
        log = self.beside(server.path)
        self.sound(server.path)  # what the kill left stays as it is
        self.assertEqual(self.beside(server.path), log)
        self.assertIn("-wal", log)
        again = self.serve(path=server.path)
        self.assertGreaterEqual(self.numbers(again)[0], writer.acked)

    def test_interrupted(self):
        server = self.plant()
        for i in range(40):
            note = "%08d" % i * 65536
            server.http("PATCH", "/digitaltwins/m%d" % i, [{"op": "replace", "path": "/note", "value": note}])
        copy = self.file("copy.sosia")
        for delay in (0.0, 0.01, 0.02):
            p = subprocess.Popen([kit.SOSIA, "backup", "--store", server.path, copy], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, env=kit.environment())
            time.sleep(delay)  # any moment will do
            p.send_signal(signal.SIGINT)
            out, err = p.communicate(timeout=60 * kit.SLOW)
            if p.returncode == 0:
                os.unlink(copy)
            self.assertFalse(os.path.exists(copy), err)
            if "interrupted" in err:
                self.assertEqual((p.returncode, self.beside(copy)), (130, []), err)

    def test_damage(self):
        server = self.plant()
        writer = Writer(server)
        until(lambda: writer.acked >= 20, 60, "writes")
        writer.stop()
        self.assertEqual(server.stop(), 0)
        sound, path = server.path, self.file("damaged.sosia")
        r = run("check", sound)
        self.assertEqual(r.code, 0, r)
        self.assertRegex(r.out, r"twins +50\n")
        self.assertIn("is sound", r.out)
        newest = sqlite3.connect(sound).execute("SELECT max(id) FROM page").fetchone()[0]
        for change, words in (("UPDATE page SET bytes = x'00' WHERE id = %d" % newest, "page row %d: " % newest),
                              ("DELETE FROM page WHERE id = %d" % newest, "is missing"),
                              ("UPDATE journal SET crc = crc + 1 WHERE seq = (SELECT max(seq) FROM journal)",
                               "journal row "),
                              ("UPDATE root SET seq = seq + 1", "root row 0: does not match its check"),
                              ("DROP TABLE item", "item: the table")):
            shutil.copyfile(sound, path)
            with sqlite3.connect(path) as db:
                db.execute(change)
            r = run("check", path)
            self.assertEqual(r.code, 9, (change, r))
            self.assertIn(words, r.out)
            self.assertRegex(r.out, r"thing(s are| is) wrong in ")
            self.assertIn("What to do next", r.out)
            r = run("check", "--json", path)
            self.assertEqual((r.code, r.json["sound"]), (9, False))
            self.assertIn(words, "".join("%(where)s: %(what)s" % f for f in r.json["findings"]))
            db.close()
        shutil.copyfile(sound, path)
        with open(path, "r+b") as f:
            f.truncate(os.path.getsize(path) // 2)
        self.assertEqual(run("check", path).code, 9)
        copy = self.file("copy.sosia")
        r = run("backup", "--store", path, copy)
        self.assertEqual(r.code, 9, r)
        self.assertFalse(os.path.exists(copy))

    def test_refusals(self):
        r = run("check", self.file("none.sosia"))
        self.assertEqual(r.code, 9, r)
        self.assertIn("unable to open", r.err)
        r = run("check", self.file("text.sosia", "no database " * 1000))
        self.assertEqual(r.code, 9, r)
        self.assertIn("not a Sosia store", r.err)
        r = run("check", "--json", self.file("text.sosia"))
        self.assertIn("not a Sosia store", json.loads(r.err)["error"]["message"])
        r = run("backup", self.file("to.sosia"))
        self.assertEqual(r.code, 4, r)
        self.assertIn("sosia backup --store", r.err)
        r = run("backup", "--store", self.file("none.sosia"), self.file("to.sosia"))
        self.assertEqual(r.code, 9, r)
        server = self.serve(path=self.file("w.sosia"))
        r = run("backup", "--store", server.path, "/nowhere/at/all.sosia")
        self.assertEqual(r.code, 9, r)
        self.assertIn("No such file", r.err)
        self.assertTrue(re.search(r"examples|Examples", run("backup", "--help").out))
        self.assertIn("sosia check", run("check", "--help").out)


if __name__ == "__main__":
    kit.main()
