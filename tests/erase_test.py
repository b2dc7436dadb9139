#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""Erasing for privacy, as a whole process: secrets of a twin are looked for wherever something could be left of it,
while values stream in, after a restart, in a backup, and after kills in the middle."""
import base64
import hashlib
import http.client
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, run, until  # noqa: E402

SEED = int(os.environ.get("SOSIA_SEED", random.randrange(1 << 32)))
NDJSON = {"Content-Type": "application/x-ndjson"}


def prop(name, schema):
    return {"@type": "Property", "name": name, "schema": schema}


CONTEXT = {"@context": "dtmi:dtdl:context;2", "@type": "Interface"}
BAND = dict(CONTEXT, **{"@id": "dtmi:care:Band;1", "contents": [prop("pulse", "double"), prop("worn", "boolean")]})
GUEST = dict(CONTEXT, **{"@id": "dtmi:care:Guest;1", "contents": [prop("name", "string"), prop("visits", "long")]})
PERSON = dict(CONTEXT, **{"@id": "dtmi:care:Person;1", "contents": [
    prop("name", "string"), prop("number", "long"), prop("weight", "double"),
    {"@type": "Property", "name": "notes", "schema": {"@type": "Map", "mapKey": {"name": "k", "schema": "string"},
                                                      "mapValue": {"name": "v", "schema": "string"}}},
    {"@type": "Telemetry", "name": "mood", "schema": "string"},
    {"@type": "Component", "name": "band", "schema": "dtmi:care:Band;1"},
    {"@type": "Relationship", "name": "knows", "properties": [prop("how", "string")]}]})
METER = dict(CONTEXT, **{"@id": "dtmi:care:Meter;1", "contents": [prop("n", "long"), prop("v", "double")]})
METERS = 40


class Secrets:
    """Values that are nowhere else. All of a kind begin alike, so that a file is soon looked through."""

    TEXT = re.compile(rb"(?:secret|person|link|key)-[0-9a-f]{16}")
    NUMBER = re.compile(rb"5406\.\d+|682827\d{13}")
    RAW = {kind: (struct.pack(">Q", head << 40)[:3], head << 40) for kind, head in (("d", 0x40b51e), ("q", 0x5ec2e7))}

    def __init__(self, rng):
        self.random, self.forms = rng, {}  # what bytes show -> what it is

    def add(self, value, *forms):
        self.forms.update((form, value) for form in (str(value).encode(), *forms))
        return value

    def text(self, head="secret"):
        return self.add("%s-%016x" % (head, self.random.getrandbits(64)))

    def number(self, kind):
        bits = self.RAW[kind][1] | self.random.getrandbits(40)
        raw = struct.pack(">Q", bits)
        return self.add(struct.unpack(">" + kind, raw)[0], raw, raw[::-1])

    def double(self):
        return self.number("d")

    def long(self):
        return self.number("q")

    def seen(self, data):
        data = data.encode() if isinstance(data, str) else data
        found = set(self.TEXT.findall(data)) | set(self.NUMBER.findall(data))
        for head, _ in self.RAW.values():
            found |= {data[m.start():m.start() + 8] for m in re.finditer(re.escape(head), data)}
            found |= {data[m.end() - 8:m.end()] for m in re.finditer(re.escape(head[::-1]), data) if m.end() >= 8}
        return [self.forms[f] for f in found if f in self.forms]


class Stream(threading.Thread):
    """Values of the meters, batch after batch, until it is stopped or the server is gone."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.batches, self.over, self.failed = server, 0, False, None
        self.start()

    def run(self):
        while not self.over:
            self.batches += 1
            lines = "".join('{"id":"m%d","property":"%s","value":%d}\n' % (i % METERS, "nv"[i % 2], self.batches)
                            for i in range(400))
            try:
                status, _, body = self.server.http("POST", "/ingest", lines, NDJSON)
            except (OSError, http.client.HTTPException):
                return  # it was killed
            if status not in (200, 503):
                self.failed = "%d %s" % (status, body)
                return

    def stop(self):
        self.over = True
        self.join()


def verified(receipt, pem, folder):
    """Whether openssl, which knows nothing of us, finds the signature good."""
    def raw(text):
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    files = {"key.pem": pem.encode(), "text": (receipt["protected"] + "." + receipt["payload"]).encode(),
             "signature": raw(receipt["signature"])}
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)
    done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "text",
                           "-sigfile", "signature"], cwd=folder, capture_output=True, text=True)
    header = json.loads(raw(receipt["protected"]))
    shown = json.loads(raw(receipt["payload"]))
    return done.returncode == 0 and header["alg"] == "EdDSA" and shown == receipt["receipt"]


def about(receipt, twin, prop=""):
    text = "sosia.erasure\n%s\n%s\n%s\n" % (receipt["id"], twin, prop)
    return hashlib.sha256(text.encode()).hexdigest() == receipt["subject"]


class Helper(unittest.TestCase):
    def test_secrets_are_seen(self):
        s = Secrets(random.Random(SEED))
        for value in (s.text(), s.text("key"), s.double(), s.long()):
            self.assertEqual(s.seen("x%sy" % value), [value])
            kind = {float: "d", int: "q"}.get(type(value))
            for raw in [struct.pack(order + kind, value) for order in "<>"] if kind else []:
                self.assertEqual(s.seen(b"\x1e" + raw + b"\xb5"), [value])
        self.assertEqual(s.seen(Secrets(random.Random(SEED + 1)).text()), [])


class EraseCase(Case):
    def setUp(self):
        super().setUp()
        print("seed %d" % SEED)
        self.random = random.Random(SEED)
        self.secrets = Secrets(self.random)

    def ok(self, server, method, path, body=None, headers=None):
        status, headers, text = server.http(method, path, body, headers)
        self.assertIn(status, (200, 201, 204), "%s %s: %s" % (method, path, text))
        return text

    def plant(self, name="w.sosia"):
        server = self.serve("--http", "127.0.0.1:0", "--checkpoint", "200ms", path=self.file(name))
        self.ok(server, "POST", "/models", [BAND, GUEST, PERSON, METER])
        for i in range(METERS):
            self.ok(server, "PUT", "/digitaltwins/m%d" % i, {"$metadata": {"$model": METER["@id"]}, "n": 0})
        return server

    def person(self, server, id, s):
        self.ok(server, "PUT", "/digitaltwins/" + id, {
            "$metadata": {"$model": PERSON["@id"]}, "name": s.text(), "number": s.long(), "weight": s.double(),
            "notes": {s.text("key"): s.text()}, "band": {"$metadata": {}, "pulse": s.double()}})

    def values(self, server, id, s, n, at=None):
        """n values of each kind; at: by the source's clock, in order or not."""
        rows = []
        for i in range(n):
            for path, value in (("name", s.text()), ("weight", s.double()), ("number", s.long()),
                                ("band.pulse", s.double())):
                row = {"id": id, "property": path, "value": value}
                rows.append(row if at is None else dict(row, time=at + self.random.randrange(-60000, 60000)))
        done = json.loads(self.ok(server, "POST", "/ingest?source=ward", "\n".join(map(json.dumps, rows)), NDJSON))
        self.assertEqual(done["rejected"], 0, done)

    def erase(self, server, twin, prop=None, want=200):
        body = {"twin": twin} if prop is None else {"twin": twin, "property": prop}
        status, _, text = server.http("POST", "/erasures", body)
        self.assertEqual(status, want, text)
        return json.loads(text)

    def pem(self, server):
        return self.ok(server, "GET", "/erasures/key?format=pem")

    # ---- looking for what is left ----

    def raw(self, path):
        for name in (path, path + "-wal", path + "-shm"):
            if os.path.exists(name):
                with open(name, "rb") as f:
                    self.assertEqual(self.secrets.seen(f.read()), [], "%s, seed %d" % (os.path.basename(name), SEED))

    def feed(self, server, since):
        """Everything behind `since`, as it is told to a subscriber, up to now."""
        now = json.loads(self.ok(server, "GET", "/worlds/live"))["sequence"]
        c = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=60 * kit.SLOW)
        c.request("GET", "/changes?since=%d" % since)
        reply, lines = c.getresponse(), []
        self.assertEqual(reply.status, 200)
        while True:
            line = reply.readline()
            self.assertTrue(line, "the stream ended: %r" % lines[-4:])
            lines.append(line)
            if line.startswith(b"id: ") and int(line[4:]) >= now:
                break
        reply.close()
        c.close()
        return b"".join(lines)

    def told(self, server, worlds):
        """All that a client can be told of these worlds."""
        for w in worlds:
            yield w + " twins", json.dumps(server.every(w + "/digitaltwins"))
            for text in ("SELECT * FROM DIGITALTWINS", "SELECT * FROM RELATIONSHIPS",
                         "SELECT T.$dtId, T.name FROM DIGITALTWINS T WHERE IS_DEFINED(T.name)"):
                token = None
                while True:
                    body = {"query": text} if not token else {"query": text, "continuationToken": token}
                    answer = self.ok(server, "POST", w + "/query", body)
                    yield w + " " + text, answer
                    token = json.loads(answer)["continuationToken"]
                    if not token:
                        break

    def nothing_left(self, server, victim, worlds, since, begun):
        for w in worlds:
            for path in ("", "/history", "/relationships", "/incomingrelationships"):
                status, _, body = server.http("GET", w + "/digitaltwins/" + victim + path)
                self.assertEqual((status, self.secrets.seen(body.replace(victim, ""))), (404, []), w + path + body)
        for what, answer in self.told(server, worlds):
            self.assertEqual(self.secrets.seen(answer), [], "%s, seed %d" % (what, SEED))
        self.assertEqual(self.secrets.seen(self.feed(server, since)), [], "the feed, seed %d" % SEED)
        for path in ("/metrics", "/history", "/erasures"):
            self.assertEqual(self.secrets.seen(self.ok(server, "GET", path)), [], path)
        again = run("replay", "--from", begun, "--to", "now", "--speed", "max", "--json", url=server.url)
        self.assertEqual((again.code, self.secrets.seen(again.out)), (0, []), again.err)
        self.raw(server.path)

    def in_place(self, path, victim):
        """What the extension of sqlite3 reads, where there is one."""
        extension = os.path.join(os.path.dirname(os.path.abspath(kit.SOSIA)), "libsosia_history.so")
        with open(kit.SOSIA, "rb") as f:
            sanitized = b"__asan_init" in (text := f.read()) or b"__tsan_init" in text
        if not os.path.exists(extension) or sanitized or not shutil.which("sqlite3"):
            return
        text = ".load %s\nSELECT count(*) FROM sosia_history('%s');\n" % (extension, victim)
        done = subprocess.run(["sqlite3", "-batch", "file:%s?mode=ro" % path], input=text, capture_output=True,
                              text=True, timeout=60)
        self.assertNotIn(done.stdout.strip(), [str(n) for n in range(1, 100000)], done.stdout + done.stderr)
        for i in (0, 1):
            text = ".load %s\nSELECT * FROM sosia_history('n%d');\n" % (extension, i)
            done = subprocess.run(["sqlite3", "-batch", "file:%s?mode=ro" % path], input=text, capture_output=True,
                                  text=True, timeout=60)
            self.assertEqual((done.returncode, self.secrets.seen(done.stdout)), (0, []), done.stderr)

    def exported(self, server):
        to = self.file("plain.sqlite")
        self.assertEqual(run("export", "--sqlite", to, "--force", url=server.url).code, 0)
        with open(to, "rb") as f:
            self.assertEqual(self.secrets.seen(f.read()), [])

    def sound(self, path):
        r = run("check", "--json", path)
        self.assertEqual((r.code, r.json["findings"] if r.code == 0 else r), (0, []))


class Whole(EraseCase):
    """A twin, with all it ever was."""

    def neighbours(self, server, instant):
        """What is answered of who knows the victim, and of who does not."""
        paths = ["/digitaltwins/n1", "/digitaltwins/n1/relationships", "/digitaltwins/n1/incomingrelationships",
                 "/digitaltwins/n1/history?with=source,arrival", "/digitaltwins/n1/history?fn=avg,min,max,count",
                 "/digitaltwins/n0/history?with=source", "/digitaltwins/n0",
                 "/digitaltwins/n1/relationships/kept/history",
                 "/worlds/live@%s/digitaltwins/n1" % instant, "/worlds/live@%s/digitaltwins/n0" % instant,
                 "/worlds/live@%s/digitaltwins/n1/relationships/kept" % instant, "/models"]
        return {p: self.ok(server, "GET", p) for p in paths}

    def test_everything_of_a_twin(self):
        server, s = self.plant(), self.secrets
        begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
        since = 1
        other = Secrets(self.random)  # values that stay
        victim = s.text("person")
        stream = Stream(server)
        # It was a guest once and went; came again as a guest, then became a person.
        for again in (False, True):
            self.ok(server, "PUT", "/digitaltwins/" + victim,
                    {"$metadata": {"$model": GUEST["@id"]}, "name": s.text(), "visits": s.long()})
            if not again:
                self.ok(server, "DELETE", "/digitaltwins/" + victim)
        self.person(server, victim, s)  # another model
        for i in (0, 1):
            self.person(server, "n%d" % i, other)
        knows = {"$relationshipName": "knows"}
        gone = s.text("link")
        for source, target, id, how in (
                (victim, "n1", s.text("link"), s.text()), ("n1", victim, s.text("link"), s.text()),
                ("n1", "n0", "kept", other.text()), ("n0", victim, gone, s.text())):
            self.ok(server, "PUT", "/digitaltwins/%s/relationships/%s" % (source, id),
                    dict(knows, **{"$targetId": target, "how": how}))
        self.ok(server, "DELETE", "/digitaltwins/n0/relationships/" + gone)
        self.values(server, victim, s, 40)
        self.values(server, "n1", other, 40)
        late = int(time.time() * 1000) - 86400000
        self.values(server, victim, s, 10, late)
        self.values(server, "n1", other, 10, late)
        for id, secrets in ((victim, s), ("n1", other)):
            self.ok(server, "POST", "/digitaltwins/%s/telemetry" % id, {"mood": secrets.text()}, {"Message-Id": "x"})
        self.ok(server, "POST", "/worlds", {"name": "w1"})
        self.ok(server, "PATCH", "/worlds/w1/digitaltwins/" + victim,
                [{"op": "replace", "path": "/name", "value": s.text()}])
        instant = json.loads(self.ok(server, "GET", "/worlds/live"))["time"]
        worlds = ["", "/worlds/w1", "/worlds/live@" + instant]
        self.values(server, victim, s, 20)
        for w in worlds:  # it is known, and cached, wherever it will be looked for
            self.assertTrue(s.seen(self.ok(server, "GET", w + "/digitaltwins/" + victim)))
            self.assertTrue(s.seen("".join(answer for _, answer in self.told(server, [w]))))
        self.assertTrue(s.seen(self.feed(server, since)))
        before = self.neighbours(server, instant)
        # n1 lost two relationships with it: those are not what they were.
        changed = {"/digitaltwins/n1/relationships", "/digitaltwins/n1/incomingrelationships"}

        marked = stream.batches
        receipt = self.erase(server, victim)
        pem = self.pem(server)
        self.assertTrue(verified(receipt, pem, self.folder))
        self.assertTrue(about(receipt["receipt"], victim))
        self.assertEqual(s.seen(json.dumps(receipt)), [])
        told = receipt["receipt"]
        self.assertEqual((told["kind"], told["twins"], told["relationships"]), ("twin", 2, 3), told)
        self.assertGreater(told["values"], 280)
        self.nothing_left(server, victim, worlds, since, begun)
        after = self.neighbours(server, instant)
        for path, answer in before.items():
            if path not in changed:
                self.assertEqual(after[path], answer, "%s, seed %d" % (path, SEED))
        self.assertEqual([r["$relationshipId"] for r in json.loads(after["/digitaltwins/n1/relationships"])["value"]],
                         ["kept"])
        until(lambda: stream.batches > marked + 2, 60, "values that went on")
        stream.stop()
        self.assertIsNone(stream.failed)
        self.erase(server, victim, want=404)

        # The same in a backup that is made now, after a restart, and after a kill.
        copy = self.file("copy.sosia")
        self.assertEqual(run("backup", "--store", server.path, copy).code, 0)
        self.raw(copy)
        self.in_place(server.path, victim)
        self.exported(server)
        worlds.remove("/worlds/w1")
        for path, sig in ((server.path, signal.SIGTERM), (server.path, signal.SIGKILL), (copy, signal.SIGTERM)):
            if path == server.path:
                server.stop(sig)
            if sig == signal.SIGTERM and path == server.path:
                self.raw(path)
                self.sound(path)
            served = server.start() if path == server.path else self.serve(path=copy)
            self.nothing_left(served, victim, worlds, since, begun)
            again = self.neighbours(served, instant)
            for p, answer in after.items():
                if "relationships" not in p or "kept" in p:  # those tell the address of the server
                    self.assertEqual(again[p], answer, "%s, seed %d" % (p, SEED))
            self.assertEqual(json.loads(self.ok(served, "GET", "/erasures/" + told["id"])), receipt)
            self.assertEqual(self.pem(served), pem)
            self.assertEqual(json.loads(self.ok(served, "GET", "/erasures"))["value"], [receipt])
        server.errors.seek(0)
        self.assertEqual(s.seen(server.errors.read()), [], "the log")
        # The name may be used again, and nothing of the first one is there.
        self.person(server, victim, Secrets(self.random))
        self.assertEqual(len(server.get("/digitaltwins/%s/history?properties=name" % victim)["value"]), 1)


class Parts(EraseCase):
    def test_a_property_a_component_telemetry(self):
        server, s, other = self.plant(), self.secrets, Secrets(self.random)
        self.person(server, "p", other)
        for i in range(5):
            self.ok(server, "PATCH", "/digitaltwins/p", [{"op": "replace", "path": "/name", "value": s.text()}])
            self.ok(server, "PATCH", "/digitaltwins/p", [{"op": "replace", "path": "/band/pulse", "value": s.double()}])
            self.ok(server, "PATCH", "/digitaltwins/p", [{"op": "replace", "path": "/weight", "value": other.double()}])
            self.ok(server, "POST", "/digitaltwins/p/telemetry", {"mood": s.text()}, {"Message-Id": str(i)})
        instant = json.loads(self.ok(server, "GET", "/worlds/live"))["time"]
        kept = "/digitaltwins/p/history?properties=weight,number,notes&with=source,arrival"
        before = self.ok(server, "GET", kept)
        for name, values in (("name", 6), ("band", 6), ("mood", 5)):
            receipt = self.erase(server, "p", name)["receipt"]
            self.assertTrue(about(receipt, "p", name))
            self.assertEqual((receipt["kind"], receipt["twins"]), ("property", 1))
            self.assertGreaterEqual(receipt["values"], values)
        self.raw(server.path)
        for w in ("", "/worlds/live@" + instant):
            twin = json.loads(self.ok(server, "GET", w + "/digitaltwins/p"))
            self.assertNotIn("name", twin)
            self.assertNotIn("name", twin["$metadata"])
            self.assertNotIn("pulse", twin.get("band", {}))
            self.assertEqual(s.seen(json.dumps(twin)), [])
            self.assertTrue(other.seen(repr(twin["weight"])))
            self.assertEqual(len(twin["notes"]), 1)
        self.assertEqual(self.ok(server, "GET", kept), before)
        for name in ("name", "band.pulse", "mood"):
            rows = server.get("/digitaltwins/p/history?properties=" + name)["value"]
            self.assertEqual([r for r in rows if r["value"] is not None], [], name)
        self.ok(server, "PATCH", "/digitaltwins/p", [{"op": "add", "path": "/name", "value": "anew"}])
        rows = server.get("/digitaltwins/p/history?properties=name")["value"]
        self.assertEqual([r["value"] for r in rows if r["value"] is not None], ["anew"])

    def test_refusals(self):
        server = self.plant()
        self.person(server, "p", self.secrets)
        for body, status, code, words in (
                ({"twin": "nobody"}, 404, "DigitalTwinNotFound", "no twin"),
                ({"twin": "p", "property": "nmae"}, 400, "ValidationFailed", "nmae"),
                ({"twin": "p", "property": ""}, 400, "InvalidArgument", "property"),
                ({"twin": ""}, 400, "InvalidArgument", "twin"),
                ({"twin": 7}, 400, "InvalidArgument", "text"),
                ({}, 400, "InvalidArgument", "Which twin"),
                ({"twin": "p", "properties": ["name"]}, 400, "InvalidArgument", "properties"),
                ([], 400, "InvalidArgument", "body")):
            got, _, text = server.http("POST", "/erasures", body)
            error = json.loads(text)["error"]
            self.assertEqual((got, error["code"]), (status, code), text)
            self.assertIn(words, error["message"])
        self.assertEqual(server.http("POST", "/erasures", "{\"twin\":")[0], 400)
        self.assertEqual(server.http("POST", "/worlds/live/erasures", {"twin": "p"})[0], 404)
        self.assertEqual(server.http("POST", "/erasures", {"twin": "p"}, {"Origin": "http://evil.example"})[0], 403)
        self.assertEqual(server.http("GET", "/erasures/none")[0], 404)
        self.assertEqual(server.http("GET", "/erasures/key?format=der")[0], 400)
        empty = {"value": [], "pending": [], "nextLink": None}
        self.assertEqual(json.loads(self.ok(server, "GET", "/erasures")), empty)
        self.assertTrue(server.twin("p")["name"])
        memory = self.serve()
        status, _, text = memory.http("POST", "/erasures", {"twin": "p"})
        self.assertEqual((status, json.loads(text)["error"]["code"]), (400, "NotSupported"))

    def test_a_list_in_pages_and_a_client_that_leaves(self):
        server = self.plant()
        address = urllib.parse.urlsplit(server.url)
        for i in range(5):
            self.person(server, "p%d" % i, self.secrets)
            c = http.client.HTTPConnection(address.netloc, timeout=60)
            c.request("POST", "/erasures", json.dumps({"twin": "p%d" % i}))
            c.sock.close()
        done = lambda: json.loads(self.ok(server, "GET", "/erasures"))  # noqa: E731
        until(lambda: len(done()["value"]) == 5 and not done()["pending"], 60, "five erasures that nobody waits for")
        whole, pages, path = done()["value"], [], "/erasures"
        while path:
            page = json.loads(self.ok(server, "GET", path, None, {"max-items-per-page": "2"}))
            pages.append(page["value"])
            path = page["nextLink"] and page["nextLink"][len(server.url):]
        self.assertEqual([len(p) for p in pages], [2, 2, 1])
        self.assertEqual(sum(pages, []), whole)
        pem = self.pem(server)
        self.assertTrue(all(verified(r, pem, self.folder) for r in whole))
        self.assertEqual(self.ok(server, "GET", "/erasures").count("seed"), 0)
        jwk = json.loads(self.ok(server, "GET", "/erasures/key"))
        self.assertEqual((jwk["kty"], jwk["crv"], jwk["pem"]), ("OKP", "Ed25519", pem))
        self.assertNotIn("d", jwk)
        # The private key is in the file alone: nothing that is served shows it.
        server.stop()
        db = sqlite3.connect(server.path)
        rows = db.execute("SELECT value FROM item WHERE CAST(kind AS TEXT) = 'erasure.key'").fetchall()
        db.close()
        self.assertEqual(len(rows), 1)
        private = rows[0][0] if isinstance(rows[0][0], bytes) else rows[0][0].encode()
        server.start()
        routes = json.loads(self.ok(server, "GET", "/openapi.json"))["paths"]
        for path, methods in routes.items():
            if "get" not in methods or path in ("/changes", "/ingest"):
                continue
            _, _, text = server.http("GET", path.replace("{id}", "ed25519").replace("{sub}", "x"))
            self.assertNotIn(private.decode(), text, path)


class Kills(EraseCase):
    def test_killed_in_the_middle(self):
        for turn in range(8):
            with self.subTest(turn=turn):
                self.killed(turn)

    def killed(self, turn):
        server, s = self.plant("k%d.sosia" % turn), self.secrets
        victim = s.text("person")
        self.person(server, victim, s)
        self.person(server, "n1", Secrets(self.random))
        self.values(server, victim, s, 30)
        stream = Stream(server)
        neighbour = self.ok(server, "GET", "/digitaltwins/n1/history?with=source")
        asked = threading.Thread(target=self.ask, args=(server, victim), daemon=True)
        delay = self.random.choice([0.0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08]) * kit.SLOW
        asked.start()
        time.sleep(delay)  # any moment will do
        server.kill()
        asked.join()
        stream.stop()
        server.start()
        look = lambda: json.loads(self.ok(server, "GET", "/erasures"))  # noqa: E731
        until(lambda: not look()["pending"], 60, "the rest of the erasure (seed %d)" % SEED)
        done = look()["value"]
        print("turn %d: killed after %g ms, %s" % (turn, delay * 1e3, "went on" if done else "not begun"))
        if not done:  # it was not even noted
            self.assertEqual(server.http("GET", "/digitaltwins/" + victim)[0], 200)
            done = [self.erase(server, victim)]
        self.assertEqual(len(done), 1)
        self.assertTrue(about(done[0]["receipt"], victim))
        self.assertTrue(verified(done[0], self.pem(server), self.folder))
        self.assertEqual(server.http("GET", "/digitaltwins/" + victim)[0], 404)
        self.raw(server.path)
        self.assertEqual(self.ok(server, "GET", "/digitaltwins/n1/history?with=source"), neighbour)
        self.assertEqual(server.stop(), 0)
        self.raw(server.path)
        self.sound(server.path)

    def ask(self, server, victim):
        try:
            server.http("POST", "/erasures", {"twin": victim})
        except (OSError, http.client.HTTPException):
            pass  # it was killed


class Command(EraseCase):
    """sosia erase."""

    def on_a_terminal(self, server, *arguments, answer):
        """(exit code, what was shown): the command on a terminal of its own, and what is typed when it asks."""
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(kit.SOSIA, [kit.SOSIA, *arguments], kit.environment(SOSIA_URL=server.url, TERM="dumb"))
        shown, typed, end = b"", False, time.monotonic() + 60 * kit.SLOW
        while time.monotonic() < end:
            if not select.select([fd], [], [], 1)[0]:
                continue
            try:
                more = os.read(fd, 4096)
            except OSError:
                break
            if not more:
                break
            shown += more
            if b"to go on: " in shown and not typed:
                os.write(fd, answer)
                typed = True
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode().replace("\r\n", "\n")

    def test_the_command(self):
        server, s = self.plant(), self.secrets
        for id in ("p1", "p2", "p3"):
            self.person(server, id, s)
            self.values(server, id, s, 5)
        self.ok(server, "PUT", "/digitaltwins/p1/relationships/r", {"$relationshipName": "knows", "$targetId": "p2"})
        self.assertEqual(server.run("erase", "--list").err, "nothing was ever erased\n")
        r = server.run("erase", "p1")
        self.assertEqual((r.code, "--yes" in r.err), (4, True), r)
        code, shown = self.on_a_terminal(server, "erase", "p1", answer=b"p2\n")
        self.assertEqual(code, 6, shown)
        self.assertIn("nothing was erased", shown)
        self.assertRegex(shown, r"erases for ever p1:\n  \d+ values of \d+ properties.*\n  1 relationship, and .*\n")
        self.assertIn("Backups that were made before keep it", shown)
        code, shown = self.on_a_terminal(server, "erase", "p1", "name", answer=b"\x03")
        self.assertEqual(code, 130, shown)
        self.assertRegex(shown, r"erases for ever name of p1:\n  \d+ values, now")
        self.assertTrue(server.twin("p1")["name"])
        file = self.file("p1.json")
        code, shown = self.on_a_terminal(server, "erase", "p1", "--receipt", file, answer=b"p1\n")
        self.assertEqual(code, 0, shown)
        self.assertRegex(shown, r"p1 is erased: \d+ values, 1 relationship; receipt [0-9a-f]+\n")
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        with open(file) as f:
            self.assertTrue(verified(json.load(f), self.pem(server), self.folder))
        r = server.run("erase", "p2", "--yes", "--receipt", file)
        self.assertEqual((r.code, "exists" in r.err), (6, True), r)
        self.assertTrue(server.twin("p2"))
        r = server.run("erase", "p2", "name", "--yes", "--json")
        self.assertEqual((r.code, r.json["receipt"]["kind"]), (0, "property"))
        r = server.run("erase", "p1", "--yes", "--receipt", self.file("none.json"))
        self.assertEqual((r.code, "no twin" in r.err, os.path.exists(self.file("none.json"))), (3, True, False), r)
        r = server.run("erase", "--list")
        self.assertRegex(r.out, r"\n20\S+ \S+  20\S+ \S+  twin +\d+ +1  [0-9a-f]+\n20.*property +\d+ +0  [0-9a-f]+\n$")
        listed = server.run("erase", "--list", "--json").json
        self.assertEqual((len(listed["value"]), listed["pending"]), (2, []))
        self.checks(server, file)

    def checks(self, server, file):
        r = server.run("erase", "--verify", file)
        self.assertEqual(r.code, 0, r)
        self.assertIn("genuine: a twin was erased on 20", r.out)
        r = server.run("erase", "--verify", file, "p1", "--json")
        self.assertEqual((r.code, r.json["genuine"], r.json["about"]), (0, True, True), r)
        for names in (("p2",), ("p1", "name")):
            r = server.run("erase", "--verify", file, *names)
            self.assertEqual((r.code, "something else" in r.err), (6, True), r)
        for form in ("jwk", "pem"):  # without the server
            key = self.file("key." + form, self.ok(server, "GET", "/erasures/key?format=" + form))
            r = run("erase", "--verify", file, "p1", "--key", key, url="http://127.0.0.1:1")
            self.assertEqual(r.code, 0, r)
        with open(file) as f:
            text = f.read()
        forged = self.file("forged.json", re.sub(r'"values":\d+', '"values":1', text))
        r = server.run("erase", "--verify", forged)
        self.assertEqual((r.code, "not what was signed" in r.err), (9, True), r)
        other = self.plant("other.sosia")
        r = other.run("erase", "--verify", file)
        self.assertEqual((r.code, "another key" in r.err), (9, True), r)
        r = server.run("erase", "--verify", key)
        self.assertEqual((r.code, "no receipt" in r.err), (4, True), r)
        r = run("erase", "--verify", file, "--key", file)
        self.assertEqual((r.code, "no public key" in r.err), (4, True), r)
        for wrong in (("erase",), ("erase", "--list", "p2"), ("erase", "p2", "--world", "w"),
                      ("erase", "p2", "--key", key)):
            self.assertEqual(server.run(*wrong).code, 4, wrong)
        self.assertIn("Examples", run("erase", "--help").out)


if __name__ == "__main__":
    kit.main()
