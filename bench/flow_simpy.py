#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Peers of the flow engine, when they are installed: SimPy (Debian python3-simpy3, or PyPI) and Ciw (PyPI).
SOSIA_SIMPY names a Python that has them, else this one and the system's are tried.

Events a second of M/M/10, and the treatment centre: 10,000 replications of ours and some of each peer, in turns, the
same model as src/flow/flow_bench.c has. SimPy has it twice: with the figures that ours keeps (waits, queue and use of
each step over time, stays), and keeping waits and nothing else. One JSON line a peer."""
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time

HOURLY = (2.3667, 2.8, 8.8333, 10.4333, 14.8, 26.2667, 31.4, 18.0667, 16.4667, 12.0333, 11.6, 28.8667, 18.0333, 11.5,
          5.3, 4.0667, 2.2, 2.1)
STEPS = (("triage", 1), ("registration", 1), ("examination", 3), ("treatment", 1), ("stabilisation", 2), ("trauma", 1))
DAY = 19 * 60
ROUNDS, OURS, THEIRS = 5, 2000, 40  # replications a round
GOAL = 50  # times as fast as SimPy
CORES = len(os.sched_getaffinity(0))


def lognormal(mean, variance):
    s2 = math.log(1 + variance / mean / mean)
    return random.lognormvariate(math.log(mean) - s2 / 2, s2 ** 0.5)


def positive_normal(mean, sd):
    while True:
        value = random.gauss(mean, sd)
        if value >= 0:
            return value


# ---- SimPy ----

def simpy_queue(customers):
    import simpy
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


def watched_resource(simpy):
    """A resource that keeps its queue and use over time, as SimPy's manual shows."""
    class Watched(simpy.Resource):
        def __init__(self, env, capacity):
            super().__init__(env, capacity)
            self.waits, self.at, self.queued, self.used, self.most = [], 0, 0, 0, 0

        def look(self):
            dt = self._env.now - self.at
            self.at = self._env.now
            self.queued += dt * len(self.queue)
            self.used += dt * self.count
            self.most = max(self.most, len(self.queue))

        def request(self):
            self.look()
            return super().request()

        def release(self, request):
            self.look()
            return super().release(request)
    return Watched


def simpy_centre(simpy, kind, keep):
    env, waits, stays = simpy.Environment(), {name: [] for name, _ in STEPS}, []
    servers = {name: kind(env, n) for name, n in STEPS}

    def step(name, minutes):
        came = env.now
        with servers[name].request() as turn:
            yield turn
            waits[name].append(env.now - came)
            yield env.timeout(minutes)

    def patient():
        came = env.now
        yield from step("triage", random.expovariate(1 / 3))
        if random.random() < 0.12:
            yield from step("stabilisation", random.expovariate(1 / 90))
            yield from step("trauma", random.expovariate(1 / 90))
        else:
            yield from step("registration", lognormal(5, 2))
            yield from step("examination", positive_normal(16, 3 ** 0.5))
            if random.random() < 0.6:
                yield from step("treatment", lognormal(13.3, 2))
        if keep:
            stays.append(env.now - came)

    def source():
        most = max(HOURLY)
        while True:
            yield env.timeout(random.expovariate(most / 60))
            if random.random() < HOURLY[int(env.now / 60) % 18] / most:
                env.process(patient())

    env.process(source())
    env.run(until=DAY)
    mean = sum(waits["triage"]) / len(waits["triage"])
    if not keep:
        return mean
    figures = {"throughput": len(stays), "stay": (sum(stays) / len(stays), statistics.pstdev(stays), max(stays))}
    for name, n in STEPS:
        s, w = servers[name], waits[name] or [0]
        s.look()
        figures[name] = (s.queued / DAY, s.used / DAY / n, s.most, sum(w) / len(w), min(w), max(w),
                         sum(x * x for x in w))
    return mean


# ---- Ciw ----

def ciw_network(ciw):
    class Day(ciw.dists.Distribution):
        """Gaps of arrivals whose rate changes by the hour, by thinning."""
        def sample(self, t=None, ind=None):
            most, at = max(HOURLY), t
            while True:
                at += random.expovariate(most / 60)
                if random.random() < HOURLY[int(at / 60) % 18] / most:
                    return at - t

    class Of(ciw.dists.Distribution):
        def __init__(self, draw):
            self.draw = draw

        def sample(self, t=None, ind=None):
            return self.draw()

    services = [ciw.dists.Exponential(1 / 3), Of(lambda: lognormal(5, 2)), Of(lambda: positive_normal(16, 3 ** 0.5)),
                Of(lambda: lognormal(13.3, 2)), ciw.dists.Exponential(1 / 90), ciw.dists.Exponential(1 / 90)]
    ways = [[0.0] * len(STEPS) for _ in STEPS]
    ways[0][4], ways[0][1], ways[1][2], ways[2][3], ways[4][5] = 0.12, 0.88, 1.0, 0.6, 1.0
    return ciw.create_network(arrival_distributions=[Day()] + [None] * 5, service_distributions=services,
                              routing=ways, number_of_servers=[n for _, n in STEPS])


def ciw_centre(ciw, network):
    run = ciw.Simulation(network)
    run.simulate_until_max_time(DAY)
    waits = [r.waiting_time for r in run.get_all_records() if r.node == 1]
    return sum(waits) / len(waits)


# ---- a peer in a process of its own ----

def peer(name, n):
    """{"ms": of a replication, "wait": for triage, "version"}"""
    if name == "ciw":
        import ciw
        network, version = ciw_network(ciw), "Ciw %s" % ciw.__version__
        once = lambda: ciw_centre(ciw, network)
    else:
        import simpy
        version = "SimPy %s" % simpy.__version__
        kind, keep = (watched_resource(simpy), True) if name == "simpy" else (simpy.Resource, False)
        once = lambda: simpy_centre(simpy, kind, keep)
    begin = time.perf_counter()
    waits = [once() for _ in range(n)]
    print(json.dumps({"ms": (time.perf_counter() - begin) / n * 1e3, "wait": sum(waits) / n, "version": version}))


def peer_queue(n):
    import simpy
    begin = time.perf_counter()
    wait = simpy_queue(n)
    seconds = time.perf_counter() - begin
    print("SimPy %s: M/M/10 wait %.3f (0.669)" % (simpy.__version__, wait), file=sys.stderr)
    line = {"name": "flow.events_bare.simpy", "value": round(2e-6 * n / seconds, 4), "unit": "M/s"}
    print(json.dumps(line), flush=True)


# ---- all ----

def python_with(module):
    """A Python that has it, or None."""
    named = os.environ.get("SOSIA_SIMPY")
    for python in [named] if named else [sys.executable, "/usr/bin/python3"]:
        if os.path.exists(python) and subprocess.call([python, "-c", "import " + module],
                                                      stderr=subprocess.DEVNULL) == 0:
            return python
    print("SKIP flow_simpy: %s is not installed" % module, file=sys.stderr)
    return None


def once(python, name, n):
    done = subprocess.run([python, os.path.abspath(__file__), name, str(n)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def ours(threads):
    bench = os.path.join(os.environ.get("SOSIA_BUILD", "build"), "flow_flow_bench")
    done = subprocess.run([bench, "nelson", str(OURS), str(threads)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)["value"]


def measure(peers):
    """In turns, so that whatever else the machine does falls on all."""
    times, last = {name: [] for name in ["core", "all"] + list(peers)}, {}
    for _ in range(ROUNDS):
        times["core"].append(ours(1))
        times["all"].append(ours(CORES))
        for name, python in peers.items():
            last[name] = once(python, name, THEIRS)
            times[name].append(last[name]["ms"])
    for name in peers:
        print("%s: wait for triage %.1f min (31)" % (last[name]["version"], last[name]["wait"]), file=sys.stderr)
    return times, last


LABELS = {"simpy": "%s, the same figures", "simpy_waits": "%s, waits only", "ciw": "%s"}


def tell(times, last):
    """Of one core and of all: each peer works on one, as it does by itself."""
    for who, name, cores in (("core", "flow.nelson_replication.core", 1), ("all", "flow.nelson_replication", CORES)):
        mine = times[who]
        line = {"name": name, "value": round(statistics.median(mine), 5), "unit": "ms", "min": round(min(mine), 5),
                "max": round(max(mine), 5), "rounds": ROUNDS, "replications": ROUNDS * OURS, "cores": cores}
        for peer_name in last or [None]:
            more = {}
            if peer_name:
                theirs = statistics.median(times[peer_name])
                more = {"peer": LABELS[peer_name] % last[peer_name]["version"], "peer_value": round(theirs, 4),
                        "ratio": round(theirs / statistics.median(mine), 1)}
            if peer_name == "simpy":
                more.update(goal=round(theirs / GOAL, 5), better="less")
            print(json.dumps(dict(line, **more)), flush=True)


def main():
    if len(sys.argv) == 3:
        return peer(sys.argv[1], int(sys.argv[2])) if sys.argv[1] != "queue" else peer_queue(int(sys.argv[2]))
    simpy, ciw = python_with("simpy"), python_with("ciw")
    if simpy:
        subprocess.check_call([simpy, os.path.abspath(__file__), "queue", "60000"])
    peers = {"simpy": simpy, "simpy_waits": simpy, "ciw": ciw}
    tell(*measure({name: python for name, python in peers.items() if python}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
