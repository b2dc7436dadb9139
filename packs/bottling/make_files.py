#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write files/, what the browser app draws the bottling plant with: a floor plan (SVG) and where its twins stand on it,
a scene (glTF) whose nodes are called as the twins, and the country around as layers of a map (GeoJSON).

Same input, same bytes: run it after a change and commit the result (a test compares them). The plant and its country
are invented; every line is drawn here.
"""
import json
import os
import zlib

from make_country import country, map_json
from make_scene import scene_gltf, scene_json

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH, DEPTH = 260, 160  # metres of the site
places = {}  # twin: (x, y, width, depth, height, shape); metres, y to the south
AREAS = {}   # halls and rooms: (x, y, width, depth, height)


def area(twin, left, top, width, depth, height):
    AREAS[twin] = (left, top, width, depth, height)


def put(twin, x, y, width, depth=None, height=2.0, shape="box"):
    places[twin] = (x, y, width, depth if depth is not None else width, height, shape)


# --- where everything stands ------------------------------------------------------------------------------------------

area("bottling-hall", 12, 26, 124, 50, 9)
area("warehouse", 136, 22, 90, 60, 12)
area("utility-building", 52, 88, 37, 20, 6)
area("pump-house", 16, 112, 12, 10, 4)
area("substation", 102, 94, 12, 8, 4)
area("cold-store", 150, 98, 58, 25, 7)
area("cold-room-1", 151.5, 99.5, 21, 20, 5)
area("cold-room-2", 173.5, 99.5, 21, 20, 5)
area("cold-room-3", 195.5, 99.5, 11, 20, 5)

ROW = (("conveyor-1", 30, 7, 1.2, 1.1, "belt"), ("rinser", 38.5, 4.6, 4.6, 2.6, "drum"),
       ("filler", 47.5, 6.4, 6.4, 3.2, "drum"), ("capper", 55, 4, 4, 2.8, "drum"),
       ("conveyor-2", 62.5, 8, 1.2, 1.1, "belt"), ("inspector", 69.5, 2.6, 2.4, 2.2, "box"),
       ("labeller", 76.5, 4.6, 4.6, 2.4, "drum"), ("conveyor-3", 85, 9, 1.2, 1.1, "belt"),
       ("packer", 95, 7, 4, 3, "box"), ("conveyor-4", 118, 36, 1.4, 1.2, "belt"),
       ("palletiser", 141, 6, 5, 4.5, "gantry"), ("wrapper", 150, 4, 4, 3.4, "gantry"))
for n, y in ((1, 36), (2, 52), (3, 67)):
    if n < 3:
        put("line-%d-blower" % n, 21, y, 9, 5, 3.6)
    else:
        put("line-3-depalletiser", 21, y, 7, 5, 4.2, "gantry")
    for name, x, width, depth, height, shape in ROW:
        put("line-%d-%s" % (n, name), x, y, width, depth, height, shape)

# the water: two wells, three pumps, a tank beside the pump house
put("well-1", 10, 140, 2.4, shape="drum", height=0.9)
put("well-2", 34, 142, 2.4, shape="drum", height=0.9)
for n in (1, 2, 3):
    put("pump-%d" % n, 16 + 3 * n, 117, 1.3, 2.4, 1.3, "pump")
put("raw-water-tank", 35, 116, 8, shape="drum", height=6)
put("intake-meter", 29.8, 116, 0.9, 0.9, 1.2)

# utilities
put("water-treatment", 58, 93, 9, 4, 3.2)
for n in (1, 2, 3):
    put("buffer-tank-%d" % n, 60.5 + 5.4 * n, 93, 4, shape="drum", height=4.6)
    put("valve-buffer-%d" % n, 60.5 + 5.4 * n, 96, 0.8, 0.8, 1)
    put("valve-cip-%d" % n, 70.2 + 1.5 * n, 104.4, 0.8, 0.8, 1)
put("valve-intake", 38.6, 121, 0.8, 0.8, 1)
put("carbonator", 83, 93, 3.6, 3.6, 3.4, "drum")
put("valve-carbonator", 83, 96.4, 0.8, 0.8, 1)
put("cip-skid", 73, 101.5, 5.5, 3, 2.8)
put("boiler", 83, 103.5, 6, 3.4, 3, "lying")
put("air-compressor-1", 56, 100, 4, 2.4, 2.2)
put("air-compressor-2", 56, 104.5, 4, 2.4, 2.2)
put("chiller-1", 58, 112, 6.4, 2.6, 2.6, "fans")
put("chiller-2", 67, 112, 6.4, 2.6, 2.6, "fans")
put("co2-tank", 77, 112.5, 3.2, shape="drum", height=7.5)
put("caustic-tank", 82, 112.5, 2.4, shape="drum", height=3.2)
put("acid-tank", 86, 112.5, 2.4, shape="drum", height=3.2)
for n, (x, y) in enumerate(((40, 29.2), (100, 29.2), (180, 25.2), (64.5, 106)), 1):
    put("air-handler-%d" % n, x, y, 5, 2.2, 2)
for n, name in enumerate(("line-1", "line-2", "line-3", "water", "power", "cold-store")):
    put("gateway-" + name, 62 + 1.3 * n, 99.5, 0.8, 0.6, 1.8)

# power
put("transformer", 99, 98, 3, 3.6, 2.8, "fans")
put("grid-feed", 95, 98, 1.6, 1.6, 5)
for n, name in enumerate(("main-breaker", "breaker-line-1", "breaker-line-2", "breaker-line-3", "breaker-utilities",
                          "breaker-water", "breaker-cold-store")):
    put(name, 103.4 + 1.5 * n, 96, 1.2, 1.2, 2.2)
for n, name in enumerate(("main-meter", "meter-lines", "meter-utilities", "meter-cold-store")):
    put(name, 103.4 + 1.9 * n, 100, 0.8, 0.6, 1.8)
put("weather-station", 128, 128, 1.2, shape="drum", height=6)

# cold store
for n, (x, width) in enumerate(((162, 21), (184, 21), (201, 11)), 1):
    put("evaporator-%d" % n, x, 101.6, min(9, width - 4), 1.8, 1.6, "fans")
    put("cold-door-%d" % n, x, 119.5, 4, 0.9, 3)
put("condensing-unit-1", 171, 127, 6, 2.8, 2.6, "fans")
put("condensing-unit-2", 181, 127, 6, 2.8, 2.6, "fans")

# warehouse
for n, letter in enumerate("abcdef"):
    put("aisle-" + letter, 191, 33 + 8 * n, 46, 2.6, 9, "rack")
for n, (x, y) in enumerate(((160, 41), (163, 57), (221, 61)), 1):
    put("forklift-%d" % n, x, y, 2.6, 1.3, 2.2, "truck")
for n in (1, 2, 3, 4):
    put("dock-%d" % n, 228.5, 28 + 12 * n, 5, 5, 1.3, "dock")

# --- the plan ---------------------------------------------------------------------------------------------------------


class Svg:
    def __init__(self):
        self.out = []

    def add(self, tag, text=None, **a):
        attributes = "".join(' %s="%s"' % (k.replace("_", "-"), ("%g" % v) if isinstance(v, (int, float)) else v)
                             for k, v in a.items())
        self.out.append("<%s%s%s" % (tag, attributes, "/>" if text is None else ">%s</%s>" % (text, tag)))

    def rect(self, x, y, w, h, **a):
        self.add("rect", x=round(x, 2), y=round(y, 2), width=round(w, 2), height=round(h, 2), **a)

    def line(self, x1, y1, x2, y2, **a):
        self.add("path", d="M%g %gL%g %g" % (x1, y1, x2, y2), fill="none", **a)

    def text(self, x, y, text, size=2.2, **a):
        self.add("text", text, x=x, y=y, font_size=size, font_family="Inter, system-ui, sans-serif", **a)


GROUND, GRASS, ROAD, KERB, FLOOR, WALL, FAINT, INK = ("#eef0ec", "#e0e8da", "#dcdfe0", "#c4c9cb", "#ffffff", "#4b555b",
                                                      "#dde2e4", "#8b969c")


def drawn_ground(s):
    s.rect(0, 0, WIDTH, DEPTH, fill=GROUND)
    for x, y, w, h in ((0, 0, 260, 14), (0, 14, 8, 146), (8, 126, 40, 34), (96, 132, 48, 28), (212, 132, 48, 28)):
        s.rect(x, y, w, h, fill=GRASS)
    s.add("path", d="M8 82H142V89H232V18H252V160H236V95H142V130H236V140H92V130H50V126H46V82z", fill=ROAD)
    s.add("path", d="M46 89V118H8", fill="none", stroke=ROAD, stroke_width=7)
    for x, y, w in ((60, 85.5, 70), (150, 92, 76), (150, 135, 76)):
        s.line(x, y, x + w, y, stroke="#f7f8f8", stroke_width=0.35, stroke_dasharray="3 3")
    s.line(244, 24, 244, 156, stroke="#f7f8f8", stroke_width=0.35, stroke_dasharray="3 3")
    for n in range(16):  # the car park
        s.line(98 + 2.8 * n, 142, 98 + 2.8 * n, 147, stroke="#ffffff", stroke_width=0.3)
    s.rect(96, 140.2, 46, 7.4, fill="none", stroke=KERB, stroke_width=0.3)
    for n, (x, y) in enumerate(((5, 20), (5, 34), (4, 52), (5, 70), (5, 92), (20, 7), (44, 6), (70, 8), (96, 6),
                                (122, 7), (150, 8), (176, 6), (204, 8), (228, 7), (20, 152), (44, 150), (100, 154),
                                (116, 152), (134, 155), (218, 150), (228, 142), (222, 156))):
        r = 2 + zlib.crc32(b"tree %d" % n) % 12 / 10
        s.add("circle", cx=x, cy=y, r=r, fill="#c6d5bd")
        s.add("circle", cx=x - 0.4, cy=y - 0.4, r=round(r * 0.6, 2), fill="#d3dfca")
    s.rect(1, 1, WIDTH - 2, DEPTH - 2, fill="none", stroke=INK, stroke_width=0.4, stroke_dasharray="2.4 1.2")


def building(s, twin, name=None):
    x, y, w, h, _ = AREAS[twin]
    s.rect(x + 0.9, y + 0.9, w, h, fill="#cdd3d5")
    s.rect(x, y, w, h, fill=FLOOR, stroke=WALL, stroke_width=0.9)


def gate(s, x, y, width, upright=False):
    """An opening in a wall, with the leaf's swing."""
    if upright:
        s.rect(x - 0.6, y - width / 2, 1.2, width, fill=FLOOR)
        s.line(x, y - width / 2, x, y + width / 2, stroke=INK, stroke_width=0.25, stroke_dasharray="0.8 0.5")
    else:
        s.rect(x - width / 2, y - 0.6, width, 1.2, fill=FLOOR)
        s.line(x - width / 2, y, x + width / 2, y, stroke=INK, stroke_width=0.25, stroke_dasharray="0.8 0.5")


def drawn_buildings(s):
    for twin in ("bottling-hall", "warehouse", "utility-building", "pump-house", "substation", "cold-store"):
        building(s, twin)
    x, y, w, h, _ = AREAS["bottling-hall"]
    for n in range(1, 10):  # columns
        for row in (44, 59.5):
            s.rect(x + 12.4 * n - 0.35, row - 0.35, 0.7, 0.7, fill=INK)
    for row in (44, 59.5):  # walkways
        s.rect(x + 2, row - 1.4, w - 4, 2.8, fill="none", stroke="#c9b36a", stroke_width=0.25,
               stroke_dasharray="1.6 0.8")
    for n in range(1, 8):
        for row in (29.5, 77.5):
            s.rect(136 + 11.25 * n - 0.35, row - 0.35, 0.7, 0.7, fill=INK)
    s.rect(154, 30, 8, 46, fill="none", stroke="#c9b36a", stroke_width=0.3, stroke_dasharray="1.6 0.8")
    s.rect(216.5, 30, 7, 46, fill="none", stroke="#c9b36a", stroke_width=0.3, stroke_dasharray="1.6 0.8")
    for twin in ("cold-room-1", "cold-room-2", "cold-room-3"):
        ax, ay, aw, ah, _ = AREAS[twin]
        s.rect(ax, ay, aw, ah, fill="#eef5f8", stroke="#7f97a3", stroke_width=0.6)
        gate(s, ax + aw / 2, ay + ah, 4)
    for n in (1, 2, 3):
        y = {1: 36, 2: 52, 3: 67}[n]
        gate(s, 136, y, 3, True)
    gate(s, 12, 52, 5, True)
    gate(s, 74, 76, 6)
    gate(s, 70, 88, 4)
    gate(s, 22, 112, 3)
    gate(s, 108, 102, 3)
    gate(s, 150, 110, 5, True)
    gate(s, 180, 82, 8)
    for n in (1, 2, 3, 4):
        gate(s, 226, 28 + 12 * n, 4, True)


def silhouette(s, twin):
    x, y, w, h, _, shape = places[twin]
    look = {"fill": "#f3f5f6", "stroke": INK, "stroke_width": 0.25}
    if shape == "drum":
        s.add("circle", cx=x, cy=y, r=w / 2, **look)
        return
    s.rect(x - w / 2, y - h / 2, w, h, **look)
    if shape == "rack":
        for n in range(1, 18):
            s.line(x - w / 2 + w * n / 18, y - h / 2, x - w / 2 + w * n / 18, y + h / 2, stroke=KERB, stroke_width=0.2)
    if shape == "belt":
        s.line(x - w / 2, y, x + w / 2, y, stroke=KERB, stroke_width=0.3, stroke_dasharray="0.5 0.5")


def drawn_pipes(s):
    def pipe(d, colour):
        s.add("path", d=d, fill="none", stroke=colour, stroke_width=0.55, stroke_linejoin="round")
    water, cold, power = "#8fbcd6", "#a9d2cf", "#d9b98a"
    pipe("M10 140V126H19V118M34 142V128H25V118M25 116H31M39 116H49V93H54", water)
    for n in (1, 2, 3):
        pipe("M%g 91V%gH47.5V%g" % (60.5 + 5.4 * n, 80 + 0.8 * n, {1: 39, 2: 55, 3: 70}[n]), water)
    pipe("M58 110.6V109H85V95M67 110.6V109", cold)
    pipe("M171 125.6V124H201V102.6M181 125.6V124M184 124V102.6M162 124V102.6M171 124H162", cold)
    pipe("M95 98H97.5M100.5 98H102", power)


def north(s):
    s.add("path", d="M250 8L253 15L250 13.2L247 15z", fill=WALL)
    s.text(250, 6.6, "N", 3, fill=WALL, text_anchor="middle", font_weight="700")


def plan_svg():
    s = Svg()
    drawn_ground(s)
    drawn_buildings(s)
    drawn_pipes(s)
    for twin in places:
        silhouette(s, twin)
    north(s)
    head = ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d">'
            % (WIDTH, DEPTH, WIDTH * 8, DEPTH * 8))
    return "\n".join([head, "<!-- SPDX-License-Identifier: Apache-2.0 -->", *s.out, "</svg>"]) + "\n"


def short(x):
    return int(x) if x == int(x) else round(x, 2)


def plan_json():
    at = {twin: {"x": short(x + w / 2), "y": short(y + h / 2), "size": [short(w), short(h)]}
          for twin, (x, y, w, h, _) in AREAS.items()}
    for twin, (x, y, w, h, _, shape) in places.items():
        at[twin] = {"x": short(x), "y": short(y), "size": short(w) if shape == "drum" else [short(w), short(h)]}
    return {"title": "Plant", "image": "plant.svg", "width": WIDTH, "height": DEPTH, "at": at}


# --- output -----------------------------------------------------------------------------------------------------------


def text_of(doc, indent=1):
    return json.dumps(doc, ensure_ascii=False, indent=indent) + "\n"


def rows_of(doc, key):
    """A document with one row of `key` on each line."""
    head = {k: v for k, v in doc.items() if k != key}
    rows = doc[key]
    one = (lambda v: json.dumps(v, ensure_ascii=False, separators=(",", ":")))
    if isinstance(rows, dict):
        lines, opened, closed = ["%s:%s" % (one(k), one(v)) for k, v in rows.items()], "{", "}"
    else:
        lines, opened, closed = [one(r) for r in rows], "[", "]"
    return one(head)[:-1] + ',\n"%s":%s\n%s\n%s}\n' % (key, opened, ",\n".join(lines), closed)


def contents():
    out = {"plant.svg": plan_svg(), "plant.plan.json": rows_of(plan_json(), "at")}
    out["plant.gltf"] = scene_gltf(AREAS, places)
    out["plant.scene.json"] = rows_of(scene_json(AREAS, places), "nodes")
    out["montefalda.geojson"] = rows_of(country(), "features")
    out["montefalda.map.json"] = text_of(map_json())
    return out


if __name__ == "__main__":
    folder = os.path.join(HERE, "files")
    os.makedirs(folder, exist_ok=True)
    for name, text in contents().items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)
        print("%-22s %7d bytes" % (name, len(text.encode())))
