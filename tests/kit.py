# SPDX-License-Identifier: Apache-2.0
"""What the whole-process tests share: the built programs, a server on a free port, the command line, plain HTTP."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("SOSIA_BUILD", os.path.join(ROOT, "build"))
SOSIA = os.environ.get("SOSIA_BIN", os.path.join(BUILD, "sosia"))
SITE = os.path.join(os.path.dirname(SOSIA), "sosia-site")
DATA = os.environ.get("SOSIA_DATA", os.path.join(os.path.dirname(ROOT), "shared", "data"))
SLOW = float(os.environ.get("SOSIA_TEST_SLOW", "1"))  # sanitizer builds wait longer


def data(*parts):
    """A path of the test data, or the end of this test with a line that says what is missing."""
    path = os.path.join(DATA, *parts)
    if not os.path.exists(path):
        name = sys._getframe(1).f_code.co_name
        print("SKIP %s: %s not found" % (name, path))
        raise unittest.SkipTest("%s not found" % path)
    return path


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k not in ("SOSIA_URL", "SOSIA_TOKEN", "NO_COLOR", "COLUMNS")}
    env.update(more)
    return env


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return "exit %s\n%s%s" % (self.code, self.out, self.err)


def run(*arguments, url=None, text=None, timeout=120, **env):
    """Run `sosia ARGUMENTS` to its end."""
    extra = dict(env)
    if url:
        extra["SOSIA_URL"] = url
    done = subprocess.run([SOSIA, *map(str, arguments)], input=text, capture_output=True, text=True,
                          timeout=timeout * SLOW, env=environment(**extra))
    return Result(done.returncode, done.stdout, done.stderr)


class Server:
    """A `sosia serve` process; ends with the test."""

    def __init__(self, *arguments, path=None, token=None):
        self.path, self.token = path, token
        self.arguments = list(arguments) or ["--http", "127.0.0.1:0"]
        self.start()

    def start(self):
        where = ["--data", self.path] if self.path else ["--memory"]
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([SOSIA, "serve", *where, *self.arguments, "--json"], stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=environment())
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            raise AssertionError("the server did not start: %s" % self.errors.read())
        self.ready = json.loads(line)
        self.url = self.ready["url"] or self.ready["https"]
        return self

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        code = self.process.wait(60 * SLOW)
        self.process.stdout.close()
        self.errors.close()
        return code

    def kill(self):
        return self.stop(signal.SIGKILL)

    def run(self, *arguments, **options):
        return run(*arguments, url=self.url, **options)

    def http(self, method, path, body=None, headers=None):
        """(status, headers, body as text); api-version is added."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        url = self.url + path + ("&" if "?" in path else "?") + "api-version=2023-10-31"
        request = urllib.request.Request(url, body.encode() if body is not None else None, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60 * SLOW) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read().decode()

    def get(self, path):
        status, _, body = self.http("GET", path)
        if status != 200:
            raise AssertionError("GET %s: %d %s" % (path, status, body))
        return json.loads(body)

    def twin(self, id):
        return self.get("/digitaltwins/" + urllib.parse.quote(id, safe=""))

    def await_streams(self, count=1):
        """Wait until that many clients listen to /changes."""
        until(lambda: re.search(r"(?m)^sosia_http_streams %d$" % count, self.http("GET", "/metrics")[2]), 60,
              "%d listening clients" % count)

    def every(self, path):
        """All items of a paged list."""
        items = []
        while path:
            page = self.get(path)
            items += page["value"]
            link = page.get("nextLink")
            path = None
            if link:
                parts = urllib.parse.urlsplit(link)
                query = [(k, v) for k, v in urllib.parse.parse_qsl(parts.query) if k != "api-version"]
                path = parts.path + "?" + urllib.parse.urlencode(query)
        return items


class Case(unittest.TestCase):
    """A test case with a scratch folder and servers that end with the test."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="sosia-test-")
        self.addCleanup(lambda: subprocess.run(["rm", "-rf", self.folder]))

    def file(self, name, content=None):
        path = os.path.join(self.folder, name)
        if content is not None:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def serve(self, *arguments, **options):
        server = Server(*arguments, **options)
        self.addCleanup(server.stop)
        return server

    def ok(self, result):
        self.assertEqual(result.code, 0, result)
        return result


def until(condition, seconds=60.0, what="it"):
    """Wait until condition() is true; returns its value."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("%s did not happen within %g s" % (what, seconds * SLOW))
        time.sleep(0.05)


def main():
    """Run the tests of the calling file and close with "N passed, N failed, N skipped"."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    r = program.result
    bad = len(r.failures) + len(r.errors) + len(r.unexpectedSuccesses)
    print("%d passed, %d failed, %d skipped" % (r.testsRun - bad - len(r.skipped), bad, len(r.skipped)), flush=True)
    sys.exit(1 if bad else 0)
