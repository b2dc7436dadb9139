# SPDX-License-Identifier: Apache-2.0
"""The bottling plant as a glTF scene, for make_files.py: boxes and drums where the plan has them, with roofs taken off.
Nodes are called as the twins; what has the material "status" shows a twin's colour."""
import base64
import json
import math
import struct
import zlib

WIDTH, DEPTH = 260, 160

COLOURS = {"ground": "#e6e9e4", "grass": "#cddcc2", "road": "#c3c8cb", "mark": "#f4f5f5", "floor": "#f1f3f4",
           "wall": "#9aa7ae", "cold": "#dcebf1", "plinth": "#7d888e", "steel": "#c4cdd2", "dark": "#59656c",
           "yellow": "#e3b23c", "pallet": "#d9c6a2", "goods": "#a9c7dd", "trunk": "#94806a", "leaf": "#9dbb86",
           "status": "#d5dde1"}


def box_mesh():
    p, n, i = [], [], []
    for axis in range(3):
        for side in (-1, 1):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            normal = [0, 0, 0]
            normal[axis] = side
            at = len(p)
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                c = [0, 0, 0]
                c[axis], c[u], c[v] = side, a * side, b
                p.append((c[0] / 2, (c[1] + 1) / 2, c[2] / 2))
                n.append(tuple(normal))
            i += [at, at + 1, at + 2, at, at + 2, at + 3]
    return p, n, i


def round_mesh(top, steps=24):
    """A drum of width and height 1; top 0: a cone."""
    p, n, i = [], [], []
    slope = (1 - top) / 2
    length = math.hypot(1, slope)
    for k in range(steps + 1):
        a = 2 * math.pi * k / steps
        c, s = math.cos(a), math.sin(a)
        for y, r in ((0, 0.5), (1, 0.5 * top)):
            p.append((c * r, y, s * r))
            n.append((c / length, slope / length, s / length))
    for k in range(steps):
        a = 2 * k
        i += [a, a + 1, a + 3, a, a + 3, a + 2]
    for y, r, up in ((0, 0.5, -1), (1, 0.5 * top, 1)):
        if not r:
            continue
        at = len(p)
        p.append((0, y, 0))
        n.append((0, up, 0))
        for k in range(steps):
            a = 2 * math.pi * k / steps
            p.append((math.cos(a) * r, y, math.sin(a) * r))
            n.append((0, up, 0))
        for k in range(steps):
            b, c = at + 1 + k, at + 1 + (k + 1) % steps
            i += [at, c, b] if up > 0 else [at, b, c]
    return p, n, i


def ball_mesh(rings=7, steps=12):
    p, i = [], []
    for r in range(rings + 1):
        for k in range(steps + 1):
            a, b = math.pi * r / rings, 2 * math.pi * k / steps
            p.append((math.sin(a) * math.cos(b), math.cos(a), math.sin(a) * math.sin(b)))
    for r in range(rings):
        for k in range(steps):
            a = r * (steps + 1) + k
            b = a + steps + 1
            i += [a, a + 1, b + 1, a, b + 1, b]
    return [(x / 2, (y + 1) / 2, z / 2) for x, y, z in p], p, i


class Gltf:
    def __init__(self):
        self.doc = {"asset": {"version": "2.0", "generator": "packs/bottling/make_files.py"}, "scene": 0,
                    "scenes": [{"name": "Plant", "nodes": []}], "nodes": [], "meshes": [], "materials": [],
                    "accessors": [], "bufferViews": []}
        self.bytes = b""
        self.geometry, self.mesh = {}, {}
        self.materials = {}
        for shape, data in (("box", box_mesh()), ("drum", round_mesh(1)), ("cone", round_mesh(0, 12)),
                            ("ball", ball_mesh())):
            self.geometry[shape] = self.store(*data)

    def view(self, data, target):
        self.bytes += b"\0" * (-len(self.bytes) % 4)
        self.doc["bufferViews"].append({"buffer": 0, "byteOffset": len(self.bytes), "byteLength": len(data),
                                        "target": target})
        self.bytes += data
        return len(self.doc["bufferViews"]) - 1

    def accessor(self, **a):
        self.doc["accessors"].append(a)
        return len(self.doc["accessors"]) - 1

    def store(self, positions, normals, indices):
        def floats(rows):
            return struct.pack("<%df" % (3 * len(rows)), *[round(v, 5) for row in rows for v in row])
        lows = [round(min(p[k] for p in positions), 5) for k in range(3)]
        highs = [round(max(p[k] for p in positions), 5) for k in range(3)]
        return (self.accessor(bufferView=self.view(floats(positions), 34962), componentType=5126, count=len(positions),
                              type="VEC3", min=lows, max=highs),
                self.accessor(bufferView=self.view(floats(normals), 34962), componentType=5126, count=len(normals),
                              type="VEC3"),
                self.accessor(bufferView=self.view(struct.pack("<%dH" % len(indices), *indices), 34963),
                              componentType=5123, count=len(indices), type="SCALAR"))

    def material(self, name):
        if name not in self.materials:
            def linear(c):
                return round(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4, 4)
            rgb = [linear(int(COLOURS[name][k:k + 2], 16) / 255) for k in (1, 3, 5)]
            self.materials[name] = len(self.doc["materials"])
            self.doc["materials"].append({"name": name, "pbrMetallicRoughness": {
                "baseColorFactor": rgb + [1], "metallicFactor": 0, "roughnessFactor": 0.9}})
        return self.materials[name]

    def part(self, shape, material, x, y, z, w, h, d, turn=None):
        """A node of one mesh; x and z its middle, y its foot."""
        if (shape, material) not in self.mesh:
            position, normal, index = self.geometry[shape]
            self.mesh[shape, material] = len(self.doc["meshes"])
            self.doc["meshes"].append({"primitives": [{"attributes": {"POSITION": position, "NORMAL": normal},
                                                       "indices": index, "material": self.material(material)}]})
        node = {"mesh": self.mesh[shape, material], "translation": [round(v, 3) for v in (x, y, z)],
                "scale": [round(v, 3) for v in (w, h, d)]}
        if turn == "lying":  # along x
            node["rotation"] = [0, 0, round(-math.sqrt(0.5), 6), round(math.sqrt(0.5), 6)]
        return self.add(node)

    def add(self, node):
        self.doc["nodes"].append(node)
        return len(self.doc["nodes"]) - 1

    def group(self, name, parts, x=0.0, z=0.0):
        node = {"name": name, "children": parts}
        if x or z:
            node["translation"] = [round(x, 3), 0, round(z, 3)]
        self.doc["scenes"][0]["nodes"].append(self.add(node))

    def text(self):
        data = base64.b64encode(self.bytes).decode()
        doc = dict(self.doc, buffers=[{"byteLength": len(self.bytes), "uri": "data:application/octet-stream;base64,"
                                       + data}])
        rows = []
        for key, value in doc.items():
            if isinstance(value, list):
                one = ",\n".join(json.dumps(v, separators=(",", ":")) for v in value)
                rows.append('"%s":[\n%s\n]' % (key, one))
            else:
                rows.append('"%s":%s' % (key, json.dumps(value, separators=(",", ":"))))
        return "{" + ",\n".join(rows) + "}\n"


TREES = ((4, 20), (4, 34), (4, 52), (4, 70), (4, 92), (20, 7), (44, 6), (70, 8), (96, 6), (122, 7), (150, 8), (176, 6),
         (204, 8), (228, 7), (14, 152), (40, 150), (100, 154), (116, 140), (134, 152), (218, 150), (228, 144),
         (24, 134), (256, 40), (256, 76), (256, 118))


def machine(g, w, d, h, shape):
    """The parts of a thing of a shape, its middle at 0."""
    p = g.part
    if shape == "drum":
        if h > w * 0.8 or h < w * 0.5:  # a tank, a post
            return [p("drum", "plinth", 0, 0, 0, w * 1.06, min(0.4, h / 3), w * 1.06),
                    p("drum", "status", 0, min(0.4, h / 3), 0, w, h * 0.84, w),
                    p("drum", "steel", 0, min(0.4, h / 3) + h * 0.84, 0, w * 0.5, h * 0.06, w * 0.5)]
        return [p("box", "plinth", 0, 0, 0, w, 0.5, w), p("drum", "status", 0, 0.5, 0, w * 0.92, h * 0.42, w * 0.92),
                p("drum", "steel", 0, 0.5 + h * 0.42, 0, w * 0.8, h * 0.16, w * 0.8),
                p("drum", "dark", 0, 0.5 + h * 0.58, 0, w * 0.28, h * 0.3, w * 0.28)]
    if shape == "belt":
        legs = max(2, int(w / 5) + 1)
        return [p("box", "status", 0, h - 0.3, 0, w, 0.3, d)] + \
            [p("box", "plinth", -w / 2 + 0.4 + (w - 0.8) * k / (legs - 1), 0, 0, 0.3, h - 0.3, d * 0.8)
             for k in range(legs)]
    if shape == "rack":
        out = [p("box", "status", 0, 0.15, 0, w, 0.25, d)]
        for level in range(3):
            y = 0.4 + level * h / 3
            out.append(p("box", "plinth", 0, y + h / 3 - 0.25, 0, w, 0.16, d))
            for k in range(15):
                if zlib.crc32(b"%d %d" % (level, k)) % 9 < 6:
                    out.append(p("box", ("goods", "pallet")[(k + level) % 2], -w / 2 + w * (k + 0.5) / 15, y, 0,
                                 w / 15 - 0.6, h / 3 - 1, d * 0.86))
        out += [p("box", "plinth", -w / 2 + w * k / 15, 0, side * d / 2, 0.14, h, 0.14)
                for k in range(0, 16, 3) for side in (-1, 1)]
        return out
    if shape == "gantry":
        return [p("box", "status", 0, 0.2, 0, w * 0.72, h * 0.42, d * 0.72),
                p("box", "steel", 0, h - 0.5, 0, w, 0.5, d * 0.5)] + \
            [p("box", "yellow", x * (w / 2 - 0.2), 0, z * (d / 2 - 0.2), 0.35, h - 0.2, 0.35)
             for x in (-1, 1) for z in (-1, 1)]
    if shape == "pump":
        return [p("box", "plinth", 0, 0, 0, w, 0.25, d),
                p("drum", "status", 0, 0.25, -d * 0.18, w * 0.8, h * 0.7, w * 0.8),
                p("box", "dark", 0, 0.25, d * 0.25, w * 0.5, h * 0.5, d * 0.4)]
    if shape == "lying":
        return [p("box", "plinth", 0, 0, 0, w * 0.8, 0.6, d * 0.7),
                p("drum", "status", -w / 2, 0.4 + d * 0.42, 0, d * 0.84, w, d * 0.84, "lying"),
                p("drum", "dark", w * 0.3, d * 0.9, 0, 0.7, h * 0.9, 0.7)]
    if shape == "fans":
        fans = max(1, int(w / 2))
        return [p("box", "plinth", 0, 0, 0, w, 0.25, d),
                p("box", "status", 0, 0.25, 0, w * 0.98, h - 0.5, d * 0.96)] + \
            [p("drum", "dark", -w / 2 + w * (k + 0.5) / fans, h - 0.25, 0, min(w / fans, d) * 0.7, 0.3,
               min(w / fans, d) * 0.7) for k in range(fans)]
    if shape == "truck":
        return [p("box", "status", 0.1, 0.3, 0, w * 0.6, h * 0.45, d),
                p("box", "dark", 0.2, h * 0.6, 0, w * 0.4, h * 0.36, d * 0.9),
                p("box", "dark", -w * 0.3, 0.1, 0, 0.2, h, d * 0.8),
                p("box", "plinth", -w * 0.46, 0.1, 0, w * 0.3, 0.12, d * 0.7)]
    if shape == "dock":
        return [p("box", "status", 0, 0, 0, w, h, d), p("box", "yellow", w / 2, h - 0.35, 0, 0.25, 0.35, d)]
    return [p("box", "plinth", 0, 0, 0, w, min(0.3, h / 5), d),
            p("box", "status", 0, min(0.3, h / 5), 0, w * 0.96, h * 0.8, d * 0.96),
            p("box", "steel", w * 0.1, min(0.3, h / 5) + h * 0.8, 0, w * 0.6, h * 0.12, d * 0.6)]


def hall(g, x, z, w, d, h, floor):
    """A floor and walls cut low, so that one sees inside."""
    t, low = 0.6, min(2.6, h * 0.5)
    return [g.part("box", floor, x, 0.02, z, w, 0.1, d),
            *(g.part("box", "wall", x, 0.1, z + side * d / 2, w + t, low, t) for side in (-1, 1)),
            *(g.part("box", "wall", x + side * w / 2, 0.1, z, t, low, d - t) for side in (-1, 1))]


def ground(g):
    p = g.part
    parts = [p("box", "ground", 0, -0.6, 0, WIDTH, 0.6, DEPTH)]

    def slab(material, left, top, right, bottom, y):
        parts.append(p("box", material, (left + right) / 2 - WIDTH / 2, y, (top + bottom) / 2 - DEPTH / 2, right - left,
                       0.05, bottom - top))
    for r in ((0, 0, 260, 14), (0, 14, 8, 160), (8, 126, 48, 160), (92, 132, 142, 160), (212, 140, 236, 160),
              (252, 14, 260, 160)):
        slab("grass", *r, 0.0)
    for r in ((8, 82, 142, 88), (136, 82, 232, 95), (232, 18, 252, 160), (142, 128, 236, 140), (92, 88, 142, 130),
              (46, 108, 92, 130), (8, 118, 46, 126)):
        slab("road", *r, 0.02)
    for n in range(12):
        slab("mark", 144 + 7.5 * n, 133.8, 148 + 7.5 * n, 134.2, 0.05)
        slab("mark", 241.8, 24 + 11 * n, 242.2, 29 + 11 * n, 0.05)
    g.group("Ground", parts)


def trees(g):
    parts = []
    for n, (x, y) in enumerate(TREES):
        size = 4 + zlib.crc32(b"tree %d" % n) % 12 / 6
        at = (x - WIDTH / 2, y - DEPTH / 2)
        parts += [g.part("drum", "trunk", at[0], 0, at[1], 0.6, size * 0.5, 0.6),
                  g.part("ball", "leaf", at[0], size * 0.35, at[1], size, size * 0.95, size)]
    g.group("Trees", parts)


def scene_gltf(areas, places):
    g = Gltf()
    ground(g)
    trees(g)
    for twin, (left, top, w, d, h) in areas.items():
        floor = "cold" if twin.startswith("cold-room") else "floor"
        g.group(twin, hall(g, left + w / 2 - WIDTH / 2, top + d / 2 - DEPTH / 2, w, d, h, floor))
    for twin, (x, y, w, d, h, shape) in places.items():
        g.group(twin, machine(g, w, d, h, shape), x - WIDTH / 2, y - DEPTH / 2)
    return g.text()


def scene_json(areas, places):
    return {"title": "Plant", "model": "plant.gltf", "nodes": {twin: twin for twin in (*areas, *places)}}
