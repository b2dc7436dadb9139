# SPDX-License-Identifier: Apache-2.0
"""GET /events: lives, models, decisions and commands of live, forks and the past; grouped, bounded, refused."""

import http.server
import json
import os
import sys
import tempfile
import threading
import time
from urllib.parse import quote, unquote

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serve_lib import Server, ServerCase, main, wait_for  # noqa: E402

MODEL = {
    "@id": "dtmi:e:Pump;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;2",
    "contents": [
        {"@type": "Property", "name": "flow", "schema": "double"},
        {"@type": "Property", "name": "fault", "schema": "string"},
        {"@type": "Command", "name": "clear"},
    ],
}


def other(i):
    return {"@id": "dtmi:e:Other;%d" % i, "@type": "Interface", "@context": "dtmi:dtdl:context;2", "contents": []}


def pump(id="", model="dtmi:e:Pump;1", **values):
    return {**({"$dtId": id} if id else {}), "$metadata": {"$model": model}, **values}


class Events(ServerCase):
    @classmethod
    def setUpClass(cls):
        pass  # each test has a server of its own

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.server = Server(data=os.path.join(self.folder.name, "e.sosia"))

    def tearDown(self):
        self.server.close()
        self.folder.cleanup()

    def events(self, query="", world=""):
        path = (world and "/worlds/" + world) + "/events" + (query and "?" + query)
        return self.check(self.server.get(path, version=None), 200).json

    def told(self, query="", world=""):
        """Without times; those are checked on the way."""
        rows = self.events(query, world)["value"]
        times = [r["time"] for r in rows]
        self.assertEqual(times, sorted(times, reverse=True))
        return [{k: v for k, v in r.items() if k != "time"} for r in rows]

    def put(self, id, world="", **values):
        path = (world and "/worlds/" + world) + "/digitaltwins/" + id
        self.check(self.server.put(path, pump(**values)), 200)

    def delete(self, id, world=""):
        self.check(self.server.delete((world and "/worlds/" + world) + "/digitaltwins/" + id), 204)

    def now(self):
        time.sleep(0.01)
        reply = self.check(self.server.get("/graph?limit=1", version=None), 200).json["time"]
        time.sleep(0.01)
        return quote(reply)

    def test_lives_and_models(self):
        start = self.now()
        self.check(self.server.post("/models", [MODEL]), 201)
        self.put("a", flow=1)
        self.put("b")
        self.check(self.server.patch("/digitaltwins/a", [{"op": "replace", "path": "/flow", "value": 2}]), 204)
        self.put("a", flow=3)  # again: it is not born twice
        before = self.now()
        self.delete("a")
        after = self.now()
        self.put("a")
        patch = [{"op": "replace", "path": "/decommissioned", "value": True}]
        self.check(self.server.patch("/models/dtmi:e:Pump;1", patch), 204)
        born = {"kind": "born", "model": "dtmi:e:Pump;1"}
        rows = [
            {"kind": "model", "model": "dtmi:e:Pump;1", "decommissioned": True},
            {**born, "twin": "a"},
            {"kind": "gone", "twin": "a"},
            {**born, "twin": "b"},
            {**born, "twin": "a"},
            {"kind": "model", "model": "dtmi:e:Pump;1"},
        ]
        self.assertEqual(self.told(), rows)
        self.assertEqual(self.told("from=" + start), rows)
        self.assertEqual(self.told("from=%s&to=%s" % (before, after)), rows[2:3])
        self.assertEqual(self.told("kinds=gone,model"), [rows[0], rows[2], rows[5]])
        self.assertEqual(self.told("kinds=gone&kinds=model"), [rows[0], rows[2], rows[5]])
        self.assertEqual(self.told("from=now"), [])
        self.assertEqual(self.told("from=-1h&to=now"), rows)
        page = self.events("limit=2")
        self.assertEqual((len(page["value"]), page["more"]), (2, True))
        self.assertEqual(self.events("limit=6")["more"], False)
        # The past tells what had happened by then.
        self.assertEqual(self.told("", "live@" + before), rows[3:])
        self.assertEqual(self.told("", "live@" + after), rows[2:])
        # After a restart, and after kill -9, the same.
        for how in ("stop", "kill"):
            getattr(self.server, how)()
            self.server.child.stdout.close()
            self.server.stderr.close()
            self.server = Server(data=os.path.join(self.folder.name, "e.sosia"))
            self.assertEqual(self.told(), rows)
        # What is erased was never there.
        self.check(self.server.post("/erasures", {"twin": "a"}, version=None), 200)
        self.assertEqual([r.get("twin") for r in self.told("kinds=born,gone")], ["b"])

    def test_forks(self):
        self.check(self.server.post("/models", [MODEL]), 201)
        self.put("a")
        self.put("old")
        self.delete("old")
        self.check(self.server.post("/worlds", {"name": "f"}, version=None), 201)
        self.put("late")
        self.put("mine", "f")
        self.delete("a", "f")
        self.check(self.server.post("/worlds/f/models", [other(1)]), 201)
        kinds = [(r["kind"], r.get("twin")) for r in self.told("", "f")]
        self.assertEqual(
            kinds,
            [("model", None), ("gone", "a"), ("born", "mine"), ("gone", "old"), ("born", "old"), ("born", "a"),
             ("model", None)],
        )
        self.assertEqual([(r["kind"], r["twin"]) for r in self.told("limit=1&kinds=born,gone")], [("born", "late")])
        self.check(self.server.post("/worlds", {"name": "g", "from": "f"}, version=None), 201)
        self.delete("mine", "g")
        self.assertEqual([r["twin"] for r in self.told("kinds=gone", "g")], ["mine", "a", "old"])
        self.assertEqual([r["twin"] for r in self.told("kinds=gone", "f")], ["a", "old"])

    def test_many_at_once_are_one(self):
        self.check(self.server.post("/models", [MODEL] + [other(i) for i in range(1, 8)]), 201)
        lines = [{"Section": "Header"}, {"fileVersion": "1.0.0"}, {"Section": "Twins"}]
        lines += [pump("p%d" % i) for i in range(20000)]
        lines += [pump("o%d" % i, "dtmi:e:Other;%d" % (i % 7 + 1)) for i in range(1, 20)]
        body = "\n".join(json.dumps(x) for x in lines)
        reply = self.check(self.server.post("/import", body, version=None), 200).json
        self.assertEqual(reply["rejected"], 0)
        begun = time.time()
        rows = self.events("kinds=born")
        took = time.time() - begun
        self.assertLess(len(rows["value"]), 40)
        self.assertEqual(sum(r.get("count", 1) for r in rows["value"]), 20019)
        self.assertTrue(all(r["model"] in ("dtmi:e:Pump;1", None) for r in rows["value"] if r.get("count")))
        self.assertLess(took, 5)
        print("20,019 births in %.0f ms" % (took * 1000))
        model = self.told("kinds=model")
        self.assertEqual(model, [{"kind": "model", "count": 8, "model": None}])
        # Three of a second stand by themselves, whatever came before.
        time.sleep(1.1 - time.time() % 1)
        for i in range(3):
            self.put("x%d" % i)
        rows = self.told("kinds=born&limit=3")
        if not any(r.get("count") for r in rows):
            self.assertEqual([r["twin"] for r in rows], ["x2", "x1", "x0"])

    def test_decisions_and_their_commands(self):
        self.check(self.server.post("/models", [MODEL]), 201)
        self.put("p", flow=1.0, fault="")
        put = lambda path, doc: self.check(self.server.put(path, doc, version=None), 200)
        put("/kpis/money", {"twin": "p", "expression": "flow", "unit": "EUR", "of": "money", "better": "more"})
        rule = {"title": "It jams", "model": "dtmi:e:Pump;1", "when": "fault = 'jam'", "mode": "approve"}
        rule.update(ahead="PT1M", again="PT1H", replications=3, seed=1, objective={"kpi": "money"})
        rule.update(approval={"within": "PT5M", "else": "refuse"})
        change = [{"at": "PT0S", "twin": "$twin", "property": "flow", "value": 100.0}]
        rule["actions"] = [{"name": "clear", "changes": change, "command": {"twin": "$twin", "name": "clear"}}]
        put("/rules/jams", rule)
        self.check(self.server.patch("/digitaltwins/p", [{"op": "replace", "path": "/fault", "value": "jam"}]), 204)
        state = lambda: [r["state"] for r in self.told("kinds=decision")]
        wait_for(lambda: state() == ["waiting"])
        self.assertEqual(self.told("kinds=decision"),
                         [{"kind": "decision", "id": 1, "twin": "p", "rule": "jams", "state": "waiting"}])
        self.assertEqual(self.told("kinds=command"), [])
        middle = self.now()
        # Nobody carries it: it was sent, and failed.
        self.check(self.server.post("/decisions/1/approve", {}, version=None), 200)
        wait_for(lambda: state() not in (["waiting"], ["approved"], ["sending"]))
        sent = self.told("kinds=command")
        if sent:
            self.assertEqual(sent, [{"kind": "command", "twin": "p", "name": "clear", "by": "jams", "decision": 1,
                                     "status": None}])
        # The past tells what it was by then, also after a restart; so does a fork of it.
        then = [{"kind": "decision", "id": 1, "twin": "p", "rule": "jams", "state": "waiting"}]
        self.assertEqual(self.told("kinds=decision,command", "live@" + middle), then)
        steps = self.check(self.server.get("/decisions/1", version=None), 200).json["steps"]
        self.assertEqual([s["state"] for s in steps[:2]], ["proposing", "waiting"])
        self.assertEqual(steps[-1]["state"], state()[0])
        self.server.stop()
        self.server.child.stdout.close()
        self.server.stderr.close()
        self.server = Server(data=os.path.join(self.folder.name, "e.sosia"))
        self.assertEqual(self.told("kinds=decision,command", "live@" + middle), then)
        for step, next in zip(steps, steps[1:]):
            if step["at"] < next["at"]:
                row = self.told("kinds=decision", "live@" + quote(step["at"]))[0]
                self.assertEqual(row["state"], step["state"], steps)
        self.check(self.server.post("/worlds", {"name": "f"}, version=None), 201)
        self.assertEqual(len(self.told("kinds=decision", "f")), 1)
        self.check(self.server.post("/worlds", {"name": "g", "from": "live@" + unquote(middle)}, version=None), 201)
        self.assertEqual(self.told("kinds=decision,command", "g"), then)

    def test_commands_of_people(self):
        class Device(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(409 if "q" in self.path.split("/") else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.check(self.server.post("/models", [MODEL]), 201)
        self.put("p")
        self.put("q")
        send = lambda twin, name="clear": self.server.post("/digitaltwins/%s/commands/%s" % (twin, name), None)
        self.check(send("p", "unknown"), 404)
        self.check(send("p"), 503)  # nobody carries it
        before = self.now()
        device = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Device)
        threading.Thread(target=device.serve_forever, daemon=True).start()
        doc = {"kind": "http", "url": "http://127.0.0.1:%d" % device.server_port,
               "commands": [{"path": "/twins/{twin}/{command}"}]}
        self.assertIn(self.server.put("/connections/dev", doc, version=None).status, (200, 201))
        wait_for(lambda: send("p").status == 204)
        self.check(send("q"), 502)
        row = {"kind": "command", "name": "clear", "by": "local"}
        last = [{**row, "twin": "q", "status": 502}, {**row, "twin": "p", "status": 204}]
        first = {**row, "twin": "p", "status": 503}
        wait_for(lambda: len(self.told("kinds=command")) >= 3)
        rows = self.told("kinds=command")
        self.assertEqual(rows[:2], last)
        self.assertEqual(rows[-1], first)
        self.assertEqual(self.told("kinds=command", "live@" + before), [first])
        self.server.stop()
        self.server.child.stdout.close()
        self.server.stderr.close()
        self.server = Server(data=os.path.join(self.folder.name, "e.sosia"))
        self.assertEqual(self.told("kinds=command"), rows)
        self.check(self.server.post("/erasures", {"twin": "p"}, version=None), 200)
        self.assertEqual(self.told("kinds=command"), last[:1])
        wait_for(lambda: send("q").status == 502)
        self.assertGreaterEqual(len(self.told("kinds=command")), 2)  # the ring goes on
        device.shutdown()
        device.server_close()

    def test_refused(self):
        for query in ("from=x", "to=", "kinds=birth", "limit=0", "limit=10001", "limit=x", "from=2026-13-01"):
            self.check(self.server.get("/events?" + query, version=None), 400)
        self.check(self.server.get("/worlds/nowhere/events", version=None), 404)
        self.assertEqual(self.events(), {"value": [], "more": False})
        names = self.check(self.server.get("/openapi.json", version=None), 200).json["paths"]
        self.assertIn("/events", names)
        with_none = Server()
        try:
            self.check(with_none.get("/events", version=None), 400, "NotSupported")
        finally:
            with_none.close()


if __name__ == "__main__":
    main()
