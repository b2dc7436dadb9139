# SPDX-License-Identifier: Apache-2.0
"""Commands to devices through a real broker: the device is a mosquitto client, the caller sees REST."""
import json
import socket
import threading
import time

import broker
import kit
from kit import until

MODEL = [{"@id": "dtmi:test:Pump;1", "@type": "Interface", "@context": "dtmi:dtdl:context;2", "contents": [
    {"@type": "Property", "name": "rpm", "schema": "integer"},
    {"@type": "Command", "name": "start", "request": {"name": "speed", "schema": "integer"},
     "response": {"name": "answer", "schema": "string"}},
    {"@type": "Command", "name": "stop"}]}]


class Device(threading.Thread):
    """Answers commands that come to cmd/PUMP/NAME/CORRELATION."""

    def __init__(self, b, reply):
        super().__init__(daemon=True)
        self.b, self.reply, self.seen = b, reply, []
        self.child = b.subscriber("cmd/#")
        self.start()

    def run(self):
        for line in self.child.stdout:
            topic, payload = line.rstrip("\n").split(" ", 1)
            self.seen.append((topic, payload))
            for answer in self.reply(topic.split("/"), payload):
                self.b.publish(*answer)

    def close(self):
        self.child.terminate()
        self.child.wait()
        self.join()
        self.child.stdout.close()


class Commands(kit.Case):
    def setUp(self):
        super().setUp()
        self.b = broker.Broker()
        self.addCleanup(self.b.close)
        self.s = self.serve()
        self.assertEqual(self.s.http("POST", "/models", MODEL)[0], 201)
        self.put_twin("p1")
        rule = {"twin": "p*", "topic": "cmd/{twin}/{command}/{correlation}", "response": "ack/{correlation}",
                "payload": '{"id":"{correlation}","args":{payload}}', "status": "/status", "result": "/result"}
        code, _, body = self.s.http("PUT", "/connections/plant", {
            "kind": "mqtt", "url": self.b.url, "clientId": "plant", "version": "3.1.1",
            "subscriptions": [{"topic": "plant/{twin}/{property}"}], "commands": [rule]})
        self.assertEqual(code, 201, body)
        until(lambda: self.s.get("/connections/plant")["status"]["state"] == "up", what="the connection up")

    def put_twin(self, name):
        twin = {"$metadata": {"$model": "dtmi:test:Pump;1"}}
        self.assertEqual(self.s.http("PUT", "/digitaltwins/" + name, twin)[0], 200)

    def device(self, reply):
        d = Device(self.b, reply)
        self.addCleanup(d.close)
        return d

    def invoke(self, twin, name, payload=None, more="?timeout=20s"):
        code, _, body = self.s.http("POST", "/digitaltwins/%s/commands/%s%s" % (twin, name, more),
                                    None if payload is None else json.dumps(payload))
        return code, json.loads(body) if body else None

    def metric(self, name):
        for line in self.s.http("GET", "/metrics")[2].splitlines():
            if line.startswith("sosia_connect_%s " % name):
                return int(line.split()[1])

    def test_answers(self):
        def reply(topic, payload):
            status = 409 if topic[2] == "stop" else 200
            return [("ack/" + topic[3], json.dumps({"status": status, "result": {"got": json.loads(payload)["args"]}}))]

        d = self.device(reply)
        self.assertEqual(self.invoke("p1", "start", 5), (200, {"got": 5}))
        code, body = self.invoke("p1", "stop")
        self.assertEqual((code, body["error"]["code"], body["error"]["status"]), (502, "DeviceError", 409))
        self.assertEqual(body["error"]["payload"], {"got": None})
        self.assertEqual([t.split("/")[1:3] for t, _ in d.seen], [["p1", "start"], ["p1", "stop"]])
        self.assertEqual(self.s.get("/connections/plant")["status"]["commands"], 2)

    def test_checked_first(self):
        d = self.device(lambda topic, payload: [])
        self.assertEqual(self.invoke("p1", "start", "fast")[0], 400)
        self.assertEqual(self.invoke("p1", "launch")[1]["error"]["code"], "CommandNotFound")
        self.assertEqual(self.invoke("p9", "stop")[1]["error"]["code"], "DigitalTwinNotFound")
        self.assertEqual(self.invoke("p1", "start", 5, "?timeout=never")[0], 400)
        self.assertEqual(d.seen, [])

    def test_silence_and_late_answers(self):
        d = self.device(lambda topic, payload: [])
        code, body = self.invoke("p1", "start", 5, "?timeout=200ms")
        self.assertEqual((code, body["error"]["code"]), (504, "DeviceTimeout"))
        until(lambda: d.seen)
        correlation = d.seen[0][0].split("/")[3]
        self.b.publish("ack/" + correlation, '{"status":200}')
        until(lambda: self.metric("commands_unclaimed") == 1, what="a late answer counted")
        self.assertEqual(len(d.seen), 1)  # published once
        self.assertEqual(self.metric("commands_timed_out"), 1)

    def test_the_end_waits_for_nobody(self):
        """A device, a broker and a receiver that say nothing: SIGTERM ends all of it in seconds, with answers."""
        hole = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(hole.close)
        code, _, body = self.s.http("PUT", "/endpoints/hole", {
            "kind": "webhook", "url": "http://127.0.0.1:%d/" % hole.getsockname()[1], "timeout": "2m"})
        self.assertEqual(code, 201, body)
        got = {}

        def ask(path, body=None):
            got[path] = self.s.http("POST", path, body)[0]

        asks = [threading.Thread(target=ask, args=a) for a in (
            ("/digitaltwins/p1/commands/start?timeout=60s", "5"), ("/connections/plant/test?seconds=60",),
            ("/endpoints/hole/test",))]
        asks[0].start()
        until(lambda: self.s.get("/connections/plant")["status"]["commands"] == 1, what="the command waits")
        for a in asks[1:]:
            a.start()
        arrived, _ = hole.accept()
        self.addCleanup(arrived.close)
        until(lambda: self.b.log.count("New client connected") >= 2, what="the connection's test")
        start = time.monotonic()
        self.s.process.terminate()
        self.assertEqual(self.s.process.wait(110 * kit.SLOW), 0)
        took = time.monotonic() - start
        for a in asks:
            a.join()
        self.assertEqual(got["/digitaltwins/p1/commands/start?timeout=60s"], 503)
        self.assertEqual(got["/connections/plant/test?seconds=60"], 200)  # what came until then
        self.assertEqual(got["/endpoints/hole/test"], 200)  # "delivered":false
        self.assertLess(took, 30 * kit.SLOW)

    def test_tests_hold_up_nobody(self):
        """With as many tests under way as there may be, lists, changes and commands are answered; one more is not."""
        hole = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(hole.close)
        self.device(lambda topic, payload: [("ack/" + topic[3], '{"result":1}')])
        endpoint = {"kind": "webhook", "url": "http://127.0.0.1:%d/" % hole.getsockname()[1], "timeout": "2m"}
        self.assertEqual(self.s.http("PUT", "/endpoints/hole", endpoint)[0], 201)
        got = {}

        def ask(path):
            got[path] = self.s.http("POST", path)

        paths = ("/connections/plant/test?seconds=60&messages=1", "/endpoints/hole/test")
        asks = [threading.Thread(target=ask, args=(path,)) for path in paths]
        for a in asks:
            a.start()
        arrived, _ = hole.accept()
        until(lambda: self.b.log.count("Sending SUBACK to sosia-") == 1, what="the connection's test")
        self.assertEqual([c["name"] for c in self.s.get("/connections")["value"]], ["plant"])
        self.assertEqual(self.s.get("/connections/plant")["status"]["state"], "up")
        self.assertEqual(self.s.http("PUT", "/endpoints/other", dict(endpoint, paused=True))[0], 201)
        self.assertEqual(self.invoke("p1", "start", 5), (200, 1))
        for path in paths:
            code, headers, body = self.s.http("POST", path)
            self.assertEqual((code, json.loads(body)["error"]["code"]), (503, "ServiceBusy"), body)
            self.assertEqual(headers["Retry-After"], "1")
        self.assertEqual(got, {})  # both are still under way
        arrived.close()
        asks[1].join()
        self.assertEqual(got[paths[1]][0], 200)
        asks[1] = threading.Thread(target=ask, args=(paths[1],))  # one has ended: the next may begin
        asks[1].start()
        arrived, _ = hole.accept()
        arrived.close()
        self.b.publish("plant/p1/rpm", "7")
        for a in asks:
            a.join()
        self.assertEqual([got[path][0] for path in paths], [200, 200], got)

    def test_doubled_answers(self):
        self.device(lambda topic, payload: [("ack/" + topic[3], '{"result":1}')] * 2)
        self.assertEqual(self.invoke("p1", "start", 5), (200, 1))
        until(lambda: self.metric("commands_unclaimed") == 1, what="the second answer counted")

    def test_offline(self):
        self.put_twin("other")
        code, body = self.invoke("other", "stop")
        self.assertEqual((code, body["error"]["code"]), (503, "DeviceOffline"))
        self.b.stop()
        until(lambda: self.s.get("/connections/plant")["status"]["state"] != "up", what="the link down")
        code, body = self.invoke("p1", "stop")
        self.assertEqual((code, body["error"]["code"]), (503, "DeviceOffline"))

    def test_many_at_once(self):
        self.device(lambda topic, payload: [("ack/" + topic[3], json.dumps({"result": json.loads(payload)["args"]}))])
        answers = {}

        def call(n):
            answers[n] = self.invoke("p1", "start", n, "?timeout=60s")

        threads = [threading.Thread(target=call, args=(n,)) for n in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(answers, {n: (200, n) for n in range(12)})


if __name__ == "__main__":
    kit.main()
