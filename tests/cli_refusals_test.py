#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""What `sosia` says when something is wrong: the reason in plain words, the place, the right exit code."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, run  # noqa: E402


class Serve(Case):
    def refused(self, code, part, *arguments):
        r = run("serve", *arguments, timeout=120)
        self.assertEqual(r.code, code, r)
        self.assertIn(part, r.err)
        self.assertNotIn("OpenSSL", r.err)
        self.assertNotIn("error:0", r.err)
        return r

    def test_world_file(self):
        r = self.refused(9, "No such file or directory", "--data", "/nowhere/plant.sosia")
        self.assertEqual(r.err.count("/nowhere/plant.sosia"), 1, r)
        server = self.serve(path=self.file("w.sosia"))
        r = self.refused(9, "another process has the store open", "--data", server.path, "--http", "127.0.0.1:0")
        self.assertEqual(r.err.count(server.path), 1, r)

    @unittest.skipIf(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), "needs another user")
    def test_world_file_that_cannot_be_written(self):
        path = self.file("ro.sosia")
        self.serve(path=path).stop()
        os.chmod(os.path.dirname(path), 0o755)
        os.chmod(path, 0o444)
        drop = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
        done = subprocess.run([*drop, kit.SOSIA, "serve", "--data", path, "--http", "127.0.0.1:0"], timeout=120,
                              capture_output=True, text=True, env=kit.environment())
        self.assertEqual(done.returncode, 9, done)
        self.assertIn("cannot be written", done.stderr)

    def test_token_file_that_others_can_write(self):
        tokens = self.file("tokens", "a-token\n")
        for mode, warned in ((0o600, 0), (0o644, 0), (0o664, 1), (0o666, 1)):
            os.chmod(tokens, mode)
            p = subprocess.Popen([kit.SOSIA, "serve", "--memory", "--http", "127.0.0.1:0", "--json", "--token-file",
                                  tokens], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            p.stdout.readline()
            p.terminate()
            out, err = p.communicate(timeout=120)
            self.assertEqual((p.returncode, out), (0, ""))
            self.assertEqual(err.count("can write the token file"), warned, err)

    def test_certificate_and_key(self):
        made = []
        for name in ("a", "b"):
            cert, key = self.file(name + "-cert.pem"), self.file(name + "-key.pem")
            done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                                   "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"],
                                  capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            made.append((cert, key))
        notes = self.file("notes.txt", "no certificate")
        (cert, key), (_, other) = made
        for part, c, k in [("certificate /nowhere: No such file", "/nowhere", key),
                           ("key /nowhere: No such file", cert, "/nowhere"),
                           ("nothing usable", notes, key), ("nothing usable", cert, notes),
                           ("nothing usable", cert, cert), ("does not belong to the certificate", cert, other)]:
            self.refused(4, part, "--memory", "--https", "127.0.0.1:0", "--cert", c, "--key", k)

    def test_bounds_are_told(self):
        self.refused(4, "between 1 and 2", "--memory", "--io-threads", "3")
        self.refused(5, "more than 16 times", "--memory", "--http", "127.0.0.1:0", *["--host", "a"] * 17)


PUMP = {"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Pump;1", "@type": "Interface",
        "extends": "dtmi:test:Asset;1", "contents": [
            {"@type": "Property", "name": "state", "schema": {
                "@type": "Enum", "valueSchema": "string", "enumValues": [
                    {"name": "off", "enumValue": "off"}, {"name": "on", "enumValue": "on"}]}},
            {"@type": "Component", "name": "drive", "schema": "dtmi:test:Drive;1"}]}
ASSET = {"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Asset;1", "@type": "Interface",
         "contents": [{"@type": "Property", "name": "label", "schema": "string"}]}
DRIVE = {"@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"], "@id": "dtmi:test:Drive;1",
         "@type": "Interface", "extends": "dtmi:test:Asset;1", "contents": [
             {"@type": ["Property", "Temperature"], "name": "temperature", "schema": "double",
              "unit": "degreeCelsius"}]}


class Client(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = kit.Server()
        status, _, body = cls.server.http("POST", "/models", [ASSET, DRIVE, PUMP])
        assert status == 201, body
        twin = {"$metadata": {"$model": "dtmi:test:Pump;1"},
                "drive": {"$metadata": {}, "temperature": 40.5, "label": "a\u202eb\u2066\x1b[31m"}}
        assert cls.server.http("PUT", "/digitaltwins/p", twin)[0] == 200

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def test_an_empty_name_is_refused(self):
        for words in (["get", ""], ["set", "", "state", "on"], ["worlds", "fork", ""], ["models", "show", ""]):
            r = self.server.run(*words)
            self.assertEqual((r.code, r.out), (4, ""), r)
            self.assertIn("is empty", r.err)
        self.ok(self.server.run("set", "p", "drive.label", "x"))
        self.ok(self.server.run("set", "p", "drive.label", ""))

    def test_models_show_tells_how_values_are_named(self):
        shown = self.ok(self.server.run("models", "show", "dtmi:test:Pump;1")).out
        rows = [line.split() for line in shown.splitlines()]
        self.assertIn(["Property", "state", "Enum:", "off,", "on"], rows)
        self.assertIn(["Property", "drive.temperature", "double", "\u00b0C", "dtmi:test:Drive;1"], rows)
        self.assertIn(["Property", "drive.label", "string", "dtmi:test:Asset;1"], rows)
        self.assertIn(["Property", "label", "string", "dtmi:test:Asset;1"], rows)
        self.assertFalse([row for row in rows if row[1:2] == ["temperature"]])

    def test_a_component_has_its_units(self):
        r = self.ok(self.server.run("get", "p", "--component", "drive"))
        self.assertRegex(r.out, r"temperature +40.5 +\u00b0C")
        self.assertIn("p  drive  dtmi:test:Pump;1", r.out)

    def test_nothing_turns_the_writing_direction(self):
        self.ok(self.server.run("set", "p", "drive.label", "a\u202eb\u2066\x1b[31m"))
        r = self.ok(self.server.run("get", "p"))
        self.assertIn("a\\u202eb\\u2066\\x1b[31m", r.out)

    def test_no_server(self):
        self.assertIn("start it with", run("get", "--url", "http://127.0.0.1:1").err)
        r = run("get", "--url", "https://127.0.0.1:1")
        self.assertEqual(r.code, 10)
        self.assertNotIn("start it with", r.err)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([kit.SOSIA, "get", "--url", self.server.url], stdout=full, stderr=subprocess.PIPE,
                                  text=True, env=kit.environment())
        self.assertEqual(done.returncode, 9)
        self.assertIn("No space left", done.stderr)

    def test_durations_are_longer_than_nothing(self):
        self.assertEqual(self.server.run("watch", "--for", "0s", timeout=120).code, 4)

    def test_import_tells_the_line_once(self):
        path = self.file("b.ndjson", '{"$dtId":"a","$metadata":{"$model":"dtmi:test:Pump;1"}}\n  {"$dtId" 1}\n')
        self.assertIn("b.ndjson:2: column 12: ':' is expected\n", self.server.run("import", path, "--dry-run").err)
        path = self.file("b.json", '{\n  "$dtId" 1}\n')
        self.assertIn("b.json:2: column 11: ':' is expected\n", self.server.run("import", path, "--dry-run").err)

    def test_import_names_what_it_refuses(self):
        twins = [{"$dtId": name, "$metadata": {"$model": "dtmi:test:Pump;1"}} for name in ("left", "right")]
        r = self.server.run("import", self.file("twins.json", twins))
        self.assertEqual(r.code, 4)
        for name in ("left", "right"):
            self.assertIn("%s: component \"drive\" is missing" % name, r.err)
        os.makedirs(self.file("none"))
        self.assertEqual(self.server.run("import", self.file("none")).code, 4)

    def test_a_model_may_come_twice(self):
        """Alone and in a bulk file, as in many a folder of samples."""
        model = {"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Twice;1", "@type": "Interface"}
        self.file("both/a.json", model)
        self.file("both/b.json", [dict(model, displayName="Twice")])
        r = self.ok(self.server.run("import", self.file("both")))
        self.assertRegex(r.out, r"Models +1 +1 +0")
        self.assertIn("1 model came again", r.err)


if __name__ == "__main__":
    kit.main()
