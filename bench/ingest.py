#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Values per second over the network, durable and published: NDJSON to POST /ingest and line protocol to POST /write,
four connections with batches of 5,000 values from ingest_load on the same machine. Peers, when installed, get the same
load in turn: VictoriaMetrics and InfluxDB the same lines, redis-server XADD with an append-only file synced every
second. None of the peers has its data on the disk when it answers; Sosia has. One JSON line a figure and peer."""
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("SOSIA_BUILD", "build")
SOSIA = os.environ.get("SOSIA_BIN", os.path.join(BUILD, "sosia"))
LOAD = os.path.join(BUILD, "ingest_load")
TWINS = 100000
SECONDS = 4
ROUNDS = 3
FIELDS = 5


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Peer:
    """A server process in a folder of its own that takes connections when made."""

    def __init__(self, command, port):
        self.port = port
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        begun = time.monotonic()
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() - begun > 60:
                    self.process.kill()
                    self.log.seek(0)
                    sys.exit("%s did not start: %s" % (command[0], self.log.read()[-2000:]))
                time.sleep(0.02)

    def ask(self, method, path, body, type="application/json"):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        c.request(method, path, body, {"Content-Type": type})
        r = c.getresponse()
        text = r.read()
        if r.status >= 300:
            sys.exit("%s %s: %d %s" % (method, path, r.status, text[:300]))
        return text

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def sosia(dir):
    port = free_port()
    s = Peer([SOSIA, "serve", "--data", os.path.join(dir, "b.sosia"), "--http", "127.0.0.1:%d" % port], port)
    contents = [{"@type": "Property", "name": "p%d" % i, "schema": "double"} for i in range(FIELDS)]
    model = {"@id": "dtmi:bench:Pump;1", "@type": "Interface", "@context": "dtmi:dtdl:context;2", "contents": contents}
    s.ask("POST", "/models?api-version=2023-10-31", json.dumps([model]))
    twins = '{"$dtId":"pump-%d","$metadata":{"$model":"dtmi:bench:Pump;1"}}'
    s.ask("POST", "/import", "\n".join(['{"Section":"Twins"}'] + [twins % i for i in range(TWINS)]))
    return s


def sosia_empty(dir):
    port = free_port()
    return Peer([SOSIA, "serve", "--data", os.path.join(dir, "b.sosia"), "--http", "127.0.0.1:%d" % port], port)


def victoria(dir):
    port = free_port()
    return Peer(["victoria-metrics", "-storageDataPath=" + dir, "-httpListenAddr=127.0.0.1:%d" % port], port)


INFLUX = """reporting-disabled = true
bind-address = "127.0.0.1:%d"
[meta]
  dir = "%s/meta"
[data]
  dir = "%s/data"
  wal-dir = "%s/wal"
  query-log-enabled = false
  max-series-per-database = 0
  cache-max-memory-size = 4294967296
[http]
  bind-address = "127.0.0.1:%d"
  log-enabled = false
[logging]
  level = "error"
"""


def influx(dir):
    port = free_port()
    path = os.path.join(dir, "influx.conf")
    with open(path, "w") as f:
        f.write(INFLUX % (free_port(), dir, dir, dir, port))
    s = Peer(["influxd", "-config", path], port)
    s.ask("POST", "/query?q=CREATE%20DATABASE%20bench", "")
    return s


def redis(dir):
    port = free_port()
    return Peer(["redis-server", "--port", str(port), "--dir", dir, "--save", "", "--appendonly", "yes",
                 "--appendfsync", "everysec"], port)


def measure(start, format):
    """Million values a second, or None when the server does not take them."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as dir:
        server = start(dir)
        try:
            r = subprocess.run([LOAD, str(server.port), format, str(TWINS), str(SECONDS)], stdout=subprocess.PIPE)
            got = json.loads(r.stdout or b"{}")
            if r.returncode or got.get("accepted") != got.get("sent"):
                print("ingest: %s, %s: %s" % (start.__name__, format, got), file=sys.stderr)
                return None
            return got["accepted"] / got["seconds"] / 1e6
        finally:
            server.end()


def figure(name, values, peer, peers):
    if not values:
        return
    line = {"name": name, "value": round(statistics.median(values), 3), "unit": "M/s", "min": round(min(values), 3),
            "max": round(max(values), 3), "rounds": len(values), "goal": 1, "better": "more"}
    if peers:
        line.update(peer=peer, peer_value=round(statistics.median(peers), 3))
    print(json.dumps(line), flush=True)


SIDES = [
    ("ndjson", sosia, "ndjson", None),
    ("line", sosia_empty, "line", None),
    ("victoria-metrics", victoria, "line", "victoria-metrics"),
    ("influxd", influx, "line", "influxd"),
    ("redis-server XADD, AOF everysec", redis, "redis", "redis-server"),
]


def main():
    rates = {side[0]: [] for side in SIDES}
    for _ in range(ROUNDS):
        for name, start, format, program in SIDES:
            if program and not shutil.which(program):
                continue
            rate = measure(start, format)
            if rate:
                rates[name].append(rate)
    figure("ingest.ndjson", rates["ndjson"], SIDES[4][0], rates[SIDES[4][0]])
    for name in ("victoria-metrics", "influxd"):
        figure("ingest.line_protocol", rates["line"], name, rates[name])
    for name, _, _, program in SIDES[2:]:
        if rates[name]:
            values = rates[name]
            print(json.dumps({"name": "ingest.peer", "peer": name, "value": round(statistics.median(values), 3),
                              "unit": "M/s", "min": round(min(values), 3), "max": round(max(values), 3),
                              "rounds": len(values)}), flush=True)
    return 0 if rates["ndjson"] else 1


if __name__ == "__main__":
    sys.exit(main())
