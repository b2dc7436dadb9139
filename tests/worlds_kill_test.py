# SPDX-License-Identifier: Apache-2.0
"""kill -9 with a thousand worlds alive and one running: every world is there, the same to the last byte that is told of
it, and the run is taken up from its checkpoint and ends as one that nobody interrupted."""

import hashlib
import http.client
import json
import threading
import time
import unittest
import urllib.parse

import kit
from worlds_run_test import MODEL, SAY

WORLDS = 1000
TWINS = 12
HANDS = 2
RUN = {"for": "P2D", "output": "PT1M"}


class Hand:
    """One connection, kept open."""

    def __init__(self, url):
        self.http = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60 * kit.SLOW)

    def call(self, method, path, body, want):
        headers = {"Content-Type": "application/json"}
        self.http.request(method, path + "?api-version=2023-10-31", json.dumps(body) if body is not None else None,
                          headers)
        answer = self.http.getresponse()
        text = answer.read()
        if answer.status != want:
            raise AssertionError("%s %s: %d %s" % (method, path, answer.status, text[:500]))
        return text

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()


class Killed(kit.Case):
    def setUp(self):
        super().setUp()
        self.server = self.serve(path=self.file("w.sosia"))
        self.ask("POST", "/models", MODEL, 201)
        for i in range(TWINS):
            self.ask("PUT", "/digitaltwins/t%d" % i,
                     {"$metadata": {"$model": "dtmi:t:Tank;1"}, "level": 1.0, "inflow": 1.0 + i, "area": 4.0,
                      "noise": 0.0})
        self.ask("PUT", "/behaviours/tank", {"model": "dtmi:t:Tank;1", "say": SAY})

    def ask(self, method, path, body=None, want=200):
        with Hand(self.server.url) as hand:
            text = hand.call(method, path, body, want)
        return json.loads(text) if text else None

    def by_all(self, work):
        """work(hand, number) for each number, by a few connections at once; what they give, in order."""
        results, errors = [None] * WORLDS, []

        def some(first):
            try:
                with Hand(self.server.url) as hand:
                    for i in range(first, WORLDS, HANDS):
                        results[i] = work(hand, i)
            except Exception as e:  # pylint: disable=broad-except
                errors.append(e)
        threads = [threading.Thread(target=some, args=(k,)) for k in range(HANDS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if errors:
            raise errors[0]
        return results

    @staticmethod
    def make(hand, i):
        """A world that is like no other: values, sometimes a twin more or less."""
        name = "/worlds/w%d" % i
        hand.call("POST", "/worlds", {"name": "w%d" % i, "seed": i}, 201)
        hand.call("PATCH", "%s/digitaltwins/t%d" % (name, i % TWINS),
                  [{"op": "replace", "path": "/level", "value": i + 0.5}], 204)
        if i % 5 == 0:
            hand.call("PUT", name + "/digitaltwins/more-%d" % i,
                      {"$metadata": {"$model": "dtmi:t:Tank;1"}, "level": 1.0 * i}, 200)
        if i % 7 == 0:
            hand.call("DELETE", name + "/digitaltwins/t%d" % ((i + 1) % TWINS), None, 204)

    @staticmethod
    def content(hand, i):
        """All that is told of a world's twins: values, times, versions."""
        text = hand.call("POST", "/worlds/w%d/query" % i, {"query": "SELECT * FROM digitaltwins"}, 200)
        return hashlib.sha256(text).hexdigest()

    def status(self, name):
        return self.ask("GET", "/worlds/%s/run" % name)

    def ended(self, name):
        def look():
            status = self.status(name)
            return status if status["state"] not in ("running", "starting") else None
        return kit.until(look, 120, "the end of the run of " + name)

    def values(self, name):
        rows = self.ask("POST", "/worlds/%s/query" % name, {"query": "SELECT * FROM digitaltwins"})
        return {t["$dtId"]: (t["level"], t["noise"]) for t in rows["value"]}

    def test_a_thousand_worlds(self):
        begun = time.monotonic()
        for name in ("whole", "pieces"):
            self.ask("POST", "/worlds", {"name": name, "seed": 5}, 201)
        self.ask("POST", "/worlds/whole/run", RUN, 202)
        self.by_all(self.make)
        before = self.by_all(self.content)
        self.assertEqual(len(set(before)), WORLDS)
        self.assertEqual(self.ended("whole")["state"], "done")
        self.ask("POST", "/worlds/pieces/run", dict(RUN, speed=60000), 202)
        kit.until(lambda: self.status("pieces")["progress"] > 0.3, 60, "a third of the run")
        self.server.kill()
        self.server.start()
        self.assertIn(self.status("pieces")["state"], ("running", "starting", "done"))
        listed = {w["name"] for w in self.ask("GET", "/worlds")["value"]}
        self.assertEqual(listed, {"live", "whole", "pieces"} | {"w%d" % i for i in range(WORLDS)})
        after = self.by_all(self.content)
        self.assertEqual([i for i in range(WORLDS) if before[i] != after[i]], [])
        self.assertEqual(self.ended("pieces")["state"], "done")
        self.assertEqual(self.values("pieces"), self.values("whole"))
        print("%d worlds in %.1f s" % (WORLDS, time.monotonic() - begun))


if __name__ == "__main__":
    kit.main()
