#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process serial
"""The demo plant: it loads whole, its site feeds every sensor, silence shows, a restart goes on where it stopped."""
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, until  # noqa: E402

PACK = os.path.join(kit.ROOT, "packs", "bottling")
CLOCK = "2026-11-24T07:00:00Z"


def site(*arguments, **options):
    done = subprocess.run([kit.SITE, *arguments], capture_output=True, text=True, timeout=120 * kit.SLOW,
                          env=kit.environment(), **options)
    return kit.Result(done.returncode, done.stdout, done.stderr)


def at_path(doc, path):
    """(value, metadata) of "drive.speed" in a twin."""
    *parents, name = path.split(".")
    for p in parents:
        doc = doc[p]
    return doc.get(name), doc["$metadata"].get(name, {})


class Pack(Case):
    def test_graph_is_what_the_script_writes(self):
        spec = importlib.util.spec_from_file_location("make_graph", os.path.join(PACK, "make_graph.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, part in (("graph.ndjson", False), ("simulation.ndjson", True)):
            made = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
                           for line in module.lines(part))
            with open(os.path.join(PACK, name), encoding="utf-8") as f:
                self.assertEqual(f.read(), made)

    def test_imports_without_a_complaint(self):
        server = self.serve()
        r = self.ok(server.run("import", os.path.join(PACK, "models"), os.path.join(PACK, "graph.ndjson"),
                               os.path.join(PACK, "simulation.ndjson"), "--json"))
        self.assertEqual(r.json["failed"], 0)
        self.assertEqual(r.json["models"]["added"], len(os.listdir(os.path.join(PACK, "models"))))
        self.assertTrue(130 <= r.json["twins"]["added"] <= 180, r)
        self.assertGreater(r.json["relationships"]["added"], 300)

    def test_models_are_documented(self):
        for name in os.listdir(os.path.join(PACK, "models")):
            with open(os.path.join(PACK, "models", name), encoding="utf-8") as f:
                model = json.load(f)
            self.assertEqual(model["@id"], "dtmi:sosia:bottling:%s;1" % name[:-5])
            self.assertTrue(model["displayName"]["en"] and model["displayName"]["it"] and model["description"], name)
            for content in model["contents"]:
                self.assertTrue(content.get("description"), (name, content["name"]))

    def test_every_twin_is_connected(self):
        server = self.serve()
        self.ok(server.run("import", PACK))
        for t in server.every("/digitaltwins"):
            id = t["$dtId"]
            links = server.get("/digitaltwins/%s/relationships" % id)["value"]
            incoming = server.get("/digitaltwins/%s/incomingrelationships" % id)["value"]
            self.assertTrue(links or incoming, id)


class Site(Case):
    def test_same_seed_same_values(self):
        one = self.ok(site("--print", "--clock", CLOCK, "--for", "5m", "--seed", "5")).out
        self.assertEqual(one, self.ok(site("--print", "--clock", CLOCK, "--for", "5m", "--seed", "5")).out)
        self.assertNotEqual(one, self.ok(site("--print", "--clock", CLOCK, "--for", "5m", "--seed", "6")).out)
        self.assertGreater(one.count("\n"), 20000)

    def test_every_sensor_arrives(self):
        server = self.serve("--future", "off")
        self.ok(site("--url", server.url, "--load"))
        self.ok(site("--url", server.url, "--load"))  # a second time changes nothing
        self.ok(site("--url", server.url, "--clock", CLOCK, "--for", "120s", "--speed", "60", "--quiet"))
        twins = {t["$dtId"]: t for t in server.every("/digitaltwins")}
        line = twins["line-1"]
        running = [t for t in twins if t.startswith("line-1-") and twins[t].get("state") == "running"]
        self.assertEqual(line["machinesRunning"], len(running))
        for one in (twins["line-1"], twins["line-2"], twins["line-3"]):
            made = one["good"] + one["rejected"] if "good" in one and "rejected" in one else 0
            self.assertEqual(one.get("yield"), one["good"] / made if made else None)
        rooms = [t["airTemperature"] for t in twins.values() if t["$metadata"]["$model"].endswith(":ColdRoom;1")]
        self.assertEqual(twins["cold-store"]["warmestRoom"], max(rooms))
        sensors = self.ok(site("--list")).out.split("\n")[:-1]
        self.assertGreater(len(sensors), 600)
        for line in sensors:
            id, path = line.split(" ")
            value, meta = at_path(twins[id], path)
            self.assertIsNotNone(value, line)
            self.assertTrue(meta["sourceTime"].startswith("2026-11-24T07:0"), (line, meta))

    def test_goes_on_when_the_server_is_back(self):
        server = self.serve(path=self.file("w.sosia"))
        server.arguments = ["--http", server.url[7:]]
        self.ok(site("--url", server.url, "--load"))
        p = subprocess.Popen([kit.SITE, "--url", server.url, "--speed", "10"], stderr=subprocess.PIPE, text=True,
                             env=kit.environment())
        self.addCleanup(lambda: (p.kill(), p.wait(), p.stderr.close()))
        until(lambda: "power" in server.twin("line-1"), what="the first values")
        server.kill()
        self.assertIn("values wait", p.stderr.readline())
        server.start()
        before = server.twin("main-meter")["energy"]
        until(lambda: server.twin("main-meter")["energy"] > before, what="new values")
        p.terminate()
        self.assertEqual(p.wait(60 * kit.SLOW), 0)
        self.assertIn("the server is back", p.stderr.read())

    def test_mistakes(self):
        self.assertEqual(site("--speed", "-1").code, 4)
        self.assertEqual(site("--nonsense").code, 4)
        self.assertEqual(site("--url", "http://127.0.0.1:9", "--load").code, 1)
        self.assertIn("--clock", self.ok(site("--help")).out)


class Older(Case):
    """The plant as it was before it could be simulated."""

    def test_gets_what_simulations_go_by(self):
        server = self.serve(path=self.file("old.sosia"))
        new = ("LineLog", "Market", "Busbar", "Envelope", "Works", "Ledger", "Infeed", "Outfeed")
        models = [os.path.join(PACK, "models", m) for m in os.listdir(os.path.join(PACK, "models"))
                  if m[:-5] not in new]
        self.ok(server.run("import", *models, os.path.join(PACK, "graph.ndjson")))
        self.assertEqual(len(server.every("/digitaltwins")), 148)
        server.http("PATCH", "/digitaltwins/line-1", [{"op": "add", "path": "/note", "value": "ours"}])
        self.assertEqual(server.http("PUT", "/kpis/co2", {"twin": "line-1", "expression": "power"})[0], 200)
        for _ in range(2):
            self.ok(site("--url", server.url, "--load"))
            self.assertEqual(len(server.every("/digitaltwins")), 172)
        self.assertEqual(server.twin("line-1")["note"], "ours")
        self.assertEqual(server.get("/kpis/co2")["expression"], "power")  # somebody's own stays
        for folder in ("behaviours", "mappings", "kpis", "whatifs"):
            self.assertEqual({d["name"] for d in server.get("/" + folder)["value"]},
                             {f.rpartition(".")[0] for f in os.listdir(os.path.join(PACK, folder))})
        self.ok(server.run("whatif", "filler-breaks"))

    def test_whose_machines_know_nothing_of_flow_goes_on_as_it_was(self):
        server = self.serve(path=self.file("older.sosia"))
        models = []
        for name in os.listdir(os.path.join(PACK, "models")):
            with open(os.path.join(PACK, "models", name), encoding="utf-8") as f:
                models.append(json.load(f))
            if name in ("LineMachine.json", "Line.json", "Conveyor.json"):
                models[-1]["contents"] = [c for c in models[-1]["contents"]
                                          if c["name"] not in ("flowState", "enabled", "mode", "piled", "begun")]
        self.assertEqual(server.http("POST", "/models", models)[0], 201)
        self.ok(server.run("import", os.path.join(PACK, "graph.ndjson"), os.path.join(PACK, "simulation.ndjson")))
        own = {"model": "dtmi:sosia:bottling:Line;1", "say": ["speed = targetSpeed"]}
        self.assertEqual(server.http("PUT", "/behaviours/line", own)[0], 200)
        r = self.ok(site("--url", server.url, "--load"))
        self.assertRegex(r.err, r"of before: \d+ definitions need one that is new")
        self.assertEqual(server.get("/behaviours/line")["say"], own["say"])
        self.assertEqual(server.get("/mappings")["value"], [])


class Demo(Case):
    past = False  # what was before the first start is another test

    def start(self, *arguments):
        p = subprocess.Popen([kit.SOSIA, "demo", "--data", self.file("demo.sosia"), "--http", "127.0.0.1:0",
                              *(arguments if "--past" in arguments or self.past else ("--past", "0", *arguments))],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kit.environment())

        def end():
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
                p.wait(60 * kit.SLOW)
            p.stdout.close()
            p.stderr.close()
        self.addCleanup(end)
        text = ""
        while "Ctrl-C" not in text:
            line = p.stdout.readline()
            if not line:
                raise AssertionError("the demo ended: %s" % p.stderr.read())
            text += line
        server = object.__new__(kit.Server)
        server.url = re.search(r"http://[\d.:]+", text).group(0)
        match = re.search(r"kill (\d+)", text)
        return p, server, text, int(match.group(1)) if match else None

    def children(self, pid):
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
            return [int(n) for n in f.read().split()]

    def test_whole_life(self):
        demo, server, text, emulator = self.start("--speed", "10")
        self.assertEqual(len(server.every("/digitaltwins")), 172)
        self.assertIn("in a browser", text)
        with urllib.request.urlopen(server.url) as page:
            self.assertIn("text/html", page.headers["Content-Type"])

        # The commands that it prints work.
        commands = re.findall(r"(?m)^  \S+ ((?:watch|get|worlds|whatif).*)$", text)
        self.assertEqual(len(commands), 4, text)
        for command in commands:
            words = [w.strip("'") for w in command.split()]
            if words[0] == "watch":
                words += ["--lines", "--count", "3"]
            r = self.ok(kit.run(*words))
            self.assertTrue((r.out + r.err).strip(), r)

        # Values move.
        seen = server.twin("main-meter")["energy"]
        until(lambda: server.twin("main-meter")["energy"] > seen, what="a new reading")
        out = self.ok(server.run("get", "line-1-filler")).out
        self.assertRegex(out, r"drive\.vibration +[\d.]+ +gₙ +(now|\d+ s old)")
        self.assertNotIn("stale", out)

        # Silence: ages grow, values are marked, the demo says so and the server goes on.
        os.kill(emulator, signal.SIGKILL)
        self.assertIn("the site is silent", demo.stderr.readline())
        time.sleep(2.2)
        r = self.ok(server.run("get", "line-1-filler", "--stale-after", "2s"))
        self.assertRegex(r.out, r"drive\.speed +\d+ +rpm +\d+ s old, stale")
        self.assertRegex(r.out, r"maker +Corvani +\d+ s old\n")  # nobody measures the maker
        still = server.every("/digitaltwins")

        # Started again from its file without a site: the same to the last digit.
        demo.send_signal(signal.SIGINT)
        self.assertEqual(demo.wait(60 * kit.SLOW), 0)
        demo, server, text, emulator = self.start("--no-site")
        self.assertIsNone(emulator)
        self.assertEqual(server.every("/digitaltwins"), still)

    def test_nothing_is_left_behind(self):
        demo, server, text, emulator = self.start()
        children = self.children(demo.pid)
        self.assertEqual(len(children), 2)
        demo.kill()
        demo.wait()
        until(lambda: not any(os.path.exists("/proc/%d" % c) for c in children), 30, "the end of the children")

    def test_the_file_is_in_use(self):
        demo, server, text, emulator = self.start("--no-site")
        r = kit.run("demo", "--data", self.file("demo.sosia"), "--http", "127.0.0.1:0")
        self.assertNotEqual(r.code, 0, r)
        self.assertIn("demo.sosia", r.err)


class Footprint(Case):
    def test_empty_start_and_idle_memory(self):
        with open(kit.SOSIA, "rb") as f:
            if b"__asan_init" in f.read():
                print("SKIP footprint: a sanitizer build")
                self.skipTest("a sanitizer build")
        best = 1e9
        for i in range(20):
            if i >= 5 and best < 50:  # a busy machine gets more tries
                break
            server = self.serve(path=self.file("%d.sosia" % i))
            best = min(best, server.ready["ready_ms"])
            with open("/proc/%d/status" % server.process.pid, encoding="ascii") as f:
                rss = int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1))
            self.assertLess(rss, 30 * 1024)
            server.stop()
        print("empty start %.1f ms, idle %d kB" % (best, rss))
        self.assertLess(best, 50)


if __name__ == "__main__":
    kit.main()
