#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The mean of 10,000 points of one series over HTTP, as a client sees it: Sosia, VictoriaMetrics and InfluxDB 1.x (when
installed) with the same points of 20 series, asked in turn over connections that stay open. Points have whole seconds
and two decimals. VictoriaMetrics is told not to keep answers. One JSON line a peer."""
import http.client
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
import urllib.parse

from ingest import Peer, free_port, influx, sosia_empty

SERIES, POINTS, ROUNDS = 20, 10000, 41
T0 = 1700000000
NAME = "history.read_10k_http"


def points():
    r = random.Random(3)
    now = [r.randrange(1000, 9000) for _ in range(SERIES)]
    for i in range(POINTS):
        for s in range(SERIES):
            now[s] += r.randrange(-20, 21)
            yield s, T0 + i, now[s] / 100


def pieces(lines):
    lines = list(lines)
    for i in range(0, len(lines), 20000):
        yield "".join(lines[i:i + 20000])


def victoria(folder):
    port = free_port()
    return Peer(["victoria-metrics", "-storageDataPath=" + folder, "-httpListenAddr=127.0.0.1:%d" % port,
                 "-retentionPeriod=100y"], port)


def load(server, path):
    for piece in pieces("m,row=%d v=%.2f %d\n" % (s, v, t * 10**9) for s, t, v in points()):
        server.ask("POST", path, piece)


def load_sosia(server):
    model = {"@id": "dtmi:bench:M;1", "@type": "Interface", "@context": "dtmi:dtdl:context;2",
             "contents": [{"@type": "Property", "name": "v", "schema": "double"}]}
    server.ask("POST", "/models?api-version=2023-10-31", json.dumps([model]))
    twin = '{"$dtId":"m-%d","$metadata":{"$model":"dtmi:bench:M;1"}}'
    server.ask("POST", "/import", "\n".join(['{"Section":"Twins"}'] + [twin % s for s in range(SERIES)]))
    for piece in pieces('{"id":"m-%d","property":"v","value":%.2f,"time":"%s"}\n' % (s, v, iso(t))
                        for s, t, v in points()):
        server.ask("POST", "/ingest", piece, "application/x-ndjson")


def iso(second):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def ask_sosia():
    return "/digitaltwins/m-7/history?properties=v&fn=avg&from=%s&to=%s" % (iso(T0), iso(T0 + POINTS))


def ask_victoria():
    q = {"query": 'avg_over_time(m_v{row="7"}[%ds])' % POINTS, "time": T0 + POINTS - 1, "nocache": 1}
    return "/api/v1/query?" + urllib.parse.urlencode(q)


def ask_influx():
    q = "SELECT mean(v) FROM m WHERE row='7' AND time >= %ds AND time < %ds" % (T0, T0 + POINTS)
    return "/query?" + urllib.parse.urlencode({"db": "bench", "q": q})


def mean_of(name, answer):
    if name == "sosia":
        return answer["value"][0]["avg"]
    if name == "influxd":
        return answer["results"][0]["series"][0]["values"][0][1]
    return float(answer["data"]["result"][0]["value"][1])


SIDES = [
    ("sosia", sosia_empty, load_sosia, ask_sosia),
    ("victoria-metrics", victoria, lambda s: load(s, "/write"), ask_victoria),
    ("influxd", influx, lambda s: load(s, "/write?db=bench"), ask_influx),
]


def one(name, connection, path):
    """Milliseconds."""
    begun = time.perf_counter()
    connection.request("GET", path)
    r = connection.getresponse()
    text = r.read()
    ms = (time.perf_counter() - begun) * 1e3
    want = statistics.fmean(v for s, _, v in points() if s == 7) if one.want is None else one.want
    one.want = want
    got = mean_of(name, json.loads(text)) if r.status == 200 else text[:300]
    if r.status != 200 or abs(got - want) > abs(want) * 1e-3:
        sys.exit("%s: %s, not %s" % (name, got, want))
    return ms


one.want = None


def main():
    times, servers = {}, []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        try:
            for name, start, fill, ask in SIDES:
                if name != "sosia" and not shutil.which(name):
                    continue
                own = os.path.join(folder, name)
                os.mkdir(own)
                server = start(own)
                servers.append(server)
                fill(server)
                if name == "victoria-metrics":
                    server.ask("GET", "/internal/force_flush", "")
                times[name] = (http.client.HTTPConnection("127.0.0.1", server.port, timeout=60), ask(), [])
            for _ in range(ROUNDS):
                for name, (connection, path, ms) in times.items():
                    ms.append(one(name, connection, path))
        finally:
            for server in servers:
                server.end()
    ours = times["sosia"][2]
    line = {"name": NAME, "value": round(statistics.median(ours), 3), "unit": "ms", "min": round(min(ours), 3),
            "max": round(max(ours), 3), "rounds": ROUNDS}
    peers = [name for name in times if name != "sosia"]
    for name in peers or [None]:
        if name:
            line.update(peer=name, peer_value=round(statistics.median(times[name][2]), 3))
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
