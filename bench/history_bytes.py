#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bytes a point of history blocks, young and merged, beside what other stores need for the same points in the same run:
VictoriaMetrics and InfluxDB 1.x (when installed) after they flushed and merged, their folders of data without indexes;
SQLite as rows (series, time, value). Sets: public ones under SOSIA_DATA or ../shared/data (left out when absent), and
generated ones. All times have whole seconds. Sosia also keeps when a value arrived, which the others do not:

  live      the values of one instant arrive together, 2 to 3 ms behind it, known to a microsecond (as Sosia tells
            them): of a series alone, 1.25 bytes a point that nothing can take away
  imported  1,000 values arrive together

`history_bytes.py [SET ...]`; SOSIA_BENCH_ALONE=1 leaves the peers out. One JSON line a figure."""
import csv
import datetime
import gzip
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from ingest import Peer, free_port

BUILD = os.environ.get("SOSIA_BUILD", "build")
PACK = os.path.join(BUILD, "history_pack")
DATA = os.environ.get("SOSIA_DATA", "../shared/data")
SECOND = 10**9
T0 = 1700000000
GOAL_YOUNG, GOAL_SENSOR, GOAL_STATE = 8, 2, 1

# ---- sets: (lane, row, second, value as text) ----


def table(path, delimiter, time_format, skip=()):
    """Columns of a table of times and values; the names of the columns, then rows (second, texts)."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", newline="") as f:
        rows = csv.reader(f, delimiter=delimiter, skipinitialspace=True)
        names = next(rows)
        columns = [i for i, name in enumerate(names) if i > 0 and name.strip() not in skip]
        for row in rows:
            at = datetime.datetime.strptime(row[0].strip(), time_format).replace(tzinfo=datetime.timezone.utc)
            yield int(at.timestamp()), [row[i].strip() for i in columns]


def files(folder, end):
    found = []
    for at, _, names in os.walk(os.path.join(DATA, folder)):
        found += [os.path.join(at, name) for name in names if name.endswith(end)]
    return sorted(found)


def tables(paths, delimiter, time_format, skip=()):
    """One twin a table: lanes are columns, rows are tables."""
    for row, path in enumerate(paths):
        for second, values in table(path, delimiter, time_format, skip):
            for lane, value in enumerate(values):
                if value:
                    yield lane, row, second, value


def nab():
    return tables([f for f in files("nab", ".csv")], ",", "%Y-%m-%d %H:%M:%S")


def skab():
    return tables(files("skab", ".csv.gz"), ";", "%Y-%m-%d %H:%M:%S", ("anomaly", "changepoint"))


def batadal():
    return tables(files("batadal", ".csv.gz"), ",", "%d/%m/%y %H", ("ATT_FLAG",))


def ett():
    return tables(files("ett", ".csv.gz"), ",", "%Y-%m-%d %H:%M:%S")


def generated(rows, seconds, start, step):
    """rows series; step(random, value) is the next value, None: nothing came. Values are integers of 1/100."""
    r = random.Random(5)
    now = [start(r) for _ in range(rows)]
    for second in range(seconds):
        for row in range(rows):
            value = step(r, now[row])
            if value is None:
                continue
            now[row] = value
            yield 0, row, T0 + second, value


def hundredths(points):
    for lane, row, second, value in points:
        yield lane, row, second, "%d.%02d" % divmod(value, 100) if value >= 0 else "-%d.%02d" % divmod(-value, 100)


def whole(points):
    for lane, row, second, value in points:
        yield lane, row, second, str(value)


def gauges():
    return hundredths(generated(1000, 600, lambda r: r.randrange(1000, 9000), lambda r, v: v + round(r.gauss(0, 5))))


def noisy_gauges():
    centers = {}
    return hundredths(generated(1000, 400, lambda r: r.randrange(1000, 9000),
                                lambda r, v: centers.setdefault(id(r), 5000) + round(r.gauss(0, 30))))


def one_gauge():
    return hundredths(generated(1, 300000, lambda r: 2150, lambda r, v: v + round(r.gauss(0, 3))))


def setpoints():
    return hundredths(generated(1000, 400, lambda r: r.randrange(150, 250) * 10,
                                lambda r, v: r.randrange(150, 250) * 10 if r.random() < 0.005 else v))


def states():
    return whole(generated(1000, 400, lambda r: 0, lambda r, v: r.randrange(6) if r.random() < 0.02 else v))


def counters():
    return whole(generated(1000, 400, lambda r: r.randrange(10**6), lambda r, v: v + r.randrange(40, 60)))


SETS = [  # name, points, cell, how they arrive, goal of merged blocks
    ("nab", nab, "f64", "imported", GOAL_SENSOR),
    ("skab", skab, "f64", "imported", GOAL_SENSOR),
    ("batadal", batadal, "f64", "imported", GOAL_SENSOR),
    ("ett", ett, "f64", "imported", GOAL_SENSOR),
    ("ett_live", ett, "f64", "live", 0),
    ("gauges", gauges, "f64", "live", GOAL_SENSOR),
    ("noisy_gauges", noisy_gauges, "f64", "live", GOAL_SENSOR),
    ("one_gauge", one_gauge, "f64", "live", GOAL_SENSOR),
    ("one_gauge_imported", one_gauge, "f64", "imported", GOAL_SENSOR),
    ("setpoints", setpoints, "f64", "live", GOAL_STATE),
    ("states", states, "i64", "live", GOAL_STATE),
    ("counters", counters, "i64", "live", GOAL_SENSOR),
]


def with_arrivals(points, how):
    """In order of time, with the nanosecond each arrived."""
    r = random.Random(9)
    n, last, arrival = 0, None, 0
    for lane, row, second, value in points:
        if (how == "live" and second != last) or (how == "imported" and n % 1000 == 0):
            behind = 2000000 + r.randrange(1000) * 1000
            arrival = max(second * SECOND if how == "live" else arrival, arrival) + behind
            arrival = max(arrival, T0 * SECOND) if how == "imported" else arrival
        last = second
        n += 1
        yield lane, row, second, arrival, value


# ---- sosia ----


def pack(path, *arguments):
    return json.loads(subprocess.run([PACK, path] + list(arguments), stdout=subprocess.PIPE, check=True).stdout)


# ---- peers: bytes on the disk ----


def folder_bytes(folder, end=""):
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.path.getsize(os.path.join(at, name)) if name.endswith(end) else 0
            except OSError:
                pass  # it was merged away
    return total


def settled(measure, done=lambda: True, seconds=120):
    """The measure when it has not moved for two seconds and all is done."""
    begun, last, since = time.monotonic(), None, time.monotonic()
    while time.monotonic() - begun < seconds:
        now = measure()
        if now != last or not done():
            last, since = now, time.monotonic()
        if time.monotonic() - since > 2:
            return now
        time.sleep(0.1)
    raise TimeoutError("it does not settle")


def lines(points):
    """Line protocol, some thousand lines a piece."""
    piece = []
    for lane, row, second, value in points:
        piece.append("m,lane=%d,row=%d v=%s %d\n" % (lane, row, value, second * SECOND))
        if len(piece) == 20000:
            yield "".join(piece)
            piece = []
    if piece:
        yield "".join(piece)


def victoria_rows(server):
    """Rows on the disk; those in memory are counted by other types."""
    n = 0
    for line in server.ask("GET", "/metrics", "").decode().splitlines():
        if line.startswith(('vm_rows{type="storage/small"}', 'vm_rows{type="storage/big"}')):
            n += int(float(line.split()[-1]))
    return n


def victoria(points, folder):
    port = free_port()
    server = Peer(["victoria-metrics", "-storageDataPath=" + folder, "-httpListenAddr=127.0.0.1:%d" % port,
                   "-retentionPeriod=100y", "-loggerLevel=ERROR"], port)
    distinct = len({p[:3] for p in points})
    try:
        for piece in lines(points):
            server.ask("POST", "/write", piece)
        server.ask("GET", "/internal/force_flush", "")
        settled(lambda: victoria_rows(server), lambda: victoria_rows(server) >= distinct)
        server.ask("GET", "/internal/force_merge", "")
        settled(lambda: folder_bytes(os.path.join(folder, "data")))
    finally:
        server.end()
    return folder_bytes(os.path.join(folder, "data")), distinct


INFLUX = """reporting-disabled = true
bind-address = "127.0.0.1:%d"
[meta]
  dir = "%s/meta"
[data]
  dir = "%s/data"
  wal-dir = "%s/wal"
  query-log-enabled = false
  max-series-per-database = 0
  cache-snapshot-write-cold-duration = "1s"
  compact-full-write-cold-duration = "2s"
[retention]
  check-interval = "1h"
[http]
  bind-address = "127.0.0.1:%d"
  log-enabled = false
[logging]
  level = "error"
"""


def influx(points, folder):
    port = free_port()
    path = os.path.join(folder, "influx.conf")
    with open(path, "w") as f:
        f.write(INFLUX % (free_port(), folder, folder, folder, port))
    server = Peer(["influxd", "-config", path], port)
    try:
        server.ask("POST", "/query?q=CREATE%20DATABASE%20bench%20WITH%20DURATION%20INF%20SHARD%20DURATION%20520w", "")
        for piece in lines(points):
            server.ask("POST", "/write?db=bench", piece)
        return settled(lambda: folder_bytes(os.path.join(folder, "data"), ".tsm"),
                       lambda: folder_bytes(os.path.join(folder, "wal")) == 0), len({p[:3] for p in points})
    finally:
        server.end()


def sqlite(points, folder):
    path = os.path.join(folder, "rows.db")
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE v (lane INT, row INT, time INT, value REAL, PRIMARY KEY (lane, row, time)) WITHOUT ROWID")
    db.executemany("INSERT OR REPLACE INTO v VALUES (?,?,?,?)", ((l, r, t, float(v)) for l, r, t, v in points))
    db.commit()
    db.execute("VACUUM")
    n = db.execute("SELECT count(*) FROM v").fetchone()[0]
    db.close()
    return os.path.getsize(path), n


PEERS = [("victoria-metrics", victoria), ("influxd", influx), ("sqlite rows", sqlite)]

# ---- run ----


def figure(name, value, unit, goal, **more):
    line = {"name": name, "value": round(value, 3), "unit": unit}
    if goal:
        line.update(goal=goal, better="less")
    line.update({k: v for k, v in more.items() if v is not None})
    print(json.dumps(line), flush=True)


def peer_bytes(points):
    found = {}
    for name, measure in PEERS:
        if name != "sqlite rows" and not shutil.which(name):
            continue
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            try:
                size, kept = measure(points, folder)
                found[name] = size / kept
            except (TimeoutError, SystemExit) as e:
                print("history_bytes: %s: %s" % (name, e), file=sys.stderr)
    return found


def run(name, make, cell, how, goal):
    points = sorted(make(), key=lambda p: (p[2], p[0], p[1]))
    if not points:
        print("SKIP history_bytes %s: %s not found" % (name, os.path.join(DATA, name)), file=sys.stderr)
        return
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as f:
        for lane, row, second, arrival, value in with_arrivals(points, how):
            f.write("%s,%d,%d,%d,%d,%s\n" % (cell, lane, row, second * SECOND, arrival, value))
        f.flush()
        merged, young = pack(f.name), pack(f.name, "young")
    peers = peer_bytes(points) if not os.environ.get("SOSIA_BENCH_ALONE") else {}
    for peer, value in list(peers.items()) or [(None, None)]:
        figure("history.bytes_per_point", merged["bytes"] / merged["points"], "bytes", goal, set=name, tier="merged",
               arrival=how, points=merged["points"], peer=peer, peer_value=value and round(value, 3))
    figure("history.bytes_per_point", young["bytes"] / young["points"], "bytes", GOAL_YOUNG, set=name, tier="young",
           arrival=how, points=young["points"])
    for tier, got in (("merged", merged), ("young", young)):
        many = tier == "merged"  # a small block costs what it costs
        figure("history.encode", got["encode_ns"], "ns/point", 60 if many else 0, set=name, tier=tier)
        figure("history.decode", got["decode_ns"], "ns/point", 15 if many else 0, set=name, tier=tier)


def main():
    wanted = sys.argv[1:]
    for name, make, cell, how, goal in SETS:
        if not wanted or name in wanted:
            run(name, make, cell, how, goal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
