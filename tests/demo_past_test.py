#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process serial
"""The past of the demo: it is there at once, told in its own time; what went wrong in it can be found, tried and
mended; whatever interrupts the living leaves nothing half."""
import datetime
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import demo_test  # noqa: E402
import kit  # noqa: E402
from kit import until  # noqa: E402

JAM = "jam at infeed star"
HOUR = 3600


def seconds(text):
    whole, _, part = text.rstrip("Z").partition(".")
    at = datetime.datetime.fromisoformat(whole + "+00:00").timestamp()
    return at + float("0." + (part or "0"))


def rfc(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def processor_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        user, system = f.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Past(kit.Case):
    past = True
    start = demo_test.Demo.start
    children = demo_test.Demo.children

    def history(self, server, id, property, **more):
        query = urllib.parse.urlencode(dict(properties=property, **{k.rstrip("_"): v for k, v in more.items()}))
        return server.get("/digitaltwins/%s/history?%s" % (id, query))["value"]

    def failed_at(self, server):
        """When the jam began that lasts until now, as a person finds it: back through the values of `fault`."""
        began = None
        for v in self.history(server, "line-1-filler", "fault", order="desc", limit=1000):
            if v["value"] != JAM:
                return began
            began = seconds(v["time"])
        return began

    def test_is_there_at_once(self):
        begun = time.time()
        demo, server, text, emulator = self.start()
        took, worked = time.time() - begun, processor_seconds(demo.pid) + processor_seconds(emulator)
        size = os.path.getsize(self.file("demo.sosia"))
        print("ready after %.1f s, %.1f of them at work, %.1f MB" % (took, worked, size / 1e6))
        self.assertLess(worked, 8 * kit.SLOW)  # whatever else the machine does
        self.assertLess(took, 60 * kit.SLOW)
        self.assertLess(size, 20e6)
        self.assertFalse(os.path.exists(self.file("demo.sosia.part")))
        self.assertIn("One thing needs you", text)
        self.assertEqual(len(server.every("/digitaltwins")), 172)

        # Full at once, twice a minute, over 8 hours; nothing before.
        values = self.history(server, "line-1", "power", limit=100000, with_="arrival", to=rfc(begun))
        self.assertTrue(940 <= len(values) <= 1010, len(values))
        self.assertLess(abs(seconds(values[0]["time"]) - (begun - 8 * HOUR)), 60)
        arrivals = [seconds(v["arrival"]) for v in values]
        self.assertEqual(arrivals, sorted(set(arrivals)))
        for v in values:  # it was known soon after it was true
            self.assertTrue(0 <= seconds(v["arrival"]) - seconds(v["time"]) <= 32, v)

        # The world as it was then, and what there is not.
        then = server.get("/worlds/live@-4h/digitaltwins/main-meter")["energy"]
        self.assertGreater(server.twin("main-meter")["energy"], then + 100)
        self.assertEqual(len(server.every("/worlds/live@-4h/digitaltwins")), 172)
        status, _, body = server.http("GET", "/worlds/live@-9h/digitaltwins/main-meter")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (410, "HistoryGone"))

        # When it began is found by history; its signs came before; it lasts.
        failed = self.failed_at(server)
        self.assertTrue(39 * 60 <= begun - failed <= 110 * 60, begun - failed)
        before, sign = (self.history(server, "line-1-filler", "drive.vibration", fn="median", from_=rfc(a), to=rfc(b))
                        [0]["median"] for a, b in ((failed - 4 * HOUR, failed - 3 * HOUR), (failed - 900, failed)))
        self.assertGreater(sign, 1.5 * before)
        at = server.get("/worlds/live@%s/digitaltwins/line-1-filler" % rfc(failed - 2))
        self.assertEqual(at["fault"], "")
        self.assertIn(at["state"], ("running", "blocked", "starved"))  # others fail by chance
        self.assertEqual(server.get("/worlds/live@%s/digitaltwins/line-1-filler" % rfc(failed + 2))["fault"], JAM)

        # One thing needs somebody: the rule proposes, a person approves, the site that lived the past obeys.
        rows = until(lambda: server.get("/decisions?state=waiting")["value"], 120, "a proposal")
        self.assertEqual([(r["twin"], r["choice"]) for r in rows], [("line-1-filler", "clear")])
        self.assertEqual(server.twin("line-1-filler")["state"], "faulted")
        self.ok(server.run("decisions", "approve", rows[0]["id"]))
        until(lambda: server.twin("line-1-filler")["fault"] == "", 120, "the jam is cleared")

        # No gap between past and present, and a second start lives nothing.
        values = self.history(server, "line-1", "good", from_=rfc(begun - 300), limit=100000)
        times = [seconds(v["time"]) for v in values]
        self.assertLess(max(b - a for a, b in zip(times, times[1:])), 61)
        first = server.get("/digitaltwins/line-1/history?properties=power&limit=1")["value"]
        demo.send_signal(signal.SIGINT)
        self.assertEqual(demo.wait(60 * kit.SLOW), 0)
        demo, server, text, _ = self.start()
        self.assertNotIn("One thing needs you", text)
        self.assertEqual(server.get("/digitaltwins/line-1/history?properties=power&limit=1")["value"], first)

    def test_which_is_cheaper(self):
        """Find the failing filler, go back to when it began, fork there, try the repair, say what it is worth."""
        _, server, _, _ = self.start("--past", "2")
        failed = self.failed_at(server)
        for name, at, changes in (("never", failed - 2, []),
                                  ("repaired", failed + 2, [{"at": "PT5M", "value": ""}]),
                                  ("kept", failed + 2, [{"at": "PT0S", "value": "main gear broken"}])):
            self.ok(server.run("worlds", "fork", name, "--from", "live@" + rfc(at)))
            changes = [dict(c, twin="line-1-filler", property="fault") for c in changes]
            status, _, body = server.http("POST", "/worlds/%s/run" % name, {"for": "PT8H", "changes": changes})
            self.assertEqual(status, 202, body)
        until(lambda: all(server.get("/worlds/%s/run" % w)["state"] == "done" for w in ("never", "repaired", "kept")),
              120, "the runs")
        money = {w: {k["name"]: k["value"] for k in server.get("/worlds/%s/kpis" % w)["kpis"]}["production-value"]
                 for w in ("never", "repaired", "kept")}
        print(money)
        hour = 36000 * 0.985 * 0.055  # of line 1, in EUR; eight of them less a break and a cleaning at most
        self.assertGreater(money["repaired"], money["kept"] + 5 * hour)
        self.assertGreater(money["never"], money["kept"] + 5 * hour)
        self.assertLess(abs(money["never"] - money["repaired"]), hour)

        # The two that are prepared.
        for name in ("repair-now", "repair-after-shift"):
            self.assertIn("EUR of value of what is made", self.ok(server.run("whatif", name)).out)
        worlds = server.get("/compare?worlds=repair-after-shift,repair-now&kpis=production-value")
        self.assertEqual(len(worlds["worlds"]), 2)

    def test_what_stands_wrong_outlasts_a_restart(self):
        demo, server, _, _ = self.start("--past", "1")
        began = self.failed_at(server)
        demo.send_signal(signal.SIGINT)
        self.assertEqual(demo.wait(60 * kit.SLOW), 0)
        _, server, _, _ = self.start("--past", "1")
        until(lambda: server.http("GET", "/connections/site")[0] == 200, what="the site is there")
        fresh = len(self.history(server, "line-1", "power", limit=100000))
        until(lambda: len(self.history(server, "line-1", "power", limit=100000)) > fresh + 3, what="new values")
        filler = server.twin("line-1-filler")
        self.assertEqual((filler["fault"], filler["state"]), (JAM, "faulted"))
        self.assertEqual(self.failed_at(server), began)

    def test_calm(self):
        _, server, text, _ = self.start("--past", "1", "--calm")
        self.assertNotIn("needs you", text)
        values = self.history(server, "line-1", "power", limit=100000)
        self.assertTrue(115 <= len(values) <= 140, len(values))
        self.assertEqual(self.history(server, "line-2-filler", "drive.vibration", fn="count", to="-61m"), [])

    def test_none(self):
        begun = time.time()
        _, server, text, _ = self.start("--past", "0")
        self.assertNotIn("needs you", text)
        until(lambda: "power" in server.twin("line-1"), what="values")
        self.assertGreater(seconds(self.history(server, "line-1", "power", limit=1)[0]["time"]), begun - 5)
        for bad in ("-1", "169", "x", "1h"):
            r = kit.run("demo", "--data", self.file("no.sosia"), "--past=" + bad)
            self.assertEqual(r.code, 4, r)
        self.assertFalse(os.path.exists(self.file("no.sosia")))

    def test_hospital(self):
        _, server, _, _ = self.start("--pack", "hospital")
        self.assertEqual(len(server.every("/digitaltwins")), 420)
        steps = self.history(server, "st-clare", "inBed", fn="count,avg", step="1h", from_="-8h", to="now", fill="null")
        self.assertGreater(sum(s["count"] for s in steps), 4)
        self.assertLess(seconds(self.history(server, "nurses", "onDuty", limit=1)[0]["time"]), time.time() - 7.9 * HOUR)
        self.assertGreater(server.get("/worlds/live@-4h/digitaltwins/st-clare")["inBed"], 50)

    def half(self, *arguments):
        """A demo that is in the midst of its past."""
        p = subprocess.Popen([kit.SOSIA, "demo", "--data", self.file("demo.sosia"), "--http", "127.0.0.1:0", "--past",
                              "168", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=kit.environment())
        self.addCleanup(lambda: (p.poll() is None and p.kill(), p.wait(), p.stdout.close(), p.stderr.close()))
        part = self.file("demo.sosia.part")
        until(lambda: os.path.exists(part) and os.path.getsize(part) > 1 << 20 or p.poll() is not None, what="a half")
        self.assertIsNone(p.poll())
        return p

    def files(self):
        return sorted(f for f in os.listdir(self.folder) if f.startswith("demo"))

    def whole(self):
        _, server, _, _ = self.start("--past", "1")
        self.assertEqual(self.files(), ["demo.sosia", "demo.sosia-shm", "demo.sosia-wal", "demo.sosia.lock"])
        self.assertGreater(len(self.history(server, "line-1", "power", limit=100000)), 110)

    def test_interrupted(self):
        p = self.half()
        r = kit.run("demo", "--data", self.file("demo.sosia"), "--past", "1")
        self.assertNotEqual(r.code, 0)
        self.assertIn("another one is making this file", r.err)
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(30 * kit.SLOW), 130)
        self.assertEqual((p.stderr.read(), p.stdout.read()), ("", ""))
        self.assertEqual(self.files(), [])
        self.whole()

    def test_killed(self):
        p = self.half()
        children = self.children(p.pid)
        p.kill()
        p.wait()
        until(lambda: not any(os.path.exists("/proc/%d" % c) for c in children), 30, "the end of the site")
        self.assertIn("demo.sosia.part", self.files())
        self.assertNotIn("demo.sosia", self.files())
        self.whole()

    def test_the_site_dies(self):
        p = self.half()
        for child in self.children(p.pid):
            os.kill(child, signal.SIGKILL)
        self.assertNotEqual(p.wait(30 * kit.SLOW), 0)
        self.assertIn("ended before it had told its past", p.stderr.read())
        self.assertEqual(self.files(), [])

    def test_lock_left_behind(self):
        """A lock file without a holder is no hindrance, one with a holder is."""
        with open(self.file("demo.sosia.part.lock"), "w") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            r = kit.run("demo", "--data", self.file("demo.sosia"), "--past", "1")
            self.assertEqual(r.code, 8, r)
        self.whole()


if __name__ == "__main__":
    kit.main()
