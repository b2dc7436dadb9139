# SPDX-License-Identifier: Apache-2.0
"""MQTT connections as whole processes: `sosia serve` beside a mosquitto of the test's own."""
import datetime
import json
import os
import signal
import threading
import time
import unittest

import broker
import kit
from kit import until

MODELS = [
    {"@id": "dtmi:test:Pump;1", "@type": "Interface", "@context": "dtmi:dtdl:context;2", "contents": [
        {"@type": ["Property", "Temperature"], "name": "temperature", "schema": "double", "unit": "degreeCelsius"},
        {"@type": "Property", "name": "rpm", "schema": "integer"},
        {"@type": "Property", "name": "count", "schema": "long"},
        {"@type": "Property", "name": "label", "schema": "string"},
        {"@type": "Property", "name": "on", "schema": "boolean"},
        {"@type": "Command", "name": "start", "request": {"name": "speed", "schema": "integer"},
         "response": {"name": "answer", "schema": "string"}}]}]
CLOCK = os.path.join(kit.BUILD, "libtest_clock.so")
RULE = {"topic": "plant/{twin}/{property}", "model": "dtmi:test:Pump;1", "create": True}


class MqttCase(kit.Case):
    def broker(self, *options, **more):
        b = broker.Broker(*options, **more)
        self.addCleanup(b.close)
        return b

    def sosia(self, **options):
        s = self.serve("--http", "127.0.0.1:0", **options)
        self.assertIn(s.http("POST", "/models", MODELS)[0], (201, 409))
        return s

    def put(self, s, name, document, status=(200, 201)):
        code, _, body = s.http("PUT", "/connections/" + name, document)
        self.assertIn(code, status if isinstance(status, tuple) else (status,), body)
        return json.loads(body)

    def status(self, s, name="plant"):
        return s.get("/connections/" + name)["status"]

    def up(self, s, name="plant"):
        until(lambda: self.status(s, name)["state"] == "up", what="the connection up")

    def document(self, b, *rules, **more):
        return {"kind": "mqtt", "url": b.url, "clientId": "plant", "subscriptions": list(rules) or [RULE], **more}

    def count(self, s, name, least, of="plant"):
        """Wait until a counter has arrived; it must not go beyond."""
        until(lambda: self.status(s, of)[name] >= least, 120, "%s of %d" % (name, least))
        self.assertEqual(self.status(s, of)[name], least, self.status(s, of))


class Resource(MqttCase):
    def test_documents(self):
        b, s = self.broker(), self.sosia()
        for wrong, says in (({}, "kind"), ({"kind": "mqt"}, "kind"), ({"kind": "mqtt"}, "url"),
                            (self.document(b, surl=1), 'did you mean \\"url\\"'),
                            (self.document(b, {"topic": "a"}), "subscriptions[0].twin"),
                            (self.document(b, dict(RULE, expression="valu")), "subscriptions[0].expression"),
                            (dict(self.document(b), name="other"), "name")):
            code, _, body = s.http("PUT", "/connections/plant", wrong)
            self.assertEqual(code, 400, body)
            self.assertIn(says, body)
        self.assertEqual(s.http("PUT", "/connections/a%20b", self.document(b))[0], 400)
        self.assertEqual(s.http("GET", "/connections/plant")[0], 404)
        self.assertEqual(s.http("DELETE", "/connections/plant")[0], 404)
        self.put(s, "plant", self.document(b), 201)
        self.assertEqual(s.http("PUT", "/connections/plant", self.document(b), {"If-None-Match": "*"})[0], 412)
        self.up(s)
        # What GET gives can be PUT.
        self.put(s, "plant", s.get("/connections/plant"), 200)
        self.put(s, "another", self.document(b, clientId="another"), 201)
        self.assertEqual([c["name"] for c in s.get("/connections")["value"]], ["another", "plant"])
        self.assertEqual(s.http("POST", "/connections/plant/nothing")[0], 404)
        self.assertEqual(s.http("GET", "/connections/plant/pause")[0], 405)
        self.assertEqual(s.http("DELETE", "/connections/another")[0], 204)
        self.assertEqual([c["name"] for c in s.get("/connections")["value"]], ["plant"])

    def test_pause_and_restart(self):
        b = self.broker()
        path = self.file("w.sosia")
        s = self.sosia(path=path)
        self.put(s, "plant", self.document(b))
        self.up(s)
        self.assertEqual(json.loads(s.http("POST", "/connections/plant/pause")[2])["status"]["state"], "paused")
        until(lambda: "Received DISCONNECT from plant" in b.log)
        s.kill()
        s.start()
        self.assertEqual(self.status(s)["state"], "paused")
        self.assertEqual(s.http("POST", "/connections/plant/resume")[0], 200)
        self.up(s)
        s.kill()
        s.start()
        self.up(s)
        self.assertNotIn("paused", s.get("/connections/plant"))

    def test_secrets(self):
        b = self.broker(users={"sosia": "geheim-17"})
        path = self.file("w.sosia")
        s = self.sosia(path=path)
        document = self.document(b, username="sosia", password="falsch")
        self.put(s, "plant", document)
        until(lambda: "refuses" in self.status(s)["trouble"], what="a refusal")
        self.assertEqual(self.status(s)["state"], "connecting")
        shown = self.put(s, "plant", dict(document, password="geheim-17"))
        self.assertEqual(shown["password"], {"set": True})
        for part in ("", "-wal"):  # the world file holds it: it is for its owner alone
            self.assertEqual(os.stat(path + part).st_mode & 0o777, 0o600)
        self.up(s)
        for part in ("", "/plant", "/plant/errors", "/plant/messages"):
            self.assertNotIn("geheim", s.http("GET", "/connections" + part)[2])
        # Left out or sent back as it was shown, it stays.
        self.put(s, "plant", dict(document, password={"set": True}))
        self.up(s)
        self.put(s, "plant", {k: v for k, v in document.items() if k != "password"})
        self.up(s)
        s.kill()
        s.start()
        self.up(s)
        self.assertEqual(s.get("/connections/plant")["password"], {"set": True})
        # Taken away, it is gone; with the connection, too.
        self.put(s, "plant", dict(document, password=None))
        until(lambda: "refuses" in self.status(s)["trouble"], what="a refusal")
        self.put(s, "plant", dict(document, password="geheim-17"))
        self.assertEqual(s.http("DELETE", "/connections/plant")[0], 204)
        code, _, body = s.http("PUT", "/connections/plant", dict(document, password={"set": True}))
        self.assertEqual(code, 400, body)
        self.assertIn("password", body)

    def test_keys_are_never_shown(self):
        s = self.sosia()
        tls = {"key": "/geheim-19.pem", "cert": "/cert.pem", "keyPassword": "geheim-20"}
        secrets = {"username": "u", "password": "geheim-18", "tls": tls}
        kinds = {"mqtt": {"subscriptions": [{"topic": "plant/{twin}/{property}"}]}, "sparkplug": {"hostId": "h"}}
        for kind, more in kinds.items():
            with self.subTest(kind):
                document = {"kind": kind, "url": "mqtts://127.0.0.1:9", "paused": True, **secrets, **more}
                code, _, body = s.http("PUT", "/connections/k", document)
                self.assertIn(code, (200, 201), body)
                shown = s.http("GET", "/connections/k")[2]
                self.assertNotIn("geheim", shown + body)
                told = json.loads(shown)["tls"]
                self.assertEqual((told["key"], told["keyPassword"]), ({"set": True}, {"set": True}))
                s.http("DELETE", "/connections/k")

    def test_secrets_stay_where_they_were_given(self):
        """Who may write a connection, but does not know its password, cannot have it sent to a broker of their own."""
        b, other = self.broker(users={"sosia": "geheim-17"}), self.broker(users={"sosia": "geheim-17"})
        s = self.sosia()
        document = self.document(b, username="sosia", password="geheim-17")
        self.put(s, "plant", document)
        self.up(s)
        before = s.get("/connections/plant")
        moved = {"port": other.url, "host": b.url.replace("127.0.0.1", "127.0.0.2").replace("localhost", "127.0.0.2"),
                 "scheme": b.url.replace("mqtt://", "mqtts://")}
        self.assertEqual(len({b.url, *moved.values()}), 4, moved)
        for what, url in moved.items():
            for password in ({}, {"password": {"set": True}}):
                wrong = {k: v for k, v in document.items() if k != "password"} | password | {"url": url}
                for method, path in (("PUT", "/connections/plant"),
                                     ("POST", "/connections/plant/test?seconds=1&messages=1")):
                    with self.subTest(what, path=path, password=password):
                        code, _, body = s.http(method, path, wrong)
                        self.assertEqual((code, json.loads(body)["error"]["code"]), (400, "InvalidArgument"), body)
                        self.assertIn("password", body)
                        self.assertIn("given again, because the address changed", body)
        after = s.get("/connections/plant")
        self.assertEqual({k: v for k, v in after.items() if k != "status"},
                         {k: v for k, v in before.items() if k != "status"})
        self.assertEqual(after["status"]["state"], "up")
        self.assertIn("u'sosia'", b.log)
        self.assertNotIn("u'sosia'", other.log)
        # The same address in other words, or the secret in hand.
        self.put(s, "plant", dict(document, url=b.url.replace("mqtt://", "tcp://") + "/", password={"set": True}))
        self.up(s)
        self.put(s, "plant", dict(document, url=other.url))
        self.up(s)
        self.put(s, "plant", dict(document, url=b.url, password=None))
        until(lambda: "refuses" in self.status(s)["trouble"], what="a refusal")

    def test_one_client_id(self):
        """A broker drops a link when another comes with its client id: two connections would do so for ever."""
        b, other, s = self.broker(), self.broker(), self.sosia()
        self.put(s, "plant", self.document(b), 201)
        code, _, body = s.http("PUT", "/connections/second", self.document(b, url=b.url + "/"))
        self.assertEqual((code, json.loads(body)["error"]["code"]), (400, "InvalidArgument"), body)
        self.assertIn("clientId", body)
        self.assertIn('\\"plant\\"', body)
        self.assertEqual(s.http("GET", "/connections/second")[0], 404)
        self.put(s, "plant", self.document(b), 200)  # itself is no other
        self.put(s, "second", self.document(other), 201)
        self.put(s, "third", self.document(b, clientId="third"), 201)
        for name in ("fourth", "fifth"):  # without an id each gets its own
            document = self.document(b)
            document.pop("clientId")
            self.put(s, name, document, 201)
        self.assertEqual(s.http("PUT", "/connections/third", self.document(b))[0], 400)
        self.assertEqual(s.get("/connections/third")["clientId"], "third")
        self.assertEqual(s.http("DELETE", "/connections/plant")[0], 204)
        self.put(s, "third", self.document(b), 200)
        self.up(s, "third")

    def test_test(self):
        b, s = self.broker(), self.sosia()
        document = self.document(b, {"topic": "$share/g/m/{twin}", "property": "temperature", "value": "/t",
                                     "time": "/ts"})
        done = []
        ask = threading.Thread(target=lambda: done.append(
            s.http("POST", "/connections/new/test?seconds=50&messages=2", document)))
        ask.start()
        until(lambda: "Sending SUBACK to sosia-" in b.log, what="a subscription")
        b.publish("m/p1", '{"t":1.5,"ts":"2026-01-01T00:00:00Z"}')
        b.publish("m/p1", "no JSON")
        ask.join()
        code, _, body = done[0]
        self.assertEqual(code, 200, body)
        first, second = json.loads(body)
        self.assertEqual(first["points"], [{"twin": "p1", "property": "temperature", "value": 1.5,
                                            "time": "2026-01-01T00:00:00.000000000Z",
                                            "error": 'there is no twin "p1"'}])
        self.assertIsNone(first["error"])
        self.assertEqual(second["points"], [])
        self.assertIn("JSON", second["error"])
        self.assertEqual(s.get("/connections")["value"], [])  # nothing was stored, nothing applied
        self.assertEqual(s.http("GET", "/digitaltwins/p1")[0], 404)
        b.stop()
        code, _, body = s.http("POST", "/connections/new/test?seconds=20", document)
        self.assertEqual(code, 503, body)

    def test_test_refusals(self):
        """Points that would be refused live say so, in the answer and in the table."""
        b, s = self.broker(), self.sosia()
        self.assertEqual(s.http("PUT", "/digitaltwins/p1", {"$metadata": {"$model": "dtmi:test:Pump;1"}})[0], 200)
        for topic, value in (("a/p1/rpm", "4.5"), ("a/p1/nothing", "1"), ("a/nobody/rpm", "1"), ("a/p1/rpm", "4")):
            b.publish(topic.replace("a/", "a/%s/" % value, 1), value, retain=True)
        document = self.document(b, {"topic": "a/+/{twin}/{property}"})
        code, _, body = s.http("POST", "/connections/new/test?seconds=50&messages=4", document)
        self.assertEqual(code, 200, body)
        points = {(p["twin"], p["property"], p["value"]): p.get("error") for m in json.loads(body) for p in m["points"]}
        self.assertEqual(len(points), 4, body)
        self.assertIsNone(points["p1", "rpm", 4])
        self.assertIn("integer", points["p1", "rpm", 4.5])
        self.assertIn("nothing", points["p1", "nothing", 1])
        self.assertIn("no twin", points["nobody", "rpm", 1])
        create = dict(RULE, topic="a/+/{twin}/{property}")
        for rule, refused in ((create, False), (dict(create, model="dtmi:test:None;1"), True)):
            code, _, body = s.http("POST", "/connections/new/test?seconds=50&messages=4", self.document(b, rule))
            points = {p["twin"]: p.get("error") for m in json.loads(body) for p in m["points"]}
            self.assertEqual("None;1" in (points["nobody"] or ""), refused, body)
        out = s.run("connections", "test", "new", "-", "--messages", 4, "--for", "50s", text=json.dumps(document))
        self.assertEqual(out.code, 0, out)
        self.assertIn("no twin", out.out)
        self.assertNotIn("4.5 ", "".join(l for l in out.out.splitlines() if "integer" in l).replace("a/4.5/", ""))
        code, _, body = s.http("POST", "/connections/new/test?seconds=5", dict(document, world="none"))
        self.assertEqual(code, 404, body)

    def test_command_line(self):
        """What `sosia connections` prints: sentences, and no advice to start a server that has answered."""
        b, s = self.broker(), self.sosia()
        b.publish("plant/p1/rpm", "7", retain=True)
        out = s.run("connections", "test", "new", "-", "--messages", 1, "--for", "60s",
                    text=json.dumps(self.document(b)))
        self.assertEqual((out.code, len(out.out.splitlines())), (0, 3), out)  # head, line, the message
        self.assertNotIn("null", out.out)
        self.put(s, "plant", self.document(b))
        out = s.run("connections", "pause", "plant")
        self.assertEqual((out.code, out.out, out.err), (0, "", "connection plant is paused\n"))
        out = s.run("connections", "resume", "plant")
        self.assertEqual((out.code, out.out, out.err), (0, "", "connection plant goes on\n"))
        self.assertIn("Late", s.run("connections").out)
        b.stop()
        out = s.run("connections", "test", "plant")
        self.assertNotEqual(out.code, 0)
        self.assertIn("broker", out.err)
        self.assertNotIn("sosia serve", out.err)


class Flow(MqttCase):
    def test_values(self):
        b, s = self.broker(), self.sosia()
        self.put(s, "plant", self.document(
            b, RULE, {"topic": "f/{twin}", "property": "temperature", "value": "/t", "unit": "degreeFahrenheit"}))
        self.up(s)
        b.publish("plant/p1/temperature", "21.5")
        b.publish("plant/p1/rpm", "1450")
        b.publish("plant/p1/label", '"Nord"')
        b.publish("plant/p1/on", "1")
        b.publish("plant/p1/rpm", '"many"')        # of the wrong type
        b.publish("plant/p1/nothing", "1")         # no such property
        b.publish("plant/p1/rpm", "{")             # no JSON
        b.publish("plant/p1/count", b"\xff\x00")   # garbage
        b.publish("plant/p1/label", b'"' + b"x" * (1 << 20) + b'"')  # too large
        b.publish("f/p1", '{"t":212}')
        self.count(s, "messages", 10)
        until(lambda: self.status(s)["waiting"] == 0)
        status = self.status(s)
        self.assertEqual((status["points"], status["accepted"], status["rejected"], status["errors"]), (7, 5, 2, 3))
        twin = s.twin("p1")
        self.assertEqual((twin["temperature"], twin["rpm"], twin["label"], twin["on"]), (100, 1450, "Nord", True))
        errors = s.get("/connections/plant/errors")
        self.assertEqual(errors["count"], 5)
        self.assertEqual({e["topic"] for e in errors["value"]},
                         {"plant/p1/rpm", "plant/p1/nothing", "plant/p1/count", "plant/p1/label"})
        self.assertTrue(all(e["error"] for e in errors["value"]))
        self.assertEqual(s.get("/connections/plant/messages")["count"], len(
            s.get("/connections/plant/messages")["value"]))
        self.assertIn('sosia', s.http("GET", "/metrics")[2])

    def flood(self, qos, lines, version="5", **more):
        b = self.broker("max_inflight_messages 10000")
        s = self.sosia()
        self.put(s, "plant", self.document(
            b, {"topic": "m/{twin}", "property": "count", "model": "dtmi:test:Pump;1", "create": True, "qos": qos},
            version=version, **more))
        self.up(s)
        until(lambda: "Sending SUBACK to plant" in b.log)
        return b, s

    def test_flood_qos1(self):
        """200,000 messages from two publishers: what was sent arrived, and what arrived was accepted."""
        b, s = self.flood(1, 100000)
        senders = [threading.Thread(target=b.publish_lines, args=("m/p%d" % i, [str(n) for n in range(100000)]))
                   for i in range(2)]
        for t in senders:
            t.start()
        for t in senders:
            t.join()
        self.count(s, "messages", 200000)
        self.count(s, "accepted", 200000)
        status = self.status(s)
        self.assertEqual((status["points"], status["rejected"], status["errors"], status["drops"]), (200000, 0, 0, 0))
        for i in range(2):
            self.assertEqual(s.twin("p%d" % i)["count"], 99999)

    def test_flood_qos0(self):
        """What reaches us of QoS 0 is applied, in order."""
        b, s = self.flood(0, 50000, version="3.1.1")
        b.publish_lines("m/p", [str(n) for n in range(50000)], qos=0)
        until(lambda: s.http("GET", "/digitaltwins/p")[0] == 200 and s.twin("p").get("count") == 49999, 120)
        until(lambda: self.status(s)["waiting"] == 0)
        status = self.status(s)
        self.assertEqual(status["accepted"], status["messages"])

    def test_shared(self):
        """Two connections of one group: each message once."""
        b, s = self.broker(), self.sosia()
        rule = {"topic": "$share/g/m/{twin}", "property": "count", "model": "dtmi:test:Pump;1", "create": True}
        for name in ("one", "two"):
            self.put(s, name, self.document(b, rule, clientId=name))
            self.up(s, name)
            until(lambda: "Sending SUBACK to " + name in b.log)
        b.publish_lines("m/p", [str(n) for n in range(1000)])
        until(lambda: sum(self.status(s, n)["accepted"] for n in ("one", "two")) >= 1000)
        counts = [self.status(s, n)["accepted"] for n in ("one", "two")]
        self.assertEqual(sum(counts), 1000)
        self.assertTrue(all(counts), counts)


class Trouble(MqttCase):
    def test_sosia_is_away(self):
        """What is published while Sosia is stopped or killed comes when it is back (5 and 3.1.1)."""
        for version in ("5", "3.1.1"):
            with self.subTest(version):
                b = self.broker()
                s = self.sosia(path=self.file("away%s.sosia" % version))
                self.put(s, "plant", self.document(b, version=version))
                self.up(s)
                until(lambda: "Sending SUBACK to plant" in b.log)
                b.publish("plant/p/count", "1")
                self.count(s, "accepted", 1)
                for number, end in ((10, s.stop), (20, s.kill)):
                    end()
                    b.publish_lines("plant/p/count", [str(number + n) for n in range(5)])
                    s.start()
                    self.count(s, "accepted", 5)
                    self.assertEqual(s.twin("p")["count"], number + 4)

    def test_killed_in_a_flood(self):
        """kill -9 in the middle of a flood of QoS 1: every message is there afterwards."""
        b = self.broker("max_inflight_messages 10000")
        path = self.file("w.sosia")
        s = self.sosia(path=path)
        rule = {"topic": "m/{twin}", "property": "count", "model": "dtmi:test:Pump;1", "create": True}
        self.put(s, "plant", self.document(b, rule))
        self.up(s)
        until(lambda: "Sending SUBACK to plant" in b.log)
        sender = threading.Thread(target=lambda: [b.publish_lines(t, [str(n) for n in range(5000)])
                                                  for t in ("m/a", "m/b", "m/c", "m/d")])
        sender.start()
        for _ in range(3):
            before = self.status(s)["messages"]
            until(lambda: self.status(s)["messages"] > before or not sender.is_alive())
            s.kill()
            s.start()
            self.up(s)
        sender.join()
        for twin in "abcd":
            until(lambda: s.http("GET", "/digitaltwins/" + twin)[0] == 200 and s.twin(twin).get("count") == 4999, 120,
                  "the last value of " + twin)

    def test_broker_dies(self):
        """The broker is killed and comes back: the connection says so, and works again."""
        b, s = self.broker(persistence=True), self.sosia()
        self.put(s, "plant", self.document(b))
        self.up(s)
        until(lambda: "Sending SUBACK to plant" in b.log)  # up comes before; it is counted below
        b.stop(signal.SIGKILL)
        until(lambda: self.status(s)["state"] == "connecting" and self.status(s)["trouble"])
        b.start()
        self.up(s)
        until(lambda: b.log.count("Sending SUBACK to plant") >= 2)
        b.publish("plant/p/count", "7")
        until(lambda: s.http("GET", "/digitaltwins/p")[0] == 200 and s.twin("p")["count"] == 7)
        self.assertEqual((self.status(s)["drops"], self.status(s)["connects"]), (1, 2))

    def test_refused_links_are_errors(self):
        """Nobody listens at that port: each try is an error that is told with its time; a link that is lost is none."""
        b, s = self.broker(), self.sosia()
        b.stop(signal.SIGKILL)
        begun = time.time()
        self.put(s, "plant", self.document(b))
        until(lambda: self.status(s)["errors"] >= 2, what="two tries")
        status = self.status(s)
        self.assertEqual((status["state"], status["connects"], status["drops"]), ("connecting", 0, 0))
        self.assertIn("efused", status["trouble"])
        self.assertEqual(status["lastError"]["error"], status["trouble"])
        at = datetime.datetime.fromisoformat(status["lastError"]["time"].replace("Z", "+00:00")).timestamp()
        self.assertTrue(begun - 0.01 <= at <= time.time(), (begun, at))
        self.assertGreaterEqual(s.get("/connections/plant/errors")["count"], 2)
        self.assertRegex(s.http("GET", "/metrics")[2], r"(?m)^sosia_connect_errors(_total)? [2-9]")
        b.start()
        self.up(s)
        status = self.status(s)
        self.assertEqual((status["trouble"], status["connects"]), ("", 1))
        self.assertIn("efused", status["lastError"]["error"])
        killed = time.monotonic()
        b.stop(signal.SIGKILL)
        until(lambda: self.status(s)["drops"] == 1)
        more = self.status(s)["errors"] - status["errors"]  # of tries since: after 0.75 s and more each
        self.assertLessEqual(more, int((time.monotonic() - killed) / 0.75))

    @unittest.skipUnless(os.path.exists(CLOCK), "%s is not built, as in sanitizer builds" % CLOCK)
    def test_waiting_by_the_monotonic_clock(self):
        """The wall clock is a day ahead of the kernel's, as if it was set back while somebody waits: 1 s is 1 s."""
        b = self.broker()
        os.environ["LD_PRELOAD"], os.environ["SOSIA_CLOCK_AHEAD"] = CLOCK, "86400"
        try:
            s = self.sosia()
        finally:
            del os.environ["LD_PRELOAD"], os.environ["SOSIA_CLOCK_AHEAD"]
        code, _, body = s.http("POST", "/connections/plant/test?seconds=1", self.document(b))
        self.assertEqual((code, json.loads(body)), (200, []))

    def test_broker_is_silent(self):
        """A broker that says nothing any more is found by keep-alive."""
        b, s = self.broker(), self.sosia()
        self.put(s, "plant", self.document(b, keepAlive=5))
        self.up(s)
        b.send(signal.SIGSTOP)
        try:
            until(lambda: "silent" in self.status(s)["trouble"], 60, "the silence noticed")
        finally:
            b.send(signal.SIGCONT)
        self.up(s)

    def test_nobody_there(self):
        s = self.sosia()
        self.put(s, "plant", {"kind": "mqtt", "url": "mqtt://127.0.0.1:%d" % broker.free_port(),
                              "subscriptions": [RULE]})
        until(lambda: "refused" in self.status(s)["trouble"], what="a reason")
        self.put(s, "plant", {"kind": "mqtt", "url": "mqtt://nowhere.invalid", "subscriptions": [RULE]})
        until(lambda: self.status(s)["trouble"] and "refused" not in self.status(s)["trouble"], what="a reason")


class Tls(MqttCase):
    def test_client_certificates(self):
        certificates = broker.Certificates(self.folder)
        server = certificates.make("broker.test")
        b = self.broker(tls=(certificates.ca, *server))
        s = self.sosia()
        cert, key = certificates.make("client", "Schluessel")
        tls = {"keyPassword": "Schluessel", "serverName": "broker.test"}
        for name, path in (("ca", certificates.ca), ("cert", cert), ("key", key)):
            with open(path, encoding="ascii") as f:
                tls[name] = f.read()
        shown = self.put(s, "plant", self.document(b, tls=tls))
        self.up(s)
        self.assertEqual((shown["tls"]["key"], shown["tls"]["keyPassword"]), ({"set": True}, {"set": True}))
        until(lambda: "Sending SUBACK to plant" in b.log)
        # Many messages, more than a record at a time.
        lines = ["%d" % n for n in range(20000)]
        plain = certificates.make("publisher")
        b.publish_lines("plant/p/count", lines, tls=(certificates.ca, *plain))
        self.count(s, "accepted", 20000)
        # Files do as well; the wrong name, no certificate, the wrong password do not.
        files = {"ca": certificates.ca, "cert": plain[0], "key": plain[1], "keyPassword": None,
                 "serverName": "broker.test"}
        self.put(s, "plant", self.document(b, tls=files))
        self.up(s)
        self.put(s, "plant", self.document(b, tls=dict(files, serverName="", insecure=True)))
        self.up(s)
        self.put(s, "plant", self.document(b, tls=dict(files, serverName="other.test", insecure=False)))
        until(lambda: "certificate" in self.status(s)["trouble"], what="a wrong name")
        self.put(s, "plant", self.document(b, tls={"ca": certificates.ca, "key": None,
                                                       "serverName": "broker.test"}))
        until(lambda: self.status(s)["state"] != "up" and self.status(s)["trouble"], what="a missing certificate")
        code, _, body = s.http("PUT", "/connections/plant", self.document(b, tls=dict(tls, keyPassword="x")))
        self.assertEqual(code, 400, body)
        self.assertIn("tls.key", body)


class Commands(MqttCase):
    def ask(self, s, payload="5", query="?timeout=50s"):
        return s.http("POST", "/digitaltwins/p1/commands/start" + query, payload,
                      {"Content-Type": "application/json"})

    def prepare(self, version, **rule):
        b, s = self.broker(), self.sosia()
        command = {"twin": "p*", "topic": "cmd/{twin}/{command}", **rule}
        self.put(s, "plant", self.document(b, version=version, commands=[command]))
        self.up(s)
        b.publish("plant/p1/rpm", "1")
        until(lambda: s.http("GET", "/digitaltwins/p1")[0] == 200)
        return b, s

    def call(self, s, **more):
        done = []
        t = threading.Thread(target=lambda: done.append(self.ask(s, **more)))
        t.start()
        return t, done

    def test_response_topic(self):
        """Version 5: response topic and correlation data."""
        b, s = self.prepare("5", response="res/{twin}")
        device = b.subscriber("cmd/#", format="%t|%p|%R|%D", count=1)
        t, done = self.call(s)
        topic, payload, response, correlation = device.stdout.readline().strip().split("|")
        device.wait()
        device.stdout.close()
        self.assertEqual((topic, payload, response), ("cmd/p1/start", "5", "res/p1"))
        b.publish(response, '"runs"', more=("-D", "publish", "correlation-data", correlation))
        t.join()
        code, _, body = done[0]
        self.assertEqual(code, 200, body)
        self.assertIn("runs", body)
        self.assertEqual(self.status(s)["commands"], 1)

    def test_correlation_in_topic(self):
        """3.1.1: in the topic; the answer's status and result by pointers."""
        b, s = self.prepare("3.1.1", response="res/{twin}/{correlation}", status="/code", result="/value",
                            payload='{"id":"{correlation}","speed":{payload}}')
        device = b.subscriber("cmd/#", format="%p", count=1)
        t, done = self.call(s)
        sent = json.loads(device.stdout.readline())
        device.wait()
        device.stdout.close()
        self.assertEqual(sent["speed"], 5)
        b.publish("res/p1/" + sent["id"], '{"code":500,"value":"stuck"}')
        t.join()
        code, _, body = done[0]
        self.assertGreaterEqual(code, 400)
        self.assertIn("stuck", body)

    def test_no_answer(self):
        b, s = self.prepare("5", response="res/{twin}")
        code, _, body = self.ask(s, query="?timeout=200ms")
        self.assertEqual(code, 504, body)
        b.stop(signal.SIGKILL)
        until(lambda: self.status(s)["state"] != "up")
        self.assertEqual(self.ask(s)[0], 503)

    def test_nobody_answers(self):
        """Without a topic for answers, the broker's word is enough."""
        b, s = self.prepare("5")
        device = b.subscriber("cmd/#", count=1)
        code, _, body = self.ask(s)
        self.assertIn(code, (200, 204), body)
        self.assertEqual(device.stdout.readline().strip(), "cmd/p1/start 5")
        device.wait()
        device.stdout.close()


if __name__ == "__main__":
    kit.main()
