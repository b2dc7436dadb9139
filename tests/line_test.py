#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# LABELS: process
"""The lines of the bottling plant on the flow engine: what they make, where they stand and why, against closed forms.

An item takes P = 60 s / 0.985 at each machine, and all machines of a line go in step from t = 0 on; only the blower
runs ahead, until the conveyor before the rinser is well filled. A conveyor begins half full, with two items of four.
Nothing here is copied from an output."""
import datetime
import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402
from whatif_test import Plant as WhatIfs  # noqa: E402

P = 60 / 0.985
GOOD = 1 - 0.0045
SPEED = {1: 36000, 2: 24000, 3: 12000}
# Mean length of a short stop over the mean time at work between two: of all machines of a line, and of the worst.
STOPS = 245 / 8154 + 5 * 245 / 22286 + 3 * 245 / 167143
WORST = 245 / 8154


def rate(line, share=0.985):
    """Good bottles a second."""
    return SPEED[line] * share * GOOD / 3600


class Line(WhatIfs):
    """One line at a time, whatever the hour is."""

    def setUp(self):
        super().setUp()
        self.always()
        self.whole()

    def made(self, line, world="tried"):
        return self.twin("log-line-%d" % line, world)["made"]

    def states(self, line, world="tried"):
        return {name: self.twin("line-%d-%s" % (line, name), world)["state"] for name in
                ("blower", "conveyor-1", "rinser", "filler", "capper", "conveyor-2", "inspector", "labeller",
                 "conveyor-3", "packer", "conveyor-4", "palletiser", "wrapper")}

    def test_makes_what_its_slowest_machine_passes(self):
        # All go at the same pace: the wrapper works from the first second to the last.
        self.try_it("PT8H")
        for line in SPEED:
            self.assertAlmostEqual(self.made(line), rate(line) * 8 * 3600, delta=1e-3)
        self.assertEqual(set(self.states(1).values()), {"running"})
        # A packer that takes 75 s where the others take 60, and that with the 15 % by which it hurries because the
        # conveyor before it is full, passes four fifths; all behind it wait for it.
        mapping = self.call("GET", "/mappings/lines")
        mapping["config"]["nodes"]["packer"]["service"] = 75 * 1.15
        self.call("PUT", "/mappings/lines", {k: v for k, v in mapping.items() if k not in ("name", "defined")})
        self.try_it("PT4H")
        first = self.made(1)
        self.try_it("PT8H")
        self.assertAlmostEqual(self.made(1) - first, rate(1) * 4 * 3600 * 60 / 75, delta=2 * 600)
        states = self.states(1)
        self.assertEqual(states["packer"], "running")
        self.assertEqual(states["conveyor-3"], "running")  # it is full, and moves on when the packer takes
        self.assertTrue(self.twin("line-1-conveyor-3")["piled"])

    def test_a_machine_that_stands_blocks_and_starves_the_others_in_turn(self):
        """The packer breaks. k: when the machines pass on for the first time after that."""
        broken = 3600.0
        self.try_it("PT2H", ("PT1H", "line-1-packer", "fault", "film cut missed"))
        k = int(broken / P) + 1
        # Conveyor 3 takes two more items, then the labeller keeps its own, and with it the inspector; conveyor 2 takes
        # two, then capper, filler and rinser stand.
        for machine, turn in (("labeller", k + 2), ("inspector", k + 2), ("capper", k + 4), ("filler", k + 4),
                              ("rinser", k + 4)):
            self.near("line-1-" + machine, "state", "blocked", turn * P, 1e-3)
        # Behind it the palletiser has its own and two of conveyor 4, the wrapper one more.
        self.near("line-1-palletiser", "state", "starved", (k + 2) * P, 1e-3)
        self.near("line-1-wrapper", "state", "starved", (k + 3) * P, 1e-3)
        self.near("line-1-packer", "state", "faulted", broken, 1e-3)
        self.near("line-1", "state", "faulted", (k + 4) * P, 1e-3)
        states = self.states(1)
        self.assertEqual({m: s for m, s in states.items() if s not in ("blocked", "starved")}, {"packer": "faulted"})
        self.assertEqual([m for m, s in states.items() if s == "starved"], ["conveyor-4", "palletiser", "wrapper"])
        # All that had passed the packer is out, and the water flowed until the filler stood.
        self.assertAlmostEqual(self.made(1), (k + 3) * 600 * GOOD, delta=1e-3)
        self.assertEqual(self.twin("line-1")["waterUse"], 0)
        self.assertEqual(self.made(2), self.made(2, "tried.base"))

    def test_conveyors_take_a_part_of_a_stop(self):
        """The packer stands ten minutes: the line loses less than that, by about what the conveyors take."""
        broken, back, end = 3600.0, 4200.0, 6 * 3600.0
        self.try_it("PT6H", ("PT1H", "line-1-packer", "fault", "film cut missed"),
                    ("PT1H10M", "line-1-packer", "fault", ""))
        self.assertAlmostEqual(self.made(1, "tried.base"), rate(1) * end, delta=1e-3)
        self.assertEqual(set(self.states(1).values()), {"running"})
        # The filler stands from its fourth turn after the stop on, and goes on one turn, shorter by the hurry, after
        # the packer does for each machine that has to make room: packer, labeller and inspector, capper. What it
        # passes less is what comes out less, but for what lies on the conveyors then and now: two at most on each.
        k = int(broken / P) + 1
        stood = (self.made(1, "tried.base") - self.made(1)) / rate(1)
        self.assertGreater(stood, back - (k + 4) * P - 3 * 2 * P)
        self.assertLess(stood, back - (k + 4) * P + 4 * P + 3 * 2 * P)
        self.assertLess(stood, back - broken)

    def test_a_jam_costs_the_time_the_filler_stands(self):
        """A jam that a sensor tells of is there in the fork; whoever clears it after two hours saves the rest."""
        self.put("line-1-filler", fault="jam at infeed star")
        self.call("PUT", "/behaviours/filler", dict(
            {k: v for k, v in self.call("GET", "/behaviours/filler").items() if k in ("model", "title")},
            say=[s for s in self.call("GET", "/behaviours/filler")["say"] if not s.startswith("at rate")]))
        self.try_it("PT6H", ("PT2H", "line-1-filler", "fault", ""))
        self.assertEqual(self.twin("line-1-filler", "tried.base")["state"], "faulted")
        self.assertEqual(self.twin("line-1", "tried.base")["state"], "faulted")
        self.near("line-1-filler", "state", "running", 7200, 1e-3)
        # Without it: what lay behind the filler, one item in each of six machines and two on each of three conveyors.
        behind = (6 + 3 * 2) * 600 * GOOD
        self.assertAlmostEqual(self.made(1, "tried.base"), behind, delta=1e-3)
        # With it: four hours of the filler, but for the six items on their way at the end.
        self.assertAlmostEqual(self.made(1), rate(1) * 4 * 3600 + behind - 6 * 600 * GOOD, delta=1e-3)

    def test_somebody_comes_by(self):
        """A jam of now is over after an hour on average, whoever looks on: the mean of an exponential variate."""
        self.put("line-1-filler", fault="jam at infeed star")
        self.call("POST", "/worlds/live/ensemble", {"for": "PT2H", "output": "PT1H", "replications": 64, "seed": 3,
                                                    "track": [{"twin": "log-line-1", "property": "made"}],
                                                    "kpis": ["bottles-made"]}, 202)
        made = self.result()["cases"][0]["kpis"][0]
        # Of two hours the least of them and an exponential variate of an hour is missed: 1 - e^-2 of an hour on
        # average, with a variance of 1 - e^-4 - 4 e^-2; and the items that are on their way to the wrapper meanwhile.
        whole = sum(rate(line) for line in SPEED) * 7200
        missed = (whole - made["mean"]) / rate(1)
        deviation = 3600 * math.sqrt(1 - math.exp(-4) - 4 * math.exp(-2))
        self.assertLess(abs(missed - 3600 * (1 - math.exp(-2))), 4 * deviation / 8 + 6 * P)

    def test_waits_for_the_end_of_the_shift(self):
        """A filler that is left alone until the shift ends goes on then: at 6, 14 or 22 o'clock of the plant."""
        self.try_it("PT8H", ("PT0S", "line-1-filler", "fault", "waits for the end of the shift"))
        run = self.call("GET", "/worlds/tried/run")
        begin = datetime.datetime.fromisoformat(run["begin"][:19])
        into = (begin.hour * 3600 + begin.minute * 60 + begin.second + 3600 + 2 * 3600) % (8 * 3600)
        self.near("line-1-filler", "state", "running", 8 * 3600 - into, 2)

    def test_no_water(self):
        self.put("buffer-tank-1", volume=5.0, level=12.5)
        self.try_it("PT2H", ("PT0S", "feeder-south", "closed", False))
        dry = (5.0 - 0.02 * 40) / (36000 * 0.985 * 0.5e-3 * 1.18 / 3600)
        self.near("line-1-filler", "state", "starved", dry, 1e-2)
        states = self.states(1)
        self.assertEqual({m for m, s in states.items() if s == "blocked"}, {"blower", "conveyor-1", "rinser"})
        self.assertEqual({m for m, s in states.items() if s == "starved"},
                         set(states) - {"blower", "conveyor-1", "rinser"})
        # The filler stopped within an item; what it had passed, and lay behind it, is out.
        k = int(dry / P)
        self.assertAlmostEqual(self.made(1), (k + 6 + 3 * 2) * 600 * GOOD, delta=1e-3)

    def test_breaks_cleaning_and_nights(self):
        """The words of the site: idle, cleaning, stopped; a machine that is faulty says so."""
        for plan, line, word in (("pause", 1, "idle"), ("clean", 2, "cleaning"), ("off", 3, "stopped")):
            say = ["initially plan = 'run'", "when elapsed > 30m then plan = '%s'" % plan]
            self.call("PUT", "/behaviours/calendar-line-%d" % line, {"twin": "log-line-%d" % line, "say": say})
        self.try_it("PT1H", ("PT10M", "line-3-labeller", "fault", "label web torn"))
        for line, word in ((1, "idle"), (2, "cleaning"), (3, "stopped")):
            states = self.states(line) if line < 3 else {"filler": self.twin("line-3-filler")["state"]}
            self.assertEqual(set(states.values()), {word}, states)
            self.assertAlmostEqual(self.made(line, "tried.base"), rate(line) * 1800, delta=1e-3)
        self.assertEqual(self.twin("line-3-labeller")["state"], "faulted")

    def test_slower_on_demand(self):
        """A speed limit of the filler, as the command sets it, is the pace of the whole line."""
        self.try_it("PT2H", ("PT1H", "line-1-filler", "speedLimit", 20000))
        self.assertAlmostEqual(self.made(1), rate(1) * 3600 + 20000 * 0.985 * GOOD, delta=1e-3)
        self.assertEqual(self.twin("line-1")["speed"], 19700)
        self.assertEqual(set(self.states(1).values()), {"running"})

    def test_begins_with_what_lies_on_the_conveyors_now(self):
        """Full ones behind the filler last longer than empty ones: by four items each."""
        for n in (2, 3, 4):
            self.put("line-1-conveyor-%d" % n, fill=100.0)
            self.put("line-2-conveyor-%d" % n, fill=0.0)
        self.try_it("PT1H", *[("PT0S", "line-%d-filler" % n, "fault", "main gear broken") for n in (1, 2)])
        self.assertAlmostEqual(self.made(1), (6 + 3 * 4) * 600 * GOOD, delta=1e-3)
        self.assertAlmostEqual(self.made(2), 6 * 400 * GOOD, delta=1e-3)

    def test_another_conveyor_takes_part(self):
        """Editing the graph edits the line: a conveyor more behind the wrapper's palletiser lasts two minutes more."""
        self.call("POST", "/worlds", {"name": "longer"}, 201)
        at = "/worlds/longer/digitaltwins/"
        self.call("PUT", at + "line-1-conveyor-5", {"$metadata": {"$model": "dtmi:sosia:bottling:Conveyor;1"},
                                                    "label": "Conveyor 5", "drive": {"$metadata": {}}})
        self.call("DELETE", at + "line-1-palletiser/relationships/feeds-line-1-wrapper", None, 204)
        for source, kind, target in (("line-1-palletiser", "feeds", "line-1-conveyor-5"),
                                     ("line-1-conveyor-5", "feeds", "line-1-wrapper"),
                                     ("line-1", "contains", "line-1-conveyor-5")):
            self.call("PUT", at + "%s/relationships/%s-%s" % (source, kind, target),
                      {"$relationshipName": kind, "$targetId": target})
        self.call("POST", "/worlds/longer/run", {"for": "PT1H", "output": "PT15M", "changes": [
            {"at": "PT0S", "twin": "line-1-filler", "property": "fault", "value": "main gear broken"}]}, 202)
        self.assertEqual(self.ended("longer")["state"], "done")
        self.assertAlmostEqual(self.made(1, "longer"), (6 + 4 * 2) * 600 * GOOD, delta=1e-3)

    def result(self):
        def look():
            r = self.call("GET", "/worlds/live/ensemble")
            return r if r["state"] not in ("running", "starting") else None
        return kit.until(look, 60, "the end of an ensemble")


class Chance(Line):
    """With short stops by chance."""

    def whole(self):
        pass

    def test_between_no_and_endless_conveyors(self):
        """What a line makes lies between what it would without anything between its machines (Buzacott: the times that
        each machine stops add up) and with endless conveyors (the worst machine's alone)."""
        self.call("POST", "/worlds/live/ensemble", {"for": "PT8H", "output": "PT8H", "replications": 40, "seed": 11,
                                                    "kpis": ["bottles-made"]}, 202)
        kpi = self.result()["cases"][0]["kpis"][0]
        self.assertEqual(kpi["n"], 40)
        whole = sum(rate(line) for line in SPEED) * 8 * 3600
        self.assertGreater(kpi["low"], whole / (1 + STOPS))
        self.assertLess(kpi["high"], whole / (1 + WORST))
        # Three conveyors of four minutes spare at least a quarter of what they could.
        none, endless = 1 / (1 + STOPS), 1 / (1 + WORST)
        self.assertGreater(kpi["mean"] / whole, none + 0.25 * (endless - none))

    def test_two_worlds_see_the_same_stops(self):
        self.try_it("PT8H", ("PT4H", "line-2-filler", "fault", "main gear broken"))
        for line in (1, 3):
            self.assertEqual(self.made(line), self.made(line, "tried.base"))
            self.assertLess(self.made(line), rate(line) * 8 * 3600)
        self.assertLess(self.made(2), self.made(2, "tried.base"))


# The tests of the class this one takes its helpers from are those of whatif_test.py.
for name in [n for n in dir(WhatIfs) if n.startswith("test_")]:
    setattr(Line, name, None)
for name in [n for n in dir(Line) if n.startswith("test_")]:
    if name not in vars(Chance):
        setattr(Chance, name, None)
del WhatIfs

if __name__ == "__main__":
    kit.main()
