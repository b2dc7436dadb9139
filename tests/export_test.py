#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""A world as tables of SQLite: `sosia export`, and the extension that reads a world file in place."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, run, until  # noqa: E402

METER = {"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Meter;1", "@type": "Interface", "contents": [
    {"@type": "Property", "name": "n", "schema": "long"}, {"@type": "Property", "name": "t", "schema": "double"},
    {"@type": "Property", "name": "on", "schema": "boolean"}, {"@type": "Property", "name": "note", "schema": "string"},
    {"@type": "Relationship", "name": "feeds",
     "properties": [{"@type": "Property", "name": "flow", "schema": "double"}]}]}
TWINS, VALUES = 20, 50
NDJSON = {"Content-Type": "application/x-ndjson"}


class Export(Case):
    def plant(self):
        server = self.serve("--http", "127.0.0.1:0", "--checkpoint", "200ms", path=self.file("plant.sosia"))
        server.http("POST", "/models", [METER])
        for i in range(TWINS):
            server.http("PUT", "/digitaltwins/m%d" % i, {"$metadata": {"$model": METER["@id"]}})
        server.http("PUT", "/digitaltwins/m1/relationships/r1", {"$relationshipName": "feeds", "$targetId": "m2",
                                                                   "flow": 1.5})
        server.http("PATCH", "/digitaltwins/m1/relationships/r1", [{"op": "add", "path": "/flow", "value": 2.5}],
                    {"Content-Type": "application/json-patch+json"})
        for k in range(VALUES):
            pair = '{"id":"m%d","property":"n","value":%d}\n{"id":"m%d","property":"t","value":%d.25}\n'
            lines = "".join(pair % (i, k * 100 + i, i, k) for i in range(TWINS))
            status, _, body = server.http("POST", "/ingest", lines, NDJSON)
            self.assertEqual(status, 200, body)
        server.http("POST", "/ingest", '{"id":"m3","property":"on","value":true}\n'
                    '{"id":"m3","property":"note","value":"it\'s \\"on\\""}\n', NDJSON)
        return server

    def check_values(self, rows, twin):
        """rows: (property, value) in order of time"""
        self.assertEqual([v for p, v in rows if p == "n"], [k * 100 + twin for k in range(VALUES)])
        self.assertEqual([v for p, v in rows if p == "t"], [k + 0.25 for k in range(VALUES)])

    def test_tables(self):
        server = self.plant()
        to = self.file("out.db")
        result = run("export", "--sqlite", to, url=server.url)
        self.assertEqual(result.code, 0, result.err)
        db = sqlite3.connect(to)
        self.assertEqual(db.execute("SELECT id FROM models").fetchall(), [(METER["@id"],)])
        self.assertEqual(db.execute("SELECT count(*), count(DISTINCT model) FROM twins").fetchone(), (TWINS, 1))
        self.assertEqual(db.execute("SELECT source, id, name, target FROM relationships").fetchall(),
                         [("m1", "r1", "feeds", "m2")])
        for i in (0, 7, TWINS - 1):
            self.check_values(db.execute("SELECT property, value FROM history WHERE twin = ? ORDER BY time, rowid",
                                         ("m%d" % i,)).fetchall(), i)
        self.assertEqual(db.execute("SELECT value FROM history WHERE twin='m3' AND property IN ('on', 'note') "
                                    "ORDER BY property").fetchall(), [('it\'s "on"',), (1,)])
        self.assertEqual(db.execute("SELECT twin, relationship, property, value FROM history "
                                    "WHERE relationship IS NOT NULL ORDER BY time").fetchall(),
                         [("m1", "r1", "flow", 1.5), ("m1", "r1", "flow", 2.5)])
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        db.close()
        again = run("export", "--sqlite", to, url=server.url)
        self.assertNotEqual(again.code, 0)
        self.assertIn("--force", again.err)
        again = run("export", "--sqlite", to, "--force", "--no-history", url=server.url)
        self.assertEqual(again.code, 0, again.err)
        self.assertEqual(sqlite3.connect(to).execute("SELECT count(*) FROM history").fetchone(), (0,))
        self.assertFalse(os.path.exists(to + ".part"))

    def test_the_dead(self):
        server = self.plant()
        server.http("DELETE", "/digitaltwins/m1/relationships/r1")
        self.assertEqual(server.http("DELETE", "/digitaltwins/m1")[0], 204)
        then = server.get("/worlds/live")["time"]
        server.http("DELETE", "/digitaltwins/m7")
        server.http("DELETE", "/digitaltwins/m8")
        server.http("PUT", "/digitaltwins/m8", {"$metadata": {"$model": METER["@id"]}})  # the name is used again
        self.assertEqual(server.http("DELETE", "/digitaltwins/m9")[0], 204)
        self.assertEqual(server.http("POST", "/erasures", {"twin": "m9"})[0], 200)
        listed = server.every("/history/deleted")
        self.assertEqual([d["$dtId"] for d in listed], ["m1", "m7", "m8"])
        status, _, page = server.http("GET", "/history/deleted", headers={"max-items-per-page": "2"})
        self.assertEqual((status, len(json.loads(page)["value"])), (200, 2))
        self.assertIn("continuationToken", json.loads(page)["nextLink"])
        to = self.file("out.db")
        result = run("export", "--sqlite", to, url=server.url)
        self.assertEqual((result.code, "3 deleted" in result.out), (0, True), result)
        db = sqlite3.connect(to)
        self.assertEqual([r[0] for r in db.execute("SELECT twin FROM deleted ORDER BY time")], ["m1", "m7", "m8"])
        self.assertEqual(db.execute("SELECT count(*) FROM twins").fetchone(), (TWINS - 3,))
        for i in (1, 7, 8):  # of the one before m8 too, once
            rows = db.execute("SELECT property, value FROM history WHERE twin = ? AND relationship IS NULL AND value "
                              "IS NOT NULL ORDER BY time, rowid", ("m%d" % i,)).fetchall()
            self.check_values([r for r in rows if r[0] in "nt"], i)
        self.assertEqual(db.execute("SELECT count(*) FROM history WHERE twin = 'm9'").fetchone(), (0,))
        db.close()
        result = run("export", "--sqlite", to, "--force", "--world", "live@" + then, url=server.url)
        self.assertEqual(result.code, 0, result)
        db = sqlite3.connect(to)
        self.assertEqual([r[0] for r in db.execute("SELECT twin FROM deleted")], ["m1"])
        self.check_values(db.execute("SELECT property, value FROM history WHERE twin = 'm1' AND relationship IS NULL "
                                     "AND value IS NOT NULL ORDER BY time, rowid").fetchall(), 1)
        left = [r[0] for r in db.execute("SELECT id FROM twins WHERE id LIKE 'erased:%'")]
        self.assertEqual(len(left), 1)  # the place of m9
        db.close()

    def test_in_place(self):
        extension = os.path.join(os.path.dirname(os.path.abspath(kit.SOSIA)), "libsosia_history.so")
        if not os.path.exists(extension):
            self.skipTest("%s is not built" % extension)
        with open(extension, "rb") as f:
            text = f.read()
        if b"__asan_init" in text or b"__tsan_init" in text:
            print("SKIP test_in_place: a sanitizer build cannot be loaded into sqlite3")
            self.skipTest("a sanitizer build")
        if not shutil.which("sqlite3"):
            self.skipTest("no sqlite3 command")
        server = self.plant()

        def ask(twin, *more):
            text = ".load %s\nSELECT property, value FROM sosia_history('%s'%s) ORDER BY property, ns;\n" % (
                extension, twin, "".join(", '%s'" % m for m in more))
            done = subprocess.run(["sqlite3", "-batch", "-json", "file:%s?mode=ro" % self.file("plant.sosia")],
                                  input=text, capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return [(row["property"], row["value"]) for row in json.loads(done.stdout or "[]")]

        until(lambda: len(ask("m7")) >= 2 * VALUES)  # sealed, while the server runs
        self.check_values(ask("m7"), 7)
        self.assertEqual(ask("m3", "on"), [("on", 1)])
        server.stop()
        self.check_values(ask("m7"), 7)


if __name__ == "__main__":
    unittest.main()
