#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A week of the demo's plant, asked for on the command line: a server on a file, the plant loaded and fed by its site
for a while, then `sosia whatif demand-up` from its start to its end: two forks, one changed, both run a week, compared.
The limit beside it is the same command on a what-if of one second: what process, forks, commits and comparison cost
alone. And an hour of the plant 90 times over on one thread, lines stopping by chance: three actions of a decision, 30
replications each. Two JSON lines."""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

SOSIA = os.environ.get("SOSIA_BIN", "build/sosia")
SITE = os.path.join(os.path.dirname(SOSIA), "sosia-site")
ROUNDS, GOAL_S = 9, 1.0
REPLICATIONS, HOUR_GOAL_S = 90, 0.15


def run(url, *command):
    begun = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=dict(os.environ, SOSIA_URL=url))
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(command), done.stderr))
    return time.monotonic() - begun


def short(url):
    """The what-if demand-up, one second long."""
    done = subprocess.run([SOSIA, "whatif", "--json"], stdout=subprocess.PIPE, text=True, check=True,
                          env=dict(os.environ, SOSIA_URL=url))
    one = next(w for w in json.loads(done.stdout)["value"] if w["name"] == "demand-up")
    body = json.dumps(dict(one, **{"for": "PT1S"}))
    subprocess.run(["curl", "-sf", "-X", "PUT", "--noproxy", "*", "-d", body, "-o", "/dev/null",
                    url + "/whatifs/a-second?api-version=2023-10-31"], check=True)


def call(url, method, path, body=None):
    done = subprocess.run(["curl", "-sf", "--noproxy", "*", "-X", method, url + path + "?api-version=2023-10-31"] +
                          (["-d", json.dumps(body)] if body else []), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def hours(url):
    """Seconds of the ensemble alone, round by round."""
    body = {"for": "PT1H", "replications": REPLICATIONS, "threads": 1, "seed": 7}
    took = []
    for _ in range(ROUNDS + 1):
        call(url, "POST", "/worlds/live/ensemble", body)
        while (r := call(url, "GET", "/worlds/live/ensemble"))["state"] in ("running", "starting"):
            time.sleep(0.05)
        took.append(r["seconds"])
    return sorted(took[1:])


def main():
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([SOSIA, "serve", "--data", os.path.join(folder, "demo.sosia"), "--http",
                                   "127.0.0.1:0", "--future", "off", "--json"], stdout=subprocess.PIPE, text=True)
        try:
            url = json.loads(server.stdout.readline())["url"]
            run(url, SITE, "--url", url, "--load")
            run(url, SITE, "--url", url, "--for", "60s", "--speed", "60", "--quiet")
            short(url)
            week, second = [], []
            for _ in range(ROUNDS + 1):
                week.append(run(url, SOSIA, "whatif", "demand-up"))
                second.append(run(url, SOSIA, "whatif", "a-second"))
            hour = hours(url)
        finally:
            server.terminate()
            server.wait()
    week, second = sorted(week[1:]), second[1:]  # the first warms up
    print(json.dumps({"name": "sim.demo_week", "value": round(statistics.median(week), 4), "unit": "s",
                      "min": round(week[0], 4), "max": round(week[-1], 4), "rounds": ROUNDS, "goal": GOAL_S,
                      "better": "less", "peer": "the same command on a what-if of one second",
                      "peer_value": round(statistics.median(second), 4)}), flush=True)
    print(json.dumps({"name": "sim.demo_hour_90", "value": round(statistics.median(hour), 4), "unit": "s",
                      "min": round(hour[0], 4), "max": round(hour[-1], 4), "rounds": ROUNDS, "goal": HOUR_GOAL_S,
                      "better": "less"}), flush=True)


if __name__ == "__main__":
    main()
