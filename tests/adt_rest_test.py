# SPDX-License-Identifier: Apache-2.0
"""Every operation of the Azure Digital Twins dialect, its errors, etags, paging and JSON Patch rules, over HTTP."""

import json
import unittest

from serve_lib import ServerCase, main

CONTEXT = "dtmi:dtdl:context;2"


def interface(name, *contents, **more):
    return dict(
        {"@id": "dtmi:t:%s;1" % name, "@type": "Interface", "@context": CONTEXT, "contents": list(contents)}, **more
    )


def prop(name, schema, **more):
    return dict({"@type": "Property", "name": name, "schema": schema}, **more)


MODELS = [
    interface(
        "Probe",
        prop("setPoint", "double"),
        prop("mode", "string"),
        {"@type": "Telemetry", "name": "noise", "schema": "double"},
    ),
    interface(
        "Room",
        prop("temperature", "double"),
        prop("seats", "integer"),
        prop("open", "boolean"),
        prop("note", "string"),
        prop("n", "integer"),  # a name that hides in many a sentence
        prop(
            "tags",
            {
                "@type": "Map",
                "mapKey": {"name": "k", "schema": "string"},
                "mapValue": {"name": "v", "schema": "boolean"},
            },
        ),
        prop(
            "place",
            {"@type": "Object", "fields": [{"name": "x", "schema": "double"}, {"name": "y", "schema": "double"}]},
        ),
        prop(
            "state",
            {
                "@type": "Enum",
                "valueSchema": "string",
                "enumValues": [{"name": "on", "enumValue": "ON"}, {"name": "off", "enumValue": "OFF"}],
            },
        ),
        {"@type": "Component", "name": "probe", "schema": "dtmi:t:Probe;1"},
        {
            "@type": "Relationship",
            "name": "contains",
            "target": "dtmi:t:Room;1",
            "properties": [prop("since", "string"), prop("weight", "integer")],
        },
        {"@type": "Relationship", "name": "near"},
        {"@type": "Telemetry", "name": "motion", "schema": "boolean"},
        displayName={"en": "Room", "de": "Zimmer"},
        description="A room.",
    ),
    interface("Office", prop("desks", "integer"), extends="dtmi:t:Room;1"),
    interface("Shed", prop("temperature", "double"), prop("planks", "integer")),
]


def room(**values):
    return dict({"$metadata": {"$model": "dtmi:t:Room;1"}, "probe": {"$metadata": {}}}, **values)


class Dialect(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        reply = cls.server.post("/models", MODELS)
        assert reply.status == 201, reply

    def twin(self, name, **values):
        return self.check(self.server.put("/digitaltwins/" + name, room(**values)), 200)

    def link(self, source, name, target, kind="near", **values):
        body = dict({"$relationshipName": kind, "$targetId": target}, **values)
        return self.server.put("/digitaltwins/%s/relationships/%s" % (source, name), body)

    def patch(self, name, *ops, **more):
        return self.server.patch(
            "/digitaltwins/" + name, [dict(zip(("op", "path", "value"), o)) for o in ops], **more
        )


class Requests(Dialect):
    def test_api_version_is_mandatory_and_known(self):
        for path in ["/models", "/digitaltwins/x", "/eventroutes", "/digitaltwins/x/relationships"]:
            self.check(self.server.get(path, version=None), 400, "MissingApiVersionParameter")
            self.check(self.server.get(path + "?api-version=", version=None), 400, "MissingApiVersionParameter")
            self.check(self.server.get(path, version="2019-01-01"), 400, "UnsupportedApiVersionValue")
        for version in ["2020-10-31", "2022-05-31", "2023-06-30", "2023-10-31"]:
            self.check(self.server.get("/models", version=version), 200)
        self.check(
            self.server.get("/models?api-version=2022-05-31&api-version=2022-05-31&other=%zz&other=", version=None),
            200,
        )

    def test_unknown_routes_and_methods(self):
        for path in [
            "/nothing",
            "/digitaltwins/a/b",
            "/models/a/b",
            "/worlds/live/nothing",
            "/a/b/c/d/e/f/g/h/i/j/k/l/m/n",
        ]:
            self.check(self.server.get(path), 404, "ResourceNotFound")
        reply = self.check(self.server.post("/digitaltwins/x", {}), 405, "MethodNotAllowed")
        self.assertEqual(reply.header("allow"), "GET, HEAD, PATCH, PUT, DELETE, OPTIONS")
        reply = self.server.ask("OPTIONS", "/models", version=None)
        self.assertEqual((reply.status, reply.header("allow")), (204, "GET, HEAD, POST, OPTIONS"))

    def test_path_constants_have_no_case_ids_do(self):
        self.twin("Case")
        self.check(self.server.get("/digitalTwins/Case"), 200)
        self.check(self.server.get("/DIGITALTWINS/Case"), 200)
        self.check(self.server.get("/eventRoutes"), 200)
        self.check(self.server.get("/digitaltwins/case"), 404, "DigitalTwinNotFound")

    def test_ids_are_decoded_after_the_path_was_split(self):
        for name, raw in [
            ("a/b", "a%2Fb"),
            ("a b", "a%20b"),
            ("\u00e4\u4e2d", "%C3%A4%E4%B8%AD"),
            ("a+b", "a+b"),
            ("..", ".."),
            ("(x)!'*~", "(x)!'*~"),
            ("a;b:c", "a%3Bb%3Ac"),
            ("%2F", "%252F"),
            ("?#", "%3F%23"),
        ]:
            body = self.check(self.server.put("/digitaltwins/" + raw, room()), 200).json
            self.assertEqual(body["$dtId"], name)
            self.assertEqual(self.check(self.server.get("/digitaltwins/" + raw), 200).json["$dtId"], name)
            self.check(self.server.delete("/digitaltwins/" + raw), 204)
        self.check(self.server.get("/digitaltwins/%zz"), 400, "InvalidArgument")
        self.check(self.server.get("/digitaltwins/%ff"), 400, "InvalidArgument")

    def test_request_id_comes_back(self):
        reply = self.server.get("/models", headers={"x-ms-client-request-id": "abc-1", "Cookie": ""})
        self.assertEqual(reply.header("x-ms-client-request-id"), "abc-1")
        reply = self.server.get("/digitaltwins/none", headers={"x-ms-client-request-id": "abc-2"})
        self.assertEqual(reply.header("x-ms-client-request-id"), "abc-2")

    def test_head(self):
        self.twin("head")
        full = self.server.get("/digitaltwins/head")
        head = self.server.ask("HEAD", "/digitaltwins/head")
        self.assertEqual((head.status, head.body, head.header("content-length")), (200, b"", str(len(full.body))))

    def test_broken_bodies(self):
        for path in ["/digitaltwins/broken", "/digitaltwins/broken/relationships/r"]:
            for body in [b"", b"{", b"[]x", b"\xff", b"null", b"[]", b"1"]:
                reply = self.server.put(path, body)
                self.assertEqual(reply.status, 400, reply)
                self.assertIn(reply.code, ("InvalidArgument", "ValidationFailed"))
        self.check(self.server.get("/digitaltwins/broken"), 404)
        self.twin("broken")
        for body in [b"", b"{", b"\xff", b"null"]:
            reply = self.server.patch("/digitaltwins/broken", body)
            self.assertEqual(reply.status, 400, reply)
        deep = b"[" * 100000
        self.assertEqual(self.server.put("/digitaltwins/broken", deep).status, 400)


class Models(Dialect):
    def test_list_get_and_definition(self):
        items, _ = self.server.all("/models")
        ids = [m["id"] for m in items]
        self.assertTrue(set(m["@id"] for m in MODELS) <= set(ids))
        one = self.check(self.server.get("/models/dtmi%3At%3ARoom%3B1"), 200).json
        self.assertEqual(one["displayName"], {"en": "Room", "de": "Zimmer"})
        self.assertEqual(one["description"], {"en": "A room."})
        self.assertEqual(one["decommissioned"], False)
        self.assertNotIn("model", one)
        full = self.check(self.server.get("/models/dtmi%3At%3ARoom%3B1?includeModelDefinition=true"), 200).json
        self.assertEqual(full["model"]["contents"], MODELS[1]["contents"])
        self.assertIn("model", self.server.get("/models?includeModelDefinition=True").json["value"][0])
        self.check(self.server.get("/models/dtmi%3At%3ANone%3B1"), 404, "ModelNotFound")
        self.check(self.server.get("/models/nonsense"), 400, "InvalidArgument")

    def test_paging(self):
        whole, _ = self.server.all("/models")
        items, pages = self.server.all("/models?includeModelDefinition=true", headers={"max-items-per-page": "2"})
        self.assertEqual([m["id"] for m in items], [m["id"] for m in whole])
        self.assertEqual(pages, (len(whole) + 1) // 2)
        self.assertIn("model", items[-1])
        for bad in ["0", "-1", "x", "1.5", ""]:
            self.check(self.server.get("/models", headers={"max-items-per-page": bad}), 400, "InvalidArgument")
        self.check(self.server.get("/models?continuationToken=rubbish"), 400, "InvalidArgument")

    def test_dependencies_comma_and_repeated(self):
        want = {"dtmi:t:Office;1", "dtmi:t:Room;1", "dtmi:t:Probe;1"}
        ids = lambda q: set(m["id"] for m in self.check(self.server.get("/models?" + q), 200).json["value"])
        self.assertEqual(ids("dependenciesFor=dtmi%3At%3AOffice%3B1"), want)
        self.assertEqual(ids("dependenciesFor=dtmi%3At%3AOffice%3B1,dtmi%3At%3AShed%3B1"), want | {"dtmi:t:Shed;1"})
        self.assertEqual(
            ids("dependenciesFor=dtmi:t:Probe;1&dependenciesFor=dtmi:t:Shed;1"), {"dtmi:t:Probe;1", "dtmi:t:Shed;1"}
        )
        self.check(self.server.get("/models?dependenciesFor=dtmi:t:None;1"), 404, "ModelNotFound")

    def test_adding_is_all_or_nothing(self):
        good, bad = interface("AllGood", prop("a", "double")), interface("AllBad", prop("a", "dtmi:t:Missing;1"))
        self.check(self.server.post("/models", [good, bad]), 400, "DTDLParserError")
        self.check(self.server.get("/models/dtmi%3At%3AAllGood%3B1"), 404, "ModelNotFound")
        self.check(self.server.post("/models", [dict(good, extends="dtmi:t:Missing;1")]), 400, "DTDLParserError")
        for body in [[], {}, "x", [1], None]:
            reply = self.server.post("/models", json.dumps(body))
            self.check(reply, 400, "InvalidArgument")
        self.check(self.server.post("/models", [MODELS[0]]), 409, "ModelIdAlreadyExists")
        self.assertIn("dtmi:t:Probe;1", self.server.post("/models", [MODELS[0]]).json["error"]["message"])
        self.check(self.server.post("/models", [dict(good, **{"@context": "dtmi:dtdl:context;99"})]), 400)

    def test_life_of_a_model(self):
        base, child = interface("LifeBase", prop("a", "double")), interface("LifeChild", extends="dtmi:t:LifeBase;1")
        self.check(self.server.post("/models", [child, base]), 201)
        url, child_url = "/models/dtmi%3At%3ALifeBase%3B1", "/models/dtmi%3At%3ALifeChild%3B1"
        off = [{"op": "replace", "path": "/decommissioned", "value": True}]
        on = [{"op": "replace", "path": "/decommissioned", "value": False}]
        self.check(self.server.delete(url), 409, "ModelReferencesNotDeleted")
        self.check(self.server.patch(url, off), 409, "ModelReferencesNotDecommissioned")
        self.check(self.server.patch(child_url, off), 204)
        self.check(self.server.patch(url, off), 204)
        self.assertTrue(self.server.get(url).json["decommissioned"])
        twin = {"$metadata": {"$model": "dtmi:t:LifeBase;1"}}
        self.check(self.server.put("/digitaltwins/life", twin), 400, "ModelDecommissioned")
        self.check(self.server.patch(url, on), 204)
        self.check(self.server.put("/digitaltwins/life", twin), 200)
        for bad in [
            [{"op": "add", "path": "/decommissioned", "value": True}],
            [{"op": "replace", "path": "/x", "value": True}],
            [{"op": "replace", "path": "/decommissioned", "value": 1}],
            [],
            off + off,
        ]:
            reply = self.server.patch(url, bad)
            if bad != off + off:
                self.check(reply, 400, "JsonPatchInvalid")
        self.check(self.server.patch("/models/dtmi%3At%3ANone%3B1", off), 404, "ModelNotFound")
        self.check(self.server.delete("/models/dtmi%3At%3ANone%3B1"), 404, "ModelNotFound")
        self.check(self.server.delete(child_url), 204)
        self.check(self.server.delete(child_url), 404, "ModelNotFound")


class Twins(Dialect):
    def test_put_get_delete(self):
        body = room(
            temperature=21.5,
            seats=4,
            open=True,
            note="x\u00e9",
            tags={"red": True},
            place={"x": 1, "y": 2.5},
            state="ON",
            probe={"$metadata": {}, "setPoint": 70},
        )
        put = self.check(self.server.put("/digitaltwins/full", dict(body, **{"$dtId": None, "$etag": None})), 200)
        got = self.check(self.server.get("/digitaltwins/full"), 200)
        self.assertEqual(put.json, got.json)
        self.assertEqual(got.header("etag"), got.json["$etag"])
        self.assertEqual(put.header("etag"), got.json["$etag"])
        for k in ("temperature", "seats", "open", "note", "tags", "place", "state"):
            self.assertEqual(got.json[k], body[k])
            self.assertIn("lastUpdateTime", got.json["$metadata"][k])
        self.assertEqual(got.json["probe"]["setPoint"], 70)
        self.assertEqual(got.json["$metadata"]["$model"], "dtmi:t:Room;1")
        self.assertIn("$lastUpdateTime", got.json["$metadata"])
        old = self.server.get("/digitaltwins/full", version="2020-10-31").json
        self.assertNotIn("$lastUpdateTime", old["$metadata"])
        again = self.check(self.server.put("/digitaltwins/full", room(note="y")), 200)
        self.assertNotIn("temperature", again.json)
        self.assertNotEqual(again.header("etag"), got.header("etag"))
        gone = self.check(self.server.delete("/digitaltwins/full"), 204)
        self.assertEqual((gone.body, gone.header("content-length")), (b"", "0"))
        self.check(self.server.delete("/digitaltwins/full"), 404, "DigitalTwinNotFound")
        self.check(self.server.get("/digitaltwins/full"), 404, "DigitalTwinNotFound")

    def test_put_is_validated(self):
        cases = [
            room(unknown=1),
            room(temperature="x"),
            room(seats=1.5),
            room(open="true"),
            room(state="NO"),
            room(place={"z": 1}),
            room(tags={"a": 1}),
            room(motion=True),
            room(contains="x"),
            {"$metadata": {"$model": "dtmi:t:Room;1"}},
            room(temperature=None),
            room(probe={"$metadata": {}, "nothing": 1}),
            room(seats=2**31),
        ]
        for body in cases:
            self.check(self.server.put("/digitaltwins/invalid", body), 400, "ValidationFailed")
        reply = self.check(
            self.server.put("/digitaltwins/invalid", {"$metadata": {"$model": "dtmi:t:None;1"}}),
            400,
            "ValidationFailed",
        )
        self.assertIn("dtmi:t:None;1", json.dumps(reply.json["error"]["details"]))
        self.assertEqual(self.server.put("/digitaltwins/invalid", {"temperature": 1}).status, 400)
        self.check(self.server.get("/digitaltwins/invalid"), 404, "DigitalTwinNotFound")
        self.check(self.server.put("/digitaltwins/" + "x" * 129, room()), 400)

    def test_refusals_name_the_place(self):
        cases = [
            (room(n=1.5), "n: expected integer"),
            (room(seats="x"), "seats: expected integer"),
            (room(unknown=1), '"unknown" is not a property'),
            (room(probe={"$metadata": {}, "n": 1}), 'component "probe" has no property "n"'),
        ]
        for body, start in cases:
            reply = self.check(self.server.put("/digitaltwins/placed", body), 400, "ValidationFailed")
            self.assertIn(start, reply.json["error"]["message"])
            self.assertEqual(reply.json["error"]["message"], reply.json["error"]["details"][0]["message"])
        self.twin("placed")
        line = b'{"id":"placed","property":"n","value":1.5}\n'
        reply = self.check(self.server.post("/ingest", line, version=None), 400, "ValidationFailed")
        self.assertTrue(reply.json["errors"][0]["message"].startswith("n: expected integer"), reply)

    def test_preconditions(self):
        first = self.twin("pre").header("etag")
        url = "/digitaltwins/pre"
        self.check(self.server.put(url, room(), headers={"If-None-Match": "*"}), 412, "PreconditionFailed")
        self.check(self.server.put("/digitaltwins/pre2", room(), headers={"If-None-Match": "*"}), 200)
        self.check(self.server.put(url, room(), headers={"If-None-Match": '"x"'}), 400, "InvalidArgument")
        op = [{"op": "replace", "path": "/note", "value": "n"}]
        op[0]["op"] = "add"
        for bad in ["nonsense", 'W/"a" "b"', ""]:
            self.check(self.server.patch(url, op, headers={"If-Match": bad}), 400, "InvalidArgument")
        self.check(
            self.server.patch(url, op, headers={"If-Match": 'W/"00000000-0000-0000-0000-000000000000"'}),
            412,
            "PreconditionFailed",
        )
        second = self.check(self.server.patch(url, op, headers={"If-Match": first}), 204).header("etag")
        self.assertNotEqual(first, second)
        self.check(self.server.patch(url, op, headers={"If-Match": first}), 412, "PreconditionFailed")
        third = self.check(self.server.patch(url, op, headers={"If-Match": '"a", %s' % second}), 204).header("etag")
        fourth = self.check(self.server.patch(url, op, headers={"If-Match": third[2:]}), 204).header(
            "etag"
        )  # without W/
        self.check(self.server.patch(url, op, headers={"If-Match": "*"}), 204)
        self.check(self.server.delete(url, headers={"If-Match": fourth}), 412, "PreconditionFailed")
        self.check(self.server.delete("/digitaltwins/none", headers={"If-Match": fourth}), 404, "DigitalTwinNotFound")
        self.check(self.server.delete(url, headers={"If-Match": self.server.get(url).header("etag")}), 204)

    def test_patch_rules(self):
        self.twin("p", temperature=1, tags={"a": True})
        value = lambda: self.server.get("/digitaltwins/p").json
        ok = [
            (("add", "/temperature", 2),),
            (("add", "/seats", 3), ("replace", "/seats", 4)),
            (("replace", "/temperature", 5),),
            (("add", "/tags/b", False),),
            (("remove", "/tags/a"),),
            (("add", "/place", {"x": 1}),),
            (("add", "/place/y", 2),),
            (("replace", "/place/y", 3),),
            (("remove", "/place/x"),),
            (("add", "/probe/setPoint", 7),),
            (("replace", "/probe/setPoint", 8),),
            (("add", "/note", "~"),),
            (("remove", "/note"),),
        ]
        for ops in ok:
            reply = self.patch("p", *ops)
            self.assertEqual(reply.status, 204, "%s: %r" % (ops, reply))
        got = value()
        self.assertEqual(
            (got["temperature"], got["seats"], got["tags"], got["place"], got["probe"]["setPoint"]),
            (5, 4, {"b": False}, {"y": 3}, 8),
        )
        self.assertNotIn("note", got)
        self.assertNotIn("note", got["$metadata"])
        before = value()
        bad = [
            ("move", "/temperature", 1),
            ("copy", "/temperature", 1),
            ("test", "/temperature", 1),
            ("nonsense", "/temperature", 1),
            ("add", "", 1),
            ("add", "/", 1),
            ("add", "temperature", 1),
            ("replace", "/note", "x"),
            ("remove", "/note"),
            ("add", "/temperature"),
            ("remove", "/probe"),
            ("add", "/$dtId", "x"),
            ("add", "/$etag", "x"),
            ("add", "/$metadata/temperature/lastUpdateTime", "2020-01-01T00:00:00Z"),
            ("add", "/unknown", 1),
            ("add", "/temperature", "x"),
            ("add", "/motion", True),
            ("add", "/note/x", "y"),
            ("add", "/temperature/x", 1),
        ]
        for op in bad:
            reply = self.patch("p", ("add", "/seats", 99), op)
            self.assertEqual(reply.status, 400, "%s: %r" % (op, reply))
            self.assertIn(reply.code, ("JsonPatchInvalid", "ValidationFailed"), "%s: %r" % (op, reply))
        self.assertEqual(value(), before)  # all or nothing
        for body in [{}, [1], [{}], [{"op": "add"}], [{"op": 1, "path": "/x", "value": 1}]]:
            reply = self.server.patch("/digitaltwins/p", json.dumps(body))
            self.assertEqual(reply.status, 400, "%s: %r" % (body, reply))
        self.check(
            self.server.patch("/digitaltwins/none", [{"op": "add", "path": "/note", "value": "x"}]),
            404,
            "DigitalTwinNotFound",
        )
        self.check(
            self.server.patch(
                "/digitaltwins/p",
                [{"op": "add", "path": "/note", "value": "x"}],
                headers={"Content-Type": "application/json"},
            ),
            204,
        )

    def test_escaped_pointers(self):
        self.twin("esc", tags={})
        self.check(self.patch("esc", ("add", "/tags/a~1b", True), ("add", "/tags/a~0b", False)), 204)
        self.assertEqual(self.server.get("/digitaltwins/esc").json["tags"], {"a/b": True, "a~b": False})

    def test_times(self):
        self.twin("times", temperature=1, note="n")
        first = self.server.get("/digitaltwins/times").json["$metadata"]
        self.check(
            self.patch(
                "times",
                ("replace", "/temperature", 2),
                ("add", "/$metadata/temperature/sourceTime", "2021-05-01T10:00:00.1234567Z"),
            ),
            204,
        )
        meta = self.server.get("/digitaltwins/times").json["$metadata"]
        self.assertEqual(meta["temperature"]["sourceTime"], "2021-05-01T10:00:00.1234567Z")
        self.assertGreater(meta["temperature"]["lastUpdateTime"], first["temperature"]["lastUpdateTime"])
        self.assertEqual(meta["note"], first["note"])
        self.assertGreater(meta["$lastUpdateTime"], first["$lastUpdateTime"])
        self.check(self.patch("times", ("replace", "/temperature", 3)), 204)
        self.assertEqual(
            self.server.get("/digitaltwins/times").json["$metadata"]["temperature"]["sourceTime"],
            "2021-05-01T10:00:00.1234567Z",
        )
        self.check(self.patch("times", ("add", "/$metadata/temperature/sourceTime", "yesterday")), 400)

    def test_change_of_model(self):
        self.twin("remodel", temperature=1, note="n")
        to = ("replace", "/$metadata/$model", "dtmi:t:Office;1")
        self.check(self.patch("remodel", to, ("add", "/desks", 2)), 204)
        got = self.server.get("/digitaltwins/remodel").json
        self.assertEqual((got["$metadata"]["$model"], got["desks"], got["note"]), ("dtmi:t:Office;1", 2, "n"))
        self.check(self.patch("remodel", ("replace", "/$metadata/$model", "dtmi:t:Shed;1")), 400, "ValidationFailed")
        self.check(self.patch("remodel", ("replace", "/$metadata/$model", "dtmi:t:None;1")), 400)

    def test_components(self):
        self.twin("comp")
        url = "/digitaltwins/comp/components/probe"
        twin = self.server.get("/digitaltwins/comp").header("etag")
        got = self.check(self.server.get(url), 200)
        self.assertEqual(got.header("etag"), twin)
        self.assertIn("$metadata", got.json)
        done = self.check(self.server.patch(url, [{"op": "add", "path": "/setPoint", "value": 5}]), 204)
        self.assertNotEqual(done.header("etag"), twin)
        self.assertEqual(self.server.get(url).json["setPoint"], 5)
        self.assertEqual(self.server.get("/digitaltwins/comp").header("etag"), done.header("etag"))
        self.check(
            self.server.patch(url, [{"op": "add", "path": "/setPoint", "value": 6}], headers={"If-Match": twin}),
            412,
            "PreconditionFailed",
        )
        self.check(self.server.patch(url, [{"op": "add", "path": "/other", "value": 6}]), 400)
        self.check(self.server.get("/digitaltwins/comp/components/none"), 404, "ComponentNotFound")
        self.check(
            self.server.patch("/digitaltwins/comp/components/none", [{"op": "add", "path": "/x", "value": 1}]),
            404,
            "ComponentNotFound",
        )
        self.check(self.server.get("/digitaltwins/none/components/probe"), 404, "DigitalTwinNotFound")

    def test_telemetry(self):
        self.twin("tele")
        url = "/digitaltwins/tele/telemetry"
        for body in [{"motion": True}, [1], "text", 5, None]:
            self.check(self.server.post(url, json.dumps(body), headers={"Message-Id": '{"temp":1}'}), 204)
        self.check(
            self.server.post(
                url, {}, headers={"Message-Id": "1", "Telemetry-Source-Time": "2022-01-01T00:00:00.123Z"}
            ),
            204,
        )
        self.check(
            self.server.post(
                "/digitaltwins/tele/components/probe/telemetry", {"noise": 1}, headers={"Message-Id": "1"}
            ),
            204,
        )
        self.check(self.server.post(url, {}), 400, "InvalidArgument")
        self.check(
            self.server.post(url, {}, headers={"Message-Id": "1", "Telemetry-Source-Time": "now"}),
            400,
            "InvalidArgument",
        )
        self.check(self.server.post(url, b"{", headers={"Message-Id": "1"}), 400)
        self.check(
            self.server.post("/digitaltwins/none/telemetry", {}, headers={"Message-Id": "1"}),
            404,
            "DigitalTwinNotFound",
        )
        self.check(
            self.server.post("/digitaltwins/tele/components/none/telemetry", {}, headers={"Message-Id": "1"}),
            404,
            "ComponentNotFound",
        )

    def test_own_list_of_twins(self):
        for i in range(7):
            self.twin("list%d" % i)
        self.check(self.server.put("/digitaltwins/list-shed", {"$metadata": {"$model": "dtmi:t:Shed;1"}}), 200)
        whole, _ = self.server.all("/digitaltwins", version=None)
        ids = [t["$dtId"] for t in whole]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual([i for i in ids if i.startswith("list")], ["list%d" % i for i in range(7)] + ["list-shed"])
        paged, pages = self.server.all("/digitaltwins", headers={"max-items-per-page": "3"}, version=None)
        self.assertEqual([t["$dtId"] for t in paged], ids)
        self.assertGreater(pages, 2)
        sheds, _ = self.server.all("/digitaltwins?model=dtmi%3At%3AShed%3B1", version=None)
        self.assertEqual([t["$dtId"] for t in sheds], ["list-shed"])
        rooms, _ = self.server.all("/digitaltwins?model=dtmi%3At%3ARoom%3B1", version=None)  # Offices are Rooms
        self.assertEqual(
            len(rooms), len([t for t in whole if t["$metadata"]["$model"] in ("dtmi:t:Room;1", "dtmi:t:Office;1")])
        )


class Relationships(Dialect):
    def test_life(self):
        self.twin("ra")
        self.twin("rb")
        url = "/digitaltwins/ra/relationships/r1"
        body = {
            "$relationshipName": "contains",
            "$targetId": "rb",
            "$relationshipId": None,
            "$sourceId": None,
            "$etag": None,
            "since": "2020",
        }
        put = self.check(self.server.put(url, body), 200)
        self.assertEqual(
            {k: v for k, v in put.json.items() if k != "$etag"},
            {
                "$relationshipId": "r1",
                "$sourceId": "ra",
                "$relationshipName": "contains",
                "$targetId": "rb",
                "since": "2020",
            },
        )
        got = self.check(self.server.get(url), 200)
        self.assertEqual((got.json, got.header("etag")), (put.json, put.json["$etag"]))
        self.check(self.server.put(url, body, headers={"If-None-Match": "*"}), 412, "PreconditionFailed")
        patched = self.check(
            self.server.patch(
                url,
                [{"op": "replace", "path": "/since", "value": "2021"}, {"op": "add", "path": "/weight", "value": 3}],
            ),
            204,
        )
        got = self.server.get(url)
        self.assertEqual(
            (got.json["since"], got.json["weight"], got.header("etag")), ("2021", 3, patched.header("etag"))
        )
        self.check(
            self.server.patch(url, [{"op": "remove", "path": "/since"}], headers={"If-Match": put.header("etag")}),
            412,
            "PreconditionFailed",
        )
        for path in ["/$targetId", "/$relationshipName", "/unknown"]:
            reply = self.server.patch(url, [{"op": "replace", "path": path, "value": "x"}])
            self.assertEqual(reply.status, 400, reply)
        self.check(self.server.patch(url, [{"op": "add", "path": "/weight", "value": "x"}]), 400)
        self.check(self.server.delete("/digitaltwins/ra"), 400, "RelationshipsNotDeleted")
        self.check(self.server.delete("/digitaltwins/rb"), 400, "RelationshipsNotDeleted")
        self.check(self.server.delete(url, headers={"If-Match": put.header("etag")}), 412, "PreconditionFailed")
        twin = self.server.get("/digitaltwins/ra").header("etag")
        self.check(self.server.delete(url, headers={"If-Match": patched.header("etag")}), 204)
        self.assertEqual(self.server.get("/digitaltwins/ra").header("etag"), twin)
        self.check(self.server.delete(url), 404, "RelationshipNotFound")
        self.check(self.server.get(url), 404, "RelationshipNotFound")
        self.check(
            self.server.patch(url, [{"op": "add", "path": "/since", "value": "x"}]), 404, "RelationshipNotFound"
        )
        self.check(self.server.delete("/digitaltwins/ra"), 204)

    def test_errors(self):
        self.twin("ea")
        self.twin("eb")
        self.server.put("/digitaltwins/eshed", {"$metadata": {"$model": "dtmi:t:Shed;1"}})
        self.check(self.link("ea", "x", "eb", "nonsense"), 400, "InvalidRelationship")
        self.check(self.link("ea", "x", "eshed", "contains"), 400, "InvalidRelationship")
        self.check(self.link("ea", "x", "none"), 404, "TargetDigitalTwinNotFound")
        self.check(self.link("none", "x", "ea"), 404, "DigitalTwinNotFound")
        self.check(self.link("ea", "x", "ea"), 400, "OperationNotAllowed")
        self.check(self.link("ea", "x", "eb", "contains", unknown=1), 400, "ValidationFailed")
        self.check(self.link("ea", "x", "eb", "near", since="x"), 400, "ValidationFailed")
        self.assertEqual(self.server.put("/digitaltwins/ea/relationships/x", {"$targetId": "eb"}).status, 400)
        self.assertEqual(
            self.server.put("/digitaltwins/ea/relationships/x", {"$relationshipName": "near"}).status, 400
        )
        for tail in ["", "?relationshipName=near"]:
            self.check(self.server.get("/digitaltwins/none/relationships" + tail), 404, "DigitalTwinNotFound")
        self.check(self.server.get("/digitaltwins/none/incomingrelationships"), 404, "DigitalTwinNotFound")
        self.assertEqual(self.server.get("/digitaltwins/ea/relationships").json, {"value": [], "nextLink": None})

    def test_lists_pages_and_links(self):
        self.twin("hub")
        for i in range(25):
            self.twin("spoke%02d" % i)
            self.check(self.link("hub", "out%02d" % i, "spoke%02d" % i, "near" if i % 2 else "contains"), 200)
            self.check(self.link("spoke%02d" % i, "in%02d" % i, "hub"), 200)
        size = {"max-items-per-page": "10"}
        out, pages = self.server.all("/digitaltwins/hub/relationships", headers=size)
        self.assertEqual((len(out), pages, len(set(r["$relationshipId"] for r in out))), (25, 3, 25))
        near, pages = self.server.all("/digitaltwins/hub/relationships?relationshipName=near", headers=size)
        self.assertEqual((len(near), set(r["$relationshipName"] for r in near)), (12, {"near"}))
        incoming, pages = self.server.all("/digitaltwins/hub/incomingrelationships", headers=size)
        self.assertEqual((len(incoming), pages), (25, 3))
        one = incoming[0]
        self.assertEqual(set(one), {"$relationshipId", "$sourceId", "$relationshipName", "$relationshipLink"})
        prefix = "http://127.0.0.1:%d" % self.server.port
        self.assertTrue(one["$relationshipLink"].startswith(prefix))
        got = self.check(self.server.get(one["$relationshipLink"][len(prefix) :], version=None), 200)
        self.assertEqual(got.json["$relationshipId"], one["$relationshipId"])
        # a client that adds its parameters again does no harm
        first = self.server.get("/digitaltwins/hub/relationships", headers=size).json["nextLink"][len(prefix) :]
        self.check(self.server.get(first + "&api-version=2023-10-31&relationshipName="), 200)


class EventRoutes(Dialect):
    def test_there_is_none(self):
        self.assertEqual(self.check(self.server.get("/eventroutes"), 200).json, {"value": [], "nextLink": None})
        self.check(self.server.get("/eventroutes/r"), 404, "EventRouteNotFound")
        self.check(self.server.delete("/eventroutes/r"), 404, "EventRouteNotFound")
        self.check(
            self.server.put("/eventroutes/r", {"endpointName": "e", "filter": "true"}),
            400,
            "EventRouteEndpointInvalid",
        )
        self.check(self.server.put("/eventroutes/r", {}), 400, "InvalidArgument")

class Worlds(Dialect):
    def test_forks(self):
        self.twin("w", temperature=1)
        self.assertEqual(self.server.get("/worlds/live/digitaltwins/w").json, self.server.get("/digitaltwins/w").json)
        made = self.check(self.server.post("/worlds", {"name": "what-if"}, version=None), 201)
        self.assertEqual((made.json["name"], made.json["parent"], made.json["twins"]), ("what-if", "live", 1))
        self.check(self.server.post("/worlds", {"name": "what-if"}, version=None), 409, "WorldAlreadyExists")
        self.check(self.server.post("/worlds", {"name": "x", "from": "none"}, version=None), 404, "WorldNotFound")
        for body in [{}, {"name": ""}, {"name": 1}, {"name": "y", "from": 1}]:
            self.check(self.server.post("/worlds", body, version=None), 400, "InvalidArgument")
        for name in ["a/b", "\u00fc", "-x", "x" * 65]:
            reply = self.check(self.server.post("/worlds", {"name": name}, version=None), 400, "InvalidArgument")
            self.assertIn("1 to 64 letters", reply.json["error"]["message"])
        self.check(
            self.server.patch(
                "/worlds/what-if/digitaltwins/w", [{"op": "replace", "path": "/temperature", "value": 9}]
            ),
            204,
        )
        self.assertEqual(self.server.get("/worlds/what-if/digitaltwins/w").json["temperature"], 9)
        self.assertEqual(self.server.get("/digitaltwins/w").json["temperature"], 1)
        self.twin("w2")
        self.check(self.server.get("/worlds/what-if/digitaltwins/w2"), 404, "DigitalTwinNotFound")
        self.check(self.server.put("/worlds/what-if/digitaltwins/w3", room()), 200)
        self.check(self.server.get("/digitaltwins/w3"), 404, "DigitalTwinNotFound")
        self.check(self.server.post("/worlds", {"name": "deeper", "from": "what-if"}, version=None), 201)
        self.assertEqual(self.server.get("/worlds/deeper/digitaltwins/w").json["temperature"], 9)
        names = [w["name"] for w in self.server.get("/worlds", version=None).json["value"]]
        self.assertTrue({"live", "what-if", "deeper"} <= set(names))
        link = self.server.get("/worlds/what-if/models", headers={"max-items-per-page": "1"}).json["nextLink"]
        self.assertIn("/worlds/what-if/models?", link)
        for name in ("what-if", "deeper"):
            self.check(self.server.delete("/worlds/" + name, version=None), 204)
        self.check(self.server.delete("/worlds/what-if", version=None), 404, "WorldNotFound")
        self.check(self.server.get("/worlds/what-if/digitaltwins/w"), 404, "WorldNotFound")
        self.assertEqual(self.server.delete("/worlds/live", version=None).status, 400)

    def test_writing_to_no_world(self):
        self.check(self.server.put("/worlds/nowhere/digitaltwins/w", room()), 404, "WorldNotFound")


class Bulk(Dialect):
    def test_ingest(self):
        self.twin("ing", temperature=0)
        lines = [
            {"id": "ing", "property": "temperature", "value": 7, "time": "2024-01-01T00:00:00Z"},
            {"id": "none", "property": "x", "value": 1},
            {"id": "ing", "property": "seats", "value": "x"},
            {"id": "ing", "property": "probe.setPoint", "value": 3},
        ]
        body = "\n".join(json.dumps(line) for line in lines) + "\nnonsense\n"
        reply = self.check(self.server.post("/ingest", body, version=None), 200)
        self.assertEqual((reply.json["accepted"], reply.json["rejected"]), (2, 3))
        self.assertEqual([e["line"] for e in reply.json["errors"]], [2, 3, 5])
        self.assertTrue(all(e["code"] and e["message"] for e in reply.json["errors"]))
        got = self.server.get("/digitaltwins/ing").json
        self.assertEqual((got["temperature"], got["probe"]["setPoint"]), (7, 3))
        self.assertEqual(got["$metadata"]["temperature"]["sourceTime"], "2024-01-01T00:00:00.0000000Z")
        nothing = self.check(self.server.post("/ingest", "nonsense\n", version=None), 400, "ValidationFailed")
        self.assertEqual((nothing.json["accepted"], nothing.json["rejected"]), (0, 1))
        self.check(self.server.post("/ingest", "", version=None), 200)

    def test_a_long_ingest(self):
        for i in range(50):
            self.twin("long%d" % i)
        body = "".join('{"id":"long%d","property":"temperature","value":%d}\n' % (i % 50, i) for i in range(20000))
        reply = self.check(self.server.post("/ingest", body, version=None), 200)
        self.assertEqual((reply.json["accepted"], reply.json["rejected"]), (20000, 0))
        self.assertEqual(self.server.get("/digitaltwins/long7").json["temperature"], 19957)

    def test_import(self):
        lines = [
            {"Section": "Header"},
            {"fileVersion": "1.0.0"},
            {"Section": "Models"},
            interface("Imported", prop("a", "double"), {"@type": "Relationship", "name": "r"}),
            {"Section": "Twins"},
            {"$dtId": "im1", "$metadata": {"$model": "dtmi:t:Imported;1"}, "a": 1},
            {"$dtId": "im2", "$metadata": {"$model": "dtmi:t:Imported;1"}},
            {"$dtId": "im3", "$metadata": {"$model": "dtmi:t:None;1"}},
            {"Section": "Relationships"},
            {"$dtId": "im1", "$relationshipId": "x", "$targetId": "im2", "$relationshipName": "r"},
        ]
        reply = self.check(self.server.post("/import", "\n".join(map(json.dumps, lines)), version=None), 200)
        self.assertEqual((reply.json["accepted"], reply.json["rejected"]), (4, 1))
        self.assertEqual(reply.json["errors"][0]["line"], 8)
        self.check(self.server.get("/digitaltwins/im1/relationships/x"), 200)
        again = self.check(self.server.post("/import", "\n".join(map(json.dumps, lines)), version=None), 200)
        self.assertIn("dtmi:t:Imported;1", again.json["errors"][0]["message"])


if __name__ == "__main__":
    main()
