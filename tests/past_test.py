# SPDX-License-Identifier: Apache-2.0
"""Past worlds over HTTP: whoever points a client at /worlds/live@INSTANT finds the world as it was known then. REST by
hand, Azure's JavaScript client and Azure's Python client, both unchanged, where they are installed."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

try:
    from azure.core.credentials import AccessToken
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
    from azure.digitaltwins.core import DigitalTwinsClient
except ImportError:
    DigitalTwinsClient = None

from sdk_js_test import packages
from serve_lib import Server, certificate, main

CONTEXT = "dtmi:dtdl:context;2"
TOKEN = "secret-of-the-test"
PROBE = {
    "@id": "dtmi:past:Probe;1",
    "@type": "Interface",
    "@context": CONTEXT,
    "contents": [{"@type": "Property", "name": "setPoint", "schema": "double"}],
}
ROOM = {
    "@id": "dtmi:past:Room;1",
    "@type": "Interface",
    "@context": CONTEXT,
    "contents": [
        {"@type": "Property", "name": "temperature", "schema": "double"},
        {"@type": "Property", "name": "note", "schema": "string"},
        {"@type": "Component", "name": "probe", "schema": "dtmi:past:Probe;1"},
        {
            "@type": "Relationship",
            "name": "next",
            "properties": [{"@type": "Property", "name": "weight", "schema": "integer"}],
        },
    ],
}
ROOMS = 12


def twin(**values):
    return dict({"$metadata": {"$model": "dtmi:past:Room;1"}, "probe": {"$metadata": {}, "setPoint": 20}}, **values)


def instant(ns):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9)) + ".%09dZ" % (ns % 10**9)


class Past(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cert, key = certificate(cls.folder.name)
        tokens = os.path.join(cls.folder.name, "tokens")
        with open(tokens, "w") as f:
            f.write(TOKEN + "\n")
        cls.cert = cert
        cls.options = ["--https", "127.0.0.1:0", "--cert", cert, "--key", key, "--token-file", tokens]
        cls.data = os.path.join(cls.folder.name, "past.sosia")
        cls.start()
        cls.before = time.time_ns()
        cls.fill()
        cls.then = cls.copy("")
        cls.at = instant(time.time_ns())
        cls.change()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.folder.cleanup()

    @classmethod
    def start(cls):
        cls.server = Server(*cls.options, data=cls.data)
        cls.url = "https://localhost:%d" % cls.server.tls_port

    @classmethod
    def ask(cls, method, path, body=None, **more):
        headers = dict({"Authorization": "Bearer " + TOKEN}, **more.pop("headers", {}))
        return cls.server.ask(method, path, body, headers=headers, **more)

    @classmethod
    def must(cls, method, path, body=None, **more):
        r = cls.ask(method, path, body, **more)
        if r.status >= 300:
            raise AssertionError("%s %s: %r" % (method, path, r))
        return r

    @classmethod
    def fill(cls):
        cls.must("POST", "/models", [ROOM, PROBE])
        for i in range(ROOMS):
            cls.must("PUT", "/digitaltwins/room-%d" % i, twin(temperature=i + 0.5, note="then"))
        for i in range(ROOMS - 1):
            cls.must(
                "PUT",
                "/digitaltwins/room-%d/relationships/n" % i,
                {"$relationshipName": "next", "$targetId": "room-%d" % (i + 1), "weight": i},
            )

    @classmethod
    def change(cls):
        """The present becomes another world: values, relationships, twins and models."""
        for i in range(ROOMS):
            patch = [{"op": "replace", "path": "/temperature", "value": 99}]
            cls.must("PATCH", "/digitaltwins/room-%d" % i, patch)
        for i in range(ROOMS - 1):
            cls.must("DELETE", "/digitaltwins/room-%d/relationships/n" % i)
        for i in range(6):
            cls.must("DELETE", "/digitaltwins/room-%d" % i)
        cls.must("PUT", "/digitaltwins/room-0", {"$metadata": {"$model": "dtmi:past:Probe;1"}, "setPoint": 1})
        for i in range(6, ROOMS):
            cls.must("DELETE", "/digitaltwins/room-%d" % i)
        cls.must("DELETE", "/models/dtmi:past:Room;1")

    @classmethod
    def listed(cls, path, size=5):
        items, link = [], path
        while link:
            r = cls.must(
                "GET", link, headers={"max-items-per-page": str(size)}, version=None if items else "2023-10-31"
            )
            items += r.json["value"]
            link = r.json["nextLink"]
            if link:
                parts = urllib.parse.urlsplit(link)
                link = parts.path + "?" + parts.query
        return items

    @classmethod
    def answer(cls, world, text):
        rows, token = [], None
        while True:
            body = {"continuationToken": token} if token else {"query": text}
            r = cls.must("POST", world + "/query", body, headers={"max-items-per-page": "3"}).json
            rows += r["value"]
            token = r["continuationToken"]
            if not token:
                return rows

    @classmethod
    def copy(cls, world):
        """All there is to read below a world's URL, without what names the URL."""
        all = {
            "models": cls.listed(world + "/models?includeModelDefinition=true"),
            "twins": cls.listed(world + "/digitaltwins"),
        }
        for t in all["twins"]:
            path = world + "/digitaltwins/" + t["$dtId"]
            one = cls.must("GET", path)
            links = cls.listed(path + "/incomingrelationships")
            for link in links:
                del link["$relationshipLink"]
            all[t["$dtId"]] = [
                one.json,
                one.header("etag"),
                cls.ask("GET", path + "/components/probe").body.decode(),
                cls.listed(path + "/relationships"),
                links,
            ]
        for q in (
            "SELECT * FROM DIGITALTWINS",
            "SELECT * FROM RELATIONSHIPS R WHERE R.weight > 3",
            "SELECT A.$dtId AS a, B.$dtId AS b FROM DIGITALTWINS MATCH (A)-[:next*1..3]->(B) WHERE A.$dtId = 'room-2'",
            "SELECT COUNT() FROM DIGITALTWINS",
            "SELECT T.$dtId FROM DIGITALTWINS T WHERE T.temperature > 4 ORDER BY T.temperature DESC",
        ):
            all[q] = cls.answer(world, q)
        return all

    def refused(self, reply, status, code):
        self.assertEqual((reply.status, reply.code), (status, code), reply)

    # ---- by hand ----

    def test_as_it_was(self):
        self.assertEqual(len(self.then["twins"]), ROOMS)
        self.assertEqual([t["$dtId"] for t in self.listed("/digitaltwins")], ["room-0"])
        self.assertEqual(self.copy("/worlds/live@" + self.at), self.then)
        self.assertEqual(self.copy("/worlds/live%40" + urllib.parse.quote(self.at, safe="")), self.then)

    def test_as_it_was_after_a_restart(self):
        self.server.close()
        self.start()
        self.assertEqual(self.copy("/worlds/live@" + self.at), self.then)

    def test_other_ways_to_write_an_instant(self):
        base = self.at.replace("Z", "")
        hour = "%02d" % ((int(base[11:13]) + 2) % 24)
        shifted = base[:11] + hour + base[13:] + "+02:00"
        if int(base[11:13]) + 2 < 24:
            world = self.must("GET", "/worlds/live@" + shifted, version=None).json
            self.assertEqual(world["twins"], ROOMS)
        world = self.must("GET", "/worlds/live@" + self.at, version=None).json
        self.assertEqual(
            (world["name"], world["parent"], world["twins"], world["relationships"]),
            ("live@" + self.at, "live", ROOMS, ROOMS - 1),
        )
        names = [w["name"] for w in self.must("GET", "/worlds", version=None).json["value"]]
        self.assertEqual(names, ["live"])

    def test_a_relative_instant_is_one_instant(self):
        """Links of a page say which world it was."""
        deadline = time.time() + 30
        while time.time() < deadline:  # until -1s is behind everything that was changed
            r = self.ask("GET", "/worlds/live@-1s/models", headers={"max-items-per-page": "1"})
            if r.status == 200 and len(self.listed("/worlds/live@-1s/digitaltwins")) == 1:
                break
            time.sleep(0.1)
        world = self.must("GET", "/worlds/live@-1s", version=None).json
        self.assertRegex(world["name"], r"^live@\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")
        seconds = int((time.time_ns() - self.before) / 10**9) + 1
        r = self.ask("GET", "/worlds/live@-%ds/models" % (seconds + 3600))
        self.refused(r, 410, "HistoryGone")
        extra = dict(PROBE, **{"@id": "dtmi:past:Second;1"})
        self.must("POST", "/models", [extra])
        try:
            while True:
                r = self.must("GET", "/worlds/live@-0s/models", headers={"max-items-per-page": "1"})
                if r.json["nextLink"]:
                    break
            self.assertRegex(r.json["nextLink"], r"/worlds/live@\d{4}-\d\d-\d\dT[^/]*Z/models\?")
        finally:
            self.must("DELETE", "/models/dtmi:past:Second;1")
        rest = self.must(
            "GET", urllib.parse.urlsplit(r.json["nextLink"])._replace(scheme="", netloc="").geturl(), version=None
        )
        self.assertEqual(len(rest.json["value"]), 1)

    def test_there_is_no_such_instant(self):
        for when in ("frob", "", "2026-11-01T08:00:00", "1h", "2026-02-30"):
            self.refused(self.ask("GET", "/worlds/live@%s/digitaltwins/room-0" % when), 404, "WorldNotFound")
            self.refused(self.ask("GET", "/worlds/live@%s" % when, version=None), 404, "WorldNotFound")
        self.refused(self.ask("GET", "/worlds/other@2026-11-01/digitaltwins/room-0"), 404, "WorldNotFound")
        self.refused(self.ask("GET", "/worlds/live@2200-01-01/digitaltwins/room-0"), 400, "InvalidArgument")
        self.refused(self.ask("GET", "/worlds/live@2001-01-01/digitaltwins/room-0"), 410, "HistoryGone")
        query = {"query": "SELECT * FROM DIGITALTWINS"}
        self.refused(self.ask("POST", "/worlds/live@2001-01-01/query", query), 410, "HistoryGone")
        self.refused(self.ask("POST", "/worlds/live@2200-01-01/query", query), 400, "InvalidArgument")
        self.refused(self.ask("POST", "/worlds/live@frob/query", query), 404, "WorldNotFound")

    def test_nothing_is_written(self):
        world = "/worlds/live@" + self.at
        for method, path, body in (
            ("PUT", "/digitaltwins/room-1", twin()),
            ("PATCH", "/digitaltwins/room-1", [{"op": "replace", "path": "/temperature", "value": 1}]),
            ("DELETE", "/digitaltwins/room-1", None),
            ("PUT", "/digitaltwins/room-1/relationships/n", {"$relationshipName": "next", "$targetId": "room-2"}),
            ("DELETE", "/digitaltwins/room-1/relationships/n", None),
            ("POST", "/models", [PROBE]),
            ("DELETE", "/models/dtmi:past:Room;1", None),
            ("POST", "/ingest", '{"id":"room-1","property":"temperature","value":1}'),
            ("POST", "/import", ""),
            ("POST", "/digitaltwins/room-1/telemetry", {"x": 1}),
        ):
            r = self.ask(method, world + path, body)
            self.refused(r, 400, "WorldIsReadOnly")
            self.assertIn("is the past", r.json["error"]["message"])
        self.refused(self.ask("GET", world + "/changes"), 400, "NotSupported")
        # What may be written is a fork of it.
        fork = self.ask("POST", "/worlds", {"name": "x", "from": "live@" + self.at})
        self.assertEqual(fork.status, 201, fork)
        self.assertEqual(self.ask("DELETE", "/worlds/x").status, 204)
        self.refused(self.ask("DELETE", "/worlds/live@" + self.at), 400, "WorldIsReadOnly")

    def test_now_is_then(self):
        rows = self.answer("/worlds/live@" + self.at, "SELECT now() AS n FROM DIGITALTWINS T WHERE T.$dtId = 'room-1'")
        self.assertEqual(rows, [{"n": self.at[:-3] + "Z"}])

    # ---- Azure's clients ----

    @unittest.skipUnless(shutil.which("npm") and shutil.which("node"), "npm or node not found")
    def test_javascript_client(self):
        modules = packages()
        if not modules:
            self.skipTest("Azure's packages cannot be installed")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "past_js.cjs")
        env = dict(os.environ, NODE_PATH=modules, NODE_EXTRA_CA_CERTS=self.cert)
        p = subprocess.run(
            ["node", script, self.url + "/worlds/live@" + self.at, TOKEN], env=env, capture_output=True, timeout=120
        )
        self.assertEqual(p.returncode, 0, p.stderr.decode())
        got = json.loads(p.stdout)
        self.assertEqual(got["models"], [m["id"] for m in self.then["models"]])
        for i in range(ROOMS):
            name = "room-%d" % i
            one, etag, component, links, incoming = self.then[name]
            self.assertEqual(got["twins"][i]["twin"], one)
            self.assertEqual(got["twins"][i]["etag"], etag)
            self.assertEqual(got["twins"][i]["component"], json.loads(component))
            self.assertEqual(
                [r["$relationshipId"] for r in got["twins"][i]["links"]], [r["$relationshipId"] for r in links]
            )
            self.assertEqual([r["sourceId"] for r in got["twins"][i]["incoming"]], [r["$sourceId"] for r in incoming])
        self.assertEqual(got["rows"], self.then["SELECT * FROM DIGITALTWINS"])
        self.assertEqual(got["refused"], {"status": 400, "code": "WorldIsReadOnly"})

    @unittest.skipUnless(DigitalTwinsClient, "azure-digitaltwins-core is not installed")
    def test_python_client(self):
        class Credential:
            def get_token(self, *scopes, **more):
                return AccessToken(TOKEN, int(time.time()) + 3600)

        url = self.url + "/worlds/live@" + self.at
        c = DigitalTwinsClient(url, Credential(), connection_verify=self.cert, retry_total=0)
        models = [m.id for m in c.list_models(include_model_definition=True)]
        self.assertEqual(models, [m["id"] for m in self.then["models"]])
        for i in range(ROOMS):
            name = "room-%d" % i
            one, _, component, links, incoming = self.then[name]
            self.assertEqual(c.get_digital_twin(name), one)
            self.assertEqual(c.get_component(name, "probe"), json.loads(component))
            self.assertEqual(list(c.list_relationships(name)), links)
            self.assertEqual(
                [r.source_id for r in c.list_incoming_relationships(name)], [r["$sourceId"] for r in incoming]
            )
            if links:
                self.assertEqual(c.get_relationship(name, "n"), links[0])
        rows = list(c.query_twins("SELECT * FROM DIGITALTWINS"))
        self.assertEqual(rows, self.then["SELECT * FROM DIGITALTWINS"])
        with self.assertRaises(HttpResponseError) as e:
            c.delete_digital_twin("room-1")
        self.assertIn("WorldIsReadOnly", str(e.exception))
        with self.assertRaises(ResourceNotFoundError):
            c.get_digital_twin("nobody")


if __name__ == "__main__":
    sys.exit(main())
