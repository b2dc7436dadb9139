#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process serial
"""The main job on real material: published ontologies and sample graphs, real streams replayed at speed, and the
process killed on the way. What was acknowledged is there afterwards, exactly; nothing is half there.

SOSIA_KILL_ROUNDS  rounds of the kill test (20)      SOSIA_KILL_SEED  its seed (printed when it fails)
"""
import csv
import glob
import http.client
import json
import os
import random
import sys
import threading
import time
import urllib.parse
import zipfile
from xml.etree import ElementTree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case  # noqa: E402

STREAM = {"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Stream;1", "@type": "Interface", "contents": [
    {"@type": "Property", "name": "value", "schema": "double"}]}


def sheet_rows(path):
    """The rows of the first sheet of a workbook as lists of texts."""
    ns = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as z:
        strings = ["".join(t.text or "" for t in si.iter(ns + "t"))
                   for si in ElementTree.fromstring(z.read("xl/sharedStrings.xml")).iter(ns + "si")]
        for row in ElementTree.fromstring(z.read("xl/worksheets/sheet1.xml")).iter(ns + "row"):
            cells = [""] * 5
            for c in row.iter(ns + "c"):
                v = c.find(ns + "v")
                if v is not None and c.get("r")[0] in "ABCDE":
                    cells["ABCDE".index(c.get("r")[0])] = strings[int(v.text)] if c.get("t") == "s" else v.text
            yield cells


def graph_of_sheet(path):
    """(twins, relationships) of an explorer workbook: model, id, relationship from, relationship name, first values."""
    twins, links = {}, {}
    for model, id, source, name, init in list(sheet_rows(path))[1:]:
        if id and model and id not in twins:
            twins[id] = {"$dtId": id, "$metadata": {"$model": model}, **(json.loads(init) if init else {})}
        if source and name:
            links[(source, name, id)] = {"$dtId": source, "$relationshipId": "%s-%s-%s" % (source, name, id),
                                         "$relationshipName": name, "$targetId": id}
    return list(twins.values()), list(links.values())


def last_value(path):
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.reader(f))[-1]


def state_of(server):
    """Everything that a client can see: models, twins with etags and times, relationships."""
    twins = server.every("/digitaltwins")
    links = {t["$dtId"]: server.every("/digitaltwins/%s/relationships" % urllib.parse.quote(t["$dtId"], safe=""))
             for t in twins}
    return {"models": server.every("/models?includeModelDefinition=true"), "twins": twins, "links": links}


class RealMaterial(Case):
    def restart(self, server):
        server.kill()
        server.start()

    def test_ontologies(self):
        server = self.serve(path=self.file("w.sosia"))
        total = 0
        for name, count in (("smartcities", 63), ("energygrid", 113), ("building", 767)):
            folder = kit.data("dtdl-ontologies", "opendigitaltwins-" + name)
            r = self.ok(server.run("models", "add", folder, "--json"))
            self.assertEqual(r.json, {"added": count, "skipped": 0})
            total += count
        models = server.every("/models?includeModelDefinition=true")
        self.assertEqual(len(models), total)
        self.restart(server)
        self.assertEqual(server.every("/models?includeModelDefinition=true"), models)

    def test_bulk_sample(self):
        """It names its relationship properties in another case than its models do, and goes in whole all the same."""
        path = kit.data("adt-samples", "az-iot-cli", "import_data", "bulk-models-twins-relationships-valid.ndjson")
        server = self.serve(path=self.file("w.sosia"))
        r = self.ok(server.run("import", path, "--json"))
        self.assertEqual([r.json[k]["added"] for k in ("models", "twins", "relationships")], [10, 10, 10])
        link = server.get("/digitaltwins/twin3/relationships/relationship")
        self.assertEqual((link["$targetId"], link["relationshipproperty2"]), ("twin4", 10))
        before = state_of(server)
        self.restart(server)
        self.assertEqual(state_of(server), before)

    def test_damaged_bulk_sample(self):
        """Every third twin is damaged: each is told with its line, the others go in."""
        path = kit.data("adt-samples", "az-iot-cli", "import_data", "bulk-models-twins-relationships-valid.ndjson")
        server = self.serve()
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        twins = [i for i, line in enumerate(lines) if line.startswith('{"$dtId"') and "$metadata" in line]
        broken = twins[::3]
        for n, i in enumerate(broken):
            lines[i] = lines[i][:-2] if n % 2 else lines[i].replace("model", "nosuchmodel", 1)
        links = [i for i, line in enumerate(lines) if "$relationshipId" in line]
        lines = lines[:links[0] - 1]
        r = server.run("import", self.file("damaged.ndjson", "\n".join(lines)), "--json")
        self.assertEqual(r.code, 4)
        self.assertEqual(sorted(e["line"] for e in r.json["errors"]), [i + 1 for i in broken])
        self.assertEqual(r.json["twins"]["added"], len(twins) - len(broken))

    def test_explorer_graphs(self):
        folder = kit.data("adt-samples", "explorer-examples")
        server = self.serve(path=self.file("w.sosia"))
        self.ok(server.run("models", "add", folder))
        twins, links = {}, {}
        for book in sorted(glob.glob(os.path.join(folder, "*.xlsx"))):
            t, l = graph_of_sheet(book)
            self.assertTrue(t, book)
            name = os.path.basename(book)[:-5]
            r = self.ok(server.run("import", self.file(name + ".json", {"twins": t, "relationships": l}), "--json"))
            self.assertEqual((r.json["twins"]["added"], r.json["relationships"]["added"]), (len(t), len(l)))
            twins.update((x["$dtId"], x) for x in t)
            links.update(((x["$dtId"], x["$relationshipId"]), x) for x in l)
        self.assertGreater(len(twins), 60)
        self.assertGreater(len(links), 60)
        self.check_graph(server, twins, links)
        before = state_of(server)
        self.restart(server)
        self.assertEqual(state_of(server), before)
        self.check_graph(server, twins, links)

    def check_graph(self, server, twins, links):
        stored = {t["$dtId"]: t for t in server.every("/digitaltwins")}
        self.assertEqual(sorted(stored), sorted(twins))
        for id, t in twins.items():
            for key, value in t.items():
                if not key.startswith("$"):
                    self.assertEqual(stored[id][key], value, (id, key))
        found = {}
        for id in twins:
            for l in server.every("/digitaltwins/%s/relationships" % urllib.parse.quote(id)):
                found[(id, l["$relationshipId"])] = l
        self.assertEqual(sorted(found), sorted(links))
        for key, l in links.items():
            self.assertEqual(found[key]["$targetId"], l["$targetId"])
            self.assertEqual(found[key]["$relationshipName"], l["$relationshipName"])

    def test_streams(self):
        files = sorted(glob.glob(os.path.join(kit.data("nab", "data"), "*", "*.csv")))
        self.assertEqual(len(files), 32)
        server = self.serve(path=self.file("w.sosia"))
        self.ok(server.run("import", self.file("m.json", STREAM)))
        self.ok(server.run("import", self.file("t.json", [
            {"$dtId": os.path.basename(f)[:-4], "$metadata": {"$model": "dtmi:test:Stream;1"}} for f in files])))
        rows, start = 0, time.monotonic()
        for f in files:
            r = self.ok(server.run("replay", f, "--twin", os.path.basename(f)[:-4], "--property", "value", "--time",
                                   "timestamp", "--value", "value", "--speed", "max", "--json"))
            with open(f, encoding="utf-8") as text:
                count = sum(1 for line in text if line.strip()) - 1
            self.assertEqual((r.json["accepted"], r.json["rejected"]), (count, 0))
            rows += count
        print("%d values of 32 streams in %.2f s" % (rows, time.monotonic() - start))
        before = server.every("/digitaltwins")
        self.check_streams(before, files)
        self.restart(server)
        after = server.every("/digitaltwins")
        self.check_streams(after, files)
        self.assertEqual(after, before)

    def check_streams(self, twins, files):
        twins = {t["$dtId"]: t for t in twins}
        for f in files:
            stamp, value = last_value(f)
            t = twins[os.path.basename(f)[:-4]]
            self.assertEqual(float(t["value"]), float(value), f)
            self.assertEqual(t["$metadata"]["value"]["sourceTime"][:19], stamp.replace(" ", "T"), f)

    def test_everything_in_one_world(self):
        """Ontologies, graphs and streams together; killed while the last stream is still arriving."""
        server = self.serve(path=self.file("w.sosia"))
        for name in ("smartcities", "energygrid"):
            self.ok(server.run("models", "add", kit.data("dtdl-ontologies", "opendigitaltwins-" + name)))
        folder = kit.data("adt-samples", "explorer-examples")
        self.ok(server.run("models", "add", folder))
        t, l = graph_of_sheet(os.path.join(folder, "distributionGrid.xlsx"))
        stream = {"$dtId": "meter", "$metadata": {"$model": "dtmi:test:Stream;1"}}
        graph = {"models": [STREAM], "twins": t + [stream], "relationships": l}
        self.ok(server.run("import", self.file("g.json", graph)))
        file = kit.data("nab", "data", "realKnownCause", "machine_temperature_system_failure.csv")
        before = state_of(server)
        result = []
        replay = threading.Thread(target=lambda: result.append(server.run(
            "replay", file, "--twin", "meter", "--property", "value", "--speed", "max", "--batch", "20")))
        replay.start()
        kit.until(lambda: "value" in server.twin("meter"), what="the first value")
        server.kill()
        replay.join()
        self.assertEqual(result[0].code, 10, result[0])
        server.start()
        after = state_of(server)
        with open(file, newline="", encoding="utf-8") as f:
            values = {float(v) for _, v in list(csv.reader(f))[1:]}
        meter = next(t for t in after["twins"] if t["$dtId"] == "meter")
        self.assertIn(meter["value"], values)
        for state in (before, after):
            state["twins"] = [t for t in state["twins"] if t["$dtId"] != "meter"]
        self.assertEqual(after, before)


class Writer(threading.Thread):
    """Sets related values of its own twins to the same growing number, and makes twins, until the server dies. What was
    acknowledged is remembered; so is what was asked for last."""

    TWINS = 8

    def __init__(self, url, name, level, seed):
        super().__init__()
        self.address = url[7:]
        self.label, self.random = name, random.Random(seed)
        self.acknowledged, self.asked = level  # of the round before: asked for may be more than acknowledged
        self.made, self.linked = [], []

    def ask(self, connection, method, path, body, type):
        connection.request(method, path + "?api-version=2023-10-31", body, {"Content-Type": type})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 204):
            raise AssertionError("%s %s: %d %s" % (method, path, answer.status, text))
        return text

    def step(self, connection):
        n = self.asked + 1
        self.asked = n
        if self.random.random() < 0.5:  # one request, eight twins
            lines = "".join(json.dumps({"id": "%s-%d" % (self.label, i), "property": p, "value": n}) + "\n"
                            for i in range(self.TWINS) for p in ("a", "b"))
            text = self.ask(connection, "POST", "/ingest", lines, "application/x-ndjson")
            if json.loads(text)["accepted"] != 2 * self.TWINS:
                raise AssertionError(text)
        else:  # eight requests, each of a pair of values
            for i in range(self.TWINS):
                patch = json.dumps([{"op": "add", "path": "/" + p, "value": n} for p in ("a", "b")])
                self.ask(connection, "PATCH", "/digitaltwins/%s-%d" % (self.label, i), patch,
                         "application/json-patch+json")
        self.acknowledged = n
        if self.random.random() < 0.2:
            id = "%s-new-%d" % (self.label, n)
            self.ask(connection, "PUT", "/digitaltwins/" + id, json.dumps(pair(id, n)), "application/json")
            self.made.append((id, n))
            self.ask(connection, "PUT", "/digitaltwins/%s/relationships/r" % id, json.dumps(
                {"$relationshipName": "next", "$targetId": self.label + "-0"}), "application/json")
            self.linked.append(id)

    def run(self):
        connection = http.client.HTTPConnection(self.address, timeout=30)
        self.error = None
        try:
            while True:
                self.step(connection)
        except (OSError, http.client.HTTPException):
            pass  # the server is dead: that is the plan
        except AssertionError as e:
            self.error = e
        finally:
            connection.close()


PAIR = {"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Pair;1", "@type": "Interface", "contents": [
    {"@type": "Property", "name": "a", "schema": "long"}, {"@type": "Property", "name": "b", "schema": "long"},
    {"@type": "Relationship", "name": "next"}]}


def pair(id, n):
    return {"$dtId": id, "$metadata": {"$model": "dtmi:test:Pair;1"}, "a": n, "b": n}


class Kill(Case):
    WRITERS = 4

    def test_kill_9_under_load(self):
        rounds = int(os.environ.get("SOSIA_KILL_ROUNDS", "20"))
        seed = int(os.environ.get("SOSIA_KILL_SEED", str(random.randrange(1 << 30))))
        self.random = random.Random(seed)
        server = self.serve("--http", "127.0.0.1:0", "--checkpoint", "100ms", path=self.file("w.sosia"))
        self.ok(server.run("import", self.file("m.json", PAIR)))
        names = ["w%d" % i for i in range(self.WRITERS)]
        self.ok(server.run("import", self.file("t.json", [pair("%s-%d" % (n, i), 0) for n in names
                                                          for i in range(Writer.TWINS)])))
        level = {n: (0, 0) for n in names}
        made, linked, batches = {}, set(), 0
        try:
            for number in range(rounds):
                writers = [Writer(server.url, n, level[n], self.random.random()) for n in names]
                for w in writers:
                    w.start()
                time.sleep(self.random.uniform(0.02, 0.5))
                server.kill()
                for w in writers:
                    w.join()
                    if w.error:
                        raise w.error
                    made.update(w.made)
                    linked.update(w.linked)
                    batches += max(0, w.acknowledged - level[w.label][1])
                server.start()
                self.check(server, writers, level, made, linked)
        except Exception:
            print("SOSIA_KILL_SEED=%d" % seed)
            raise
        print("%d rounds, %d acknowledged batches, %d twins made" % (rounds, batches, len(made)))
        self.assertGreater(batches, 10 * rounds)

    def check(self, server, writers, level, made, linked):
        twins = {t["$dtId"]: t for t in server.every("/digitaltwins")}
        for w in writers:
            for i in range(w.TWINS):
                t = twins["%s-%d" % (w.label, i)]
                self.assertEqual(t["a"], t["b"], "half a pair: %s" % t)
                self.assertGreaterEqual(t["a"], w.acknowledged, "an acknowledged value is lost")
                self.assertLessEqual(t["a"], w.asked)
            level[w.label] = (w.acknowledged, w.asked)  # numbers only ever grow
        for id, n in made.items():
            self.assertIn(id, twins, "an acknowledged twin is lost")
            self.assertEqual((twins[id]["a"], twins[id]["b"]), (n, n))
        for id in self.random.sample(sorted(linked), min(len(linked), 20)):
            self.assertEqual(server.get("/digitaltwins/%s/relationships/r" % id)["$relationshipName"], "next")

    def test_one_request_is_all_or_nothing(self):
        """Values that travel in one request are related: after a kill all of them are there or none."""
        server = self.serve("--http", "127.0.0.1:0", path=self.file("w.sosia"))
        self.ok(server.run("import", self.file("m.json", PAIR)))
        count = 500
        self.ok(server.run("import", self.file("t.json", [pair("p-%d" % i, 0) for i in range(count)])))
        rng, asked, acknowledged = random.Random(9), [0], [0]
        for number in range(int(os.environ.get("SOSIA_KILL_ROUNDS", "20")) // 2):
            def write():
                connection = http.client.HTTPConnection(server.url[7:], timeout=30)
                try:
                    while True:
                        asked[0] += 1
                        body = "".join('{"id":"p-%d","property":"a","value":%d}\n' % (i, asked[0])
                                       for i in range(count))
                        connection.request("POST", "/ingest", body, {"Content-Type": "application/x-ndjson"})
                        if json.loads(connection.getresponse().read())["accepted"] == count:
                            acknowledged[0] = asked[0]
                except (OSError, http.client.HTTPException, ValueError):
                    connection.close()
            thread = threading.Thread(target=write)
            thread.start()
            time.sleep(rng.uniform(0.05, 0.3))
            server.kill()
            thread.join()
            server.start()
            values = {t["a"] for t in server.every("/digitaltwins")}
            self.assertEqual(len(values), 1, "half a request was applied: %s" % values)
            self.assertTrue(acknowledged[0] <= values.pop() <= asked[0])
        self.assertGreater(acknowledged[0], 10)


if __name__ == "__main__":
    kit.main()
