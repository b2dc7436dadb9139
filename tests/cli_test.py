#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""The command line against a running server: round trips, exit codes, JSON shapes, help, terminal looks."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, Server, run, until  # noqa: E402

PUMP = {"@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"], "@id": "dtmi:test:Pump;1",
        "@type": "Interface", "displayName": "Pump", "description": "Moves water.", "extends": "dtmi:test:Asset;1",
        "contents": [
            {"@type": ["Property", "VolumeFlowRate"], "name": "flow", "schema": "double", "unit": "cubicMetrePerHour"},
            {"@type": "Property", "name": "on", "schema": "boolean"},
            {"@type": "Property", "name": "starts", "schema": "long"},
            {"@type": "Property", "name": "tags", "schema": {
                "@type": "Map", "mapKey": {"name": "k", "schema": "string"},
                "mapValue": {"name": "v", "schema": "string"}}},
            {"@type": "Component", "name": "drive", "schema": "dtmi:test:Drive;1"},
            {"@type": "Relationship", "name": "feeds", "properties": [
                {"@type": "Property", "name": "capacity", "schema": "double"}]}]}
ASSET = {"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Asset;1", "@type": "Interface",
         "contents": [{"@type": "Property", "name": "label", "schema": "string"}]}
DRIVE = {"@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"], "@id": "dtmi:test:Drive;1",
         "@type": "Interface", "contents": [{"@type": ["Property", "Temperature"], "name": "temperature",
                                             "schema": "double", "unit": "degreeCelsius"}]}
COMMANDS = ["serve", "demo", "version", "models add", "models list", "models show", "import", "get", "query", "watch",
            "set", "ingest", "replay", "derived list", "derived set",
            "connections list", "connections put", "connections test", "endpoints list",
            "routes put", "command", "worlds list", "worlds fork", "worlds drop", "bench"]


def twin(id, **values):
    return {"$dtId": id, "$metadata": {"$model": "dtmi:test:Pump;1"}, "drive": {"$metadata": {}}, **values}


class WithServer(Case):
    """One server for all tests of a class; each test has twins of its own."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        for model in (ASSET, DRIVE, PUMP):
            status, _, body = cls.server.http("POST", "/models", [model])
            assert status == 201, body

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def run_(self, *arguments, **options):
        return self.server.run(*arguments, **options)

    def pump(self, id, **values):
        status, _, body = self.server.http("PUT", "/digitaltwins/" + id, twin(id, **values))
        self.assertEqual(status, 200, body)
        return id


class Help(Case):
    def test_every_command_has_help_with_examples(self):
        for command in COMMANDS:
            r = self.ok(run(*command.split(), "--help"))
            self.assertIn("Usage: sosia " + command, r.out)
            self.assertIn("Examples\n  sosia " + command.split()[0], r.out)
            self.assertEqual(self.ok(run("help", *command.split())).out, r.out)
            for line in r.out.splitlines():
                self.assertLessEqual(len(line), 120, line)

    def test_list_of_commands(self):
        r = self.ok(run("help"))
        for command in COMMANDS:
            self.assertRegex(r.out, r"(?m)^  %s +\w" % command)
        self.assertEqual(self.ok(run()).out, r.out)
        self.assertEqual(self.ok(run("--help")).out, r.out)

    def test_version(self):
        self.assertRegex(self.ok(run("version")).out, r"^sosia \d+\.\d+\.\d+\n$")
        self.assertRegex(self.ok(run("version", "--json")).json["version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(run("--version").out, run("version").out)

    def test_misspelt_commands_and_options(self):
        r = run("wacth")
        self.assertEqual(r.code, 4)
        self.assertIn("did you mean: sosia watch", r.err)
        self.assertIn("did you mean: sosia worlds fork", run("worlds", "frok", "x").err)
        r = run("get", "--relationship", "x")
        self.assertEqual(r.code, 4)
        self.assertIn("did you mean --relationships?", r.err)
        r = run("set", "x")
        self.assertEqual(r.code, 4)
        self.assertIn("usage: sosia set TWIN PATH VALUE", r.err)

    def test_errors_as_json(self):
        r = run("get", "--nonsense", "--json")
        self.assertEqual((r.code, r.out), (4, ""))
        self.assertEqual(json.loads(r.err)["error"]["code"], "InvalidArgument")


class Serve(Case):
    def test_ready_line_and_graceful_end(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            server = self.serve(path=self.file("w.sosia"))
            self.assertRegex(server.ready["url"], r"^http://127\.0\.0\.1:\d+$")
            self.assertEqual(server.get("/worlds")[0]["name"] if isinstance(server.get("/worlds"), list)
                             else server.get("/worlds")["value"][0]["name"], "live")
            self.assertEqual(server.stop(sig), 0)

    def test_text_ready_line(self):
        p = subprocess.Popen([kit.SOSIA, "serve", "--memory", "--http", "127.0.0.1:0"], stdout=subprocess.PIPE,
                             text=True)
        line = p.stdout.readline()
        p.terminate()
        rest = p.stdout.read()
        p.stdout.close()
        self.assertEqual(p.wait(60 * kit.SLOW), 0)
        self.assertRegex(line, r"^sosia [\d.]+ ready at http://127\.0\.0\.1:\d+ \(in memory, \d+ ms\)\n$")
        self.assertEqual(rest, "")

    def test_needs_to_know_where_the_world_lives(self):
        r = run("serve")
        self.assertEqual(r.code, 4)
        self.assertIn("--data plant.sosia", r.err)
        self.assertEqual(run("serve", "--memory", "--data", "x").code, 4)
        self.assertEqual(run("serve", "--memory", "--https", "127.0.0.1:0").code, 4)

    def test_refuses_the_network_without_tokens(self):
        r = run("serve", "--memory", "--http", "0.0.0.0:0")
        self.assertEqual(r.code, 7, r)

    def test_a_file_that_is_no_world(self):
        path = self.file("notes.txt", "this is not a database\n" * 200)
        r = run("serve", "--data", path, "--http", "127.0.0.1:0")
        self.assertEqual(r.code, 9, r)
        self.assertIn("notes.txt", r.err)

    def test_port_in_use(self):
        server = self.serve()
        r = run("serve", "--memory", "--http", server.url[7:])
        self.assertEqual(r.code, 9, r)
        self.assertIn(server.url[7:], r.err)

    def test_tokens(self):
        tokens = self.file("tokens", "first-token\n# a comment\nsecond-token\n")
        server = self.serve("--http", "127.0.0.1:0", "--token-file", tokens)
        r = server.run("get")
        self.assertEqual(r.code, 7)
        self.assertIn("--token-file", r.err)
        self.ok(server.run("get", "--token-file", tokens))
        self.ok(server.run("get", SOSIA_TOKEN="second-token"))
        self.assertEqual(server.run("get", SOSIA_TOKEN="third-token").code, 7)
        self.file("tokens", "third-token\n")
        server.process.send_signal(signal.SIGHUP)  # read again, nobody cut off
        until(lambda: server.run("get", SOSIA_TOKEN="third-token").code == 0, what="the new token")
        self.assertEqual(server.run("get", SOSIA_TOKEN="first-token").code, 7)

    def test_https(self):
        cert, key = self.file("c.pem"), self.file("k.pem")
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
                               "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                              capture_output=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        server = self.serve("--https", "127.0.0.1:0", "--cert", cert, "--key", key)
        self.assertTrue(server.url.startswith("https://"))
        self.ok(server.run("get", "--ca", cert))
        self.ok(server.run("get", "--insecure"))
        self.assertEqual(server.run("get").code, 10)


class Unreachable(Case):
    def test_says_how_to_start_it(self):
        for command in (("get",), ("set", "a", "b", "1"), ("models",), ("worlds",), ("watch",), ("ingest",)):
            r = run(*command, "--url", "http://127.0.0.1:9", text="{}\n")
            self.assertEqual(r.code, 10, r)
            self.assertIn("no server answers at http://127.0.0.1:9", r.err)
            self.assertIn("start it with: sosia serve", r.err)

    def test_an_url_that_is_none(self):
        r = run("get", "--url", "localhost:7474")
        self.assertEqual(r.code, 4)
        self.assertIn("http://", r.err)


class Models(Case):
    def test_add_list_show(self):
        server = self.serve()
        self.file("m/Pump.json", "\ufeff" + json.dumps(PUMP, indent=2))  # a byte order mark is fine
        self.file("m/parts/rest.json", [DRIVE, ASSET])
        self.file("m/notes.txt", "not a model")
        r = self.ok(server.run("models", "add", self.file("m")))
        self.assertEqual(r.out, "3 models added\n")
        self.assertEqual(sorted(m["id"] for m in self.ok(server.run("models", "list", "--json")).json),
                         ["dtmi:test:Asset;1", "dtmi:test:Drive;1", "dtmi:test:Pump;1"])
        self.assertRegex(self.ok(server.run("models")).out, r"dtmi:test:Pump;1 +Pump")
        shown = self.ok(server.run("models", "show", "dtmi:test:Pump;1")).out
        self.assertRegex(shown, r"Property +flow +double +m³/h")
        self.assertRegex(shown, r"Property +drive\.temperature +double +°C +dtmi:test:Drive;1")
        self.assertRegex(shown, r"Property +label +string +dtmi:test:Asset;1")
        self.assertEqual(self.ok(server.run("models", "show", "dtmi:test:Pump;1", "--json")).json["model"], PUMP)
        self.assertEqual(json.loads(self.ok(server.run("models", "show", "dtmi:test:Pump;1", "--dtdl")).out), PUMP)

        r = server.run("models", "add", self.file("m"))
        self.assertEqual(r.code, 6, r)
        self.assertIn("--skip-existing", r.err)
        self.assertEqual(self.ok(server.run("models", "add", self.file("m"), "--skip-existing", "--json")).json,
                         {"added": 0, "skipped": 3})
        r = server.run("models", "show", "dtmi:test:Nothing;1")
        self.assertEqual(r.code, 3, r)

    def test_a_model_that_is_wrong(self):
        server = self.serve()
        bad = dict(ASSET, contents=[{"@type": "Property", "name": "x", "schema": "dubble"}])
        r = server.run("models", "add", self.file("bad.json", bad))
        self.assertEqual(r.code, 4, r)
        self.assertIn("dtmi:test:Asset;1", r.err)
        r = server.run("models", "add", self.file("broken.json", '{"@id": \n "dtmi:x;1",, }'))
        self.assertEqual(r.code, 4, r)
        self.assertIn("broken.json:2", r.err)
        self.assertEqual(server.run("models", "add", self.file("nothing.json")).code, 9)
        self.assertEqual(self.ok(server.run("models", "--json")).json, [])

    def test_hundreds_in_one_go(self):
        server = self.serve()
        models = [{"@context": "dtmi:dtdl:context;3", "@id": "dtmi:many:M%d;1" % i, "@type": "Interface",
                   **({"extends": "dtmi:many:M%d;1" % (i - 1)} if i % 9 else {})} for i in range(600)]
        models.reverse()  # children first: the command puts them in order
        self.assertEqual(self.ok(server.run("models", "add", self.file("many.json", models))).out, "600 models added\n")
        self.assertEqual(len(self.ok(server.run("models", "list", "--json")).json), 600)


class Get(WithServer):
    def test_twin(self):
        self.pump("get-1", flow=41.5, on=True, label="Überpumpe 水", starts=9007199254740993,
                  drive={"temperature": 55.25, "$metadata": {}})
        out = self.ok(self.run_("get", "get-1")).out
        self.assertIn("dtmi:test:Pump;1", out)
        self.assertRegex(out, r"flow +41\.5 +m³/h +(now|\d+ s old)")
        self.assertRegex(out, r"drive\.temperature +55\.25 +°C")
        self.assertRegex(out, r"label +Überpumpe 水")
        self.assertRegex(out, r"starts +9007199254740993")
        self.assertNotIn("\x1b", out)
        doc = self.ok(self.run_("get", "get-1", "--json")).json
        self.assertEqual((doc["$dtId"], doc["flow"], doc["starts"]), ("get-1", 41.5, 9007199254740993))
        self.assertEqual(self.ok(self.run_("get", "get-1", "-c", "drive", "--json")).json["temperature"], 55.25)
        self.assertRegex(self.ok(self.run_("get", "get-1", "-c", "drive")).out, r"temperature +55\.25")

    def test_not_there(self):
        r = self.run_("get", "nobody")
        self.assertEqual(r.code, 3)
        self.assertIn("sosia get", r.err)
        self.assertEqual(json.loads(self.run_("get", "nobody", "--json").err)["error"]["code"], "DigitalTwinNotFound")
        self.pump("get-2")
        self.assertEqual(self.run_("get", "get-2", "-c", "nothing").code, 3)
        self.assertEqual(self.run_("get", "get-2", "--world", "nowhere").code, 3)

    def test_relationships(self):
        for id in ("rel-1", "rel-2", "rel-3"):
            self.pump(id)
        for target in ("rel-2", "rel-3"):
            status, _, body = self.server.http("PUT", "/digitaltwins/rel-1/relationships/to-" + target, {
                "$relationshipName": "feeds", "$targetId": target, "capacity": 12.5})
            self.assertEqual(status, 200, body)
        out = self.ok(self.run_("get", "rel-1", "--relationships")).out
        self.assertRegex(out, r"feeds +rel-3 +to-rel-3 +capacity 12\.5")
        self.assertEqual(len(self.ok(self.run_("get", "rel-1", "-r", "--json")).json), 2)
        incoming = self.ok(self.run_("get", "rel-2", "--incoming", "--json")).json
        self.assertEqual([i["$sourceId"] for i in incoming], ["rel-1"])
        self.assertRegex(self.ok(self.run_("get", "rel-2", "-i")).out, r"feeds +rel-1 +to-rel-2")
        self.assertEqual(self.ok(self.run_("get", "rel-3", "-r", "--json")).json, [])
        self.assertEqual(self.run_("get", "rel-3", "-r", "-i").code, 4)

    def test_lists_follow_pages(self):
        lines = "".join(json.dumps(twin("page-%04d" % i)) + "\n" for i in range(2500))
        self.ok(self.run_("import", "-", text=lines))
        ids = [t["$dtId"] for t in self.ok(self.run_("get", "--json", "--limit", "100000")).json]
        self.assertEqual([i for i in ids if i.startswith("page-")], ["page-%04d" % i for i in range(2500)])
        self.assertEqual(len(self.ok(self.run_("get", "--json", "--limit", "7")).json), 7)
        self.assertEqual(self.ok(self.run_("get", "--model", "dtmi:test:Drive;1", "--json")).json, [])
        self.assertGreaterEqual(len(self.ok(self.run_("get", "--model", "dtmi:test:Asset;1", "--json")).json), 1000)

    def test_strange_ids_and_values_cannot_steer_the_terminal(self):
        status, _, body = self.server.http("PUT", "/digitaltwins/a%2Fb%20c%3F", twin("a/b c?", label="x\x1b[2Jy\nz"))
        self.assertEqual(status, 200, body)
        out = self.ok(self.run_("get", "a/b c?")).out
        self.assertIn("x\\x1b[2Jy\\nz", out)
        self.assertNotIn("\x1b", out)


class Set(WithServer):
    def test_round_trip(self):
        self.pump("set-1", flow=1.0)
        self.ok(self.run_("set", "set-1", "flow", "2.5", "on", "true", "label", "main pump", "drive.temperature",
                          "-4e1", "tags", '{"a":"b"}'))
        doc = self.server.twin("set-1")
        self.assertEqual((doc["flow"], doc["on"], doc["label"], doc["drive"]["temperature"], doc["tags"]),
                         (2.5, True, "main pump", -40, {"a": "b"}))
        self.ok(self.run_("set", "set-1", "/tags/c", "d", "label", "42", "--text"))
        doc = self.server.twin("set-1")
        self.assertEqual((doc["tags"], doc["label"]), ({"a": "b", "c": "d"}, "42"))
        self.ok(self.run_("set", "set-1", "flow", "on", "--unset"))
        self.assertNotIn("flow", self.server.twin("set-1"))

    def test_all_or_nothing(self):
        self.pump("set-2", flow=1.0)
        r = self.run_("set", "set-2", "flow", "7", "on", "maybe")
        self.assertEqual(r.code, 4, r)
        self.assertEqual(r.err.count('expected boolean, got string "maybe"'), 1, r)
        self.assertEqual(self.server.twin("set-2")["flow"], 1.0)
        self.assertEqual(self.run_("set", "set-2", "flow").code, 4)
        self.assertEqual(self.run_("set", "nobody", "flow", "1").code, 3)

    def test_etags(self):
        self.pump("set-3", flow=1.0)
        etag = self.server.twin("set-3")["$etag"]
        new = self.ok(self.run_("set", "set-3", "flow", "2", "--if-match", etag, "--json")).json["etag"]
        self.assertNotEqual(new, etag)
        self.assertEqual(self.run_("set", "set-3", "flow", "3", "--if-match", etag).code, 6)
        self.assertEqual(self.server.twin("set-3")["flow"], 2)


class Ingest(WithServer):
    def test_file_and_stdin(self):
        self.pump("in-1")
        lines = [json.dumps({"id": "in-1", "property": "flow", "value": i, "time": "2026-01-01T00:00:%02dZ" % i})
                 for i in range(50)]
        path = self.file("v.ndjson", "\n".join(lines[:49]))
        self.assertEqual(self.ok(self.run_("ingest", path, "--json", "--batch", "10")).json,
                         {"accepted": 49, "rejected": 0, "requests": 5, "errors": []})
        self.assertEqual(self.server.twin("in-1")["flow"], 48)
        self.assertRegex(self.ok(self.run_("ingest", text=lines[49])).out, r"^1 value accepted in ")
        self.assertEqual(self.server.twin("in-1")["flow"], 49)
        # Accepted, but not to be seen: the clock of the source may be wrong.
        r = self.ok(self.run_("ingest", text=lines[3]))
        self.assertRegex(r.out, r"^1 value accepted in ")
        self.assertRegex(r.err, r"1 of them late: .*\n.*clock")
        self.assertEqual(self.server.twin("in-1")["flow"], 49)
        meta = self.server.twin("in-1")["$metadata"]["flow"]
        self.assertTrue(meta["sourceTime"].startswith("2026-01-01T00:00:49"))

    def test_bad_lines_are_told_good_ones_applied(self):
        self.pump("in-2")
        lines = ['{"id":"in-2","property":"flow","value":1}', "", "nonsense",
                 '{"id":"in-9","property":"flow","value":1}',
                 '{"id":"in-2","property":"flow","value":"fast"}', '{"id":"in-2","property":"starts","value":5}']
        r = self.run_("ingest", "-", "--json", text="\n".join(lines))
        self.assertEqual(r.code, 4, r)
        self.assertEqual((r.json["accepted"], r.json["rejected"]), (2, 3))
        self.assertEqual([e["line"] for e in r.json["errors"]], [3, 4, 5])
        self.assertEqual(r.json["errors"][1]["code"], "DigitalTwinNotFound")
        doc = self.server.twin("in-2")
        self.assertEqual((doc["flow"], doc["starts"]), (1, 5))

    def test_csv(self):
        self.pump("in-4")
        self.pump("in-5")
        path = self.file("v.csv", 'id,flow,label\r\nin-4,1.5,"two\nlines, ""quoted"""\nin-5,2.5,\nin-5,fast,x\n')
        r = self.run_("ingest", path, "--json", "--batch", "1")
        self.assertEqual(r.code, 4, r)
        self.assertEqual((r.json["accepted"], r.json["rejected"]), (4, 1))
        self.assertEqual([e["line"] for e in r.json["errors"]], [5])
        self.assertEqual(self.server.twin("in-4")["label"], 'two\nlines, "quoted"')
        self.assertEqual((self.server.twin("in-5")["flow"], self.server.twin("in-5")["label"]), (2.5, "x"))
        self.ok(self.run_("ingest", "--csv", text="id,property,value,time\nin-4,flow,9,2026-01-01T00:00:00Z\n"))
        self.assertEqual(self.server.twin("in-4")["flow"], 9)

    def test_nothing_but_bad_lines(self):
        r = self.run_("ingest", "--json", text='{"id":"nobody","property":"flow","value":1}\n\n{"id":7}\n')
        self.assertEqual(r.code, 4, r)
        self.assertEqual((r.json["accepted"], [e["line"] for e in r.json["errors"]]), (0, [1, 3]))
        r = self.run_("import", self.file("t.json", [twin("x-1", flow="fast")]), "--json")
        self.assertEqual((r.code, r.json["twins"]), (4, {"added": 0, "failed": 1}))
        self.assertIn("flow", r.json["errors"][0]["message"])

    def test_a_live_pipe_is_not_kept_waiting(self):
        self.pump("in-3")
        p = subprocess.Popen([kit.SOSIA, "ingest", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env=kit.environment(SOSIA_URL=self.server.url))
        for value in (1.5, 2.5):
            p.stdin.write(json.dumps({"id": "in-3", "property": "flow", "value": value}) + "\n")
            p.stdin.flush()
            until(lambda: self.server.twin("in-3").get("flow") == value, what="the value")
        out, _ = p.communicate(timeout=60 * kit.SLOW)
        self.assertEqual((p.returncode, json.loads(out)["accepted"]), (0, 2))


class Replay(WithServer):
    CSV = "time,value,temp,state\n2026-01-01 00:00:00,1.5,20,on\n2026-01-01 00:00:01,,21,off\n" \
          "2026-01-01 00:00:02,0.33399999999999996,,on\n"

    def test_flat_out(self):
        self.pump("re-1")
        path = self.file("s.csv", self.CSV)
        r = self.ok(self.run_("replay", path, "--twin", "re-1", "--property", "flow", "--speed", "max", "--json"))
        self.assertEqual(r.json["accepted"], 2)
        doc = self.server.twin("re-1")
        self.assertEqual(doc["flow"], 0.33399999999999996)
        self.assertTrue(doc["$metadata"]["flow"]["sourceTime"].startswith("2026-01-01T00:00:02"))

    def test_columns_to_properties(self):
        self.pump("re-2")
        self.pump("re-3")
        path = self.file("s.csv", self.CSV)
        r = self.ok(self.run_("replay", path, "--twin", "re-2", "--map", "value=flow", "-m", "temp=drive.temperature",
                              "-m", "state=re-3:label", "-s", "max", "--json"))
        self.assertEqual(r.json["accepted"], 7)
        doc = self.server.twin("re-2")
        self.assertEqual((doc["flow"], doc["drive"]["temperature"]), (0.33399999999999996, 21))
        self.assertEqual(self.server.twin("re-3")["label"], "on")

    def test_pace(self):
        self.pump("re-4")
        path = self.file("s.csv", "time,value\n2026-01-01 00:00:00,1\n2026-01-01 00:02:00,2\n")
        start = time.monotonic()
        self.ok(self.run_("replay", path, "--twin", "re-4", "--property", "flow", "--speed", "240"))
        took = time.monotonic() - start
        self.assertGreater(took, 0.45)  # two minutes of data, 240 times faster
        self.assertLess(took, 60)

    def test_restamp(self):
        self.pump("re-5")
        path = self.file("s.csv", self.CSV)
        self.ok(self.run_("replay", path, "-t", "re-5", "-p", "flow", "-s", "max", "--restamp"))
        stamp = self.server.twin("re-5")["$metadata"]["flow"]["sourceTime"]
        self.assertGreater(stamp[:4], "2025")
        self.assertNotEqual(stamp[:19], "2026-01-01T00:00:02")

    def test_lines(self):
        self.pump("re-7")
        lines = [{"id": "re-7", "property": "flow", "value": 1.5, "time": "2026-01-01T00:00:00Z"},
                 {"id": "re-7", "property": "label", "value": "a\"b", "time": "2026-01-01T00:01:00Z"},
                 {"id": "re-7", "property": "flow", "value": 2.5, "time": "2026-01-01T00:02:00Z"}]
        path = self.file("s.ndjson", "".join(json.dumps(line) + "\n" for line in lines))
        start = time.monotonic()
        r = self.ok(self.run_("replay", path, "--speed", "240", "--json"))
        self.assertGreater(time.monotonic() - start, 0.45)
        self.assertEqual(r.json["accepted"], 3)
        doc = self.server.twin("re-7")
        self.assertEqual((doc["flow"], doc["label"]), (2.5, "a\"b"))
        self.assertTrue(doc["$metadata"]["flow"]["sourceTime"].startswith("2026-01-01T00:02:00"))
        self.ok(self.run_("replay", path, "--speed", "max", "--restamp"))
        self.assertGreater(self.server.twin("re-7")["$metadata"]["flow"]["sourceTime"][:10], "2026-01-01")
        bad = self.file("bad.ndjson", '{"id":"re-7","property":"flow","value":1}\n')
        r = self.run_("replay", bad)
        self.assertEqual(r.code, 4)
        self.assertIn("bad.ndjson:1: the line holds no time", r.err)

    def test_mistakes(self):
        self.pump("re-6")
        path = self.file("s.csv", self.CSV)
        r = self.run_("replay", path, "--twin", "re-6", "--value", "velocity")
        self.assertEqual(r.code, 4)
        self.assertIn("time, value, temp, state", r.err)
        self.assertEqual(self.run_("replay", path).code, 4)
        self.assertEqual(self.run_("replay", path, "-t", "re-6", "-p", "flow", "--speed", "fast").code, 4)
        self.assertEqual(self.run_("replay", self.file("none.csv"), "-t", "re-6").code, 9)
        bad = self.file("bad.csv", "t,v\n2026-01-01,1\nsoon,2\n")
        r = self.run_("replay", bad, "-t", "re-6", "-p", "flow", "-s", "max")
        self.assertEqual(r.code, 4)
        self.assertIn("bad.csv:3", r.err)

    def test_stops_when_nothing_can_be_accepted(self):
        """A twin or property that is not there; values that do not fit say nothing about those that follow."""
        self.pump("re-7")
        path = self.file("s.csv", "time,value\n" + "".join("2026-01-01 00:%02d:00,%d\n" % (i, i) for i in range(9)))
        for code, twin_, property_, reason, advice in (
                (3, "re-none", "flow", 's.csv:2: there is no twin "re-none"', "sosia get"),
                (4, "re-7", "flov", 's.csv:2: "flov" is not a property of', "sosia models show")):
            flat = ("replay", path, "-t", twin_, "-p", property_, "--batch", "2", "-s")
            for speed in ("max", "1"):  # eight minutes, had it gone on
                start = time.monotonic()
                r = self.run_(*flat, speed)
                self.assertEqual((r.code, r.out), (code, ""), r)
                self.assertIn(reason, r.err)
                self.assertIn(advice, r.err)
                self.assertNotIn("s.csv:3", r.err)
                self.assertLess(time.monotonic() - start, 60)
            self.assertEqual(json.loads(self.run_(*flat, "max", "--json").err)["error"]["code"],
                             {3: "DigitalTwinNotFound", 4: "ValidationFailed"}[code])
        late = self.file("late.csv", "time,value\n2026-01-01,soon\n2026-01-02,never\n2026-01-03,7\n")
        r = self.run_("replay", late, "-t", "re-7", "-p", "flow", "--batch", "2", "-s", "max", "--json")
        self.assertEqual((r.code, r.json["accepted"], r.json["rejected"]), (4, 1, 2))


class Import(WithServer):
    def test_every_format(self):
        link = {"$dtId": "im-1", "$relationshipId": "r1", "$relationshipName": "feeds", "$targetId": "im-2",
                "capacity": 2.5}
        self.file("g/a.json", {"digitalTwinsFileInfo": {"fileVersion": "1.0.0"}, "digitalTwinsGraph": {
            "digitalTwins": [twin("im-1"), twin("im-2")], "relationships": [link]}})
        self.file("g/b.ndjson", "\n".join(map(json.dumps, [
            {"Section": "Header"}, {"fileVersion": "1.0.0"},
            {"Section": "Models"}, dict(ASSET, **{"@id": "dtmi:test:New;1"}),
            {"Section": "Twins"}, twin("im-3"),
            {"Section": "Relationships"}, dict(link, **{"$dtId": "im-3"})])))
        self.file("g/c.json", [twin("im-4"), PUMP])
        r = self.ok(self.run_("import", self.file("g"), "--json"))
        self.assertEqual(r.json, {"models": {"added": 1, "failed": 0, "skipped": 1}, "twins": {"added": 4, "failed": 0},
                                  "relationships": {"added": 2, "failed": 0}, "failed": 0, "errors": []})
        self.assertEqual(self.server.get("/digitaltwins/im-3/relationships/r1")["capacity"], 2.5)
        again = self.ok(self.run_("import", self.file("g")))
        self.assertRegex(again.out, r"Models +0 +2 +0")

    def test_errors_have_file_and_line(self):
        path = self.file("e.ndjson", "\n".join([
            '{"Section":"Header"}', '{"fileVersion":"1.0.0"}', '{"Section":"Twins"}', json.dumps(twin("er-1")), "{oops",
            json.dumps(twin("er-2", flow="x")), "", json.dumps(twin("er-3"))]))
        r = self.run_("import", path, "--json")
        self.assertEqual(r.code, 4, r)
        self.assertEqual((r.json["twins"], r.json["failed"]), ({"added": 2, "failed": 1}, 2))
        self.assertEqual(sorted((os.path.basename(e["file"]), e["line"]) for e in r.json["errors"]),
                         [("e.ndjson", 5), ("e.ndjson", 6)])
        text = self.run_("import", path)
        self.assertIn("e.ndjson:6: ", text.err)
        self.assertEqual(self.server.http("GET", "/digitaltwins/er-2")[0], 404)
        self.server.twin("er-3")

    def test_dry_run_sends_nothing(self):
        r = self.ok(self.run_("import", self.file("d.json", [twin("dry-1")]), "--dry-run", "--json"))
        self.assertEqual(r.json["twins"]["added"], 1)
        self.assertEqual(self.server.http("GET", "/digitaltwins/dry-1")[0], 404)

    def test_large(self):
        n = 20000
        path = self.file("large.ndjson", "".join(json.dumps(twin("la-%05d" % i, flow=i)) + "\n" for i in range(n)))
        r = self.ok(self.run_("import", path, "--json"))
        self.assertEqual(r.json["twins"]["added"], n)
        self.assertEqual(self.server.twin("la-19999")["flow"], 19999)


class Worlds(WithServer):
    def test_fork_change_drop(self):
        self.pump("wo-1", flow=1.0)
        self.ok(self.run_("worlds", "fork", "try"))
        self.ok(self.run_("worlds", "fork", "try-2", "--from", "try"))
        self.assertEqual(self.run_("worlds", "fork", "try").code, 6)
        self.assertEqual(self.run_("worlds", "fork", "x", "--from", "nowhere").code, 3)
        self.ok(self.run_("set", "wo-1", "flow", "99", "--world", "try"))
        worlds = ((), ("-w", "live"), ("-w", "try"), ("-w", "try-2"))
        flows = [self.ok(self.run_("get", "wo-1", "--json", *w)).json["flow"] for w in worlds]
        self.assertEqual(flows, [1, 1, 99, 1])
        names = [w["name"] for w in self._list()]
        self.assertEqual(sorted(names), ["live", "try", "try-2"])
        self.assertRegex(self.ok(self.run_("worlds")).out, r"(?m)^try +live +\d")
        self.ok(self.run_("worlds", "drop", "try", "try-2"))
        self.assertEqual([w["name"] for w in self._list()], ["live"])
        self.assertEqual(self.run_("worlds", "drop", "try").code, 3)
        self.assertNotEqual(self.run_("worlds", "drop", "live").code, 0)

    def test_world_is_refused_where_it_means_nothing(self):
        self.ok(self.run_("worlds", "fork", "kept"))
        for words in (("list",), ("fork", "more"), ("drop", "kept")):
            for world in ("kept", "live", ""):
                r = self.run_("worlds", *words, "--world", world)
                self.assertEqual((r.code, r.out), (4, ""), r)
                self.assertIn("--world has no meaning here", r.err)
        self.assertEqual(sorted(w["name"] for w in self._list()), ["kept", "live"])
        self.ok(self.run_("worlds", "drop", "kept"))

    def _list(self):
        doc = self.ok(self.run_("worlds", "--json")).json
        return doc if isinstance(doc, list) else doc["value"]


class Watch(WithServer):
    def setUp(self):  # a server each: its count of listeners tells when a watch has begun
        super().setUp()
        self.server = self.serve()
        self.ok(self.server.run("import", self.file("models.json", [ASSET, DRIVE, PUMP])))

    def start(self, *arguments):
        p = subprocess.Popen([kit.SOSIA, "watch", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, env=kit.environment(SOSIA_URL=self.server.url))
        self.addCleanup(lambda: (p.kill(), p.wait(), p.stdout.close(), p.stderr.close()))
        return p

    def feed(self, id, value):
        self.ok(self.run_("ingest", text=json.dumps({"id": id, "property": "flow", "value": value,
                                                     "time": "2026-01-01T00:00:00Z"})))

    def test_lines(self):
        for id in ("wa-1", "wa-2", "other"):
            self.pump(id)
        p = self.start("wa-*", "--count", "2")
        self.server.await_streams()
        for id, value in (("wa-1", 4.5), ("other", 1), ("wa-2", 5.5)):
            self.feed(id, value)
        out, err = p.communicate(timeout=60 * kit.SLOW)
        self.assertEqual(p.returncode, 0, err)
        self.assertRegex(out, r"^\S+Z  wa-1  flow  4\.5 m³/h\n\S+Z  wa-2  flow  5\.5 m³/h\n$")

    def test_json_and_sequence(self):
        self.pump("wa-3")
        p = self.start("--json", "wa-3", "--count", "2")
        self.server.await_streams()
        for value in (1, 2):
            self.feed("wa-3", value)
        out, err = p.communicate(timeout=60 * kit.SLOW)
        self.assertEqual(p.returncode, 0, err)
        first, second = map(json.loads, out.splitlines())
        self.assertEqual(second["prev"], first["seq"])
        self.assertEqual([c["value"] for c in first["changes"] + second["changes"]], [1, 2])

    def test_for_a_while_and_interrupt(self):
        p = self.start()
        self.server.await_streams()
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(60 * kit.SLOW), 0)
        self.ok(self.run_("watch", "--for", "300ms"))

    def test_twin_that_is_not_there(self):
        self.assertEqual(self.run_("watch", "nobody", "--for", "60s").code, 3)

    def test_survives_a_restart_of_the_server(self):
        server, p = self.restartable()
        self.ok(server.run("set", "wa-9", "flow", "1"))
        server.kill()
        server.start()
        self.assertRegex(p.stdout.readline(), r"^\S+Z  wa-9  flow  1( m³/h)?$")  # before the kill, or after it
        server.await_streams()  # it is back
        self.ok(server.run("set", "wa-9", "flow", "2"))
        out, err = p.communicate(timeout=60 * kit.SLOW)
        self.assertEqual(p.returncode, 0, err)
        self.assertEqual(re.findall(r"flow  (\d m³/h)", out), ["2 m³/h"])
        self.assertIn("the server is gone", err)

    def test_catches_up_with_what_is_no_longer_kept(self):
        """A change comes and the server restarts while nobody listens: its message is gone, its value is not."""
        server, p = self.restartable()
        p.send_signal(signal.SIGSTOP)
        server.kill()
        server.start()
        self.ok(server.run("set", "wa-9", "flow", "1"))
        server.kill()
        server.start()
        p.send_signal(signal.SIGCONT)
        self.assertRegex(p.stdout.readline(), r"^\S+Z  wa-9  flow  1 m³/h$")
        self.ok(server.run("set", "wa-9", "flow", "2"))
        out, err = p.communicate(timeout=60 * kit.SLOW)
        self.assertEqual(re.findall(r"flow  (\d)", out), ["2"])

    def restartable(self):
        """A server that keeps its address, and a watch of it that ends after two changes."""
        server = self.serve(path=self.file("w.sosia"))
        server.arguments = ["--http", server.url[7:]]
        self.ok(server.run("import", self.file("g.json", [ASSET, DRIVE, PUMP, twin("wa-9")])))
        p = subprocess.Popen([kit.SOSIA, "watch", "--lines", "--property", "flow", "--count", "2"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=kit.environment(SOSIA_URL=server.url))
        self.addCleanup(lambda: (p.kill(), p.wait(), p.stdout.close(), p.stderr.close()))
        server.await_streams()
        return server, p


class Terminal(WithServer):
    """What a person sees: colours and tables only on a terminal, a live screen that puts the terminal back."""

    def screen(self, *arguments, keys=(), **env):
        """(exit code, all output) of a command on a terminal. keys: (text to wait for, bytes to type then), in order;
        the text is looked for behind what was typed before."""
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
            os.environ.update(kit.environment(SOSIA_URL=self.server.url, TERM="xterm", **env))
            for name in ("NO_COLOR",):
                if name not in env:
                    os.environ.pop(name, None)
            os.execv(kit.SOSIA, [kit.SOSIA, *arguments])
        out, seen, keys, end = b"", 0, list(keys), time.monotonic() + 60 * kit.SLOW
        while time.monotonic() < end:
            if keys and keys[0][0].encode() in out[seen:]:
                seen = len(out)
                os.write(fd, keys.pop(0)[1])
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    chunk = os.read(fd, 65536)
                except OSError:
                    break
                if not chunk:
                    break
                out += chunk
        else:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(fd)
        return os.waitstatus_to_exitcode(status), out.decode("utf-8", "replace")

    def test_colours_only_when_wanted(self):
        self.pump("te-1", flow=1)
        code, out = self.screen("get", "te-1")
        self.assertEqual(code, 0)
        self.assertIn("\x1b[1m", out)
        code, out = self.screen("get", "te-1", NO_COLOR="1")
        self.assertNotIn("\x1b[", out)

    def test_watch_screen(self):
        self.pump("te-2")
        self.ok(self.run_("ingest", text='{"id":"te-2","property":"flow","value":7.25,"time":"2026-01-01T00:00:00Z"}'))
        code, out = self.screen("watch", "te-2", keys=[("7.25", b"s"), ("sort: latest", b"q")])
        self.assertEqual(code, 0)
        self.assertIn("\x1b[?1049h", out)
        self.assertTrue(out.rstrip().endswith("\x1b[?1049l"))
        self.assertIn("7.25", out)
        self.assertIn("sort: latest", out)
        self.assertIn("q quit", out)

    def test_stale_values_are_marked(self):
        self.pump("te-3")
        self.ok(self.run_("ingest", text='{"id":"te-3","property":"flow","value":3,"time":"2026-01-01T00:00:00Z"}'))
        self.ok(self.run_("set", "te-3", "label", "set by hand"))
        out = until(lambda: [o for o in [self.ok(self.run_("get", "te-3", "--stale-after", "1s")).out] if "stale" in o],
                    what="an old value")[0]
        self.assertRegex(out, r"flow +3 +m³/h +\d+ s old, stale")
        self.assertRegex(out, r"label +set by hand +(now|\d+ s old)(?!, stale)")
        code, out = self.screen("watch", "te-3", "--stale-after", "1s", keys=[("1 stale", b"q")])
        self.assertIn("stale", out)
        self.assertIn("1 stale", out)

    def test_progress_line(self):
        path = self.file("p.ndjson", "".join(json.dumps(twin("pr-%06d" % i)) + "\n" for i in range(30000)))
        code, out = self.screen("import", path)
        self.assertEqual(code, 0, out)
        self.assertRegex(out, r"[█▏▎▍▌▋▊▉░]{24} +\d+ %  [\d ]+ of 30 000 twins  \S+( \S)?/s")
        self.assertRegex(out, r"Twins +.*30 000")


class Bench(WithServer):
    def test_measures_and_cleans_up(self):
        before = len(self.ok(self.run_("get", "--json", "--limit", "100000")).json)
        r = self.ok(self.run_("bench", "--for", "1s", "--connections", "2", "--twins", "50", "--json"))
        rows = [json.loads(line) for line in r.out.splitlines()]
        self.assertEqual([row["part"] for row in rows], ["get", "patch", "ingest"])
        for row in rows:
            self.assertEqual(row["failed"], 0)
            self.assertGreater(row["values_per_s"], 0)
            self.assertGreaterEqual(row["p99_ms"], row["p50_ms"])
        self.assertEqual(len(self.ok(self.run_("get", "--json", "--limit", "100000")).json), before)
        self.assertEqual(self.server.http("GET", "/models/dtmi%3Asosia%3Abench%3AProbe%3B1")[0], 404)
        self.assertEqual(self.run_("bench", "--only", "nothing").code, 4)


if __name__ == "__main__":
    kit.main()
