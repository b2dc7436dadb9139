#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The process itself: size of the stripped command, time from start to a first answer on an empty world, memory when
idle. The peer is redis-server, started and asked in the same way in turn. One JSON line a figure."""
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SOSIA = os.environ.get("SOSIA_BIN", "build/sosia")
ROUNDS = 9


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, request, answer):
    """True when the server at port answers the request with something that begins so."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
            s.sendall(request)
            return s.recv(4096).startswith(answer)
    except OSError:
        return False


def start(command, port, request, answer):
    """(process, milliseconds until it answered)"""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not ask(port, request, answer):
        if process.poll() is not None or time.monotonic() - begun > 30:
            process.kill()
            sys.exit("%s did not answer" % command[0])
        time.sleep(0.0005)
    return process, (time.monotonic() - begun) * 1e3


def resident_mb(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def sosia(dir, n):
    port = free_port()
    command = [SOSIA, "serve", "--data", os.path.join(dir, "%d.sosia" % n), "--http", "127.0.0.1:%d" % port]
    return start(command, port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 200")


def redis(dir):
    port = free_port()
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", dir]
    return start(command, port, b"PING\r\n", b"+PONG")


def measure(start_one):
    process, ms = start_one()
    time.sleep(1)
    mb = resident_mb(process.pid)
    process.terminate()
    process.wait(20)
    return ms, mb


def figure(name, unit, values, goal, peers, peer):
    line = {"name": name, "value": round(statistics.median(values), 3), "unit": unit, "min": round(min(values), 3),
            "max": round(max(values), 3), "rounds": len(values), "goal": goal, "better": "less"}
    if peers:
        line.update(peer=peer, peer_value=round(statistics.median(peers), 3))
    print(json.dumps(line), flush=True)


def main():
    with tempfile.TemporaryDirectory() as dir:
        stripped = os.path.join(dir, "stripped")
        subprocess.run(["strip", "-o", stripped, SOSIA], check=True)
        peer = shutil.which("redis-server")
        figure("binary.bytes", "bytes", [os.path.getsize(stripped)], 8e6, [os.path.getsize(os.path.realpath(peer))]
               if peer else [], "redis-server")
        ours, theirs = [], []
        for n in range(ROUNDS):
            ours.append(measure(lambda: sosia(dir, n)))
            if peer:
                theirs.append(measure(lambda: redis(dir)))
        figure("idle.rss", "MB", [mb for _, mb in ours], 30, [mb for _, mb in theirs], "redis-server")
        figure("start.empty", "ms", [ms for ms, _ in ours], 50, [ms for ms, _ in theirs], "redis-server")


if __name__ == "__main__":
    main()
