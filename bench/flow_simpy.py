#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Peer of the flow engine: SimPy 3 or later, when installed (SOSIA_SIMPY names a Python that has it). Events a second
of M/M/10 and milliseconds a replication of the treatment centre, as models that keep the waits and nothing else; the
same models as src/flow/flow_bench.c has. One JSON line each."""
import json
import math
import os
import random
import subprocess
import sys
import time

HOURLY = (2.3667, 2.8, 8.8333, 10.4333, 14.8, 26.2667, 31.4, 18.0667, 16.4667, 12.0333, 11.6, 28.8667, 18.0333, 11.5,
          5.3, 4.0667, 2.2, 2.1)


def queue(simpy, customers):
    env, waits = simpy.Environment(), []
    servers = simpy.Resource(env, 10)

    def customer():
        came = env.now
        with servers.request() as turn:
            yield turn
            waits.append(env.now - came)
            yield env.timeout(random.expovariate(1))

    def source():
        for _ in range(customers):
            yield env.timeout(random.expovariate(9))
            env.process(customer())

    env.process(source())
    env.run()
    return sum(waits) / len(waits)


def centre(simpy):
    env, waits = simpy.Environment(), {}
    servers = {name: simpy.Resource(env, n) for name, n in
               (("triage", 1), ("registration", 1), ("examination", 3), ("treatment", 1), ("stabilisation", 2),
                ("trauma", 1))}

    def step(name, seconds):
        came = env.now
        with servers[name].request() as turn:
            yield turn
            waits.setdefault(name, []).append(env.now - came)
            yield env.timeout(max(0, seconds))

    def lognormal(mean, variance):
        s2 = math.log(1 + variance / mean / mean)
        return random.lognormvariate(math.log(mean) - s2 / 2, s2 ** 0.5)

    def patient():
        yield from step("triage", random.expovariate(1 / 3))
        if random.random() < 0.12:
            yield from step("stabilisation", random.expovariate(1 / 90))
            yield from step("trauma", random.expovariate(1 / 90))
            return
        yield from step("registration", lognormal(5, 2))
        yield from step("examination", random.gauss(16, 3 ** 0.5))
        if random.random() < 0.6:
            yield from step("treatment", lognormal(13.3, 2))

    def source():
        most = max(HOURLY)
        while True:
            yield env.timeout(random.expovariate(most / 60))
            if random.random() < HOURLY[int(env.now / 60) % 18] / most:
                env.process(patient())

    env.process(source())
    env.run(until=19 * 60)
    return waits


def main():
    other = os.environ.get("SOSIA_SIMPY")
    if other:
        env = dict(os.environ)
        del env["SOSIA_SIMPY"]
        return subprocess.call([other, os.path.abspath(__file__)], env=env)
    try:
        import simpy
    except ImportError:
        print("SKIP flow_simpy: SimPy is not installed", file=sys.stderr)
        return 0
    begin = time.perf_counter()
    wait = queue(simpy, 60000)
    seconds = time.perf_counter() - begin
    print("SimPy %s: M/M/10 wait %.3f (0.669)" % (simpy.__version__, wait), file=sys.stderr)
    print(json.dumps({"name": "flow.events_bare.simpy", "value": round(0.12 / seconds, 4), "unit": "M/s"}))
    begin = time.perf_counter()
    waits = [centre(simpy) for _ in range(20)]
    seconds = time.perf_counter() - begin
    triage = [sum(w["triage"]) / len(w["triage"]) for w in waits]
    print("SimPy: treatment centre, triage %.1f (31)" % (sum(triage) / len(triage)), file=sys.stderr)
    print(json.dumps({"name": "flow.nelson_replication.simpy", "value": round(seconds / 20 * 1e3, 3), "unit": "ms"}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
