# SPDX-License-Identifier: Apache-2.0
"""Azure's Python client, unchanged, over TLS with a token: every operation. Skipped where the package is not
installed."""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

try:
    from azure.core import MatchConditions
    from azure.core.credentials import AccessToken
    from azure.core.exceptions import (
        ClientAuthenticationError,
        HttpResponseError,
        ResourceExistsError,
        ResourceModifiedError,
        ResourceNotFoundError,
    )
    from azure.digitaltwins.core import DigitalTwinsClient, DigitalTwinsEventRoute
except ImportError:
    DigitalTwinsClient = None

from serve_lib import Server, certificate, main

CONTEXT = "dtmi:dtdl:context;2"
PROBE = {
    "@id": "dtmi:py:Probe;1",
    "@type": "Interface",
    "@context": CONTEXT,
    "contents": [{"@type": "Property", "name": "setPoint", "schema": "double"}],
}
ROOM = {
    "@id": "dtmi:py:Room;1",
    "@type": "Interface",
    "@context": CONTEXT,
    "displayName": "Room",
    "contents": [
        {"@type": "Property", "name": "temperature", "schema": "double"},
        {"@type": "Property", "name": "note", "schema": "string"},
        {"@type": "Component", "name": "probe", "schema": "dtmi:py:Probe;1"},
        {
            "@type": "Relationship",
            "name": "next",
            "properties": [{"@type": "Property", "name": "weight", "schema": "integer"}],
        },
    ],
}


class Credential:
    def __init__(self, token):
        self.token = token

    def get_token(self, *scopes, **more):
        return AccessToken(self.token, int(time.time()) + 3600)


def twin(**values):
    return dict({"$metadata": {"$model": "dtmi:py:Room;1"}, "probe": {"$metadata": {}}}, **values)


class Client(unittest.TestCase):
    """In the live world; the base of all clients."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cert, key = certificate(cls.folder.name)
        tokens = os.path.join(cls.folder.name, "tokens")
        with open(tokens, "w") as f:
            f.write("secret-of-the-test\n")
        cls.options = ["--https", "127.0.0.1:0", "--cert", cert, "--key", key, "--token-file", tokens]
        cls.cert = cert
        cls.begin()
        cls.client = cls.open("secret-of-the-test")
        cls.prepare()

    @classmethod
    def begin(cls):
        cls.serve(None)

    @classmethod
    def prepare(cls):
        cls.client.create_models([ROOM, PROBE])

    @classmethod
    def serve(cls, data):
        cls.server = Server(*cls.options, data=data, http=None)
        cls.url = "https://localhost:%d" % cls.server.tls_port

    @classmethod
    def open(cls, token, world=""):
        return DigitalTwinsClient(cls.url + world, Credential(token), connection_verify=cls.cert, retry_total=0)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.folder.cleanup()

    def refused(self, kind, code, call):
        with self.assertRaises(kind) as e:
            call()
        self.assertIn("(%s)" % code, str(e.exception))

    def test_tokens(self):
        with self.assertRaises(ClientAuthenticationError):
            self.open("wrong").get_digital_twin("x")

    def test_models(self):
        c = self.client
        self.refused(ResourceExistsError, "ModelIdAlreadyExists", lambda: c.create_models([ROOM]))
        one = c.get_model("dtmi:py:Room;1", include_model_definition=True)
        self.assertEqual(one.model["contents"], ROOM["contents"])
        self.assertFalse(one.decommissioned)
        self.assertIsNotNone(one.upload_time)
        listed = [
            m.id
            for m in c.list_models(
                dependencies_for=["dtmi:py:Room;1", "dtmi:py:Probe;1"], include_model_definition=True
            )
        ]
        self.assertEqual(sorted(listed), ["dtmi:py:Probe;1", "dtmi:py:Room;1"])
        self.assertLessEqual({"dtmi:py:Probe;1", "dtmi:py:Room;1"}, {m.id for m in c.list_models()})
        c.create_models([dict(PROBE, **{"@id": "dtmi:py:Late;1"})])
        c.decommission_model("dtmi:py:Late;1")
        self.assertTrue(c.get_model("dtmi:py:Late;1").decommissioned)
        c.delete_model("dtmi:py:Late;1")
        self.refused(ResourceNotFoundError, "ModelNotFound", lambda: c.get_model("dtmi:py:Late;1"))

    def test_twins_and_components(self):
        c = self.client
        odd = "a/b c;d\u00e9"
        made = c.upsert_digital_twin("t1", twin(temperature=1), match_condition=MatchConditions.IfMissing)
        self.assertEqual(made["temperature"], 1)
        self.refused(
            ResourceExistsError,
            "PreconditionFailed",
            lambda: c.upsert_digital_twin("t1", twin(), match_condition=MatchConditions.IfMissing),
        )
        self.assertEqual(c.upsert_digital_twin(odd, twin(note="\u4e2d"))["$dtId"], odd)
        self.assertEqual(c.get_digital_twin(odd)["note"], "\u4e2d")
        patch = [{"op": "replace", "path": "/temperature", "value": 2}]
        c.update_digital_twin("t1", patch, etag=made["$etag"], match_condition=MatchConditions.IfNotModified)
        self.refused(
            ResourceModifiedError,
            "PreconditionFailed",
            lambda: c.update_digital_twin(
                "t1", patch, etag=made["$etag"], match_condition=MatchConditions.IfNotModified
            ),
        )
        c.update_digital_twin("t1", patch, match_condition=MatchConditions.IfPresent)
        self.assertEqual(c.get_digital_twin("t1")["temperature"], 2)
        c.update_component("t1", "probe", [{"op": "add", "path": "/setPoint", "value": 5}])
        self.assertEqual(c.get_component("t1", "probe")["setPoint"], 5)
        c.publish_telemetry("t1", {"a": 1})
        c.publish_component_telemetry("t1", "probe", {"a": 1})
        c.delete_digital_twin("t1")
        c.delete_digital_twin(odd)
        self.refused(ResourceNotFoundError, "DigitalTwinNotFound", lambda: c.get_digital_twin("t1"))
        self.refused(HttpResponseError, "ValidationFailed", lambda: c.upsert_digital_twin("t9", twin(none=1)))

    def test_relationships(self):
        c = self.client
        for name in ("a", "b"):
            c.upsert_digital_twin(name, twin())
        body = {"$relationshipId": "l", "$sourceId": "a", "$relationshipName": "next", "$targetId": "b"}
        made = c.upsert_relationship("a", "l", body)
        self.assertEqual(c.get_relationship("a", "l"), made)
        c.update_relationship(
            "a",
            "l",
            [{"op": "add", "path": "/weight", "value": 3}],
            etag=made["$etag"],
            match_condition=MatchConditions.IfNotModified,
        )
        self.assertEqual(c.get_relationship("a", "l")["weight"], 3)
        for i in range(110):
            c.upsert_relationship("b", "m%d" % i, {"$relationshipName": "next", "$targetId": "a"})
        self.assertEqual(len(list(c.list_relationships("b"))), 110)
        self.assertEqual(len(list(c.list_relationships("b", relationship_id="next"))), 110)
        incoming = list(c.list_incoming_relationships("a"))
        self.assertEqual(len(incoming), 110)
        self.assertTrue(incoming[0].relationship_link.startswith("https://"))
        self.refused(HttpResponseError, "RelationshipsNotDeleted", lambda: c.delete_digital_twin("a"))
        c.delete_relationship("a", "l")
        self.refused(ResourceNotFoundError, "RelationshipNotFound", lambda: c.delete_relationship("a", "l"))

    def test_query(self):
        c = self.client
        ids = ["q%d" % i for i in range(250)]
        for i, name in enumerate(ids):
            c.upsert_digital_twin(name, twin(temperature=i))
        self.assertEqual(list(c.query_twins("SELECT * FROM digitaltwins T WHERE T.$dtId = 'q7'")),
                         [c.get_digital_twin("q7")])
        text = "SELECT T.$dtId, T.temperature AS t FROM digitaltwins T WHERE STARTSWITH(T.$dtId, 'q')"
        want = [{"$dtId": name, "t": i} for i, name in enumerate(ids)]
        self.assertEqual(list(c.query_twins(text)), want)
        pages = c.query_twins(text).by_page()
        first = list(next(pages))
        self.assertEqual(first, want[:100])
        token = pages.continuation_token
        c.update_digital_twin("q150", [{"op": "replace", "path": "/temperature", "value": -1}])
        rest = [row for page in c.query_twins(text).by_page(token) for row in page]
        self.assertEqual(rest, want[100:])  # as it was when the first page was made
        self.assertEqual(list(c.query_twins("SELECT COUNT() FROM digitaltwins T WHERE T.temperature = -1")),
                         [{"COUNT": 1}])
        self.assertEqual(list(c.query_twins("SELECT * FROM digitaltwins T WHERE T.tmperature = 1")), [])
        self.refused(HttpResponseError, "SqlQueryError", lambda: list(c.query_twins("foo")))
        self.refused(HttpResponseError, "BadRequest", lambda: next(c.query_twins(text).by_page("nothing")))
        for name in ids:
            c.delete_digital_twin(name)

    def test_event_routes(self):
        c = self.client
        self.assertEqual(list(c.list_event_routes()), [])
        self.refused(ResourceNotFoundError, "EventRouteNotFound", lambda: c.get_event_route("r"))
        self.refused(ResourceNotFoundError, "EventRouteNotFound", lambda: c.delete_event_route("r"))
        route = DigitalTwinsEventRoute(endpoint_name="e", filter="true")
        self.refused(HttpResponseError, "EventRouteEndpointInvalid", lambda: c.upsert_event_route("r", route))
        self.endpoint("PUT", "e", {"kind": "webhook", "url": "https://localhost:1/"})
        wrong = DigitalTwinsEventRoute(endpoint_name="e", filter="tpye = 'x'")
        self.refused(HttpResponseError, "EventRouteFilterInvalid", lambda: c.upsert_event_route("r", wrong))
        for i in range(110):
            c.upsert_event_route("r%03d" % i, DigitalTwinsEventRoute(endpoint_name="e", filter="$body.x > %d" % i))
        one = c.get_event_route("r007")
        self.assertEqual((one.id, one.endpoint_name, one.filter), ("r007", "e", "$body.x > 7"))
        self.assertEqual([r.id for r in c.list_event_routes()], ["r%03d" % i for i in range(110)])
        for i in range(110):
            c.delete_event_route("r%03d" % i)
        self.assertEqual(list(c.list_event_routes()), [])
        self.endpoint("DELETE", "e")

    def endpoint(self, method, name, body=None):
        self.plain(method, "/endpoints/" + name, body)

    @classmethod
    def plain(cls, method, path, body=None):
        """What is not the client's: plain HTTP."""
        context = ssl.create_default_context(cafile=cls.cert)
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(cls.url + path, data, method=method)
        request.add_header("Authorization", "Bearer secret-of-the-test")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, context=context) as answer:
            return json.loads(answer.read() or b"null")


class InAFork(Client):
    """The same in a fork that is made again after a restart, where it has a past of its own."""

    @classmethod
    def begin(cls):
        cls.data = os.path.join(cls.folder.name, "w.sosia")
        cls.serve(cls.data)
        live = cls.open("secret-of-the-test")
        live.create_models([ROOM, PROBE])
        live.upsert_digital_twin("old", twin(temperature=1))
        cls.plain("POST", "/worlds", {"name": "kept"})
        fork = cls.open("secret-of-the-test", "/worlds/kept")
        cls.at, cls.was = [], []
        for i in range(2, 6):
            fork.update_digital_twin("old", [{"op": "replace", "path": "/temperature", "value": i}])
            fork.upsert_digital_twin("n%d" % i, twin(note="made %d" % i))
            cls.at.append(cls.plain("GET", "/worlds/kept")["time"])
            cls.was.append([fork.get_digital_twin(name) for name in ["old"] + ["n%d" % k for k in range(2, i + 1)]])
        cls.before = cls.plain("GET", "/worlds/kept")["forkedFrom"]
        fork.update_digital_twin("n2", [{"op": "remove", "path": "/note"}])
        cls.server.close()
        cls.serve(cls.data)
        cls.url += "/worlds/kept"

    @classmethod
    def prepare(cls):
        pass

    def test_event_routes(self):
        route = DigitalTwinsEventRoute(endpoint_name="e", filter="true")
        self.refused(HttpResponseError, "OperationNotAllowed", lambda: self.client.upsert_event_route("r", route))

    def test_instants_of_the_fork(self):
        for at, was in zip(self.at, self.was):
            past = self.open("secret-of-the-test", "@" + at)
            self.assertEqual([past.get_digital_twin(t["$dtId"]) for t in was], was)
            text = "SELECT T.$dtId, T.temperature AS t FROM digitaltwins T WHERE T.$dtId = 'old'"
            self.assertEqual(list(past.query_twins(text)), [{"$dtId": "old", "t": was[0]["temperature"]}])
            count = list(past.query_twins("SELECT COUNT() FROM digitaltwins"))
            self.assertEqual(count, [{"COUNT": len(was)}])
            with self.assertRaises(HttpResponseError):
                past.delete_digital_twin("old")
        parent = self.open("secret-of-the-test", "@" + self.before)
        self.assertEqual(parent.get_digital_twin("old")["temperature"], 1)
        self.refused(ResourceNotFoundError, "DigitalTwinNotFound", lambda: parent.get_digital_twin("n2"))
        self.assertEqual(self.client.get_digital_twin("old")["temperature"], 5)


if __name__ == "__main__":
    if DigitalTwinsClient:
        main()
    elif (
        sys.executable != "/usr/bin/python3"
        and subprocess.run(
            ["/usr/bin/python3", "-c", "import azure.digitaltwins.core"], capture_output=True
        ).returncode
        == 0
    ):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", __file__])
    else:
        print("SKIP sdk_py: Python package azure.digitaltwins.core not found")
