# SPDX-License-Identifier: Apache-2.0
"""Event routes and endpoints, whole processes: events of every kind of change, filters, webhooks that fail in every
way, dead letters, MQTT, and kill -9 in a loop."""

import hashlib
import hmac
import http.server
import json
import os
import random
import re
import socket
import ssl
import threading
import time
import unittest

import broker as mqtt
from kit import SLOW, Case, main, until

ROOM, SENSOR, HALL = "dtmi:ev:Room;1", "dtmi:ev:Sensor;1", "dtmi:ev:Hall;1"


def prop(name, schema="double"):
    return {"@type": "Property", "name": name, "schema": schema}


POS = {
    "@type": "Object",
    "fields": [
        {"name": "x", "schema": "double"},
        {"name": "in", "schema": {"@type": "Object", "fields": [{"name": "z", "schema": "double"}]}},
    ],
}
CONTEXT = "dtmi:dtdl:context;3"
MODELS = [
    {"@id": SENSOR, "@type": "Interface", "@context": CONTEXT, "contents": [prop("value")]},
    {
        "@id": ROOM,
        "@type": "Interface",
        "@context": CONTEXT,
        "contents": [
            prop("temperature"),
            prop("name", "string"),
            prop("on", "boolean"),
            prop("count", "integer"),
            prop("pos", POS),
            {"@type": "Component", "name": "probe", "schema": SENSOR},
            {"@type": "Relationship", "name": "next", "properties": [prop("weight")]},
        ],
    },
    {"@id": HALL, "@type": "Interface", "@context": CONTEXT, "contents": [prop("temperature")]},
]


def room(model=ROOM, **values):
    twin = dict({"$metadata": {"$model": model}}, **values)
    if model == ROOM:
        twin.setdefault("probe", {"$metadata": {}})
    return twin


class Hook:
    """An HTTP(S) server that keeps what is posted. `answer(hook, events, headers)` gives a status, (status, headers),
    "stall" or "close"; None is 200."""

    def __init__(self, answer=None, tls=None, port=0):
        self.answer, self.lock, self.posts, self.options = answer, threading.Lock(), [], []
        self.going = True
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                events = json.loads(body)
                events = events if isinstance(events, list) else [events]
                told = hook.answer(hook, events, self.headers) if hook.answer else None
                if told == "close":
                    self.close_connection = True
                    self.connection.close()
                    return
                if told == "stall":
                    while hook.going and not hook.gone(self.connection):
                        time.sleep(0.02)
                    self.close_connection = True
                    return
                status, headers = told if isinstance(told, tuple) else (told or 200, {})
                with hook.lock:
                    hook.posts.append((status, dict(self.headers.items()), body, events))
                self.reply(status, headers)

            def do_OPTIONS(self):
                with hook.lock:
                    hook.options.append(dict(self.headers.items()))
                self.reply(200, hook.allow)

            def reply(self, status, headers):
                self.send_response(status)
                text = b"told: %d" % status
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.allow = {}

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass

        self.server = Quiet(("127.0.0.1", port), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.url = "%s://localhost:%d/events" % ("https" if tls else "http", self.port)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @staticmethod
    def gone(connection):
        try:
            connection.setblocking(False)
            return connection.recv(1, socket.MSG_PEEK) == b""
        except (BlockingIOError, ssl.SSLWantReadError, ValueError):
            return False
        except OSError:
            return True

    def close(self):
        self.going = False
        self.server.shutdown()
        self.server.server_close()

    @property
    def events(self):
        """What was taken, in order of arrival."""
        with self.lock:
            return [e for status, _, _, events in self.posts if status == 200 for e in events]

    @property
    def asked(self):
        with self.lock:
            return [e for _, _, _, events in self.posts for e in events]


class Routed(Case):
    def hook(self, *arguments, **options):
        hook = Hook(*arguments, **options)
        self.addCleanup(hook.close)
        return hook

    def put(self, server, path, body, status=(200, 201, 204)):
        got, _, text = server.http("PUT", path, body)
        self.assertIn(got, status if isinstance(status, tuple) else (status,), text)
        return text

    def refused(self, server, method, path, body, status, code, pattern=""):
        got, _, text = server.http(method, path, body)
        self.assertEqual(got, status, text)
        error = json.loads(text)["error"]
        self.assertEqual(error["code"], code)
        self.assertRegex(error["message"], pattern or ".")

    def route(self, server, hook, filter="true", name="hook", route="all", **members):
        members = dict({"kind": "webhook", "url": hook.url}, **members)
        self.put(server, "/endpoints/" + name, members)
        self.put(server, "/eventroutes/" + route, {"endpointName": name, "filter": filter})

    def status(self, server, name="hook"):
        return server.get("/endpoints/" + name)["status"]

    def do(self, server, method, path, body=None, headers=None):
        status, _, text = server.http(method, path, body, headers)
        self.assertLess(status, 300, text)
        return json.loads(text) if text else None

    def models(self, server):
        self.do(server, "POST", "/models", MODELS)

    def arrived(self, hook, n):
        until(lambda: len(hook.events) >= n, 60, "%d events" % n)
        return hook.events


GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class Events(Routed):
    def test_every_kind_of_change(self):
        s, hook = self.serve(), self.hook()
        self.models(s)
        self.route(s, hook)
        a = self.do(s, "PUT", "/digitaltwins/a", room(temperature=1, pos={"x": 1, "in": {"z": 2}}))
        b = self.do(s, "PUT", "/digitaltwins/b", room(name="B"))
        self.do(s, "PUT", "/digitaltwins/a", room(temperature=2, pos={"x": 5}, count=3))
        self.do(
            s,
            "PATCH",
            "/digitaltwins/a",
            [
                {"op": "replace", "path": "/temperature", "value": 40},
                {"op": "add", "path": "/probe/value", "value": 3},
                {"op": "add", "path": "/on", "value": True},
                {"op": "remove", "path": "/pos"},
            ],
        )
        self.do(s, "PATCH", "/digitaltwins/a/components/probe", [{"op": "replace", "path": "/value", "value": 4}])
        link = self.do(
            s, "PUT", "/digitaltwins/a/relationships/l", {"$relationshipName": "next", "$targetId": "b", "weight": 1}
        )
        self.do(s, "PATCH", "/digitaltwins/a/relationships/l", [{"op": "replace", "path": "/weight", "value": 2}])
        last_link = self.do(s, "GET", "/digitaltwins/a/relationships/l")
        self.do(s, "POST", "/digitaltwins/a/telemetry", {"motion": [1]}, {"Message-Id": "m1"})
        self.do(
            s,
            "POST",
            "/digitaltwins/a/components/probe/telemetry",
            {"v": 1},
            {"Message-Id": "m2", "Telemetry-Source-Time": "2026-01-01T00:00:00Z"},
        )
        self.arrived(hook, 9)
        self.do(s, "DELETE", "/digitaltwins/a/relationships/l")
        self.do(
            s,
            "PATCH",
            "/digitaltwins/b",
            [
                {"op": "replace", "path": "/$metadata/$model", "value": HALL},
                {"op": "remove", "path": "/name"},
                {"op": "remove", "path": "/probe"},
            ],
        )
        last_b = s.twin("b")
        self.do(s, "DELETE", "/digitaltwins/b")
        got = self.arrived(hook, 12)
        dt = "Microsoft.DigitalTwins."
        expected = [
            ("Twin.Create", "a", a),
            ("Twin.Create", "b", b),
            (
                "Twin.Update",
                "a",
                {
                    "modelId": ROOM,
                    "patch": [
                        {"value": 2, "path": "/temperature", "op": "replace"},
                        {"value": 3, "path": "/count", "op": "add"},
                        {"value": {"x": 5}, "path": "/pos", "op": "replace"},
                    ],
                },
            ),
            (
                "Twin.Update",
                "a",
                {
                    "modelId": ROOM,
                    "patch": [
                        {"value": 40, "path": "/temperature", "op": "replace"},
                        {"value": 3, "path": "/probe/value", "op": "add"},
                        {"value": True, "path": "/on", "op": "add"},
                        {"path": "/pos", "op": "remove"},
                    ],
                },
            ),
            ("Twin.Update", "a", {"modelId": ROOM, "patch": [{"value": 4, "path": "/probe/value", "op": "replace"}]}),
            ("Relationship.Create", "a/relationships/l", link),
            (
                "Relationship.Update",
                "a/relationships/l",
                {"modelId": ROOM, "patch": [{"value": 2, "path": "/weight", "op": "replace"}]},
            ),
            ("microsoft.iot.telemetry", None, {"motion": [1]}),
            ("microsoft.iot.telemetry", "probe", {"v": 1}),
            ("Relationship.Delete", "a/relationships/l", last_link),
            ("Twin.Update", "b", None),
            ("Twin.Delete", "b", last_b),
        ]
        self.assertEqual(len(got), len(expected))
        for event, (kind, subject, data) in zip(got, expected):
            telemetry = kind.startswith("microsoft")
            self.assertEqual(event["type"], kind if telemetry else dt + kind)
            self.assertEqual(event.get("subject"), subject)
            if data is not None:
                self.by_path(event["data"]), self.by_path(data)
                self.assertEqual(event["data"], data, kind)
            self.assertEqual(event["specversion"], "1.0")
            self.assertEqual(event["datacontenttype"], "application/json")
            self.assertRegex(event["traceparent"], r"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")
            self.assertEqual(event["source"], "localhost/digitaltwins/a" if telemetry else "localhost")
            members = {
                "specversion",
                "id",
                "type",
                "source",
                "subject",
                "time",
                "datacontenttype",
                "traceparent",
                "data",
            }
            if telemetry:
                self.assertEqual(event["dataschema"], ROOM if subject is None else SENSOR)
                members.add("dataschema")
            else:
                self.assertRegex(event["id"], "^%s$" % GUID)
                self.assertRegex(event["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$")
            self.assertLessEqual(set(event), members)
        self.assertEqual([got[7]["id"], got[8]["id"], got[8]["time"]], ["m1", "m2", "2026-01-01T00:00:00.0000000Z"])
        self.assertNotIn("time", got[7])
        self.assertEqual(len({e["id"] for e in got}), len(got))
        model = got[10]["data"]
        self.assertEqual(model["modelId"], HALL)
        self.assertIn({"value": HALL, "path": "/$metadata/$model", "op": "replace"}, model["patch"])

    @staticmethod
    def by_path(data):
        """The order of operations is that of the model's members where a whole twin is put."""
        if "patch" in data:
            data["patch"].sort(key=lambda op: op["path"])

    def test_what_was_made_is_shown_as_it_was_then(self):
        s, hook = self.serve(), self.hook()
        self.models(s)
        self.put(s, "/endpoints/hook", {"kind": "webhook", "url": hook.url, "paused": True})
        self.put(s, "/eventroutes/all", {"endpointName": "hook", "filter": "ENDS_WITH(type, '.Create')"})
        made = [
            self.do(
                s,
                "PUT",
                "/digitaltwins/a",
                room(temperature=1.5, on=False, pos={"x": 1, "in": {"z": 2}}, probe={"value": 7, "$metadata": {}}),
            ),
            self.do(s, "PUT", "/digitaltwins/b", room()),
        ]
        made.append(
            self.do(
                s,
                "PUT",
                "/digitaltwins/a/relationships/l",
                {"$relationshipName": "next", "$targetId": "b", "weight": 1},
            )
        )
        self.do(
            s,
            "PATCH",
            "/digitaltwins/a",
            [
                {"op": "remove", "path": "/pos"},
                {"op": "replace", "path": "/on", "value": True},
                {"op": "add", "path": "/name", "value": "later"},
            ],
        )
        self.do(s, "PATCH", "/digitaltwins/a/relationships/l", [{"op": "remove", "path": "/weight"}])
        self.do(s, "DELETE", "/digitaltwins/a/relationships/l")
        self.do(s, "DELETE", "/digitaltwins/b")
        self.put(s, "/endpoints/hook", {"kind": "webhook", "url": hook.url})
        self.assertEqual([e["data"] for e in self.arrived(hook, 3)], made)

    def test_many_in_one_batch(self):
        """An ingest gives one event a twin, values of history none; an import an event an entity."""
        s, hook = self.serve(), self.hook()
        self.models(s)
        self.route(s, hook, batch=100)
        twins = "".join(json.dumps(dict(room(temperature=i), **{"$dtId": "t%d" % i})) + "\n" for i in range(300))
        self.do(
            s,
            "POST",
            "/import",
            '{"Section":"Header"}\n{"fileVersion":"1.0.0"}\n{"Section":"Twins"}\n' + twins,
            {"Content-Type": "application/x-ndjson"},
        )
        lines = []
        for i in range(300):
            lines += [
                {"id": "t%d" % i, "property": "temperature", "value": i + 1, "time": "2026-01-01T00:00:00Z"},
                {"id": "t%d" % i, "property": "count", "value": 7},
                {"id": "t%d" % i, "property": "temperature", "value": -1, "time": "2025-01-01T00:00:00Z"},
            ]
        self.do(
            s,
            "POST",
            "/ingest",
            "".join(json.dumps(line) + "\n" for line in lines),
            {"Content-Type": "application/x-ndjson"},
        )
        got = self.arrived(hook, 600)
        self.assertEqual(sorted(e["subject"] for e in got[:300]), sorted("t%d" % i for i in range(300)))
        for e in got[300:]:
            i = int(e["subject"][1:])
            self.assertEqual(
                e["data"],
                {
                    "modelId": ROOM,
                    "patch": [
                        {"value": i + 1, "path": "/temperature", "op": "replace"},
                        {"value": 7, "path": "/count", "op": "add"},
                    ],
                },
            )
        self.assertEqual(len({e["id"] for e in got}), 600)
        self.assertEqual(len(hook.events), 600)


class Filters(Routed):
    def test_filters(self):
        s, hook = self.serve(), self.hook()
        self.models(s)
        filters = {
            "none": "false",
            "create-room": "type = 'Microsoft.DigitalTwins.Twin.Create' AND $body.$metadata.$model = '%s'" % ROOM,
            "telemetry": "type = 'microsoft.iot.telemetry' AND STARTS_WITH(source, 'localhost/digitaltwins/r')",
            "r1-model": "subject = 'r1' AND $body.modelId = '%s'" % ROOM,
            "legacy": "$eventType = 'DigitalTwinTelemetryMessages' or $eventType = 'DigitalTwinLifecycleNotification'",
            "next": "$body.$relationshipName = 'next'",
            "motion": "$body.motion > 0.5",
            "schema": "dataschema = '%s' AND NOT CONTAINS(source, 'r2')" % ROOM,
            "missing": "$body.nothing.at.all = 5 OR $body.nothing != 5",
            "id": "id = 'm1' AND specversion = '1.0' AND datacontenttype = 'application/json'",
        }
        self.put(s, "/endpoints/hook", {"kind": "webhook", "url": hook.url})
        for name, text in filters.items():
            self.put(
                s,
                "/endpoints/" + name,
                {"kind": "webhook", "url": hook.url + "?" + name, "headers": {"X-Route": name}},
            )
            self.put(s, "/eventroutes/" + name, {"endpointName": name, "filter": text})
        self.put(s, "/endpoints/end", {"kind": "webhook", "url": hook.url, "headers": {"X-Route": "end"}})
        self.put(s, "/eventroutes/end", {"endpointName": "end", "filter": "id = 'end'"})
        self.do(s, "PUT", "/digitaltwins/r1", room(temperature=1))
        self.do(s, "PUT", "/digitaltwins/r2", room(HALL))
        self.do(s, "PATCH", "/digitaltwins/r1", [{"op": "replace", "path": "/temperature", "value": 2}])
        self.do(s, "PUT", "/digitaltwins/r1/relationships/l", {"$relationshipName": "next", "$targetId": "r2"})
        self.do(s, "POST", "/digitaltwins/r1/telemetry", {"motion": 1}, {"Message-Id": "m1"})
        self.do(s, "POST", "/digitaltwins/r2/telemetry", {"motion": 0}, {"Message-Id": "m2"})
        self.do(s, "POST", "/digitaltwins/r1/telemetry", "0", {"Message-Id": "end"})
        now = 0

        def all_passed():
            nonlocal now
            page = s.get("/endpoints")["value"]
            return all(e["status"]["lag"] == 0 for e in page if e["status"]["routes"])

        until(all_passed, 60, "every endpoint at the end")
        got = {}
        for _, headers, _, events in hook.posts:
            got.setdefault(headers["X-Route"], []).extend(
                (
                    e["type"].rsplit(".", 2)[-2] + "." + e["type"].rsplit(".")[-1]
                    if e["type"].startswith("Micro")
                    else e["id"]
                )
                for e in events
            )
        self.assertEqual(
            got,
            {
                "create-room": ["Twin.Create"],
                "telemetry": ["m1", "m2", "end"],
                "r1-model": ["Twin.Update"],
                "legacy": ["Twin.Create", "Twin.Create", "m1", "m2", "end"],
                "next": ["Relationship.Create"],
                "motion": ["m1"],
                "schema": ["m1", "end"],
                "id": ["m1"],
                "end": ["end"],
            },
        )

    def test_refused_filters_tell_the_place(self):
        s = self.serve()
        self.put(s, "/endpoints/e", {"kind": "webhook", "url": "http://localhost:1/"})
        for text, pattern in [
            ("type = ", r"column 8"),
            ("tpye = 'x'", r"column 1: .*did you mean type"),
            ("", "empty"),
            ("IS_OF_MODEL('dtmi:a:b;1')", "column 1"),
            ("body.x = 1", r"did you mean \$body"),
            ("true\nAND subjct = 'a'", "line 2, column 5"),
            ("x" * 9000, "8000 bytes"),
        ]:
            self.refused(
                s,
                "PUT",
                "/eventroutes/r",
                {"endpointName": "e", "filter": text},
                400,
                "EventRouteFilterInvalid",
                pattern,
            )
        for body in ({}, {"filter": "true"}, {"endpointName": "e"}, [], {"endpointName": 5, "filter": "true"}):
            self.refused(s, "PUT", "/eventroutes/r", body, 400, "InvalidArgument")
        self.refused(
            s,
            "PUT",
            "/eventroutes/r",
            {"endpointName": "nobody", "filter": "true"},
            400,
            "EventRouteEndpointInvalid",
            "nobody",
        )
        self.refused(
            s, "PUT", "/eventroutes/r%20r", {"endpointName": "e", "filter": "true"}, 400, "EventRouteIdInvalid"
        )

    def test_routes_as_a_resource(self):
        s = self.serve()
        self.put(s, "/endpoints/e", {"kind": "webhook", "url": "http://localhost:1/"})
        self.assertEqual(s.get("/eventroutes"), {"value": [], "nextLink": None})
        for i in range(130):
            self.put(s, "/eventRoutes/r%03d" % i, {"endpointName": "e", "filter": "false", "id": "r%03d" % i})
        page = s.get("/eventroutes")
        self.assertEqual(len(page["value"]), 100)
        self.assertTrue(page["nextLink"].startswith(s.url + "/eventroutes?continuationToken="))
        self.assertEqual(
            s.every("/eventroutes"), [{"id": "r%03d" % i, "endpointName": "e", "filter": "false"} for i in range(130)]
        )
        self.assertEqual(s.get("/eventroutes/r007"), {"id": "r007", "endpointName": "e", "filter": "false"})
        self.put(s, "/eventroutes/r007", {"endpointName": "e", "filter": "$body.x > 1"})
        self.assertEqual(s.get("/eventroutes/r007")["filter"], "$body.x > 1")
        self.refused(s, "DELETE", "/endpoints/e", None, 400, "OperationNotAllowed", "r000")
        self.do(s, "DELETE", "/eventroutes/r007")
        self.refused(s, "GET", "/eventroutes/r007", None, 404, "EventRouteNotFound")
        self.refused(s, "DELETE", "/eventroutes/r007", None, 404, "EventRouteNotFound")
        for i in range(130, 257):
            self.put(s, "/eventroutes/r%03d" % i, {"endpointName": "e", "filter": "false"})
        self.refused(
            s, "PUT", "/eventroutes/more", {"endpointName": "e", "filter": "true"}, 400, "LimitExceeded", "256"
        )
        self.do(s, "POST", "/worlds", {"name": "f"})
        self.assertEqual(s.get("/worlds/f/eventroutes")["value"], [])
        self.refused(
            s, "PUT", "/worlds/f/eventroutes/x", {"endpointName": "e", "filter": "true"}, 400, "OperationNotAllowed"
        )


class Endpoints(Routed):
    def test_secrets_are_never_read_back(self):
        path = self.file("w.sosia")
        s, hook = self.serve(path=path), self.hook()
        self.models(s)
        text = self.put(
            s,
            "/endpoints/hook",
            {
                "kind": "webhook",
                "url": hook.url,
                "secret": "very secret",
                "description": "d",
                "headers": {"Authorization": "Bearer hidden", "X-B": "two"},
            },
            201,
        )
        for shown in (text, json.dumps(s.get("/endpoints")), json.dumps(s.get("/endpoints/hook"))):
            self.assertNotIn("very secret", shown)
            self.assertNotIn("hidden", shown)
            self.assertIn('{"set":true}', shown.replace(" ", ""))
        shown = s.get("/endpoints/hook")
        shown["headers"].pop("X-B")
        shown["description"] = "changed"
        self.put(s, "/endpoints/hook", shown, 200)  # what GET gave can be put
        self.put(s, "/eventroutes/all", {"endpointName": "hook", "filter": "true"})
        s.stop()
        s.start()
        self.do(s, "PUT", "/digitaltwins/a", room())
        self.arrived(hook, 1)
        headers = {k.lower(): v for k, v in hook.posts[0][1].items()}
        self.assertEqual(headers["authorization"], "Bearer hidden")
        self.assertNotIn("x-b", headers)
        self.check_signature(headers["sosia-signature"], hook.posts[0][2], b"very secret")
        self.put(s, "/endpoints/hook", {"kind": "webhook", "url": hook.url, "secret": None, "headers": {}}, 200)
        self.do(s, "PUT", "/digitaltwins/b", room())
        self.arrived(hook, 2)
        headers = {k.lower() for k in hook.posts[1][1]}
        self.assertFalse(headers & {"authorization", "sosia-signature"})

    def test_secrets_stay_where_they_were_given(self):
        s, hook, thief = self.serve(), self.hook(), self.hook()
        secrets = {"secret": "very secret", "headers": {"Authorization": "Bearer hidden"}}
        document = dict(secrets, kind="webhook", url=hook.url)
        self.put(s, "/endpoints/hook", document, 201)
        before = s.get("/endpoints/hook")
        for url in (thief.url, hook.url.replace("localhost", "127.0.0.1"), hook.url.replace("http:", "https:")):
            for change, says in (
                ({"secret": {"set": True}}, "secret.*given again, because the address changed"),
                ({"secret": ...}, "secret.*given again"),
                ({"headers": {"Authorization": {"set": True}}}, "headers.*Authorization.*given again"),
                ({"headers": ...}, "headers.*given again"),
            ):
                wrong = {k: v for k, v in dict(document, url=url, **change).items() if v is not ...}
                self.refused(s, "PUT", "/endpoints/hook", wrong, 400, "InvalidArgument", says)
        self.refused(s, "PUT", "/endpoints/hook", dict(before, url=thief.url), 400, "InvalidArgument", "given again")
        self.assertEqual(s.get("/endpoints/hook"), before)
        # Another path of the same host is the same place; with all of them in hand it may move.
        self.put(s, "/endpoints/hook", dict(before, url=hook.url.replace("localhost", "LOCALHOST") + "/more?x"), 200)
        self.assertTrue(self.do(s, "POST", "/endpoints/hook/test")["delivered"])
        self.assertEqual(hook.posts[0][1]["Authorization"], "Bearer hidden")
        self.assertEqual(thief.posts, [])
        self.put(s, "/endpoints/hook", dict(document, url=thief.url), 200)
        self.put(s, "/endpoints/hook", {"kind": "webhook", "url": hook.url, "secret": None, "headers": {}}, 200)
        self.assertTrue(self.do(s, "POST", "/endpoints/hook/test")["delivered"])
        self.assertNotIn("Authorization", hook.posts[1][1])

    def test_secrets_for_a_broker_stay_there(self):
        s = self.serve()
        document = {"kind": "mqtt", "url": "mqtt://localhost:1", "username": "u", "password": "hidden"}
        self.put(s, "/endpoints/broker", document, 201)
        before = s.get("/endpoints/broker")
        bare = {"kind": "mqtt", "username": "u"}
        again = "password.*given again, because the address changed"
        for wrong in (
            dict(bare, url="mqtt://localhost:2"),
            dict(bare, url="mqtt://localhost:2", password={"set": True}),
            dict(bare, url="mqtts://localhost:1"),
            dict(bare, url="mqtt://localhost2:1"),
            {"kind": "mqtt", "connection": "plant"},
            dict(bare, connection="plant", url="mqtt://localhost:1"),
        ):
            self.refused(s, "PUT", "/endpoints/broker", wrong, 400, "InvalidArgument", again)
        self.assertEqual(s.get("/endpoints/broker")["url"], before["url"])
        self.put(s, "/endpoints/broker", dict(bare, url="tcp://LOCALHOST:1/"), 200)
        self.assertEqual(s.get("/endpoints/broker")["password"], {"set": True})
        self.put(s, "/endpoints/broker", dict(document, url="mqtt://localhost:2"), 200)

    def check_signature(self, header, body, key):
        """As docs/events.md shows it."""
        parts = dict(p.split("=", 1) for p in header.split(","))
        expected = hmac.new(key, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        self.assertTrue(hmac.compare_digest(expected, parts["v1"]))
        self.assertLess(abs(time.time() - int(parts["t"])), 3600)

    def test_wrong_documents_are_told_what_is_wrong(self):
        s = self.serve()
        good = {"kind": "webhook", "url": "https://localhost/x"}
        for change, pattern in [
            ({"kind": "smoke"}, "kind"),
            ({"url": "ftp://x"}, "url"),
            ({"url": ""}, "url"),
            ({"url": "http://u:p@h/"}, "url"),
            ({"batch": 101}, "batch"),
            ({"batch": 0}, "batch"),
            ({"timeout": "1h"}, "timeout"),
            ({"retries": -1}, "retries"),
            ({"bacth": 1}, "did you mean .batch"),
            ({"headers": {"a b": "x"}}, "headers"),
            ({"headers": {"Host": "x"}}, "headers"),
            ({"headers": {"X": "a\nb"}}, "headers"),
            ({"headers": {"X": {"set": True}}}, "nothing is stored"),
            ({"headers": {"H%d" % i: "x" for i in range(33)}}, "32"),
            ({"secret": 5}, "secret"),
            ({"secret": {"set": True}}, "nothing is stored"),
            ({"name": "other"}, "name"),
            ({"handshake": "yes"}, "handshake"),
        ]:
            self.refused(s, "PUT", "/endpoints/e", dict(good, **change), 400, "InvalidArgument", pattern)
        for change, pattern in [
            ({}, "url"),
            ({"connection": "c", "url": "mqtt://h"}, "the connection says that"),
            ({"url": "mqtt://h", "topic": "a/#"}, "topic"),
            ({"url": "mqtt://h", "topic": "{nme}"}, "topic"),
            ({"url": "mqtt://h", "qos": 2}, "qos"),
            ({"url": "http://h"}, "url"),
        ]:
            self.refused(s, "PUT", "/endpoints/e", dict({"kind": "mqtt"}, **change), 400, "InvalidArgument", pattern)
        self.refused(s, "PUT", "/endpoints/e%20e", good, 400, "InvalidArgument", "name")
        self.refused(s, "PUT", "/endpoints/e", "[1", 400, "InvalidArgument")
        self.refused(s, "GET", "/endpoints/e", None, 404, "EndpointNotFound")
        self.refused(s, "DELETE", "/endpoints/e", None, 404, "EndpointNotFound")
        self.refused(s, "POST", "/endpoints/e/replay", None, 404, "EndpointNotFound")
        for i in range(64):
            self.put(s, "/endpoints/e%d" % i, good, 201)
        self.refused(s, "PUT", "/endpoints/more", good, 400, "LimitExceeded", "64")
        self.do(s, "DELETE", "/endpoints/e0")
        self.assertEqual(len(s.get("/endpoints")["value"]), 63)

    def test_tls_is_checked(self):
        certs = mqtt.Certificates(self.folder)
        s, hook = self.serve(), self.hook(tls=certs.make("localhost"))
        self.models(s)
        with open(certs.ca) as f:
            ca = f.read()
        self.put(s, "/endpoints/hook", {"kind": "webhook", "url": hook.url, "retries": 0})
        _, _, text = s.http("POST", "/endpoints/hook/test")
        told = json.loads(text)
        self.assertFalse(told["delivered"])
        self.assertRegex(told["trouble"].lower(), "certificate")
        for trust in ({"ca": ca}, {"ca": certs.ca}, {"insecure": True}):
            self.put(s, "/endpoints/hook", dict({"kind": "webhook", "url": hook.url}, **trust))
            _, _, text = s.http("POST", "/endpoints/hook/test")
            self.assertEqual(json.loads(text), {"delivered": True, "status": 200, "trouble": ""})
        self.put(s, "/eventroutes/all", {"endpointName": "hook", "filter": "true"})
        self.do(s, "PUT", "/digitaltwins/a", room())
        until(lambda: any(e["type"].endswith("Twin.Create") for e in hook.events), 60, "the event over TLS")

    def test_handshake(self):
        s, hook = self.serve("--http", "127.0.0.1:0"), self.hook()
        self.models(s)
        self.route(s, hook, handshake=True)
        self.do(s, "PUT", "/digitaltwins/a", room())
        until(lambda: len(hook.options) >= 2, 60, "two handshakes")
        self.assertEqual({o["webhook-request-origin"] for o in hook.options}, {"localhost"})
        self.assertEqual(hook.asked, [])  # nothing is sent where nobody allowed it
        status = self.status(s)
        self.assertEqual(status["state"], "failed")
        self.assertIn("does not allow", status["trouble"])
        hook.allow = {"WebHook-Allowed-Origin": "localhost"}
        self.arrived(hook, 1)

    def test_redirects_are_not_followed(self):
        other = self.hook()
        s, hook = self.serve(), self.hook(lambda h, events, headers: (307, {"Location": other.url}))
        self.models(s)
        self.route(s, hook)
        self.do(s, "PUT", "/digitaltwins/a", room())
        until(lambda: self.status(s)["deadLetters"] == 1, 60, "a dead letter")
        self.assertEqual(other.asked, [])

    def test_a_route_begins_when_it_is_made(self):
        s, hook = self.serve(), self.hook()
        self.models(s)
        self.do(s, "PUT", "/digitaltwins/before", room())
        self.route(s, hook, "subject = 'x' OR TRUE", route="one")
        self.do(s, "PUT", "/digitaltwins/between", room())
        self.put(s, "/eventroutes/two", {"endpointName": "hook", "filter": "true"})
        self.do(s, "PUT", "/digitaltwins/after", room())
        got = self.arrived(hook, 3)
        self.assertEqual([e["subject"] for e in got], ["between", "after", "after"])  # each route delivers by itself
        self.do(s, "DELETE", "/eventroutes/one")
        self.do(s, "DELETE", "/eventroutes/two")
        until(lambda: self.status(s)["state"] == "idle", 60, "the endpoint at rest")
        self.do(s, "PUT", "/digitaltwins/nobody", room())
        self.put(s, "/eventroutes/three", {"endpointName": "hook", "filter": "true"})
        self.do(s, "PUT", "/digitaltwins/again", room())
        self.assertEqual([e["subject"] for e in self.arrived(hook, 4)[3:]], ["again"])


class Trouble(Routed):
    def patch(self, s, twin, value):
        self.do(s, "PATCH", "/digitaltwins/" + twin, [{"op": "add", "path": "/temperature", "value": value}])

    def test_a_webhook_that_fails_in_every_way(self):
        """Errors, stalls, cut connections and 429 with Retry-After: everything arrives, in order."""
        seed = int(os.environ.get("SEED", time.time_ns() % 100000))
        rng = random.Random(seed)
        whims = [500, 503, 408, "close", "stall", (429, {"Retry-After": "1"})]
        left = {"n": 8}
        turned = []

        def answer(hook, events, headers):
            if left["n"] and rng.random() < 0.3:
                left["n"] -= 1
                turned.append(rng.choice(whims))
                return turned[-1]
            return None

        s, hook = self.serve(), self.hook(answer)
        self.models(s)
        self.do(s, "PUT", "/digitaltwins/a", room())
        self.do(s, "PUT", "/digitaltwins/b", room())
        self.route(s, hook, timeout="500ms", retries=100)
        for i in range(60):
            self.patch(s, "ab"[i % 2], i)
        try:
            got = self.arrived(hook, 60)
            values = [e["data"]["patch"][0]["value"] for e in self.unique(got)]
            self.assertEqual(values, list(range(60)))
            self.assertEqual(self.status(s)["deadLetters"], 0)
            self.assertEqual(self.status(s)["state"], "active")
            self.assertGreaterEqual(self.status(s)["retries"], 1 if turned else 0)
        except AssertionError as e:
            raise AssertionError("seed %d, %s: %s" % (seed, turned, e))

    @staticmethod
    def unique(events):
        seen, kept = set(), []
        for e in events:
            if e["id"] not in seen:
                seen.add(e["id"])
                kept.append(e)
        return kept

    def test_dead_letters(self):
        path = self.file("w.sosia")
        mood = {"status": 400}
        s, hook = self.serve(path=path), self.hook(lambda h, events, headers: mood["status"])
        self.models(s)
        self.do(s, "PUT", "/digitaltwins/a", room())
        self.route(s, hook, retries=1)
        for i in range(5):
            self.patch(s, "a", i)
        until(lambda: self.status(s)["deadLetters"] == 5, 60, "five dead letters")
        self.assertEqual(len(hook.asked), 5)  # 400 is final
        mood["status"] = 503
        self.patch(s, "a", 5)
        until(lambda: self.status(s)["deadLetters"] == 6, 60, "six dead letters")
        self.assertEqual(len(hook.asked), 7)  # 503 was tried again, once
        status = self.status(s)
        self.assertEqual([status["state"], status["failed"], status["retries"], status["lag"]], ["failed", 6, 1, 0])
        self.assertIn("HTTP 503: told: 503", status["trouble"])
        letters = s.every("/endpoints/hook/deadletters")
        self.assertEqual([x["event"]["data"]["patch"][0]["value"] for x in letters], list(range(6)))
        self.assertEqual([x["status"] for x in letters], [400] * 5 + [503])
        self.assertEqual([letters[5]["attempts"], letters[5]["route"]], [2, "all"])
        s.stop()
        s.start()
        self.assertEqual(s.every("/endpoints/hook/deadletters"), letters)
        s.http("POST", "/endpoints/hook/replay", {})  # still refused: they stay
        until(lambda: len(hook.asked) >= 8, 60, "a try")
        until(lambda: self.status(s)["state"] == "failed", 60, "the failure")
        self.assertEqual(self.status(s)["deadLetters"], 6)
        mood["status"] = None
        got, _, text = s.http("POST", "/endpoints/hook/replay", {"ids": [letters[3]["id"], letters[1]["id"]]})
        self.assertEqual((got, json.loads(text)), (202, {"replaying": 2}))
        until(lambda: self.status(s)["deadLetters"] == 4, 60, "two fewer")
        self.assertEqual([e for e in hook.events], [letters[3]["event"], letters[1]["event"]])
        self.do(s, "DELETE", "/endpoints/hook/deadletters", {"ids": [letters[0]["id"]]})
        self.assertEqual(s.http("POST", "/endpoints/hook/replay")[0], 202)
        until(lambda: self.status(s)["deadLetters"] == 0, 60, "no dead letter")
        self.assertEqual(sorted(e["id"] for e in hook.events), sorted(x["event"]["id"] for x in letters[1:]))
        self.refused(s, "POST", "/endpoints/hook/replay", {"ids": ["x"]}, 400, "InvalidArgument")
        mood["status"] = 410
        self.put(s, "/endpoints/hook", {"kind": "webhook", "url": hook.url, "deadLetter": False})
        self.patch(s, "a", 9)
        until(lambda: self.status(s)["deadLettersDropped"] == 1, 60, "a dropped one")
        self.assertEqual(s.get("/endpoints/hook/deadletters"), {"value": [], "nextLink": None})

    def test_dead_letters_are_bounded(self):
        s, hook = self.serve(), self.hook(lambda h, events, headers: 400)
        self.models(s)
        n = 10250
        twins = "".join(json.dumps(dict(room(), **{"$dtId": "t%d" % i})) + "\n" for i in range(n))
        self.route(s, hook, batch=100)
        self.do(
            s,
            "POST",
            "/import",
            '{"Section":"Header"}\n{"fileVersion":"1.0.0"}\n{"Section":"Twins"}\n' + twins,
            {"Content-Type": "application/x-ndjson"},
        )
        until(lambda: self.status(s)["failed"] == n, 120, "all refused")
        until(lambda: self.status(s)["deadLettersDropped"] == 250, 60, "the oldest dropped")
        self.assertEqual(self.status(s)["deadLetters"], 10000)
        first = s.get("/endpoints/hook/deadletters")["value"][0]
        self.assertEqual(first["event"]["subject"], "t250")  # the oldest went
        self.do(s, "DELETE", "/endpoints/hook/deadletters")
        self.assertEqual(self.status(s)["deadLetters"], 0)

    def test_a_stalled_endpoint_holds_up_nobody(self):
        s, live, dead = self.serve(), self.hook(), self.hook(lambda h, events, headers: "stall")
        self.models(s)
        self.do(s, "PUT", "/digitaltwins/a", room())
        self.route(s, dead, name="dead", route="dead", timeout="2m")
        self.route(s, live, batch=100)
        for i in range(300):
            self.patch(s, "a", i)
        self.assertEqual([e["data"]["patch"][0]["value"] for e in self.arrived(live, 300)], list(range(300)))
        self.assertGreater(self.status(s, "dead")["lag"], 0)
        begin = time.monotonic()
        self.do(s, "DELETE", "/eventroutes/dead")
        self.do(s, "DELETE", "/endpoints/dead")  # ends the request under way
        self.assertLess(time.monotonic() - begin, 30 * SLOW)


class Crashes(Routed):
    def test_at_least_once_over_kills(self):
        """kill -9 in a loop while values change and the webhook fails now and then: every event arrives, in order for
        each twin, and what arrives twice is the same."""
        seed = int(os.environ.get("SEED", time.time_ns() % 100000))
        rng = random.Random(seed)

        def answer(hook, events, headers):
            pick = rng.random()
            return 503 if pick < 0.1 else "close" if pick < 0.15 else None

        try:
            self.run_kills(rng, self.hook(answer))
        except AssertionError as e:
            raise AssertionError("seed %d: %s" % (seed, e))

    def run_kills(self, rng, hook):
        s = self.serve(path=self.file("w.sosia"))
        self.models(s)
        twins = ["t%d" % i for i in range(5)]
        for t in twins:
            self.do(s, "PUT", "/digitaltwins/" + t, room(count=-1))
        self.route(s, hook, batch=rng.choice([1, 3, 20]), retries=1000, route="crash")
        acknowledged = {t: -1 for t in twins}
        for life in range(6):
            for _ in range(rng.randrange(20, 80)):
                t = rng.choice(twins)
                value = acknowledged[t] + 1
                self.do(s, "PATCH", "/digitaltwins/" + t, [{"op": "replace", "path": "/count", "value": value}])
                acknowledged[t] = value
            s.kill()
            s.start()
        for t in twins:
            self.do(s, "POST", "/digitaltwins/%s/telemetry" % t, {"end": True}, {"Message-Id": "end-" + t})
        until(lambda: sum(e["id"].startswith("end-") for e in hook.events) >= len(twins), 120, "the last events")
        by_id, first = {}, {t: [] for t in twins}
        for e in hook.events:
            known = by_id.setdefault(e["id"], e)
            self.assertEqual(known, e)
            if known is e and e["type"].endswith("Twin.Update"):
                first[e["subject"]] += [op["value"] for op in e["data"]["patch"]]
        for t in twins:
            self.assertEqual(first[t], list(range(acknowledged[t] + 1)), t)
        self.assertEqual(self.status(s)["gaps"], 0)
        self.assertEqual(self.status(s)["deadLetters"], 0)


class Mqtt(Routed):
    def test_events_over_mqtt(self):
        b = mqtt.Broker()
        self.addCleanup(b.close)
        s = self.serve()
        self.models(s)
        child = b.subscriber("events/#", format="%t %p")
        self.addCleanup(child.kill)
        self.put(s, "/endpoints/broker", {"kind": "mqtt", "url": b.url, "topic": "events/{type}/{twin}/{subject}"})
        self.put(s, "/eventroutes/all", {"endpointName": "broker", "filter": "true"})
        self.do(s, "PUT", "/digitaltwins/a+b%23", room())
        for i in range(200):
            self.do(s, "PATCH", "/digitaltwins/a+b%23", [{"op": "add", "path": "/count", "value": i}])
        self.do(s, "POST", "/digitaltwins/a+b%23/telemetry", {"x": 1}, {"Message-Id": "m"})
        got = [child.stdout.readline().split(" ", 1) for _ in range(202)]
        events = [json.loads(text) for _, text in got]
        self.assertEqual(got[0][0], "events/Microsoft.DigitalTwins.Twin.Create/a_b_/a_b_")
        self.assertEqual(got[201][0], "events/microsoft.iot.telemetry/a_b_/_")
        self.assertEqual([e["data"]["patch"][0]["value"] for e in events[1:201]], list(range(200)))
        until(lambda: self.status(s, "broker")["delivered"] == 202, 60, "all acknowledged")
        self.do(s, "DELETE", "/eventroutes/all")
        self.do(s, "DELETE", "/endpoints/broker")

    def test_a_broker_that_goes_and_comes(self):
        b = mqtt.Broker(persistence=True)
        self.addCleanup(b.close)
        s = self.serve()
        self.models(s)
        self.do(s, "PUT", "/digitaltwins/a", room())
        self.put(s, "/endpoints/broker", {"kind": "mqtt", "url": b.url, "topic": "e", "retries": 1000})
        self.put(s, "/eventroutes/all", {"endpointName": "broker", "filter": "true"})
        seen = []
        child = b.subscriber("e", format="%p")
        for i in range(3):
            self.do(s, "PATCH", "/digitaltwins/a", [{"op": "add", "path": "/count", "value": i}])
        seen += [json.loads(child.stdout.readline()) for _ in range(3)]
        b.stop()
        child.kill()
        child.wait()
        for i in range(3, 50):
            self.do(s, "PATCH", "/digitaltwins/a", [{"op": "add", "path": "/count", "value": i}])
        until(lambda: self.status(s, "broker")["state"] == "retrying", 60, "the break seen")
        b.start()
        child = b.subscriber("e", format="%p")
        self.addCleanup(child.kill)
        # Events may have gone out before the subscriber was back; those after it was, are in order.
        self.do(s, "POST", "/digitaltwins/a/telemetry", {}, {"Message-Id": "end"})
        until(lambda: self.status(s, "broker")["delivered"] >= 51, 120, "everything delivered")
        self.assertEqual(self.status(s, "broker")["lag"], 0)
        self.assertEqual(self.status(s, "broker")["deadLetters"], 0)
        child.kill()

    def test_the_broker_of_a_connection(self):
        b = mqtt.Broker(users={"sosia": "pass word"})
        self.addCleanup(b.close)
        s = self.serve()
        self.models(s)
        self.put(s, "/endpoints/broker", {"kind": "mqtt", "connection": "plant", "topic": "x/{id}"})
        _, _, text = s.http("POST", "/endpoints/broker/test")
        self.assertIn("plant", json.loads(text)["trouble"])
        subscription = {"topic": "plant/{twin}", "property": "temperature", "value": "/t"}
        link = {"kind": "mqtt", "url": b.url, "username": "sosia", "password": "pass word", "clientId": "plant"}
        self.put(s, "/connections/plant", dict(link, paused=True, subscriptions=[subscription]))
        _, _, text = s.http("POST", "/endpoints/broker/test")
        self.assertEqual(json.loads(text)["delivered"], True, text)


if __name__ == "__main__":
    main()
