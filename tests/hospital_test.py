#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""The hospital pack: it loads whole and its site feeds it; a fork begins with the patients who are there now; what its
simulations come to is what Little's law, offered loads and the rota say; the three what-ifs turn out the way they must;
and whoever edits the graph edits the model. Expected numbers follow from the graph and the mapping, not from a run."""
import importlib.util
import json
import math
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402

PACK = os.path.join(kit.ROOT, "packs", "hospital")
CLOCK = "2026-11-24T10:00:00Z"
NS = "dtmi:sosia:hospital:%s;1"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
WITHIN = ["majors-assess", "majors-examine", "majors-laboratory", "majors-imaging", "majors-observe", "majors-treat",
          "majors-decide", "majors-home", "majors-medical", "majors-surgical", "majors-critical"]
SURGERY = ["ward-6", "ward-7", "ward-8"]


def script():
    spec = importlib.util.spec_from_file_location("make_graph", os.path.join(PACK, "make_graph.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def site(*arguments):
    done = subprocess.run([kit.SITE, "--pack", "hospital", *arguments], capture_output=True, text=True,
                          timeout=120 * kit.SLOW, env=kit.environment())
    return kit.Result(done.returncode, done.stdout, done.stderr)


class Pack(kit.Case):
    def test_files_are_what_the_script_writes(self):
        module = script()
        for name, text in (("graph.ndjson", module.graph()),
                           (os.path.join("mappings", "patients.mapping"), module.mapping())):
            with open(os.path.join(PACK, name), encoding="utf-8") as f:
                self.assertEqual(f.read(), text, name)

    def test_imports_without_a_complaint_and_all_is_connected(self):
        server = self.serve()
        r = self.ok(server.run("import", os.path.join(PACK, "models"), os.path.join(PACK, "graph.ndjson"), "--json"))
        self.assertEqual(r.json["failed"], 0)
        self.assertEqual(r.json["models"]["added"], len(os.listdir(os.path.join(PACK, "models"))))
        ends = set()
        with open(os.path.join(PACK, "graph.ndjson"), encoding="utf-8") as f:
            for line in map(json.loads, f):
                ends |= {line["$dtId"], line["$targetId"]} if "$targetId" in line else set()
        twins = {t["$dtId"] for t in server.every("/digitaltwins")}
        self.assertEqual(twins, ends)
        with open(os.path.join(PACK, "README.md"), encoding="utf-8") as f:
            self.assertIn("%d twins, %d relationships" % (len(twins), r.json["relationships"]["added"]), f.read())

    def test_models_are_documented(self):
        for name in os.listdir(os.path.join(PACK, "models")):
            with open(os.path.join(PACK, "models", name), encoding="utf-8") as f:
                model = json.load(f)
            self.assertEqual(model["@id"], NS % name[:-5])
            self.assertTrue(model["displayName"]["en"] and model["displayName"]["it"] and model["description"], name)
            for content in model["contents"]:
                self.assertTrue(content.get("description"), (name, content["name"]))

    def test_arrivals_are_of_the_size_of_english_departments(self):
        """Attendances, admissions and four hours of type 1 departments, 2018-19, in the data that the README cites."""
        path = kit.data("hospital-nhs", "ae_attendances.csv")
        months, breaches, admitted, attended = {}, 0, 0, 0
        with open(path, encoding="utf-8") as f:
            for line in list(f)[1:]:
                period, org, kind, a, b, c = line.strip().split(",")
                if kind != "1" or period < "2018-04":
                    continue
                months.setdefault(org, []).append(float(a))
                attended, breaches, admitted = attended + float(a), breaches + float(b), admitted + float(c)
        sizes = sorted(12 * sum(v) / len(v) / 365 for v in months.values() if len(v) == 12)
        module = script()
        day = sum(module.PER_DAY.values())
        tenth = sizes[len(sizes) // 10]
        self.assertAlmostEqual(day, tenth, delta=0.02 * tenth)
        majors = module.PER_DAY["walk-ins"] * 0.45 + module.PER_DAY["ambulances"] * 0.80
        beds = majors * (0.34 + 0.13 + 0.01) + module.PER_DAY["ambulances"] * 0.12 * (1 - 0.12)
        self.assertAlmostEqual(beds / day, admitted / attended, delta=0.015)
        self.assertAlmostEqual(1 - breaches / attended, 0.815, delta=0.001)  # what the README says


class Site(kit.Case):
    def test_same_seed_same_values(self):
        one = self.ok(site("--print", "--clock", CLOCK, "--for", "10m", "--seed", "5")).out
        self.assertEqual(one, self.ok(site("--print", "--clock", CLOCK, "--for", "10m", "--seed", "5")).out)
        self.assertNotEqual(one, self.ok(site("--print", "--clock", CLOCK, "--for", "10m", "--seed", "6")).out)

    def test_every_value_arrives(self):
        server = self.serve("--future", "off")
        self.ok(site("--url", server.url, "--load"))
        self.ok(site("--url", server.url, "--load"))  # a second time changes nothing
        self.ok(site("--url", server.url, "--clock", CLOCK, "--for", "20m", "--speed", "600", "--quiet"))
        twins = {t["$dtId"]: t for t in server.every("/digitaltwins")}
        told = {tuple((v["id"], v["property"])): v["value"] for v in map(
            json.loads, self.ok(site("--print", "--clock", CLOCK, "--for", "20m")).out.splitlines())}
        self.assertGreater(len(told), 600)
        for (id, name), value in told.items():
            self.assertEqual(twins[id].get(name), value, (id, name))
        # What is computed from it: open beds and who is in them, rooms, people by shift.
        wards = [t for t in twins.values() if t["$metadata"]["$model"] == NS % "Ward"]
        self.assertEqual(twins["st-clare"]["beds"], sum(w["beds"] for w in wards))
        self.assertEqual(twins["st-clare"]["inBed"], sum(w["present"] for w in wards))
        self.assertEqual(twins["cubicles"]["inUse"], sum(twins[id]["present"] for id in WITHIN))
        self.assertEqual(twins["nurses"]["onDuty"], twins["nurses"]["earlyShift"])
        for ward in wards:
            self.assertTrue(0 < ward["present"] <= ward["beds"], ward["$dtId"])

    def test_commands_reach_the_house(self):
        server = self.serve(path=self.file("w.sosia"))
        self.ok(site("--url", server.url, "--load"))
        p = subprocess.Popen([kit.SITE, "--pack", "hospital", "--url", server.url, "--quiet"],
                             env=kit.environment())
        self.addCleanup(lambda: (p.kill(), p.wait()))
        kit.until(lambda: server.http("GET", "/connections/site")[0] == 200, what="the site's connection")
        before = kit.until(lambda: server.twin("nurses").get("onDuty"), what="nurses")

        def tell(id, command, payload):
            return server.http("POST", "/digitaltwins/%s/commands/%s" % (id, command), json.dumps(payload),
                               {"Content-Type": "application/json"})
        status, _, text = kit.until(lambda: (lambda r: r if r[0] == 200 else None)(tell("nurses", "setBank", 3)),
                                    what="the command")
        self.assertEqual(json.loads(text), before + 3)
        kit.until(lambda: server.twin("nurses")["onDuty"] == before + 3, what="three more nurses")
        self.assertNotEqual(tell("nurses", "setBank", 21)[0], 200)
        beds = server.twin("ward-1")["beds"]
        self.assertIn(tell("ward-1-bed-7", "setOpen", False)[0], (200, 204))
        kit.until(lambda: server.twin("ward-1")["beds"] == beds - 1, what="one bed fewer")


class Demo(kit.Case):
    def test_demo_of_the_hospital(self):
        self.assertRegex(self.ok(kit.run("demo", "--list")).out, r"(?s)bottling .*\nhospital ")
        bad = kit.run("demo", "--pack", "zoo")
        self.assertEqual(bad.code, 4)
        self.assertIn('there is no pack "zoo"', bad.err)
        p = subprocess.Popen([kit.SOSIA, "demo", "--pack", "hospital", "--data", self.file("h.sosia"), "--http",
                              "127.0.0.1:0", "--past", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=kit.environment())
        self.addCleanup(lambda: (p.poll() is None and p.kill(), p.wait(), p.stdout.close(), p.stderr.close()))
        told = ""
        while "Ctrl-C" not in told:
            line = p.stdout.readline()
            self.assertTrue(line, (told, p.poll()))
            told += line
        self.assertIn("St Clare's Hospital is open", told)
        url = re.search(r"http://127.0.0.1:\d+", told).group(0)
        kit.until(lambda: "onDuty" in json.loads(kit.run("get", "nurses", "--json", url=url).out), what="values")
        listed = self.ok(kit.run("whatif", url=url)).out
        for name in os.listdir(os.path.join(PACK, "whatifs")):
            self.assertIn(name.partition(".")[0], listed)
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=60 * kit.SLOW)


class Sim(kit.Case):
    """A server with the pack, without its site."""

    def setUp(self):
        super().setUp()
        self.server = self.serve(path=self.file("w.sosia"))
        self.ok(site("--url", self.server.url, "--load"))

    def call(self, method, path, body=None, want=200):
        status, _, text = self.server.http(method, path, body)
        self.assertEqual(status, want, (method, path, text))
        return json.loads(text) if text else None

    def put(self, id, world=None, **values):
        at = "/worlds/%s" % world if world else ""
        self.call("PATCH", "%s/digitaltwins/%s" % (at, id),
                  [{"op": "add", "path": "/" + k, "value": v} for k, v in values.items()], 204)

    def fork(self, name):
        self.call("POST", "/worlds", {"name": name}, 201)
        return name

    def run_to_end(self, world, length, **more):
        self.call("POST", "/worlds/%s/run" % world, {"for": length, "output": "P1D", **more}, 202)
        return self.ended(world)

    def ended(self, world, what="run"):
        def look():
            status = self.call("GET", "/worlds/%s/%s" % (world, what))
            return status if status["state"] not in ("running", "starting") else None
        status = kit.until(look, 120, "the end of it")
        self.assertEqual(status["state"], "done", status)
        return status

    def twins(self, world):
        return {t["$dtId"]: t for t in self.server.every("/worlds/%s/digitaltwins" % world)}

    def kpis(self, world):
        return {k["name"]: k.get("value") for k in self.call("GET", "/worlds/%s/kpis" % world)["kpis"]}

    def nobody_comes(self, world):
        for id in ("walk-ins", "ambulances", "electives"):
            self.put(id, world, factor=0)


class Now(Sim):
    """The fork begins with the people who are there now."""

    def test_patients_of_now_are_there_and_leave(self):
        here = {"majors-laboratory": 7, "majors-observe": 4, "resus-stabilise": 2, "triage": 3, "majors-home": 1}
        for id, count in here.items():
            self.put(id, present=count)
        in_bed = sum(t["present"] for t in self.server.every("/digitaltwins")
                     if t["$metadata"]["$model"] == NS % "Ward")
        now = self.fork("now")
        self.nobody_comes(now)
        self.run_to_end(now, "PT1S")
        twins = self.twins(now)
        self.assertEqual({id: twins[id]["present"] for id in here}, here)
        self.assertEqual(twins["cubicles"]["inUse"], 7 + 4 + 1)
        self.assertEqual(twins["resus-bays"]["inUse"], 2)
        self.assertEqual(sum(twins[id]["present"] for id in twins if "meanStay" in twins[id]), in_bed)
        # Nobody comes any more: all of them go, and no one else.
        self.run_to_end(now, "P180D")
        twins = self.twins(now)
        gone = twins["home"]["left"] + twins["left-unseen"]["left"]
        inside = sum(t.get("present", 0) for t in twins.values())
        self.assertEqual(gone + inside, in_bed + sum(here.values()))
        self.assertLessEqual(inside, 2)
        self.assertEqual((twins["cubicles"]["inUse"], twins["resus-bays"]["inUse"]), (0, 0))

    def test_who_waits_for_a_bed_keeps_the_cubicle(self):
        self.put("amu", present=56)
        self.put("majors-medical", present=6, age=3000.0)
        self.put("majors-home", present=1, age=239.0)
        now = self.fork("now")
        self.nobody_comes(now)
        for n in range(1, 57):  # nobody who is out of bed makes room
            self.put("amu-bed-%d" % n, now, open=n > 50)
        self.run_to_end(now, "PT1H")
        twins = self.twins(now)
        self.assertEqual(twins["amu"]["beds"], 6)
        self.assertEqual((twins["majors-medical"]["present"], twins["majors-medical"]["boarding"]), (6, 6))
        self.assertEqual(twins["cubicles"]["inUse"], 6)
        # The one who went home had been there for 239 minutes, and it takes some to go.
        self.assertEqual((twins["majors-home"]["left"], twins["majors-home"]["late"]), (1, 1))
        for n in range(1, 51):
            self.put("amu-bed-%d" % n, now, open=True)
        self.put("amu", now, meanStay=0.001)
        self.run_to_end(now, "P3D")
        twins = self.twins(now)
        self.assertEqual(twins["majors-medical"]["left"], 6)
        self.assertEqual(twins["majors-medical"]["late"], 6)
        self.assertEqual(twins["cubicles"]["inUse"], 0)

    def test_a_fork_of_the_living_house(self):
        """The site sends; whoever is in a cubicle as the fork is made is in it as the run begins."""
        self.ok(site("--url", self.server.url, "--for", "2s", "--quiet", "--seed", "3"))
        live = {t["$dtId"]: t for t in self.server.every("/digitaltwins")}
        now = self.fork("now")
        self.nobody_comes(now)
        self.run_to_end(now, "PT0.001S")
        twins = self.twins(now)
        for id, twin in twins.items():
            if "meanStay" in twin or id in WITHIN:
                self.assertEqual(twin["present"], live[id]["present"], id)
        self.assertEqual(twins["cubicles"]["inUse"], live["cubicles"]["inUse"])


class Laws(Sim):
    """Ten weeks, against what must be so."""

    def setUp(self):
        super().setUp()
        self.module = script()

    def mean_of(self, name, id, expression):
        self.call("PUT", "/kpis/" + name, {"twin": id, "expression": expression, "over": "mean"})

    def test_little_load_and_rota(self):
        days = 70
        steps = WITHIN + SURGERY + ["minors", "icu", "triage", "discharge-lounge"]
        for id in steps:
            self.mean_of("in-" + id, id, "present")
        self.mean_of("at-work", "nurses", "atWork")
        self.mean_of("doctors-at-work", "doctors", "atWork")
        self.mean_of("on-duty", "nurses", "onDuty")
        # Surgery has beds for everybody, so that its load is what it is offered.
        more = self.fork("more")
        for n in range(1, 61):
            id = "ward-8-extra-%d" % n
            self.call("PUT", "/worlds/more/digitaltwins/" + id, {"$metadata": {"$model": NS % "Bed"}, "open": True})
            self.call("PUT", "/worlds/more/digitaltwins/%s/relationships/bedOf" % id,
                      {"$relationshipName": "bedOf", "$targetId": "ward-8"})
        before = self.twins(more)
        self.assertEqual(before["ward-8"]["beds"], 90)
        self.run_to_end(more, "P%dD" % days)
        twins, kpis = self.twins(more), self.kpis(more)
        # Everybody who came is somewhere or has left.
        came = sum(twins[id]["left"] for id in ("walk-ins", "ambulances", "electives"))
        was = sum(t.get("present", 0) for t in before.values())
        inside = sum(t.get("present", 0) for t in twins.values())
        gone = twins["home"]["left"] + twins["left-unseen"]["left"]
        self.assertEqual(came + was, inside + gone)
        # Little: the mean number is the rate times the mean time, but for who is there at the begin and at the end.
        for id in steps:
            t = twins[id]
            mean, rate = kpis["in-" + id], t["left"] / (days * DAY)
            longest = max(2 * t["stayTime"] * MINUTE, 6 * HOUR)
            slack = (t["present"] + before[id]["present"]) * longest / (days * DAY)
            self.assertAlmostEqual(mean, rate * t["stayTime"] * MINUTE, delta=1e-6 * mean + slack, msg=id)
        self.assertAlmostEqual(came / days, 168 + 30 / 7, delta=4 * math.sqrt((168 + 30 / 7) / days))
        # Offered load of surgery: arrivals times 4.2 days and the wait for the morning: half of them are done in the
        # twelve hours that the lounge is closed, and wait six of them on average.
        rate = sum(twins[id]["left"] for id in SURGERY) / days
        load = rate * (4.2 + 0.5 * 0.25)
        self.assertAlmostEqual(sum(kpis["in-" + id] for id in SURGERY), load, delta=0.08 * load)
        # Staff: what was done times how long it takes.
        done = {id: twins[id]["left"] for id in twins if "left" in twins[id]}
        for_beds = sum(done[p + k] for p in ("majors-", "resus-") for k in ("medical", "surgical", "critical"))
        going_home = done["majors-home"] + done["resus-home"]
        resus = 90 * done["resus-stabilise"]
        nurses = (3 * done["triage"] + 10 * done["ambulance-handover"] + 20 * done["majors-assess"] +
                  13.3 * done["majors-treat"] + 10 * going_home + 15 * for_beds + resus)
        doctors = 16 * done["majors-examine"] + 10 * (done["majors-decide"] + done["resus-decide"]) + resus
        self.assertAlmostEqual(kpis["at-work"], nurses / (days * 1440), delta=0.04 * kpis["at-work"])
        self.assertAlmostEqual(kpis["doctors-at-work"], doctors / (days * 1440), delta=0.06 * kpis["doctors-at-work"])
        # The rota: 6 from seven to ten in the evening, 4 at night, whatever the hour at which it begins.
        self.assertAlmostEqual(kpis["on-duty"], (15 * 6 + 9 * 4) / 24, delta=1e-6)
        hours = days * 24
        paid = 34 * (15 * 6 + 9 * 4) / 24 + 72 * (15 * 4 + 9 * 3) / 24 + 42 * (15 * 3 + 9 * 1) / 24
        self.assertAlmostEqual(kpis["staff-cost"], paid * hours, delta=1e-4 * paid * hours)

    def test_more_load_than_beds(self):
        """Forty beds for some 47 patients: the department fills up behind them."""
        for world, open_beds in (("base", 56), ("few", 40)):
            self.fork(world)
            for n in range(open_beds + 1, 57):
                self.put("amu-bed-%d" % n, world, open=False)
            self.run_to_end(world, "P14D")
        base, few = self.kpis("base"), self.kpis("few")
        self.assertGreater(few["boarding"], base["boarding"] + 5)
        self.assertLess(few["four-hours"], base["four-hours"] - 10)
        self.assertGreater(few["left-unseen"], 2 * base["left-unseen"])
        self.assertEqual(few["attendances"], base["attendances"])  # the same people come


class WhatIf(Sim):
    def test_signs(self):
        """From a full house, a day, ten times, the same chances for all."""
        self.put("amu", present=56)
        for id, count in (("majors-medical", 5), ("majors-place", 6), ("majors-observe", 5), ("triage", 4)):
            self.put(id, present=count, age=100.0)
        cases = [{"name": "as is"}]
        for name in ("one-more-nurse", "two-beds-fewer", "arrivals-up"):
            changes = self.call("GET", "/whatifs/" + name)["changes"]
            cases.append({"name": name, "changes": changes})
        self.call("POST", "/worlds/live/ensemble", {"for": "P1D", "replications": 10, "seed": 5, "cases": cases}, 202)
        done = self.ended("live", "ensemble")
        base, nurse, beds, more = ({k["name"]: k for k in c["kpis"]} for c in done["cases"])
        # A nurse costs 24 hours of 34 pounds, and sees to it that fewer wait.
        self.assertAlmostEqual(nurse["staff-cost"]["difference"]["mean"], 24 * 34, delta=0.1)
        self.assertEqual(nurse["staff-cost"]["difference"]["verdict"], "worse")
        self.assertEqual(nurse["waiting-for-nurse"]["difference"]["verdict"], "better")
        self.assertGreater(nurse["four-hours"]["difference"]["mean"], 0)
        self.assertLess(nurse["nurses-busy"]["difference"]["high"], 0)
        self.assertEqual(nurse["attendances"]["difference"]["mean"], 0)
        # Two beds fewer where all are taken: more wait for one, and longer.
        self.assertEqual(beds["bed-hours"]["difference"]["verdict"], "worse")
        self.assertEqual(beds["boarding"]["difference"]["verdict"], "worse")
        self.assertLess(beds["four-hours"]["difference"]["mean"], 0)
        self.assertEqual(beds["attendances"]["difference"]["mean"], 0)
        # A fifth more arrivals.
        ratio = more["attendances"]["mean"] / base["attendances"]["mean"]
        self.assertAlmostEqual(ratio, 1.2, delta=0.06)
        self.assertLess(more["four-hours"]["difference"]["mean"], -1)
        self.assertEqual(more["left-unseen"]["difference"]["verdict"], "worse")
        self.assertGreater(more["nurses-busy"]["difference"]["low"], 0)

    def test_in_one_command_each(self):
        for name in ("one-more-nurse", "two-beds-fewer", "arrivals-up"):
            r = self.ok(self.server.run("whatif", name, "--json"))
            self.assertEqual(r.json["states"], {name: "done", name + ".base": "done"})
        fewer = self.kpis("two-beds-fewer"), self.kpis("two-beds-fewer.base")
        costs = [sum(t.get("cost", 0) for t in self.twins(w).values() if "meanStay" in t)
                 for w in ("two-beds-fewer", "two-beds-fewer.base")]
        self.assertAlmostEqual(costs[1] - costs[0], 2 * 330 * 7, delta=0.1)
        self.assertEqual(fewer[0]["attendances"], fewer[1]["attendances"])


class Edit(Sim):
    """Whoever edits the graph edits the model."""

    def add(self, world, id, model, *links, **values):
        at = "/worlds/%s" % world if world else ""
        self.call("PUT", "%s/digitaltwins/%s" % (at, id), {"$metadata": {"$model": NS % model}, **values})
        for n, (source, name, target, more) in enumerate(links):
            self.call("PUT", "%s/digitaltwins/%s/relationships/%s-%d" % (at, source, id, n),
                      {"$relationshipName": name, "$targetId": target, **more})

    def add_ward(self, world, id="ward-9", beds=20):
        """Ward, beds and ways in one request: a run that is under way never sees half of it."""
        lines = [{"Section": "Header"}, {"fileVersion": "1.0.0"}, {"Section": "Twins"},
                 {"$dtId": id, "$metadata": {"$model": NS % "Ward"}, "label": "A new ward", "kind": "ward",
                  "specialty": "medical", "meanStay": 6.6, "bedCost": 330.0}]
        names = ["%s-bed-%d" % (id, n) for n in range(beds)]
        lines += [{"$dtId": bed, "$metadata": {"$model": NS % "Bed"}, "open": True} for bed in names]
        lines += [{"Section": "Relationships"}]
        links = [(id, "wardOf", "st-clare", {}), (id, "leadsTo", "discharge-lounge", {"share": 1.0}),
                 ("amu", "leadsTo", id, {"who": "medical"})] + [(bed, "bedOf", id, {}) for bed in names]
        lines += [{"$dtId": a, "$relationshipId": "%s-%s" % (name, b), "$relationshipName": name, "$targetId": b,
                   **more} for a, name, b, more in links]
        at = "/worlds/%s" % world if world else ""
        status, _, text = self.server.http("POST", at + "/import", "\n".join(map(json.dumps, lines)) + "\n",
                                           {"Content-Type": "application/x-ndjson"})
        self.assertEqual((status, json.loads(text).get("rejected")), (200, 0), text)

    def test_a_ward_in_a_scenario(self):
        """Medical stays are twice as long as they were, so that wards 1 to 5 cannot take all who come. By hand, a day:

        114 * 0.45 + 54 * 0.80 = 94.5 people are majors and 54 * 0.12 = 6.5 are in resuscitation; 0.34 and 0.40 of them
        get a bed of the acute medical unit, and 55 % of those go on to a ward: 19. From 150 full beds, with stays of
        2 * 6.6 days and the wait for the morning, 11 leave. So 80 in ten days (their deviation is under 20) are left
        for the new ward, that has 20 beds: they fill, and some of those who were in them leave.
        """
        for id in ["ward-%d" % n for n in range(1, 6)]:  # all full
            self.put(id, present=30, meanStay=2 * 6.6)
        self.put("amu", present=56)
        before = self.twins("live")["st-clare"]
        self.fork("as-is")
        self.fork("ward")
        self.add_ward("ward")
        self.put("ward-9", "ward", meanStay=2 * 6.6)
        self.assertEqual(self.twins("ward")["ward-9"]["beds"], 20)
        house = self.twins("ward")["st-clare"]
        self.assertEqual((house["beds"], house["inBed"]), (before["beds"] + 20, before["inBed"]))
        for world in ("as-is", "ward"):
            self.run_to_end(world, "P10D")
        as_is, twins = self.twins("as-is"), self.twins("ward")
        self.assertGreaterEqual(twins["ward-9"]["present"] + twins["ward-9"]["left"], 20)
        self.assertLessEqual(twins["ward-9"]["present"], 20)
        # Who would have waited for a ward makes room in the unit, that was full: more get through, in less time each.
        self.assertGreater(twins["amu"]["left"], as_is["amu"]["left"])
        self.assertLess(twins["amu"]["stayTime"], as_is["amu"]["stayTime"])

    def test_a_nurse_is_a_twin(self):
        """Two more on the night shift: two times nine hours a day at 34 pounds."""
        self.fork("as-is")
        self.fork("nurses")
        for n in (1, 2):
            self.add("nurses", "nurse-new-%d" % n, "Nurse", ("nurse-new-%d" % n, "memberOf", "nurses", {}),
                     rota="night")
        self.assertEqual(self.twins("nurses")["nurses"]["nightShift"], 6)
        for world in ("as-is", "nurses"):
            self.run_to_end(world, "P4D")
        cost = self.kpis("nurses")["staff-cost"] - self.kpis("as-is")["staff-cost"]
        self.assertAlmostEqual(cost, 4 * 9 * 2 * 34, delta=0.5)

    def test_a_link_away(self):
        """Nobody is sent to intensive care any more when nothing leads there."""
        self.fork("cut")
        for source in ("majors-critical", "resus-critical"):
            self.call("DELETE", "/worlds/cut/digitaltwins/%s/relationships/leadsTo-icu" % source, want=204)
            self.call("PUT", "/worlds/cut/digitaltwins/%s/relationships/elsewhere" % source,
                      {"$relationshipName": "leadsTo", "$targetId": "ward-8", "share": 1})
        self.put("icu", "cut", present=0)
        self.run_to_end("cut", "P5D")
        twins = self.twins("cut")
        self.assertEqual((twins["icu"]["present"], twins["icu"]["left"]), (0, 0))
        self.assertGreater(twins["resus-critical"]["left"] + twins["majors-critical"]["left"], 0)

    def test_while_it_runs(self):
        """A ward is built in the middle of a run: it goes on with it from there."""
        for id in ["ward-%d" % n for n in range(1, 6)]:
            self.put(id, present=30)
        self.fork("w")
        run = self.call("POST", "/worlds/w/run", {"for": "P20D", "output": "PT1H", "speed": 3600}, 202)
        kit.until(lambda: self.call("GET", "/worlds/w/run")["instants"] > 5, what="some of the run")
        self.add_ward("w")
        status = kit.until(lambda: (lambda s: s if s.get("begunAnew") else None)(self.call("GET", "/worlds/w/run")),
                           what="the ward in the run")
        self.assertEqual(status["state"], "running", status)
        self.call("POST", "/worlds/w/pause")
        self.run_to_end("w", "P10D")
        self.assertLess(run["begin"], status["now"])
        twins = self.twins("w")
        self.assertGreater(twins["ward-9"]["present"] + twins["ward-9"]["left"], 5)

    def test_in_live_while_the_house_lives(self):
        p = subprocess.Popen([kit.SITE, "--pack", "hospital", "--url", self.server.url, "--quiet"],
                             env=kit.environment())
        self.addCleanup(lambda: (p.kill(), p.wait()))
        kit.until(lambda: self.server.twin("majors-examine").get("state"), what="the site's values")
        self.add_ward(None, beds=3)
        self.assertEqual(self.server.twin("ward-9")["beds"], 3)
        self.put("amu", present=56)
        self.fork("later")
        self.run_to_end("later", "P7D")
        ward = self.twins("later")["ward-9"]
        self.assertGreater(ward["present"] + ward["left"], 0)
        self.assertIsNone(p.poll())


class Loop(Sim):
    """Too few nurses: a rule tries it in forks, somebody approves, and the house has one more."""

    def decision(self, cost):
        """Propose with waiting held to cost so much an hour; the record when it stands still."""
        self.put("st-clare", waitingCost=cost)
        self.put("majors-assess", present=14, waiting=10, age=60.0)
        self.put("triage", present=9, waiting=8, age=10.0)
        self.assertGreaterEqual(self.server.twin("nurses")["queued"], 18)
        self.call("POST", "/rules/nurses-short/try", {"twin": "nurses"}, 202)

        def look():
            newest = self.call("GET", "/decisions?limit=1")["value"]
            return newest[0] if newest and newest[0]["state"] not in ("proposing",) else None
        return self.call("GET", "/decisions/%d" % kit.until(look, 60, "the proposal")["id"])

    def test_a_nurse_is_called_when_that_pays(self):
        p = subprocess.Popen([kit.SITE, "--pack", "hospital", "--url", self.server.url, "--quiet"],
                             env=kit.environment())
        self.addCleanup(lambda: (p.kill(), p.wait()))
        kit.until(lambda: self.server.http("GET", "/connections/site")[0] == 200, what="the site's connection")
        on_duty = kit.until(lambda: self.server.twin("nurses").get("onDuty"), what="nurses")
        idle = self.decision(0.0)  # waiting costs nothing: so nurses are money lost, 34 GBP for each hour of 5.5
        self.assertEqual((idle["state"], idle["choice"]), ("nothing", "nothing"))
        lost = {a["action"]: a["objective"] for a in idle["alternatives"]}
        self.assertAlmostEqual(lost["call-one"]["gain"], -(5.5 * 34 + 20), delta=0.01)
        self.assertAlmostEqual(lost["call-two"]["gain"], -(5.5 * 68 + 20), delta=0.01)
        found = self.decision(1000.0)
        self.assertEqual(found["state"], "waiting", found.get("why"))
        self.assertIn(found["choice"], ("call-one", "call-two"))
        called = {"call-one": 1, "call-two": 2}[found["choice"]]
        self.ok(self.server.run("decisions", "approve", found["id"], "--note", "the matron"))
        kit.until(lambda: self.server.twin("nurses")["onDuty"] == on_duty + called, what="who was called")
        kit.until(lambda: self.call("GET", "/decisions/%d" % found["id"])["state"] == "watching", what="watching")


if __name__ == "__main__":
    kit.main()
