#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sparkplug B against a real broker: nodes and devices become twins, data and deaths reach them, commands devices."""
import csv
import json
import os
import re
import tempfile
import time
import unittest

import broker
import kit
import sparkplug_edge as sp


def until(what, why, seconds=60):
    """Wait for a condition; its value."""
    end = time.monotonic() + seconds * kit.SLOW
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("it never came: %s" % why)
        time.sleep(0.05)


class Base(unittest.TestCase):
    def setUp(self):
        self.broker = broker.Broker()
        self.addCleanup(self.broker.close)
        self.edges = []

    def serve(self, path=None):
        server = kit.Server(path=path) if not path else kit.Server("--http", "127.0.0.1:0", path=path)
        self.addCleanup(server.stop)
        return server

    def connect(self, server, name="plant", **more):
        doc = {"kind": "sparkplug", "url": self.broker.url, "hostId": "sosia", "reorder": "300ms"}
        status, _, body = server.http("PUT", "/connections/" + name, dict(doc, **more))
        self.assertIn(status, (200, 201), body)
        until(lambda: server.get("/connections/" + name)["status"]["state"] == "up", "the connection is up")

    def edge(self, *arguments, **more):
        e = sp.Edge(self.broker.port, *arguments, **more)
        self.edges.append(e)
        return e

    def twin(self, server, id):
        status, _, body = server.http("GET", "/digitaltwins/" + id)
        return json.loads(body) if status == 200 else {}

    def has(self, server, id, **want):
        """Wait for a twin with these values; None: without that property. The twin."""
        def look():
            t = self.twin(server, id)
            return t if t and all((k not in t) if v is None else t.get(k) == v for k, v in want.items()) else None
        try:
            return until(look, "%s %r" % (id, want))
        except AssertionError:
            raise AssertionError("%r instead of %r; errors: %s" % (
                self.twin(server, id), want, server.get("/connections/plant/errors")))

    def stats(self, server):
        return server.get("/connections/plant")["status"]["sparkplug"]


class Life(Base):
    def test_birth_data_and_death(self):
        """Births make twins with a relationship, data by alias moves them, a will marks all stale."""
        s = self.serve()
        self.connect(s)
        e = self.edge("G1", "E1", {"Temp": ("Float", 20.5), "Count": ("Int32", -3)},
                      {"D1": {"Inputs/A": ("Boolean", True), "Level": ("Double", 1.25)}})
        e.birth()
        self.has(s, "G1-E1", Temp=20.5, Count=-3, online=True, group="G1", node="E1", staleSince=None)
        d = self.has(s, "G1-E1-D1", Inputs_A=True, Level=1.25, online=True, device="D1")
        links = until(lambda: s.get("/digitaltwins/G1-E1/relationships")["value"], "the relationship")
        self.assertEqual([(x["$relationshipName"], x["$targetId"]) for x in links], [("contains", "G1-E1-D1")])
        e.data("D1", {"Level": 2.5})
        e.data(None, {"Temp": -1.5})
        self.has(s, "G1-E1-D1", Level=2.5)
        self.has(s, "G1-E1", Temp=-1.5)
        e.data("D1", {"Level": None})
        self.has(s, "G1-E1-D1", Level=None)
        before = int(time.time())
        e.die()
        t = self.has(s, "G1-E1", online=False)
        self.assertGreaterEqual(t["staleSince"][:19], time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before - 2)))
        self.has(s, "G1-E1-D1", online=False)
        e = self.edge("G1", "E1", {"Temp": ("Float", 1.0), "Count": ("Int32", 0)}, {"D1": {"Level": ("Double", 9.0)}},
                      bdseq=1)
        e.birth()
        self.has(s, "G1-E1", online=True, staleSince=None, Temp=1.0)
        t = self.has(s, "G1-E1-D1", online=True, Level=9.0)
        self.assertTrue(t["$metadata"]["$model"].startswith("dtmi:sosia:sparkplug:"), t)
        self.assertEqual(self.stats(s)["unknownMetrics"], 0)

    def test_device_death(self):
        """DDEATH marks that device by the time in its payload, and nothing else."""
        s = self.serve()
        self.connect(s)
        e = self.edge("G", "E", {"a": ("Int32", 1)}, {"D1": {"x": ("Int32", 1)}, "D2": {"x": ("Int32", 1)}})
        e.birth()
        self.has(s, "G-E-D2", online=True)
        e.publish("DDEATH", [], "D1", time_ms=1700000000000)
        t = self.has(s, "G-E-D1", online=False)
        self.assertTrue(t["staleSince"].startswith("2023-11-14T22:13:20"), t)
        self.has(s, "G-E-D2", online=True)
        self.has(s, "G-E", online=True)

    def test_gap_asks_for_a_rebirth_and_reordering_does_not(self):
        s = self.serve()
        self.connect(s, reorder="1s")
        e = self.edge("G", "E", {"a": ("Int32", 1)})
        e.birth()
        self.has(s, "G-E", a=1)
        now = int(time.time() * 1000)  # one clock reading: a slow second message must not be the newer one
        e.publish("NDATA", [sp.metric("a", "Int32", 3, time_ms=now + 2)], seq=2)
        e.publish("NDATA", [sp.metric("a", "Int32", 2, time_ms=now + 1)], seq=1)
        self.has(s, "G-E", a=3)
        self.assertEqual((e.rebirths_asked(), self.stats(s)["reordered"]), (0, 1))
        e.metrics["a"] = ("Int32", 77)
        e.publish("NDATA", [sp.metric("a", "Int32", 5)], seq=9)  # 3 to 8 never come
        until(lambda: e.rebirths_asked() == 1, "a request for a rebirth")
        until(lambda: e.births == 2, "the rebirth")
        self.has(s, "G-E", a=77)
        self.assertEqual(self.stats(s)["gaps"], 1)

    def test_data_before_birth(self):
        """A host that comes later asks nodes it hears of for their births."""
        s = self.serve()
        e = self.edge("G", "E", {"a": ("Int32", 1)})
        e.birth()
        self.connect(s)
        e.data(None, {"a": 5})
        self.has(s, "G-E", a=1, online=True)
        self.assertEqual(e.rebirths_asked(), 1)
        self.assertEqual(self.stats(s)["beforeBirth"], 1)

    def test_many_devices(self):
        """100 devices of the same metrics share one model; a birth of 1,500 metrics is one twin."""
        s = self.serve()
        self.connect(s)
        devices = {"D%d" % i: {"Temp": ("Double", float(i)), "On": ("Boolean", i % 2 == 0)} for i in range(100)}
        e = self.edge("G", "E", {"metric %d" % i: ("Double", i / 8) for i in range(1500)}, devices)
        e.birth()
        t = self.has(s, "G-E", metric_1499=1499 / 8)
        self.assertEqual(t["metric_7"], 7 / 8)
        for i in (0, 1, 50, 99):
            self.has(s, "G-E-D%d" % i, Temp=float(i), On=i % 2 == 0)
        for i in range(100):
            e.data("D%d" % i, {"Temp": 1000.0 + i})
        for i in (0, 1, 50, 99):
            self.has(s, "G-E-D%d" % i, Temp=1000.0 + i)
        models = {self.twin(s, "G-E-D%d" % i)["$metadata"]["$model"] for i in range(100)}
        self.assertEqual(len(models), 1, models)
        until(lambda: len(self.all_links(s)) == 100, "all relationships")

    def all_links(self, s):
        rows = s.http("POST", "/query", {"query": "SELECT COUNT() AS n FROM RELATIONSHIPS"})[2]
        return range(json.loads(rows)["value"][0]["n"])

    def test_same_device_name_at_two_nodes(self):
        s = self.serve()
        self.connect(s)
        for i in (1, 2):
            e = self.edge("G", "E%d" % i, {"a": ("Int32", i)}, {"D": {"x": ("Int32", i)}})
            e.birth()
        self.has(s, "G-E1-D", x=1)
        self.has(s, "G-E2-D", x=2)

    def test_more_metrics_later(self):
        """A node born again with more metrics keeps its twin and gets a later version of its model."""
        s = self.serve()
        self.connect(s)
        e = self.edge("G", "E", {"a": ("Int32", 1)})
        e.birth()
        first = self.has(s, "G-E", a=1)["$metadata"]["$model"]
        e.metrics["b"] = ("String", "new")
        e.aliases[None, "b"] = 50
        e.birth()
        second = self.has(s, "G-E", b="new", a=1)["$metadata"]["$model"]
        self.assertEqual((first.split(";")[0], second.split(";")[1]), (second.split(";")[0], "2"))

    def test_garbage_stops_nothing(self):
        s = self.serve()
        self.connect(s)
        e = self.edge("G", "E", {"a": ("Int32", 1), "b": ("Boolean", True)})
        e.birth()
        self.has(s, "G-E", a=1)
        deep = b""
        for i in range(5000):
            deep = sp.block(2 if i % 2 else 18, deep)
        for bad in (b"", b"\xff" * 100, b"{}", deep, sp.block(2, b"\x0a\x02\xff\xfe")):
            e.link.publish("spBv1.0/G/NDATA/other", bad)
            e.link.publish("spBv1.0/G/NBIRTH/other", bad)
        e.link.publish("spBv1.0/G/NDATA/E", deep)
        e.publish("NDATA", [sp.metric("a", "String", "text", typed=False), sp.metric("b", "Boolean", False)])
        self.has(s, "G-E", a=1, b=False)
        errors = s.get("/connections/plant/errors")
        self.assertGreater(errors["count"], 5)
        self.assertIn("nested too deep", json.dumps(errors))


class Host(Base):
    def test_state(self):
        """STATE: retained, QoS 1, online by the will's time; again when someone says we are not; offline at the end."""
        s = self.serve()
        topic = "spBv1.0/STATE/sosia"
        watch = sp.Mqtt(self.broker.port, "watch")
        watch.subscribe(topic)
        self.connect(s)
        watch.wait(lambda: watch.inbox)
        first = json.loads(watch.inbox[0][1])
        self.assertEqual((first["online"], sorted(first)), (True, ["online", "timestamp"]))
        self.assertLess(abs(first["timestamp"] / 1000 - time.time()), 60 * kit.SLOW)
        late = sp.Mqtt(self.broker.port, "late")
        late.subscribe(topic)
        late.wait(lambda: late.inbox)
        self.assertEqual((json.loads(late.inbox[0][1]), late.inbox[0][2]), (first, True))  # retained
        self.broker.publish(topic, json.dumps({"online": False, "timestamp": 5}), retain=True)
        watch.wait(lambda: len(watch.inbox) >= 3)
        self.assertEqual(json.loads(watch.inbox[2][1]), first)  # again, with the same time
        s.http("POST", "/connections/plant/pause")
        watch.wait(lambda: len(watch.inbox) >= 4)
        self.assertEqual(json.loads(watch.inbox[3][1])["online"], False)
        self.assertGreater(json.loads(watch.inbox[3][1])["timestamp"], first["timestamp"])
        sent = re.findall(r"Received PUBLISH from \S+ \(d0, (q\d, r\d), m\d+, '%s'" % topic, self.broker.log)
        self.assertEqual(set(sent), {"q1, r1"}, sent)  # births, the death, and what we said in its name
        order = re.findall(r"Received (SUBSCRIBE|PUBLISH) from sosia-", self.broker.log)
        self.assertEqual(order[:14].count("PUBLISH") and order[0], "SUBSCRIBE", order[:14])

    def test_connect_is_clean(self):
        """Whatever the document says: a clean start, and nothing is kept."""
        s = self.serve()
        for version in ("3.1.1", "5"):
            self.connect(s, version=version, clientId="host-" + version, cleanStart=False, **{"sessionExpiry": 100})
            p = "p2" if version == "3.1.1" else "p5"
            logged = r"connected from .* as host-%s \((.*?)\)" % version
            line = until(lambda: re.search(logged, self.broker.log), "CONNECT")
            self.assertIn(p + ", c1", line[1])
        self.assertNotIn("will be stored", self.broker.log)

    def test_will(self):
        """A host that is killed is offline by its will, which has the time of its CONNECT."""
        s = self.serve()
        watch = sp.Mqtt(self.broker.port, "watch")
        watch.subscribe("spBv1.0/STATE/sosia")
        self.connect(s)
        watch.wait(lambda: watch.inbox)
        s.process.kill()
        watch.wait(lambda: len(watch.inbox) >= 2)
        online, offline = (json.loads(m[1]) for m in watch.inbox[:2])
        self.assertEqual(offline, {"online": False, "timestamp": online["timestamp"]})
        late = sp.Mqtt(self.broker.port, "late")
        late.subscribe("spBv1.0/STATE/sosia")
        late.wait(lambda: late.inbox)
        self.assertEqual((json.loads(late.inbox[0][1]), late.inbox[0][2]), (offline, True))
        self.assertRegex(self.broker.log, r"Will message specified \(\d+ bytes\) \(r1, q1\)")

    def test_restart(self):
        """After a restart nodes are asked for their births; those that do not answer go stale."""
        folder = tempfile.mkdtemp(prefix="sosia-spb-")
        path = os.path.join(folder, "w.sosia")
        s = self.serve(path)
        self.connect(s)
        alive = self.edge("G", "alive", {"a": ("Int32", 1)}, {"D": {"x": ("Int32", 1)}})
        gone = self.edge("G", "gone", {"a": ("Int32", 1)})
        alive.birth(), gone.birth()
        self.has(s, "G-alive-D", online=True), self.has(s, "G-gone", online=True)
        self.assertEqual(s.stop(), 0)
        gone.die()
        alive.metrics["a"] = ("Int32", 2)
        s = self.serve(path)
        self.has(s, "G-alive", a=2, online=True)
        self.has(s, "G-gone", online=False)
        self.has(s, "G-alive-D", online=True)
        self.assertGreaterEqual(alive.rebirths_asked(), 1)

    def test_broker_restart(self):
        """The broker's end is survived: a new CONNECT, a new STATE, births asked for."""
        s = self.serve()
        self.connect(s)
        e = self.edge("G", "E", {"a": ("Int32", 1)})
        e.birth()
        self.has(s, "G-E", a=1)
        self.broker.stop()
        self.broker.start()
        e = self.edge("G", "E", {"a": ("Int32", 5)}, bdseq=1)
        e.birth()
        self.has(s, "G-E", a=5, online=True)


class Out(Base):
    def test_commands(self):
        """Values written through REST arrive as NCMD and DCMD by alias with the metric's type; a rebirth on request."""
        s = self.serve()
        self.connect(s)
        e = self.edge("G", "E", {"Set": ("Int16", 1)}, {"D": {"Out/1": ("Float", 0.0), "Name": ("String", "x")}})
        e.birth()
        self.has(s, "G-E-D", Out_1=0.0)
        status, _, body = s.http("POST", "/connections/plant/write",
                                 {"twin": "G-E-D", "values": {"Out_1": 2.5, "Name": "grüße"}})
        self.assertEqual((status, json.loads(body)), (200, {"topic": "spBv1.0/G/DCMD/E/D", "metrics": 2}), body)
        until(lambda: e.commands(), "the command")
        topic, p = e.commands()[0]
        self.assertEqual(topic, "spBv1.0/G/DCMD/E/D")
        self.assertNotIn("seq", p)
        self.assertLess(abs(p["timestamp"] / 1000 - time.time()), 60 * kit.SLOW)
        a, b = p["metrics"]
        self.assertEqual((a[2], a[12], 1 in a), (e.aliases["D", "Out/1"], b"\x00\x00\x20\x40", False))
        self.assertEqual((b[2], b[15].decode()), (e.aliases["D", "Name"], "grüße"))
        self.assertEqual(s.http("POST", "/connections/plant/write", {"twin": "G-E", "values": {"Set": -2}})[0], 200)
        until(lambda: len(e.commands()) == 2, "the command to the node")
        self.assertEqual(e.commands()[1][1]["metrics"][0][10], 0xFFFFFFFE)
        for bad, code in (({"twin": "G-E", "values": {"Set": 40000}}, 400), ({"twin": "G-E", "values": {"no": 1}}, 400),
                          ({"twin": "no", "values": {"Set": 1}}, 404), ({"twin": "G-E"}, 400)):
            self.assertEqual(s.http("POST", "/connections/plant/write", bad)[0], code, bad)
        self.assertEqual(s.http("POST", "/connections/plant/write", {"twin": "G-E-D", "rebirth": True})[0], 200)
        until(lambda: e.rebirths_asked() == 1, "the rebirth")
        name = e.commands()[2][1]["metrics"][0]
        self.assertEqual((name[1], name[14], 2 in name), (b"Node Control/Rebirth", 1, False))

    def test_template(self):
        """An instance of a template is a document; data with one member changes that one; it is written as one."""
        s = self.serve()
        self.connect(s)
        members = [sp.metric("rpm", "Int32", 1), sp.metric("flow rate", "Double", 2.5)]
        instance = sp.template(members, "Pump")
        e = self.edge("G", "E", {"Pump1": ("Template", instance)},
                      templates=[("Pump", sp.template(members, definition=True))])
        e.birth()
        doc = {"rpm": 1, "flow_rate": 2.5, "templateRef": "Pump"}
        self.has(s, "G-E", Pump1=doc)
        e.data(None, {"Pump1": sp.template([sp.metric("rpm", "Int32", 9, typed=False)], "Pump")})
        self.has(s, "G-E", Pump1=dict(doc, rpm=9))
        rows = json.loads(s.http("POST", "/query", {
            "query": "SELECT T.$dtId FROM DIGITALTWINS T WHERE T.Pump1.rpm > 8"})[2])["value"]
        self.assertEqual(rows, [{"$dtId": "G-E"}])
        self.assertEqual(s.http("POST", "/connections/plant/write",
                                {"twin": "G-E", "values": {"Pump1": {"flow_rate": 7}}})[0], 200)
        until(lambda: e.commands(), "the command")
        inner = dict(sp.fields(e.commands()[0][1]["metrics"][0][18]))
        self.assertEqual(dict(sp.fields(inner[2]))[1], b"flow rate")

    def test_fixed_model(self):
        """Metrics mapped to a model of the user's; its commands become metrics that are written."""
        s = self.serve()
        model = {"@context": "dtmi:dtdl:context;3", "@id": "dtmi:ex:Pump;1", "@type": "Interface", "contents": [
            {"@type": "Property", "name": "speed", "schema": "double"},
            {"@type": "Property", "name": "alive", "schema": "boolean"},
            {"@type": "Command", "name": "Stop", "request": {"name": "how", "schema": "boolean"}},
            {"@type": "Command", "name": "rebirth"}]}
        self.assertEqual(s.http("POST", "/models", [model])[0], 201)
        self.connect(s, models={"G/E*/*": {"model": "dtmi:ex:Pump;1", "metrics": {"RPM": "speed", "online": "alive"}}},
                     deviceTwin="{device}")
        e = self.edge("G", "E7", {"a": ("Int32", 1)}, {"P1": {"RPM": ("Int32", 900), "Stop": ("Boolean", False)}})
        e.birth()
        t = self.has(s, "P1", speed=900, alive=True)
        self.assertEqual((t["$metadata"]["$model"], "Stop" in t), ("dtmi:ex:Pump;1", False))
        self.assertEqual(s.http("POST", "/digitaltwins/P1/commands/Stop", "true",
                                {"Content-Type": "application/json"})[0], 204)
        until(lambda: e.commands(), "the command")
        topic, p = e.commands()[0]
        self.assertEqual((topic, p["metrics"][0][14]), ("spBv1.0/G/DCMD/E7/P1", 1))
        self.assertEqual(s.http("POST", "/digitaltwins/P1/commands/rebirth")[0], 204)
        until(lambda: e.rebirths_asked() == 1, "the rebirth")

    def test_history_and_late_values(self):
        """Historical values are late: they move no newer value back."""
        s = self.serve()
        self.connect(s)
        e = self.edge("G", "E", {"a": ("Int32", 1), "b": ("Int32", 1)})
        e.birth()
        self.has(s, "G-E", a=1)
        e.data(None, {"a": 99}, time_ms=int(time.time() * 1000) - 3600000, historical=True)
        e.data(None, {"b": 2})
        self.has(s, "G-E", a=1, b=2)
        until(lambda: s.get("/connections/plant")["status"]["late"] == 1, "the late point")

    def test_look(self):
        """POST test shows messages and what they would become, and changes nothing."""
        s = self.serve()
        e = self.edge("G", "E", {"a": ("Int32", 1)})
        import threading
        go = threading.Event()

        def births():
            while not go.wait(0.3):
                e.birth()
        t = threading.Thread(target=births)
        t.start()
        self.addCleanup(t.join)
        self.addCleanup(go.set)
        self.connect(s)
        s.http("POST", "/connections/plant/pause")
        status, _, body = s.http("POST", "/connections/plant/test?messages=1&seconds=30")
        go.set()
        self.assertEqual(status, 200, body)
        seen = json.loads(body)
        message = (seen if isinstance(seen, list) else seen["value"])[0]
        self.assertEqual((message["topic"], message["payload"]["seq"]), ("spBv1.0/G/NBIRTH/E", 0))
        self.assertIn({"twin": "G-E", "property": "a", "value": 1},
                      [{k: p[k] for k in ("twin", "property", "value")} for p in message["points"]])


class Vectors(Base):
    def test_vectors_end_up_in_twins(self):
        """The payloads of Eclipse Tahu's encoder, as births of devices."""
        folder = kit.data("sparkplug-b", "vectors")
        s = self.serve()
        self.connect(s)
        e = self.edge("G", "E", {"x": ("Int32", 0)})
        e.birth()
        self.has(s, "G-E", x=0)

        def send(name, device, seq):
            with open(os.path.join(folder, name + ".bin"), "rb") as f:
                data = f.read()
            n = data.rindex(b"\x18")  # the sequence number is the last field
            e.link.publish("spBv1.0/G/DBIRTH/E/" + device, data[:n + 1] + sp.varint(seq))
        send("dbirth_all_scalars", "S", 1)
        t = self.has(s, "G-E-S", i8min=-128, i8max=127, i16min=-32768, i16max=32767, i32min=-2**31, i32max=2**31 - 1,
                     i64min=-2**63, i64max=2**63 - 1, u8max=255, u16max=65535, u32max=2**32 - 1, u64max=str(2**64 - 1),
                     f=-1.5, d=3.141592653589793, bT=True, bF=False, s="grüße €", txt="line1\nline2",
                     uuid="3f2504e0-4f89-41d3-9a0c-0305e82c3301", bytes="AAEC/f7/", nullInt=None)
        self.assertTrue(t["dt"].startswith("1970-01-01T00:00:00"), t["dt"])
        send("dbirth_dataset", "T", 2)
        self.has(s, "G-E-T", ds=[{"a": 1, "b": 1.5, "c": "x"}, {"a": -2, "b": 2.5, "c": "y"}])
        send("dbirth_template_instance", "U", 3)
        t = self.has(s, "G-E-U", Pump1={"rpm": 1450, "flow": 12.75, "templateRef": "Pump", "version": "v1",
                                        "parameters": {"maker": "KSB"}})
        self.assertEqual(t["$metadata"]["$model"], "dtmi:sosia:sparkplug:Pump;1")
        send("dbirth_properties", "V", 4)
        t = self.has(s, "G-E-V", Temp=21.5)
        model = s.get("/models/%s?includeModelDefinition=true" % t["$metadata"]["$model"])["model"]
        temp = next(c for c in model["contents"] if c["name"] == "Temp")
        self.assertIn("unit C, -40 to 85", json.dumps(temp))
        send("empty_metrics", "W", 5)
        self.has(s, "G-E-W", online=True)


class Table(unittest.TestCase):
    """docs/sparkplug.md lists the testable statements about hosts, topics and payloads."""

    def rows(self):
        with open(os.path.join(kit.ROOT, "docs", "sparkplug.md"), encoding="utf-8") as f:
            table = f.read().split("## Testable")[1]
        return {m[1]: m[0] for m in re.finditer(r"^\| `([a-z0-9A-Z-]+)` \|.*$", table, re.M)}

    def test_every_statement_about_hosts_is_listed(self):
        with open(kit.data("sparkplug-b", "tck-assertions.csv"), encoding="utf-8") as f:
            ids = [r["id"][len("tck-id-"):] for r in csv.DictReader(f)]
        rows = self.rows()
        ours = re.compile(r"host|phid|-hid-|^topic|^payloads|conformance-primary|components-ph|data-commands|ncmd|dcmd")
        missing = [i for i in ids if ours.search(i) and i not in rows]
        self.assertEqual(missing, [])
        self.assertEqual([i for i in rows if i not in ids], [])

    def test_each_row_says_where_it_is_shown(self):
        tests = ""
        for path in ("tests/connect_sparkplug_test.py", "src/connect/sparkplug_host_test.c",
                     "src/codec/sparkplug_test.c"):
            with open(os.path.join(kit.ROOT, path), encoding="utf-8") as f:
                tests += f.read()
        for i, row in self.rows().items():
            cells = [c.strip() for c in row.strip("|").split("|")]
            self.assertIn(cells[2].split(":")[0], ("met", "not met", "not ours", "read leniently"), i)
            for name in re.findall(r"`(test_\w+)`", cells[3]):
                self.assertIn("def %s(" % name if "def %s(" % name in tests else "void %s(" % name, tests, i)
            if cells[2] == "met":
                self.assertTrue(re.findall(r"`test_\w+`", cells[3]), i)


if __name__ == "__main__":
    unittest.main()
