#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write graph.ndjson, the twins and relationships of the bottling plant, and simulation.ndjson, what its simulations go
by besides, in the Azure Digital Twins bulk format.

Same input, same bytes: run it after a change and commit the result (a test compares them). The plant, its makers and
its products are invented.
"""
import json
import os
import zlib

NS = "dtmi:sosia:bottling:%s;1"
twins, links = [], []


def twin(id, model, **values):
    twins.append({"$dtId": id, "$metadata": {"$model": NS % model}, **values})
    return id


def asset(id, model, label, where, maker, **values):
    """A twin with a nameplate; serial number and date follow from its id."""
    n = zlib.crc32(id.encode())
    day = "%d-%02d-%02d" % (2012 + n % 11, 1 + n // 11 % 12, 1 + n // 132 % 28)
    twin(id, model, label=label, maker=maker, serialNumber="%s-%05d" % (maker[:2].upper(), n % 100000), installed=day,
         **values)
    link(id, "locatedIn", where)
    return id


def link(source, name, target, **values):
    links.append({"$dtId": source, "$relationshipId": "%s-%s" % (name, target), "$relationshipName": name,
                  "$targetId": target, **values})


def supplies(source, target, medium, capacity):
    link(source, "supplies", target, medium=medium, capacity=capacity)


def drive(**values):
    return {"$metadata": {}, **values}


# --- places -----------------------------------------------------------------------------------------------------------

twin("montefalda", "Site", label="Montefalda", floorArea=41800, latitude=44.3127, longitude=10.6214, headcount=38)
for id, model, label, area in (
        ("bottling-hall", "Hall", "Bottling hall", 6200), ("utility-building", "Hall", "Utility building", 740),
        ("pump-house", "Hall", "Pump house", 120), ("substation", "Hall", "Substation", 96),
        ("cold-store", "ColdStore", "Cold store", 1450)):
    twin(id, model, label=label, floorArea=area)
    link(id, "partOf", "montefalda")
twin("warehouse", "Warehouse", label="Warehouse", floorArea=5400, palletPlaces=2160)
link("warehouse", "partOf", "montefalda")

# --- products and orders ----------------------------------------------------------------------------------------------

PRODUCTS = (("still-050", "Falda still 0.5 l", 0.5, 1512, False),
            ("sparkling-150", "Falda sparkling 1.5 l", 1.5, 504, True),
            ("glass-075", "Falda Riserva 0.75 l glass", 0.75, 640, True))
for id, label, volume, pallet, gas in PRODUCTS:
    twin(id, "Product", label=label, bottleVolume=volume, bottlesPerPallet=pallet, carbonated=gas)

# --- bottling lines ---------------------------------------------------------------------------------------------------

LINES = (("line-1", "Line 1, still PET", 36000, "still-050", "Blower", "blower"),
         ("line-2", "Line 2, sparkling PET", 24000, "sparkling-150", "Blower", "blower"),
         ("line-3", "Line 3, glass", 12000, "glass-075", "Depalletiser", "depalletiser"))
for line, label, speed, product, first_model, first in LINES:
    asset(line, "Line", label, "bottling-hall", "Corvani", targetSpeed=speed)
    link(line, "produces", product)
    row = ((first, first_model, "Corvani", {}), ("conveyor-1", "Conveyor", "Trellmark", {}),
           ("rinser", "Rinser", "Corvani", {}), ("filler", "Filler", "Corvani", {"valves": speed // 300}),
           ("capper", "Capper", "Corvani", {}), ("conveyor-2", "Conveyor", "Trellmark", {}),
           ("inspector", "Inspector", "Lumetra", {}), ("labeller", "Labeller", "Helbrandt", {}),
           ("conveyor-3", "Conveyor", "Trellmark", {}), ("packer", "Packer", "Helbrandt", {}),
           ("conveyor-4", "Conveyor", "Trellmark", {}), ("palletiser", "Palletiser", "Helbrandt", {}),
           ("wrapper", "Wrapper", "Helbrandt", {}))
    ids = []
    for position, (name, model, maker, values) in enumerate(row, 1):
        id = asset("%s-%s" % (line, name), model, "%s, %s" % (name.replace("-", " ").capitalize(), label.split(",")[0]),
                   "bottling-hall", maker, position=position, drive=drive(), **values)
        link(id, "partOf", line)
        link(line, "contains", id, position=position)
        ids.append(id)
    for a, b in zip(ids, ids[1:]):
        link(a, "feeds", b, medium="bottles", capacity=speed)

for number, (line, product, quantity, due) in enumerate((("line-1", "still-050", 600000, "2026-11-27T16:00:00Z"),
                                                         ("line-2", "sparkling-150", 400000, "2026-11-28T10:00:00Z"),
                                                         ("line-3", "glass-075", 90000, "2026-11-30T14:00:00Z")), 2041):
    order = twin("order-%d" % number, "Order", quantity=quantity, produced=0, due=due, state="running")
    link(order, "of", product)
    link(order, "runsOn", line)

# --- water ------------------------------------------------------------------------------------------------------------

for well in ("well-1", "well-2"):
    asset(well, "Well", well.replace("-", " ").capitalize(), "montefalda", "Nordvik")
for n in (1, 2, 3):
    asset("pump-%d" % n, "Pump", "Well pump %d" % n, "pump-house", "Nordvik", drive=drive())
for well, pump in (("well-1", "pump-1"), ("well-1", "pump-2"), ("well-2", "pump-2"), ("well-2", "pump-3")):
    supplies(well, pump, "water", 60)
asset("raw-water-tank", "Tank", "Raw water tank", "pump-house", "Silvaro", capacity=180)
asset("intake-meter", "FlowMeter", "Intake meter", "pump-house", "Lumetra")
link("intake-meter", "monitors", "raw-water-tank")
asset("water-treatment", "WaterTreatment", "Water treatment", "utility-building", "Silvaro")
for n in (1, 2, 3):
    supplies("pump-%d" % n, "raw-water-tank", "water", 60)
    asset("buffer-tank-%d" % n, "Tank", "Buffer tank, line %d" % n, "utility-building", "Silvaro", capacity=40)
    supplies("water-treatment", "buffer-tank-%d" % n, "water", 45)
supplies("raw-water-tank", "water-treatment", "water", 110)

VALVES = (("valve-intake", "raw-water-tank"), ("valve-buffer-1", "buffer-tank-1"), ("valve-buffer-2", "buffer-tank-2"),
          ("valve-buffer-3", "buffer-tank-3"), ("valve-carbonator", "carbonator"), ("valve-cip-1", "line-1-filler"),
          ("valve-cip-2", "line-2-filler"), ("valve-cip-3", "line-3-filler"))
for id, target in VALVES:
    asset(id, "Valve", id.replace("valve-", "Valve, ").replace("-", " "), "utility-building", "Nordvik")
    link(id, "controls", target)

# --- utilities --------------------------------------------------------------------------------------------------------

asset("carbonator", "Carbonator", "Carbonator", "utility-building", "Corvani")
supplies("buffer-tank-1", "line-1-filler", "water", 25)
supplies("buffer-tank-2", "carbonator", "water", 45)
supplies("buffer-tank-3", "carbonator", "water", 12)
supplies("carbonator", "line-2-filler", "water", 45)
supplies("carbonator", "line-3-filler", "water", 12)
asset("cip-skid", "CleaningSkid", "CIP skid", "utility-building", "Silvaro")
asset("chiller-1", "Chiller", "Chiller 1", "utility-building", "Polarsund")
asset("chiller-2", "Chiller", "Chiller 2", "utility-building", "Polarsund")
asset("boiler", "Boiler", "Steam boiler", "utility-building", "Teksona")
asset("air-compressor-1", "AirCompressor", "High-pressure compressor", "utility-building", "Teksona", drive=drive())
asset("air-compressor-2", "AirCompressor", "Plant air compressor", "utility-building", "Teksona", drive=drive())
for id, label, capacity, target in (("co2-tank", "Carbon dioxide tank", 50, "carbonator"),
                                    ("caustic-tank", "Caustic tank", 6, "cip-skid"),
                                    ("acid-tank", "Acid tank", 6, "cip-skid")):
    asset(id, "Tank", label, "utility-building", "Silvaro", capacity=capacity)
    link(id, "supplies", target)
for n, hall in enumerate(("bottling-hall", "bottling-hall", "warehouse", "utility-building"), 1):
    asset("air-handler-%d" % n, "AirHandler", "Air handler %d" % n, hall, "Polarsund")
    link("air-handler-%d" % n, "serves", hall)
for n in (1, 2):
    supplies("chiller-%d" % n, "carbonator", "cooling", 350)
    supplies("air-compressor-1", "line-%d-blower" % n, "air", 1100)
supplies("boiler", "cip-skid", "steam", 800)
for n in (1, 2, 3):
    supplies("air-compressor-2", "line-%d" % n, "air", 420)

# --- power ------------------------------------------------------------------------------------------------------------

asset("grid-feed", "GridFeed", "Grid feed 15 kV", "substation", "Elmont")
asset("transformer", "Transformer", "Transformer T1", "substation", "Elmont", ratedPower=1600)
asset("main-breaker", "Breaker", "Main breaker Q0", "substation", "Elmont", ratedCurrent=2500)
asset("main-meter", "PowerMeter", "Main meter", "substation", "Lumetra")
supplies("grid-feed", "transformer", "power", 1600)
supplies("transformer", "main-breaker", "power", 1600)
link("main-meter", "monitors", "main-breaker")
FEEDERS = (("line-1", 630, ("line-1",)), ("line-2", 630, ("line-2",)), ("line-3", 400, ("line-3",)),
           ("utilities", 800, ("chiller-1", "chiller-2", "boiler", "air-compressor-1", "air-compressor-2", "cip-skid",
                               "carbonator")),
           ("water", 250, ("pump-1", "pump-2", "pump-3", "water-treatment")),
           ("cold-store", 250, ("condensing-unit-1", "condensing-unit-2")))
for name, rated, loads in FEEDERS:
    breaker = asset("breaker-%s" % name, "Breaker", "Breaker, %s" % name.replace("-", " "), "substation", "Elmont",
                    ratedCurrent=rated)
    supplies("main-breaker", breaker, "power", round(rated * 0.6))
    for load in loads:
        supplies(breaker, load, "power", round(rated * 0.6))
for name in ("lines", "utilities", "cold-store"):
    asset("meter-%s" % name, "PowerMeter", "Meter, %s" % name.replace("-", " "), "substation", "Lumetra")
for n in (1, 2, 3):
    link("meter-lines", "monitors", "breaker-line-%d" % n)
link("meter-utilities", "monitors", "breaker-utilities")
link("meter-utilities", "monitors", "breaker-water")
link("meter-cold-store", "monitors", "breaker-cold-store")
asset("weather-station", "WeatherStation", "Weather station", "montefalda", "Lumetra")

# --- cold store -------------------------------------------------------------------------------------------------------

for n in (1, 2):
    asset("condensing-unit-%d" % n, "CondensingUnit", "Condensing unit %d" % n, "cold-store", "Polarsund")
for n, set_point, area in ((1, 4.0, 420), (2, 4.0, 420), (3, 2.0, 260)):
    room = twin("cold-room-%d" % n, "ColdRoom", label="Cold room %d" % n, floorArea=area, setPoint=set_point)
    link(room, "partOf", "cold-store")
    asset("evaporator-%d" % n, "Evaporator", "Evaporator %d" % n, room, "Polarsund")
    link("evaporator-%d" % n, "cools", room)
    asset("cold-door-%d" % n, "Door", "Door of cold room %d" % n, "cold-store", "Helbrandt")
    link("cold-door-%d" % n, "leadsTo", room)
    for unit in (1, 2):
        supplies("condensing-unit-%d" % unit, "evaporator-%d" % n, "cooling", 45)

# --- warehouse --------------------------------------------------------------------------------------------------------

for n, letter in enumerate("abcdef"):
    aisle = twin("aisle-%s" % letter, "Aisle", label="Aisle %s" % letter.upper(), floorArea=610, palletPlaces=360)
    link(aisle, "partOf", "warehouse")
    link(aisle, "stocks", PRODUCTS[n // 2][0])
for n in (1, 2, 3, 4):
    link(twin("dock-%d" % n, "Dock", label="Dock %d" % n, floorArea=60), "partOf", "warehouse")
for n in (1, 2, 3):
    asset("forklift-%d" % n, "Forklift", "Forklift %d" % n, "warehouse", "Trellmark")
for line, *_ in LINES:
    link("%s-palletiser" % line, "locatedIn", "warehouse")

for name, sources in (("line-1", ("line-1",)), ("line-2", ("line-2",)), ("line-3", ("line-3",)),
                      ("water", ("pump-1", "pump-2", "pump-3", "raw-water-tank", "water-treatment")),
                      ("power", ("main-meter", "transformer")),
                      ("cold-store", ("evaporator-1", "evaporator-2", "evaporator-3"))):
    gateway = asset("gateway-%s" % name, "Gateway", "Gateway, %s" % name.replace("-", " "), "utility-building",
                    "Teksona", firmware="4.2.1")
    for source in sources:
        link(gateway, "collectsFrom", source)

# --- trucks and shops -------------------------------------------------------------------------------------------------

for id, label, lat, lon in (("shop-porta-alta", "Porta Alta", 44.6471, 10.9252),
                            ("shop-lungofiume", "Lungofiume", 44.6983, 10.6312)):
    shop = twin(id, "Shop", label=label, floorArea=310, latitude=lat, longitude=lon)
    for n, (product, *_) in enumerate(PRODUCTS, 1):
        shelf = asset("%s-shelf-%d" % (id, n), "Shelf", "Shelf %d, %s" % (n, label), shop, "Helbrandt", places=240)
        link(shelf, "stocks", product)
    for n, product in ((1, "still-050"), (2, "sparkling-150")):
        fridge = asset("%s-fridge-%d" % (id, n), "Fridge", "Fridge %d, %s" % (n, label), shop, "Polarsund", places=120,
                       unit=drive(setPoint=5.0))
        link(fridge, "stocks", product)
    asset("%s-till" % id, "Till", "Till, %s" % label, shop, "Teksona")
for n, (first, second, near, far) in enumerate((("shop-porta-alta", "shop-lungofiume", 48.2, 26.5),
                                                ("shop-lungofiume", "shop-porta-alta", 51.0, 26.5)), 1):
    truck = asset("truck-%d" % n, "Truck", "Truck %d" % n, "montefalda", "Vektra", reefer=drive(setPoint=6.0))
    link(truck, "deliversTo", first, stop=1, distance=near)
    link(truck, "deliversTo", second, stop=2, distance=far)
    link(truck, "docksAt", "dock-%d" % n)

# --- what simulations go by -------------------------------------------------------------------------------------------
# Behaviours and numbers: see README.md. A part of its own (PART), so that a plant without it can get it.

PART = len(twins), len(links)
asset("feeder-south", "Breaker", "Feeder south: pump house and cold store", "substation", "Elmont", ratedCurrent=400)
supplies("main-breaker", "feeder-south", "power", 240)
LINE_KW = (289, 231, 110)
for n, (line, label, speed, product, first_model, first) in enumerate(LINES, 1):
    log = twin("log-" + line, "LineLog", label="Log, line %d" % n, share=0.985, rejectShare=0.0045,
               ratedPower=LINE_KW[n - 1], ratedSpeed=speed)
    infeed = twin(line + "-infeed", "Infeed", label="Infeed, line %d" % n)
    outfeed = twin(line + "-outfeed", "Outfeed", label="Outfeed, line %d" % n)
    link(infeed, "feeds", "%s-%s" % (line, first), medium="bottles", capacity=speed)
    link(line + "-wrapper", "feeds", outfeed, medium="pallets")
    link(log, "records", line)
    link(log, "countsAt", outfeed)
    link(log, "drinksFrom", "buffer-tank-%d" % n)
    link(log, "needsAir", "air-compressor-2")
    if n < 3:
        link(log, "needsAir", "air-compressor-1")
    if n > 1:
        link(log, "needsGas", "carbonator")

MARKETS = (("still-050", "line-1", 0.62, 0.14, 0.085, "ab"), ("sparkling-150", "line-2", 1.07, 0.24, 0.155, "cd"),
           ("glass-075", "line-3", 0.28, 0.52, 0.34, "ef"))
for n, (product, line, orders, price, cost, aisles) in enumerate(MARKETS, 1):
    market = twin("market-" + product, "Market", label="Market, %s" % PRODUCTS[n - 1][1], factor=1.0,
                  ordersPerHour=orders, price=price, cost=cost)
    link(market, "sells", product)
    link(market, "madeBy", "log-" + line)
    for aisle in aisles:
        link(market, "keepsIn", "aisle-" + aisle)
    for shop in ("shop-porta-alta", "shop-lungofiume"):
        link(market, "reaches", "%s-shelf-%d" % (shop, n))
        if n < 3:
            link(market, "reaches", "%s-fridge-%d" % (shop, n))

COLD = tuple("cold-room-%d" % n for n in (1, 2, 3))
for name, rated, loads in FEEDERS:
    bar = twin("busbar-" + name, "Busbar", label="Busbar, %s" % name.replace("-", " "))
    south = ("feeder-south",) if name in ("water", "cold-store") else ()
    for breaker in ("main-breaker", *south, "breaker-" + name):
        link(bar, "fedBy", breaker)
    for load in loads + (COLD if name == "cold-store" else ()):
        link(bar, "powers", load)
    meter = "lines" if name.startswith("line") else "cold-store" if name == "cold-store" else "utilities"
    link(bar, "measuredBy", "meter-" + meter)
    link(bar, "measuredBy", "main-meter")

for n in (1, 2, 3):
    envelope = twin("envelope-%d" % n, "Envelope", label="Walls and doors of cold room %d" % n, wallTime=26.0,
                    doorTime=12.0, limit=8.0)
    link(envelope, "encloses", "cold-room-%d" % n)
    link(envelope, "surroundedBy", "warehouse")

works = twin("works", "Works", label="Works")
for n in (1, 2, 3):
    link(works, "fills", "valve-buffer-%d" % n)
    link(works, "drives", "pump-%d" % n, order=n)
link(works, "treats", "water-treatment")
link(works, "draws", "raw-water-tank")
link(works, "senses", "weather-station")
for n in (2, 3):
    link(works, "carbonates", "line-%d" % n)
for n in (1, 2):
    link(works, "blows", "line-%d" % n)
for id in ("carbonator", "cip-skid", "chiller-1", "chiller-2", "boiler", "air-compressor-1", "air-compressor-2"):
    link(works, "supports", id)

ledger = twin("ledger", "Ledger", label="Ledger", co2Rate=0.26)
link(ledger, "meters", "main-meter")
for product, *_ in MARKETS:
    link(ledger, "counts", "market-" + product)
for line, *_ in LINES:
    link(ledger, "logs", "log-" + line)
for n in (1, 2, 3):
    link(ledger, "watches", "envelope-%d" % n)

# --- output -----------------------------------------------------------------------------------------------------------


def lines(part=False):
    """graph.ndjson; part: simulation.ndjson."""
    def mine(items, first):
        return items[first:] if part else items[:first]
    yield {"Section": "Header"}
    yield {"fileVersion": "1.0.0", "author": "Sosia", "organization": "Montefalda"}
    yield {"Section": "Twins"}
    yield from mine(twins, PART[0])
    yield {"Section": "Relationships"}
    yield from mine(links, PART[1])


if __name__ == "__main__":
    for name, part in (("graph.ndjson", False), ("simulation.ndjson", True)):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
        with open(path, "w", encoding="utf-8") as f:
            for line in lines(part):
                f.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    print("%d twins, %d relationships" % (len(twins), len(links)))
