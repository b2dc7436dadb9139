#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""The commands of docs/history.md do what the document shows: every `$ ...` of it is run, against a pump with a day of
values, three tanks, or the demo plant, and what comes has the shape of what stands there: the same tables, columns and
sentences, other numbers. Erasing has a test of its own (erase_test.py)."""
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from serve_lib import sanitized  # noqa: E402
from kit import Server, until  # noqa: E402

DAY = 1795132800  # 2026-11-20
INSTANT = "2026-11-22T19:48:39Z"
JSON = {"Content-Type": "application/json"}


def prop(name, schema, **more):
    return {"@type": more.pop("type", "Property"), "name": name, "schema": schema, **more}


PUMP = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:plant:Pump;1", "@type": "Interface", "contents": [
    prop("temperature", "double", type=["Property", "Temperature"], unit="degreeCelsius"), prop("state", "string"),
    prop("litres", "long")]}
TANK = {"@context": "dtmi:dtdl:context;2", "@id": "dtmi:plant:Tank;1", "@type": "Interface", "contents": [
    prop("level", "double"), {"@type": "Relationship", "name": "feeds"}]}


def commands(text):
    """(command, lines shown) of the document, in order."""
    found = []
    for line in text.split("\n"):
        if re.match(r"(    )?\$ ", line):
            found.append([line.strip()[2:], [], line.startswith("    ")])
        elif found and found[-1][1] is not None:
            inside = found[-1][2]
            bare = line[4:] if inside else line
            if (inside and line and not line.startswith("    ")) or line == "```":
                found[-1][1].append(None)
            else:
                found[-1][1].append(bare)
    out = []
    for command, lines, _ in found:
        shown = lines[:lines.index(None)] if None in lines else lines
        out.append((command, shown))
    return [join(c, shown) for c, shown in out]


def join(command, shown):
    """A command may go on in the next lines: behind a backslash, or within quotes."""
    while command.endswith("\\") or command.count('"') % 2:
        command += "\n" + shown[0]
        shown = shown[1:]
    return command, [line for line in shown if line.strip()]


def shape(line):
    """Numbers and times as #, lines of a table as one stroke, courses as ~."""
    line = re.sub(r"[▁▂▃▄▅▆▇█]+", "~", re.sub("─+", "─", line))
    line = re.sub(r"-?\d[\d.,:TZ+-]*", "#", line)
    return re.sub(r"#( #)+", "#", re.sub(r" +", " ", line).strip())


def is_table(lines, at):
    return at + 1 < len(lines) and set(lines[at + 1].strip()) <= {"─", "-", " "} and len(lines[at + 1]) > 2


class Document(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.folder.name, "")
        os.mkdir(cls.path + "build")
        extension = os.path.join(os.path.dirname(os.path.abspath(kit.SOSIA)), "libsosia_history.so")
        if os.path.exists(extension):
            os.symlink(extension, cls.path + "build/libsosia_history.so")
        os.mkdir(cls.path + "bin")
        os.symlink(os.path.abspath(kit.SOSIA), cls.path + "bin/sosia")
        cls.servers = {}
        with open(os.path.join(kit.ROOT, "docs", "history.md"), encoding="utf-8") as file:
            cls.text = file.read()

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers.values():
            server.stop()
        cls.folder.cleanup()

    def started(self, name, *more):
        server = Server("--http", "127.0.0.1:0", "--checkpoint", "200ms", *more, path=self.path + name + ".sosia")
        self.servers[name] = server
        return server

    def put(self, server, method, path, body, status=(200, 201, 204), **headers):
        got = server.http(method, path, body, {**JSON, **headers})
        self.assertIn(got[0], status, got)

    def plant(self):
        """A pump with four hours of minutes, as the document shows it."""
        server = self.started("plant")
        self.put(server, "POST", "/models", [PUMP])
        self.put(server, "PUT", "/digitaltwins/pump-1", {"$metadata": {"$model": PUMP["@id"]}})
        lines = []
        for i in range(240):
            at = (DAY + 8 * 3600 + 60 * i) * 1000
            for name, value in (("temperature", round(60 + 8 * math.sin(i / 30), 1)),
                                ("state", "fault" if 90 < i < 100 else "running"), ("litres", 1000 + 40 * i)):
                lines.append(json.dumps({"id": "pump-1", "property": name, "value": value, "time": at}))
        self.put(server, "POST", "/ingest?source=plc-4", "\n".join(lines), **{"Content-Type": "application/x-ndjson"})
        return server

    def tanks(self):
        server = self.started("tanks")
        self.put(server, "POST", "/models", [TANK])
        for name, level in (("tank-1", 71.5), ("tank-2", 12.25), ("tank-3", 40)):
            self.put(server, "PUT", "/digitaltwins/" + name, {"$metadata": {"$model": TANK["@id"]}, "level": level})
        self.put(server, "PUT", "/digitaltwins/tank-1/relationships/pipe",
                 {"$relationshipName": "feeds", "$targetId": "tank-2"})
        known = server.get("/worlds/live")["time"]
        until(lambda: server.get("/worlds/live@now")["name"] > "live@" + known, 30, "later")
        self.instant = server.get("/worlds/live@now")["name"][5:]
        until(lambda: server.get("/worlds/live@now")["name"] > "live@" + self.instant, 30, "later")
        self.put(server, "PATCH", "/digitaltwins/tank-1", [{"op": "add", "path": "/level", "value": 3}],
                 **{"Content-Type": "application/json-patch+json"})
        self.put(server, "DELETE", "/digitaltwins/tank-1/relationships/pipe", None)
        self.put(server, "DELETE", "/digitaltwins/tank-3", None)
        return server

    def live(self):
        """The demo plant: (process, address)."""
        with open(self.path + "demo.log", "w") as log:
            process = subprocess.Popen([kit.SOSIA, "demo", "--data", self.path + "demo.sosia", "--http", "127.0.0.1:0",
                                        "--past", "0"],
                                       stdout=log, stderr=log, env=kit.environment(), cwd=self.path)

        def url():
            with open(self.path + "demo.log", encoding="utf-8") as file:
                found = re.search(r"running at (http://\S+)", file.read())
            return found and found[1]
        until(url, 60, "the demo")
        return process, url()

    def demo(self):
        """The demo plant, with some values in blocks (a stop seals them) and others on their way."""
        process, base = self.live()
        self.addCleanup(process.kill)
        query = "SELECT COUNT() AS n FROM DIGITALTWINS T WHERE COUNT(T.power, 1h) > 2"
        until(lambda: kit.run("query", query, "--json", url=base).json[0]["n"] > 5, 60, "values")
        process.terminate()
        process.wait(60 * kit.SLOW)
        process, base = self.live()
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

        def more():
            return kit.run("replay", "--from", "-1s", "--speed", "max", url=base).out.count("\n") > 9
        until(more, 60, "more values")
        return base

    def ran(self, command, url):
        command = command.replace("http://127.0.0.1:7474", url)
        if hasattr(self, "instant"):
            command = command.replace(INSTANT, self.instant)
        env = kit.environment(SOSIA_URL=url, PATH=self.path + "bin:" + os.environ["PATH"])
        done = subprocess.run(["bash", "-c", command], cwd=self.path, env=env, capture_output=True, text=True,
                              timeout=120 * kit.SLOW)
        return [line for line in (done.stdout + done.stderr).split("\n") if line.strip()]

    def compare(self, command, shown, got):
        told = "%s\nshows\n%s\ngave\n%s" % (command, "\n".join(shown), "\n".join(got))
        self.assertTrue(got, told)
        table, g = False, 0
        for at, line in enumerate(shown):
            if is_table(shown, at):  # as many rows as there are
                while g < len(got) and not is_table(got, g):
                    g += 1
                self.assertLess(g, len(got), told)
                self.assertEqual(line.split(), got[g].split(), told)
                table = True
            elif table:
                continue
            else:
                self.assertLess(g, len(got), told)
                if line.startswith("{"):
                    self.assertEqual(list(json.loads(line)), list(json.loads(got[g])), told)
                else:
                    same = [len(shape(x).split()) for x in (line, got[g])]
                    exact = shape(line) == shape(got[g])
                    self.assertTrue(exact or (same[0] == same[1] and "#" in shape(line)), told)
            g += 1

    def check(self, url, *words, without=()):
        """Run the commands that have one of the words."""
        n = 0
        for command, shown in commands(self.text):
            if not any(w in command for w in words) or any(w in command for w in without):
                continue
            n += 1
            self.compare(command, shown, self.ran(command, url))
        return n

    def test_the_pump(self):
        self.assertEqual(self.check(self.plant().url, "sosia history pump-1"), 3)

    def test_past_worlds(self):
        server = self.tanks()
        self.assertEqual(self.check(server.url, "sosia get", "SELECT T.$dtId, T.level", "curl -s", "sosia set tank"), 6)

    def test_the_demo(self):
        if not os.path.exists(kit.SITE):
            self.skipTest("no sosia-site")
        if not shutil.which("sqlite3"):
            self.skipTest("no sqlite3 command")
        base = self.demo()
        loads = [c for c, _ in commands(self.text) if ".load build/" in c]
        leave = (".load build/",) if sanitized() else ()  # sqlite3 does not load a library with a sanitizer in it
        n = self.check(base, "replay", "retention", "history stats", "sqlite3", "export", "backup", "sosia check",
                       without=("erase", *leave))
        self.assertEqual(n, 9 - (len(loads) if leave else 0))

    def test_nothing_is_left_out(self):
        """Every command of the document belongs to one of the tests above, or to erasing."""
        words = ("sosia history pump-1", "sosia get", "SELECT T.$dtId, T.level", "curl -s", "sosia set tank", "replay",
                 "retention", "history stats", "sqlite3", "export", "backup", "sosia check", "sosia erase")
        left = [c for c, _ in commands(self.text) if not any(w in c for w in words)]
        self.assertEqual(left, [])


if __name__ == "__main__":
    unittest.main()
