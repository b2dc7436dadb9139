# SPDX-License-Identifier: Apache-2.0
"""What the whole-process tests of the server share: start `sosia serve`, talk HTTP to it, look at the answers."""

import http.client
import json
import os
import resource
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("SOSIA_BUILD", os.path.join(ROOT, "build"))
SOSIA = os.environ.get("SOSIA_BIN", os.path.join(BUILD, "sosia"))
DATA = os.environ.get("SOSIA_DATA", os.path.join(ROOT, "..", "shared", "data"))
VERSION = "2023-10-31"


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return self.headers.get(name.lower())

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["error"]["code"]

    def __repr__(self):
        return "%d %s" % (self.status, self.body[:300])


class Server:
    """A running `sosia serve`. Ends with close(); what it wrote to stderr is in `log`."""

    def __init__(self, *options, data=None, http="127.0.0.1:0", files=None):
        command = [SOSIA, "serve", "--json"]
        command += ["--data", data] if data else ["--memory"]
        command += ["--http", http] if http else []
        self.stderr = tempfile.TemporaryFile()
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))) if files else None
        self.child = subprocess.Popen(
            command + list(options), stdout=subprocess.PIPE, stderr=self.stderr, preexec_fn=limit
        )
        ready, _, _ = select.select([self.child.stdout], [], [], 60)
        line = self.child.stdout.readline() if ready else b""
        if not line:
            self.child.kill()
            self.child.wait()
            raise RuntimeError("sosia serve did not start: %s" % self.log)
        self.ready = json.loads(line)
        self.port = int(self.ready["url"].rsplit(":", 1)[1]) if self.ready["url"] else 0
        self.tls_port = int(self.ready["https"].rsplit(":", 1)[1]) if self.ready["https"] else 0
        self.pid = self.child.pid

    @property
    def log(self):
        self.stderr.seek(0)
        return self.stderr.read().decode("utf-8", "replace")

    def connect(self, timeout=120):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def socket(self, timeout=120):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def ask(self, method, path, body=None, headers=None, version=VERSION, connection=None):
        """One request. `version` None: without api-version. Bodies that are no bytes or text are sent as JSON."""
        if version:
            path += ("&" if "?" in path else "?") + "api-version=" + version
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            kind = "application/json-patch+json" if method == "PATCH" else "application/json"
            headers.setdefault("Content-Type", kind)
        if isinstance(body, str):
            body = body.encode()
        c = connection or self.connect()
        c.request(method, path, body, headers)
        r = c.getresponse()
        reply = Reply(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
        if not connection:
            c.close()
        return reply

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def put(self, path, body, **more):
        return self.ask("PUT", path, body, **more)

    def post(self, path, body, **more):
        return self.ask("POST", path, body, **more)

    def patch(self, path, body, **more):
        return self.ask("PATCH", path, body, **more)

    def delete(self, path, **more):
        return self.ask("DELETE", path, **more)

    def all(self, path, headers=None, version=VERSION):
        """All items of a paged list and the number of pages, following nextLink."""
        items, pages = [], 0
        reply = self.get(path, headers=headers, version=version)
        while True:
            if reply.status != 200:
                raise AssertionError(repr(reply))
            items += reply.json["value"]
            pages += 1
            link = reply.json["nextLink"]
            if not link:
                return items, pages
            if not link.startswith("http://127.0.0.1:%d/" % self.port):
                raise AssertionError("nextLink is not absolute: %s" % link)
            reply = self.get(link[len("http://127.0.0.1:%d" % self.port) :], headers=headers, version=None)

    def resident(self):
        with open("/proc/%d/statm" % self.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def alive(self):
        return self.child.poll() is None

    def reload(self):
        self.child.send_signal(signal.SIGHUP)

    def stop(self):
        """End in order; the exit status."""
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
        return self.child.wait(60)

    def kill(self):
        self.child.kill()
        self.child.wait()

    def close(self):
        status = self.stop()
        self.child.stdout.close()
        log = self.log
        self.stderr.close()
        if status != 0:
            raise AssertionError("sosia serve ended with %d: %s" % (status, log))


class ServerCase(unittest.TestCase):
    """One server for all tests of a class; `options` are added to its command line."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def check_growth(self, before, limit, server=None):
        """The server's memory has not grown by more than `limit` bytes; not asked of sanitizer builds, which hoard."""
        if not sanitized():
            self.assertLess((server or self.server).resident() - before, limit)

    def check(self, reply, status, code=None):
        self.assertEqual(reply.status, status, repr(reply))
        if code:
            self.assertEqual(reply.code, code, repr(reply))
            self.assertEqual(reply.header("x-ms-error-code"), code)
            self.assertTrue(reply.json["error"]["message"])
        return reply


def sanitized():
    """Whether the command under test was built with a sanitizer."""
    with open(SOSIA, "rb") as f:
        text = f.read()
    return b"__asan_init" in text or b"__tsan_init" in text


def certificate(folder):
    """A self-signed certificate for localhost in `folder`: (cert, key)."""
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
            "-keyout",
            key,
            "-out",
            cert,
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def main():
    unittest.main(verbosity=1, argv=sys.argv)
