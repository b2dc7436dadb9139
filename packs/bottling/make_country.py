# SPDX-License-Identifier: Apache-2.0
"""The country around the bottling plant, for make_files.py: invented roads, a river and towns around the coordinates
between which the trucks of plant.c drive."""
import math
import zlib

SITE = (10.6214, 44.3127)
ALTA = (10.9252, 44.6471)
LUNGO = (10.6312, 44.6983)


def wobble(name, n, size):
    """The same for the same name: a number from -size to size."""
    return (zlib.crc32(("%s %d" % (name, n)).encode()) % 2001 / 1000 - 1) * size


def point(x, y):
    return [round(x, 5), round(y, 5)]


def drive(a, b, steps=36):
    """The way that a truck takes: drive_step() of plant.c, its bend included."""
    out = []
    for i in range(steps + 1):
        share = i / steps
        bend = 0.05 * math.sin(math.pi * share)
        out.append(point(a[0] + (b[0] - a[0]) * share - bend * (b[1] - a[1]),
                         a[1] + (b[1] - a[1]) * share + bend * (b[0] - a[0])))
    return out


def smooth(corners, rounds=3):
    """Chaikin: corners cut until they look like a road."""
    for _ in range(rounds):
        out = [corners[0]]
        for (ax, ay), (bx, by) in zip(corners, corners[1:]):
            out += [(ax * 0.75 + bx * 0.25, ay * 0.75 + by * 0.25), (ax * 0.25 + bx * 0.75, ay * 0.25 + by * 0.75)]
        corners = out + [corners[-1]]
    return [point(x, y) for x, y in corners]


def blob(name, x, y, rx, ry, corners=22):
    ring = []
    for n in range(corners):
        a = 2 * math.pi * n / corners
        r = 1 + wobble(name, n, 0.24)
        ring.append((x + rx * r * math.cos(a), y + ry * r * math.sin(a)))
    ring = smooth(ring + [ring[0]], 2)
    return ring + [ring[0]]


def feature(kind, geometry, coordinates, **more):
    return {"type": "Feature", "properties": {"kind": kind, **more},
            "geometry": {"type": geometry, "coordinates": coordinates}}


TOWNS = (("Porta Alta", ALTA[0], ALTA[1], 0.052, 0.034, 1), ("Lungofiume", LUNGO[0], LUNGO[1] + 0.004, 0.045, 0.03, 1),
         ("Montefalda", 10.634, 44.3, 0.018, 0.011, 2), ("San Bruno al Rio", 10.742, 44.452, 0.016, 0.01, 2),
         ("Casale Nuovo", 10.595, 44.512, 0.014, 0.009, 2), ("Torre Quercia", 10.86, 44.548, 0.017, 0.01, 2),
         ("Vignola Piana", 10.76, 44.69, 0.015, 0.01, 2), ("Le Fornaci", 10.505, 44.625, 0.012, 0.008, 3),
         ("Pieve Secca", 10.95, 44.42, 0.013, 0.008, 3), ("Rocca Stella", 10.505, 44.385, 0.009, 0.006, 3),
         ("Mulino del Ponte", 10.688, 44.604, 0.008, 0.005, 3))


WOODS = ((10.5, 44.33, 0.075, 0.05), (10.72, 44.32, 0.05, 0.03), (10.84, 44.37, 0.08, 0.045),
         (10.48, 44.47, 0.05, 0.03), (10.98, 44.53, 0.04, 0.03), (10.6, 44.25, 0.12, 0.04), (10.88, 44.27, 0.11, 0.035))
FIELDS = ((10.69, 44.56, 0.06, 0.03), (10.82, 44.63, 0.05, 0.025), (10.54, 44.68, 0.05, 0.03),
          (10.8, 44.48, 0.035, 0.02), (10.98, 44.7, 0.06, 0.03))
RIVERS = (((10.53, 44.22), (10.575, 44.3), (10.577, 44.349), (10.66, 44.4), (10.7, 44.47), (10.655, 44.53),
           (10.7, 44.6), (10.66, 44.66), (10.68, 44.72), (10.6, 44.76), (10.62, 44.84)),
          ((10.97, 44.3), (10.9, 44.4), (10.83, 44.44), (10.76, 44.5), (10.7, 44.6)))
RAIL = ((10.4, 44.74), (10.55, 44.69), (10.76, 44.66), (10.92, 44.63), (11.1, 44.6))
MOTORWAY = ((10.36, 44.69), (10.52, 44.655), (10.7, 44.635), (10.86, 44.6), (10.96, 44.585), (11.12, 44.54))


def country():
    out = []
    for n, (x, y, rx, ry) in enumerate(WOODS):
        out.append(feature("wood", "Polygon", [blob("wood %d" % n, x, y, rx, ry)]))
    for n, (x, y, rx, ry) in enumerate(FIELDS):
        out.append(feature("field", "Polygon", [blob("field %d" % n, x, y, rx, ry)]))
    for name, x, y, rx, ry, _ in TOWNS:
        out.append(feature("town", "Polygon", [blob(name, x, y, rx, ry)]))
    out.append(feature("water", "Polygon", [blob("lake", 10.577, 44.349, 0.014, 0.009)]))
    for way in RIVERS:
        out.append(feature("river", "LineString", smooth(list(way))))
    out.append(feature("rail", "LineString", smooth(list(RAIL))))
    out.append(feature("motorway", "LineString", smooth(list(MOTORWAY))))
    for a, b in ((SITE, ALTA), (SITE, LUNGO), (ALTA, SITE), (LUNGO, SITE), (ALTA, LUNGO), (LUNGO, ALTA)):
        out.append(feature("road", "LineString", drive(a, b)))
    for way in (((10.505, 44.385), (10.56, 44.34), SITE, (10.634, 44.3), (10.72, 44.27), (10.86, 44.22)),
                ((10.505, 44.625), (10.55, 44.56), (10.595, 44.512), (10.66, 44.49), (10.742, 44.452), (10.84, 44.43),
                 (10.95, 44.42)),
                ((10.505, 44.385), (10.53, 44.45), (10.595, 44.512)),
                ((10.742, 44.452), (10.8, 44.5), (10.86, 44.548), (10.9, 44.6), ALTA),
                ((10.505, 44.625), (10.57, 44.66), LUNGO, (10.7, 44.71), (10.76, 44.69), (10.85, 44.66), ALTA)):
        out.append(feature("track", "LineString", smooth(list(way))))
    out.append(feature("site", "Polygon", [[point(SITE[0] + x, SITE[1] + y) for x, y in (
        (-0.0016, -0.0007), (0.0016, -0.0007), (0.0016, 0.0007), (-0.0016, 0.0007), (-0.0016, -0.0007))]]))
    for name, x, y, rx, ry, rank in TOWNS:
        if name not in ("Montefalda", "Porta Alta", "Lungofiume"):  # what stands there says its name
            out.append(feature("place", "Point", point(x, y - ry * 0.45), name=name, rank=rank))
    return {"type": "FeatureCollection", "features": out}


def map_json():
    return {"title": "Montefalda", "layers": ["montefalda.geojson"]}
