# SPDX-License-Identifier: Apache-2.0
# LABELS: process serial
"""The closed loop over processes: a filler jams, a rule proposes, people decide over HTTP or by the command line, the
device (an HTTP server here, or the emulated plant) obeys, and what comes of it is watched, over restarts and kills."""
import http.server
import json
import subprocess
import threading
import time

import kit
from kit import until

MODEL = [{"@id": "dtmi:test:Filler;1", "@type": "Interface", "@context": "dtmi:dtdl:context;3", "contents": [
    {"@type": "Property", "name": "fault", "schema": "string"},
    {"@type": "Property", "name": "speed", "schema": "double"},
    {"@type": "Property", "name": "rate", "schema": "double"},
    {"@type": "Property", "name": "heat", "schema": "double"},
    {"@type": "Property", "name": "money", "schema": "double"},
    {"@type": "Command", "name": "setSpeed", "request": {"name": "speed", "schema": "double"}}]}]
BEHAVIOUR = {"model": "dtmi:test:Filler;1", "say": [
    "rate = IF(fault = '', speed, 0)", "der(money) = rate", "der(heat) = IF(rate > 15, 1, 0)",
    "at rate 0.5 do money = money - RANDOM_EXPONENTIAL(1)"]}
KPIS = {"margin": {"twin": "f-1", "expression": "money", "unit": "EUR", "of": "money", "better": "more"},
        "heat": {"twin": "f-1", "expression": "heat", "over": "max"}, "pace": {"twin": "f-1", "expression": "rate"}}

UNDO = {"twin": "$twin", "name": "setSpeed", "payload": 5}


def action(name, speed, **more):
    return {"name": name, "changes": [{"twin": "$twin", "property": "fault", "value": ""},
                                      {"twin": "$twin", "property": "speed", "value": speed}],
            "command": {"twin": "$twin", "name": "setSpeed", "payload": speed, "timeout": "20s"}, **more}


def rule(**more):
    """A rule with members changed, or left out (None)."""
    doc = {"title": "A filler jams", "model": "dtmi:test:Filler;1", "when": "fault = 'jam'", "again": "PT1H",
            "approval": {"within": "PT10M"}, "ahead": "PT20S", "replications": 6, "seed": 7,
            "objective": {"kpi": "margin"}, "limits": [{"kpi": "heat", "max": 5}],
            "envelope": [{"command": "setSpeed", "pointer": "", "min": 0, "max": 50}],
            "actions": [action("clear", 10, title="Clear the jam", cost=12,
                               undo=UNDO), action("push", 40, undo=UNDO)],
            "watch": {"kpi": "pace", "for": "PT4S", "patience": 2, "margin": 0.5}, **more}
    return {k: v for k, v in doc.items() if v is not None}


class Device:
    """Takes setSpeed; obeys as `mood` says: "obey", "lie" (says yes and stands still), "refuse"."""

    def __init__(self):
        device = self
        self.seen, self.mood, self.obey = [], "obey", lambda twin, speed: None

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                _, twin, command = self.path.split("/")
                if device.mood == "obey":
                    device.obey(twin, json.loads(body))
                device.seen.append((twin, command, json.loads(body)))
                answer = b'"taken"' if device.mood != "refuse" else b'{"why":"the hood is open"}'
                self.send_response(409 if device.mood == "refuse" else 200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who asked is gone
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Loop(kit.Case):
    def start(self, *arguments, headers=None, **rule_members):
        self.headers = headers or {}
        self.device = Device()
        self.addCleanup(self.device.close)
        self.device.obey = lambda twin, speed: self.tell(twin, fault="", speed=speed, rate=speed)
        self.s = self.serve("--http", "127.0.0.1:0", *arguments, path=self.file("w.sosia"))
        self.ok_http("POST", "/models", MODEL)
        for name in ("f-1", "f-2"):
            self.ok_http("PUT", "/digitaltwins/" + name, {"$metadata": {"$model": "dtmi:test:Filler;1"}, "fault": "",
                                                          "speed": 10, "rate": 10, "heat": 0, "money": 0})
        self.ok_http("PUT", "/behaviours/fillers", BEHAVIOUR)
        for name, kpi in KPIS.items():
            self.ok_http("PUT", "/kpis/" + name, kpi)
        self.ok_http("PUT", "/connections/hall", {"kind": "http", "url": self.device.url, "commands": [{}]})
        self.ok_http("PUT", "/rules/jams", rule(**rule_members))

    def ok_http(self, method, path, body=None, headers=None):
        code, _, text = self.s.http(method, path, body, headers or self.headers)
        self.assertIn(code, (200, 201, 202, 204), text)
        return json.loads(text) if text else None

    def fails(self, method, path, code, wire, body=None, headers=None):
        got, _, text = self.s.http(method, path, body, headers or self.headers)
        self.assertEqual((got, json.loads(text)["error"]["code"]), (code, wire), text)
        return text

    def tell(self, twin, **values):
        patch = [{"op": "add", "path": "/" + k, "value": v} for k, v in values.items()]
        self.ok_http("PATCH", "/digitaltwins/" + twin, patch)

    def jam(self, twin="f-1"):
        self.tell(twin, fault="jam", rate=0)

    def record(self, id=1):
        return self.ok_http("GET", "/decisions/%d" % id)

    def state(self, id=1):
        code, _, text = self.s.http("GET", "/decisions/%d" % id, headers=self.headers)
        return json.loads(text)["state"] if code == 200 else None

    def until_state(self, state, id=1):
        def look():
            now = self.state(id)
            return now == state
        try:
            until(look, 60, "decision %d %s" % (id, state))
        except AssertionError as e:
            raise AssertionError("%s: %s" % (e, self.s.http("GET", "/decisions/%d" % id, headers=self.headers)[2]))
        return self.record(id)

    # ---- the chain ------------------------------------------------------------------------------------------------

    def test_whole_chain(self):
        self.start()
        self.jam()
        r = self.until_state("waiting")
        self.assertEqual((r["rule"], r["twin"], r["choice"]), ("jams", "f-1", "clear"))
        self.assertEqual([a["action"] for a in r["alternatives"]], ["nothing", "clear", "push"])
        self.assertIn("heat", r["alternatives"][2]["dropped"])
        self.assertIn("EUR", r["why"])
        self.assertEqual(self.device.seen, [])
        short = self.ok_http("GET", "/decisions?state=waiting")["value"]
        self.assertEqual([(d["id"], d["choice"]) for d in short], [(1, "clear")])
        shown = self.ok(self.s.run("decisions")).out
        self.assertRegex(shown, r"(?m)^ *1 .* waiting +f-1 +clear ")
        shown = self.ok(self.s.run("decisions", "show", "1")).out
        for part in ("Decision 1: A filler jams  waiting", "Clear the jam", "at most 5", "broken", "setSpeed 10 to f-1",
                     "not sent"):
            self.assertIn(part, shown)
        done = self.ok(self.s.run("decisions", "approve", "1", "--note", "seen"))
        self.assertIn("decision 1 is", done.err)
        r = self.until_state("kept")
        self.assertEqual(self.device.seen, [("f-1", "setSpeed", 10)])
        self.assertEqual([(v["who"], v["verdict"], v["note"]) for v in r["approval"]["by"]],
                         [("local", "approve", "seen")])
        self.assertEqual((r["command"]["status"], json.loads(r["command"]["answer"])), (200, "taken"))
        self.assertTrue(all(abs(v - 10) < 0.6 for v in r["watch"]["seen"] if v is not None), r["watch"])
        self.assertNotIn("left", r["watch"])
        again = self.ok_http("POST", "/decisions/1/replay")
        self.assertEqual((again["same"], again["choice"], again["differences"]), (True, "clear", []))
        self.assertIn("to the last bit", self.ok(self.s.run("decisions", "replay", "1")).err)
        self.fails("POST", "/decisions/1/approve", 409, "DecisionConflict")
        self.assertEqual(len(self.device.seen), 1)
        self.assertEqual(self.ok_http("GET", "/connections/hall")["status"]["commands"], 1)

    def test_each_draws_its_own_chances(self):
        """A rule without a seed: no two decisions look at the same chances, and each can be replayed."""
        self.start(seed=None)
        self.jam()
        self.until_state("waiting")
        self.ok_http("POST", "/rules/jams/try", {"twin": "f-1"})
        seeds = [self.until_state("waiting")["seed"], self.until_state("waiting", 2)["seed"]]
        self.assertNotEqual(*seeds)
        self.assertNotIn(0, seeds)
        self.assertTrue(self.ok_http("POST", "/decisions/1/replay")["same"])

    def test_two_are_watched_apart(self):
        """Each twin of the model sets it off by itself."""
        self.start()
        self.jam("f-2")
        self.assertEqual(self.until_state("nothing")["twin"], "f-2")  # the margin is that of f-1
        self.jam("f-1")
        self.assertEqual(self.until_state("waiting", 2)["twin"], "f-1")
        rows = self.ok_http("GET", "/decisions?twin=f-2")["value"]
        self.assertEqual([d["id"] for d in rows], [1])
        page = self.ok_http("GET", "/decisions?limit=1")
        self.assertEqual(([d["id"] for d in page["value"]], page["more"]), ([2], True))
        page = self.ok_http("GET", "/decisions?limit=1&after=2")
        self.assertEqual(([d["id"] for d in page["value"]], page["more"]), ([1], False))

    def test_refused_by_people(self):
        self.start()
        self.jam()
        self.until_state("waiting")
        self.ok(self.s.run("decisions", "refuse", "1"))
        self.assertEqual(self.state(), "refused")
        self.fails("POST", "/decisions/1/approve", 409, "DecisionConflict")
        self.fails("POST", "/decisions/1/rollback", 409, "DecisionConflict")
        self.assertEqual(self.device.seen, [])

    def test_nobody_answers(self):
        self.start(approval={"within": "PT1S", "else": "refuse"}, again=None)
        self.jam()
        self.until_state("expired")
        self.assertEqual(self.device.seen, [])
        self.tell("f-1", fault="", rate=10)
        self.ok_http("PUT", "/rules/jams", rule(approval={"within": "PT1S", "else": "act"}, watch=None, again=None))
        self.jam()
        self.until_state("kept", 2)
        self.assertEqual(self.device.seen, [("f-1", "setSpeed", 10)])

    def test_nobody_answers_while_nobody_is_there(self):
        """Time runs out while the process is not there: what the rule says then is done once it is there again."""
        self.start(approval={"within": "PT2S", "else": "act"}, watch=None)
        self.jam()
        due = self.until_state("waiting")["approval"]["due"]
        self.s.kill()
        until(lambda: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) > due, what="the time to run out")
        self.s.start()
        self.until_state("kept")
        self.assertEqual(self.device.seen, [("f-1", "setSpeed", 10)])

    def test_nobody_answers_and_the_rule_is_gone(self):
        """What a rule does by itself it does only while it stands as it was; people decide on what they see."""
        self.start(approval={"within": "PT3S", "else": "act"}, watch=None, again=None)
        self.jam()
        self.until_state("waiting")
        self.ok_http("DELETE", "/rules/jams")
        self.assertIn("not what it was", self.until_state("expired")["log"][-1]["what"])
        self.assertEqual(self.device.seen, [])
        self.ok_http("PUT", "/rules/jams", rule(watch=None))
        self.ok(self.s.run("rules", "try", "jams", "--twin", "f-1"))
        self.until_state("waiting", 2)
        self.ok_http("DELETE", "/rules/jams")
        self.ok_http("POST", "/decisions/2/approve")
        self.until_state("kept", 2)
        self.assertEqual(self.device.seen, [("f-1", "setSpeed", 10)])

    def test_two_people(self):
        tokens = self.file("tokens", "one\ntwo\n")
        one, two = {"Authorization": "Bearer one"}, {"Authorization": "Bearer two"}
        self.start("--token-file", tokens, headers=one, approval={"within": "PT10M", "people": 2})
        self.jam()
        self.until_state("waiting")
        self.assertEqual(self.ok_http("POST", "/decisions/1/approve")["state"], "waiting")
        self.fails("POST", "/decisions/1/approve", 409, "DecisionConflict")
        self.assertEqual(self.device.seen, [])
        self.ok_http("POST", "/decisions/1/approve", {"note": "me too"}, two)
        r = self.until_state("kept")
        self.assertEqual([v["who"] for v in r["approval"]["by"]], ["token-1", "token-2"])

    # ---- devices --------------------------------------------------------------------------------------------------

    def test_left_and_undone(self):
        """The device says yes and stands still; somebody has it undone."""
        self.start()
        self.device.mood = "lie"
        self.jam()
        self.until_state("waiting")
        self.ok_http("POST", "/decisions/1/approve")
        r = self.until_state("left")
        self.assertTrue(r["watch"]["left"])
        self.assertEqual(self.device.seen, [("f-1", "setSpeed", 10)])
        self.ok(self.s.run("decisions", "rollback", "1"))
        self.until_state("rolledBack")
        self.assertEqual(self.device.seen[1:], [("f-1", "setSpeed", 5)])

    def test_undone_by_itself(self):
        self.start(mode="auto", watch={"kpi": "pace", "for": "PT10S", "patience": 2, "rollback": True})
        self.device.mood = "lie"
        self.jam()
        self.until_state("rolledBack")
        self.assertEqual(self.device.seen, [("f-1", "setSpeed", 10), ("f-1", "setSpeed", 5)])

    def test_device_refuses_or_is_gone(self):
        self.start(mode="auto", again=None)
        self.device.mood = "refuse"
        self.jam()
        r = self.until_state("failed")
        self.assertEqual((r["command"]["status"], r["command"]["error"]), (409, "DeviceError"))
        self.assertEqual(json.loads(r["command"]["answer"]), {"why": "the hood is open"})
        self.assertTrue(r["log"][-1]["what"].endswith(": the hood is open"), r["log"])
        shown = self.ok(self.s.run("decisions", "show", "1")).out
        self.assertIn(": the hood is open\n", shown)
        self.assertNotIn('"why"', shown)
        self.tell("f-1", fault="", rate=10)
        self.ok_http("DELETE", "/connections/hall")
        self.jam()
        r = self.until_state("failed", 2)
        self.assertEqual(r["command"]["error"], "DeviceOffline")
        self.assertEqual(len(self.device.seen), 1)

    # ---- the end of a process -------------------------------------------------------------------------------------

    def test_killed_while_it_waits_and_while_it_watches(self):
        self.start(watch={"kpi": "pace", "for": "PT8S", "patience": 3, "margin": 0.5})
        self.jam()
        self.until_state("waiting")
        self.s.kill()
        self.s.start()
        self.assertEqual(self.state(), "waiting")
        self.ok_http("POST", "/decisions/1/approve")
        self.until_state("watching")
        self.s.kill()
        self.assertEqual(self.device.seen, [("f-1", "setSpeed", 10)])
        self.s.start()
        r = self.until_state("kept")
        self.assertEqual(self.device.seen, [("f-1", "setSpeed", 10)])  # never twice
        self.assertEqual(self.ok_http("POST", "/decisions/1/replay")["same"], True)
        self.assertEqual(r["choice"], "clear")

    def test_killed_while_it_computes(self):
        """Nobody was asked and nothing sent: the condition, which holds still, sets the rule off again."""
        self.start(again=None, replications=1000, ahead="PT5H", limits=None, watch=None)
        self.jam()
        self.until_state("proposing")
        self.s.kill()
        self.s.start()
        self.until_state("failed")  # soon, not before the first request
        until(lambda: self.state(2), what="another proposal")

    def test_killed_while_it_sends(self):
        """The device has the command, the answer never came: it is not known, and not sent again."""
        self.start(mode="auto")
        here, go = threading.Event(), threading.Event()
        self.addCleanup(go.set)

        def slow(twin, speed):
            here.set()
            go.wait(60 * kit.SLOW)

        self.device.obey = slow
        self.jam()
        self.assertTrue(here.wait(60 * kit.SLOW))
        self.assertEqual(self.state(), "sending")
        self.s.kill()
        go.set()
        until(lambda: self.device.seen, what="the device is done")
        self.s.start()
        self.until_state("unknown")
        self.ok_http("PUT", "/kpis/pace", KPIS["pace"])  # something happens
        self.assertEqual(self.device.seen, [("f-1", "setSpeed", 10)])

    def test_kill_switch(self):
        self.start()
        self.jam()
        self.until_state("waiting")
        self.ok(self.s.run("decisions", "stop"))
        self.assertTrue(self.ok_http("GET", "/decisions")["stopped"])
        self.s.stop()
        self.s.start()
        self.assertTrue(self.ok_http("GET", "/decisions")["stopped"])
        self.assertIn("kill switch", self.ok(self.s.run("decisions")).err)
        self.assertIn("sending is stopped: resume it first (sosia decisions resume)",
                      self.fails("POST", "/decisions/1/approve", 409, "DecisionConflict"))
        self.assertEqual(self.state(), "waiting")
        self.ok_http("POST", "/decisions/1/refuse")
        self.assertEqual(self.device.seen, [])
        self.ok(self.s.run("decisions", "resume"))
        self.assertFalse(self.ok_http("GET", "/decisions")["stopped"])
        self.ok(self.s.run("rules", "try", "jams", "--twin", "f-1"))
        self.until_state("waiting", 2)
        self.ok_http("POST", "/decisions/2/approve")
        self.until_state("kept", 2)
        self.assertEqual(len(self.device.seen), 1)

    # ---- news -----------------------------------------------------------------------------------------------------

    def test_waiting_for_news(self):
        """As many wait as may, nobody is held up by them, and all of them hear of it."""
        self.start()
        now = self.ok_http("GET", "/decisions")["revision"]
        answers, began = [], time.monotonic()

        def wait():
            answers.append(self.ok_http("GET", "/decisions?wait=60s&revision=%d" % now))

        threads = [threading.Thread(target=wait) for _ in range(20)]
        for t in threads:
            t.start()
        until(lambda: int([line for line in self.s.http("GET", "/metrics")[2].splitlines()
                           if line.startswith("sosia_http_requests_in_work ")][0].split()[1]) > 20,
              what="twenty that wait")
        self.assertEqual(self.s.get("/digitaltwins/f-1")["rate"], 10)
        self.assertEqual(answers, [])
        self.jam()
        for t in threads:
            t.join()
        self.assertLess(time.monotonic() - began, 50 * kit.SLOW)
        for a in answers:
            self.assertGreater(a["revision"], now)
            self.assertEqual([d["id"] for d in a["value"]], [1])
        self.until_state("waiting")
        now = self.ok_http("GET", "/decisions")["revision"]
        a = self.ok_http("GET", "/decisions?wait=1s&revision=%d" % now)
        self.assertEqual(a["revision"], now)  # its time was up
        t = threading.Thread(target=lambda: answers.append(self.s.http("GET", "/decisions?wait=60s&revision=%d" % now)))
        t.start()
        until(lambda: "sosia_http_requests_in_work 2" in self.s.http("GET", "/metrics")[2], what="one that waits")
        began = time.monotonic()
        self.assertEqual(self.s.stop(), 0)
        t.join()
        self.assertLess(time.monotonic() - began, 20 * kit.SLOW)  # the end waits for nobody
        self.assertEqual(answers[-1][0], 200)

    def test_follow(self):
        self.start()
        p = subprocess.Popen([kit.SOSIA, "decisions", "--follow"], stdout=subprocess.PIPE, text=True,
                             env=kit.environment(SOSIA_URL=self.s.url))
        self.addCleanup(lambda: (p.kill(), p.wait(), p.stdout.close()))
        until(lambda: "Decisions_List" in self.s.http("GET", "/metrics")[2], what="it listens")
        self.jam()
        line = p.stdout.readline()
        while "waiting" not in line:
            self.assertRegex(line, r"^20\S+  1  proposing  f-1  jams")
            line = p.stdout.readline()
        self.ok_http("POST", "/decisions/1/refuse")
        self.assertRegex(p.stdout.readline(), r"  1  refused  f-1  jams")
        p.terminate()
        self.assertEqual(p.wait(60 * kit.SLOW), 0)

    def test_requests_that_make_no_sense(self):
        self.start()
        self.fails("GET", "/decisions/1", 404, "DecisionNotFound")
        self.fails("GET", "/decisions/one", 404, "DecisionNotFound")
        self.fails("POST", "/decisions/1/approve", 404, "DecisionNotFound")
        self.fails("GET", "/decisions?limit=0x", 400, "InvalidArgument")
        self.fails("GET", "/decisions?wait=61s", 400, "InvalidArgument")
        self.fails("GET", "/decisions?state=lost", 400, "InvalidArgument")
        self.fails("POST", "/rules/jams/try", 400, "InvalidArgument", {"twins": "f-1"})
        self.fails("POST", "/rules/jams/try", 404, "DigitalTwinNotFound", {"twin": "f-9"})
        self.fails("POST", "/rules/other/try", 404, "DefinitionNotFound", {"twin": "f-1"})
        self.assertIn("setSpeeds", self.fails("PUT", "/rules/bad", 404, "CommandNotFound", rule(envelope=None, actions=[
            dict(action("a", 1), command={"twin": "$twin", "name": "setSpeeds"})])))
        self.assertRegex(self.fails("PUT", "/rules/bad", 400, "InvalidArgument",
                                    rule(actions=[action("a", 1), dict(action("b", 1), cost=-1)])),
                         r"\"actions\[1\]\.cost: ")
        self.fails("PUT", "/rules/bad", 400, "InvalidArgument", rule(actions=[action("a", 51)]))  # beyond its envelope
        self.assertEqual([r["name"] for r in self.ok_http("GET", "/rules")["value"]], ["jams"])
        shown = self.ok(self.s.run("rules")).out
        self.assertRegex(shown, r"(?m)^jams +Filler +fault = 'jam' +")
        self.assertEqual(self.s.run("rules", "try", "jams").code, 4)
        self.assertEqual(self.s.run("decisions", "approve", "5").code, 3)
        self.ok(self.s.run("rules", "try", "jams", "--twin", "f-2"))
        self.fails("POST", "/decisions/1/frobnicate", 400, "InvalidArgument")
        self.fails("POST", "/decisions/1/refuse", 400, "InvalidArgument", {"note": 5})
        names = self.s.get("/openapi.json")["paths"]
        self.assertIn("/decisions/{id}/replay", names)


class Plant(kit.Case):
    """The demo's plant: a filler jams, the rule of the pack proposes, somebody approves, the line runs again."""

    def test_a_filler_jams(self):
        s = self.serve("--http", "127.0.0.1:0", "--future", "off", path=self.file("plant.sosia"))
        site = [kit.SITE, "--url", s.url]
        self.assertEqual(subprocess.run([*site, "--load"], env=kit.environment(), timeout=120 * kit.SLOW).returncode, 0)
        p = subprocess.Popen([*site, "--speed", "5"], stdout=subprocess.DEVNULL, env=kit.environment())
        self.addCleanup(lambda: (p.terminate(), p.wait(60 * kit.SLOW)))
        until(lambda: "state" in s.twin("line-1-filler"), what="the first values")
        until(lambda: s.http("GET", "/connections/site")[0] == 200, what="the door is known")
        self.assertEqual(subprocess.run([*site, "--jam", "line-1"], env=kit.environment()).returncode, 0)
        until(lambda: s.twin("line-1-filler")["fault"] == "jam at infeed star", what="the jam")
        rows = until(lambda: s.get("/decisions?state=waiting")["value"], 120, "a proposal")
        r = s.get("/decisions/%d" % rows[0]["id"])
        self.assertEqual((r["twin"], r["choice"]), ("line-1-filler", "clear"), r["why"])
        self.assertGreater(rows[0]["gainLow"], 0)
        self.ok(s.run("decisions", "approve", rows[0]["id"]))
        r = until(lambda: s.get("/decisions/%d" % rows[0]["id"])["state"] == "watching", what="it is watched")
        until(lambda: s.twin("line-1-filler")["fault"] == "", what="the jam is cleared")
        self.assertEqual(s.get("/connections/site")["status"]["commands"], 1)
        self.assertEqual(json.loads(self.ok(s.run("decisions", "replay", rows[0]["id"], "--json")).out)["same"], True)


if __name__ == "__main__":
    kit.main()
