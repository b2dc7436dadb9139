#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""What an erasure leaves in the memory of the server: nothing that anything points to.

The C library overwrites what is freed here (glibc's tunables), so whatever is found was not freed: it is in some
structure. That is what the receipt promises; what the allocator keeps of freed memory is best effort, see
docs/decisions/0013-erasing.md."""
import array
import http.client
import json
import os
import random
import socket
import struct
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, until  # noqa: E402

SEED = int(os.environ.get("SOSIA_SEED", random.randrange(1 << 32)))
WIPING = "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"
MODEL = {"@context": "dtmi:dtdl:context;2", "@type": "Interface", "@id": "dtmi:care:Person;1", "contents": [
    {"@type": "Property", "name": "name", "schema": "string"},
    {"@type": "Property", "name": "weight", "schema": "double"},
    {"@type": "Property", "name": "mean", "schema": "double"},
    {"@type": "Telemetry", "name": "mood", "schema": "string"},
    {"@type": "Relationship", "name": "knows", "properties": [
        {"@type": "Property", "name": "how", "schema": "string"}]}]}
PAGE = os.sysconf("SC_PAGE_SIZE")
BATCH = {"Content-Type": "application/json-patch+json"}


def sanitized():
    with open(kit.SOSIA, "rb") as f:
        text = f.read()
    return b"__asan_init" in text or b"__tsan_init" in text


class Memory:
    """The memory of a process that it can write to, piece by piece."""

    def __init__(self, pid):
        self.pid = pid

    def touched(self, begin, end):
        """Stretches of a mapping whose pages are there, or in the swap."""
        with open("/proc/%d/pagemap" % self.pid, "rb", 0) as f:
            f.seek(begin // PAGE * 8)
            pages = array.array("Q", f.read((end - begin) // PAGE * 8))
        first = None
        for i, bits in enumerate(pages):
            if bits >> 62 and first is None:
                first = i
            elif not bits >> 62 and first is not None:
                yield begin + first * PAGE, begin + i * PAGE
                first = None
        if first is not None:
            yield begin + first * PAGE, end

    def pieces(self):
        with open("/proc/%d/maps" % self.pid) as f:
            lines = f.readlines()
        with open("/proc/%d/mem" % self.pid, "rb", 0) as mem:
            for line in lines:
                span, rights, _, _, _, *name = line.split()
                if not rights.startswith("rw") or name and name[0] == "[vvar]":
                    continue
                for begin, end in self.touched(*(int(x, 16) for x in span.split("-"))):
                    mem.seek(begin)
                    yield begin, name[0] if name else "", mem.read(end - begin)

    def dead_stacks(self):
        """What lies below the stack pointer of a thread that waits belongs to nobody: (begin, end) of each."""
        spans = []
        with open("/proc/%d/maps" % self.pid) as f:
            maps = [tuple(int(x, 16) for x in line.split()[0].split("-")) for line in f]
        for task in os.listdir("/proc/%d/task" % self.pid):
            try:
                with open("/proc/%d/task/%s/syscall" % (self.pid, task)) as f:
                    words = f.read().split()
            except OSError:
                continue
            if len(words) > 2:
                at = int(words[-2], 16)
                spans += [(begin, at) for begin, end in maps if begin <= at < end]
        return spans

    def find(self, heads, words):
        """[(where, name of the mapping, what is around it)] of each of the words; each has one of the heads in it."""
        found, dead = [], self.dead_stacks()
        for at, name, data in self.pieces():
            for head in heads:
                place = data.find(head)
                while place >= 0:
                    around = data[max(0, place - 16):place + len(head) + 48]
                    here = at + place
                    if any(w in around for w in words) and not any(a <= here < b for a, b in dead):
                        found.append((hex(here), name, data[max(0, place - 80):place + 80]))
                    place = data.find(head, place + 1)
        return found


class Left(Case):
    def setUp(self):
        super().setUp()
        print("seed %d" % SEED)
        self.random = random.Random(SEED)
        self.count = 0
        self.words = []  # what is looked for

    def secret(self):
        """A text that is nowhere else; all begin alike."""
        self.count += 1
        return "hush-%s-%03d-%032x" % (self.mark, self.count, self.random.getrandbits(128))

    def left(self, server):
        return Memory(server.process.pid).find([("hush-" + self.mark).encode(), b"\x1e\xb5@", b"5406."], self.words)

    def number(self):
        """A number that is nowhere else, as text or as it lies in memory."""
        value = struct.unpack("<d", struct.pack("<Q", 0x40b51e << 40 | self.random.getrandbits(40)))[0]
        self.words += [struct.pack("<d", value), repr(value).encode()]
        return value

    def ok(self, server, method, path, body=None, headers=None):
        status, _, text = server.http(method, path, json.dumps(body) if headers and body is not None else body, headers)
        self.assertIn(status, (200, 201, 202, 204), "%s %s: %s" % (method, path, text))
        return text

    def put_name(self, server, id, world=""):
        edits = [{"op": "add", "path": "/name", "value": self.secret()}]
        if self.numbers:
            edits.append({"op": "add", "path": "/weight", "value": self.number()})
        self.ok(server, "PATCH", "%s/digitaltwins/%s" % (world, id), edits, BATCH)

    def plant(self):
        os.environ["GLIBC_TUNABLES"] = WIPING
        self.addCleanup(os.environ.pop, "GLIBC_TUNABLES")
        server = self.serve("--http", "127.0.0.1:0", "--checkpoint", "300ms", path=self.file("w.sosia"))
        self.mark = "%016x" % self.random.getrandbits(64)
        self.words.append(("hush-" + self.mark).encode())
        self.ok(server, "POST", "/models", [MODEL])
        for i in range(30):
            self.ok(server, "PUT", "/digitaltwins/p%d" % i, {"$metadata": {"$model": MODEL["@id"]}, "weight": i,
                                                            "name": "somebody %d with a name" % i})
        return server

    def now(self, server):
        return json.loads(self.ok(server, "GET", "/worlds/live"))["time"]

    def touch(self, server, worlds):
        """Have everything read that keeps something in memory."""
        for w in worlds:
            for path in ("/digitaltwins/p0", "/digitaltwins", "/digitaltwins/p0/relationships"):
                self.ok(server, "GET", w + path)
            for text in ("SELECT * FROM DIGITALTWINS", "SELECT T.name FROM DIGITALTWINS T WHERE T.name > 'hush'",
                         "SELECT T.name FROM DIGITALTWINS T WHERE STARTSWITH(T.name, 'hush-')"):
                self.ok(server, "POST", w + "/query", {"query": text})
                self.ok(server, "POST", w + "/query", {"query": text}, {"Content-Type": "application/json",
                                                                      "max-items-per-page": "3"})
        for path in ("/digitaltwins/p0/history?properties=name", "/digitaltwins/p0/history?properties=name&with=source",
                     "/digitaltwins/p0/history?properties=name&fn=first,last,mode&step=10s", "/metrics"):
            self.ok(server, "GET", path)

    def changes(self, server, since):
        now = json.loads(self.ok(server, "GET", "/worlds/live"))["sequence"]
        c = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=60 * kit.SLOW)
        c.request("GET", "/changes?since=%d" % since)
        reply = c.getresponse()
        while True:
            line = reply.readline()
            self.assertTrue(line)
            if line.startswith(b"id: ") and int(line[4:]) >= now:
                break
        reply.close()
        c.close()

    def fill(self, server, mood=None):
        """A past with secrets, forks over it, and everything that keeps something of it."""
        self.ok(server, "PUT", "/digitaltwins/p0/relationships/r",
                {"$relationshipName": "knows", "$targetId": "p1", "how": "well"})
        for _ in range(20):
            self.put_name(server, "p0")
        self.ok(server, "POST", "/digitaltwins/p0/telemetry", {"mood": mood or self.secret()}, {
            "Message-Id": "x", "Content-Type": "application/json"})
        instant = self.now(server)
        for _ in range(20):
            self.put_name(server, "p0")
        self.ok(server, "POST", "/worlds", {"name": "now"})
        self.ok(server, "POST", "/worlds", {"name": "then", "from": "live@" + instant})
        self.ok(server, "POST", "/worlds", {"name": "beside", "from": "live@" + instant})
        self.ok(server, "POST", "/worlds", {"name": "deeper", "from": "then"})
        for w in ("now", "then", "deeper"):
            self.put_name(server, "p0", "/worlds/" + w)
        self.ok(server, "PATCH", "/worlds/beside/digitaltwins/p1",
                [{"op": "add", "path": "/weight", "value": 7}], BATCH)
        return ["", "/worlds/now", "/worlds/then", "/worlds/beside", "/worlds/deeper", "/worlds/live@" + instant]

    def hold(self, server):
        """Clients that stay: one that was told much and says nothing, one that listens, one that is sent the past."""
        where = urllib.parse.urlsplit(server.url).netloc
        held = [http.client.HTTPConnection(where, timeout=60 * kit.SLOW) for _ in range(3)]
        held[0].request("GET", "/digitaltwins/p0/history?properties=name")
        held[0].getresponse().read()
        held[1].request("GET", "/changes?since=1")
        held[2].request("GET", "/changes?from=-1h&to=now&speed=0.001")
        for c in held[1:]:
            c.getresponse().readline()
        return held

    def overwrite(self, server):
        """The HTTP library keeps what it reads requests into for the next ones: many at once, all of them long."""
        address = urllib.parse.urlsplit(server.url)
        body = json.dumps({"query": "SELECT T FROM DIGITALTWINS T" + " " * 3300}).encode()
        head = "POST /query?api-version=2023-10-31 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        head += "Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        many = [socket.create_connection((address.hostname, address.port)) for _ in range(40)]
        for s in many:
            s.sendall(head.encode() + body[:-1])
        for _ in range(3):  # they were read when this is answered
            self.ok(server, "GET", "/metrics")
        for s in many:
            s.sendall(body[-1:])
            while s.recv(1 << 16):
                pass
            s.close()

    def nothing_in_memory(self, server):
        left = self.left(server)
        for where, name, around in left[:20]:
            print(where, name, around)
        self.assertEqual(len(left), 0, "%d pieces are left, seed %d" % (len(left), SEED))

    def erased(self, server, twin, prop):
        self.numbers = not prop  # those of the other property stay
        worlds = self.fill(server, "fine" if prop else None)
        self.touch(server, worlds)
        self.overwrite(server)  # so that those who stay get no such memory
        self.changes(server, 1)
        for w in worlds[1:4]:
            self.ok(server, "GET", w + "/diff")
        self.overwrite(server)
        held = self.hold(server)
        self.assertTrue(self.left(server))
        self.overwrite(server)
        self.ok(server, "POST", "/erasures", {"twin": twin, "property": prop} if prop else {"twin": twin})
        self.nothing_in_memory(server)
        for c in held:
            c.close()
        return worlds

    @unittest.skipIf(sanitized(), "a sanitizer has an allocator of its own")
    def test_a_property(self):
        server = self.plant()
        worlds = self.erased(server, "p0", "name")
        # What was copied and read before goes on without it.
        for w in worlds:
            twin = json.loads(self.ok(server, "GET", w + "/digitaltwins/p0"))
            self.assertNotIn("name", twin, w)
            self.assertEqual(json.loads(self.ok(server, "GET", w + "/digitaltwins/p5"))["name"],
                             "somebody 5 with a name")
        self.assertEqual(server.get("/worlds/beside/digitaltwins/p1")["weight"], 7)
        self.touch(server, worlds)
        self.nothing_in_memory(server)

    @unittest.skipIf(sanitized(), "a sanitizer has an allocator of its own")
    def test_a_twin(self):
        server = self.plant()
        self.erased(server, "p0", None)


if __name__ == "__main__":
    kit.main()
