#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the browser app draws the bottling plant with: files are what their script writes, every twin they name is one,
the plan's places lie in the plan, the scene is a glTF that holds together."""
import base64
import json
import os
import struct
import sys
import unittest
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kit  # noqa: E402

PACK = os.path.join(kit.ROOT, "packs", "bottling")
FILES = os.path.join(PACK, "files")
sys.path.insert(0, PACK)
import make_files  # noqa: E402

SIZES = {"SCALAR": 1, "VEC3": 3}
BYTES = {5123: 2, 5126: 4}


def read(name):
    with open(os.path.join(FILES, name), encoding="utf-8") as f:
        return f.read()


def twins():
    with open(os.path.join(PACK, "graph.ndjson"), encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    return {r["$dtId"]: r["$metadata"]["$model"] for r in rows if "$metadata" in r}


class Files(unittest.TestCase):
    def test_files_are_what_the_script_writes(self):
        made = make_files.contents()
        self.assertEqual(sorted(made), sorted(os.listdir(FILES)))
        for name, text in made.items():
            self.assertEqual(read(name), text, name)

    def test_every_machine_has_its_place(self):
        known = twins()
        plan, scene = json.loads(read("plant.plan.json")), json.loads(read("plant.scene.json"))
        for doc in (plan["at"], scene["nodes"]):
            self.assertEqual(sorted(set(doc) - set(known)), [])
        self.assertEqual(set(plan["at"]), set(scene["nodes"]))
        elsewhere = ("Site", "Product", "Order", "Shop", "Shelf", "Fridge", "Till", "Truck", "Line")
        wanted = {t for t, m in known.items() if m.split(":")[-1].split(";")[0] not in elsewhere}
        self.assertEqual(sorted(wanted - set(plan["at"])), [])
        for twin, p in plan["at"].items():
            self.assertTrue(0 < p["x"] < plan["width"] and 0 < p["y"] < plan["height"], twin)

    def test_the_plan_is_a_picture_without_scripts(self):
        root = xml.fromstring(read("plant.svg"))
        tags = {e.tag.split("}")[1] for e in root.iter()}
        self.assertLessEqual(tags, {"svg", "rect", "circle", "path", "text"})
        plan = json.loads(read("plant.plan.json"))
        self.assertEqual(root.get("viewBox"), "0 0 %d %d" % (plan["width"], plan["height"]))

    def test_the_scene_holds_together(self):
        doc = json.loads(read("plant.gltf"))
        data = base64.b64decode(doc["buffers"][0]["uri"].split(",", 1)[1])
        self.assertEqual(len(data), doc["buffers"][0]["byteLength"])
        for v in doc["bufferViews"]:
            self.assertLessEqual(v["byteOffset"] + v["byteLength"], len(data))
        for a in doc["accessors"]:
            size = a["count"] * SIZES[a["type"]] * BYTES[a["componentType"]]
            self.assertEqual(size, doc["bufferViews"][a["bufferView"]]["byteLength"])
        for mesh in doc["meshes"]:
            for p in mesh["primitives"]:
                index = doc["accessors"][p["indices"]]
                view = doc["bufferViews"][index["bufferView"]]
                rows = struct.unpack_from("<%dH" % index["count"], data, view["byteOffset"])
                self.assertLess(max(rows), doc["accessors"][p["attributes"]["POSITION"]]["count"])
        names = {n["name"] for n in doc["nodes"] if "name" in n}
        self.assertLessEqual(set(json.loads(read("plant.scene.json"))["nodes"].values()), names)

    def test_the_map_is_around_the_trucks(self):
        layers = json.loads(read("montefalda.map.json"))["layers"]
        for name in layers:
            doc = json.loads(read(name))
            self.assertEqual(doc["type"], "FeatureCollection")
            kinds = {f["properties"]["kind"] for f in doc["features"]}
            self.assertLessEqual({"road", "river", "town", "wood"}, kinds)


class Alerts(unittest.TestCase):
    """The page guesses by names what tells that something is wrong (docs/alerts.md): packs say it themselves."""

    GUESSED = {"state", "fault", "alarm", "error", "failure", "warning"}

    @staticmethod
    def says(content):
        """None: nothing; else the values that are wrong, or whether any but an empty one is."""
        schema = content.get("schema")
        values = schema.get("enumValues", []) if isinstance(schema, dict) else []
        wrong = [v["enumValue"] for v in values if v.get("comment", "").startswith("alert")]
        comment = content.get("comment", "")
        if comment.startswith("no alert"):
            return False
        return wrong or (True if comment.startswith("alert") else None)

    def test_models_say_what_is_wrong(self):
        said = {}
        for pack in ("bottling", "hospital"):
            folder = os.path.join(kit.ROOT, "packs", pack, "models")
            for name in sorted(os.listdir(folder)):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    contents = json.load(f)["contents"]
                for c in contents:
                    if c["name"] in self.GUESSED and "Property" in c["@type"]:
                        said["%s.%s" % (name[:-5], c["name"])] = self.says(c)
        self.assertEqual([name for name, says in said.items() if says is None], [])
        wrong = {name: says for name, says in said.items() if says}
        self.assertEqual(wrong, {"Machine.state": ["faulted"], "Machine.fault": True, "Line.state": ["faulted"],
                                 "ColdRoom.alarm": ["warm", "doorOpen"]})


if __name__ == "__main__":
    kit.main()
