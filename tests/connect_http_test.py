# SPDX-License-Identifier: Apache-2.0
"""Connections of kind http: commands as requests to a device that is an HTTP server here."""
import http.server
import json
import socket
import threading
import time

import kit
from kit import until

MODEL = [{"@id": "dtmi:test:Pump;1", "@type": "Interface", "@context": "dtmi:dtdl:context;2", "contents": [
    {"@type": "Command", "name": "start", "request": {"name": "speed", "schema": "integer"},
     "response": {"name": "answer", "schema": "string"}},
    {"@type": "Command", "name": "stop"}]}]


class Device:
    """Answers (status, headers, body) of reply(method, path, headers, body); what it saw is in `seen`."""

    def __init__(self, reply):
        device = self
        self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                device.seen.append((self.command, self.path, self.headers, body))
                got = reply(self.command, self.path, self.headers, body)
                if got is None:  # hang up without a word
                    self.close_connection = True
                    return
                status, headers, answer = got
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

            do_PUT = do_POST

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


class HttpCommands(kit.Case):
    def setUp(self):
        super().setUp()
        self.s = self.serve(path=self.file("w.sosia"))
        self.assertEqual(self.s.http("POST", "/models", MODEL)[0], 201)
        for name in ("p1", "p/2", "x1"):
            self.assertEqual(self.s.http("PUT", "/digitaltwins/" + name.replace("/", "%2F"),
                                         {"$metadata": {"$model": "dtmi:test:Pump;1"}})[0], 200)

    def device(self, reply):
        d = Device(reply)
        self.addCleanup(d.close)
        return d

    def connect(self, url, **more):
        doc = {"kind": "http", "url": url, "commands": [{"twin": "p*"}], **more}
        code, _, body = self.s.http("PUT", "/connections/plant", doc)
        self.assertIn(code, (200, 201), body)
        return doc

    def invoke(self, twin, name, payload=None, more="?timeout=20s"):
        code, _, body = self.s.http("POST", "/digitaltwins/%s/commands/%s%s" % (twin.replace("/", "%2F"), name, more),
                                    None if payload is None else json.dumps(payload))
        return code, json.loads(body) if body else None

    def test_answers(self):
        def reply(method, path, headers, body):
            if path.endswith("/stop"):
                return 409, {}, '{"why":"dry"}'
            if body == "7":
                return 204, {}, ""
            return 200, {}, "running" if body == "6" else '{"got":%s}' % body

        d = self.device(reply)
        self.connect(d.url)
        self.assertEqual(self.invoke("p1", "start", 5), (200, {"got": 5}))
        self.assertEqual(self.invoke("p/2", "start", 6), (200, "running"))
        self.assertEqual(self.invoke("p1", "start", 7), (204, None))
        code, body = self.invoke("p1", "stop")
        self.assertEqual((code, body["error"]["code"], body["error"]["status"]), (502, "DeviceError", 409))
        self.assertEqual(body["error"]["payload"], {"why": "dry"})
        self.assertEqual([(m, p) for m, p, _, _ in d.seen],
                         [("POST", "/" + p) for p in ("p1/start", "p%2F2/start", "p1/start", "p1/stop")])
        ids = [h["sosia-correlation"] for _, _, h, _ in d.seen]
        self.assertEqual(len(set(ids)), 4)
        self.assertEqual(d.seen[0][2]["Content-Type"], "application/json")
        status = self.s.get("/connections/plant")["status"]
        self.assertEqual((status["state"], status["commands"]), ("up", 4))
        code, body = self.invoke("x1", "stop")  # no rule is for it
        self.assertEqual((code, body["error"]["code"]), (503, "DeviceOffline"))
        self.assertEqual(self.invoke("p1", "start", "fast")[0], 400)
        self.assertEqual(len(d.seen), 4)

    def test_rules(self):
        d = self.device(lambda *_: (200, {}, "1"))
        self.connect(d.url + "/base/", commands=[
            {"twin": "x*", "command": "sta*", "path": "/a/{command}?of={twin}", "method": "PUT",
             "payload": '{"id":"{correlation}","v":{payload}}'},
            {"model": "dtmi:test:Pump;1", "path": "/m/{twin}"}])
        self.assertEqual(self.invoke("x1", "start", 5), (200, 1))
        self.assertEqual(self.invoke("x1", "stop"), (200, 1))
        (m1, p1, h1, b1), (m2, p2, h2, b2) = d.seen
        self.assertEqual((m1, p1), ("PUT", "/base/a/start?of=x1"))
        self.assertEqual(json.loads(b1), {"id": h1["sosia-correlation"], "v": 5})
        self.assertEqual((m2, p2, b2), ("POST", "/base/m/x1", ""))

    def test_secrets(self):
        """Header values are kept, never shown, sent; not to another place; a restart keeps them."""
        d = self.device(lambda *_: (200, {}, ""))
        doc = self.connect(d.url, headers={"X-Key": "k1", "X-Other": "o1"}, authorization="Bearer t1", secret="s1")
        got = self.s.get("/connections/plant")
        self.assertEqual(got["headers"], {"X-Key": {"set": True}, "X-Other": {"set": True}})
        self.assertEqual((got["authorization"], got["secret"]), ({"set": True}, {"set": True}))
        got["headers"]["X-Other"] = None
        self.assertEqual(self.s.http("PUT", "/connections/plant", got)[0], 200)
        self.assertEqual(self.s.get("/connections/plant")["headers"], {"X-Key": {"set": True}})
        self.s.stop()
        self.s.start()
        self.assertEqual(self.invoke("p1", "stop")[0], 204)
        h = d.seen[0][2]
        self.assertEqual((h.get("X-Key"), h.get("Authorization"), h.get("X-Other")), ("k1", "Bearer t1", None))
        self.assertRegex(h["sosia-signature"], r"^t=\d+,v1=[0-9a-f]{64}$")
        code, _, body = self.s.http("PUT", "/connections/plant", dict(got, url="http://127.0.0.1:1"))
        self.assertEqual(code, 400)
        self.assertIn("address changed", body)
        self.assertEqual(self.s.http("PUT", "/connections/plant", {
            **doc, "headers": None, "authorization": None, "secret": None})[0], 200)
        self.assertEqual(self.invoke("p1", "stop")[0], 204)
        self.assertNotIn("X-Key", d.seen[1][2])
        self.assertNotIn("Authorization", d.seen[1][2])

    def test_documents(self):
        for doc, part in (({"url": "ftp://x", "commands": [{}]}, "http://"), ({"url": "http://x"}, "commands"),
                          ({"url": "http://x", "commands": [{"path": "a"}]}, "commands[0].path"),
                          ({"url": "http://x", "commands": [{}], "headers": {"Host": "a"}}, "set by the server"),
                          ({"url": "http://x", "commands": [{}], "headers": {"a": "b\nc"}}, "control characters"),
                          ({"url": "http://x", "commands": [{}], "headers": {"h%d" % i: "1" for i in range(17)}}, "16"),
                          ({"url": "http://x", "commands": [{"topic": "a"}]}, "topic")):
            code, _, body = self.s.http("PUT", "/connections/plant", dict(doc, kind="http"))
            self.assertEqual(code, 400, body)
            self.assertIn(part, body)

    def test_nobody_there(self):
        """A device that cannot be reached got nothing; one that hangs up may have acted. Nothing is sent twice."""
        gone = socket.create_server(("127.0.0.1", 0))
        url = "http://127.0.0.1:%d" % gone.getsockname()[1]
        gone.close()
        self.connect(url)
        code, body = self.invoke("p1", "stop")
        self.assertEqual((code, body["error"]["code"]), (503, "DeviceOffline"))
        status = self.s.get("/connections/plant")["status"]
        self.assertEqual((status["state"], status["errors"]), ("connecting", 1))
        self.assertIn("cannot be reached", status["trouble"])
        d = self.device(lambda *_: None)
        self.connect(d.url)
        code, body = self.invoke("p1", "stop")
        self.assertEqual((code, body["error"]["code"]), (504, "DeviceTimeout"))
        self.assertEqual(len(d.seen), 1)
        d = self.device(lambda *_: (302, {"Location": "/elsewhere"}, ""))
        self.connect(d.url)
        code, body = self.invoke("p1", "stop")
        self.assertEqual((code, body["error"]["code"]), (502, "DeviceError"))
        self.assertEqual(len(d.seen), 1)
        self.assertEqual(self.s.get("/connections/plant")["status"]["state"], "up")

    def test_silence_and_queue(self):
        """Slow devices hold up as many commands as there are senders; more wait, beyond that it is busy."""
        release = threading.Event()
        self.addCleanup(release.set)
        d = self.device(lambda *_: (release.wait(60 * kit.SLOW), (200, {}, "1"))[1])
        self.connect(d.url)
        start = time.monotonic()
        code, body = self.invoke("p1", "stop", more="?timeout=300ms")
        self.assertEqual((code, body["error"]["code"]), (504, "DeviceTimeout"))
        self.assertLess(time.monotonic() - start, 20 * kit.SLOW)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.invoke("p1", "stop", more="?timeout=60s")[0]))
                   for _ in range(4 + 64)]
        for t in threads:
            t.start()
        until(lambda: len(d.seen) == 1 + 4, what="four commands at the device")
        until(lambda: self.s.get("/connections/plant")["status"]["commands"] == 1 + 68, what="64 that wait")
        code, body = self.invoke("p1", "stop")
        self.assertEqual((code, body["error"]["code"]), (503, "ServiceBusy"))
        release.set()
        for t in threads:
            t.join()
        self.assertEqual(answers, [200] * 68)

    def test_the_end(self):
        """A connection that is taken away waits a little for what is under way, and answers what waits."""
        d = self.device(lambda *_: (time.sleep(0.5), (200, {}, "1"))[1])
        self.connect(d.url)
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.invoke("p1", "stop", more="?timeout=60s")[0]))
                   for _ in range(8)]
        for t in threads:
            t.start()
        until(lambda: len(d.seen) >= 4 and self.s.get("/connections/plant")["status"]["commands"] == 8)
        self.assertEqual(self.s.http("DELETE", "/connections/plant")[0], 204)
        for t in threads:
            t.join()
        self.assertEqual(sorted(answers), [200] * 4 + [503] * 4)


if __name__ == "__main__":
    kit.main()
