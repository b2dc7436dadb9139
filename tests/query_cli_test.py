#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""`sosia query` and its shell: against a server that answers what the test tells it to (pages, notes, failures, plans,
slow answers), then against a real one."""
import fcntl
import http.server
import json
import os
import pty
import re
import select
import shlex
import signal
import stat
import struct
import subprocess
import sys
import termios
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from kit import Case, run, until  # noqa: E402

PUMP = {"@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"], "@id": "dtmi:test:Pump;1",
        "@type": "Interface", "contents": [
    {"@type": ["Property", "Temperature"], "name": "temperature", "schema": "double", "unit": "degreeCelsius"},
    {"@type": "Property", "name": "label", "schema": "string"},
    {"@type": "Relationship", "name": "feeds"}]}


def has_editor():
    with open(kit.SOSIA, "rb") as f:
        return b"libedit" in f.read()


EDITING = has_editor()


def twin(id, **values):
    return {"$dtId": id, "$etag": "W/\"1\"", "$metadata": {"$model": "dtmi:test:Pump;1"}, **values}


class Fake(http.server.ThreadingHTTPServer):
    """A server of questions: `answers` maps a text to a list of rows, a dict (an answer as it is) or a (status, dict).
    What it was asked is in `asked`, with the page size."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), FakeHandler)
        self.url = "http://127.0.0.1:%d" % self.server_port
        self.answers, self.asked, self.holding, self.hold = {}, [], threading.Event(), threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def answer(self, path, question, size):
        rows = self.answers.get(question["query"], wrong(1, 0, "not what the test expects"))
        if question.get("explain") and not isinstance(rows, tuple):
            return 200, {"plan": {"plan": [{"step": "scan"}], "text": "step  rows\nscan  7\x1b[31m\n"}}
        if rows == "hold":
            self.holding.set()
            self.hold.wait(60 * kit.SLOW)
            rows = []
        if isinstance(rows, tuple):
            return rows
        if isinstance(rows, dict):
            return 200, rows
        at = int(question.get("continuationToken") or 0)
        return 200, {"value": rows[at:at + size],
                     "continuationToken": str(at + size) if at + size < len(rows) else None}


class FakeHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, doc):
        body = json.dumps(doc).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # the client did not wait

    def do_GET(self):
        if self.path.startswith("/worlds?"):
            return self.reply(200, {"value": [{"name": "live"}, {"name": "night-shift"}]})
        self.reply(200, {"value": [{"id": "dtmi:test:Pump;1", "model": PUMP}], "nextLink": None})

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        size = int(self.headers.get("max-items-per-page") or 100)
        self.server.asked.append((self.path.split("?")[0], question, size))
        self.reply(*self.server.answer(self.path, question, size))


def wrong(line, position, text):
    return 400, {"error": {"code": "SqlQueryError", "message": "SQL query parse failed: SQL Parser Error, Line=%d, "
                           "Position=%d, Message=%s" % (line, position, text)}}


class WithFake(Case):
    def setUp(self):
        super().setUp()
        self.fake = Fake()
        self.addCleanup(self.fake.server_close)
        self.addCleanup(self.fake.shutdown)

    def ask(self, *arguments, **options):
        return run("query", *arguments, url=self.fake.url, **options)


class Answers(WithFake):
    def test_table(self):
        self.fake.answers["SELECT 1"] = [{"name": "a", "n": 1}, {"name": "bcd", "n": 22.5}]
        r = self.ok(self.ask("SELECT 1"))
        self.assertEqual(r.out, "name     n\n────  ────\na        1\nbcd   22.5\n")
        self.assertRegex(r.err, r"^2 rows in \d+(\.\d)? m?s\n$")

    def test_whole_twins_with_units(self):
        self.fake.answers["q"] = [{"T": twin("p-1", temperature=40.5)}, {"T": twin("p-2", temperature=7, label="x")}]
        self.assertEqual(self.ok(self.ask("q")).out, "$dtId  $model  temperature °C  label\n"
                         "─────  ──────  ──────────────  ─────\n"
                         "p-1    Pump              40.5\n"
                         "p-2    Pump                 7  x\n")

    def test_nothing(self):
        self.fake.answers["q"] = []
        r = self.ok(self.ask("q"))
        self.assertEqual(r.out, "")
        self.assertRegex(r.err, r"^no rows in ")
        self.assertEqual(self.ok(self.ask("q", "--json")).json, [])
        self.assertEqual(self.ok(self.ask("q", "--ndjson")).out, "")
        self.assertEqual(self.ok(self.ask("q", "--csv")).out, "")

    def test_all_pages(self):
        rows = [{"i": i, "text": "x" * (i % 40)} for i in range(2500)]
        self.fake.answers["q"] = rows
        self.assertEqual(self.ok(self.ask("q", "--json")).json, rows)
        self.assertEqual([size for _, _, size in self.fake.asked], [1000, 1000, 1000])
        self.assertEqual([q.get("continuationToken") for _, q, _ in self.fake.asked], [None, "1000", "2000"])
        lines = self.ok(self.ask("q", "--ndjson")).out.splitlines()
        self.assertEqual([json.loads(line) for line in lines], rows)
        csv = self.ok(self.ask("q", "--csv")).out.splitlines()
        self.assertEqual((csv[0], csv[-1], len(csv)), ("i,text", "2499,%s" % ("x" * 19), 2501))
        table = self.ok(self.ask("q")).out.splitlines()
        self.assertEqual(len(table), 2502)  # one title, whatever the pages
        self.assertEqual(table[2].split(), ["0"])
        self.assertRegex(table[-1], r"^ *2499  x{19}$")

    def test_limit_and_page_size(self):
        self.fake.answers["q"] = [{"i": i} for i in range(100)]
        r = self.ok(self.ask("q", "--limit", "25", "--page-size", "10"))
        self.assertEqual(len(r.out.splitlines()), 27)
        self.assertEqual([size for _, _, size in self.fake.asked], [10, 10, 5])
        self.assertRegex(r.err, r"^25 rows in .*; see more with --limit\n$")
        self.assertEqual(len(self.ok(self.ask("q", "--limit", "7", "--json")).json), 7)
        for bad in ("0", "1001"):
            self.assertEqual(self.ask("q", "--page-size", bad).code, 4)
        self.assertEqual(self.ask("q", "--json", "--csv").code, 4)

    def test_csv_has_every_column(self):
        self.fake.answers["q"] = [{"a": 1}, {"a": "x,y", "b": None}, {"c": {"k": "v"}}]
        self.assertEqual(self.ok(self.ask("q", "--csv", "--page-size", "1")).out,
                         'a,b,c\n1,,\n"x,y",,\n,,"{""k"":""v""}"\n')

    def test_worlds(self):
        self.fake.answers["q"] = [{"i": 1}]
        self.ok(self.ask("q", "--world", "night-shift"))
        self.assertEqual(self.fake.asked[0][0], "/worlds/night-shift/query")

    def test_standard_input(self):
        self.fake.answers["SELECT 1"] = self.fake.answers["SELECT 2 -- ;"] = [{"i": 1}]
        self.ok(self.ask("-", text="SELECT 1;\nSELECT 2 -- ;"))
        self.assertEqual([q["query"] for _, q, _ in self.fake.asked], ["SELECT 1", "SELECT 2 -- ;"])
        self.ok(self.ask(text="SELECT 1"))
        self.assertEqual(len(self.fake.asked), 3)
        self.assertEqual(self.ask(text="-- nothing\n;").code, 4)

    def test_notes(self):
        self.fake.answers["q"] = {"value": [{"i": 1}], "continuationToken": None,
                                  "notes": ["no model has \"temprature\": did you mean temperature?\x1b[31m"]}
        r = self.ok(self.ask("q"))
        self.assertIn('note: no model has "temprature": did you mean temperature?\\x1b[31m\n', r.err)
        self.assertEqual(self.ok(self.ask("q", "--json")).json, [{"i": 1}])

    def test_explain(self):
        self.fake.answers["q"] = [{"i": 1}]
        r = self.ok(self.ask("q", "--explain"))
        self.assertEqual(r.out, "step  rows\nscan  7\\x1b[31m\n")
        self.assertIs(self.fake.asked[0][1]["explain"], True)
        self.assertEqual(self.ok(self.ask("q", "--explain", "--json")).json["plan"], [{"step": "scan"}])

    def test_mistakes_are_shown_in_the_text(self):
        text = "SELECT *\n  FORM DIGITALTWINS"
        self.fake.answers[text] = wrong(2, 2, "expected FROM, found FORM: did you mean FROM?")
        r = self.ask(text)
        self.assertEqual((r.code, r.out), (4, ""))
        self.assertEqual(r.err, "sosia: expected FROM, found FORM: did you mean FROM?\n"
                         "    FORM DIGITALTWINS\n    ^~~~\n")
        self.assertEqual(json.loads(self.ask(text, "--json").err)["error"]["code"], "SqlQueryError")

    def test_other_failures(self):
        self.fake.answers["q"] = (429, {"error": {"code": "QuotaReachedError", "message": "too many rows looked at"}})
        r = self.ask("q")
        self.assertEqual((r.code, r.out), (5, ""))
        self.assertIn("too many rows looked at", r.err)
        self.fake.answers["q"] = {"nonsense": 1}
        self.assertEqual(self.ask("q").code, 4)
        self.assertEqual(run("query", "q", url="http://127.0.0.1:9").code, 10)

    def test_a_failure_on_the_second_page_leaves_an_open_array(self):
        pages = iter([(200, {"value": [{"i": 1}], "continuationToken": "x"}),
                      (400, {"error": {"code": "BadRequest", "message": "the token is gone"}})])
        self.fake.answer = lambda *_: next(pages)
        r = self.ask("q", "--json")
        self.assertEqual(r.code, 4)
        self.assertRaises(ValueError, lambda: r.json)


class Terminal(WithFake):
    """A person at a terminal of 24 x 80."""

    def open(self, *arguments, columns=80, **env):
        t = Screen(["query", *arguments], columns, SOSIA_URL=self.fake.url, XDG_STATE_HOME=self.folder,
                   HOME=self.folder, **env)
        self.addCleanup(t.close)
        return t

    def shell(self, **env):
        t = self.open(**env)
        t.see("1 model in live at ")
        return t

    def needs_editing(self):
        if not EDITING:
            print("SKIP %s: built without libedit" % self.id())
            self.skipTest("built without libedit")

    def history(self):
        with open(os.path.join(self.folder, "sosia", "query_history"), encoding="utf-8") as f:
            return f.read().splitlines()

    def test_pages_wait_for_a_key(self):
        self.fake.answers["q"] = [{"i": i} for i in range(100)]
        t = self.open("q")
        t.see("-- more")
        self.assertEqual(self.fake.asked[0][2], 20)
        t.type("\n")
        t.see("39\r\n")
        t.see("-- more")
        t.type("q")
        t.see("40 rows in ")
        t.see("and there are more")
        self.assertEqual(t.end(), 0)
        self.assertEqual(t.text.count("─"), 2)  # one title for both pages

    def test_all(self):
        self.fake.answers["q"] = [{"i": i} for i in range(100)]
        for arguments, keys in ((["q", "--all"], ""), (["q"], "a")):
            t = self.open(*arguments)
            if keys:
                t.see("-- more")
                t.type(keys)
            t.see("100 rows in ")
            self.assertEqual(t.end(), 0)

    def test_wide_rows_become_records(self):
        self.fake.answers["q"] = [{"T": twin("p-1", **{"property%02d" % i: "value%02d" % i for i in range(20)})}]
        t = self.open("q")
        t.see("1 row in ")
        self.assertEqual(t.end(), 0)
        self.assertRegex(plain(t.text), r"row 1\r\n  \$dtId       p-1\r\n  \$model      Pump\r\n  property00  value00")

    def test_tables_fit_the_terminal(self):
        self.fake.answers["q"] = [{"id": "冷库" * 30, "name": "x" * 100, "n": 12345678}]
        t = self.open("q", columns=60)
        t.see("1 row in ")
        t.end()
        for line in plain(t.text).split("\r\n")[:3]:
            wide = sum(2 if c in "冷库" else 1 for c in line)
            self.assertLessEqual(wide, 60, line)

    def test_statements(self):
        self.fake.answers["SELECT 1"] = [{"one": 1}]
        self.fake.answers["SELECT\n  2"] = [{"two": 2}]
        self.fake.answers["SELECT 3"] = [{"three": 3}]
        t = self.shell()
        t.enter("SELECT 1;\n")
        t.see("1 row in ")
        t.enter("SELECT\n")
        t.see("...")
        t.enter("  2;\n")
        t.see("two")
        t.enter("SELECT 3\n\n")
        t.see("three")
        t.enter("SELECT 1; SELECT 1;\n")
        t.see("one")
        t.see("one")
        t.enter("\\quit\n")
        self.assertEqual(t.end(), 0)
        self.assertEqual(self.history(), ["SELECT 1;", "SELECT 2;", "SELECT 3", "SELECT 1; SELECT 1;", "\\quit"])
        mode = os.stat(os.path.join(self.folder, "sosia", "query_history")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_history_comes_back(self):
        self.needs_editing()
        self.fake.answers["SELECT 'é'"] = [{"one": 1}]
        t = self.shell()
        t.enter("SELECT 'é';\n")
        t.see("1 row in ")
        t.enter("\x04")
        self.assertEqual(t.end(), 0)
        t = self.shell()
        t.enter("\x1b[A")
        t.see("SELECT 'é';")
        t.type("\n")
        t.see("1 row in ")
        t.enter("\x04")
        self.assertEqual(t.end(), 0)
        self.assertEqual(len(self.fake.asked), 2)

    def test_completion(self):
        self.needs_editing()
        self.fake.answers["SELECT T.temperature"] = [{"temperature": 3}]
        t = self.shell()
        t.enter("SEL\t")
        t.see("ECT ")
        t.type("T.tem\t;\n")
        t.see("1 row in ")
        t.enter("\\wor\tni\t\n")
        t.see("in night-shift at ")
        t.enter("SELECT 1 FROM \t\t")
        t.see("DIGITALTWINS")
        t.see("RELATIONSHIPS")
        t.type("\x03")
        t.see("^C")
        t.enter("\x04")
        self.assertEqual(t.end(), 0)

    def test_forms_and_plans(self):
        self.fake.answers["SELECT 1"] = [{"one": 1}]
        t = self.shell()
        t.enter("\\explain\n")
        t.see("ask something first")
        t.enter("\\json\n")
        t.enter("SELECT 1;\n")
        t.see('[{"one": 1}]')
        t.enter("\\csv\n")
        t.enter("SELECT 1;\n")
        t.see("one\r\n1\r\n")
        t.enter("\\table\n")
        t.enter("\\explain SELECT 1\n")
        t.see("scan  7")
        t.enter("\\timing\n")
        t.see("timing is off")
        t.enter("\\explain\n")
        t.see("scan  7")
        t.enter("\\nonsense\n")
        t.see("there is no command \\nonsense")
        t.enter("\\tabel\n")
        t.see("did you mean \\table?")
        t.enter("\\help\n")
        t.see("\\properties")
        t.enter("\\properties Pump\n")
        t.see("°C")
        t.enter("\\models\n")
        t.see("dtmi:test:Pump;1")
        t.enter("exit\n")
        self.assertEqual(t.end(), 0)
        explained = [q for _, q, _ in self.fake.asked if q.get("explain")]
        self.assertEqual([q["query"] for q in explained], ["SELECT 1", "SELECT 1"])

    def test_a_mistake_does_not_end_it(self):
        self.fake.answers["SELEC 1"] = wrong(1, 0, "expected SELECT")
        self.fake.answers["SELECT 1"] = [{"one": 1}]
        t = self.shell()
        t.enter("SELEC 1;\n")
        t.see("expected SELECT")
        t.see("^~~~~")
        t.enter("SELECT 1;\n")
        t.see("1 row in ")
        t.enter("\x04")
        self.assertEqual(t.end(), 0)

    def test_interrupts(self):
        self.fake.answers["SELECT 1"] = [{"one": 1}]
        self.fake.answers["slow"] = "hold"
        t = self.shell()
        t.enter("SELECT nonsense\n")
        t.see("...")
        t.enter("more\x03")  # empties the line and the statement
        t.see("^C")
        t.enter("slow;\n")
        self.assertTrue(self.fake.holding.wait(60 * kit.SLOW))
        t.type("\x03")
        t.see("interrupted")
        self.fake.hold.set()
        t.enter("SELECT 1;\n")
        t.see("1 row in ")
        t.process_signal(signal.SIGTERM)
        self.assertEqual(t.end(), 0)

    def test_a_server_that_is_not_there(self):
        t = Screen(["query"], 80, SOSIA_URL="http://127.0.0.1:9", HOME=self.folder)
        self.addCleanup(t.close)
        t.see("no server answers")
        self.assertEqual(t.end(), 10)


class Real(Case):
    """The same against a server."""

    @classmethod
    def setUpClass(cls):
        cls.server = kit.Server()
        assert cls.server.http("POST", "/models", [PUMP])[0] == 201
        lines = [{"Section": "Header"}, {"fileVersion": "1.0.0"}, {"Section": "Twins"}]
        lines += [{"$dtId": "p-%04d" % i, "$metadata": {"$model": "dtmi:test:Pump;1"}, "temperature": i / 10,
                   "label": "pump %d" % i} for i in range(2500)]
        lines += [{"Section": "Relationships"}]
        lines += [{"$dtId": "p-%04d" % i, "$relationshipId": "f", "$relationshipName": "feeds",
                   "$targetId": "p-%04d" % (i + 1)} for i in range(20)]
        status, _, body = cls.server.http("POST", "/import", "".join(json.dumps(line) + "\n" for line in lines),
                                          {"Content-Type": "application/x-ndjson"})
        assert status == 200, body

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def ask(self, *arguments, **options):
        return run("query", *arguments, url=self.server.url, **options)

    def test_tables_and_units(self):
        r = self.ok(self.ask("SELECT * FROM DIGITALTWINS WHERE temperature > 481.7 'degreeFahrenheit'"))
        self.assertEqual(r.out.splitlines()[0], "$dtId   $model  temperature °C  label")
        self.assertEqual(len(r.out.splitlines()), 3)
        self.assertRegex(r.out, r"p-2499  Pump             249\.9  pump 2499")

    def test_every_page_of_one_instant(self):
        rows = self.ok(self.ask("SELECT $dtId, temperature FROM DIGITALTWINS", "--json", "--page-size", "100")).json
        self.assertEqual([r["$dtId"] for r in rows], ["p-%04d" % i for i in range(2500)])
        down = self.ok(self.ask("SELECT $dtId FROM DIGITALTWINS ORDER BY temperature DESC", "--ndjson", "--limit", "7"))
        self.assertEqual([json.loads(line)["$dtId"] for line in down.out.splitlines()],
                         ["p-%04d" % i for i in range(2499, 2492, -1)])

    def test_fresh_after_a_write_and_in_a_fork(self):
        self.ok(self.server.run("worlds", "fork", "try"))
        self.ok(self.server.run("set", "p-0001", "label", "renamed"))
        text = "SELECT $dtId FROM DIGITALTWINS WHERE label = 'renamed'"
        self.assertEqual(self.ok(self.ask(text, "--json")).json, [{"$dtId": "p-0001"}])
        self.assertEqual(self.ok(self.ask(text, "--json", "--world", "try")).json, [])
        self.ok(self.server.run("worlds", "drop", "try"))
        self.ok(self.server.run("set", "p-0001", "label", "pump 1"))

    def test_paths(self):
        r = self.ok(self.ask("SELECT way FROM DIGITALTWINS MATCH way = SHORTEST (a)-[:feeds*]->(b) "
                             "WHERE a.$dtId = 'p-0003' AND b.$dtId = 'p-0006'"))
        self.assertIn("p-0003 → p-0004 → p-0005 → p-0006", r.out)
        r = self.ok(self.ask("SELECT a, R FROM DIGITALTWINS T JOIN a RELATED T.feeds R WHERE T.$dtId = 'p-0003'"))
        self.assertRegex(r.out, r"p-0004 \(Pump\)  p-0003 -feeds-> p-0004")

    def test_mistakes_and_notes(self):
        r = self.ask("SELECT $dtId\nFORM DIGITALTWINS")
        self.assertEqual((r.code, r.out), (4, ""))
        self.assertIn("did you mean FROM?\n  FORM DIGITALTWINS\n  ^~~~\n", r.err)
        r = self.ok(self.ask("SELECT temprature FROM DIGITALTWINS WHERE temprature > 3"))
        self.assertEqual(r.err.count('did you mean "temperature"?'), 1, r.err)
        self.assertEqual(self.ask("SELECT 1 FROM DIGITALTWINS", "--world", "nowhere").code, 3)

    def test_plans(self):
        for arguments in (("--explain", "SELECT $dtId FROM DIGITALTWINS"), ("EXPLAIN SELECT $dtId FROM DIGITALTWINS",)):
            r = self.ok(self.ask(*arguments))
            self.assertRegex(r.out, r"(?m)^scan .* 2500 ")
        steps = self.ok(self.ask("--explain", "SELECT COUNT() FROM DIGITALTWINS", "--json")).json["plan"]
        self.assertTrue(all("step" in s and "detail" in s for s in steps), steps)

    def test_csv(self):
        r = self.ok(self.ask("--csv", "SELECT $dtId, temperature, label FROM DIGITALTWINS WHERE temperature < 0.2"))
        self.assertEqual(r.out, "$dtId,temperature,label\np-0000,0,pump 0\np-0001,0.1,pump 1\n")

    def test_columns_are_those_of_select(self):
        ask = "SELECT nothing, label, $dtId AS i FROM DIGITALTWINS WHERE temperature < %s"
        self.assertEqual(self.ok(self.ask("--csv", ask % "0.1")).out, "nothing,label,i\n,pump 0,p-0000\n")
        self.assertEqual(self.ok(self.ask("--csv", ask % "-1")).out, "nothing,label,i\n")
        self.assertEqual(self.ok(self.ask(ask % "0.1")).out.splitlines()[0].split(), ["nothing", "label", "i"])


class Docs(Case):
    """What the documents show can be asked, and their mistakes are answered as they say."""

    @classmethod
    def setUpClass(cls):
        cls.server = kit.Server()
        r = cls.server.run("import", os.path.join(kit.ROOT, "packs", "bottling"))
        assert r.code == 0, r
        values = subprocess.run([kit.SITE, "--print", "--clock", "2026-11-24T07:00:00Z", "--for", "2m"], text=True,
                                capture_output=True, check=True).stdout
        r = cls.server.run("ingest", "-", text=values)
        assert r.code == 0, r

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def examples(self, path):
        """(arguments, shown) of each `sosia query` in the console blocks of a document."""
        with open(os.path.join(kit.ROOT, path), encoding="utf-8") as f:
            blocks = re.findall(r"^```console\n(.*?)^```", f.read(), re.M | re.S)
        for block in blocks:
            for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
                if not re.match(r"(build/)?sosia query ", part):
                    continue
                lines = part.split("\n")
                count = 1
                while "\n".join(lines[:count]).count("'") % 2:
                    count += 1
                yield shlex.split("\n".join(lines[:count]))[2:], "\n".join(lines[count:])

    def test_examples(self):
        asked = 0
        for path in ("docs/query.md", "README.md"):
            for arguments, shown in self.examples(path):
                r = self.server.run("query", *arguments)
                asked += 1
                if shown.startswith("sosia: "):
                    self.assertEqual((r.code, r.err.strip()), (4, shown.strip()), arguments)
                    continue
                self.ok(r)
                if shown.startswith("note: "):
                    self.assertEqual(r.err.split("\n")[0], shown.split("\n")[0])
                elif r.out and shown:
                    titles = [set(text.split("\n")[0].split()) for text in (r.out, shown)]
                    self.assertLessEqual(*titles, arguments)  # a column without any value is not shown
        self.assertGreater(asked, 10)


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


class Screen:
    """A `sosia` on a terminal: types keys, waits for what is to be seen."""

    def __init__(self, arguments, columns, **env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.execve(kit.SOSIA, [kit.SOSIA, *arguments], kit.environment(TERM="xterm", LC_ALL="C.UTF-8", **env))
        self.raw, self.seen, self.status = b"", 0, None

    @property
    def text(self):
        return self.raw.decode("utf-8", "replace")

    def read(self, seconds):
        """Take what comes within the time; False at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            chunk = os.read(self.fd, 65536)
        except OSError:
            return False
        self.raw += chunk
        return bool(chunk)

    def see(self, text):
        """Wait until the text comes behind what was seen before."""
        end = time.monotonic() + 60 * kit.SLOW
        while True:
            at = self.raw.find(text.encode(), self.seen)
            if at >= 0:
                self.seen = at + len(text.encode())
                return
            if time.monotonic() > end or not self.read(0.1):
                raise AssertionError("%r was not seen behind byte %d of\n%s" % (text, self.seen, self.text))

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def enter(self, keys):
        """Type at the next prompt: what comes before it the terminal itself may take. The editor shows the prompt first
        and takes the terminal over then."""
        self.see("> ")
        if EDITING:
            until(lambda: not termios.tcgetattr(self.fd)[3] & termios.ICANON, what="the editor's terminal")
        self.type(keys)

    def process_signal(self, number):
        os.kill(self.pid, number)

    def end(self):
        """Wait for the process; its exit code."""
        until_ = time.monotonic() + 60 * kit.SLOW
        while self.read(0.1):
            if time.monotonic() > until_:
                raise AssertionError("it did not end: %s" % self.text)
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


if __name__ == "__main__":
    kit.main()
