#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write graph.ndjson, the twins and relationships of the hospital in the Azure Digital Twins bulk format, and
mappings/patients.mapping, how patients flow over them.

Same input, same bytes: run it after a change and commit the result (a test compares them). The hospital is invented;
README.md says where each number comes from.
"""
import json
import math
import os

NS = "dtmi:sosia:hospital:%s;1"
twins, links = [], []


def twin(id, model, **values):
    twins.append({"$dtId": id, "$metadata": {"$model": NS % model}, **values})
    return id


def link(source, name, target, **values):
    links.append({"$dtId": source, "$relationshipId": "%s-%s" % (name, target), "$relationshipName": name,
                  "$targetId": target, **values})


# --- the house --------------------------------------------------------------------------------------------------------

HOSPITAL = twin("st-clare", "Hospital", label="St Clare's Hospital", attendancePrice=170.0, spellPrice=2650.0,
                breachCost=120.0, waitingCost=30.0)
EMERGENCY = twin("emergency", "Department", label="Emergency department")
link(EMERGENCY, "partOf", HOSPITAL)


def beds(place, count, id, label):
    for n in range(1, count + 1):
        twin("%s-%d" % (id, n), "Bed", label="%s %d" % (label, n), open=True)
        link("%s-%d" % (id, n), "bedOf", place)


# --- who works there --------------------------------------------------------------------------------------------------

def team(id, label, model, word, rate, early, late, night):
    twin(id, "Team", label=label, kind="team", bank=0, hourlyRate=rate)
    link(id, "worksFor", HOSPITAL)
    n = 0
    for rota, count in (("early", early), ("late", late), ("night", night)):
        for _ in range(count):
            n += 1
            twin("%s-%d" % (word, n), model, label="%s %d" % (word.replace("-", " ").capitalize(), n), rota=rota)
            link("%s-%d" % (word, n), "memberOf", id)


team("nurses", "Emergency nurses", "Nurse", "nurse", 34.0, 6, 6, 4)
team("doctors", "Emergency doctors", "Doctor", "doctor", 72.0, 4, 4, 3)
team("practitioners", "Nurse practitioners, minor injuries", "Nurse", "practitioner", 42.0, 3, 3, 1)

# --- where it is done -------------------------------------------------------------------------------------------------

for id, label, count, word in (("cubicles", "Cubicles", 20, "cubicle"), ("resus-bays", "Resuscitation bays", 5, "bay"),
                               ("scanners", "Imaging", 2, "scanner")):
    twin(id, "Area", label=label, kind="area")
    link(id, "partOf", EMERGENCY)
    beds(id, count, word, word.capitalize())

WARDS = (("amu", "Acute medical unit", "assessment", "medical", 56, 1.3),
         ("ward-1", "Ward 1, medicine", "ward", "medical", 30, 6.6),
         ("ward-2", "Ward 2, medicine", "ward", "medical", 30, 6.6),
         ("ward-3", "Ward 3, medicine", "ward", "medical", 30, 6.6),
         ("ward-4", "Ward 4, elderly care", "ward", "medical", 30, 6.6),
         ("ward-5", "Ward 5, elderly care", "ward", "medical", 30, 6.6),
         ("ward-6", "Ward 6, surgery", "ward", "surgical", 30, 4.2),
         ("ward-7", "Ward 7, surgery", "ward", "surgical", 30, 4.2),
         ("ward-8", "Ward 8, orthopaedics", "ward", "surgical", 30, 4.2),
         ("icu", "Intensive care", "intensive", "critical", 14, 3.5))
for id, label, kind, specialty, count, stay in WARDS:
    twin(id, "Ward", label=label, kind=kind, specialty=specialty, meanStay=stay, present=round(0.9 * count),
         bedCost=330.0 if kind != "intensive" else 1500.0)
    link(id, "wardOf", HOSPITAL)
    beds(id, count, id + "-bed", "Bed")

# --- the ways of patients ---------------------------------------------------------------------------------------------


def entrance(id, label):
    twin(id, "Entrance", label=label, kind=id, factor=1.0)
    link(id, "partOf", HOSPITAL)


def step(id, label, *ways, kind=None, staff=(), occupies=None, within=None, vacates=None, **values):
    twin(id, "Step", label=label, kind=kind or id, present=0, age=0.0, **values)
    link(id, "partOf", EMERGENCY)
    for name in staff:
        link(id, "staffedBy", name)
    for name, area in (("occupies", occupies), ("within", within), ("vacates", vacates)):
        if area:
            link(id, name, area)
    leads(id, *ways)


def leads(source, *ways):
    """To others: (twin, share) or (twin, "for whom")."""
    for target, how in ways:
        link(source, "leadsTo", target, **({"who": how} if isinstance(how, str) else {"share": how}))


def exit(id, label):
    twin(id, "Exit", label=label, kind=id)
    link(id, "partOf", HOSPITAL)


def wards(specialty, kind):
    return [(id, specialty) for id, _, k, s, _, _ in WARDS if s == specialty and k == kind]


entrance("walk-ins", "Who walks in")
entrance("ambulances", "Ambulances")
entrance("electives", "Planned admissions")
exit("home", "Home")
exit("left-unseen", "Left without being seen")

BEDS = {"medical": wards("medical", "assessment"), "surgical": wards("surgical", "ward"),
        "critical": wards("critical", "intensive")}


def decided(place, area, home, medical, surgical, critical):
    """What becomes of patients: a step each, so that who waits for what can be seen."""
    shares = {"home": home, "medical": medical, "surgical": surgical, "critical": critical}
    step("%s-decide" % place, "%s: decision" % PLACES[place], *[("%s-%s" % (place, k), v) for k, v in shares.items()],
         staff=("doctors",), within=area)
    step("%s-home" % place, "%s: goes home" % PLACES[place], ("home", 1.0), kind="home-going", staff=("nurses",),
         vacates=area)
    for k, to in BEDS.items():
        step("%s-%s" % (place, k), "%s: for a %s bed" % (PLACES[place], k), *[(w, 1.0) for w, _ in to],
             kind="for-a-bed", staff=("nurses",), vacates=area)


PLACES = {"majors": "Majors", "resus": "Resuscitation"}
leads("walk-ins", ("reception", 1.0))
leads("ambulances", ("ambulance-handover", 1.0))
leads("electives", ("elective-lounge", 1.0))
step("reception", "Reception", ("triage", 1.0), places=2)
step("triage", "Triage", ("minors", 0.55), ("majors-place", 0.45), staff=("nurses",))
step("ambulance-handover", "Ambulance handover", ("minors", 0.08), ("majors-place", 0.80), ("resus-place", 0.12),
     staff=("nurses",))
step("minors", "Minor injuries", ("home", 1.0), ("left-unseen", "gives up"), staff=("practitioners",))
step("majors-place", "Majors: to a cubicle", ("majors-assess", 1.0), ("left-unseen", "gives up"), occupies="cubicles")
step("majors-assess", "Majors: nurse's assessment", ("majors-examine", 1.0), staff=("nurses",), within="cubicles")
step("majors-examine", "Majors: doctor's examination", ("majors-laboratory", 0.45), ("majors-imaging", 0.25),
     ("majors-observe", 0.30), staff=("doctors",), within="cubicles")
step("majors-laboratory", "Majors: laboratory", ("majors-imaging", 0.3), ("majors-observe", 0.7), within="cubicles")
step("majors-imaging", "Majors: imaging", ("majors-observe", 1.0), staff=("scanners",), within="cubicles")
step("majors-observe", "Majors: results, opinion, observation", ("majors-treat", 0.6), ("majors-decide", 0.4),
     within="cubicles")
step("majors-treat", "Majors: treatment", ("majors-decide", 1.0), staff=("nurses",), within="cubicles")
decided("majors", "cubicles", 0.52, 0.34, 0.13, 0.01)
step("resus-place", "Resuscitation: to a bay", ("resus-stabilise", 1.0), occupies="resus-bays")
step("resus-stabilise", "Resuscitation: stabilising", ("resus-imaging", 0.6), ("resus-decide", 0.4),
     staff=("doctors", "nurses"), within="resus-bays")
step("resus-imaging", "Resuscitation: imaging", ("resus-decide", 1.0), staff=("scanners",), within="resus-bays")
decided("resus", "resus-bays", 0.12, 0.40, 0.28, 0.20)
step("elective-lounge", "Admissions lounge", *[(w, 1.0) for w, _ in wards("surgical", "ward")])
step("discharge-lounge", "Discharge lounge", ("home", 1.0))
for id, _, kind, specialty, _, _ in WARDS:
    if kind == "ward":
        leads(id, ("discharge-lounge", 1.0))
leads("amu", ("discharge-lounge", "home"), *wards("medical", "ward"))
leads("icu", ("discharge-lounge", "home"), *wards("medical", "ward"), *wards("surgical", "ward"))
for id in ("minors", "left-unseen", "majors-home", "resus-home"):
    link(HOSPITAL, "departures", id)
for id in [place + "-" + k for place in PLACES for k in BEDS]:
    link(HOSPITAL, "departures", id)
    link(HOSPITAL, "boards", id)
for t in list(twins):
    if t["$metadata"]["$model"] == NS % "Step" and "lounge" not in t["$dtId"]:
        link(HOSPITAL, "queues", t["$dtId"])
for id in ("walk-ins", "ambulances"):
    link(HOSPITAL, "attendances", id)
link(HOSPITAL, "discharges", "discharge-lounge")

# --- how they flow ----------------------------------------------------------------------------------------------------

MINUTE, HOUR, DAY = 60, 3600, 86400
PER_DAY = {"walk-ins": 114.0, "ambulances": 54.0}
HOURS = {  # shares of the day by the hour, of a hundred
    "walk-ins": (2.0, 1.6, 1.3, 1.2, 1.1, 1.2, 1.7, 2.8, 4.6, 6.0, 6.6, 6.6, 6.2, 5.9, 5.8, 5.8, 5.8, 5.8, 5.8, 5.6,
                 5.1, 4.3, 3.4, 2.6),
    "ambulances": (3.4, 3.1, 2.8, 2.6, 2.4, 2.4, 2.6, 3.0, 3.7, 4.4, 4.9, 5.2, 5.3, 5.2, 5.1, 5.0, 5.0, 5.0, 5.0, 5.0,
                   4.9, 4.7, 4.4, 4.0)}
WEEKDAYS = (1.09, 1.01, 0.99, 0.98, 0.98, 0.97, 0.98)  # from Monday
ELECTIVES = 6.0  # of a working day, from seven to nine


def week(name):
    """Arrivals a second by the hour of the week."""
    hours, days = HOURS[name], sum(WEEKDAYS) / 7
    return [[(24 * d + h) * HOUR, round(PER_DAY[name] * WEEKDAYS[d] / days * hours[h] / sum(hours) / HOUR, 9)]
            for d in range(7) for h in range(24)]


def planned():
    steps = []
    for d in range(7):
        rate = ELECTIVES / (2 * HOUR) if d < 5 else 0
        steps += [[d * DAY, 0], [d * DAY + 7 * HOUR, round(rate, 9)], [d * DAY + 9 * HOUR, 0]]
    return steps


def delay(mean, sd):
    return {"is": "station", "servers": "infinite", "service": {"lognormal": [mean * MINUTE, sd * MINUTE]}}


def work(service, **more):
    return {"is": "station", "servers": "infinite", "service": service, **more}


def path(home, medical=0.0, surgical=0.0):
    return {"path": {"empirical": [[k, w] for k, w in enumerate((home, medical, surgical)) if w]}}


def rest_of(mean, cv, points=50):
    """What is left of a lognormal stay for who is in bed now: density (1 - F(x)) / mean, by its quantiles."""
    s = math.sqrt(math.log(1 + cv * cv))
    mu, step, area, out = math.log(mean) - s * s / 2, mean / 2000, 0.0, []
    x = 0.0
    while len(out) < points:
        x += step
        area += step * (0.5 - 0.5 * math.erf((math.log(x - step / 2) - mu) / s / math.sqrt(2))) / mean
        while len(out) < points and area >= (len(out) + 0.5) / points:
            out.append([round(x), 1])
    return {"empirical": out}


def stays(cv, **more):
    """Of a bed: mean 1 day, which a ward's meanStay scales."""
    return {"is": "station", "capacity": 0, "service": {"lognormal": [DAY, cv * DAY]}, "route": "first",
            "initialService": rest_of(DAY, cv), **more}


FOUR_HOURS = 4 * HOUR
GIVES_UP = {"patience": {"weibull": [6 * HOUR, 1.5]}, "instead": "gives up"}
PLACE = {"is": "station", "servers": "infinite", "hold": True}
CONFIG = {
    "attributes": ["path"],
    "calendars": {**{name: {"period": "week", "steps": week(name)} for name in HOURS},
                  "electives": {"period": "week", "steps": planned()},
                  "discharges": {"period": "day", "steps": [[0, 0], [8 * HOUR, 1], [20 * HOUR, 0]]}},
    "nodes": {
        "walk-ins": {"is": "source", "rate": "walk-ins"},
        "ambulances": {"is": "source", "rate": "ambulances"},
        "electives": {"is": "source", "rate": "electives"},
        "reception": {"is": "station", "service": {"lognormal": [5 * MINUTE, 1.414 * MINUTE]}},
        "triage": work({"exponential": 3 * MINUTE}),
        "ambulance-handover": work({"lognormal": [10 * MINUTE, 5 * MINUTE]}),
        "minors": work({"lognormal": [29.3 * MINUTE, 9 * MINUTE]}, target=FOUR_HOURS, **GIVES_UP),
        "majors-place": {**PLACE, **GIVES_UP},
        "majors-assess": work({"lognormal": [20 * MINUTE, 8 * MINUTE]}),
        "majors-examine": work({"normal": [16 * MINUTE, 1.732 * MINUTE]}),
        "majors-laboratory": delay(65, 25),
        "majors-imaging": work({"lognormal": [20 * MINUTE, 8 * MINUTE]}),
        "majors-observe": delay(50, 35),
        "majors-treat": work({"lognormal": [13.3 * MINUTE, 1.414 * MINUTE]}),
        "majors-decide": work({"lognormal": [10 * MINUTE, 5 * MINUTE]}),
        "resus-place": {**PLACE, "set": {"priority": -1}},
        "resus-stabilise": work({"exponential": 90 * MINUTE}),
        "resus-imaging": work({"lognormal": [30 * MINUTE, 10 * MINUTE]}),
        "resus-decide": work({"lognormal": [10 * MINUTE, 5 * MINUTE]}),
        "home-going": work({"lognormal": [10 * MINUTE, 5 * MINUTE]}, target=FOUR_HOURS),
        "for-a-bed": work({"lognormal": [15 * MINUTE, 6 * MINUTE]}, route="first", target=FOUR_HOURS),
        "elective-lounge": {"is": "station", "servers": "infinite", "route": "first"},
        "assessment": stays(0.7, set=path(0.45, 0.55)),
        "ward": stays(0.73),
        "intensive": stays(1.0, set=path(0.15, 0.35, 0.50)),
        "discharge-lounge": {"is": "station", "servers": "infinite", "capacity": 0, "calendar": "discharges",
                             "service": {"lognormal": [60 * MINUTE, 40 * MINUTE]}},
        "home": {"is": "sink"},
        "left-unseen": {"is": "sink", "target": FOUR_HOURS},
        "team": {"is": "resource"},
        "area": {"is": "resource"}},
    "ways": {
        **{name: {"when": {"attribute": "path", "is": "=", "value": k}}
           for k, name in enumerate(("home", "medical", "surgical"))},
        "gives up": {},
        "within": {"use": "held"},
        "vacates": {"use": "release"}}}

SEEN = {"state": "state", "inside": "present", "queue": "waiting", "blocked": "boarding", "made": "left",
        "late": "late", "wait": "waitTime", "stay": "stayTime"}
THERE = {"initial": "present", "age": "age"}
MAPPING = {
    "title": "Patients",
    "engine": "flow",
    "nodes": [
        {"model": NS % "Entrance", "roles": {"kind": "kind", "speed": "factor", "made": "left"}},
        {"model": NS % "Step", "roles": {"kind": "kind", "servers": "places", **THERE, **SEEN, "lost": "lost"}},
        {"model": NS % "Ward",
         "roles": {"kind": "kind", "servers": "beds", "time": "meanStay", "initial": "present", **SEEN}},
        {"model": NS % "Exit", "roles": {"kind": "kind", "made": "left", "late": "late", "stay": "stayTime"}},
        {"model": NS % "Team", "roles": {"kind": "kind", "servers": "onDuty", "busy": "atWork"}},
        {"model": NS % "Area", "roles": {"kind": "kind", "servers": "places", "busy": "inUse"}}],
    "edges": [
        {"relationship": "leadsTo", "roles": {"weight": "share", "way": "who"}},
        {"relationship": "staffedBy"},
        {"relationship": "occupies"},
        {"relationship": "within", "roles": {"way": "'within'"}},
        {"relationship": "vacates", "roles": {"way": "'vacates'"}}],
    "config": CONFIG}


def lines():
    return [{"Section": "Header"}, {"fileVersion": "1.0.0", "author": "Sosia", "organization": "St Clare's"},
            {"Section": "Twins"}, *twins, {"Section": "Relationships"}, *links]


def graph():
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines())


def mapping():
    return json.dumps(MAPPING, ensure_ascii=False, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    for name, text in (("graph.ndjson", graph()), (os.path.join("mappings", "patients.mapping"), mapping())):
        with open(os.path.join(here, name), "w", encoding="utf-8") as f:
            f.write(text)
